"""How numbers, names and verdicts are written, the same in the terminal, the page and the figures.

Two to three significant digits, because no estimate here carries more. NaN is refused, never printed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from congruity.errors import InputError
from congruity.values import MIN_CLAIM, Closeness, Comparison, Congruity, EquivalentKL, Fingerprint, Gates, Paired

MINUS = "\N{MINUS SIGN}"
MISSING = "-"


def number(value: float | None, *, sign: bool = False) -> str:
    """Write ``value`` with two decimals, more below 0.1 and just below 1, fewer from 10.

    Args:
        value: the number, or None for one that is not known.
        sign: also write the plus sign.

    Returns:
        The text, with a typographic minus; "-" for None.

    Raises:
        InputError: if ``value`` is NaN.

    >>> number(0.417), number(0.0432), number(0.9973), number(123.4), number(None)
    ('0.42', '0.043', '0.997', '123', '-')
    """
    if value is None:
        return MISSING
    if math.isnan(value):
        raise InputError("a report cannot show NaN; find out which stage made it, and do not report that result")
    size = abs(value)
    if math.isinf(value):
        text = "\N{INFINITY}"
    elif 0 < size < 1e-3:
        text = f"{size:.1e}".replace("e-0", "e-")
    else:
        text = f"{size:.{_decimals(size)}f}"
    return (MINUS if value < 0 else "+" if sign and value > 0 else "") + text


def _decimals(size: float) -> int:
    if 0 < size < 0.1:
        return 1 - math.floor(math.log10(size))
    if size >= 10:
        return 1 if size < 100 else 0
    # "1.00" would claim certainty that 0.997 does not have
    return next((d for d in range(2, 7) if size >= 1 or round(size, d) < 1), 7)


def interval(bounds: tuple[float, float] | None, *, sign: bool = False) -> str:
    """Write ``[low, high]``, or nothing for None.

    >>> interval((0.2, 0.613))
    '[0.20, 0.61]'
    """
    return "" if bounds is None else f"[{number(bounds[0], sign=sign)}, {number(bounds[1], sign=sign)}]"


def p_value(p: float | None) -> str:
    """Write a p-value without its leading zero; "-" for None (no valid test).

    Raises:
        InputError: if ``p`` is NaN or outside [0, 1].

    >>> p_value(0.0002), p_value(0.0316), p_value(0.52), p_value(1.0), p_value(None)
    ('< .001', '.032', '.52', '1.00', '-')
    """
    if p is None:
        return MISSING
    if not 0 <= p <= 1:
        raise InputError(f"a p-value lies in [0, 1]; got {p}")
    if p < 0.001:
        return "< .001"
    if p > 0.99:
        return "1.00" if p == 1 else "> .99"
    return f"{p:.3f}"[1:] if p < 0.0995 else f"{p:.2f}"[1:]


def p_equation(p: float | None) -> str:
    """Write ``p = .032`` or ``p < .001``; "no valid test" for None."""
    if p is None:
        return "no valid test"
    text = p_value(p)
    return f"p {text}" if text[0] in "<>" else f"p = {text}"


def duration(seconds: float) -> str:
    """Write seconds as people say them.

    >>> duration(0.314), duration(42.0), duration(200.0), duration(3900.0)
    ('0.31 s', '42.0 s', '3 min 20 s', '1 h 5 min')
    """
    if seconds < 99.95:
        return f"{number(seconds)} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def printable(text: object) -> str:
    """Replace control characters, which could drive a terminal or break the SVG, by U+FFFD.

    >>> printable("a" + chr(27) + "[31m")
    'a\ufffd[31m'
    """
    return "".join(c if c.isprintable() or c == " " else "\ufffd" for c in str(text))


def shorten(text: object, length: int) -> str:
    """Cut the middle out of a name longer than ``length``: both ends tell models apart."""
    name = printable(text)
    if len(name) <= length:
        return name
    head = (length - 1) * 2 // 3
    return f"{name[:head]}\N{HORIZONTAL ELLIPSIS}{name[len(name) - (length - 1 - head) :]}"


def sentence(result: Congruity) -> tuple[str, str, str]:
    """Return the verdict in three parts: "A and B", the verdict, and the reason as a sentence."""
    a, b = map(printable, result.names)
    reason = printable(result.reason).strip()
    if not reason.startswith((a, b)):  # a name keeps its own case
        reason = reason[:1].upper() + reason[1:]
    return f"{a} and {b}", result.verdict, reason if not reason or reason[-1] in ".!?" else f"{reason}."


def held(result: Congruity) -> tuple[float, float] | None:
    """Return the interval of C; None where no interval holds, as with paired draws, which have no others either."""
    return result.interval if result.intervals else None


def kl_range(found: EquivalentKL) -> tuple[str, str]:
    """Write an equivalent KL and its 95 % range; outside the KLs measured only on which side of them it lies.

    >>> kl_range(EquivalentKL(0.0049, 0.0046, None, (0.003, 0.01), (1.3, 0.7), "resample"))
    ('0.0049', '[0.0046, ∞]')
    >>> kl_range(EquivalentKL(None, None, 0.01, (0.01,), (0.5,), "resample", "below"))
    ('< 0.010', '[0.00, 0.010]')
    >>> kl_range(EquivalentKL(None, None, None, (0.01,), (0.9,), "resample", "below"))  # on which side is not shown
    ('-', '[0.00, ∞]')
    """
    ends = interval((0.0 if found.low is None else found.low, math.inf if found.high is None else found.high))
    if found.value is not None:
        return number(found.value), ends
    if found.low is None and found.high is None:
        return MISSING, ends
    return (f"< {number(found.kls[0])}" if found.where == "below" else f"> {number(found.kls[-1])}"), ends


def unit(found: Closeness) -> str:
    """Say what rho is relative to: "resample at KL 0.01", and what each side is where they share no KL."""
    if found.kinds is None:
        made = "several interventions" if found.intervention is None else printable(found.intervention)
        return made if found.kl is None else f"{made} at KL {found.kl:g}"
    kinds = " and ".join(map(printable, dict.fromkeys(found.kinds)))
    if found.kinds[0] == found.kinds[1] and found.kl is not None:
        return kinds
    reached = "" if found.mean_kls is None else f", mean KL {' and '.join(map(number, found.mean_kls))}"
    return f"{kinds}{reached}"


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


def _unclaimed(result: Congruity, near: Closeness) -> str:
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
