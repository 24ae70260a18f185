"""Spectral-ball distance d_repr of two representations, with certified bounds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from congruity._base import checks as _checks
from congruity._base.arrays import Array, Floats
from congruity._base.digest import digest
from congruity._base.engine import each
from congruity._base.progress import Progress
from congruity.distances.contract import table_of
from congruity.distances.gram import on_device_of, square_roots, to_host
from congruity.distances.spectral_pairs import Solved, batches, place, solve, solve_row
from congruity.values import DistanceTable, Traits


@dataclass(frozen=True)
class Spectral:
    """Distance after the best linear map that enlarges nothing, the worse of the two directions.

    d(X, Y) = max(min over norm(A)_op <= 1 of norm(X A - Y)_F, min over norm(A)_op <= 1 of norm(Y A - X)_F). A metric on
    Gram matrices with Procrustes / sqrt(2) <= d <= Procrustes. It uses Gram matrices as they are: `congruity.pairwise`
    and fingerprints centre them and scale them to trace 1, which puts values in [0, 1].

    Every value has a certificate: ``lower <= exact <= upper``, from a dual and a primal feasible point. `remembering`
    returns the same distance with a memory of solved pairs, so that tables which share pairs solve none twice.

    Attributes:
        tol: relative width of a bracket at which a value counts as solved. The default puts a value, its middle, within
            half a percent, far below what another draw of implementations changes.

    >>> import numpy as np
    >>> from congruity import pairwise
    >>> x, y = np.array([[1.0], [0.0], [0.0]]), np.array([[0.0], [2.0], [0.0]])
    >>> pairwise([x, y], Spectral(), center=False, normalize=False).values.round(4).tolist()
    [[0.0, 2.0], [2.0, 0.0]]

    Source: Sun & Toneva 2026 (arXiv 2603.30002) for the distance; the dual, the start and the solver are ours.
    """

    name: ClassVar[str] = "spectral"
    traits: ClassVar[Traits] = Traits(
        metric=True,
        symmetric=True,
        invariances=frozenset({"orthogonal", "permutation", "padding"}),
        range=(0.0, 1.0),
        reference="Sun & Toneva 2026 (arXiv 2603.30002)",
    )

    tol: float = 1e-2
    _memory: dict[tuple[str, str], Solved] | None = field(default=None, repr=False, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        _checks.tolerance("Spectral", self.tol)

    def remembering(self) -> Spectral:
        """Return the same distance with a memory of its own, by digests of Gram matrices; itself where it has one.

        The memory lasts as long as the returned object. `congruity.compare`, `matrix` and `pairwise` make one a call.
        """
        return self if self._memory is not None else replace(self, _memory={})

    def table(self, grams: Array, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable:
        """Return all pairs of ``grams`` (N, m, m); pairs in the memory of `remembering` are not solved again.

        ``parameters`` counts the pairs, the directed problems that had to be iterated on (of two a pair), the
        iterations, and the pairs that did not reach their tolerance.
        """
        n = len(grams)
        solved = {} if self._memory is None else self._memory
        keys = [digest(to_host(grams[k])) for k in range(n)]
        new = [(i, j) for i in range(n) for j in range(i) if (keys[i], keys[j]) not in solved]
        progress(self.name, 0, len(new))
        if new:
            solver = self._one_by_one if isinstance(grams, np.ndarray) else self._in_batches
            for (i, j), answer in zip(new, solver(square_roots(grams), np.array(new), progress), strict=True):
                solved[keys[i], keys[j]] = solved[keys[j], keys[i]] = answer
        values, lower, upper = np.zeros((3, n, n))
        counts = {"pairs": n * (n - 1) // 2, "solves": 0, "iterations": 0, "unfinished": 0}
        for i in range(n):
            for j in range(i):
                answer = solved[keys[i], keys[j]]
                values[i, j] = values[j, i] = answer.value
                lower[i, j] = lower[j, i] = answer.lower
                upper[i, j] = upper[j, i] = answer.upper
                counts["solves"] += answer.solves
                counts["iterations"] += answer.iterations
                counts["unfinished"] += not answer.finished
        return table_of(self, values, labels, lower=lower, upper=upper, **counts)

    def _one_by_one(self, roots: Floats, pairs: NDArray[np.intp], progress: Progress) -> list[Solved]:
        own = [root[root.any(axis=1)] if root.any() else root[-1:] for root in roots]
        firsts, starts = np.unique(pairs[:, 0], return_index=True)
        rows = np.split(pairs[:, 1], starts[1:])
        units = [(own[i], [own[j] for j in others], self.tol) for i, others in zip(firsts, rows, strict=True)]
        ends = np.cumsum([len(others) for others in rows])

        def done(k: int) -> None:
            progress(self.name, int(ends[k - 1]), len(pairs))

        return [answer for row in each(solve_row, units, where=place(len(pairs)), done=done) for answer in row]

    def _in_batches(self, roots: Array, pairs: NDArray[np.intp], progress: Progress) -> list[Solved]:
        xp = array_namespace(roots)
        answers: list[Solved] = []
        for batch in batches(len(pairs), roots.shape[1]):
            first, second = (xp.take(roots, on_device_of(roots, pairs[batch, k]), axis=0) for k in (0, 1))
            answers += solve(first, second, self.tol)
            progress(self.name, len(answers), len(pairs))
        return answers
