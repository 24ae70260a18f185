"""How a comparison depends on the way its implementations were made: by which intervention, and how strong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from congruity._base.progress import Progress, silent
from congruity.comparison.alike import are_paired, chosen, common_strata
from congruity.comparison.compare import judge
from congruity.comparison.relative_distance import equivalent_kl
from congruity.comparison.tables import Making, Measured, distance_table, measured
from congruity.errors import InputError
from congruity.inference import MIN_RELIABILITY, described
from congruity.protocols import Distance
from congruity.values import Congruity, DistanceTable, Fingerprint, Sensitivity, SensitivityPoint, Stratum

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
MIN_KIND = 5  # implementations a side of a kind beside the reference: fewer have no p-value below .01

Rows = NDArray[np.intp]


def examined(
    a: Fingerprint,
    b: Fingerprint,
    distance: Distance,
    *,
    folds: int = 0,
    margin: float | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    controls: bool = True,
    progress: Progress = silent,
    make: Making = distance_table,
) -> Congruity:
    """Judge two fingerprints on their reference implementations and, where both have others, say what these would give.

    Args:
        folds, margin, alpha, seed: as for `congruity.compare`.
        controls: see `curve`.
        make: how tables are made, for callers that keep them.

    Returns:
        What `judge` returns, with ``sensitivity`` and the equivalent KL over all strengths where there are several. If
        the answer depends on the kind, reason and warnings say so.
    """
    tables = measured(a, b, distance, folds=folds, progress=progress, make=make)
    result = judge(a, b, tables, margin=margin, alpha=alpha, seed=seed)
    if len(common_strata(a, b)) < 2 or are_paired(*chosen(a, b)):
        return result
    kinds, small = _usable(a, b)
    if len(kinds) < 2:
        return dataclasses.replace(result, warnings=(*result.warnings, _left_out(small)))
    found = curve(
        a, b, distance, alpha=alpha, seed=seed, controls=controls, reference=(result, tables.whole), progress=progress,
        make=make,
    )  # fmt: skip
    if found.changes and result.verdict != "not applicable":
        reason, warned = f"{result.reason} {found.sentence}", (*result.warnings, found.sentence)
        result = dataclasses.replace(result, reason=reason, warnings=warned)
    return dataclasses.replace(result, sensitivity=found, equivalent_kl=found.equivalent_kl or result.equivalent_kl)


def curve(
    a: Fingerprint,
    b: Fingerprint,
    distance: Distance,
    *,
    margin: float | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    controls: bool = True,
    reference: tuple[Congruity, DistanceTable] | None = None,
    progress: Progress = silent,
    make: Making = distance_table,
) -> Sensitivity:
    """Compare two fingerprints on every kind of implementation that both have, and on mixtures that show what misleads.

    Matched points, one a kind, are judged like the reference, at its margin; that distances are reliable over prompts
    is checked on the reference only and taken over from it. They describe how far the reference can be trusted: the
    error rates are those of the reference alone. Implementations at several strengths are one random path each, so
    points are not independent of each other.

    The others are warning examples, without a verdict: unmatched strengths (a at one KL, b at another), and mixes of
    two interventions at one KL, in b only (unlike sides: they separate though the models are what they are) and in both
    sides (alike: no false difference, but each side is then wider and C higher). A mix takes its parts from different
    draws, as draw k goes through the sites in the same order with either intervention.

    Cost: with N implementations a side, about 2 N^2 distances a further matched kind, N^2 an ordered pair of strengths,
    4 N^2 a mix of two interventions. For 20 a side at 3 KLs and one more intervention at one of them that is 6,600
    distances, 200 s with `Spectral` at 200 prompts where the reference takes 26 s. ``Spectral().remembering()``
    solves none twice; distances in closed form are made again, in milliseconds.

    Kinds of fewer than 5 implementations on a side are left out, and named in the sentence.

    Args:
        a, b: with at least two kinds in common; the first of ``a`` that ``b`` has is the reference.
        distance: between Gram matrices.
        margin, alpha, seed: as for `estimate`; the margin is that of ``reference`` where this is given.
        controls: False leaves the warning examples out.
        reference: the result for the reference and its distances, where they are known.
        make: how tables are made, for callers that keep them.

    Raises:
        InputError: fewer than two kinds in common with enough implementations.
        NotComparableError: the sides answer different queries.

    >>> import congruity as cg
    >>> print(curve(a, b, cg.distances.Spectral()).sentence)  # doctest: +SKIP
    """
    kinds, small = _usable(a, b)
    if len(kinds) < 2:
        raise InputError(
            f"sensitivity: {a.model.name} and {b.model.name} have {len(kinds)} kinds of implementations in common and "
            "two are needed; make both with several KLs or interventions" + (f" ({_left_out(small)})" if small else "")
        )
    if reference is None:
        tables = measured(a, b, distance, progress=progress, make=make)
        reference = judge(a, b, tables, margin=margin, alpha=alpha, seed=seed), tables.whole
    result = reference[0]
    trusted = result.prompts is not None and result.prompts.reliability >= MIN_RELIABILITY
    results, points = [result], [_matched(a.at(kinds[0]), b.at(kinds[0]), result)]
    for done, kind in enumerate(kinds[1:], start=1):
        progress("kinds of implementations", done, len(kinds))
        left, right = a.at(kind), b.at(kind)
        judged = judge(
            left, right, Measured(make(left, right, distance, None, progress)),
            margin=float(result.provenance["settings"]["margin"]), alpha=alpha, seed=seed, require_prompts=not trusted,
        )  # fmt: skip
        results.append(judged)
        points.append(_matched(left, right, judged))
    progress("kinds of implementations", len(kinds), len(kinds))
    strengths = [  # a result without an equivalent KL of its own may claim none: the sides were not made alike
        one.closeness
        for one, kind in zip(results, kinds, strict=True)
        if kind.intervention == kinds[0].intervention and one.closeness is not None and one.equivalent_kl is not None
    ]
    changes, sentence = _said(points, alpha)
    if controls:
        points += _strengths(a, b, kinds, distance, make, progress)
        points += _mixes(a, b, kinds, distance, make, progress)
    return Sensitivity(
        points=tuple(points),
        equivalent_kl=equivalent_kl(strengths) if strengths else None,
        changes=changes,
        sentence=f"{sentence} {_left_out(small)}" if small else sentence,
    )


def _usable(a: Fingerprint, b: Fingerprint) -> tuple[list[Stratum], list[Stratum]]:
    """Return the kinds in common that can be compared, the reference first, and those with too few implementations."""
    kinds = common_strata(a, b)
    small = [kind for kind in kinds[1:] if min(a.at(kind).n, b.at(kind).n) < MIN_KIND]
    return [kind for kind in kinds if kind not in small], small


def _left_out(small: Sequence[Stratum]) -> str:
    return f"Left out, with fewer than {MIN_KIND} implementations on a side: {', '.join(map(str, small))}."


def _matched(a: Fingerprint, b: Fingerprint, result: Congruity) -> SensitivityPoint:
    kind = a.strata[0]
    return SensitivityPoint(
        kind="matched",
        a=str(kind),
        b=str(kind),
        interventions=(kind.intervention, kind.intervention),
        kls=(kind.kl, kind.kl),
        n=result.n,
        mean_kl=(a.mean_kl, b.mean_kl),
        score=result.score,
        p_within=result.p_within,
        separability=result.separability,
        interval=result.interval,
        p_value=result.p_value,
        verdict=result.verdict,
        closeness=result.closeness,
    )


def _strengths(
    a: Fingerprint, b: Fingerprint, kinds: Sequence[Stratum], distance: Distance, make: Making, progress: Progress
) -> Iterator[SensitivityPoint]:
    """Yield the comparisons at unmatched strengths of one intervention."""
    for first, second in permutations(kinds, 2):
        if first.intervention == second.intervention:
            left, right = a.at(first), b.at(second)
            table = make(left, right, distance, None, progress)
            yield _example(left, right, table, np.arange(left.n), np.arange(right.n))


def _mixes(
    a: Fingerprint, b: Fingerprint, kinds: Sequence[Stratum], distance: Distance, make: Making, progress: Progress
) -> Iterator[SensitivityPoint]:
    """Yield the mixes of the reference intervention with each other one, at the first KL that both were drawn to."""
    for other in dict.fromkeys(kind.intervention for kind in kinds[1:]):
        pairs = [(x, y) for x in kinds for y in kinds
                 if x.intervention == kinds[0].intervention != other == y.intervention and x.kl == y.kl]  # fmt: skip
        for main, second in pairs[:1]:
            left, right = (_joined(side, main, second) for side in (a, b))
            table = make(left, right, distance, None, progress)
            for both in (False, True):
                for share in SHARES:
                    (first, p), (second_rows, q) = (
                        _mixed(side, main, part) for side, part in ((left, share if both else 0.0), (right, share))
                    )
                    yield _example(left, right, table, first, second_rows, mixed_with=other, shares=(p, q))


def _joined(side: Fingerprint, main: Stratum, second: Stratum) -> Fingerprint:
    """Return one side's implementations of two kinds, those of ``main`` first."""
    parts = [side.at(main), side.at(second)]
    return dataclasses.replace(
        side,
        implementations=tuple(item for part in parts for item in part.admitted),
        grams=np.concatenate([part.grams for part in parts]),
    )


def _mixed(side: Fingerprint, main: Stratum, share: float) -> tuple[Rows, float]:
    """Return the places of a mix, the first draws of ``main`` and the last of the other kind, and its real share."""
    n = sum(item.stratum == main for item in side.admitted)
    size = min(n, side.n - n)
    others = round(share * size)
    return np.concatenate([np.arange(size - others), n + np.arange(size - others, size)]), others / size


def _example(
    a: Fingerprint,
    b: Fingerprint,
    table: DistanceTable,
    first: Rows,
    second: Rows,
    *,
    mixed_with: str | None = None,
    shares: tuple[float, float] = (0.0, 0.0),
) -> SensitivityPoint:
    """Return the statistics of the implementations ``first`` of ``a`` against ``second`` of ``b``."""
    rows = np.r_[2 + first, 2 + a.n + second]
    picked = [[side.admitted[i] for i in places] for side, places in ((a, first), (b, second))]
    found = described(
        table.values[np.ix_(rows, rows)],
        ["a"] * len(first) + ["b"] * len(second),
        base=[item.base for side in picked for item in side],
    )
    kinds = [side.strata[0] for side in (a, b)]
    words = [_in_words(kind, mixed_with, q) for kind, q in zip(kinds, shares, strict=True)]
    means = [float(np.mean([item.behaviour.kl for item in side])) for side in picked]
    return SensitivityPoint(
        kind="strength" if mixed_with is None else "mix",
        a=words[0],
        b=words[1],
        interventions=(kinds[0].intervention, kinds[1].intervention),
        kls=(kinds[0].kl, kinds[1].kl),
        n=(len(first), len(second)),
        mean_kl=(means[0], means[1]),
        score=found.score,
        p_within=(found.p1, found.p2),
        separability=found.separability,
        second=mixed_with,
        shares=shares,
    )


def _in_words(kind: Stratum, second: str | None, share: float) -> str:
    if second is None or share == 0:
        return str(kind)
    other = str(Stratum(second, kind.kl))
    return other if share == 1 else f"{kind}, {100 * share:.0f} % of it {second}"


def _said(points: Sequence[SensitivityPoint], alpha: float) -> tuple[bool, str]:
    """Return whether verdict or "told apart" differ between matched points, and the sentence."""
    claims = {point.a: _claim(point, alpha) for point in points}
    here, count = claims[points[0].a], len(points)
    elsewhere = {name: claim for name, claim in claims.items() if claim != here}
    if not elsewhere:
        return False, f"With all {count} kinds of implementations alike ({', '.join(claims)}): {here}."
    where = "; ".join(f"{claim} with {name}" for name, claim in elsewhere.items())
    return True, (
        f"The answer depends on how implementations are made: with {points[0].a}, the reference, {here}; {where}"
        f" ({count - len(elsewhere)} of {count} kinds as the reference)."
    )


def _claim(point: SensitivityPoint, alpha: float) -> str:
    apart = "no valid test" if point.p_value is None else "told apart" if point.p_value <= alpha else "not told apart"
    return f"{point.verdict} and {apart}"
