"""How a comparison depends on the way its implementations were made: by which intervention, and how strong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np

from congruity._base.progress import Progress, silent
from congruity.comparison.alike import Pair, Rows
from congruity.comparison.parts import Parts, parts_of
from congruity.comparison.relative_distance import equivalent_kl
from congruity.comparison.tables import Making, Measured, distance_table
from congruity.comparison.verdict import MIN_RELIABILITY
from congruity.errors import InputError
from congruity.inference import EstimateSettings, described
from congruity.protocols import Distance
from congruity.values import DistanceTable, Fingerprint, Sensitivity, SensitivityPoint, Stratum

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
MIN_KIND = 5  # implementations a side of a kind beside the reference: fewer have no p-value below .01


def sensitivity(
    pair: Pair,
    reference: Parts,
    distance: Distance,
    settings: EstimateSettings,
    *,
    controls: bool = True,
    progress: Progress = silent,
    make: Making = distance_table,
) -> Sensitivity:
    """Compare two fingerprints on every kind of implementation that both have, and on mixtures that show what misleads.

    Matched points, one a kind, are concluded like the reference, at its margin; that distances are reliable over
    prompts is checked on the reference only and taken over from it. They describe how far the reference can be trusted:
    the error rates are those of the reference alone. Implementations at several strengths are one random path each, so
    points are not independent of each other.

    The others are warning examples, without a verdict: unmatched strengths (a at one KL, b at another), and mixes of
    two interventions at one KL, in b only (unlike sides: they separate though the models are what they are) and in both
    sides (alike: no false difference, but each side is then wider and C higher). A mix takes its parts from different
    draws: draw k goes through the sites in the same order with either intervention.

    Cost: with N implementations a side, about 2 N^2 distances a further matched kind, N^2 an ordered pair of strengths,
    4 N^2 a mix of two interventions. For 20 a side at 3 KLs and one more intervention at one of them that is 6,600
    distances, 200 s with `Spectral` at 200 prompts where the reference takes 26 s. ``Spectral().remembering()``
    solves none twice; distances in closed form are made again, in milliseconds.

    Kinds of fewer than 5 implementations on a side are left out, and named in the sentence.

    Args:
        pair: with at least two kinds in common; the first is the reference.
        reference: the parts of the comparison on it.
        distance: between Gram matrices.
        settings: of the estimates; the margin is the one in force for the reference.
        controls: False leaves the warning examples out.
        make: makes a table, for callers that keep them.

    Raises:
        InputError: fewer than two kinds in common with enough implementations.
    """
    kinds, small = usable(pair)
    if len(kinds) < 2:
        raise InputError(
            f"sensitivity: {pair.names[0]} and {pair.names[1]} have {len(kinds)} kinds of implementations in common "
            "and two are needed; make both with several KLs or interventions"
            + (f" ({left_out(small)})" if small else "")
        )
    prompts = reference.estimate.prompts
    trusted = prompts is not None and prompts.reliability >= MIN_RELIABILITY
    at_margin = dataclasses.replace(settings, margin=reference.estimate.margin)
    found, points = [reference], [_matched(pair, reference)]
    for done, kind in enumerate(kinds[1:], start=1):
        progress("kinds of implementations", done, len(kinds))
        of_kind = pair.at(kind)
        table = make(of_kind.a, of_kind.b, distance, None, progress)
        found.append(parts_of(of_kind, Measured(table), at_margin, require_prompts=not trusted))
        points.append(_matched(of_kind, found[-1]))
    progress("kinds of implementations", len(kinds), len(kinds))
    strengths = [  # parts without an equivalent KL of their own may claim none: the sides were not made alike
        one.relative.distance
        for one, kind in zip(found, kinds, strict=True)
        if kind.intervention == kinds[0].intervention and one.relative.distance and one.relative.equivalent_kl
    ]
    changes, sentence = _dependence(points, settings.alpha)
    if controls:
        points += _strengths(*pair.whole, kinds, distance, make, progress)
        points += _mixes(*pair.whole, kinds, distance, make, progress)
    return Sensitivity(
        points=tuple(points),
        equivalent_kl=equivalent_kl(strengths) if strengths else None,
        changes=changes,
        sentence=f"{sentence} {left_out(small)}" if small else sentence,
    )


def usable(pair: Pair) -> tuple[list[Stratum], list[Stratum]]:
    """Return the kinds in common that can be compared, the reference first, and those with too few implementations."""
    a, b = pair.whole
    small = [kind for kind in pair.kinds[1:] if min(a.at(kind).n, b.at(kind).n) < MIN_KIND]
    return [kind for kind in pair.kinds if kind not in small], small


def left_out(small: Sequence[Stratum]) -> str:
    """Say which kinds of implementations were left out."""
    return f"Left out, with fewer than {MIN_KIND} implementations on a side: {', '.join(map(str, small))}."


def _matched(pair: Pair, parts: Parts) -> SensitivityPoint:
    kind, estimate = pair.a.strata[0], parts.estimate
    return SensitivityPoint(
        kind="matched",
        a=str(kind),
        b=str(kind),
        interventions=(kind.intervention, kind.intervention),
        kls=(kind.kl, kind.kl),
        n=estimate.n,
        mean_kl=(pair.a.mean_kl, pair.b.mean_kl),
        score=estimate.score,
        p_within=estimate.p_within,
        separability=estimate.separability,
        interval=estimate.interval,
        p_value=estimate.p_value,
        verdict=parts.conclusion().verdict,
        closeness=parts.relative.distance,
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


def _dependence(points: Sequence[SensitivityPoint], alpha: float) -> tuple[bool, str]:
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
