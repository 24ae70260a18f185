"""Rank statistics of congruity as quadratic forms: rank each anchor's distances once, then any labelling is a product.

Shapes: ``n`` implementations, ``B`` labellings. A labelling is a row of zeros and ones, one = first side. ``sizes``
(n,) is the number of implementations in the unit of each; comparisons within a unit are never made.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def anchor_ranks(toward: Array, allowed: NDArray[np.bool_]) -> Array:
    """Return (n, n) mid-ranks of each anchor's allowed distances, zero where not allowed."""
    low, high = _ranks(toward, allowed)
    return np.where(allowed, (low + high) / 2, 0.0)


def neighbours(toward: Array, allowed: NDArray[np.bool_], k: int = 3) -> Array:
    """Return (n, n) weights of each anchor's ``k`` nearest others; ties at the last place share it equally."""
    low, high = _ranks(toward, allowed)
    share = np.clip(k + 1 - low, 0.0, high - low + 1) / (high - low + 1)
    return np.where(allowed, share, 0.0)


def _ranks(toward: Array, allowed: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return lowest and highest rank of each entry among its row's allowed ones; they differ by its ties."""
    values = np.where(allowed, toward, -np.inf)
    barred = (~allowed).sum(axis=1, keepdims=True)
    low, high = (
        np.stack([np.searchsorted(np.sort(row), row, side=side) for row in values]) for side in ("left", "right")
    )
    return np.asarray(low + 1.0 - barred), np.asarray(high - barred, dtype=np.float64)


def p_within(ranks: Array, first: Array, sizes: Array) -> tuple[Array, Array]:
    """Return (B,) P1 and (B,) P2 of the labellings ``first`` (B, n): the complete mid-p U-statistic over all triples.

    For an anchor j of side 1, the pairs (i in 1, k in 2) with d(i, j) < d(k, j) number
    sum over k in 2 of ranks[j, k], minus n2 (n2 + 1) / 2 (Mann and Whitney).
    """
    second = 1.0 - first
    n1, n2 = first.sum(axis=1), second.sum(axis=1)
    product = first @ ranks
    above_first = (product * second).sum(axis=1)
    above_second = first @ ranks.sum(axis=0) - (product * first).sum(axis=1)
    wins_first = above_first - n1 * n2 * (n2 + 1) / 2
    wins_second = above_second - n2 * n1 * (n1 + 1) / 2
    return (
        wins_first / (n2 * (n1 * n1 - first @ sizes)),
        wins_second / (n1 * (n2 * n2 - second @ sizes)),
    )


def energy(symmetric: Array, first: Array, sizes: Array) -> Array:
    """Return (B,) 2 mean(between) - mean(within 1) - mean(within 2); ``symmetric`` is zero within units."""
    second = 1.0 - first
    n1, n2 = first.sum(axis=1), second.sum(axis=1)
    product = first @ symmetric
    between, within_first = (product * second).sum(axis=1), (product * first).sum(axis=1)
    within_second = symmetric.sum() - 2 * between - within_first
    return np.asarray(
        2 * between / (n1 * n2) - within_first / (n1 * n1 - first @ sizes) - within_second / (n2 * n2 - second @ sizes),
        dtype=np.float64,
    )


def own_neighbours(weights: Array, first: Array) -> Array:
    """Return (B,) the share of nearest neighbours (`neighbours`) that are on the anchor's own side (Schilling)."""
    crossing = (first @ (weights + weights.T) * (1.0 - first)).sum(axis=1)
    return np.asarray(1.0 - crossing / weights.sum(), dtype=np.float64)


def separability(toward: Array, first: Array, sizes: Array) -> Array:
    """Return (B,) the leave-one-out AUC of s(z) = mean d(side 2, z) - mean d(side 1, z), z's own unit left out.

    ``toward`` is zero within units and at most one, so that rounding to 10 places makes equal scores equal.
    """
    second = 1.0 - first
    n1, n2 = first.sum(axis=1), second.sum(axis=1)
    to_first = first @ toward.T
    to_second = toward.sum(axis=1) - to_first
    score = to_second / (n2[:, None] - second * sizes) - to_first / (n1[:, None] - first * sizes)
    low, high = _ranks(np.round(score, 10), np.ones(score.shape, dtype=np.bool_))
    ranks = (low + high) / 2
    return np.asarray(((ranks * first).sum(axis=1) - n1 * (n1 + 1) / 2) / (n1 * n2), dtype=np.float64)


def mann_whitney(first: Array, second: Array, *, weights: tuple[Array, Array] | None = None) -> float:
    """Return the chance that a value of one sample is below one of another: P[x < y] + P[x = y] / 2.

    The share is the area under the ROC curve of ``-x``, and the Mann-Whitney U over the number of pairs.

    Args:
        first, second: values (n,) and (m,).
        weights: of both samples, (n,) and (m,); all alike by default.

    >>> mann_whitney(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.875
    """
    own, other = (np.ones(len(first)), np.ones(len(second))) if weights is None else weights
    order = np.argsort(second, kind="stable")
    summed = np.concatenate([[0.0], np.cumsum(other[order])])
    low, high = (np.searchsorted(second[order], first, side=side) for side in ("left", "right"))
    above = summed[-1] - (summed[low] + summed[high]) / 2  # weight of the values above each, ties counted half
    return float((own * above).sum() / (own.sum() * other.sum()))
