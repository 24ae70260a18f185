"""Representational similarity analysis: correlation of two dissimilarity matrices, as a dissimilarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from congruity._base.arrays import Array
from congruity._base.progress import Progress
from congruity.distances.contract import table_of
from congruity.distances.gram import SHAPE_ONLY, on_device_of, one_minus_cosines, squared_distances, to_host
from congruity.errors import InputError, UnknownNameError
from congruity.values import DistanceTable, Traits

Comparison = Literal["spearman", "pearson", "cosine"]


@dataclass(frozen=True)
class RSA:
    """One minus the correlation of two dissimilarity matrices, over the pairs of samples.

    d(X, Y) = 1 - corr(D_X, D_Y), D_X the squared Euclidean distances between the m samples, each of m (m - 1) / 2 pairs
    once. In [0, 2].

    Attributes:
        comparison: "spearman" (of ranks), "pearson" or "cosine".

    >>> import numpy as np
    >>> from congruity import pairwise
    >>> x = np.array([[0.0], [1.0], [3.0], [7.0]])
    >>> pairwise([x, x**2, abs(x - 3)], RSA()).values[0].round(2).tolist()  # x^2 keeps the order
    [0.0, 0.0, 0.97]

    Source: Kriegeskorte, Mur, Bandettini (2008), Representational similarity analysis.
    """

    name: ClassVar[str] = "rsa"
    traits: ClassVar[Traits] = Traits(
        metric=False,
        symmetric=True,
        invariances=SHAPE_ONLY,
        range=(0.0, 2.0),
        reference="Kriegeskorte et al. 2008",
    )

    comparison: Comparison = "spearman"

    def __post_init__(self) -> None:
        if self.comparison not in get_args(Comparison):
            raise UnknownNameError("RSA comparison", self.comparison, get_args(Comparison))

    def table(self, grams: Array, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable:
        """Return all pairs of ``grams`` (N, m, m) as one matrix product of N vectors of m (m - 1) / 2."""
        upper = np.triu_indices(grams.shape[1], 1)
        vectors = np.stack([to_host(squared_distances(grams[k]))[upper] for k in range(len(grams))])
        scale = vectors.max(axis=1, keepdims=True)
        vectors = vectors / np.where(scale > 0.0, scale, 1.0)
        if self.comparison == "spearman":
            from scipy.stats import rankdata  # SciPy's statistics take half a second to import

            # rounding must not break ties, which exact copies of samples make
            vectors = np.stack([rankdata(np.round(v, 12)) for v in vectors])
        if self.comparison != "cosine":
            vectors = vectors - vectors.mean(axis=1, keepdims=True)
        flat = np.flatnonzero(np.abs(vectors).max(axis=1) <= 1e-12)
        if len(flat):
            raise InputError(
                f"RSA: the samples of {labels[flat[0]]!r} are all equally far apart, so its dissimilarities correlate "
                "with nothing; leave it out, or use comparison='cosine'"
            )
        values = one_minus_cosines(on_device_of(grams, vectors))
        progress("rsa", len(grams), len(grams))
        return table_of(self, values, labels)
