"""Bounds between congruity and the laws that implementations are drawn from (S1 to S5, T4)."""

from __future__ import annotations

import math

import numpy as np

from congruity.theory.bounds.statement import Interval, chances, holds, magnitudes, states


@states("S1")
def separated_score(nearest: float, compressions: Interval) -> float:
    """S1. C of two sets that are further from each other than either is wide: exactly 0, in every sample too."""
    magnitudes("S1", nearest=nearest, kappa_1=compressions[0], kappa_2=compressions[1])
    holds("S1", nearest > max(compressions), "a gap larger than max(kappa)", f"{nearest} <= {max(compressions)}")
    return 0.0


@states("S2")
def distance_from_overlap(score: float, compressions: Interval) -> float:
    """S2. C > 0 shows d_interp <= 2 max(kappa). C is that of the laws, or of any sample: one reversal is enough."""
    chances("S2", score=score)
    magnitudes("S2", kappa_1=compressions[0], kappa_2=compressions[1])
    holds("S2", score > 0, "C > 0", score)
    return 2 * max(compressions)


@states("S3")
def score_ceiling(near: float, wide: Interval) -> float:
    """S3. C <= 2 P[d(X, Y) < r] + P[d(X, X') >= r] + P[d(Y, Y') >= r], for any one r."""
    chances("S3", near=near, wide_1=wide[0], wide_2=wide[1])
    return min(1.0, 2 * near + sum(wide))


@states("S4")
def score_floor(near_ties: Interval) -> tuple[float, float]:
    """S4. Least C and C_min of samplers that can be coupled within epsilon: 1 - mean(tau), 1 - max(tau).

    tau_i = P[|d(X, X') - d(X, X'')| <= epsilon] within side i.
    """
    chances("S4", tau_1=near_ties[0], tau_2=near_ties[1])
    return 1 - sum(near_ties) / 2, 1 - max(near_ties)


@states("S5")
def shifted_chance(p: float, near_ties: float) -> Interval:
    """S5. P_i with distances that are off by up to epsilon: p +- P[|d(X, X') - d(X, Y)| <= 2 epsilon]."""
    chances("S5", p=p, near_ties=near_ties)
    return max(0.0, p - near_ties), min(1.0, p + near_ties)


@states("T4(b)")
def literal_score(ties: float) -> float:
    """T4(b). What "<=" in place of mid-p makes of C = 1 under equal laws: 1 - P[tie]. (0 for two equal points.)"""
    chances("T4(b)", ties=ties)
    return 1 - ties


@states("T4(d)")
def least_score(total_variation: float) -> float:
    """T4(d). C >= 1 - t^2 (2 - t), t the total variation of the sampler laws. Sharp.

    >>> round(least_score(0.1), 3)
    0.981
    """
    chances("T4(d)", total_variation=total_variation)
    return 1 - total_variation**2 * (2 - total_variation)


@states("T4(d)")
def least_total_variation(score: float) -> float:
    """T4(d), read backwards. The total variation that C of two laws shows at least.

    >>> [round(least_total_variation(c), 3) for c in (0.95, 0.9, 0.75, 0.5, 0.25, 0.0)]
    [0.165, 0.238, 0.395, 0.597, 0.786, 1.0]
    """
    chances("T4(d)", score=score)
    roots = np.roots([1.0, -2.0, 0.0, 1.0 - score]).real  # of t^2 (2 - t) = 1 - C: below 0, in [0, 1], above 1
    return float(np.clip(np.sort(roots)[1], 0.0, 1.0))


@states("T4(e)")
def least_score_min(total_variation: float) -> float:
    """T4(e). C_min >= (1 - t)^2."""
    chances("T4(e)", total_variation=total_variation)
    return (1 - total_variation) ** 2


@states("T4(e)")
def total_variation_from_chance(p: float) -> float:
    """T4(e), read backwards. What P1 or P2 alone shows: |2 p - 1| <= 1 - (1 - t)^2."""
    chances("T4(e)", p=p)
    return 1 - math.sqrt(1 - abs(2 * p - 1))


@states("T4(g)")
def least_ball_divergence(p1: float, p2: float) -> float:
    """T4(g). (P1 - 1/2)^2 + (P2 - 1/2)^2 <= ball divergence: congruity is its signed first moment."""
    chances("T4(g)", p1=p1, p2=p2)
    return (p1 - 0.5) ** 2 + (p2 - 0.5) ** 2


@states("T4(i)")
def smallest_p_value(n: int) -> float:
    """T4(i). Of a permutation test with n + n implementations, all labellings: 2 / binomial(2n, n).

    >>> [round(smallest_p_value(n), 3) for n in (2, 3, 4, 5)]
    [0.333, 0.1, 0.029, 0.008]
    """
    holds("T4(i)", n >= 1, "at least one implementation a side", n)
    return 2 / math.comb(2 * n, n)
