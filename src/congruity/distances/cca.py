"""Canonical correlations between representations, regularised, as a dissimilarity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from array_api_compat import array_namespace

from congruity._base.arrays import Array
from congruity._base.progress import Progress
from congruity.distances.contract import table_of
from congruity.distances.gram import SHAPE_ONLY, centred, nuclear_norms, spectrum
from congruity.errors import InputError
from congruity.values import DistanceTable, Traits


@dataclass(frozen=True)
class CCA:
    """One minus the mean regularised canonical correlation.

    With X = V S U^T centred, let A = V S (S^2 + k I)^(-1/2), k = ``regularization`` x norm(X)_F^2 / m: X whitened in
    part; B the same of Y. d(X, Y) = 1 - nuclear_norm(A^T B) / (norm(A)_F norm(B)_F). The singular values of
    A^T B are the regularised canonical correlations. Without regularisation and for equal ranks r this is 1 minus their
    mean over r; then also every invertible linear map is ignored, but representations with as many features as samples
    are all alike, whence the default. In [0, 1].

    Attributes:
        regularization: k as a share of the mean squared length of a sample; 0 for plain CCA.

    >>> import numpy as np
    >>> from congruity import pairwise
    >>> x = np.random.default_rng(0).standard_normal((50, 2))
    >>> mapped, half = x @ [[3.0, 1.0], [0.0, 0.5]], x[:, :1]
    >>> pairwise([x, mapped, half], CCA(regularization=0)).values[0].round(4).tolist()
    [0.0, 0.0, 0.2929]

    Source: Hotelling (1936); Vinod (1976) for the regularisation; Williams et al. (2021) for the part-whitened form.
    """

    name: ClassVar[str] = "cca"
    traits: ClassVar[Traits] = Traits(
        metric=False,
        symmetric=True,
        invariances=SHAPE_ONLY,  # plain CCA, regularization=0, also ignores every invertible map
        range=(0.0, 1.0),
        reference="Hotelling 1936; Vinod 1976",
    )

    regularization: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.regularization < np.inf:
            raise InputError(f"CCA: regularization is {self.regularization}; pass 0 or a positive share, such as 0.1")
        if self.regularization == 0:
            plain = replace(self.traits, invariances=SHAPE_ONLY | {"invertible"})
            object.__setattr__(self, "traits", plain)  # of this object alone

    def table(self, grams: Array, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable:
        """Return all pairs of ``grams`` (N, m, m): N eigendecompositions, then the singular values of each pair."""
        xp = array_namespace(grams)
        whitened = []
        for gram in centred(grams, labels, "CCA"):
            eigenvalues, vectors = spectrum(gram)
            penalty = self.regularization * float(xp.sum(eigenvalues)) / grams.shape[1]
            whitened.append(vectors * xp.sqrt(eigenvalues / (eigenvalues + penalty)))
        sizes = np.array([float(xp.linalg.matrix_norm(a)) for a in whitened])
        values = 1.0 - nuclear_norms(whitened, self.name, progress) / np.outer(sizes, sizes)
        np.fill_diagonal(values, 0.0)
        return table_of(self, np.clip(values, 0.0, 1.0), labels)
