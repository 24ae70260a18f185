"""Procrustes (Bures) distance: how far apart two representations are after the best rotation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from congruity.engine import each
from congruity.protocols import Progress, Traits
from congruity.values import DistanceTable, Floats


@dataclass(frozen=True)
class Procrustes:
    """Distance after the best orthogonal map, the narrower representation padded with zeros.

    d(X, Y) = min over orthogonal Q of norm(X Q - Y)_F = sqrt(tr K + tr L - 2 nuclear_norm(K^1/2 L^1/2)), K = X X^T,
    L = Y Y^T. Closed form; a metric on Gram matrices. It uses Gram matrices as they are: `congruity.pairwise` and
    fingerprints centre them and scale them to trace 1, which puts values in [0, sqrt(2)].

    >>> import numpy as np
    >>> from congruity.protocols import silent
    >>> grams = np.stack([np.diag([1.0, 0.0, 0.0]), np.diag([0.0, 4.0, 0.0])])
    >>> Procrustes().table(grams, ("a", "b"), progress=silent).values.round(4).tolist()
    [[0.0, 2.2361], [2.2361, 0.0]]

    Source: Williams, Kunz, Kornblith, Linderman (2021), Generalized Shape Metrics on Neural Representations.
    """

    @property
    def name(self) -> str:
        return "procrustes"

    @property
    def traits(self) -> Traits:
        return Traits(
            metric=True,
            symmetric=True,
            invariances=frozenset({"orthogonal", "permutation", "padding"}),
            range=(0.0, 2.0**0.5),
            reference="Williams et al. 2021",
        )

    @property
    def parameters(self) -> dict[str, Any]:
        return {}

    def table(self, grams: Floats, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable:
        """Return all pairs of ``grams`` (N, m, m): N eigendecompositions, then one SVD of singular values a pair."""
        roots = [square_root(gram) for gram in grams]
        values = np.zeros((len(grams), len(grams)))

        def row(i: int) -> list[float]:
            return [bures(roots[i], roots[j]) for j in range(i)]

        rows = each(row, range(len(roots)), where="threads", done=lambda k: progress("procrustes", k, len(roots)))
        for i, distances in enumerate(rows):
            values[i, :i] = values[:i, i] = distances
        return DistanceTable(self.name, values, labels, parameters=self.parameters)


def square_root(gram: Floats) -> Floats:
    """Return H (r, m) with H^T H = ``gram`` (m, m): scaled eigenvectors, largest last, without the null space."""
    eigenvalues, vectors = np.linalg.eigh(gram)
    kept = eigenvalues > 1e-14 * eigenvalues[-1]
    kept[-1] = True  # one row even for a Gram matrix of zeros
    root: Floats = np.sqrt(np.maximum(eigenvalues[kept], 0.0))[:, None] * vectors[:, kept].T
    return root


def bures(first: Floats, second: Floats) -> float:
    """Return the Procrustes distance of two square roots (r, m): exactly 0 where it is below rounding."""
    energy = float(np.vdot(first, first) + np.vdot(second, second))
    squared = energy - 2.0 * float(np.linalg.svd(second @ first.T, compute_uv=False).sum())
    return float(np.sqrt(squared)) if squared > rounding(energy, first.shape[1]) else 0.0


def rounding(energy: float, samples: int) -> float:
    """Return the size of rounding errors in a squared distance of two representations of summed ``energy``."""
    return float(4 * np.finfo(np.float64).eps * np.sqrt(samples) * energy)
