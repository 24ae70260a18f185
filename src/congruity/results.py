"""What comparisons flow through: distances, what was estimated from them, and what is reported.

As in `values`: frozen dataclasses that hold data, with arrays copied and made read-only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from congruity.errors import InputError
from congruity.values import Fingerprint, Floats, frozen

Verdict = Literal["equivalent", "different", "undecided", "not applicable"]


@dataclass(frozen=True)
class HeldOut:
    """What a distance measured on some samples says of the population that they were drawn from.

    In either direction the residual on the samples that a map is fitted on is too low on average, and what the map does
    on fresh samples too high: E train^2 <= population^2 <= E test^2. ``train`` and ``test`` are the larger direction,
    for which only the second inequality is left for sure. The bracket is Hoeffding's for independent samples. It takes
    the largest norm seen for the largest there is, and the centre and scale of the training samples for given; both are
    assumptions. ``null_train`` and ``null_test`` are the same with the samples of one side shuffled: where
    ``null_train`` is far below ``null_test``, there are too few samples for the number of directions, and a low
    ``train`` means little.

    Attributes:
        train, test: distance on the training samples, and of its maps on the held-out ones.
        lower, upper: bracket of the population distance.
        confidence: chance that the bracket holds it.
        null_train, null_test: train and test for each shuffle; without those that left one side constant in training.
        n_train, n_test: numbers of samples.
    """

    train: float
    test: float
    lower: float
    upper: float
    confidence: float
    null_train: tuple[float, ...]
    null_test: tuple[float, ...]
    n_train: int
    n_test: int


@dataclass(frozen=True)
class Certified:
    """A distance with a proof: ``lower <= exact <= upper``. ``float(result)`` is ``value``.

    ``directions`` holds (value, lower, upper) for x -> y and y -> x; ``status`` is "converged" when the bracket is
    within the tolerance asked for, else says what was reached. The proof is about these samples; ``held_out``, where it
    was asked for, about others.
    """

    value: float
    lower: float
    upper: float
    directions: tuple[tuple[float, float, float], tuple[float, float, float]]
    iterations: int
    status: str
    held_out: HeldOut | None = None

    def __float__(self) -> float:
        return self.value


@dataclass(frozen=True)
class DistanceTable:
    """Distances between all pairs: ``values[i, j]`` is from ``i`` (row, source) to ``j`` (column, target).

    Attributes:
        measure: registry name of the distance, with its parameters in ``parameters``.
        values: (N, N), non-negative, zero where a measure is exactly zero on itself.
        lower, upper: (N, N) certified bounds, or None where the value is computed in closed form.
        labels: one a row.
    """

    measure: str
    values: Floats
    labels: tuple[str, ...]
    lower: Floats | None = None
    upper: Floats | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.labels)
        for name in ("values", "lower", "upper"):
            array = getattr(self, name)
            if array is None:
                continue
            array = frozen(array)
            if array.shape != (n, n):
                raise InputError(f"DistanceTable: {name} has shape {array.shape} for {n} labels; expected ({n}, {n})")
            if not np.isfinite(array).all():
                raise InputError(f"DistanceTable: {name} of {self.measure!r} holds NaN or infinity")
            object.__setattr__(self, name, array)


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
class Standing:
    """Where a comparison stands among known ones.

    Attributes:
        by: the number that was compared; ``value``: that of the comparison.
        equivalent, different: those of the known ones.
        p_equivalent: share, itself included, of known-equivalent ones that are at least as far apart; small: unlike
            them. ``p_different``: of known-different ones that are at most as far apart.
        sentence: in words.
    """

    by: str
    value: float
    equivalent: tuple[float, ...]
    different: tuple[float, ...]
    p_equivalent: float
    p_different: float
    sentence: str


@dataclass(frozen=True)
class Congruity:
    """Whether two sets of implementations can be told apart, with its uncertainty and what it does and does not mean.

    Attributes:
        score: C = 1 - |P1 + P2 - 1|, the paper's congruity; 1 = indistinguishable, 0 = always distinguishable.
        score_min: C_min = 1 - max(|2 P1 - 1|, |2 P2 - 1|); never above C, falls when one side is merely wider.
        p_within: (P1, P2), the chance that an implementation is closer to one of its own side than to one of the other.
        separation: T = P1 + P2 - 1, signed.
        asymmetry: S = P1 - P2.
        separability: leave-one-out AUC of telling the sides apart; 0.5 = none, 1 = perfect.
        interval: 95 % interval of ``score``; ``intervals`` has those of "separation", "p1", "p2" and, where folds of
            prompts were measured, of "separation over prompts".
        p_value: permutation test of "both sides have one law", or None where no such test is valid;
            ``p_values`` has its components and the permutation p of the separability.
        smallest_margin: the smallest margin at which the two sides would pass as equivalent; ``p_equivalence``: the
            smallest level at which they would pass at the margin asked for.
        verdict, reason: the decision and one sentence for it.
        n: implementations (N1, N2); ``n_bases``: independent networks a side, or None where not stated.
        scope: "populations" (units are independent networks) or "these two networks" (one network a side).
        expected_equal: mean of C under equality at this N; C does not reach 1.
        unshared: u = sqrt(|T|); ``tv_lower``: 95 % lower confidence bound on total variation.
        prompts: what another set of prompts might change; None where that was not measured.
        rho: clean-to-clean distance over the mean distance from a model to its own implementations; None where unknown.
        table, side: the distances and the labels behind all this, for reports.
        provenance: digests, seed, settings and versions.
    """

    score: float
    score_min: float
    p_within: tuple[float, float]
    separation: float
    asymmetry: float
    separability: float
    interval: tuple[float, float]
    intervals: Mapping[str, tuple[float, float]]
    p_value: float | None
    p_values: Mapping[str, float]
    smallest_margin: float
    p_equivalence: float
    verdict: Verdict
    reason: str
    n: tuple[int, int]
    n_bases: tuple[int, int] | None
    scope: str
    names: tuple[str, str]
    expected_equal: float
    unshared: float
    tv_lower: float
    prompts: PromptError | None = None
    rho: float | None = None
    warnings: tuple[str, ...] = ()
    table: DistanceTable | None = None
    side: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields but the table as JSON data."""
        from congruity._digest import plain

        return {
            f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self) if f.name not in ("table", "side")
        }

    def to_dataframe(self) -> Any:
        """Return one pandas row; needs pandas."""
        from congruity._optional import pandas

        row = {k: v for k, v in self.to_dict().items() if not isinstance(v, (dict, list))}
        row["p1"], row["p2"] = self.p_within
        row["low"], row["high"] = self.interval
        row["a"], row["b"] = self.names
        return pandas().DataFrame([row])

    def save(self, path: str | Path) -> Path:
        """Write `to_dict` as JSON, atomically; return the path."""
        from congruity import store

        return store.write_json(self.to_dict(), Path(path))

    def _repr_html_(self) -> str:
        from congruity.report.html import fragment

        return fragment(self)


@dataclass(frozen=True)
class Comparison:
    """One line of a report: two fingerprints, what came out, and the role that it plays there."""

    a: Fingerprint
    b: Fingerprint
    result: Congruity
    role: Literal["main", "control"] = "main"
    note: str = ""
