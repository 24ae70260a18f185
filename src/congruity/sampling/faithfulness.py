"""Measure the faithfulness of a circuit: what it recovers alone, what the rest recovers, and what chance would give.

All edits go to the model in one call, so that an adapter can stack them in few batches. Nothing here chooses a site or
a size: the prompts measured on must be others than those that did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from congruity._base.arrays import Floats
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.errors import InputError, NotApplicableError
from congruity.protocols import BoundModel, Intervention
from congruity.sampling.prepare import PreparedModel
from congruity.values import Circuit, Edit, Faithfulness, Outputs, Site

PROPORTIONS = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of the sites kept, those of MIB
RESAMPLES = 2000
# The least size of clean - corrupted, in its own standard errors and as a share of the clean metric: below three errors
# some resamples of the prompts would divide by nothing, and a change of a thousandth is float32 as much as model.
_CLEAR, _SHARE = 3.0, 1e-3

Kept = frozenset[Site]


def measure_faithfulness(
    prepared: PreparedModel,
    circuit: Circuit,
    *,
    intervention: Intervention,
    n_random: int = 20,
    seed: int = 0,
    progress: Progress = silent,
) -> Faithfulness:
    """Measure the recovered fraction f(S) = (M(S) - M(nothing)) / (M(all) - M(nothing)) of the circuit and its rivals.

    M(S) is the mean logit difference with the sites S kept and all others replaced. Faithfulness is f(circuit),
    completeness f(all but the circuit). Random circuits are drawn without replacement from all sites, each from a
    stream of its own, so that more of them leave the first ones as they are.

    The curve follows `PROPORTIONS`: tops of the ranking of int(p * len(sites)) sites, each size once. CPR and CMD are
    the trapezoid areas under f and under abs(1 - f) over k / len(sites). They are those of MIB's node track but for
    three things, so do not set them beside published numbers: MIB ranks nodes or edges and reports sizes as edge
    counts weighted by neurons, where here every site counts one; its abscissa is the nominal proportion, where here it
    is the share really kept, which in a model of some hundred sites is coarser; and it starts at 0.001, where here the
    empty circuit, with f = 0, is the first point.

    Args:
        prepared: the model; measured on the prompts ``parts.report``, which ranked no site and chose no size.
        circuit: what is judged; its ranking makes the curve.
        intervention: what replacing writes.
        n_random, seed: how many circuits to draw at random, and from which streams.
        progress: called with the number of edits that have run.

    Returns:
        Faithfulness with 95 % percentile intervals of the two fractions over 2,000 resamples of the prompts, numerator
        and denominator resampled together.

    Raises:
        NotApplicableError: replacing everything does not clearly lower the metric, so there is nothing to recover.
        InputError: fewer than two prompts, a negative ``n_random``, or a circuit of other sites.

    >>> measure_faithfulness(prepared, circuit, intervention=Resample()).faithfulness  # doctest: +SKIP
    0.93

    Source: Wang et al. 2022, arXiv 2211.00593 (faithfulness, completeness); Mueller et al. 2025, arXiv 2504.13151
    (the recovered fraction, the proportions, CPR and CMD).
    """
    rows = prepared.parts.report
    everything, inside = frozenset(prepared.model.sites), frozenset(circuit.sites)
    ranked = circuit.scores.ranked()
    _check(everything, inside, ranked, rows, n_random)
    drawn = [_drawn(sorted(everything), len(inside), seed, i) for i in range(n_random)]
    sizes = curve_sizes(len(everything))
    tops = [frozenset(ranked[:k]) for k in sizes]
    wanted: list[Kept] = [frozenset(), inside, everything - inside, *drawn, *tops]
    metric = _metrics(prepared.bound, wanted, everything, intervention.name, rows, prepared.unedited, progress)
    fraction = _Recovered.of(metric, everything, intervention.name, seed)
    random = tuple(fraction(kept) for kept in drawn)
    fractions = np.array([fraction(kept) for kept in tops])
    shares = np.array(sizes) / len(everything)
    return Faithfulness(
        clean=float(metric[everything].mean()),
        corrupted=float(metric[frozenset()].mean()),
        faithfulness=fraction(inside),
        faithfulness_interval=fraction.interval(inside),
        completeness=fraction(everything - inside),
        completeness_interval=fraction.interval(everything - inside),
        random=random,
        p_random=(1 + sum(value >= fraction(inside) for value in random)) / (1 + n_random),
        curve=tuple(zip(sizes, fractions.tolist(), strict=True)),
        cpr=area(shares, fractions),
        cmd=area(shares, np.abs(1 - fractions)),
        n_prompts=len(rows),
    )


@dataclass(frozen=True)
class _Recovered:
    """Recovered fractions of sets of sites kept, from their logit differences (n,)."""

    metric: dict[Kept, Floats]
    clean: Floats
    corrupted: Floats
    scale: float
    resamples: NDArray[np.intp]  # (RESAMPLES, n) rows of the prompts

    @classmethod
    def of(cls, metric: dict[Kept, Floats], everything: Kept, intervention: str, seed: int) -> _Recovered:
        clean, corrupted, n = metric[everything], metric[frozenset()], len(metric[everything])
        pick = stream(seed, "evidence", "prompts").integers(n, size=(RESAMPLES, n))
        return cls(metric, clean, corrupted, _scale(clean, corrupted, intervention), pick)

    def __call__(self, kept: Kept) -> float:
        return float((self.metric[kept] - self.corrupted).mean() / self.scale)

    def interval(self, kept: Kept) -> tuple[float, float]:
        above = (self.metric[kept] - self.corrupted)[self.resamples].mean(axis=1)
        low, high = np.percentile(above / (self.clean - self.corrupted)[self.resamples].mean(axis=1), [2.5, 97.5])
        return float(low), float(high)


def curve_sizes(total: int) -> tuple[int, ...]:
    """Return the sizes of the curve for ``total`` sites: `PROPORTIONS` of them, rounded down, each once.

    >>> curve_sizes(156)
    (0, 1, 3, 7, 15, 31, 78, 156)
    """
    # the addend keeps 0.29 * 100 = 28.999... from losing a site
    return tuple(sorted({int(p * total + 1e-9) for p in PROPORTIONS}))


def area(shares: Floats, values: Floats) -> float:
    """Return the trapezoid area under ``values`` (n,) over ``shares`` (n,), in their order.

    >>> area(np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0, 1.0]))
    0.75
    """
    return float(np.sum(np.diff(shares) * (values[1:] + values[:-1]) / 2))


def _check(everything: Kept, inside: Kept, ranked: Sequence[Site], rows: NDArray[np.intp], n_random: int) -> None:
    if len(rows) < 2:
        raise InputError(f"evidence: {len(rows)} prompts have no interval; measure on at least 2")
    if n_random < 0:
        raise InputError(f"evidence: {n_random} random circuits cannot be drawn; ask for 0 or more")
    if strange := sorted(inside - everything):
        raise InputError(f"evidence: {strange[0]} is in the circuit but not among the {len(everything)} sites")
    if frozenset(ranked) != everything:
        raise InputError(f"evidence: the circuit ranks {len(ranked)} sites, which are not the {len(everything)} given")


def _drawn(ordered: Sequence[Site], size: int, seed: int, index: int) -> Kept:
    rows = stream(seed, "evidence", "random", index).choice(len(ordered), size=size, replace=False)
    return frozenset(ordered[row] for row in rows)


def _metrics(
    bound: BoundModel,
    wanted: Sequence[Kept],
    everything: Kept,
    intervention: str,
    rows: NDArray[np.intp],
    unedited: Outputs,
    progress: Progress,
) -> dict[Kept, Floats]:
    """Return (n,) logit differences of every distinct set of sites kept, with one call of the model."""
    found: dict[Kept, Floats] = {everything: unedited.logit_difference[rows]}
    new = [kept for kept in dict.fromkeys(wanted) if kept not in found]
    edits = [Edit(tuple(sorted(everything - kept)), intervention) for kept in new]
    for done, (kept, outputs) in enumerate(zip(new, bound.run(edits, rows=rows), strict=True), start=1):
        found[kept] = outputs.logit_difference
        progress("evidence", done, len(new))
    return found


def _scale(clean: Floats, corrupted: Floats, intervention: str) -> float:
    """Return the mean of clean - corrupted; raise `NotApplicableError` if it is not clearly positive."""
    change = clean - corrupted
    mean, error = float(change.mean()), float(change.std(ddof=1) / np.sqrt(len(change)))
    if mean > _CLEAR * error and mean > _SHARE * abs(float(clean.mean())):
        return mean
    raise NotApplicableError(
        f"the metric leaves nothing to recover: the mean logit difference is {clean.mean():.4g} unedited and "
        f"{corrupted.mean():.4g} with every site replaced (change {-mean:.2g}, standard error {error:.2g} over "
        f"{len(change)} prompts, by {intervention}); use another intervention, more prompts or another task"
    )
