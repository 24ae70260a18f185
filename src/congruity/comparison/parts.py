"""The parts of a result, computed before any verdict, and the result that is built of them, once.

`Parts` is where the two doors meet: `congruity.comparison.estimate` fills it from a table of the user's, `parts_of`
from two fingerprints. `result_of` concludes, certifies and calls the constructor of `Congruity`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy

from congruity._base.digest import digest
from congruity._base.engine import one_blas_thread
from congruity.comparison.alike import Pair
from congruity.comparison.caveats import caveats
from congruity.comparison.certificate import guarantees, over_prompts
from congruity.comparison.paired import paired_in
from congruity.comparison.relative_distance import equivalent_kl, ratio, relative_distance
from congruity.comparison.tables import MIN_PROMPTS, Measured, rows_of
from congruity.comparison.verdict import Circumstances, Conclusion, Looks, conclude
from congruity.errors import InputError
from congruity.inference import EstimateSettings, estimated, prompt_error
from congruity.values import (
    Congruity,
    DistanceTable,
    EquivalentKL,
    Estimate,
    HeldOut,
    Paired,
    RelativeDistance,
    Sensitivity,
)

METHOD = "Sun and Toneva 2026, arXiv 2603.30002, Algorithm 1; complete rank U-statistic at a fixed target, mid-p"


@dataclass(frozen=True)
class Relative:
    """What the unedited models show: rho, with its uncertainty where a side is one network, and what follows."""

    rho: float | None = None
    distance: RelativeDistance | None = None
    equivalent_kl: EquivalentKL | None = None
    population: HeldOut | None = None


@dataclass(frozen=True)
class Parts:
    """Everything that is computed of two sides before the verdict.

    Attributes:
        estimate: the numbers of ``table`` with the labels ``side``.
        names: of the two sides.
        made: how the sides were made.
        relative, paired: what the unedited models and the same edits show, where these are known.
        warnings: what the way of measuring and making adds to `caveats`.
        provenance: digests, settings and versions.
    """

    estimate: Estimate
    table: DistanceTable
    side: tuple[str, ...]
    names: tuple[str, str]
    made: Circumstances = field(default_factory=Circumstances)
    relative: Relative = field(default_factory=Relative)
    paired: Paired | None = None
    warnings: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    def conclusion(self, sensitivity: Sensitivity | None = None, looks: Looks | None = None) -> Conclusion:
        """Return the state and the sentence that follow."""
        changes = sensitivity.sentence if sensitivity is not None and sensitivity.changes else ""
        return conclude(self.estimate, self.names, self.made, changes=changes, looks=looks)


def parts_of(pair: Pair, tables: Measured, settings: EstimateSettings, *, require_prompts: bool = True) -> Parts:
    """Return the parts of a comparison of two fingerprints, from their distances.

    Args:
        pair: the sides.
        tables: what `measured` returned for them.
        settings: of the estimate.
        require_prompts: never say "equivalent" where the reliability over prompts was not measured.
    """
    a, b = pair.a, pair.b
    side, base = ["a"] * a.n + ["b"] * b.n, pair.base
    implementations = np.arange(2, len(tables.whole.labels))
    inner, *parts = (rows_of(table, implementations) for table in (tables.whole, *tables.halves, *tables.folds))
    with one_blas_thread():
        prompts = None
        if parts:
            prompts = prompt_error(inner, parts[:2], side, base=base, n=len(a.queries.ids), folds=parts[2:])
        estimate = estimated(
            inner.values, side, base, settings=settings, prompts=prompts, independent=pair.edits is None
        )
    edits = None if pair.edits is None else len(pair.edits[0])
    readable = pair.edits is not None and pair.same_parameters
    return Parts(
        estimate=estimate,
        table=inner,
        side=tuple(side),
        names=pair.names,
        made=Circumstances(pair.mismatches, edits, readable, pair.incapable, require_prompts),
        relative=_relative(pair, tables),
        paired=paired_in(pair, tables.whole, seed=settings.seed) if readable else None,
        warnings=(*_unchecked(tables), *pair.finders, *pair.mismatches, *_paired_warning(edits)),
        provenance=provenance(inner, side, base, settings, estimate) | _made_how(pair),
    )


def result_of(
    parts: Parts,
    *,
    sensitivity: Sensitivity | None = None,
    looks: Looks | None = None,
    warnings: tuple[str, ...] = (),
) -> Congruity:
    """Return the result: conclude from the parts, and build it."""
    conclusion, relative = parts.conclusion(sensitivity, looks), parts.relative
    depends = sensitivity is not None and sensitivity.changes and not parts.made.incapable
    return Congruity(
        estimate=parts.estimate,
        status=conclusion.status,
        reason=conclusion.reason,
        names=parts.names,
        rho=relative.rho,
        closeness=relative.distance,
        equivalent_kl=_over_kls(sensitivity) or relative.equivalent_kl,
        sensitivity=sensitivity,
        paired=parts.paired,
        population=relative.population,
        warnings=(
            *caveats(parts.estimate),
            *parts.warnings,
            *((sensitivity.sentence,) if sensitivity is not None and depends else ()),
            *warnings,
        ),
        guarantees=guarantees(
            parts.estimate, parts.table, parts.side, relative=relative.distance, population=relative.population
        ),
        table=parts.table,
        side=parts.side,
        looks=1 if looks is None else len(looks.plan),
        provenance=parts.provenance | _planned(looks),
    )


def provenance(
    table: DistanceTable,
    side: Iterable[object],
    base: Iterable[object] | None,
    settings: EstimateSettings,
    estimate: Estimate,
) -> dict[str, Any]:
    """Return what it takes to compute an estimate again; the margin is the one in force."""
    labels = None if base is None else [str(label) for label in base]
    test = estimate.test
    return {
        "method": METHOD,
        "measure": table.measure,
        "parameters": dict(table.parameters),
        "inputs": digest(table.values, [str(label) for label in side], labels),
        "settings": {
            "margin": estimate.margin,
            "alpha": settings.alpha,
            "seed": settings.seed,
            "n_permutations": settings.n_permutations,
            "n_bootstrap": settings.n_bootstrap,
        },
        "labellings": test.labellings if test else 0,
        "exact": test.exact if test else False,
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
    }


def _relative(pair: Pair, tables: Measured) -> Relative:
    """Return rho and the equivalent KL; rho alone where a side is several networks."""
    a, b = pair.a, pair.b
    if pair.several_networks:
        return Relative(ratio(tables.whole, a.n))
    (kind_a, kind_b), n = pair.strata, (a.n, b.n)
    whole, folds = tables.whole, tables.folds
    if pair.edits is not None:
        first, second = pair.edits
        rows = np.concatenate([[0, 1], 2 + first, 2 + a.n + second])
        whole, folds, n = rows_of(whole, rows), tuple(rows_of(fold, rows) for fold in folds), (len(first), len(second))
    found = relative_distance(
        whole,
        n,
        kl=kind_a.kl if pair.edits is not None or kind_a.kl == kind_b.kl else None,  # repeated edits: to the KL of a
        intervention=kind_a.intervention if kind_a.intervention == kind_b.intervention else None,
        kinds=(str(kind_a), str(kind_b)),
        mean_kls=(a.mean_kl, b.mean_kl),
        claims=pair.claims,
        paired=pair.edits is not None,
        folds=folds,
    )
    if found is None:
        return Relative()
    return Relative(found.rho, found, equivalent_kl([found]) if pair.claims else None, _population(pair, tables.whole))


def _population(pair: Pair, table: DistanceTable) -> HeldOut | None:
    """Return what d_repr of the unedited models says of all prompts; None for other distances, or few prompts."""
    if table.measure == "spectral" and len(pair.a.queries.ids) >= MIN_PROMPTS:
        with contextlib.suppress(InputError):  # constant on half of the prompts: nothing is said of others
            return over_prompts(pair.a.clean_gram, pair.b.clean_gram)
    return None


def _made_how(pair: Pair) -> dict[str, Any]:
    return {
        "a": pair.digests[0],
        "b": pair.digests[1],
        "queries": pair.a.queries.digest,
        "strata": [str(kind) for kind in pair.strata],
        "mean_kl": [pair.a.mean_kl, pair.b.mean_kl],
        **({} if pair.pool_overlap is None else {"pool_overlap": pair.pool_overlap}),
    }


def _over_kls(sensitivity: Sensitivity | None) -> EquivalentKL | None:
    return None if sensitivity is None else sensitivity.equivalent_kl


def _unchecked(tables: Measured) -> tuple[str, ...]:
    return (f"reliability over prompts was not checked: {tables.trouble}",) if tables.trouble else ()


def _paired_warning(edits: int | None) -> tuple[str, ...]:
    if edits is None:
        return ()
    return (f"the draws are paired ({edits} edits are on both sides): no p-value is given",)


def _planned(looks: Looks | None) -> dict[str, Any]:
    if looks is None:
        return {}
    return {"looks": {"plan": list(looks.plan), "reached": looks.reached, "level": looks.level, "ended": looks.ended}}
