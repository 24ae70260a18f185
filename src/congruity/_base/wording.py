"""Numbers, p-values and names as text, the same in the terminal, in notebooks, in pages and in figures.

Two to three significant digits, because no estimate of this package carries more. NaN is refused, never printed.
"""

from __future__ import annotations

import math

from congruity.errors import InputError

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
