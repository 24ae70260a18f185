"""Claims: theorems as inequalities on random instances; and the random metrics and laws that claims share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from congruity.theory.equivalence import Floats

#: Sums and products of numbers of size one, in double precision.
ROUNDING = 1e-9
Sides = Mapping[str, tuple[float, float]]


class Drawn(NamedTuple):
    """Inequalities of one instance: pairs (left, right), each stating left <= right.

    Attributes:
        holds: the inequalities of the theorem, by name.
        false: false neighbours, by name.
    """

    holds: Sides
    false: Sides


@dataclass(frozen=True)
class Claim:
    """A theorem, or some inequalities of it.

    Attributes:
        name: number of the theorem and a word.
        says: the inequality.
        draw: draws an instance.
        instances: how many are drawn.
    """

    name: str
    says: str
    draw: Callable[[np.random.Generator], Drawn]
    instances: int = 3000


def metric(random: np.random.Generator, n: int) -> Floats:
    """Draw distances of n points: in the plane, on a line of few integers (many ties), or shortest paths."""
    kind = random.integers(3)
    if kind == 0:
        places = random.normal(size=(n, 2)) * np.exp(random.normal(size=(n, 1)))
        return np.asarray(np.linalg.norm(places[:, None] - places, axis=-1))
    if kind == 1:
        line = random.integers(0, 5, size=n).astype(np.float64)
        return np.asarray(np.abs(line[:, None] - line))
    lengths = random.integers(1, 9, size=(n, n)).astype(np.float64)
    lengths = np.minimum(lengths, lengths.T)
    np.fill_diagonal(lengths, 0.0)
    for middle in range(n):
        lengths = np.minimum(lengths, lengths[:, [middle]] + lengths[middle])
    return lengths


def sides(random: np.random.Generator, n: int) -> NDArray[np.bool_]:
    """Draw two sets of n points, neither empty."""
    first = random.random(n) < random.uniform(0.2, 0.8)
    first[0], first[1] = True, False
    return first


def law(random: np.random.Generator, n: int, *, on: NDArray[np.bool_] | None = None) -> Floats:
    """Draw probabilities of n points, of those ``on`` alone if given, often of few of them."""
    weights = random.exponential(size=n) * (random.random(n) < random.uniform(0.3, 1.0))
    weights = weights if on is None else weights * on
    if not weights.any():
        weights[0 if on is None else int(np.flatnonzero(on)[0])] = 1.0
    return np.asarray(weights / weights.sum())
