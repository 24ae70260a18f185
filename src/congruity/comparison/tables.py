"""Distance tables of two fingerprints: on all prompts, on halves of them, and without folds of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from congruity._base.arrays import Floats
from congruity._base.engine import one_blas_thread
from congruity._base.gram import standard_gram
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.comparison.alike import chosen, require_comparable
from congruity.comparison.certificate import _DELTA
from congruity.distances import tabulate
from congruity.distances.gram import square_roots
from congruity.distances.held_out import generalisation
from congruity.errors import InputError
from congruity.protocols import Distance
from congruity.values import DistanceTable, Fingerprint, HeldOut, Queries


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


_MIN_PROMPTS = 16  # below, half of the prompts are too few for any distance


Rows = NDArray[np.intp]


Making = Callable[[Fingerprint, Fingerprint, Distance, Rows | None, Progress], DistanceTable]


class Measured(NamedTuple):
    """Distances of a pair: on all prompts, on two halves of them, and without one of some folds of them at a time.

    ``trouble`` says why there are no halves, where there are none.
    """

    whole: DistanceTable
    halves: tuple[DistanceTable, ...] = ()
    folds: tuple[DistanceTable, ...] = ()
    trouble: str = ""


def distance_table(
    a: Fingerprint, b: Fingerprint, distance: Distance, rows: Rows | None = None, progress: Progress = silent
) -> DistanceTable:
    """Return all distances between [clean a, clean b, implementations of a, implementations of b], in that order.

    On the prompts ``rows`` only, where given: sub-matrices of the Gram matrices, centred and scaled anew.
    """
    require_comparable(a, b)
    grams: Floats = np.concatenate([a.clean_gram[None], b.clean_gram[None], a.grams, b.grams])
    if rows is not None:
        grams = np.stack([standard_gram(gram[np.ix_(rows, rows)]) for gram in grams])
    labels = ["clean a", "clean b"] + [f"a{i}" for i in range(a.n)] + [f"b{i}" for i in range(b.n)]
    with one_blas_thread():
        return tabulate(distance, grams, tuple(labels), progress=progress)


def measured(
    a: Fingerprint,
    b: Fingerprint,
    distance: Distance,
    *,
    folds: int = 0,
    progress: Progress = silent,
    make: Making = distance_table,
) -> Measured:
    """Measure a pair on all prompts, on two random halves and, if asked, without one of ``folds`` groups at a time.

    The groups depend on the prompts alone, so that all pairs of models share them.

    Only the implementations of the kind that the verdict rests on are measured (`chosen`).

    Raises:
        NotComparableError: the sides answer different queries, or were scaled differently.
        InputError: 1 fold, or more than a quarter of the prompts.
    """
    a, b = chosen(a, b)
    count = len(a.queries.ids)
    if folds and not 2 <= folds <= count // 4:
        raise InputError(f"compare: {folds} folds of {count} prompts; ask for 2 to {count // 4}, or 0 for none")
    whole = make(a, b, distance, None, progress)
    if count < _MIN_PROMPTS:
        return Measured(whole, trouble=f"{count} prompts are too few to measure on half of them")
    try:
        halves = tuple(make(a, b, distance, rows, progress) for rows in _groups(a.queries, 2))
    except InputError as error:
        return Measured(whole, trouble=f"no distances on half of the prompts: {error}")
    groups = _groups(a.queries, folds) if folds else []
    kept = (np.setdiff1d(np.arange(count), group) for group in groups)
    return Measured(whole, halves, tuple(make(a, b, distance, rows, progress) for rows in kept))


def _groups(queries: Queries, count: int) -> list[Rows]:
    """Return ``count`` random groups of prompts that differ in size by one at most, each in order."""
    order = stream(0, "prompt groups", queries.digest).permutation(len(queries.ids))
    return [np.sort(order[k::count]) for k in range(count)]


def _only(table: DistanceTable, rows: Rows) -> DistanceTable:
    """Return the distances between some rows."""
    places = np.ix_(rows, rows)
    return DistanceTable(
        table.measure,
        table.values[places],
        tuple(table.labels[row] for row in rows),
        None if table.lower is None else table.lower[places],
        None if table.upper is None else table.upper[places],
        table.parameters,
        table.traits,
    )
