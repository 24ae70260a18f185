"""Canonical correlations between the leading principal components, as a dissimilarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from congruity._base.arrays import Array
from congruity._base.progress import Progress
from congruity.distances.contract import table_of
from congruity.distances.gram import SHAPE_ONLY, centred, nuclear_norms, spectrum, to_host
from congruity.errors import InputError
from congruity.values import DistanceTable, Traits


@dataclass(frozen=True)
class SVCCA:
    """One minus the mean canonical correlation of the principal components that hold ``variance`` of the variance.

    d(X, Y) = 1 - nuclear_norm(V^T W) / min(p, q): V (m, p) and W (m, q) the leading left singular vectors of centred X
    and Y, as few as hold the share ``variance``. In [0, 1]; 0 for a subspace of the other's. With p + q near the number
    of samples m, unrelated representations come out alike: ``parameters["kept"]`` says how many were kept.

    Attributes:
        variance: share of the variance to keep, in (0, 1].

    >>> import numpy as np
    >>> from congruity import pairwise
    >>> x = np.random.default_rng(0).standard_normal((50, 2)) * [1.0, 0.01]
    >>> table = pairwise([x, x[:, 1:], x[:, :1]], SVCCA())  # x, its small feature, its large one
    >>> table.values[0].round(1).tolist(), table.parameters["kept"]
    ([0.0, 0.8, 0.0], [1, 1, 1])

    Source: Raghu, Gilmer, Yosinski, Sohl-Dickstein (2017).
    """

    name: ClassVar[str] = "svcca"
    traits: ClassVar[Traits] = Traits(
        metric=False,
        symmetric=True,
        invariances=SHAPE_ONLY,
        range=(0.0, 1.0),
        reference="Raghu et al. 2017",
    )

    variance: float = 0.99

    def __post_init__(self) -> None:
        if not 0 < self.variance <= 1:
            raise InputError(f"SVCCA: variance is {self.variance}; pass a share in (0, 1], such as 0.99")

    def table(self, grams: Array, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable:
        """Return all pairs of ``grams`` (N, m, m): N eigendecompositions, then the singular values of each pair."""
        centred_grams = centred(grams, labels, "SVCCA")
        leading = [self._leading(centred_grams[k]) for k in range(len(grams))]
        kept = [v.shape[1] for v in leading]
        values = 1.0 - nuclear_norms(leading, self.name, progress) / np.minimum.outer(kept, kept)
        np.fill_diagonal(values, 0.0)
        return table_of(self, np.clip(values, 0.0, 1.0), labels, kept=kept)

    def _leading(self, gram: Array) -> Array:
        eigenvalues, vectors = spectrum(gram)
        shares = np.cumsum(to_host(eigenvalues))
        shares /= shares[-1]
        count = 1 + int(np.searchsorted(shares, self.variance - 1e-12))
        return vectors[:, :count]
