"""The estimate of a table: score, companions, intervals and tests as numbers, with no word and no verdict.

The stages are `design` (who may be compared), `ranks` (the statistics), `bootstrap` (intervals) and `permutation` (the
test of difference). Paired sides run neither of the last two: their draws are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from congruity._base.streams import stream
from congruity.errors import InputError
from congruity.inference.bootstrap import Quantity, Resampled, resample, weighted_p
from congruity.inference.described import auc
from congruity.inference.design import Design, design
from congruity.inference.permutation import permutation_test
from congruity.theory import bounds
from congruity.values import MIN_UNITS, Estimate, PermutationTest, PromptError


@dataclass(frozen=True)
class EstimateSettings:
    """What was asked of an estimate; checked when it is made.

    Attributes:
        margin: largest difference that counts as equivalent, in (0, 1]; None: .5 below 40 units a side, else .3.
        alpha: level of both tests, in [.0001, .2].
        seed: of the permutations and resamples.
        n_permutations, n_bootstrap: their numbers, at least 99.
    """

    margin: float | None = None
    alpha: float = 0.05
    seed: int = 0
    n_permutations: int = 9999
    n_bootstrap: int = 1999

    def __post_init__(self) -> None:
        if not isinstance(self.seed, (int, np.integer)) or self.seed < 0:
            raise InputError(f"estimate: seed is {self.seed!r}; pass a whole number of at least 0")
        if not isinstance(self.alpha, (int, float, np.number)) or not 0.0001 <= self.alpha <= 0.2:
            raise InputError(f"estimate: alpha is {self.alpha!r}; pass a level between 0.0001 and 0.2, such as 0.05")
        if self.margin is not None and (
            not isinstance(self.margin, (int, float, np.number)) or not 0 < self.margin <= 1
        ):
            raise InputError(f"estimate: margin is {self.margin!r}; pass a number in (0, 1], such as 0.5")
        for name, count in (("n_permutations", self.n_permutations), ("n_bootstrap", self.n_bootstrap)):
            if not isinstance(count, (int, np.integer)) or count < 99:
                raise InputError(f"estimate: {name} is {count!r}; pass a whole number of at least 99")

    def margin_of(self, units: int) -> float:
        """Return the margin in force for this many independent units on the smaller side."""
        if self.margin is None:
            return 0.5 if units < 40 else 0.3
        return float(self.margin)


def estimated(
    distances: ArrayLike,
    side: Iterable[object],
    base: Iterable[object] | None = None,
    *,
    settings: EstimateSettings | None = None,
    prompts: PromptError | None = None,
    independent: bool = True,
) -> Estimate:
    """Return the numbers of a table of distances between two sides; `congruity.estimate` has the formulas.

    Args:
        distances: (N, N), row = source, column = target; non-negative.
        side: N labels, two of them distinct; the first to appear is side 1.
        base: N labels of independent networks; None: the implementations are independent.
        settings: margin, level, seed and numbers of draws.
        prompts: what other prompts might change; kept, and added to the interval of T.
        independent: whether the draws of the two sides are independent of each other. If not, there is no permutation,
            no bootstrap and nothing that rests on them.

    Raises:
        InputError: an argument that cannot be used.

    >>> places = np.r_[0.0:1.0:12j, 5.0:6.0:12j]
    >>> found = estimated(abs(places[:, None] - places), ["a"] * 12 + ["b"] * 12)
    >>> found.score, found.p_within, found.p_value
    (0.0, (1.0, 1.0), 0.0001)
    >>> found = estimated(abs(places[:, None] - places), ["a"] * 12 + ["b"] * 12, independent=False)
    >>> found.score, found.interval, found.p_value
    (0.0, None, None)
    """
    asked = settings or EstimateSettings()
    layout = design(distances, list(side), None if base is None else list(base))
    resampled = _resampled(layout, asked) if independent else None
    observed = weighted_p(layout, np.ones((1, sum(layout.units))))[0]
    p1, p2 = (float(observed[int(q == "p2")]) for q in _sides(layout))
    margin = asked.margin_of(layout.smallest)
    return Estimate(
        p_within=(p1, p2),
        separability=auc(layout),
        n=layout.n,
        n_bases=layout.n_bases,
        kind=layout.kind,
        units=layout.smallest,
        lonely=layout.lonely,
        informative=layout.informative,
        independent=independent,
        balanced=all(len(set(layout.sizes[rows].tolist())) == 1 for rows in (layout.first, ~layout.first)),
        expected_equal=_expected_equal(layout),
        margin=margin,
        alpha=asked.alpha,
        intervals={} if resampled is None else _intervals(layout, resampled, p1 + p2 - 1, prompts),
        smallest_margin=None if resampled is None else _smallest_margin(resampled, asked.alpha),
        p_equivalence=None if resampled is None else _p_equivalence(resampled, margin),
        tv_lower=None if resampled is None else _total_variation(resampled),
        test=_test(layout, asked) if independent else None,
        prompts=prompts,
    )


def _resampled(layout: Design, asked: EstimateSettings) -> Resampled | None:
    """Return resamples of the units; None where they would show nothing: all ties, or fewer than 3 units on a side."""
    if not layout.informative or layout.smallest < MIN_UNITS:
        return None
    return resample(layout, asked.n_bootstrap, stream(asked.seed, "estimate", "bootstrap"))


def _test(layout: Design, asked: EstimateSettings) -> PermutationTest | None:
    """Return the permutation test, where relabelling the units is a valid one that can reach .05 at all."""
    if not layout.has_test:
        return None
    return permutation_test(layout, asked.n_permutations, stream(asked.seed, "estimate", "permutation"))


def _sides(layout: Design) -> tuple[Quantity, Quantity]:
    """Return which canonical quantities are P1 and P2 in the caller's order of sides."""
    return ("p2", "p1") if layout.swapped else ("p1", "p2")


def _intervals(
    layout: Design, resampled: Resampled, separation: float, prompts: PromptError | None
) -> dict[str, tuple[float, float]]:
    first, second = _sides(layout)
    of_t = resampled.interval("separation", 0.05)
    return {
        "separation": of_t,
        "p1": resampled.interval(first, 0.05),
        "p2": resampled.interval(second, 0.05),
    } | _over_prompts(separation, of_t, prompts)


def _over_prompts(
    separation: float, of_t: tuple[float, float], prompts: PromptError | None
) -> dict[str, tuple[float, float]]:
    """The interval of T widened to V(implementations) + V(prompts), which counts their interaction twice."""
    if prompts is None or prompts.standard_error is None:
        return {}
    error = 1.96 * prompts.standard_error
    low, high = math.hypot(separation - of_t[0], error), math.hypot(of_t[1] - separation, error)
    return {"separation over prompts": (max(-1.0, separation - low), min(1.0, separation + high))}


def _smallest_margin(resampled: Resampled, alpha: float) -> float:
    """Twice the largest distance from 1/2 within the 1 - 2 ``alpha`` intervals of P1 and P2."""
    ends = (*resampled.interval("p1", 2 * alpha), *resampled.interval("p2", 2 * alpha))
    return 2 * max(abs(end - 0.5) for end in ends)


def _p_equivalence(resampled: Resampled, margin: float) -> float:
    """Return the smallest level at which the equivalence test passes at the margin, to .0001; 1 if none below 1/2.

    Below 1 / (number of resamples) it rests on the most extreme of them.
    """
    failing, passing = 0.0, 0.5
    if not _smallest_margin(resampled, 0.4995) < margin:
        return 1.0
    while passing - failing > 0.0001:
        level = (failing + passing) / 2
        failing, passing = (failing, level) if _smallest_margin(resampled, level) < margin else (level, passing)
    return passing


def _expected_equal(layout: Design) -> float:
    """Mean of C under equality: 1 - .54 / N, by simulation; N is the harmonic mean of the units a side."""
    units = layout.n_bases if layout.kind == "clustered" and layout.n_bases else layout.units
    return max(0.0, 1 - 0.54 * sum(1 / k for k in units) / 2)


def _total_variation(resampled: Resampled) -> float:
    """Return a 95 % lower confidence bound on the total variation t between the laws of the sides.

    By T4(d) from T, and by T4(e) from P1 and P2. The three limits share the 5 % (Bonferroni, one end of each interval).
    """
    alpha = 2 * 0.05 / 3
    t = min(1.0, _nearest(resampled.interval("separation", alpha), 0.0))
    shown = [bounds.least_total_variation(1 - t)]
    for quantity in ("p1", "p2"):
        off = min(0.5, _nearest(resampled.interval(quantity, alpha), 0.5))
        shown.append(bounds.total_variation_from_chance(0.5 + off))
    return max(shown)


def _nearest(interval: tuple[float, float], centre: float) -> float:
    """Distance from ``centre`` to the interval; zero inside."""
    return max(0.0, interval[0] - centre, centre - interval[1])
