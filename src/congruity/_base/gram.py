"""The standard Gram matrix: centred, of trace 1."""

from __future__ import annotations

from array_api_compat import array_namespace

from congruity._base import checks as _checks
from congruity._base.arrays import Array


def standard_gram(gram: Array, *, center: bool = True, normalize: bool = True, name: str = "gram") -> Array:
    """Return H K H / trace(H K H), H = I - 1 1^T / m: the Gram matrix of the centred representation at unit norm.

    >>> import numpy as np
    >>> standard_gram(np.diag([1.0, 0.0, 0.0])).round(3).tolist()
    [[0.667, -0.333, -0.333], [-0.333, 0.167, 0.167], [-0.333, 0.167, 0.167]]
    """
    xp = array_namespace(gram)
    before = float(xp.linalg.trace(gram))
    result = gram
    if center:
        column = xp.mean(gram, axis=0)
        result = gram - column - column[:, None] + xp.mean(column)
    left = float(xp.linalg.trace(result))
    _checks.varies("pairwise", name, left, before, centred=center)
    return result / left if normalize else result
