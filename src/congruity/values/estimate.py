"""Numbers of a comparison, with no word and no verdict: what `congruity.inference` computes from a distance table.

`PromptError` says how far the distances depend on the prompts, `PermutationTest` whether relabelling the units shows a
difference, `Estimate` holds both beside the score, its companions and their intervals. What rests on independent draws
is None where the draws are not independent, and intervals are missing where the data allow none: no field holds a
stand-in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MIN_BASES = 4  # C(8, 4) = 70: the smallest number of networks a side at which a permutation p-value can fall below .05
MIN_UNITS = 3  # with 2 units a side, leaving one out leaves no pair to compare: no acceleration, no interval

Kind = Literal["independent", "two networks", "clustered"]
Interval = tuple[float, float]


@dataclass(frozen=True)
class PromptError:
    """How far a comparison depends on the prompts that its distances were measured on.

    Attributes:
        n: prompts.
        reliability: of the distances: their order around each target on one half of the prompts against that on the
            other (Spearman, averaged over targets), stepped up to all prompts (Spearman and Brown).
        half_separation: mean T of the two halves.
        extrapolated: 2 T - T of half the prompts: what T would be if it erred by 1 / prompts; within [-1, 1].
        standard_error: of T over prompts, leaving out one of ``folds`` groups of them at a time; None if not done.
        folds: groups of prompts, 0 if not done.
    """

    n: int
    reliability: float
    half_separation: float
    extrapolated: float
    standard_error: float | None = None
    folds: int = 0


@dataclass(frozen=True)
class PermutationTest:
    """The permutation test of "both sides have one law".

    Attributes:
        p_value: of the largest of energy, T, abs(S) and 3-NN, each standardised over the labellings.
        p_values: of each statistic alone, and of the separability.
        below: lower-tail p of T.
        smallest: the smallest p that this number of units, or of labellings, can give.
        labellings: evaluated, the observed one included; ``exact``: whether these are all.
    """

    p_value: float
    p_values: Mapping[str, float]
    below: float
    smallest: float
    labellings: int
    exact: bool


@dataclass(frozen=True)
class Estimate:
    """The score of two sides, its companions, and their uncertainty.

    Attributes:
        p_within: (P1, P2), the chance that an implementation is closer to one of its own side than to one of the other.
        separability: leave-one-out AUC of telling the sides apart; 0.5 = none, 1 = perfect.
        n: implementations (N1, N2); ``n_bases``: networks a side, None where not stated.
        kind: what the independent units are: "independent" implementations, the implementations of "two networks" (one
            a side), or "clustered" implementations of several networks.
        units: independent units on the smaller side.
        lonely: sides of a clustered design that are one network.
        informative: whether any two distances that are compared differ.
        independent: whether the draws of the two sides are independent of each other.
        balanced: whether the units of each side have equally many implementations.
        expected_equal: mean of C under equality at this size.
        margin: largest difference that counts as equivalent; ``alpha``: level of both tests. Both in force.
        intervals: 95 %, of "separation", "p1", "p2" and, where folds of prompts were measured, of "separation over
            prompts". Empty where none was computed: the draws are paired, all distances are equal, or a side has fewer
            than 3 units.
        smallest_margin: the smallest margin at which the sides would pass as equivalent.
        p_equivalence: the smallest level at which they would pass at ``margin``.
        tv_lower: 95 % lower confidence bound on the total variation between the laws of the two sides.
        test: the permutation test; None where the draws are paired, or with fewer than 4 networks on a side.
        prompts: what other prompts might change; None where that was not measured.

    ``smallest_margin``, ``p_equivalence`` and ``tv_lower`` are None where ``intervals`` is empty.
    """

    p_within: tuple[float, float]
    separability: float
    n: tuple[int, int]
    n_bases: tuple[int, int] | None
    kind: Kind
    units: int
    lonely: tuple[str, ...]
    informative: bool
    independent: bool
    balanced: bool
    expected_equal: float
    margin: float
    alpha: float
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    smallest_margin: float | None = None
    p_equivalence: float | None = None
    tv_lower: float | None = None
    test: PermutationTest | None = None
    prompts: PromptError | None = None

    @property
    def separation(self) -> float:
        """T = P1 + P2 - 1, signed."""
        return self.p_within[0] + self.p_within[1] - 1

    @property
    def asymmetry(self) -> float:
        """S = P1 - P2."""
        return self.p_within[0] - self.p_within[1]

    @property
    def score(self) -> float:
        """C = 1 - abs(T)."""
        return 1 - abs(self.separation)

    @property
    def score_min(self) -> float:
        """C_min = 1 - max(abs(2 P1 - 1), abs(2 P2 - 1))."""
        return 1 - max(abs(2 * p - 1) for p in self.p_within)

    @property
    def unshared(self) -> float:
        """The root of abs(T)."""
        return math.sqrt(abs(self.separation))

    @property
    def interval(self) -> Interval | None:
        """95 % interval of C: the image of that of T, as C is never resampled: near 1 its bootstrap hardly covers."""
        of_t = self.intervals.get("separation")
        if of_t is None:
            return None
        low, high = sorted(map(abs, of_t))
        return 1 - high, 1.0 if of_t[0] <= 0 <= of_t[1] else 1 - low

    @property
    def has_test(self) -> bool:
        """Whether relabelling the units is a valid test that can reach .05: not with fewer than 4 networks a side."""
        return self.kind != "clustered" or self.units >= MIN_BASES

    @property
    def p_value(self) -> float | None:
        """p of the permutation test; None where there is none."""
        return None if self.test is None else self.test.p_value

    @property
    def p_values(self) -> Mapping[str, float]:
        """p of each statistic alone; empty where there is no test."""
        return {} if self.test is None else self.test.p_values

    @property
    def within(self) -> bool:
        """Whether the equivalence test passes at the margin."""
        return self.smallest_margin is not None and self.smallest_margin < self.margin

    @property
    def told_apart(self) -> bool:
        """Whether the permutation test rejects "one law for both sides"."""
        return self.test is not None and self.test.p_value <= self.alpha

    @property
    def scope(self) -> str:
        """What a statement is about: "these two networks", or the "populations" that the units were drawn from."""
        return "these two networks" if self.kind == "two networks" else "populations"
