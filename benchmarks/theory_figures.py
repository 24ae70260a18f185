"""Draw the pictures of docs/theory.md: ``python benchmarks/theory_figures.py``, the last after ``bench theory``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from congruity.report.plots import style
from congruity.theory import CausalModel
from congruity.theory.equivalence import congruity, d_interp

RESULTS = Path(__file__).parent / "results"
_A, _B = "#0072b2", "#d55e00"


def graph(axes: Any, title: str, places: dict[str, tuple[float, float]], edges: list[str], marked: str = "") -> None:
    """Draw variables at places and edges "from to", the marked variables filled."""
    axes.set_title(title)
    axes.set_axis_off()
    axes.set_xlim(-0.25, 1.25)
    axes.set_ylim(-0.3, 1.3)
    for edge in edges:
        start, end = (places[name] for name in edge.split())
        arrow = {"arrowstyle": "-|>", "color": "0.3", "shrinkA": 13, "shrinkB": 13, "linewidth": 1.0}
        axes.annotate("", xy=end, xytext=start, arrowprops=arrow)
    for name, (x, y) in places.items():
        box = {
            "boxstyle": "round,pad=0.35",
            "facecolor": "#cfe5f3" if name in marked.split() else "white",
            "edgecolor": "0.2",
        }
        axes.text(x, y, name, ha="center", va="center", fontsize=8, bbox=box)


def merge() -> Any:
    """Both ways to sort two numbers, and what they have in common."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.9, 2.4), layout="constrained")
    one, two, three = figure.subplots(1, 3)
    ends = {"a": (0.0, 1.0), "b": (1.0, 1.0), "low": (0.0, 0.0), "high": (1.0, 0.0)}
    both = "low high"
    read = ["a low", "b low", "a high", "b high"]
    graph(one, "by comparing", ends | {"swap": (0.5, 0.85)}, ["a swap", "b swap", "swap low", "swap high", *read], both)
    graph(
        two,
        "by the minimum",
        ends | {"total": (0.75, 0.5)},
        ["a low", "b low", "a total", "b total", "low high", "total high"],
        both,
    )
    graph(three, "merged", {"a": (0.0, 1.0), "b": (1.0, 1.0), "order": (0.5, 0.0)}, ["a order", "b order"], "order")
    return figure


def blind() -> Any:
    """Chain and fork, and what w is on plain inputs and once v is set."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.9, 2.2), layout="constrained")
    one, two, three = figure.subplots(1, 3, width_ratios=(1, 1, 1.4))
    places = {"x": (0.5, 1.0), "v": (0.05, 0.1), "w": (0.95, 0.1)}
    graph(one, "chain", places, ["x v", "v w"], "v")
    graph(two, "fork", places, ["x v", "x w"], "v")
    models = {
        "chain": CausalModel({"x": (0, 1)}, {"v": lambda x: x, "w": lambda v: v}, ("w",)),
        "fork": CausalModel({"x": (0, 1)}, {"v": lambda x: x, "w": lambda x: x}, ("w",)),
    }
    asked = [("x=0", {}), ("x=1", {}), ("x=0\nv:=1", {"v": 1}), ("x=1\nv:=0", {"v": 0})]
    for shift, (name, model), colour, hatch in zip((-0.2, 0.2), models.items(), (_A, _B), ("", "//"), strict=True):
        values = [int(model.solve({"x": int(label[2])}, do=do)["w"][0]) for label, do in asked]
        three.bar(
            np.arange(4) + shift, np.array(values) + 0.03, 0.38, label=name, color=colour, hatch=hatch, edgecolor="w"
        )
    three.set_xticks(range(4), [label for label, _ in asked])
    three.set_yticks([0, 1])
    three.set_ylabel("w")
    three.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, 1.3), frameon=False)
    return figure


def tight() -> Any:
    """Congruity, C_min and ball divergence of a simplex and its centre."""
    from matplotlib.figure import Figure

    sizes = np.arange(2, 41)
    rows = []
    for n in sizes:
        places = np.vstack([np.eye(n), np.full(n, 1 / n)])
        table = np.linalg.norm(places[:, None] - places, axis=-1).round(12)
        found = congruity(table, np.r_[np.full(n, 1 / n), 0.0], np.r_[np.zeros(n), 1.0])
        sets = d_interp(table, np.arange(n + 1) < n)
        rows.append((found.score, found.score_min, found.ball_divergence, sets.d_interp))
    figure = Figure(figsize=(6.9, 2.6), layout="constrained")
    one, two = figure.subplots(1, 2, width_ratios=(1, 2))
    angles = np.pi / 2 + np.arange(3) * 2 * np.pi / 3
    one.plot(np.cos(angles), np.sin(angles), "o", color=_A, label="wide: the corners")
    one.plot([0], [0], "s", color=_B, label="tight: the centre")
    one.set_aspect("equal")
    one.set_axis_off()
    one.legend(loc="lower center", bbox_to_anchor=(0.5, -0.35), frameon=False)
    names = ("C", "C_min", "ball divergence", "d_interp")
    for name, column, line in zip(names, np.array(rows).T, ("-", "--", ":", "-."), strict=True):
        two.plot(sizes, column, line, label=name, color="0.1")
    two.set_xlabel("corners")
    two.set_ylim(-0.03, 1.05)
    two.legend(loc="center right", bbox_to_anchor=(1.0, 0.24), frameon=False)
    return figure


def cost(found: dict[str, Any]) -> Any:
    """Seconds against size on logarithmic axes, with the slope of the last three sizes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.9, 3.2), layout="constrained")
    axes = figure.subplots()
    for (name, case), marker in zip(found["enumeration"]["cases"].items(), "osD^v", strict=True):
        label = f"{name}: {case['expected']}, measured slope {case['slope_of_last_three']:.2f}"
        axes.loglog(
            case["sizes"], case["seconds"], marker=marker, color="0.2", linewidth=0.9, markersize=4, label=label
        )
    axes.set_xlabel("circuits, queries or implementations")
    axes.set_ylabel("seconds, one core")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


if __name__ == "__main__":
    with style():
        figures = {"merge": merge(), "blind": blind(), "tight": tight()}
        if (record := RESULTS / "theory.json").is_file():
            figures["cost"] = cost(json.loads(record.read_text(encoding="utf-8")))
        for name, figure in figures.items():
            figure.savefig(RESULTS / f"theory_{name}.svg", metadata={"Date": None})
