"""What the commands print: JSON, tables, comparisons, times."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from congruity.values import Comparison, Fingerprint, RankAmong


def print_json(data: Any) -> None:
    """Print one JSON object; NaN is refused."""
    print(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(comparisons: Any) -> None:
    """Print a row a comparison, in colour and as wide as the terminal."""
    from rich.console import Console

    from congruity.report import text

    Console(width=None if sys.stdout.isatty() else 100).print(text.table(comparisons))


def print_comparison(comparison: Comparison, rank: RankAmong | None, warnings: list[str]) -> None:
    """Print the row of a comparison, its sentence, its rank among known ones, details and warnings."""
    from congruity.report import text, wording

    print_table([comparison])
    print(f"\n{text.verdict(comparison.result)}")
    if rank is not None:
        print(f"Among known comparisons: {rank.sentence}")
    for line in wording.details(comparison.result):
        print(line)
    for warning in warnings:
        print(f"Warning: {warning}")


def print_rows(rows: list[dict[str, Any]], json_output: bool) -> None:
    """Print dictionaries with the same keys as a table, or as JSON."""
    if json_output:
        print_json(rows)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*(escape("yes" if v is True else "no" if v is False else str(v)) for v in row.values()))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def print_timing(seconds: dict[str, float], floor: float, peak: float) -> None:
    """Print where the time went, beside what it could not have been less than."""
    spent = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
    print(f"Seconds: {spent}; total {sum(seconds.values()):.1f}")
    if floor:
        print(f"Floor: {floor:.1f} s, the matrix products that had to happen at this machine's rate")
    print(f"Peak memory: {peak:.0f} MB")


def summary(made: Fingerprint) -> dict[str, Any]:
    """Return what a fingerprint holds, in short."""
    return {
        "model": made.model.name,
        "task": made.queries.task,
        "accuracy": made.accuracy,
        "circuit": len(made.circuit.sites),
        "sites": len(made.circuit.scores.sites),
        "admitted": made.n,
        "refused": made.n_refused,
        "mean_kl": made.mean_kl,
        "digest": made.digest,
    }


def first_line(thing: Any) -> str:
    """Return the first line of the docstring of a class, or of the class of ``thing``."""
    return ((thing if isinstance(thing, type) else type(thing)).__doc__ or "").strip().splitlines()[0]
