"""Write ``results/inference.md``, the committed numbers of ``congruity bench inference`` as tables to read.

Run ``python benchmarks/tables.py`` after the benchmark; a test checks that the page is what the numbers give.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_HEAD = """# Error rates of the inference

Made by `python benchmarks/tables.py` from `inference.json` (`{command}`, seed {seed}): {replicates} replicates a cell,
populations of known truth that were fixed before any result was seen. Rates with their Monte-Carlo standard errors.
"ours": the combined permutation test at 5 %. "paper": its recipe as we read it, "different" where at least 95 % of 40
repeats of 20 random triples on the same sample put P1 above one half.
`estimate` at its defaults takes {seconds_40:.2f} s for 40 + 40 implementations and {seconds_200:.1f} s for 200 + 200 on
one core; the whole benchmark's main process peaked at {estimate_peak_rss_mb:.0f} MB.
"""


def page(found: dict[str, Any]) -> str:
    """Return the page for the numbers of one run."""
    sizes = sorted({cell["n"] for cell in found["coverage"]})
    parts = [_HEAD.format(**found)]
    parts.append("## One law on both sides: how often a difference is found (should be 5 % at most)\n")
    parts.append(_tests(found, found["size"], sizes))
    parts.append("## Two laws: how often a difference is found\n")
    parts.append(_tests(found, found["power"], sizes))
    parts.append(f"## Verdicts at margin {found['margin']:g} (equivalent / different, %)\n")
    rows = [
        [name, f"{_c(found, name):.2f}", f"{_c_min(found, name):.2f}"]
        + [_verdict(_at(found["verdicts"], name, n)) for n in sizes]
        for name in dict.fromkeys(cell["population"] for cell in found["verdicts"])
    ]
    parts.append(_table(["population", "C", "C_min", *(f"N = {n}" for n in sizes)], rows))
    parts.append(
        f"Largest share of nulls called different: {found['false_different']:.3f}. Largest share that passes the "
        f"equivalence test exactly at the margin, from 10 a side on: {found['false_equivalent']:.3f}.\n"
    )
    parts.append("## Coverage of the 95 % intervals of T (mean width)\n")
    rows = [
        [name, *(_coverage(_at(found["coverage"], name, n)) for n in sizes)]
        for name in dict.fromkeys(cell["population"] for cell in found["coverage"])
    ]
    parts.append(_table(["population", *(f"N = {n}" for n in sizes)], rows))
    return "\n".join(parts)


def _tests(found: dict[str, Any], cells: list[dict[str, Any]], sizes: list[int]) -> str:
    rows = []
    for name in dict.fromkeys(cell["population"] for cell in cells):
        ours, paper = ([_at(where, name, n) for n in sizes] for where in (cells, found["paper"]))
        rows.append([name, *(_rate(cell) for cell in ours), *(_rate(cell) for cell in paper)])
    head = [f"ours, N = {n}" for n in sizes] + [f"paper, N = {n}" for n in sizes]
    return _table(["population", *head], rows)


def _at(cells: list[dict[str, Any]], name: str, n: int) -> dict[str, Any] | None:
    return next((cell for cell in cells if (cell["population"], cell["n"]) == (name, n)), None)


def _rate(cell: dict[str, Any] | None) -> str:
    return "no test" if cell is None else f"{cell['rate']:.3f} ({cell['se']:.3f})"


def _coverage(cell: dict[str, Any] | None) -> str:
    return "" if cell is None else f"{cell['rate']:.3f} ({cell['mean_width']:.2f})"


def _verdict(cell: dict[str, Any] | None) -> str:
    return "" if cell is None else f"{100 * cell['equivalent']:.1f} / {100 * cell['different']:.1f}"


def _c(found: dict[str, Any], name: str) -> float:
    return 1.0 - abs(found["truth"][name]["p1"] + found["truth"][name]["p2"] - 1.0)


def _c_min(found: dict[str, Any], name: str) -> float:
    return 1.0 - max(abs(2.0 * p - 1.0) for p in found["truth"][name].values())


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (RESULTS / "inference.md").write_text(
        page(json.loads((RESULTS / "inference.json").read_text(encoding="utf-8"))), encoding="utf-8"
    )
