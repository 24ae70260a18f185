"""Exact activation patching of one site at a time, without an approximation.

A run edited at one site starts at that site's block, with the unedited residual stream recorded once for all sites. It
ends at the two logits that are compared. These savings come on top of those of every run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from congruity._base.arrays import Floats
from congruity.errors import ModelError
from congruity.models.hooks import recorder
from congruity.models.session import Session
from congruity.models.shortcuts import Start
from congruity.values import Edit, Site

# Rows times positions of one batch. Without logits of a whole vocabulary to keep, more fit than in other runs.
BATCH_TOKENS = 2048


def effects(session: Session, sites: Sequence[Site], rows: NDArray[np.intp] | None = None) -> Floats:
    """Return (rows, len(sites)): logit difference with that site alone replaced, minus the unedited one.

    Args:
        session: the model on its prompts, with the intervention that replaces.
        sites: which sites, in the order wanted.
        rows: which prompts (all, if None).

    Raises:
        ModelError: a site that the model lacks, a row that is not there or comes twice, or logits that overflow.
    """
    rows = np.arange(session.n) if rows is None else np.asarray(rows)
    if not np.isin(rows, np.arange(session.n)).all() or len(np.unique(rows)) < len(rows):
        raise ModelError("rows to patch must be rows of the examples, each once")
    if unknown := [site for site in sites if site not in session.backend.sites]:
        raise ModelError(f"the model has no site {unknown[0]}; see its sites with model.sites")
    place = {int(row): i for i, row in enumerate(rows)}
    result = np.full((len(rows), len(sites)), np.nan)
    for number, group in enumerate(session.groups):
        chosen = np.flatnonzero(np.isin(group.rows, rows))
        size = max(1, BATCH_TOKENS // group.positions)
        for start in range(0, len(chosen) if sites else 0, size):
            part = chosen[start : start + size]
            result[[place[int(row)] for row in group.rows[part]]] = _of_group(session, number, part, sites)
    if not np.isfinite(result).all():
        raise ModelError("the model's logits hold NaN or infinity; try dtype='float32' or check the weights")
    return result


def _of_group(session: Session, number: int, chosen: NDArray[np.intp], sites: Sequence[Site]) -> Floats:
    group = session.groups[number]
    session.prepared(number)  # captured runs must not be inference tensors: attribution uses them too
    index = torch.as_tensor(chosen, device=session.backend.device)
    words = torch.stack([group.answers[index], group.foils[index]], dim=1)
    by_layer: dict[int, list[int]] = {}  # where runs can start at no layer, all are stacked as if of layer 0
    for i, site in enumerate(sites):
        by_layer.setdefault(site.layer if session.backend.start_hook(site.layer) else 0, []).append(i)
    result = np.empty((len(chosen), len(sites)))
    with torch.inference_mode():
        # The unedited run again, to the same two logits: what is subtracted is rounded like what it is subtracted from.
        recorded: dict[str, torch.Tensor] = {}
        starts = {layer: hook for layer in by_layer if (hook := session.backend.start_hook(layer)) is not None}
        with session.hooked({hook: recorder(hook, recorded) for hook in starts.values()}):
            clean = _difference(session.logits(session.part(number, index), words=words))
        per_batch = max(1, BATCH_TOKENS // (len(chosen) * group.positions))
        for layer, members in sorted(by_layer.items()):
            start = Start(layer, recorded.pop(starts[layer])) if layer in starts else None
            for first in range(0, len(members), per_batch):
                some = members[first : first + per_batch]
                part = session.part(number, index, len(some))
                masks = session.masks([Edit((sites[i],), session.intervention.name) for i in some], part)
                with session.replaced(part, masks):
                    logits = session.logits(part, words=words.repeat(len(some), 1), start=start)
                change = _difference(logits).unflatten(0, (len(some), -1)) - clean
                result[:, some] = change.T.double().cpu().numpy()
    return result


def _difference(logits: torch.Tensor) -> torch.Tensor:
    """Return logit(answer) - logit(foil), (rows,), from both (rows, 2)."""
    return logits[:, 0].float() - logits[:, 1].float()
