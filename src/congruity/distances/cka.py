"""Linear centred kernel alignment, as a dissimilarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from congruity._base.arrays import Array
from congruity._base.progress import Progress
from congruity.distances.contract import table_of
from congruity.distances.gram import SHAPE_ONLY, centred, one_minus_cosines
from congruity.values import DistanceTable, Traits


@dataclass(frozen=True)
class CKA:
    """One minus the cosine of the angle between two centred Gram matrices.

    d(X, Y) = 1 - <K, L> / (norm(K)_F norm(L)_F), K = H X X^T H, L = H Y Y^T H, H = I - 1 1^T / m. In [0, 1]; dominated
    by the directions of largest variance; not a metric (its arc cosine is). Biased towards 0 where features outnumber
    samples: `CKADebiased` is not.

    >>> import numpy as np
    >>> from congruity import pairwise
    >>> x = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
    >>> pairwise([x, 3 * x, x[:, :1]], CKA()).values[0].round(4).tolist()
    [0.0, 0.0, 0.2094]

    Source: Kornblith, Norouzi, Lee, Hinton (2019), Similarity of Neural Network Representations Revisited.
    """

    name: ClassVar[str] = "cka"
    traits: ClassVar[Traits] = Traits(
        metric=False,
        symmetric=True,
        invariances=SHAPE_ONLY,
        range=(0.0, 1.0),
        reference="Kornblith et al. 2019",
    )

    def table(self, grams: Array, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable:
        """Return all pairs of ``grams`` (N, m, m) as one matrix product."""
        values = one_minus_cosines(centred(grams, labels, "CKA").reshape((len(grams), -1)))
        progress("cka", len(grams), len(grams))
        return table_of(self, values, labels)
