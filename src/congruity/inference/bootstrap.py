"""BCa intervals over independent units in weights form, with a Clopper-Pearson guard at the edges.

A resample is a weight per unit. A triple of three different units counts with the product of its weights, so copies of
one unit never meet: drawing indices instead would compare copies at distance zero and cover too rarely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr, ndtri

from congruity.inference.design import Design

Array = NDArray[np.float64]
Quantity = Literal["separation", "p1", "p2"]
BOUNDS: dict[Quantity, tuple[float, float]] = {"separation": (-1.0, 1.0), "p1": (0.0, 1.0), "p2": (0.0, 1.0)}


@dataclass(frozen=True)
class Resampled:
    """P1 and P2, in canonical order, of the data (2,), of resamples (B, 2) and with each unit left out (units, 2)."""

    observed: Array
    resamples: Array
    left_out: Array
    units: tuple[int, int]

    def interval(self, quantity: Quantity, alpha: float) -> tuple[float, float]:
        """Return the 1 - ``alpha`` interval: BCa, widened by the edge guard, never without the estimate."""
        bounds = BOUNDS[quantity]
        estimate = float(_value(self.observed, quantity))
        ends = bca(
            estimate,
            _value(self.resamples, quantity),
            acceleration(_value(self.left_out, quantity), self.units),
            alpha,
        )
        guard = edge_guard(estimate, bounds, min(self.units), alpha)
        return (
            max(bounds[0], min(estimate, ends[0], *guard)),
            min(bounds[1], max(estimate, ends[1], *guard)),
        )


def _value(p: Array, quantity: Quantity) -> Array:
    if quantity == "separation":
        return np.asarray(p[..., 0] + p[..., 1] - 1)
    return np.asarray(p[..., 0 if quantity == "p1" else 1])


def resample(design: Design, n_bootstrap: int, rng: np.random.Generator) -> Resampled:
    """Evaluate P1 and P2 on the data, on ``n_bootstrap`` resamples of units and on all leave-one-out samples."""
    first, second = design.units
    total = first + second
    draws = [rng.multinomial(k, np.full(k, 1 / k), size=n_bootstrap) for k in design.units]
    weights = np.concatenate([np.ones((1, total)), 1 - np.eye(total), np.concatenate(draws, axis=1)])
    values = weighted_p(design, weights)
    kept = values[1 + total :]
    return Resampled(
        observed=values[0],
        resamples=kept[np.isfinite(kept).all(axis=1)],  # a resample of one unit only has nothing to compare
        left_out=values[1 : 1 + total],
        units=design.units,
    )


def weighted_p(design: Design, weights: Array) -> Array:
    """Return (B, 2) P1 and P2 over triples of different units, each weighing the product of its units' ``weights``.

    ``weights`` is (B, units) of whole numbers, NaN where no triple is left. Sums are of halves below 2^24 up to about
    2,900 implementations a side, so single precision is exact and the order of summation cannot matter.
    """
    own = weights[:, design.unit].T.astype(np.float32)  # (n, B)
    sides = (np.flatnonzero(design.first), np.flatnonzero(~design.first))
    result = np.full((len(weights), 2), np.nan)
    for column, (mine, other) in enumerate((sides, sides[::-1])):
        wins = np.zeros(len(weights))
        pairs = np.zeros(len(weights))
        for anchor in mine:
            mates = mine[design.unit[mine] != design.unit[anchor]]
            within, between = design.toward[anchor, mates][:, None], design.toward[anchor, other]
            closer = (within < between).astype(np.float32) + np.float32(0.5) * (within == between)
            won = np.einsum("ib,ib->b", own[mates], closer @ own[other])
            wins += own[anchor].astype(np.float64) * won
            pairs += own[anchor].astype(np.float64) * own[mates].sum(axis=0)
        triples = pairs * own[other].sum(axis=0)
        np.divide(wins, triples, out=result[:, column], where=triples > 0)
    return result


def acceleration(left_out: Array, units: tuple[int, int]) -> float:
    """Return the BCa acceleration of two independent samples from the leave-one-out values (Davison and Hinkley)."""
    cubes = squares = 0.0
    for part in np.split(left_out, [units[0]]):
        influence = (len(part) - 1) * (part.mean() - part)
        cubes += float((influence**3).sum()) / len(part) ** 3
        squares += float((influence**2).sum()) / len(part) ** 2
    return cubes / (6 * squares**1.5) if squares > 1e-24 else 0.0


def bca(estimate: float, resamples: Array, a: float, alpha: float) -> tuple[float, float]:
    """Return the bias-corrected accelerated interval; ties with the estimate count half (mid-p)."""
    count = len(resamples)
    same = np.isclose(resamples, estimate, rtol=0, atol=1e-12)
    below = (np.count_nonzero((resamples < estimate) & ~same) + np.count_nonzero(same) / 2) / count
    z0 = ndtri(np.clip(below, 0.5 / count, 1 - 0.5 / count))
    z = z0 + ndtri([alpha / 2, 1 - alpha / 2])
    scale = 1 - a * z
    # Beyond the pole of the correction the level is the most extreme one.
    adjusted = ndtr(z0 + z / np.where(scale > 0, scale, 1.0))
    levels = np.where(scale > 0, adjusted, z > 0)
    low, high = np.quantile(resamples, np.clip(levels, 0.0, 1.0))
    return float(low), float(high)


def edge_guard(estimate: float, bounds: tuple[float, float], units: int, alpha: float) -> tuple[float, ...]:
    """Return what the interval must include when the estimate lies within 2 / units of a bound, else nothing.

    If every triple agrees, every resample agrees and the bootstrap has zero width. Reading the distance to the bound
    as k = units * distance atypical units of ``units``, it is Clopper-Pearson (for k not whole, its beta quantiles).
    """
    ends: list[float] = []
    for bound, inward in zip(bounds, (1.0, -1.0), strict=True):
        gap = abs(estimate - bound)
        if gap <= 2 / units:
            ends.extend(bound + inward * share for share in clopper_pearson(gap * units, units, alpha))
    return tuple(ends)


def clopper_pearson(k: float, n: int, alpha: float) -> tuple[float, float]:
    """Return the 1 - ``alpha`` interval of a share when ``k`` (not necessarily whole) of ``n`` were counted."""
    low = float(betaincinv(k, n - k + 1, alpha / 2)) if k > 1e-9 else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - alpha / 2)) if k < n - 1e-9 else 1.0
    return low, high
