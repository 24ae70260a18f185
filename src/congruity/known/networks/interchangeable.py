"""A PyTorch module whose sites can be swapped: each position of a site, or of one of its heads, is a place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from congruity.errors import InputError, ModelError

_AT_ONCE = 8192  # rows in one run


class SwappableModule:
    """Wrap ``module(codes (n, inputs)) -> logits``, (n, classes) or (n, positions, classes).

    A place is ``path@position``, or ``path[head]@position`` where a site holds several heads side by side, or the path
    alone where its output has no positions. Of logits with positions, all are answers, or the last alone.

    Args:
        module: called with a tensor of integers.
        sites: submodule path -> heads in its output's last dimension, 1 for a whole one.
        name: for reports.
        width: inputs that it takes, for a first run that tells its shapes.
        outputs: how many answers it gives; 1 reads the last position.

    Raises:
        InputError: an unknown path, a site whose output is no tensor (n, ..., width), or heads that do not divide it.
        ModelError: a module that does not run on integers, or gives NaN.
    """

    def __init__(
        self, module: torch.nn.Module, *, sites: Mapping[str, int], name: str, width: int, outputs: int = 1
    ) -> None:
        self.name, self._outputs = name, outputs
        self._module = module.eval().requires_grad_(False)
        known = dict(module.named_modules())
        if odd := [path for path in sites if path not in known]:
            raise InputError(f"{name}: no submodule is called {odd[0]!r}; there are {', '.join(k for k in known if k)}")
        self._sites = {path: known[path] for path in sites}
        self._heads = dict(sites)
        shapes: dict[str, tuple[int, ...]] = {}
        hooks = [
            site.register_forward_hook(lambda _, given, out, path=path: shapes.update({path: _shape(name, path, out)}))
            for path, site in self._sites.items()
        ]
        try:
            self._run(torch.zeros((1, width), dtype=torch.long))
        finally:
            for hook in hooks:
                hook.remove()
        self._index: dict[str, tuple[str, int | None, int]] = {}
        for path, heads in self._heads.items():
            if path not in shapes:
                raise InputError(f"{name}: the site {path!r} does not run")
            if shapes[path][-1] % heads:
                raise InputError(f"{name}: {heads} heads do not divide the {shapes[path][-1]} dimensions of {path!r}")
            for head in range(heads):
                label = path if heads == 1 else f"{path}[{head}]"
                if len(shapes[path]) == 2:
                    self._index[label] = (path, None, head)
                for position in range(shapes[path][1] if len(shapes[path]) == 3 else 0):
                    self._index[f"{label}@{position}"] = (path, position, head)

    @property
    def places(self) -> tuple[str, ...]:
        """The names of all places, site by site."""
        return tuple(self._index)

    def probabilities(
        self, base: NDArray[np.int64], source: NDArray[np.int64] | None = None, swapped: Any = None
    ) -> NDArray[np.float64]:
        """Return (n, outputs, classes) on base (n, inputs), with places ``swapped`` (n, places) as on the source."""
        parts = []
        for rows in np.array_split(np.arange(len(base)), max(1, -(-len(base) // _AT_ONCE))):
            tokens = torch.as_tensor(np.asarray(base)[rows])
            if source is None:
                parts.append(self._run(tokens))
            else:
                there = torch.as_tensor(np.asarray(source)[rows])
                parts.append(self._run(tokens, there, torch.as_tensor(np.asarray(swapped)[rows])))
        return np.concatenate(parts)

    def _run(self, base: Tensor, source: Tensor | None = None, swapped: Tensor | None = None) -> NDArray[np.float64]:
        n, hooks = len(base), []
        if source is not None and swapped is not None:
            hooks = [site.register_forward_hook(self._swap(path, swapped, n)) for path, site in self._sites.items()]
        try:
            with torch.inference_mode():
                logits = self._module(base if source is None else torch.cat([base, source]))
        except InputError:
            raise
        except Exception as error:  # whatever a module of the user's raises
            what = f"{type(error).__name__}: {error}"
            raise ModelError(f"{self.name}: the module does not run on integers {tuple(base.shape)}: {what}") from None
        finally:
            for hook in hooks:
                hook.remove()
        if not isinstance(logits, Tensor) or logits.ndim not in (2, 3) or len(logits) not in (n, 2 * n):
            shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ModelError(
                f"{self.name}: the module gives {shape}; give logits (n, classes) or (n, positions, classes)"
            )
        logits = logits[:n]
        if logits.ndim == 2:
            logits = logits[:, None]
        elif self._outputs == 1:
            logits = logits[:, -1:]
        if not bool(torch.isfinite(logits).all()):
            raise ModelError(f"{self.name}: the module gives NaN or infinity")
        found: NDArray[np.float64] = logits.double().softmax(dim=-1).numpy()
        return found

    def _swap(self, path: str, swapped: Tensor, n: int) -> Any:
        chosen = [(at, where) for at, where in enumerate(self._index.values()) if where[0] == path]

        def hook(module: torch.nn.Module, given: Any, output: Tensor) -> Tensor:
            result = output.clone()
            size = output.shape[-1] // self._heads[path]
            for at, (_, position, head) in chosen:
                if not bool(swapped[:, at].any()):
                    continue
                place: Any = (slice(None),) if position is None else (slice(None), position)
                span = (*place, slice(head * size, (head + 1) * size))
                result[:n][span] = torch.where(swapped[:, at, None], output[n:][span], output[:n][span])
            return result

        return hook


def _shape(name: str, path: str, output: Any) -> tuple[int, ...]:
    if not isinstance(output, Tensor) or output.ndim not in (2, 3):
        raise InputError(f"{name}: the output of {path!r} is no tensor (n, width) or (n, positions, width)")
    return tuple(output.shape)
