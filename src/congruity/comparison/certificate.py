"""What a comparison guarantees: each statement of the theory that applies, with its number and what it assumes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from congruity import distances
from congruity._base.arrays import Floats
from congruity.theory import bounds
from congruity.values import Congruity, DistanceTable, Guarantee

_DELTA = 0.05

NEVER = (
    "That the two interpretations are equal (d_interp = 0): finitely many implementations leave room for others.",
    "How large a compression is: the largest distance in a sample is only a lower bound of it.",
    "That the implementations sampled are all kinds there are.",
    "Anything about interventions and inputs that no query made.",
    "Any claim over all alignments: with value maps of any kind, nearly every network implements every interpretation.",
)


def certificate(result: Congruity) -> tuple[Guarantee, ...]:
    """Return what can be said of a comparison, and what cannot; see `Congruity.certificate`."""
    found = [*_overlap(result), *_pac(result), *_laws(result), *_inputs(result)]
    return (*found, *(Guarantee("", says, "", "never") for says in NEVER))


def _overlap(result: Congruity) -> list[Guarantee]:
    """S2, by what the sample shows: two implementations of one side as far apart as one of them from the other side."""
    table = result.table
    if table is None:
        return [_silent("S2", "The result was stored without its distances.")]
    metric, assumed = _metric(table)
    if not metric:
        return [_silent("S2", assumed)]
    first = np.array([side == result.side[0] for side in result.side])
    lower, upper = (_symmetric(table.values if part is None else part) for part in (table.lower, table.upper))
    seen = (float(lower[np.ix_(first, first)].max()), float(lower[np.ix_(~first, ~first)].max()))
    nearest, width = float(upper[np.ix_(first, ~first)].min()), max(seen)
    if not _reversed(lower, upper, first):
        return [
            _silent(
                "S2",
                "No implementation is certainly as near to one of the other side as to one of its own, so that nothing "
                "bounds d_interp from above.",
            )
        ]
    most = 1 + min(1.0, nearest / width if width > 0 else 0.0)
    return [
        Guarantee(
            "S2",
            "An implementation of one side is at least as near to the other side as to one of its own. So the distance "
            f"of the interpretations, d_interp, is at most {most:.3g} kappa, kappa being the largest distance within "
            f"either implementation set. In the samples that is {seen[0]:.3g} and {seen[1]:.3g}, lower bounds of it: "
            f"were they all, d_interp would be at most {most * width:.3g}.",
            f"what was admitted is an implementation; d is the mean of both directions{assumed}",
            "certain",
            (0.0, most),
        )
    ]


def _pac(result: Congruity) -> list[Guarantee]:
    near = result.closeness
    if near is None or near.reach is None or near.bounds is None:
        return [_silent("H2", "It needs one network a side and the distance between the two unedited ones.")]
    if not result.independent:
        return [_silent("H2", "The draws are paired, and it needs independent ones.")]
    metric, assumed = (True, "") if result.table is None else _metric(result.table)
    if not metric:
        return [_silent("H2", assumed)]
    epsilon = bounds.pac_epsilon(min(result.n), _DELTA)
    low, _ = bounds.hausdorff_interval(near.bounds[0], near.reach)
    _, high = bounds.hausdorff_interval(near.bounds[1], near.reach)
    return [
        Guarantee(
            "H2",
            f"With confidence {1 - _DELTA:g}, the balls around the two models that hold all implementations sampled "
            f"(radii {near.reach[0]:.3g} and {near.reach[1]:.3g}) hold {1 - epsilon:.0%} of what either sampler draws "
            f"(epsilon {epsilon:.3g}, delta {_DELTA:g}), and the Hausdorff distance of these two sets lies in "
            f"[{low:.3g}, {high:.3g}].",
            f"independent draws, {result.n[0]} and {result.n[1]}; it is about what the samplers draw, and not about "
            f"all implementations{assumed}",
            "95 %",
            (low, high),
        )
    ]


def _laws(result: Congruity) -> list[Guarantee]:
    if not result.independent:
        return [_silent("T4(d)", "The draws are paired, and it needs independent ones.")]
    if not result.balanced:
        return [_silent("T4(d)", "Some networks have more implementations than others, and weigh more.")]
    of_networks = result.n_bases is not None and result.scope != "these two networks"
    units = result.n_bases if of_networks and result.n_bases else result.n
    found = [
        Guarantee(
            "T4(d)",
            f"The laws that the sides' implementations are drawn from differ by at least {result.tv_lower:.3g} in "
            "total variation"
            + (": the data show no difference." if result.tv_lower <= 0 else ". It says nothing of how far apart."),
            f"independent draws, {units[0]} and {units[1]} {'networks' if of_networks else 'implementations'}, and as "
            "many as bootstrap intervals need",
            "95 %",
            result.tv_lower,
        )
    ]
    if min(units) < 2:
        return [*found, _silent("T5(b)", "It needs two independent units a side.")]
    error = bounds.score_error(units, _DELTA)
    low, high = max(0.0, result.score - error), min(1.0, result.score + error)
    return [
        *found,
        Guarantee(
            "T5(b)",
            f"For any two laws whatever, C lies in [{low:.3g}, {high:.3g}]"
            + (": too few draws for a bound that holds for all laws." if high - low >= 1 else "."),
            f"independent draws, {units[0]} and {units[1]}, however few",
            "95 %",
            (low, high),
        ),
    ]


def _inputs(result: Congruity) -> list[Guarantee]:
    found = result.population
    if found is None:
        return [_silent("T6(b)", "It is for d_repr (distance spectral) of two single networks on at least 16 prompts.")]
    low, high = found.lower, min(1.0, found.upper)  # T3(d): of representations of norm 1 it is never above 1
    return [
        Guarantee(
            "T6(b)",
            f"Over all prompts like these, d_repr of the two unedited models lies in [{low:.3g}, {high:.3g}]"
            + (": too few prompts for a bound" if high - low >= 1 else "")
            + f". It is {found.train:.3g} on the {found.n_train} prompts that its maps were fitted on, and "
            f"{found.test:.3g} on the {found.n_test} others.",
            "prompts drawn independently; the largest norm seen is the largest there is; centre and scale as measured",
            "95 %",
            (low, high),
        )
    ]


def _silent(number: str, why: str) -> Guarantee:
    return Guarantee(number, why, "", "silent")


def _metric(table: DistanceTable) -> tuple[bool, str]:
    """Whether theorems about distances apply to a measure, and what else they need, or why they do not."""
    known = {measure.name: measure.traits.metric for measure in distances.REGISTRY}
    if table.measure not in known:
        return True, "; these distances obey the triangle inequality"
    if known[table.measure]:
        return True, ""
    return False, f"It needs the triangle inequality, which {table.measure} lacks."


def _symmetric(table: Floats) -> Floats:
    """Return the mean of both directions, and 0 from each to itself, whatever the table holds there."""
    both: Floats = (table + table.T) / 2
    np.fill_diagonal(both, 0.0)
    return both


def _reversed(lower: Floats, upper: Floats, first: NDArray[np.bool_]) -> bool:
    """Whether for some x, d(x, x') >= d(x, y) for sure, x' of its own side and y of the other."""
    for side in (first, ~first):
        within, across = lower[np.ix_(side, side)], upper[np.ix_(side, ~side)]
        if (within.max(axis=1) >= across.min(axis=1)).any():
            return True
    return False
