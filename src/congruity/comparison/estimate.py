"""Congruity from a table of distances: the score, its uncertainty, two tests and a verdict.

The stages are `design` (who may be compared), `ranks` (the statistics), `bootstrap` (intervals), `permutation`
(the test of difference) and `verdict` (the rule); this file puts their results together.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from congruity._base.digest import digest
from congruity._base.streams import stream
from congruity.comparison.verdict import Evidence, decide, warnings
from congruity.errors import InputError
from congruity.inference.bootstrap import MIN_UNITS, Quantity, Resampled, resample
from congruity.inference.described import auc
from congruity.inference.design import Design, design
from congruity.inference.permutation import Permuted, permutation_test
from congruity.theory import bounds
from congruity.values import Congruity, DistanceTable, PromptError

SCOPES = {"independent": "populations", "clustered": "populations", "two networks": "these two networks"}
METHOD = "Sun and Toneva 2026, arXiv 2603.30002, Algorithm 1; complete rank U-statistic at a fixed target, mid-p"


def estimate(
    distances: ArrayLike | DistanceTable,
    side: Iterable[object],
    *,
    base: Iterable[object] | None = None,
    margin: float | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    n_permutations: int = 9999,
    n_bootstrap: int = 1999,
    names: tuple[str, str] | None = None,
    prompts: PromptError | None = None,
    require_prompts: bool = False,
) -> Congruity:
    """Decide whether two sets of implementations can be told apart, from the distances between them.

    With implementations X, X' of side 1 and Y, Y' of side 2, a fixed target (the column) and ties counted half::

        P1 = Pr(d(X' -> X) < d(Y -> X)),   P2 = Pr(d(Y' -> Y) < d(X -> Y))
        T = P1 + P2 - 1,   S = P1 - P2,   C = 1 - abs(T),   C_min = 1 - max(abs(2 P1 - 1), abs(2 P2 - 1))

    P1 and P2 average over all triples. Intervals are BCa over independent units; that of C is the image of that of T.
    The p-value permutes units; its statistic is the largest of energy (on the symmetrised table), T, abs(S) and 3-NN
    (sources nearest to a target), each standardised over the relabellings: all of them when they are no more than
    ``n_permutations``. "equivalent" needs the 90 % intervals of P1 and P2 inside 1/2 +- margin/2 (then
    C_min >= 1 - margin at level 5 %), p > .05, at least 10 units a side and, where ``prompts`` are given, distances of
    a reliability of at least .7 over prompts. Neither the order of the rows nor which
    side comes first moves a random number.

    Args:
        distances: (N, N), row = source, column = target; non-negative. The diagonal is never used.
        side: N labels, two of them distinct, at least two implementations each; the first to appear is side 1.
        base: N labels of the independently trained networks behind the implementations, the units of inference.
            None: the caller asserts that the implementations are independent. One network a side, or one on both:
            the implementations are the units, the scope is "these two networks" and the verdict never "different".
            Otherwise comparisons within a network are left out and whole networks are resampled and permuted;
            fewer than 4 a side give no p-value and no decision.
        margin: largest difference that counts as equivalent, in (0, 1]; by default .5 below 40 units a side, else .3.
        alpha: level of both tests, in [.0001, .2]; intervals stay at 95 %.
        seed: of the permutations and resamples.
        n_permutations, n_bootstrap: their numbers, at least 99.
        names: what to call the two sides in the result; by default their labels.
        prompts: how far the distances depend on the prompts that they were measured on, from `prompt_error`.
        require_prompts: never say "equivalent" without them.

    Returns:
        A `Congruity`. ``tv_lower`` is a 95 % lower confidence bound on the total variation between the sides' laws,
        and ``interval`` the whole range where the data allow none (fewer than 3 units on a side, or all ties).

    Raises:
        InputError: if an argument cannot be used.

    >>> import numpy as np
    >>> places = np.r_[0.0:1.0:12j, 5.0:6.0:12j]
    >>> found = estimate(abs(places[:, None] - places), ["a"] * 12 + ["b"] * 12)
    >>> found.score, found.p_within, found.verdict, round(found.interval[1], 2)
    (0.0, (1.0, 1.0), 'different', 0.26)

    Source: Sun and Toneva 2026, arXiv 2603.30002, Algorithm 1 (the score; there drawn at random with "<=", here
    complete with mid-p). Intervals, tests and verdict are this package's.
    """
    labels, bases = list(side), None if base is None else list(base)
    layout = design(distances.values if isinstance(distances, DistanceTable) else distances, labels, bases)
    margin = _checked(layout, margin, alpha, seed, n_permutations, n_bootstrap, names)
    vacuous = not layout.informative or layout.smallest < MIN_UNITS
    resampled = resample(layout, n_bootstrap, stream(seed, "estimate", "bootstrap"), vacuous=vacuous)
    permuted = None
    if layout.has_test:
        permuted = permutation_test(layout, n_permutations, stream(seed, "estimate", "permutation"))
    evidence = Evidence(
        design=layout,
        names=names or layout.sides,
        margin=margin,
        alpha=alpha,
        smallest_margin=_smallest_margin(resampled, alpha),
        separability=auc(layout),
        permuted=permuted,
        prompts=prompts,
        require_prompts=require_prompts,
    )
    settings = {
        "margin": margin,
        "alpha": alpha,
        "seed": seed,
        "n_permutations": n_permutations,
        "n_bootstrap": n_bootstrap,
    }
    table = distances if isinstance(distances, DistanceTable) else _named(distances, labels)
    result = _assembled(layout, resampled, evidence)
    return dataclasses.replace(
        result,
        warnings=result.warnings if isinstance(distances, DistanceTable) else (*result.warnings, *_of_self(distances)),
        table=table,
        side=tuple(map(str, labels)),
        provenance=_provenance(table, labels, bases, settings, permuted),
    )


def not_applicable(result: Congruity, reason: str) -> Congruity:
    """Return ``result`` with the verdict "not applicable": the question is void, for example the task is not done."""
    return dataclasses.replace(result, verdict="not applicable", reason=reason)


def check_settings(margin: float | None, alpha: float, seed: int) -> None:
    """Refuse what `estimate` would refuse of these, before anything expensive is done.

    Raises:
        InputError: a setting that means nothing.
    """
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError(f"estimate: seed is {seed!r}; pass a whole number of at least 0")
    if not isinstance(alpha, (int, float, np.number)) or not 0.0001 <= alpha <= 0.2:
        raise InputError(f"estimate: alpha is {alpha!r}; pass a level between 0.0001 and 0.2, such as 0.05")
    if margin is not None and (not isinstance(margin, (int, float, np.number)) or not 0 < margin <= 1):
        raise InputError(f"estimate: margin is {margin!r}; pass a number in (0, 1], such as 0.5")


def _checked(
    layout: Design,
    margin: float | None,
    alpha: float,
    seed: int,
    n_permutations: int,
    n_bootstrap: int,
    names: object,
) -> float:
    """Return the margin to use; refuse settings that mean nothing."""
    check_settings(margin, alpha, seed)
    for name, count in (("n_permutations", n_permutations), ("n_bootstrap", n_bootstrap)):
        if not isinstance(count, (int, np.integer)) or count < 99:
            raise InputError(f"estimate: {name} is {count!r}; pass a whole number of at least 99")
    if names is not None and not (isinstance(names, (tuple, list)) and len(names) == 2):
        raise InputError(f"estimate: names is {names!r}; pass two names, that of the side which appears first in front")
    if margin is None:
        return 0.5 if layout.smallest < 40 else 0.3
    return float(margin)


def _of_self(distances: ArrayLike) -> tuple[str, ...]:
    """Say that self-distances are there, if they are. Tables of ours have them only where the measure means them."""
    largest = float(np.abs(np.diag(np.asarray(distances, dtype=np.float64))).max())
    if largest == 0.0:
        return ()
    return (
        f"distances have non-zero self-distances (up to {largest:.3g}) on the diagonal, which are never used; if they "
        "come from a metric, something is wrong with them",
    )


def _named(distances: ArrayLike, labels: list[object]) -> DistanceTable:
    return DistanceTable("given", np.asarray(distances), tuple(f"{label} {i}" for i, label in enumerate(labels)))


def _assembled(layout: Design, resampled: Resampled, evidence: Evidence) -> Congruity:
    """Return the result in the caller's order of sides, without table and provenance."""
    mine: tuple[Quantity, Quantity] = ("p2", "p1") if layout.swapped else ("p1", "p2")
    p1, p2 = (float(resampled.observed[int(q == "p2")]) for q in mine)
    separation = p1 + p2 - 1
    of_t = resampled.interval("separation", 0.05)
    verdict, reason = decide(evidence)
    permuted = evidence.permuted
    return Congruity(
        score=1 - abs(separation),
        score_min=1 - max(abs(2 * p1 - 1), abs(2 * p2 - 1)),
        p_within=(p1, p2),
        separation=separation,
        asymmetry=p1 - p2,
        separability=evidence.separability,
        interval=_image(of_t),
        intervals={
            "separation": of_t,
            "p1": resampled.interval(mine[0], 0.05),
            "p2": resampled.interval(mine[1], 0.05),
        }
        | _over_prompts(separation, of_t, evidence.prompts),
        p_value=permuted.p_value if permuted else None,
        p_values=permuted.p_values if permuted else {},
        smallest_margin=evidence.smallest_margin,
        p_equivalence=_p_equivalence(resampled, evidence.margin),
        verdict=verdict,
        reason=reason,
        n=layout.n,
        n_bases=layout.n_bases,
        balanced=all(len(set(layout.sizes[side].tolist())) == 1 for side in (layout.first, ~layout.first)),
        scope=SCOPES[layout.kind],
        names=(str(evidence.names[0]), str(evidence.names[1])),
        expected_equal=_expected_equal(layout),
        unshared=math.sqrt(abs(separation)),
        tv_lower=_total_variation(resampled),
        prompts=evidence.prompts,
        warnings=warnings(evidence, separation),
    )


def _image(of_t: tuple[float, float]) -> tuple[float, float]:
    """Map an interval of T through 1 - abs(T). C is never resampled: near 1 its bootstrap hardly ever covers."""
    low, high = sorted(map(abs, of_t))
    return 1 - high, 1.0 if of_t[0] <= 0 <= of_t[1] else 1 - low


def _over_prompts(
    separation: float, of_t: tuple[float, float], prompts: PromptError | None
) -> dict[str, tuple[float, float]]:
    """The interval of T widened to V(implementations) + V(prompts), which counts their interaction twice."""
    if prompts is None or prompts.standard_error is None:
        return {}
    error = 1.96 * prompts.standard_error
    low, high = math.hypot(separation - of_t[0], error), math.hypot(of_t[1] - separation, error)
    return {"separation over prompts": (max(-1.0, separation - low), min(1.0, separation + high))}


def _smallest_margin(resampled: Resampled, alpha: float) -> float:
    """Twice the largest distance from 1/2 within the 1 - 2 ``alpha`` intervals of P1 and P2."""
    ends = (*resampled.interval("p1", 2 * alpha), *resampled.interval("p2", 2 * alpha))
    return 2 * max(abs(end - 0.5) for end in ends)


def _p_equivalence(resampled: Resampled, margin: float) -> float:
    """Return the smallest level at which the equivalence test passes at the margin, to .0001; 1 if none below 1/2.

    Below 1 / (number of resamples) it rests on the most extreme of them.
    """
    failing, passing = 0.0, 0.5
    if not _smallest_margin(resampled, 0.4995) < margin:
        return 1.0
    while passing - failing > 0.0001:
        level = (failing + passing) / 2
        failing, passing = (failing, level) if _smallest_margin(resampled, level) < margin else (level, passing)
    return passing


def _expected_equal(layout: Design) -> float:
    """Mean of C under equality: 1 - .54 / N, by simulation; N is the harmonic mean of the units a side."""
    units = layout.n_bases if layout.kind == "clustered" and layout.n_bases else layout.units
    return max(0.0, 1 - 0.54 * sum(1 / k for k in units) / 2)


def _total_variation(resampled: Resampled) -> float:
    """Return a 95 % lower confidence bound on the total variation t between the sides' laws.

    By T4(d) from T, and by T4(e) from P1 and P2. The three limits share the 5 % (Bonferroni, one end of each interval).
    """
    alpha = 2 * 0.05 / 3
    t = min(1.0, _nearest(resampled.interval("separation", alpha), 0.0))
    shown = [bounds.least_total_variation(1 - t)]
    for quantity in ("p1", "p2"):
        off = min(0.5, _nearest(resampled.interval(quantity, alpha), 0.5))
        shown.append(bounds.total_variation_from_chance(0.5 + off))
    return max(shown)


def _nearest(interval: tuple[float, float], centre: float) -> float:
    """Distance from ``centre`` to the interval; zero inside."""
    return max(0.0, interval[0] - centre, centre - interval[1])


def _provenance(
    table: DistanceTable,
    side: list[object],
    base: list[object] | None,
    settings: dict[str, Any],
    permuted: Permuted | None,
) -> dict[str, Any]:
    labels = None if base is None else [str(label) for label in base]
    return {
        "method": METHOD,
        "measure": table.measure,
        "parameters": dict(table.parameters),
        "inputs": digest(table.values, [str(label) for label in side], labels),
        "settings": settings,
        "labellings": permuted.labellings if permuted else 0,
        "exact": permuted.exact if permuted else False,
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
    }
