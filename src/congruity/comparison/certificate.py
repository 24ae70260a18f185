"""What a comparison guarantees: each statement of the theory that applies, with its number and what it assumes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from congruity._base.arrays import Floats
from congruity._base.streams import stream
from congruity.distances.gram import square_roots
from congruity.distances.held_out import generalisation
from congruity.theory import bounds
from congruity.values import DistanceTable, Estimate, Guarantee, HeldOut, RelativeDistance

_DELTA = 0.05

NEVER = (
    "That the two interpretations are equal (d_interp = 0): finitely many implementations leave room for others.",
    "How large a compression is: the largest distance in a sample is only a lower bound of it.",
    "That the implementations sampled are all kinds there are.",
    "Anything about interventions and inputs that no query made.",
    "Any claim over all alignments: with value maps of any kind, nearly every network implements every interpretation.",
)


def guarantees(
    estimate: Estimate,
    table: DistanceTable | None,
    side: Sequence[str],
    *,
    relative: RelativeDistance | None = None,
    population: HeldOut | None = None,
) -> tuple[Guarantee, ...]:
    """Return what theorems say of a comparison, each with what it needs, and what no sample can show.

    Args:
        estimate: the numbers.
        table, side: distances between the implementations with their labels; None where they were not kept.
        relative: the distance of the unedited models, of one network a side.
        population: the bracket of d_repr over all prompts, from `over_prompts`.
    """
    found = [
        *_overlap(table, side),
        *_pac(estimate, table, relative),
        *_laws(estimate),
        *_inputs(population),
    ]
    return (*found, *(Guarantee("", says, "", "never") for says in NEVER))


def over_prompts(a: Floats, b: Floats) -> HeldOut:
    """Return the bracket of d_repr over all prompts, from Gram matrices (m, m) on m of them; half fit the maps (T6)."""
    x, y = (root.T for root in square_roots(np.stack([a, b])))
    return generalisation(
        x,
        y,
        0.5,
        center=True,
        normalize=True,
        tol=1e-3,
        shuffles=0,
        confidence=1 - _DELTA,
        rng=stream(0, "certificates", "prompts"),
    )


def _overlap(table: DistanceTable | None, labels: Sequence[str]) -> list[Guarantee]:
    """S2, by what the sample shows: two implementations of one side as far apart as one of them from the other side."""
    if table is None:
        return [_silent("S2", "The result was stored without its distances.")]
    if (barred := _no_metric(table)) is not None:
        return [_silent("S2", barred)]
    first = np.array([label == labels[0] for label in labels])
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
            f"what was admitted is an implementation; d is the mean of both directions{_assumed(table)}",
            "assumed" if table.traits is None else "certain",
            (0.0, most),
        )
    ]


def _pac(estimate: Estimate, table: DistanceTable | None, near: RelativeDistance | None) -> list[Guarantee]:
    """H2: what the balls around the two models that hold the samples hold of their laws."""
    if near is None or near.reach is None or near.bounds is None:
        return [_silent("H2", "It needs one network a side and the distance between the two unedited ones.")]
    if not estimate.independent:
        return [_silent("H2", "The draws are paired, and it needs independent ones.")]
    if table is not None and (barred := _no_metric(table)) is not None:
        return [_silent("H2", barred)]
    assumed = "" if table is None else _assumed(table)
    epsilon = bounds.pac_epsilon(min(estimate.n), _DELTA)
    low, _ = bounds.hausdorff_interval(near.bounds[0], near.reach)
    _, high = bounds.hausdorff_interval(near.bounds[1], near.reach)
    return [
        Guarantee(
            "H2",
            f"With confidence {1 - _DELTA:g}, the balls around the two models that hold all implementations sampled "
            f"(radii {near.reach[0]:.3g} and {near.reach[1]:.3g}) hold {1 - epsilon:.0%} of what either sampler draws "
            f"(epsilon {epsilon:.3g}, delta {_DELTA:g}), and the Hausdorff distance of these two sets lies in "
            f"[{low:.3g}, {high:.3g}].",
            f"independent draws, {estimate.n[0]} and {estimate.n[1]}; it is about what the samplers draw, and not "
            f"about all implementations{assumed}",
            "95 %",
            (low, high),
        )
    ]


def _laws(result: Estimate) -> list[Guarantee]:
    """T4(d), the total variation that the data show, and T5(b), congruity for any laws."""
    if not result.independent:
        return [_silent("T4(d)", "The draws are paired, and it needs independent ones.")]
    if not result.balanced:
        return [_silent("T4(d)", "Some networks have more implementations than others, and weigh more.")]
    of_networks = result.n_bases is not None and result.scope != "these two networks"
    units = result.n_bases if of_networks and result.n_bases else result.n
    found = [_variation(result.tv_lower, units, "networks" if of_networks else "implementations")]
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


def _variation(least: float | None, units: tuple[int, int], what: str) -> Guarantee:
    if least is None:
        return _silent("T4(d)", "It needs an interval of T, which these data do not allow.")
    shown = ": the data show no difference." if least <= 0 else ". It says nothing of how far apart."
    return Guarantee(
        "T4(d)",
        f"The laws that the sides' implementations are drawn from differ by at least {least:.3g} in total "
        f"variation{shown}",
        f"independent draws, {units[0]} and {units[1]} {what}, and as many as bootstrap intervals need",
        "95 %",
        least,
    )


def _inputs(found: HeldOut | None) -> list[Guarantee]:
    """T6(b): the distance of the unedited models over all prompts."""
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


def _no_metric(table: DistanceTable) -> str | None:
    """Say why theorems about metrics are silent on a table: its distance declares that it is none."""
    if table.traits is None or table.traits.metric:
        return None
    return f"It needs the triangle inequality, which {table.measure} lacks."


def _assumed(table: DistanceTable) -> str:
    """Say what is assumed of a table whose distance declares nothing, as of plain arrays."""
    return "" if table.traits is not None else "; these distances obey the triangle inequality, which is not known"


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
