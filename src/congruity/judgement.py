"""The light half of the flow: two fingerprints, distances between their implementations, and what follows from them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from congruity._digest import plain
from congruity._random import stream
from congruity.certificates import over_prompts
from congruity.closeness import closeness, equivalent_kl, ratio
from congruity.engine import one_blas_thread
from congruity.errors import InputError, NotComparableError
from congruity.inference import estimate, not_applicable, prompt_error, unmatched
from congruity.measure import standard_gram
from congruity.paired import are_paired, paired_in, pairs, parameters, rows_of_pairs
from congruity.protocols import Distance, Progress, silent
from congruity.results import Congruity, DistanceTable, Paired
from congruity.values import Fingerprint, Floats, Queries, Stratum

MIN_ACCURACY = 0.75
STRENGTH_RATIO = 1.5  # mean KLs of the two sides further apart than this are unmatched
POOL_OVERLAP = 0.9  # pools of one network with a smaller part of their union in common are different pools
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


def judge(
    a: Fingerprint,
    b: Fingerprint,
    tables: Measured,
    *,
    margin: float | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    require_prompts: bool = True,
) -> Congruity:
    """Turn the distances of a pair into a verdict about ``a`` and ``b``.

    Sides that were not made alike (`mismatches`) never are "different", and nothing is claimed from their rho. Sides
    with the same edits get neither test nor verdict, as their implementations are pairs and no independent draws.

    Args:
        tables: what `measured` returned for ``a`` and ``b``.
        margin, alpha, seed, require_prompts: as for `estimate`.
    """
    given = (a.digest, b.digest)
    a, b = chosen(a, b)
    side = ["a"] * a.n + ["b"] * b.n
    base = [i.base for i in a.admitted] + [i.base for i in b.admitted]
    names = (a.model.name, b.model.name)
    edits = np.arange(2, len(tables.whole.labels))
    inner, *parts = (_only(table, edits) for table in (tables.whole, *tables.halves, *tables.folds))
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
            require_prompts=require_prompts,
        )
    made = _made(a, b)
    unchecked = (f"reliability over prompts was not checked: {tables.trouble}",) if tables.trouble else ()
    result = dataclasses.replace(
        _with_closeness(result, a, b, tables),
        warnings=(*result.warnings, *unchecked, *_finders(a, b)),
        provenance={**result.provenance, "a": given[0], "b": given[1], "queries": a.queries.digest, **made},
    )
    found = mismatches(a, b)
    verdict, reason = unmatched(result.verdict, result.reason, found)
    result = dataclasses.replace(result, verdict=verdict, reason=reason, warnings=(*result.warnings, *found))
    if (found or not (a.capable and b.capable)) and result.closeness is not None:
        withheld = dataclasses.replace(result.closeness, within=None)
        result = dataclasses.replace(result, closeness=withheld, equivalent_kl=None)
    if are_paired(a, b):
        alike = parameters(a) == parameters(b)
        result = _of_pairs(result, len(pairs(a, b)[0]), paired_in(a, b, tables.whole, seed=seed) if alike else None)
        result = dataclasses.replace(result, reason=unmatched(result.verdict, result.reason, found)[1])
    for fingerprint in (a, b):
        if not fingerprint.capable:
            model, task = fingerprint.model.name, fingerprint.queries.task
            return not_applicable(result, incapable(model, fingerprint.accuracy, task))
    return result


# ------------------------------------------------------------------------------------------------ whether made alike


def common_strata(a: Fingerprint, b: Fingerprint) -> tuple[Stratum, ...]:
    """Return the kinds of implementations that both sides have, in the order of ``a``; the first is the reference."""
    return tuple(stratum for stratum in a.strata if stratum in b.strata)


def chosen(a: Fingerprint, b: Fingerprint) -> tuple[Fingerprint, Fingerprint]:
    """Return both sides with only the implementations that the verdict rests on.

    These are of the first kind of ``a`` that ``b`` has too. If there is none: those with the same edits, where ``b``
    was made with the edits of ``a``; else of each side's own reference kind, which is then a mismatch.
    """
    shared = common_strata(a, b)
    if shared:
        return a.at(shared[0]), b.at(shared[0])
    if are_paired(a, b):
        return a.reference, b.take(pairs(a, b)[1], b.model.name)
    return a.reference, b.reference


def mismatches(a: Fingerprint, b: Fingerprint) -> tuple[str, ...]:
    """Say in what the implementations of two sides, of one kind each, were not made alike.

    What counts: the intervention with its parameters, the KL they were drawn to and the rule for it, the gates that
    admitted them, the mean KL that they reached (within a factor of `STRENGTH_RATIO`) and, where both are one network,
    the pool of sites (an overlap of at least `POOL_OVERLAP`). Each alone separates two sets of implementations of one
    network.
    """
    (kind_a, kind_b), found = (a.strata[0], b.strata[0]), []
    if kind_a.intervention != kind_b.intervention:
        found.append(
            f"the sides were made with different interventions: {kind_a.intervention} and {kind_b.intervention}"
        )
    elif (left := parameters(a)) != (right := parameters(b)):
        found.append(f"the sides were made with different parameters of {kind_a.intervention}: {left} and {right}")
    if kind_a.kl != kind_b.kl and not are_paired(a, b):  # repeated edits are drawn to no KL
        found.append(f"the sides were drawn to different KLs: {_nats(kind_a.kl)} and {_nats(kind_b.kl)}")
    if (left := _rule(a)) != (right := _rule(b)):
        found.append(f"the strength of the sides was set by different rules: {left} and {right}")
    if (left := plain(a.settings.get("gates"))) != (right := plain(b.settings.get("gates"))):
        found.append(f"implementations were admitted through different gates: {left} and {right}")
    strengths = (a.mean_kl, b.mean_kl)
    if max(strengths) > STRENGTH_RATIO * min(strengths):
        found.append(
            f"the implementations were not sampled at matched strength (mean KL {strengths[0]:.3g} and "
            f"{strengths[1]:.3g} nats, more than a factor of {STRENGTH_RATIO:g} apart)"
        )
    overlap = pool_overlap(a, b)
    if overlap is not None and overlap < POOL_OVERLAP:
        found.append(
            f"both sides are one network and edit different pools of its sites (overlap {overlap:.2f}), and that is a "
            "direction of displacement by itself"
        )
    return tuple(found)


def pool_overlap(a: Fingerprint, b: Fingerprint) -> float | None:
    """Return the shared part of the union of both pools if both sides are one network or copies of it, else None."""
    if a.model.digest != b.model.digest and a.model.base != b.model.base:
        return None
    pools = [set(map(str, side.circuit.pool)) for side in (a, b)]
    return len(pools[0] & pools[1]) / max(1, len(pools[0] | pools[1]))


def _made(a: Fingerprint, b: Fingerprint) -> dict[str, Any]:
    overlap = pool_overlap(a, b)
    return {
        "strata": [str(a.strata[0]), str(b.strata[0])],
        "mean_kl": [a.mean_kl, b.mean_kl],
        **({} if overlap is None else {"pool_overlap": overlap}),
    }


def _rule(side: Fingerprint) -> dict[str, Any]:
    """How the strength was set: the budget without its targets, what the rule does not use, and when it gives up."""
    budget = dict(side.settings.get("budget") or {})
    unused = ("kl", "max_draws", *(("share",) if budget.get("by") == "number" else ()))
    return {key: value for key, value in budget.items() if key not in unused}


def _nats(kl: float | None) -> str:
    return "none in particular" if kl is None else f"{kl:g} nats"


def _finders(a: Fingerprint, b: Fingerprint) -> tuple[str, ...]:
    left, right = a.settings.get("finder"), b.settings.get("finder")
    return (f"the sides were made with different finders: {left} and {right}",) if left != right else ()


def _with_closeness(result: Congruity, a: Fingerprint, b: Fingerprint, tables: Measured) -> Congruity:
    """Add rho and the equivalent KL. Of several networks a side only rho: its unedited models are not theirs."""
    if any(len({item.base for item in side.admitted}) > 1 for side in (a, b)):
        return dataclasses.replace(result, rho=ratio(tables.whole, a.n))
    (kind_a, kind_b), paired = (a.strata[0], b.strata[0]), are_paired(a, b)
    rows = rows_of_pairs(a, b) if paired else np.arange(2 + a.n + b.n)
    whole, *folds = (_only(table, rows) for table in (tables.whole, *tables.folds))
    found = closeness(
        whole,
        (len(rows) // 2 - 1,) * 2 if paired else (a.n, b.n),
        kl=kind_a.kl if paired or kind_a.kl == kind_b.kl else None,  # repeated edits are those drawn to the KL of a
        intervention=kind_a.intervention if kind_a.intervention == kind_b.intervention else None,
        paired=paired,
        folds=folds,
    )
    if found is None:
        return result
    found = dataclasses.replace(found, kinds=(str(kind_a), str(kind_b)), mean_kls=(a.mean_kl, b.mean_kl))
    population = None
    if tables.whole.measure == "spectral" and len(a.queries.ids) >= _MIN_PROMPTS:
        with contextlib.suppress(InputError):  # constant on half of the prompts: nothing is said of others
            population = over_prompts(a.clean_gram, b.clean_gram)
    return dataclasses.replace(
        result, rho=found.rho, closeness=found, equivalent_kl=equivalent_kl([found]), population=population
    )


def _of_pairs(result: Congruity, edits: int, found: Paired | None) -> Congruity:
    """Take back what rests on independent draws: tests, verdict, and intervals, which become the whole range."""
    return dataclasses.replace(
        result,
        p_value=None,
        p_values={},
        interval=(0.0, 1.0),
        intervals={},
        tv_lower=0.0,
        smallest_margin=1.0,
        p_equivalence=1.0,
        verdict="undecided",
        reason=(
            f"Both sides carry the same {edits} edits: their implementations are pairs and not independent draws, so "
            "no test of a difference or of an agreement applies, and no interval of C, P1 and P2 is given. "
            f"{'Read the paired numbers; for' if found else 'For'} a verdict, let each side draw its own edits."
        ),
        warnings=(*result.warnings, f"the draws are paired ({edits} edits are on both sides): no p-value is given"),
        independent=False,
        paired=found,
    )


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
