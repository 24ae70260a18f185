"""Relative distance (rho) of two models, in units of the radii of their implementations, and the equivalent KL."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from congruity._base.arrays import Floats
from congruity.errors import InputError
from congruity.inference import lower_limit, mean_interval
from congruity.values import MIN_CLAIM, DistanceTable, EquivalentKL, RelativeDistance


def relative_distance(
    table: DistanceTable,
    n: tuple[int, int],
    *,
    kl: float | None = None,
    intervention: str | None = None,
    kinds: tuple[str, str] | None = None,
    mean_kls: tuple[float, float] | None = None,
    claims: bool = True,
    paired: bool = False,
    folds: Sequence[DistanceTable] = (),
) -> RelativeDistance | None:
    """Return the distance of two models in units of the radii of their implementations, with its uncertainty.

    rho = d(clean a, clean b) / ((radius a + radius b) / 2), radius a = mean over i of d(clean a, a_i).

    Every distance is the mean of its two directions. The implementations are the random units and the numerator is a
    number, so the interval of rho is that of 1 / mean radius, and its upper limit that of the radius' lower limit (see
    `congruity.inference.means` for the coverage of both). Prompts add sqrt((F-1)/F sum over f of (log rho without fold
    f - their mean)^2), with F - 1 degrees of freedom, to the half-widths on the log scale.

    With the same edits on both sides the units are the edits, each with its mean radius (r_a + r_b) / 2: the two radii
    of an edit rise and fall together, so that their variances do not add up as those of independent draws do.

    Args:
        table: distances, rows [clean a, clean b, implementations of a, of b].
        n: number of implementations of a and of b, at least 2 each.
        kl, intervention: what both sides were drawn with; kept in the result, which claims nothing without them.
        kinds, mean_kls: what the implementations of either side are, and the KL that they reached; kept in the result.
        claims: False where nothing may be claimed: the sides were not made alike, or one cannot do the task.
        paired: whether implementation i of b carries the edit of implementation i of a.
        folds: the same table without one of F groups of prompts at a time; none, or at least two.

    Returns:
        A `RelativeDistance`, or None where no implementation lies anywhere but at its model, as rho then has no unit.

    Raises:
        InputError: a table of another size, one implementation on a side, pairs of different number, or one fold.

    >>> places = np.array([0.0, 1.0, 2.0, -2.0, 3.0, -1.0])  # models at 0 and 1, each 2 from both its implementations
    >>> distances = DistanceTable("line", abs(places[:, None] - places), tuple("ABaabb"))
    >>> found = relative_distance(distances, (2, 2), kl=0.01)
    >>> found.rho, found.radii, found.upper, found.within  # two a side are too few for a claim
    (0.5, (2.0, 2.0), 0.5, None)
    """
    if len(folds) == 1 or any(len(part.labels) != 2 + sum(n) for part in (table, *folds)):
        raise InputError(
            f"relative_distance: {n[0]} and {n[1]} implementations need tables of {2 + sum(n)} rows, and no fold or "
            f"at least two; got {len(table.labels)} rows and {len(folds)} folds"
        )
    if paired and n[0] != n[1]:
        raise InputError(f"relative_distance: {n[0]} and {n[1]} implementations are no pairs")
    distance, radii = _distance_and_radii(table, n[0])
    units = ((radii[0] + radii[1]) / 2,) if paired else radii
    means = (float(radii[0].mean()), float(radii[1].mean()))
    unit = (means[0] + means[1]) / 2
    if unit <= 0:
        return None
    rho = distance / unit
    low, high = mean_interval(*units)
    interval = (distance / high, distance / low)
    least = lower_limit(*units)
    upper = distance / least if least > 0 else 0.0 if distance == 0 else None
    over_prompts = None
    if folds:
        over_prompts, upper = _over_prompts(rho, interval[1], upper, [ratio(part, n[0]) for part in folds])
    claimable = claims and kl is not None and intervention is not None and min(n) >= MIN_CLAIM
    return RelativeDistance(
        rho=rho,
        interval=interval,
        upper=upper,
        within=(upper is not None and upper < 1) if claimable else None,
        distance=distance,
        radii=means,
        radius_intervals=(mean_interval(radii[0]), mean_interval(radii[1])),
        kl=kl,
        intervention=intervention,
        over_prompts=over_prompts,
        kinds=kinds,
        mean_kls=mean_kls,
        reach=_reach(table, n[0]),
        bounds=_bounds(table),
    )


def ratio(table: DistanceTable, n_a: int) -> float | None:
    """Return rho alone; None where it has no unit."""
    distance, radii = _distance_and_radii(table, n_a)
    unit = float(radii[0].mean() + radii[1].mean()) / 2
    return distance / unit if unit > 0 else None


def _distance_and_radii(table: DistanceTable, n_a: int) -> tuple[float, tuple[Floats, Floats]]:
    both: Floats = (table.values + table.values.T) / 2
    return float(both[0, 1]), (both[0, 2 : 2 + n_a], both[1, 2 + n_a :])


def _reach(table: DistanceTable, n_a: int) -> tuple[float, float]:
    upper: Floats = table.values if table.upper is None else table.upper
    both = (upper + upper.T) / 2
    return float(both[0, 2 : 2 + n_a].max()), float(both[1, 2 + n_a :].max())


def _bounds(table: DistanceTable) -> tuple[float, float]:
    low, high = (table.values if part is None else part for part in (table.lower, table.upper))
    return float(low[0, 1] + low[1, 0]) / 2, float(high[0, 1] + high[1, 0]) / 2


def _over_prompts(
    rho: float, high: float, upper: float | None, without: Sequence[float | None]
) -> tuple[tuple[float, float] | None, float | None]:
    """Return the interval and the upper limit of rho with the error over prompts; None where a fold has no rho."""
    errors = _jackknife(without) if rho > 0 else (0.0, 0.0)
    if errors is None:
        return None, None
    both = _widened(rho, high, errors[0])
    return (rho / both, rho * both), None if upper is None else rho * _widened(rho, upper, errors[1])


def _jackknife(without: Sequence[float | None]) -> tuple[float, float] | None:
    """Return how far log rho may err over prompts, at 95 % to both sides and to one; None where a fold has no rho."""
    if not all(without):
        return None
    logs = np.log(np.array(without, dtype=np.float64))
    count = len(logs)
    error = math.sqrt((count - 1) / count * float(np.square(logs - logs.mean()).sum()))
    return float(stdtrit(count - 1, 0.975)) * error, float(stdtrit(count - 1, 0.95)) * error


def _widened(rho: float, upper: float, error: float) -> float:
    """Return the factor from rho to its upper end, with the error over prompts added on the log scale."""
    return math.exp(math.hypot(math.log(upper / rho), error)) if rho > 0 else 1.0


def equivalent_kl(found: Sequence[RelativeDistance]) -> EquivalentKL | None:
    """Return the KL at which rho is 1, from rho at some KLs of one intervention.

    log rho is interpolated linearly in log KL, as a radius is about a power of the KL; where it rises with the KL,
    adjacent values are pooled first. The range is where the ends of the intervals of rho are 1. Outside the KLs
    measured only that is said: with one KL alone, rho < 1 shown means an equivalent KL below it.

    Args:
        found: of one pair of models and one intervention, each at its own KL.

    Returns:
        An `EquivalentKL`; 0 for a model and itself; None where the KL of any is not known.

    Raises:
        InputError: nothing, several interventions, or one KL twice.

    >>> def at(kl, rho, spread=1.2):
    ...     ends = (rho / spread, rho * spread)
    ...     return RelativeDistance(rho, ends, ends[1], ends[1] < 1, 1.0, (1 / rho,) * 2, (ends,) * 2, kl, "resample")
    >>> found = equivalent_kl([at(0.01, 2.0), at(0.04, 1.0), at(0.16, 0.5)])
    >>> round(found.value, 9), round(found.low, 3), round(found.high, 3)
    (0.04, 0.028, 0.058)
    >>> equivalent_kl([at(0.01, 0.5)])
    EquivalentKL(value=None, low=None, high=0.01, kls=(0.01,), rhos=(0.5,), intervention='resample', where='below')

    Source: pooling adjacent violators, Ayer et al. (1955).
    """
    kinds = {one.intervention for one in found}
    kls = [one.kl for one in found if one.kl is not None]
    if len(kinds) != 1 or len(set(kls)) < len(kls):
        raise InputError("equivalent_kl: pass rho at different KLs of one intervention")
    intervention = kinds.pop()
    if intervention is None or len(kls) < len(found):
        return None
    ordered = sorted(found, key=lambda one: one.kl or 0.0)
    places, rhos = tuple(sorted(kls)), tuple(one.rho for one in ordered)
    if not any(rhos):
        return EquivalentKL(0.0, 0.0, 0.0, places, rhos, intervention, "below")
    value, under, over = _crossing(places, rhos)
    low, _, above = _crossing(places, [one.interval[0] for one in ordered])
    high, below, _ = _crossing(places, [one.interval[1] for one in ordered])
    return EquivalentKL(
        value=value,
        low=places[-1] if above else low,
        high=places[0] if below else high,
        kls=places,
        rhos=rhos,
        intervention=intervention,
        where="below" if under else "above" if over else "between",
    )


def _crossing(kls: Sequence[float], rhos: Sequence[float]) -> tuple[float | None, bool, bool]:
    """Return where rho is 1, or None and whether that is below all KLs, or above them."""
    falling = -_rising(-np.log(rhos))
    if falling[0] < 0 or falling[-1] > 0:
        return None, bool(falling[0] < 0), bool(falling[-1] > 0)
    return float(np.exp(np.interp(0.0, -falling, np.log(kls)))), False, False


def _rising(values: Floats) -> Floats:
    """Return the non-decreasing sequence nearest to ``values`` in least squares: pool adjacent violators."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        block = (value, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, count = blocks.pop()
            total = count + block[1]
            block = ((mean * count + block[0] * block[1]) / total, total)
        blocks.append(block)
    return np.repeat([mean for mean, _ in blocks], [count for _, count in blocks])
