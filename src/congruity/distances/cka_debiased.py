"""Linear centred kernel alignment from the unbiased estimator of HSIC, as a dissimilarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from array_api_compat import array_namespace

from congruity._base.arrays import Array
from congruity._base.progress import Progress
from congruity.distances.contract import table_of
from congruity.distances.gram import SHAPE_ONLY, hollow, one_minus_cosines, to_host
from congruity.errors import InputError
from congruity.values import DistanceTable, Traits


@dataclass(frozen=True)
class CKADebiased:
    """`CKA` in which unrelated representations score 1 on average, however many features they have.

    d(X, Y) = 1 - HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) with the unbiased HSIC of Song et al., which is the product
    of U-centred Gram matrices: the diagonal is left out, rows are centred by sum / (m - 2). In [0, 2]: an estimate of a
    similarity of 0 may fall below it. Needs at least 4 samples.

    >>> import numpy as np
    >>> from congruity import pairwise
    >>> noise = np.random.default_rng(0).standard_normal((2, 20, 2000))  # unrelated, with many features
    >>> pairwise(noise, CKADebiased()).values[0, 1].round(1)
    np.float64(1.1)

    Source: Song, Smola, Gretton, Bedo, Borgwardt (2012); Nguyen, Raghu, Kornblith (2021).
    """

    name: ClassVar[str] = "cka-debiased"
    traits: ClassVar[Traits] = Traits(
        metric=False,
        symmetric=True,
        invariances=SHAPE_ONLY,
        range=(0.0, 2.0),
        reference="Nguyen et al. 2021",
    )

    def table(self, grams: Array, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable:
        """Return all pairs of ``grams`` (N, m, m) as one matrix product."""
        samples = grams.shape[1]
        if samples < 4:
            raise InputError(f"CKADebiased: {samples} samples; the unbiased estimator needs at least 4")
        xp = array_namespace(grams)
        flat = u_centred(grams).reshape((len(grams), -1))
        left, before = to_host(xp.sum(flat**2, axis=1)), to_host(xp.sum(grams**2, axis=(1, 2)))
        empty = np.flatnonzero(left <= 1e-24 * before)
        if len(empty):
            raise InputError(
                f"CKADebiased: of {labels[empty[0]]!r} nothing is left without the diagonal: its samples are all "
                "equally far apart, so no structure is there to compare; use 'cka'"
            )
        values = one_minus_cosines(flat)
        progress("cka-debiased", len(grams), len(grams))
        return table_of(self, values, labels)


def u_centred(grams: Array) -> Array:
    """Return U-centred Gram matrices (N, m, m): zero diagonal, and zero sums of rows.

    U_ij = K_ij - r_i / (m - 2) - r_j / (m - 2) + s / ((m - 1)(m - 2)) for i != j, with K's diagonal set to 0 first, r
    its row sums and s its sum. <U(K), U(L)> / (m (m - 3)) is the unbiased HSIC. Source: Szekely & Rizzo (2014).
    """
    xp = array_namespace(grams)
    m = grams.shape[1]
    off_diagonal = hollow(grams)
    rows = xp.sum(off_diagonal, axis=2)
    everywhere = xp.sum(rows, axis=1) / ((m - 1) * (m - 2))
    return hollow(off_diagonal - (rows[:, :, None] + rows[:, None, :]) / (m - 2) + everywhere[:, None, None])
