"""Both directions of d_repr between two representations, solved together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from congruity.distances.procrustes import rounding
from congruity.distances.spectral_ball import SpectralBall
from congruity.values import Floats

MAX_ITERATIONS = 5000


class Solved(NamedTuple):
    """What is kept of a solved pair."""

    value: float
    lower: float
    upper: float
    solves: int
    iterations: int
    finished: bool


def solve_row(unit: tuple[Floats, list[Floats], float]) -> list[Solved]:
    """Solve one square root (r, m) against several, to a tolerance."""
    root, others, tol = unit
    answers = []
    for other in others:
        pair = Pair(root, other)
        finished = pair.refine(tol)
        lower, upper = pair.bracket
        value = midpoint(lower, upper, pair.floor)
        answers.append(Solved(value, lower, upper, pair.solves, pair.iterations, finished))
    return answers


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

    def refine(self, tol: float, enough: Callable[[float, float], bool] = lambda lower, upper: False) -> bool:
        """Shrink the bracket to ``tol``, or until it is ``enough``; return whether it got there.

        Always works on the direction with the larger upper bound: one that cannot be the larger is never finished.
        """
        for _ in range(2 * MAX_ITERATIONS):
            bracket = self.bracket
            if enough(*bracket) or self.narrow(*bracket, tol):
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
