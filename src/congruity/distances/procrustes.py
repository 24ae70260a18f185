"""Procrustes (Bures) distance of two representations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from array_api_compat import array_namespace

from congruity._base.arrays import Array, Floats
from congruity._base.engine import each
from congruity._base.progress import Progress, silent
from congruity.distances.contract import table_of
from congruity.distances.gram import square_roots, to_host
from congruity.values import DistanceTable, Traits


@dataclass(frozen=True)
class Procrustes:
    """Distance after the best orthogonal map, the narrower representation padded with zeros.

    d(X, Y) = min over orthogonal Q of norm(X Q - Y)_F = sqrt(tr K + tr L - 2 nuclear_norm(K^1/2 L^1/2)), K = X X^T,
    L = Y Y^T. Closed form; a metric on Gram matrices. It uses Gram matrices as they are: `congruity.pairwise` and
    fingerprints centre them and scale them to trace 1, which puts values in [0, sqrt(2)].

    >>> import numpy as np
    >>> from congruity import pairwise
    >>> x, y = np.array([[1.0], [0.0], [0.0]]), np.array([[0.0], [2.0], [0.0]])
    >>> pairwise([x, y], Procrustes(), center=False, normalize=False).values.round(4).tolist()
    [[0.0, 2.2361], [2.2361, 0.0]]

    Source: Williams, Kunz, Kornblith, Linderman (2021), Generalized Shape Metrics on Neural Representations.
    """

    name: ClassVar[str] = "procrustes"
    traits: ClassVar[Traits] = Traits(
        metric=True,
        symmetric=True,
        invariances=frozenset({"orthogonal", "permutation", "padding"}),
        range=(0.0, 2.0**0.5),
        reference="Williams et al. 2021",
    )

    def table(self, grams: Array, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable:
        """Return all pairs of ``grams`` (N, m, m): N eigendecompositions, then one SVD of singular values a pair."""
        squared, floor = squared_procrustes(square_roots(grams), progress)
        values = np.sqrt(np.where(squared > floor, squared, 0.0))  # exactly 0 where it is below rounding
        return table_of(self, values, labels)


def squared_procrustes(roots: Array, progress: Progress = silent) -> tuple[Floats, Floats]:
    """Return for all pairs of square roots (N, r, m) the squared distance (N, N), and the size of its rounding."""
    xp = array_namespace(roots)
    n, _, samples = roots.shape
    norms = to_host(xp.sum(roots**2, axis=(1, 2)))
    energy = norms[:, None] + norms[None, :]
    nuclear = np.diag(norms)

    def row(i: int) -> Floats:
        return to_host(xp.sum(xp.linalg.svdvals(roots[:i] @ roots[i].T), axis=1))

    rows = each(row, range(1, n), where="threads", done=lambda k: progress("procrustes", k + 1, n))
    for i, found in enumerate(rows, start=1):
        nuclear[i, :i] = nuclear[:i, i] = found
    return energy - 2.0 * nuclear, rounding(energy, samples)


def rounding(energy: Floats, samples: int) -> Floats:
    """Return the size of rounding errors in a squared distance of two representations of summed ``energy``."""
    floor: Floats = 4 * np.finfo(np.float64).eps * np.sqrt(samples) * energy
    return floor
