"""Sentences of a report beside the verdict, and the check that every number in it is finite."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from congruity._base.wording import MISSING, interval, number, p_equation, printable
from congruity.errors import InputError
from congruity.values import MIN_CLAIM, Comparison, Congruity, Fingerprint, Gates, Paired, RelativeDistance
from congruity.values.keynumbers import kl_range, unit


def details(result: Congruity) -> list[str]:
    """Return what a reader needs besides verdict and key numbers: rho, equivalent KL, sensitivity, paired edits."""
    out = []
    near = result.closeness
    if near is not None:
        than = "than models are {} their implementations on average over both sides"
        if near.within is None:
            claim = f"no claim follows, as {_unclaimed(result, near)}"
        elif near.within:
            claim = f"the two models are closer to each other {than.format('to')}"
        elif (near.over_prompts or near.interval)[0] > 1:
            claim = f"the two models are farther from each other {than.format('from')}"
        else:
            claim = f"whether the two models are closer to each other {than.format('to')} is not shown"
        prompts = "" if near.over_prompts is None else f", over prompts too {interval(near.over_prompts)}"
        out.append(f"rho = {number(near.rho)} {interval(near.interval)}{prompts} ({unit(near)}): {claim}.")
    if result.equivalent_kl is not None:
        value, ends = kl_range(result.equivalent_kl)
        value = "not known" if value == MISSING else value
        out.append(
            f"Equivalent KL {value} {ends} nats: the strength at which implementations by "
            f"{printable(result.equivalent_kl.intervention)} are as far from their model as the two models are from "
            "each other."
        )
    if result.sensitivity is not None and result.sensitivity.sentence not in result.reason:
        out.append(printable(result.sensitivity.sentence))
    if result.paired is not None:
        out.append(_of_paired(result.paired))
    return out


def _unclaimed(result: Congruity, near: RelativeDistance) -> str:
    if result.verdict == "not applicable":
        return "a side cannot do the task"
    if near.kl is None or near.intervention is None:
        return "the sides were not drawn to one KL by one intervention"
    if (min(result.n) if result.paired is None else result.paired.n) < MIN_CLAIM:
        return f"fewer than {MIN_CLAIM} implementations on a side are too few for it"
    return "the sides were not made alike"


def _of_paired(found: Paired) -> str:
    ratio = "" if found.ratio is None else (
        f", {number(found.ratio)} {interval(found.ratio_interval)} times that of the unedited models"
    )  # fmt: skip
    tied = [
        f"{what} correlates at {number(one.correlation)} {interval(one.interval)} ({p_equation(one.p_value)}; standard "
        f"deviations {number(one.spread[0])} and {number(one.spread[1])})"
        for what, one in (("log KL", found.log_kl), ("the change of the logit difference", found.metric))
        if one is not None
    ]
    return (
        f"The same {found.n} edits in both models: paired distance {number(found.distance)}{ratio}; the partner is the "
        f"nearest for {number(found.retrieval[0])} and {number(found.retrieval[1])} of them (chance "
        f"{number(found.chance)}){'; ' if tied else ''}{' and '.join(tied)}."
    )


def gates(side: Fingerprint) -> Gates | None:
    """Return the gates that a fingerprint was made with, or None if they were not recorded."""
    return side.sampling.gates


def verify(comparison: Comparison) -> None:
    """Refuse what cannot be reported.

    Raises:
        InputError: if a number of the result or of a fingerprint is NaN or infinite. A *refused* implementation may
            have a KL that is not a number, because that is why it was refused.
    """
    verify_result(comparison.result)
    for side in (comparison.a, comparison.b):
        where = f"fingerprint {side.model.name!r}: "
        drawn = {
            "accuracy": side.accuracy,
            "unedited": side.unedited,
            "faithfulness": side.circuit.faithfulness,
            "circuit curve": side.circuit.curve,
            "threshold": side.circuit.threshold,
            "admitted implementations": [i.behaviour for i in side.admitted],
            "checks": [check.value for check in side.checks],
        }
        for name, value in drawn.items():
            require_finite(value, where + name)
        require_finite(side.sampling, f"{where}sampling", infinite=True)  # a limit may be switched off


def verify_result(result: Congruity) -> None:
    """Raise `InputError`, naming the field, if any number of ``result`` is NaN or infinite."""
    for field in dataclasses.fields(result):
        if field.name not in ("table", "side"):  # a DistanceTable checks itself
            where = f"result of {result.names[0]!r} and {result.names[1]!r}: {field.name}"
            require_finite(getattr(result, field.name), where, infinite=field.name == "provenance")


def require_finite(value: object, where: str, *, infinite: bool = False) -> None:
    """Raise `InputError`, naming the place, if a number anywhere in ``value`` is NaN or, unless allowed, infinite."""
    for path, leaf in _numbers(value, where):
        if math.isnan(leaf) or (math.isinf(leaf) and not infinite):
            raise InputError(f"{path} is {leaf}; a report shows only finite numbers")


def _numbers(value: Any, path: str) -> Iterator[tuple[str, float]]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{path}[{index}]")
    elif hasattr(value, "dtype") and hasattr(value, "tolist"):
        yield from _numbers(value.tolist(), path)
    elif isinstance(value, float):
        yield path, value
