"""Centred kernel alignment with a radial kernel, as a dissimilarity: neighbourhoods instead of linear geometry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from array_api_compat import array_namespace

from congruity._base.arrays import Array
from congruity._base.progress import Progress
from congruity.distances.contract import table_of
from congruity.distances.gram import SHAPE_ONLY, centred, one_minus_cosines, squared_distances, to_host
from congruity.errors import InputError
from congruity.values import DistanceTable, Traits


@dataclass(frozen=True)
class Kernel:
    """`CKA` between radial kernels, computed from linear Gram matrices.

    k(x_i, x_j) = exp(-norm(x_i - x_j)^2 / (2 s^2)), s = ``bandwidth`` x the median distance between samples, so that
    scale is ignored. Small bandwidths see only near neighbours; a large one gives linear CKA. In [0, 1].

    Attributes:
        bandwidth: s as a multiple of the median distance.

    >>> import numpy as np
    >>> from congruity import pairwise
    >>> x = np.array([[0.0], [1.0], [3.0], [7.0]])
    >>> pairwise([x, x**2, -2 * x], Kernel()).values[0].round(2).tolist()
    [0.0, 0.06, 0.0]

    Source: Kornblith, Norouzi, Lee, Hinton (2019), RBF CKA.
    """

    name: ClassVar[str] = "kernel"
    traits: ClassVar[Traits] = Traits(
        metric=False,
        symmetric=True,
        invariances=SHAPE_ONLY,
        range=(0.0, 1.0),
        reference="Kornblith et al. 2019",
    )

    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        if not 1e-2 <= self.bandwidth <= 1e6:
            raise InputError(
                f"Kernel: bandwidth is {self.bandwidth}; pass a multiple of the median distance between 0.01 (below, "
                "no sample has neighbours) and 1e6"
            )

    def table(self, grams: Array, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable:
        """Return all pairs of ``grams`` (N, m, m) as one matrix product."""
        upper = np.triu_indices(grams.shape[1], 1)
        xp = array_namespace(grams)
        kernels = []
        for k in range(len(grams)):
            squared = squared_distances(grams[k])
            median = float(np.median(np.sqrt(to_host(squared)[upper]))) ** 2
            if not median > 1e-12 * float(xp.max(squared)):
                raise InputError(
                    f"Kernel: more than half of the pairs of samples of {labels[k]!r} are the same point, so its "
                    "median distance is 0 and sets no bandwidth; leave repeated samples out, or use 'cka'"
                )
            # less 1, which centring removes: wide kernels keep their digits
            kernels.append(xp.expm1(-squared / (2.0 * self.bandwidth**2 * median)))
        values = one_minus_cosines(centred(xp.stack(kernels), labels, "Kernel").reshape((len(grams), -1)))
        progress("kernel", len(grams), len(grams))
        return table_of(self, np.minimum(values, 1.0), labels)
