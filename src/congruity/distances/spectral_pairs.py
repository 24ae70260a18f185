"""Both directions of d_repr between pairs of representations, solved together."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from congruity._base.arrays import Array, Floats
from congruity.distances.gram import to_host
from congruity.distances.procrustes import rounding
from congruity.distances.spectral_ball import SpectralBall

MAX_ITERATIONS = 5000
_HEAVY_PAIRS = 60  # about six seconds at 200 samples
_BATCH_BYTES = 4e9
_COPIES = 24  # matrices that one directed problem holds while it takes a step


class Solved(NamedTuple):
    """Result of one pair: distance, certified bounds, and the work that it took."""

    value: float
    lower: float
    upper: float
    solves: int
    iterations: int
    finished: bool


def solve(first: Array, second: Array, tol: float) -> list[Solved]:
    """Solve B pairs of square roots (B, r1, m) and (B, r2, m) to a tolerance."""
    pairs = Pairs(first, second)
    finished = pairs.refine(tol)
    lower, upper = pairs.bracket
    values = midpoint(lower, upper, pairs.floor)
    columns = (values, lower, upper, pairs.solves, pairs.iterations, finished)
    return [Solved(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def solve_row(unit: tuple[Floats, list[Floats], float]) -> list[Solved]:
    """Solve one square root (r, m) against several, one at a time: on a CPU a batch is no faster."""
    root, others, tol = unit
    return [solve(root[None], other[None], tol)[0] for other in others]


def batches(count: int, rank: int) -> list[NDArray[np.intp]]:
    """Return the numbers below ``count`` in groups, of which each fits the memory of an accelerator as one batch."""
    size = max(1, int(_BATCH_BYTES // (2 * _COPIES * 8 * rank**2)))
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


def place(pairs: int) -> Literal["here", "processes"]:
    """Return where to solve ``pairs`` pairs one at a time: in one process a core where that saves seconds."""
    return "processes" if pairs > _HEAVY_PAIRS else "here"


class Pairs:
    """Both directions between B pairs of square roots, with the sandwich Procrustes / sqrt(2) <= d <= Procrustes."""

    def __init__(self, first: Array, second: Array) -> None:
        xp = array_namespace(first, second)
        cross = second @ xp.matrix_transpose(first)  # (B, r2, r1)
        left, singular_values, right = xp.linalg.svd(cross, full_matrices=True)
        s1, s2 = xp.sum(first**2, axis=2), xp.sum(second**2, axis=2)
        energies = to_host(xp.sum(s1, axis=1)), to_host(xp.sum(s2, axis=1))
        energy = energies[0] + energies[1]
        self.floor = np.maximum(rounding(energy, first.shape[2]), np.finfo(np.float64).tiny)
        procrustes = np.maximum(energy - 2.0 * to_host(xp.sum(singular_values, axis=1)), 0.0)  # squared
        upper = procrustes + self.floor
        self.scale = np.sqrt(np.maximum(*energies))
        self._least = procrustes / 2.0 - self.floor
        self.directions = (
            SpectralBall(s1, cross, energies[1], self.floor, upper),
            SpectralBall(s2, first @ xp.matrix_transpose(second), energies[0], self.floor, upper),
        )
        for direction, vectors in zip(self.directions, (right, xp.matrix_transpose(left)), strict=True):
            direction.start(singular_values, vectors)

    @property
    def bracket(self) -> tuple[Floats, Floats]:
        """Certified lower and upper bounds (B,) on the distances, the larger directions."""
        forth, back = self.directions
        lower = np.maximum(np.maximum(self._least, 0.0), np.maximum(forth.lower, back.lower))
        return np.sqrt(lower), np.sqrt(np.maximum(forth.upper, back.upper))

    @property
    def iterations(self) -> NDArray[np.int64]:
        """Clips done so far, both directions."""
        forth, back = self.directions
        return forth.iterations + back.iterations

    @property
    def solves(self) -> NDArray[np.int64]:
        """Directions that the start did not settle."""
        forth, back = self.directions
        return (forth.iterations > 0).astype(np.int64) + (back.iterations > 0)

    def narrow(self, lower: Floats, upper: Floats, tol: float) -> NDArray[np.bool_]:
        """Return (B,) whether brackets are as narrow as ``tol``, relative down to a thousandth of the larger norm."""
        rounding_left = 4.0 * self.floor / np.maximum(upper, np.sqrt(self.floor))
        wanted = np.maximum(tol * np.maximum(upper, 1e-3 * self.scale), rounding_left)
        done: NDArray[np.bool_] = upper - lower <= wanted
        return done

    def refine(self, tol: float) -> NDArray[np.bool_]:
        """Shrink the brackets to ``tol``; return (B,) which brackets are that narrow.

        Each step works on the direction with the larger upper bound. A direction that cannot be the larger one is
        never finished.
        """
        while True:
            lower, upper = self.bracket
            done = self.narrow(lower, upper, tol)
            open_ = ~done & (self.iterations < 2 * MAX_ITERATIONS)
            if not open_.any():
                return done
            forth, back = self.directions
            forward = forth.upper >= back.upper
            for direction, mask in ((forth, open_ & forward), (back, open_ & ~forward)):
                if mask.any():
                    direction.step(np.flatnonzero(mask))

    def refine_both(self, tol: float) -> None:
        """Shrink the brackets of both directions to ``tol``."""
        for direction in self.directions:
            while True:
                open_ = ~self.narrow(*direction.bracket, tol) & (direction.iterations < MAX_ITERATIONS)
                if not open_.any():
                    break
                direction.step(np.flatnonzero(open_))


def midpoint(lower: Floats, upper: Floats, floor: Floats) -> Floats:
    """Return the middles of brackets, or exactly 0 for those that cannot be told from 0 in rounding."""
    middle: Floats = np.where((lower == 0.0) & (upper <= 2.0 * np.sqrt(floor)), 0.0, (lower + upper) / 2.0)
    return middle
