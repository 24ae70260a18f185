"""Distance tables of a pair: on all prompts, on halves of them, and without folds of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.engine import one_blas_thread
from congruity._base.gram import standard_gram
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.comparison.alike import Pair, Rows
from congruity.distances import tabulate
from congruity.errors import InputError
from congruity.protocols import Distance
from congruity.values import DistanceTable, Fingerprint, Queries

MIN_PROMPTS = 16  # below, half of the prompts are too few for any distance

Making = Callable[[Fingerprint, Fingerprint, Distance, Rows | None, Progress], DistanceTable]


class Measured(NamedTuple):
    """Distances of a pair: on all prompts, on two halves of them, and without one of some folds of them at a time.

    Rows are [clean a, clean b, implementations of a, implementations of b]. ``trouble`` says why there are no halves,
    where there are none.
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
    grams: Floats = np.concatenate([a.clean_gram[None], b.clean_gram[None], a.grams, b.grams])
    if rows is not None:
        grams = np.stack([standard_gram(gram[np.ix_(rows, rows)]) for gram in grams])
    labels = ["clean a", "clean b"] + [f"a{i}" for i in range(a.n)] + [f"b{i}" for i in range(b.n)]
    with one_blas_thread():
        return tabulate(distance, grams, tuple(labels), progress=progress)


def measured(
    pair: Pair,
    distance: Distance,
    *,
    folds: int = 0,
    progress: Progress = silent,
    make: Making = distance_table,
) -> Measured:
    """Measure a pair on all prompts, on two random halves and, if asked, without one of ``folds`` groups at a time.

    The groups depend on the prompts alone, so that all pairs of models share them.

    Raises:
        InputError: 1 fold, or more than a quarter of the prompts.
    """
    count = len(pair.a.queries.ids)
    if folds and not 2 <= folds <= count // 4:
        raise InputError(f"compare: {folds} folds of {count} prompts; ask for 2 to {count // 4}, or 0 for none")

    def made(rows: Rows | None) -> DistanceTable:
        return make(pair.a, pair.b, distance, rows, progress)

    whole = made(None)
    if count < MIN_PROMPTS:
        return Measured(whole, trouble=f"{count} prompts are too few to measure on half of them")
    try:
        halves = tuple(made(rows) for rows in _groups(pair.a.queries, 2))
    except InputError as error:
        return Measured(whole, trouble=f"no distances on half of the prompts: {error}")
    groups = _groups(pair.a.queries, folds) if folds else []
    return Measured(whole, halves, tuple(made(np.setdiff1d(np.arange(count), group)) for group in groups))


def rows_of(table: DistanceTable, rows: Rows) -> DistanceTable:
    """Return the distances between some rows."""
    places = np.ix_(rows, rows)
    return dataclasses.replace(
        table,
        values=table.values[places],
        labels=tuple(table.labels[row] for row in rows),
        lower=None if table.lower is None else table.lower[places],
        upper=None if table.upper is None else table.upper[places],
    )


def _groups(queries: Queries, count: int) -> list[Rows]:
    """Return ``count`` random groups of prompts that differ in size by one at most, each in order."""
    order = stream(0, "prompt groups", queries.digest).permutation(len(queries.ids))
    return [np.sort(order[k::count]) for k in range(count)]
