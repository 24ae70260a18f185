"""Find the circuit: the smallest top of a ranking of sites that keeps the behaviour with all others replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from congruity._base.progress import Progress
from congruity.errors import NotApplicableError
from congruity.protocols import Finder, Intervention
from congruity.sampling.prepare import PreparedModel
from congruity.values import Behaviour, Circuit, Edit, Gates, Scores, Site

_SIZES_PER_ROUND = 6  # stacked in one batch; the bracket shrinks by this factor plus one a round
MIN_POOL = 4


def find_circuit(
    prepared: PreparedModel, *, finder: Finder, intervention: Intervention, gates: Gates, progress: Progress
) -> Circuit:
    """Return the smallest top k of the finder's ranking whose complement, all of it replaced, stays inside the gates.

    Sites are ranked on ``parts.rank``, k is chosen on ``parts.choose``, and the faithfulness of the result is measured
    on ``parts.report``. A section search finds k: behaviour is assumed to improve with size beyond the bracket, and
    every size tried is in `Circuit.curve` so that a reader can check. A finder that states the size (`Scores.size`)
    decides k alone.

    Raises:
        NotApplicableError: fewer than `MIN_POOL` sites would be left to edit, or no site changes the metric.
    """
    model, bound, parts = prepared.model, prepared.bound, prepared.parts
    scores = finder.scores(model, bound, parts.rank)
    if not scores.values.any():
        raise NotApplicableError(
            f"{model.card.name}: the metric is constant: no edit of one of its {len(scores.sites)} sites changes the "
            f"logit difference of answer and foil ({finder.name}), so there is no circuit to find"
        )
    sizes = _Sizes(prepared, scores.ranked(), intervention.name, gates, progress)
    size, low = sizes.stated(scores.size) if scores.size is not None else sizes.smallest()
    ranked = sizes.ranked
    progress("circuit", len(sizes.curve), len(sizes.curve))
    if len(ranked) - size < MIN_POOL:
        raise NotApplicableError(
            f"{model.card.name}: no component outside the circuit is left to edit: the circuit holds {size} of "
            f"{len(ranked)} sites ({sizes.why(low)})"
        )
    full = next(bound.run([Edit(ranked[size:], intervention.name)], rows=parts.report))
    return Circuit(
        sites=tuple(sorted(ranked[:size])),
        pool=tuple(sorted(ranked[size:])),
        scores=scores,
        threshold=_threshold(scores, size),
        faithfulness=full.behaviour(),
        curve=tuple(sorted(sizes.curve.items())),
    )


@dataclass
class _Sizes:
    """Tries sizes of the circuit: the behaviour with the top k of the ranking kept, for each k tried."""

    prepared: PreparedModel
    ranked: tuple[Site, ...]
    intervention: str
    gates: Gates
    progress: Progress
    curve: dict[int, Behaviour] = field(default_factory=dict)

    @property
    def clean(self) -> Behaviour:
        return self.prepared.unedited.behaviour(self.prepared.parts.choose)

    def passes(self, sizes: Sequence[int]) -> list[bool]:
        edits, rows = [Edit(self.ranked[k:], self.intervention) for k in sizes], self.prepared.parts.choose
        for k, outputs in zip(sizes, self.prepared.bound.run(edits, rows=rows), strict=True):
            self.curve[k] = outputs.behaviour()
        self.progress("circuit", len(self.curve), len(self.curve) + _SIZES_PER_ROUND)
        clean = self.clean
        return [not self.gates.refusal(self.curve[k], clean) for k in sizes]

    def stated(self, size: int) -> tuple[int, int]:
        """Return the size that the finder states, and the next smaller one."""
        self.passes([size])
        return size, size - 1

    def smallest(self) -> tuple[int, int]:
        """Return the smallest size that passes, by section search, and the largest smaller one that fails."""
        low, high = -1, len(self.ranked)  # size -1 fails and all sites pass, by convention
        while high - low > 1:
            spread = np.unique(np.linspace(low, high, _SIZES_PER_ROUND + 2).round().astype(int)[1:-1])
            sizes = [int(k) for k in spread if low < k < high]
            good = dict(zip(sizes, self.passes(sizes), strict=True))
            low = max([k for k in sizes if not good[k]], default=low)
            high = min([k for k in sizes if good[k] and k > low], default=high)
        return high, low

    def why(self, low: int) -> str:
        """Return why the circuit is not smaller."""
        if low not in self.curve:
            return "as its finder says"
        refusal = self.gates.refusal(self.curve[low], self.clean)
        return f"replacing all others but {low} breaks the behaviour: {refusal}; widen the gates"


def _threshold(scores: Scores, size: int) -> float:
    """Return the smallest absolute score inside the circuit."""
    return float(np.sort(np.abs(scores.values))[::-1][max(size, 1) - 1])
