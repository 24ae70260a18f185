"""Exact distances of two interpretations: d_interp, compression, eccentricity and congruity of enumerated sets.

docs/theorems.md, D9 to D12 and T4. Everything is computed from one table of distances between implementations of both
sides and, for congruity, from the two laws by which they are sampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from congruity.errors import InputError

Floats = NDArray[np.float64]


def procrustes(signatures: Floats) -> Floats:
    """Return (N, N) Bures distances of signatures (N, D, m): min over orthogonal Q of N(Q V_i - V_j), in closed form.

    sqrt((|V_i|^2 + |V_j|^2 - 2 |V_j V_i^T|_*) / m). Fewer rows count as zero rows.
    """
    signatures = np.asarray(signatures, dtype=np.float64)
    n, _, m = signatures.shape
    norms = np.square(signatures).sum(axis=(1, 2))
    squared = np.zeros((n, n))
    for i in range(n):
        products = signatures[i:] @ signatures[i].T
        squared[i, i:] = norms[i] + norms[i:] - 2 * np.linalg.svd(products, compute_uv=False).sum(axis=-1)
    squared = np.maximum(squared, squared.T)
    # What rounding leaves of a difference of equal numbers is no distance.
    squared[squared < 1e-12 * np.maximum(norms[:, None], norms)] = 0.0
    return np.asarray(np.sqrt(squared / m))


def behavioural(responses: ArrayLike) -> Floats:
    """Return d_beh, (N, N): share of queries at which the responses (N, variables, m) of two implementations differ."""
    found = np.asarray(responses)
    return np.stack([(found != one).any(axis=1).mean(axis=1) for one in found])


def d_circ(transport: ArrayLike, behaviour: ArrayLike, weight: float = 1.0) -> Floats:
    """Return d_circ = max(d_T, weight * d_fun), (N, N): how the circuits compute and what they answer (D9).

    Args:
        transport: (N, N) distances of signatures, such as `procrustes` or `congruity.d_repr`.
        behaviour: (N, N) distances of the answers without interventions.
        weight: of the answers, 0 or more.

    Raises:
        InputError: tables of other shapes, or a weight below 0.

    >>> d_circ([[0, 1], [1, 0]], [[0, 4], [4, 0]], weight=0.5)
    array([[0., 2.],
           [2., 0.]])
    """
    one, two = np.asarray(transport, dtype=np.float64), np.asarray(behaviour, dtype=np.float64)
    if one.shape != two.shape or not 0 <= weight < np.inf:
        raise InputError(f"d_circ: tables of shapes {one.shape} and {two.shape}, weight {weight}; one shape, and >= 0")
    return np.maximum(one, weight * two)


def eccentricities(table: ArrayLike) -> Floats:
    """Return (N,) the largest distance of each implementation within its set; the largest is the compression (D10).

    >>> eccentricities([[0, 1, 3], [1, 0, 2], [3, 2, 0]])
    array([3., 2., 3.])
    """
    distances, _ = _checked(table, np.ones(len(np.asarray(table)), dtype=bool), both=False)
    return np.asarray(distances.max(axis=1))


@dataclass(frozen=True)
class Interpretive:
    """Two implementation sets in one metric (D10).

    Attributes:
        d_interp: their Hausdorff distance.
        compressions: kappa of each: the largest distance within it.
        eccentricities: the smallest eccentricity in each, that of its ``medoids`` (rows of the table).
        nearest: the smallest distance between the two sets.
    """

    d_interp: float
    compressions: tuple[float, float]
    eccentricities: tuple[float, float]
    medoids: tuple[int, int]
    nearest: float


def d_interp(table: ArrayLike, side: ArrayLike) -> Interpretive:
    """Return the Hausdorff distance of two enumerated implementation sets, and their own sizes.

    max(max over K1 of min over K2 of d, and the other way round), O(N^2).

    Args:
        table: (N, N) distances, symmetric.
        side: (N,) truth values, true for the first set.

    Raises:
        InputError: an empty set (the distance is then infinite by definition), or no table of distances.

    >>> import numpy as np
    >>> places = np.array([0.0, 1.0, 3.0])
    >>> d_interp(abs(places[:, None] - places), [True, True, False])
    Interpretive(d_interp=3.0, compressions=(1.0, 0.0), eccentricities=(1.0, 0.0), medoids=(0, 2), nearest=2.0)
    """
    distances, first = _checked(table, side)
    across = distances[np.ix_(first, ~first)]
    sides = [np.flatnonzero(first), np.flatnonzero(~first)]
    widest = [distances[np.ix_(rows, rows)].max(axis=1) for rows in sides]
    return Interpretive(
        float(max(across.min(axis=1).max(), across.min(axis=0).max())),
        (float(widest[0].max()), float(widest[1].max())),
        (float(widest[0].min()), float(widest[1].min())),
        (int(sides[0][widest[0].argmin()]), int(sides[1][widest[1].argmin()])),
        float(across.min()),
    )


@dataclass(frozen=True)
class ExactCongruity:
    """Congruity of two laws on finitely many points (D12), with X, X' ~ P and Y, Y' ~ Q drawn independently.

    Attributes:
        p_within: (P1, P2), P[d(X, X') < d(X, Y)] with ties counted half, and the same for Y.
        score: C = 1 - |P1 + P2 - 1|. score_min: C_min. literal: with "<=" instead, as the paper's Algorithm 1 writes.
        ties: (P[d(X, X') = d(X, Y)], the same for Y).
        ball_divergence: E (P(ball) - Q(ball))^2 over mid-balls around X through X', plus the same for Y; 0 only for
            equal laws (T4 g).
        total_variation: of the laws, as they stand on these points.
    """

    p_within: tuple[float, float]
    score: float
    score_min: float
    literal: float
    ties: tuple[float, float]
    ball_divergence: float
    total_variation: float


def congruity(table: ArrayLike, first: ArrayLike, second: ArrayLike) -> ExactCongruity:
    """Return the exact congruity of two laws over the points of a distance table.

    Args:
        table: (N, N) distances, symmetric.
        first, second: (N,) probabilities.

    Raises:
        InputError: no table of distances, or no laws.

    >>> import numpy as np
    >>> places = np.array([0.0, 1.0, 5.0, 6.0])
    >>> found = congruity(abs(places[:, None] - places), [0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5])
    >>> found.p_within, found.score
    ((1.0, 1.0), 0.0)
    """
    distances, _ = _checked(table, np.ones(len(np.asarray(first)), dtype=bool), both=False)
    distances = _snapped(distances)
    p, q = (_law(law, len(distances)) for law in (first, second))
    within, ties, balls = [], [], []
    for own, other in ((p, q), (q, p)):
        below, same = _masses(distances, other)
        closer = 1 - below - same  # chance that the other side's point is further than each point
        pair = own[:, None] * own
        # Sums of chances may exceed 1 by their rounding.
        within.append(min(1.0, float((pair * np.maximum(closer + same / 2, 0.0)).sum())))
        ties.append(min(1.0, float((pair * same).sum())))
        mine, level = _masses(distances, own)
        balls.append(float((pair * np.square(mine + level / 2 - below - same / 2)).sum()))
    p1, p2 = within
    literal = 1 - abs(p1 + p2 + sum(ties) / 2 - 1)
    return ExactCongruity(
        (p1, p2),
        1 - abs(p1 + p2 - 1),
        1 - max(abs(2 * p1 - 1), abs(2 * p2 - 1)),
        literal,
        (ties[0], ties[1]),
        sum(balls),
        min(1.0, float(np.abs(p - q).sum() / 2)),
    )


def anchored(table: ArrayLike, law: ArrayLike) -> float:
    """Return E C_anch: the mean of C with one fixed implementation a side as the only anchor, both sides of one law.

    It is at least 1/2 (T4 j) and seldom near 1, although the laws are equal: average over anchors first.

    >>> import numpy as np
    >>> angles = np.arange(100) * 2 * np.pi / 100
    >>> ring = abs(np.exp(1j * angles)[:, None] - np.exp(1j * angles)).round(9)
    >>> round(anchored(ring, np.full(100, 0.01)), 3)
    0.5
    """
    distances, _ = _checked(table, np.ones(len(np.asarray(law)), dtype=bool), both=False)
    distances = _snapped(distances)
    p = _law(law, len(distances))
    below, same = _masses(distances, p)
    u = below + same / 2  # u[i, j]: mid-CDF at d(i, j) of the distance from i
    return float((p[:, None] * p * (1 - np.abs(u + u.T - 1))).sum())


def _snapped(distances: Floats) -> Floats:
    """Return distances in units of the largest, to 10 places, so that those which rounding tells apart are ties."""
    return np.asarray(np.round(distances / (distances.max() or 1.0), 10))


def _masses(distances: Floats, law: Floats) -> tuple[Floats, Floats]:
    """Return (N, N): mass of a law nearer to i than j is, and as near."""
    below, same = np.zeros_like(distances), np.zeros_like(distances)
    for i, row in enumerate(distances):
        order = np.argsort(row, kind="stable")
        total = np.concatenate([[0.0], np.cumsum(law[order])])
        ranked = row[order]
        low, high = (np.searchsorted(ranked, row, side=side) for side in ("left", "right"))
        below[i], same[i] = total[low], total[high] - total[low]
    return below, same


def _checked(table: ArrayLike, side: ArrayLike, *, both: bool = True) -> tuple[Floats, NDArray[np.bool_]]:
    distances, first = np.asarray(table, dtype=np.float64), np.asarray(side, dtype=bool)
    if distances.ndim != 2 or distances.shape != (len(first), len(first)) or not len(first):
        raise InputError(f"equivalence: the table has shape {distances.shape} for {len(first)} implementations")
    if not np.isfinite(distances).all() or (distances < 0).any():
        raise InputError("equivalence: the table holds NaN, infinity or negative distances")
    if _asymmetry(distances) > 1e-9 * float(distances.max()):
        raise InputError("equivalence: the table is not symmetric; these definitions need the worse direction of each")
    if both and (first.all() or not first.any()):
        raise InputError("equivalence: one set is empty, so that its distance to the other is infinite by definition")
    return distances, first


def _asymmetry(distances: Floats) -> float:
    """Return the largest difference of both directions, in blocks, as a whole transposed copy costs more than N^2."""
    blocks = [slice(start, start + 256) for start in range(0, len(distances), 256)]
    return max(
        float(np.abs(distances[one, two] - distances[two, one].T).max())
        for i, one in enumerate(blocks)
        for two in blocks[: i + 1]
    )


def _law(law: ArrayLike, n: int) -> Floats:
    found = np.asarray(law, dtype=np.float64)
    if found.shape != (n,) or not np.isfinite(found).all() or (found < 0).any() or abs(found.sum() - 1) > 1e-9:
        raise InputError(f"equivalence: a law is {n} probabilities that sum to 1; this one has shape {found.shape}")
    return found
