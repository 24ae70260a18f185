"""The light half of the flow: two fingerprints, distances between their implementations, and what follows from them."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np

from congruity._base.engine import one_blas_thread
from congruity.comparison.alike import _finders, _made, are_paired, chosen, mismatches, pairs, parameters, rows_of_pairs
from congruity.comparison.paired import paired_in
from congruity.comparison.relative_distance import closeness, equivalent_kl, ratio
from congruity.comparison.tables import _MIN_PROMPTS, Measured, _only, over_prompts
from congruity.errors import InputError
from congruity.inference import estimate, not_applicable, prompt_error, unmatched
from congruity.values import Congruity, Fingerprint, Paired, incapable


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
