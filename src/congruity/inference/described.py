"""P1, P2 and separability of a table, without intervals or tests, for callers with many tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from congruity.inference.design import Design, design
from congruity.inference.ranks import anchor_ranks, p_within, separability


class Described(NamedTuple):
    """P1 and P2 in the caller's order of sides, and the leave-one-out separability."""

    p1: float
    p2: float
    separability: float

    @property
    def score(self) -> float:
        """Congruity, C = 1 - abs(P1 + P2 - 1)."""
        return 1 - abs(self.p1 + self.p2 - 1)


def described(distances: ArrayLike, side: Iterable[object], *, base: Iterable[object] | None = None) -> Described:
    """Return what `estimate` reports as ``p_within`` and ``separability``; arguments and errors as there.

    >>> places = np.r_[0.0:1.0:5j, 5.0:6.0:5j]
    >>> described(abs(places[:, None] - places), ["a"] * 5 + ["b"] * 5)
    Described(p1=1.0, p2=1.0, separability=1.0)
    """
    layout = design(distances, list(side), None if base is None else list(base))
    ranks = anchor_ranks(layout.toward, layout.allowed)
    p1, p2 = p_within(ranks, layout.first[None].astype(np.float64), layout.sizes.astype(np.float64))
    first, second = (p2, p1) if layout.swapped else (p1, p2)
    return Described(float(first[0]), float(second[0]), auc(layout))


def auc(layout: Design) -> float:
    """Return the leave-one-out separability of a table in canonical order."""
    scaled = np.where(layout.allowed, layout.toward / (layout.toward.max() or 1.0), 0.0)
    return float(separability(scaled, layout.first[None].astype(np.float64), layout.sizes.astype(np.float64))[0])
