"""How numbers, names and verdicts are written, the same in the terminal, the page and the figures.

Two to three significant digits, because no estimate here carries more. NaN is refused, never printed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from congruity.errors import InputError
from congruity.results import Comparison, Congruity
from congruity.values import Fingerprint, Gates

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


def gates(side: Fingerprint) -> Gates | None:
    """Return the gates that a fingerprint was made with, or None if its settings do not hold them."""
    found = side.settings.get("gates")
    if isinstance(found, Mapping):
        known = {field.name for field in dataclasses.fields(Gates)}
        limits: dict[str, Any] = {k: None if v is None else float(v) for k, v in found.items() if k in known}
        return Gates(**limits)
    return found if isinstance(found, Gates) else None


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
            _finite(value, where + name)
        _finite(side.settings, f"{where}settings", infinite=True)  # a limit may be switched off


def verify_result(result: Congruity) -> None:
    """Raise `InputError`, naming the field, if any number of ``result`` is NaN or infinite."""
    for field in dataclasses.fields(result):
        if field.name not in ("table", "side"):  # a DistanceTable checks itself
            where = f"result of {result.names[0]!r} and {result.names[1]!r}: {field.name}"
            _finite(getattr(result, field.name), where, infinite=field.name == "provenance")


def _finite(value: object, where: str, *, infinite: bool = False) -> None:
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
