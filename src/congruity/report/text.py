"""Tables and sentences for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from congruity._base.wording import interval, number, p_value, printable
from congruity.errors import InputError
from congruity.report.wording import verify_result
from congruity.values import Comparison, Congruity


def verdict(result: Congruity) -> str:
    """Return "<A> and <B>: <verdict>. <reason>" on one line.

    Args:
        result: what `compare` returned.

    Returns:
        A plain sentence in which names that look like rich markup are escaped, so that ``console.print`` shows them
        as they are written.

    Raises:
        InputError: if a number in ``result`` is NaN or infinite.

    Example:
        ``console.print(verdict(result))`` prints "gpt2 and pythia-160m: undecided. P1 = 0.93 ..."
    """
    verify_result(result)
    pair, decision, reason = result.sentence()
    return escape(f"{pair}: {decision}. {reason}".rstrip())


def table(comparisons: Sequence[Comparison]) -> Table:
    """Return one row a comparison: role, sides, C with its 95 % interval, P1, P2, separability, p, rho, verdict.

    Args:
        comparisons: main comparisons and controls, in the order in which to show them.

    Returns:
        A rich table that fits 100 columns; long names wrap.

    Raises:
        InputError: if there is nothing to show, or a number is NaN or infinite.

    Example:
        ``rich.console.Console().print(table([comparison]))``
    """
    if not comparisons:
        raise InputError("report.text.table: there is no comparison to show")
    out = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)  # the box itself keeps columns one space apart
    out.add_column("role", no_wrap=True)
    for side in ("A", "B"):
        out.add_column(side, overflow="fold", min_width=8, max_width=22)
    for name in ("C [95 %]", "P1", "P2", "sep.", "p", "rho"):
        out.add_column(name, justify="right", no_wrap=True)
    out.add_column("verdict", overflow="fold", min_width=10)
    for comparison in comparisons:
        out.add_row(*(Text(cell) for cell in cells(comparison)))
    return out


def cells(comparison: Comparison) -> tuple[str, ...]:
    """Return the row of one comparison as plain text: the same cells as in the page.

    Raises:
        InputError: if a number is NaN or infinite.
    """
    result = comparison.result
    verify_result(result)
    return (
        comparison.role,
        printable(result.names[0]),
        printable(result.names[1]),
        f"{number(result.score)} {interval(result.interval)}".rstrip(),
        number(result.p_within[0]),
        number(result.p_within[1]),
        number(result.separability),
        p_value(result.p_value),
        number(result.rho),
        result.verdict,
    )
