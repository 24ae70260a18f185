"""Attribution patching: first-order estimates of the effect of patching, from gradients, for all sites at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from congruity._base.arrays import Floats
from congruity.errors import ModelError
from congruity.models.group import Group, take
from congruity.models.hooks import hooked, retainer, tensor
from congruity.models.session import Session

# Rows times positions of one batch; every activation is kept for the backward pass.
BATCH_TOKENS = 768


def attributions(session: Session, rows: NDArray[np.intp] | None = None, steps: int = 1) -> Floats:
    """Return (rows, sites): sum over positions of (replacement - clean) * mean over k of d logit difference / d site.

    The gradients are taken at the inputs x' + (k / steps) (x - x'), k = 1, ..., steps, on the line from the
    counterfactual input embeddings x' to the clean ones x. One step is the gradient at the clean input.
    Source: Nanda 2023, "Attribution patching"; Syed et al. 2023, arXiv 2310.10348 (one step); Hanna, Pezzelle,
    Belinkov 2024, arXiv 2403.17806 (integrated gradients on the inputs).

    Raises:
        ModelError: a site without gradient, gradients that overflow, or inputs that have no line between them.
    """
    rows = np.arange(session.n) if rows is None else np.asarray(rows)
    place = {int(row): i for i, row in enumerate(rows)}
    result = np.full((len(rows), len(session.backend.sites)), np.nan)
    for number, group in enumerate(session.groups):
        chosen = np.flatnonzero(np.isin(group.rows, rows))
        size = max(1, BATCH_TOKENS // group.positions)
        for start in range(0, len(chosen), size):
            part = chosen[start : start + size]
            result[[place[int(group.rows[i])] for i in part]] = _of_group(session, number, part, steps)
    if not np.isfinite(result).all():
        raise ModelError("attribution gave NaN or infinity: the model's gradients overflow; try dtype='float32'")
    return result


def _of_group(session: Session, number: int, chosen: NDArray[np.intp], steps: int) -> Floats:
    group = session.groups[number]
    index = torch.as_tensor(chosen, device=session.backend.device)
    part = session.part(number, index)
    words = torch.stack([group.answers[index], group.foils[index]], dim=1)
    gradients: dict[str, Tensor] = {}
    kept: dict[str, Tensor] = {}
    for k in range(1, steps + 1):  # the last point is the clean input, whose activations are kept
        kept.clear()
        with (
            torch.enable_grad(),
            _between(session, group, index, k / steps) as tokens,
            session.hooked({hook: retainer(hook, kept) for hook in session.hooks}),
        ):
            logits = session.logits(part, tokens=tokens, words=words)
            (logits[:, 0] - logits[:, 1]).sum().backward()
        # Gradients of activations only: as many products as in the forward pass.
        session.flops += session.backend.forward_flops(len(chosen) * group.positions, len(chosen), words=2)
        for hook, activation in kept.items():
            if activation.grad is None:
                raise ModelError(f"site {hook} does not reach the output, so it has no gradient")
            gradients[hook] = gradients[hook] + activation.grad if hook in gradients else activation.grad
    columns = []
    with torch.no_grad():
        for hook in session.hooks:
            effect = (take(part.replacements[hook], index) - kept[hook]) * gradients[hook] / steps
            columns.append(effect.unflatten(-1, (session.heads[hook], -1)).sum(dim=(1, 3)))
    return torch.cat(columns, dim=1).double().cpu().numpy()


@contextmanager
def _between(session: Session, group: Group, index: Tensor, part: float) -> Iterator[Tensor]:
    """Yield the inputs to run; while they run, they stand ``part`` of the way from counterfactual to clean."""
    if part == 1.0:
        yield group.clean
    elif group.clean.is_floating_point():
        yield torch.lerp(group.counterfactual, group.clean, part)
    else:
        module = session.backend.embedding_module()
        if module is None:
            raise ModelError("inputs of whole numbers have no points between them; use steps=1, one gradient")
        with torch.no_grad():
            other = tensor(module(group.counterfactual[index, group.prefix :]))
        with hooked([(module, _mixer(other, part))]):
            yield group.clean


def _mixer(other: Tensor, part: float) -> Callable[[Any, Any, Any], Any]:
    def mix(module: Any, inputs: Any, output: Any) -> Any:
        value = torch.lerp(other, tensor(output), part)
        return (value, *output[1:]) if isinstance(output, tuple) else value

    return mix
