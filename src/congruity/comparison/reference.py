"""Rank of a comparison among reference comparisons, whose answer is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from congruity.errors import InputError, UnknownNameError
from congruity.values import Congruity, RankAmong

_FALLS_WITH_DIFFERENCE = {"score": True, "score_min": True, "rho": False}
By = Literal["rho", "score", "score_min"]
Known = Congruity | Mapping[str, Any]


def rank_among(result: Known, *, equivalent: Sequence[Known], different: Sequence[Known], by: By = "rho") -> RankAmong:
    """Return the rank of a comparison among known-equivalent and known-different ones.

    Where one network a side is all there is, no test of "the same interpretation" exists; what remains is to compare
    with pairs of networks whose answer is known: seeds of one training run, copies with harmless noise, networks
    trained to another algorithm. ``p_equivalent`` = (1 + number of known-equivalent ones at least as far apart) /
    (1 + their number) is a valid p-value of "this pair is like them", if it would be exchangeable with them; it cannot
    fall below 1 / (1 + their number).

    Args:
        result: a `Congruity`, or the object in a ``result.json``.
        equivalent, different: the same, of known comparisons: one at least in all.
        by: "rho", which does not saturate, or "score" or "score_min".

    Raises:
        InputError: no known comparison, or one without the number; or comparisons by another distance, or of
            implementations made by another intervention or to another KL, where that is known of both.
        UnknownNameError: ``by`` is none of these.

    >>> found = rank_among({"rho": 5.2}, equivalent=[{"rho": 0.0}, {"rho": 0.26}], different=[{"rho": 8.8}])
    >>> found.p_equivalent, found.sentence
    (0.333..., 'rho = 5.20 lies beyond all 2 known-equivalent comparisons (at most 0.26), and short of all 1 known-different comparison (at least 8.80).')

    Source: rank (conformal) p-values, Vovk, Gammerman, Shafer (2005).
    """  # noqa: E501
    if by not in _FALLS_WITH_DIFFERENCE:
        raise UnknownNameError("statistic", by, tuple(_FALLS_WITH_DIFFERENCE))
    if not equivalent and not different:
        raise InputError("rank_among: no known comparison is given; pass at least one that is equivalent or different")
    value, near, far = _of(result, by), [_of(k, by) for k in equivalent], [_of(k, by) for k in different]
    for other in (*equivalent, *different):
        _require_like(result, other)
    sign = -1.0 if _FALLS_WITH_DIFFERENCE[by] else 1.0
    apart = sign * value
    beyond = sum(sign * k >= apart for k in near)
    short = sum(sign * k <= apart for k in far)
    parts = []
    if near:
        parts.append(_sentence(beyond, len(near), "beyond", "known-equivalent", _extreme(near, sign), sign > 0))
    if far:
        parts.append(_sentence(short, len(far), "short of", "known-different", _extreme(far, -sign), sign < 0))
    name = {"rho": "rho", "score": "C", "score_min": "C_min"}[by]
    return RankAmong(
        by=by,
        value=value,
        equivalent=tuple(near),
        different=tuple(far),
        p_equivalent=(1 + beyond) / (1 + len(near)),
        p_different=(1 + short) / (1 + len(far)),
        sentence=f"{name} = {value:.2f} lies {', and '.join(parts)}.",
    )


def _of(known: Known, by: str) -> float:
    value = (
        getattr(known, by) if isinstance(known, Congruity) else known.get(by) if isinstance(known, Mapping) else None
    )
    if not isinstance(value, (int, float)) or not np.isfinite(value):
        raise InputError(f"rank_among: a comparison has {by} = {value!r}; pass results in which it is a number")
    return float(value)


def _require_like(result: Known, other: Known) -> None:
    """Refuse to rank numbers in different units: rho is relative to all of these, and C depends on them."""
    for (what, left), (_, right) in zip(_units(result), _units(other), strict=True):
        if left is not None and right is not None and left != right:
            raise InputError(
                f"rank_among: the comparison has the {what} {left} and a known one {right}, so they have no order; "
                "compare the known ones in the same way"
            )


def _units(known: Known) -> list[tuple[str, Any]]:
    """Return distance, intervention and KL behind a comparison; None for what is not known."""
    data = known if isinstance(known, Mapping) else {"closeness": known.closeness, "provenance": known.provenance}
    near, made = data.get("closeness"), data.get("provenance")
    kept = near if isinstance(near, Mapping) else {k: getattr(near, k, None) for k in ("intervention", "kl")}
    distance = made.get("measure") if isinstance(made, Mapping) else None
    return [("distance", distance), *((k, kept.get(k)) for k in ("intervention", "kl"))]


def _extreme(values: list[float], sign: float) -> float:
    """The one that is farthest in the direction of ``sign``."""
    return sign * max(sign * v for v in values)


def _sentence(not_so: int, count: int, where: str, kind: str, extreme: float, at_most: bool) -> str:
    noun = "comparison" if count == 1 else "comparisons"
    who = f"all {count}" if not_so == 0 else f"{count - not_so} of {count}"
    return f"{where} {who} {kind} {noun} ({'at most' if at_most else 'at least'} {extreme:.2f})"
