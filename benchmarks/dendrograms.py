"""Draw trees of the algorithms by mean distance: ``python benchmarks/dendrograms.py`` after the benchmark.

Average linkage of the mean distances between networks of each two algorithms, on networks that chose nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from congruity.report.plots import style

ROOT = Path(__file__).parent
SHOWN = (
    ("trained, values", "swaps"),
    ("trained, values", "procrustes"),
    ("trained, values", "ridge, the paper's recipe"),
    ("trained, plain", "swaps"),
)


def draw(found: dict[str, Any]) -> Any:
    """Return a figure with a tree for each of ``SHOWN``, of the family of permutations."""
    from matplotlib.figure import Figure
    from scipy.cluster.hierarchy import dendrogram, linkage
    from scipy.spatial.distance import squareform

    figure = Figure(figsize=(6.9, 4.2), layout="constrained")
    for axes, (regime, name) in zip(figure.subplots(2, 2).flat, SHOWN, strict=True):
        part = found["regimes"][regime][name]["structure"]["permutation"]
        table = np.array(part["distances"])
        table = (table + table.T) / 2
        within = float(table.diagonal().mean())
        np.fill_diagonal(table, 0.0)
        dendrogram(
            linkage(squareform(table, checks=False), "average"),
            labels=part["algorithms"],
            ax=axes,
            orientation="right",
            color_threshold=0,
            leaf_font_size=8,
            above_threshold_color="black",
        )
        axes.axvline(within, linestyle="--", linewidth=0.8, color="0.4")
        axes.set_title(f"{regime}: {name}")
        axes.set_xlabel("mean distance (dashed: within an algorithm)")
    return figure


if __name__ == "__main__":
    with style():
        figure = draw(json.loads((ROOT / "results" / "ground_truth.json").read_text(encoding="utf-8")))
        figure.savefig(ROOT / "results" / "ground_truth_families.svg", metadata={"Date": None})
