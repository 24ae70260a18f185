"""Find the circuit: the smallest top of a ranking that keeps the behaviour when everything else is replaced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from congruity._base.progress import Progress
from congruity.errors import NotApplicableError
from congruity.protocols import BoundModel, Finder, Intervention, Model
from congruity.sampling.prepare import Split
from congruity.values import Behaviour, Circuit, Edit, Gates, Outputs

_SIZES_PER_ROUND = 6  # stacked in one batch; the bracket shrinks by this factor plus one a round
MIN_POOL = 4


def find_circuit(
    model: Model,
    bound: BoundModel,
    *,
    finder: Finder,
    intervention: Intervention,
    gates: Gates,
    parts: Split,
    unedited: Outputs,
    progress: Progress,
) -> Circuit:
    """Return the smallest top-k of the finder's ranking whose complement, all of it replaced, stays inside the gates.

    Sites are ranked on ``parts.rank``; k is chosen on ``parts.choose``; the faithfulness given is measured on
    ``parts.report``. k is found by section search: behaviour is assumed to improve with size beyond the bracket, and
    every size tried is kept in ``curve`` so that a reader can check. A finder that states the size (`Scores.size`) is
    taken at its word, and the gates only judge the implementations later.

    Raises:
        NotApplicableError: fewer than `MIN_POOL` sites would be left to edit, or no site changes the metric.
    """
    scores = finder.scores(model, bound, parts.rank)
    if not scores.values.any():
        raise NotApplicableError(
            f"{model.card.name}: the metric is constant: no edit of one of its {len(scores.sites)} sites changes the "
            f"logit difference of answer and foil ({finder.name}), so there is no circuit to find"
        )
    ranked = scores.ranked()
    clean = unedited.behaviour(parts.choose)
    curve: dict[int, Behaviour] = {}

    def passes(sizes: Sequence[int]) -> list[bool]:
        edits = [Edit(ranked[k:], intervention.name) for k in sizes]
        for k, outputs in zip(sizes, bound.run(edits, rows=parts.choose), strict=True):
            curve[k] = outputs.behaviour()
        progress("circuit", len(curve), len(curve) + _SIZES_PER_ROUND)
        return [not gates.refusal(curve[k], clean) for k in sizes]

    low, high = -1, len(ranked)  # size -1 fails and all sites pass, by convention
    if scores.size is not None:
        passes([scores.size])
        low, high = scores.size - 1, scores.size
    while high - low > 1:
        sizes = np.unique(np.linspace(low, high, _SIZES_PER_ROUND + 2).round().astype(int)[1:-1])
        sizes = sizes[(sizes > low) & (sizes < high)]
        good = passes([int(k) for k in sizes])
        failing = [int(k) for k, ok in zip(sizes, good, strict=True) if not ok]
        low = max(failing, default=low)
        high = min([int(k) for k, ok in zip(sizes, good, strict=True) if ok and k > low], default=high)
    size = high
    progress("circuit", len(curve), len(curve))
    if len(ranked) - size < MIN_POOL:
        raise NotApplicableError(
            f"{model.card.name}: no component outside the circuit is left to edit: the circuit holds {size} of "
            f"{len(ranked)} sites ({_why(curve, low, gates, clean)})"
        )
    full = next(bound.run([Edit(ranked[size:], intervention.name)], rows=parts.report))
    return Circuit(
        sites=tuple(sorted(ranked[:size])),
        pool=tuple(sorted(ranked[size:])),
        scores=scores,
        threshold=float(np.sort(np.abs(scores.values))[::-1][max(size, 1) - 1]),
        faithfulness=full.behaviour(),
        curve=tuple(sorted(curve.items())),
    )


def _why(curve: dict[int, Behaviour], low: int, gates: Gates, clean: Behaviour) -> str:
    """Why the circuit is not smaller."""
    if low not in curve:
        return "as its finder says"
    return f"replacing all others but {low} breaks the behaviour: {gates.refusal(curve[low], clean)}; widen the gates"
