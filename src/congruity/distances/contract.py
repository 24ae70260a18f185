"""The contract of a distance: how its table is made, and what is checked of any distance, a user's own included."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from congruity._base.arrays import Array, Floats
from congruity._base.progress import Progress
from congruity._base.registry import parameters_of
from congruity.distances.gram import to_host
from congruity.errors import InputError
from congruity.protocols import Distance
from congruity.values import DistanceTable, Traits

_SLACK = 1e-6  # of the largest distance in a table: rounding contradicts no trait
_MOST = 64  # representations among which the triangle inequality is checked: N^3 triples


def table_of(
    distance: Distance,
    values: Floats,
    labels: tuple[str, ...],
    *,
    lower: Floats | None = None,
    upper: Floats | None = None,
    **found: Any,
) -> DistanceTable:
    """Return the table of a distance, with its name, hyper-parameters and declared traits.

    Args:
        distance: which made ``values``.
        values: (N, N), row = source, column = target.
        labels: N names.
        lower, upper: (N, N) certified bounds, where there are any.
        found: numbers for ``parameters`` that were found on the way, such as counts of iterations.
    """
    parameters = {**parameters_of(distance), **found}
    return DistanceTable(distance.name, values, labels, lower, upper, parameters, distance.traits)


def require_declared(distance: Distance) -> None:
    """Refuse an object that lacks a name, traits or a method ``table``.

    Raises:
        InputError: a class instead of an object, or a missing member.
    """
    if isinstance(distance, type):
        raise InputError(f"distance {distance.__name__} is a class; pass an object, {distance.__name__}()")
    missing = [] if isinstance(getattr(distance, "name", None), str) else ["name"]
    missing += [] if isinstance(getattr(distance, "traits", None), Traits) else ["traits"]
    missing += [] if callable(getattr(distance, "table", None)) else ["table()"]
    if missing:
        raise InputError(
            f"distance {type(distance).__name__} has no {' and no '.join(missing)}; give its class name = 'mine', "
            "traits = congruity.values.Traits(metric=, symmetric=, invariances=, range=, reference=), on which "
            "certificates rest, and a method table(grams, labels, *, progress)"
        )


def tabulate(
    distance: Distance, grams: Array, labels: tuple[str, ...], *, progress: Progress, **more: Any
) -> DistanceTable:
    """Return the table of ``grams`` by a distance, with its declared traits; refuse a table that contradicts them.

    Args:
        distance: any object with the members of `congruity.protocols.Distance`.
        grams: Gram matrices (N, m, m).
        labels: N names.
        progress: called as (stage, done, total).
        more: keywords of this distance's own ``table``.

    Raises:
        InputError: no traits; no `DistanceTable`, or a table of other labels or other traits; or a table that is not
            symmetric, leaves the declared range on Gram matrices of trace 1, or breaks the triangle inequality, though
            the traits promise these.
    """
    require_declared(distance)
    table = distance.table(grams, labels, progress=progress, **more)
    _require_own(distance, table, labels)
    unit = bool(np.abs(to_host(array_namespace(grams).linalg.trace(grams)) - 1.0).max() < _SLACK)
    if (broken := _contradiction(distance.traits, table, unit)) is not None:
        raise InputError(f"distance {distance.name!r} declares {broken}; correct its traits or its table")
    return table if table.traits is not None else dataclasses.replace(table, traits=distance.traits)


def _require_own(distance: Distance, table: object, labels: tuple[str, ...]) -> None:
    """Refuse what is no table, and a table whose labels or traits are not those of this distance and call."""
    if not isinstance(table, DistanceTable):
        raise InputError(f"distance {distance.name!r} gave {type(table).__name__} and no DistanceTable")
    if tuple(table.labels) != tuple(labels):
        raise InputError(f"distance {distance.name!r} gave a table of other labels than it was asked for")
    if table.traits not in (None, distance.traits):
        raise InputError(f"distance {distance.name!r} gave a table of other traits than it declares")


def _contradiction(traits: Traits, table: DistanceTable, unit: bool) -> str | None:
    """Return what the traits declare and the table contradicts, with the numbers; None where nothing is."""
    values, labels = table.values, table.labels
    slack = _SLACK * float(np.abs(values).max(initial=0.0))
    if traits.symmetric and (gap := np.abs(values - values.T)).max(initial=0.0) > slack:
        i, j = np.unravel_index(int(gap.argmax()), gap.shape)
        return (
            f"symmetric=True, but is {values[i, j]:.4g} from {labels[i]!r} to {labels[j]!r} and {values[j, i]:.4g} back"
        )
    low, high = traits.range
    if unit and values.size and (values.min() < low - slack or values.max() > high + slack):
        worst = values.min() if values.min() < low - slack else values.max()
        return f"range=({low:g}, {high:g}), but is {worst:.4g} for centred representations of unit norm"
    if traits.metric and (triple := _broken_triangle(table, slack)) is not None:
        first, middle, last = (labels[place] for place in triple)
        return f"metric=True, but is farther from {first!r} to {last!r} than by way of {middle!r}"
    return None


def _broken_triangle(table: DistanceTable, slack: float) -> tuple[int, int, int] | None:
    """Return i, j, k among the first 64 with d(i, k) > d(i, j) + d(j, k) for certain; None where there are none."""
    lower, upper = ((table.values if bound is None else bound)[:_MOST, :_MOST] for bound in (table.lower, table.upper))
    for j in range(len(lower)):
        excess = lower - (upper[:, [j]] + upper[j])
        if excess.max() > slack:
            i, k = np.unravel_index(int(excess.argmax()), excess.shape)
            return int(i), j, int(k)
    return None
