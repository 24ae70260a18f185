"""Forward hooks that record, read, replace and skip the activation of one module in one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


@contextmanager
def hooked(hooks: Iterable[tuple[torch.nn.Module, Callable[..., Any]]], *, before: bool = False) -> Iterator[None]:
    """Register the hook of each module, or its hook before, and remove them all at the end."""
    handles = []
    try:
        for module, hook in hooks:
            handles.append(module.register_forward_pre_hook(hook) if before else module.register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


def tensor(output: Any) -> Tensor:
    """Return a module's activation; blocks of some architectures return it first in a tuple."""
    return output[0] if isinstance(output, tuple) else output


def three(value: Tensor) -> Tensor:
    """View (g, ..., width) as (g, positions, width)."""
    return value.flatten(1, -2) if value.ndim > 2 else value[:, None, :]


def recorder(hook: str, captured: dict[str, Tensor], flat: set[str] | None = None) -> Callable[[Any, Any, Any], None]:
    """Return a hook that records the activation (g, positions, width) in ``captured``.

    Where the activation is (g, width), without positions, its name is added to ``flat``.
    """

    def record(module: Any, inputs: Any, output: Any) -> None:
        value = tensor(output).detach()
        captured[hook] = three(value)
        if flat is not None and value.ndim == 2:
            flat.add(hook)

    return record


def reader(name: str, reads: dict[str, Tensor]) -> Callable[[Any, Any, Any], None]:
    """Return a hook that records the last position (g, width) in ``reads``."""

    def read(module: Any, inputs: Any, output: Any) -> None:
        reads[name] = three(tensor(output))[:, -1]

    return read


def retainer(hook: str, kept: dict[str, Tensor]) -> Callable[[Any, Any, Any], Any]:
    """Return a hook that keeps the activation (g, positions, width), with its gradient, in ``kept``."""

    def retain(module: Any, inputs: Any, output: Any) -> Any:
        original = tensor(output)
        value = original if original.requires_grad else original.detach().requires_grad_(True)
        view = three(value)
        view.retain_grad()
        kept[hook] = view
        value = view.view_as(original)
        return (value, *output[1:]) if isinstance(output, tuple) else value

    return retain


def replacer(replacement: Tensor, weights: Tensor) -> Callable[[Any, Any, Any], Any]:
    """Return a hook that goes part of the way to ``replacement`` (g, positions, width).

    Args:
        replacement: what a whole replacement writes.
        weights: (edits, g or 1, positions or 1, heads), the part of the way. 1 writes the replacement, 0 leaves what
            was computed, both to the last bit.
    """
    edits, _, _, heads = weights.shape
    partial = bool(((weights > 0) & (weights < 1)).any())
    weight = weights[..., None]

    def replace(module: Any, inputs: Any, output: Any) -> Any:
        original = tensor(output)
        value = three(original).unflatten(0, (edits, -1)).unflatten(-1, (heads, -1))  # (edits, g, positions, heads, d)
        new = replacement.unflatten(-1, (heads, -1))[None]
        changed = torch.where(weight == 1, new, value + weight.to(value) * (new - value)) if partial else new
        value = torch.where(weight > 0, changed, value).view_as(original)
        return (value, *output[1:]) if isinstance(output, tuple) else value

    return replace


class Skipper:
    """Replaces whole activations of some edits without computing them: a module that never sees those rows.

    Args:
        replacement: (g, positions, width), what an edited row gets.
        replaced: (edits,) booleans.
    """

    def __init__(self, replacement: Tensor, replaced: Tensor) -> None:
        self._replacement = replacement
        self._edits = len(replaced)
        self._kept = torch.nonzero(~replaced)[:, 0]

    def select(self, module: Any, inputs: Any) -> Any:
        """Pre-hook of the module that computes the activation: keep the rows that are needed, and at least one."""
        rows = inputs[0].unflatten(0, (self._edits, -1))
        chosen = rows[self._kept].flatten(0, 1) if len(self._kept) else rows[0, :1]
        return (chosen, *inputs[1:])

    def restore(self, module: Any, inputs: Any, output: Any) -> Any:
        """Hook of the activation: all rows again, the skipped ones replaced."""
        computed = tensor(output)
        value = self._replacement.repeat(self._edits, *[1] * (self._replacement.ndim - 1)).to(computed.dtype)
        if len(self._kept):
            value.unflatten(0, (self._edits, -1))[self._kept] = three(computed).unflatten(0, (len(self._kept), -1))
        value = value.view(-1, *computed.shape[1:])
        return (value, *output[1:]) if isinstance(output, tuple) else value
