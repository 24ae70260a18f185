"""Distances between representations: certified numbers, tables, and the traits of a distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from congruity._base.arrays import Floats, frozen
from congruity.errors import InputError


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
class Traits:
    """What a distance declares, and its contract tests hold it to.

    ``range`` is of representations that are centred and of unit norm, as `congruity.pairwise` and fingerprints pass
    them. Every distance is a dissimilarity: 0 is closest, unless ``larger_is_closer``.
    """

    metric: bool
    symmetric: bool
    invariances: frozenset[str]  # of {"orthogonal", "permutation", "padding", "scaling", "translation", "invertible"}
    range: tuple[float, float]
    reference: str
    larger_is_closer: bool = False


@dataclass(frozen=True)
class DistanceTable:
    """Distances between all pairs: ``values[i, j]`` is from ``i`` (row, source) to ``j`` (column, target).

    Attributes:
        measure: registry name of the distance, with its parameters in ``parameters``.
        values: (N, N), non-negative, zero where a measure is exactly zero on itself.
        lower, upper: (N, N) certified bounds, or None where the value is computed in closed form.
        labels: one a row.
        traits: what the distance declares; None where nothing is known of it, as of plain arrays.
    """

    measure: str
    values: Floats
    labels: tuple[str, ...]
    lower: Floats | None = None
    upper: Floats | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    traits: Traits | None = None

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
