"""The spectral-ball distance d_repr: how far apart two representations are after the best contraction, both ways."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from congruity import _checks
from congruity._digest import digest
from congruity.distances.procrustes import rounding, square_root
from congruity.distances.spectral_ball import SpectralBall
from congruity.engine import each
from congruity.protocols import Progress, Traits
from congruity.values import DistanceTable, Floats

MAX_ITERATIONS = 5000
_HEAVY_PAIRS = 60  # about six seconds at 200 samples


@dataclass(frozen=True)
class Spectral:
    """Distance after the best linear map that enlarges nothing, the worse of the two directions.

    d(X, Y) = max(min over norm(A)_op <= 1 of norm(X A - Y)_F, min over norm(A)_op <= 1 of norm(Y A - X)_F). A metric on
    Gram matrices with Procrustes / sqrt(2) <= d <= Procrustes. It uses Gram matrices as they are: `congruity.pairwise`
    and fingerprints centre them and scale them to trace 1, which puts values in [0, 1].

    Every value has a certificate: ``lower <= exact <= upper``, from a dual and a primal feasible point. One object
    remembers the pairs that it has solved, so tables that share sides cost nothing twice.

    Attributes:
        tol: relative width of a bracket at which a value counts as solved.

    >>> import numpy as np
    >>> from congruity.protocols import silent
    >>> grams = np.stack([np.diag([1.0, 0.0, 0.0]), np.diag([0.0, 4.0, 0.0])])
    >>> Spectral().table(grams, ("a", "b"), progress=silent).values.round(4).tolist()
    [[0.0, 2.0], [2.0, 0.0]]

    Source: Sun & Toneva 2026 (arXiv 2603.30002) for the distance; the dual, the start and the solver are ours.
    """

    tol: float = 1e-3
    _solved: dict[tuple[str, str], Solved] = field(default_factory=dict, init=False, repr=False, compare=False)

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
        return {"tol": self.tol}

    def table(self, grams: Floats, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable:
        """Return all pairs of ``grams`` (N, m, m); pairs that this object has solved before are not solved again.

        ``parameters`` counts the pairs, the directed problems that had to be iterated on (of two a pair), the
        iterations, and the pairs that did not reach their tolerance.
        """
        n = len(grams)
        keys = [digest(gram) for gram in grams]
        new = [(i, [j for j in range(i) if (keys[i], keys[j]) not in self._solved]) for i in range(n)]
        rows = [(i, others) for i, others in new if others]
        roots = {i: square_root(grams[i]) for i in {k for i, others in rows for k in (i, *others)}}
        count = sum(len(others) for _, others in rows)
        units = [(roots[i], [roots[j] for j in others], self.tol) for i, others in rows]
        ends = np.cumsum([len(others) for _, others in rows])
        progress("spectral", 0, count)
        heavy = count > _HEAVY_PAIRS
        solved = each(_solve_row, units, heavy=heavy, done=lambda k: progress("spectral", int(ends[k - 1]), count))
        for (i, others), answers in zip(rows, solved, strict=True):
            for j, answer in zip(others, answers, strict=True):
                self._solved[keys[i], keys[j]] = self._solved[keys[j], keys[i]] = answer
        values, lower, upper = np.zeros((3, n, n))
        counts = {"pairs": n * (n - 1) // 2, "solves": 0, "iterations": 0, "unfinished": 0}
        for i in range(n):
            for j in range(i):
                answer = self._solved[keys[i], keys[j]]
                values[i, j] = values[j, i] = answer.value
                lower[i, j] = lower[j, i] = answer.lower
                upper[i, j] = upper[j, i] = answer.upper
                counts["solves"] += answer.solves
                counts["iterations"] += answer.iterations
                counts["unfinished"] += not answer.finished
        return DistanceTable(self.name, values, labels, lower, upper, {**self.parameters, **counts})


class Solved(NamedTuple):
    """What is kept of a solved pair."""

    value: float
    lower: float
    upper: float
    solves: int
    iterations: int
    finished: bool


def _solve_row(unit: tuple[Floats, list[Floats], float]) -> list[Solved]:
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

    def refine(self, tol: float) -> bool:
        """Shrink the bracket to ``tol``; return whether it got there.

        Always works on the direction with the larger upper bound: one that cannot be the larger is never finished.
        """
        for _ in range(2 * MAX_ITERATIONS):
            if self.narrow(*self.bracket, tol):
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
