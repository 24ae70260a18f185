"""The spectral-ball distance d_repr: how far apart two representations are after the best contraction, both ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from congruity import _checks
from congruity.distances.procrustes import bures, rounding, square_root
from congruity.distances.spectral_ball import SpectralBall
from congruity.protocols import Progress, Traits
from congruity.values import DistanceTable, Floats

MAX_ITERATIONS = 5000
#: Relative width of a bracket that is left alone once nothing else overlaps it.
SETTLED_WIDTH = 0.02


@dataclass(frozen=True)
class Spectral:
    """Distance after the best linear map that enlarges nothing, the worse of the two directions.

    d(X, Y) = max(min over norm(A)_op <= 1 of norm(X A - Y)_F, min over norm(A)_op <= 1 of norm(Y A - X)_F). A metric on
    Gram matrices with Procrustes / sqrt(2) <= d <= Procrustes. It uses Gram matrices as they are: `congruity.pairwise`
    and fingerprints centre them and scale them to trace 1, which puts values in [0, 1].

    Every value has a certificate: ``lower <= exact <= upper``, from a dual and a primal feasible point.

    Attributes:
        tol: relative width of a bracket at which a value counts as solved.
        cascade: solve to ``tol`` only where order needs it: a pair is left alone, at a width of at most 2 %, once its
            bracket overlaps no other of its row or column. Saves little where many distances are alike.

    >>> import numpy as np
    >>> from congruity.protocols import silent
    >>> grams = np.stack([np.diag([1.0, 0.0, 0.0]), np.diag([0.0, 4.0, 0.0])])
    >>> Spectral().table(grams, ("a", "b"), progress=silent).values.round(4).tolist()
    [[0.0, 2.0], [2.0, 0.0]]

    Source: Sun & Toneva 2026 (arXiv 2603.30002) for the distance; the dual, the start and the solver are ours.
    """

    tol: float = 1e-3
    cascade: bool = True

    def __post_init__(self) -> None:
        _checks.tolerance("Spectral", self.tol)

    @property
    def name(self) -> str:
        return "spectral"

    @property
    def traits(self) -> Traits:
        return Traits(
            metric=True,
            symmetric=True,
            invariances=frozenset({"orthogonal", "permutation", "padding"}),
            reference="Sun & Toneva 2026 (arXiv 2603.30002)",
        )

    @property
    def parameters(self) -> dict[str, Any]:
        return {"tol": self.tol, "cascade": self.cascade}

    def table(self, grams: Floats, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable:
        """Return all pairs of ``grams`` (N, m, m).

        ``parameters`` counts the pairs, the directed problems that had to be iterated on (of two a pair), the
        iterations, and the pairs that did not reach their tolerance.
        """
        roots = [square_root(gram) for gram in grams]
        n = len(roots)
        values, lower, upper = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
        pairs = [(i, j) for i in range(n) for j in range(i)]
        for i, j in pairs:
            distance = bures(roots[i], roots[j])
            lower[i, j] = lower[j, i] = distance * np.sqrt(0.5)
            upper[i, j] = upper[j, i] = distance
        counts = {"pairs": len(pairs), "solves": 0, "iterations": 0, "unfinished": 0}
        for done, (i, j) in enumerate(pairs):
            progress("spectral", done, len(pairs))
            pair = Pair(roots[i], roots[j])
            finished = pair.refine(self.tol, partial(_settled, lower, upper, i, j) if self.cascade else _unsettled)
            lower[i, j], upper[i, j] = lower[j, i], upper[j, i] = pair.bracket
            values[i, j] = values[j, i] = midpoint(*pair.bracket, pair.floor)
            counts["solves"] += pair.solves
            counts["iterations"] += pair.iterations
            counts["unfinished"] += not finished
        progress("spectral", len(pairs), len(pairs))
        return DistanceTable(self.name, values, labels, lower, upper, {**self.parameters, **counts})


class Pair:
    """Both directions between two square roots (r, m), with the sandwich Procrustes / sqrt(2) <= d <= Procrustes."""

    def __init__(self, first: Floats, second: Floats) -> None:
        cross = second @ first.T  # (r2, r1)
        left, singular_values, right = np.linalg.svd(cross)
        s1, s2 = np.square(first).sum(axis=1), np.square(second).sum(axis=1)
        energy = float(s1.sum() + s2.sum())
        self.floor = rounding(energy, first.shape[1])
        procrustes = max(energy - 2.0 * float(singular_values.sum()), 0.0)  # squared
        upper = procrustes + self.floor
        self.scale = float(np.sqrt(max(s1.sum(), s2.sum())))
        self._least = procrustes / 2.0 - self.floor
        self.directions = (
            SpectralBall(s1, cross, float(s2.sum()), self.floor, upper=upper),
            SpectralBall(s2, cross.T.copy(), float(s1.sum()), self.floor, upper=upper),
        )
        if procrustes > self.floor:
            for direction, vectors in zip(self.directions, (right, left.T), strict=True):
                direction.start(singular_values, vectors)

    @property
    def bracket(self) -> tuple[float, float]:
        """Certified lower and upper bound on the distance, the larger direction."""
        lower = max(self._least, *(direction.lower for direction in self.directions), 0.0)
        upper = max(direction.upper for direction in self.directions)
        return float(np.sqrt(lower)), float(np.sqrt(upper))

    @property
    def iterations(self) -> int:
        """Clips done so far, both directions."""
        return sum(direction.iterations for direction in self.directions)

    @property
    def solves(self) -> int:
        """Directions that the start did not settle."""
        return sum(direction.iterations > 0 for direction in self.directions)

    def narrow(self, lower: float, upper: float, tol: float) -> bool:
        """Whether a bracket is within ``tol``, relative down to a thousandth of the larger norm, or within rounding."""
        return upper - lower <= max(tol * max(upper, 1e-3 * self.scale), 2.0 * float(np.sqrt(2.0 * self.floor)))

    def refine(self, tol: float, settled: Callable[[float, float], bool]) -> bool:
        """Shrink the bracket to ``tol``, or to `SETTLED_WIDTH` where ``settled(lower, upper)`` says that it will do.

        Always works on the direction with the larger upper bound: one that cannot be the larger is never finished.
        Returns whether it got there.
        """
        for _ in range(2 * MAX_ITERATIONS):
            lower, upper = self.bracket
            if self.narrow(lower, upper, tol) or (self.narrow(lower, upper, SETTLED_WIDTH) and settled(lower, upper)):
                return True
            max(self.directions, key=lambda direction: direction.upper).step()
        return False

    def refine_both(self, tol: float) -> None:
        """Shrink the bracket of each direction to ``tol``."""
        for direction in self.directions:
            for _ in range(MAX_ITERATIONS):
                if self.narrow(*direction.bracket, tol):
                    break
                direction.step()


def midpoint(lower: float, upper: float, floor: float) -> float:
    """Return the middle of a bracket, or exactly 0 for one that cannot be told from 0 in rounding."""
    return 0.0 if lower == 0.0 and upper <= 2.0 * float(np.sqrt(floor)) else (lower + upper) / 2.0


def _settled(lowers: Floats, uppers: Floats, i: int, j: int, lower: float, upper: float) -> bool:
    """Whether [lower, upper] of pair (i, j) overlaps no other bracket of columns i and j (the tables are symmetric)."""
    overlaps = (lowers[[i, j]] <= upper) & (uppers[[i, j]] >= lower)
    overlaps[0, [i, j]] = overlaps[1, [i, j]] = False
    return not overlaps.any()


def _unsettled(lower: float, upper: float) -> bool:
    return False
