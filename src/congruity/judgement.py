"""The light half of the flow: two fingerprints, distances between their implementations, and what follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from congruity._random import stream
from congruity.engine import one_blas_thread
from congruity.errors import InputError, NotComparableError
from congruity.inference import estimate, not_applicable, prompt_error
from congruity.measure import standard_gram
from congruity.protocols import Distance, Progress, silent
from congruity.results import Congruity, DistanceTable
from congruity.values import Fingerprint, Floats, Queries

MIN_ACCURACY = 0.75
_STRENGTH_RATIO = 2.0  # mean KLs of the two sides further apart than this are called unmatched
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
        return distance.table(grams, tuple(labels), progress=progress)


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

    Raises:
        NotComparableError: the sides answer different queries, or were scaled differently.
        InputError: 1 fold, or more than a quarter of the prompts.
    """
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


def judge(
    a: Fingerprint,
    b: Fingerprint,
    tables: Measured,
    *,
    margin: float | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> Congruity:
    """Turn the distances of a pair into a verdict about ``a`` and ``b``; arguments as for `estimate`."""
    side = ["a"] * a.n + ["b"] * b.n
    base = [i.base for i in a.admitted] + [i.base for i in b.admitted]
    names = (a.model.name, b.model.name)
    inner, *parts = (_without_clean(table) for table in (tables.whole, *tables.halves, *tables.folds))
    with one_blas_thread():
        prompts = None
        if parts:
            prompts = prompt_error(inner, parts[:2], side, base=base, n=len(a.queries.ids), folds=parts[2:])
        result = estimate(
            inner,
            side,
            base=base,
            margin=margin,
            alpha=alpha,
            seed=seed,
            names=names,
            prompts=prompts,
            require_prompts=True,
        )
    unchecked = (f"reliability over prompts was not checked: {tables.trouble}",) if tables.trouble else ()
    result = dataclasses.replace(
        result,
        rho=_rho(tables.whole.values, a.n),
        warnings=(*result.warnings, *unchecked, *_strength_warnings(a, b)),
        provenance={
            **result.provenance,
            "a": a.digest,
            "b": b.digest,
            "queries": a.queries.digest,
            "mean_kl": [a.mean_kl, b.mean_kl],
        },
    )
    for fingerprint in (a, b):
        if not fingerprint.capable:
            model, task = fingerprint.model.name, fingerprint.queries.task
            return not_applicable(result, incapable(model, fingerprint.accuracy, task))
    return result


def _groups(queries: Queries, count: int) -> list[Rows]:
    """Return ``count`` random groups of prompts that differ in size by one at most, each in order."""
    order = stream(0, "prompt groups", queries.digest).permutation(len(queries.ids))
    return [np.sort(order[k::count]) for k in range(count)]


def _without_clean(table: DistanceTable) -> DistanceTable:
    return DistanceTable(
        table.measure,
        table.values[2:, 2:],
        table.labels[2:],
        None if table.lower is None else table.lower[2:, 2:],
        None if table.upper is None else table.upper[2:, 2:],
        table.parameters,
    )


def require_comparable(a: Fingerprint, b: Fingerprint) -> None:
    """Raise `NotComparableError`, with what differs, unless both fingerprints answer the same queries alike."""
    remedy = (
        "make both with the same task and seed; where a tokenizer splits some of the task's words, give "
        "`congruity compare` both models instead, which uses the words that both have"
    )
    pairs = [
        ("tasks", a.queries.task, b.queries.task),
        ("numbers of queries", len(a.queries.ids), len(b.queries.ids)),
        ("token positions", a.queries.position, b.queries.position),
        ("query interventions", a.queries.intervention, b.queries.intervention),
        ("queries", a.queries.digest[:12], b.queries.digest[:12]),
        ("layer scalings", a.scaling, b.scaling),
    ]
    for what, left, right in pairs:
        if left != right:
            raise NotComparableError(
                f"{a.model.name} and {b.model.name} cannot be compared: different {what}, {left} and {right}; {remedy}"
            )


def incapable(name: str, accuracy: float, task: str) -> str:
    """The sentence for a model that cannot do the task."""
    return (
        f"{name} cannot do the task {task}: accuracy {accuracy:.2f}, at least {MIN_ACCURACY:.2f} is needed, so "
        "whether it solves it the same way is not a question"
    )


def _rho(values: Floats, n_a: int) -> float | None:
    """Clean-to-clean distance over the mean distance from a clean model to its own implementations."""
    between = (values[0, 1] + values[1, 0]) / 2
    own_a = (values[0, 2 : 2 + n_a] + values[2 : 2 + n_a, 0]) / 2
    own_b = (values[1, 2 + n_a :] + values[2 + n_a :, 1]) / 2
    radius = (own_a.mean() + own_b.mean()) / 2
    return float(between / radius) if radius > 0 else None


def _strength_warnings(a: Fingerprint, b: Fingerprint) -> tuple[str, ...]:
    strengths = [a.mean_kl, b.mean_kl]
    found = []
    if max(strengths) > _STRENGTH_RATIO * min(strengths):
        found.append(
            f"the implementations were not sampled at matched strength (mean KL {strengths[0]:.3f} and "
            f"{strengths[1]:.3f} nats), which alone can separate two sets"
        )
    for key in ("intervention", "finder"):
        if a.settings.get(key) != b.settings.get(key):
            found.append(f"the sides were made with different {key}s: {a.settings.get(key)} and {b.settings.get(key)}")
    return tuple(found)
