"""Figures of publication size, as matplotlib figures; the page uses the same drawings as inline SVG.

Why not plotly: its script alone is 4.5 MB in every page, it prints what happens to be on the screen, and it needs
scripts, which the page's content security policy forbids. These figures are 10-60 kB of vector graphics each, take
their colours from the page, and are the same on screen, in print and in a paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, get_args

from congruity._base.optional import require
from congruity._base.wording import printable, shorten
from congruity.errors import InputError, UnknownNameError
from congruity.report.wording import verify
from congruity.values import Comparison, Congruity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Kind = Literal["heatmap", "strip", "behaviour", "circuit", "curve", "sensitivity"]
COLUMN, PAGE = 3.3, 6.9  # inches: one column and the full width of a two-column paper
HEIGHTS: Mapping[str, float] = {"heatmap": 2.65, "strip": 2.5, "behaviour": 2.6, "circuit": 2.6, "curve": 2.3,
                                "sensitivity": 2.5}  # fmt: skip
# Inches left, below, right, above each panel. By hand: automatic layouts cut the square map's labels, and they draw
# every figure twice, which was half of the time of a report.
MARGINS: Mapping[str, tuple[float, float, float, float]] = {
    "heatmap": (0.42, 0.22, 0.76, 0.31),
    "strip": (0.06, 0.37, 0.06, 0.05),
    "behaviour": (0.46, 0.60, 0.14, 0.21),
    "circuit": (0.40, 0.34, 0.62, 0.21),
    "curve": (0.50, 0.37, 0.06, 0.06),
    "sensitivity": (0.46, 0.62, 0.08, 0.21),
}
TITLES: Mapping[str, str] = {
    "heatmap": "Distances between implementations",
    "strip": "Distances within and between the sides",
    "behaviour": "What the implementations still do",
    "circuit": "Which sites matter",
    "curve": "Behaviour against circuit size",
    "sensitivity": "What other implementations would give",
}
CAPTIONS: Mapping[str, str] = {
    "heatmap": "Row = from, column = to; the bars on the edges mark the sides. The diagonal, the distance to itself, "
    "is left out. Blocks on it that are darker than the others: implementations of one side lie closer together.",
    "strip": "Dots: distances, at most 200 a row, evenly by rank. Bars: quartiles and median of all. C compares "
    "distances implementation by implementation, not these rows as a whole.",
    "behaviour": "Grey field: inside the tolerance (gates) on KL and logit difference; that on accuracy is not drawn. "
    "Crosses on an edge lie beyond it.",
    "circuit": "Outlined: in the circuit, never edited; a bar in an outlined cell: negative score. The colour scale is "
    "a square root, so that small values show.",
    "curve": "Ring: the size that was chosen. Broken line: the gate. Scales: logarithmic above 1 site and 0.01 nats.",
    "sensitivity": "Left: implementations of one strength, the same on both sides; grey band: the reference, on which "
    "the verdict rests; thin bars: 95 % intervals of C; broken line: the gate on KL. Right: a warning example: "
    "a part of B, or of both sides, was made in another way.",
}
STYLE: Mapping[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 7.0,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 200,
    "savefig.dpi": 300,
    "svg.fonttype": "none",
    "svg.hashsalt": "congruity",
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
    "text.usetex": False,
    # a model's name may hold dollar signs
    "text.parse_math": False,
}


def style() -> AbstractContextManager[None]:
    """Return a context in which matplotlib draws and saves in the report's style, whatever the user's settings.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    styles = require("matplotlib.style", "matplotlib", "drawing figures")
    from congruity.report import panels

    ink = {key: panels.INK for key in ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor")}
    # not rcParamsDefault: "default" here leaves the user's backend alone
    context: AbstractContextManager[None] = styles.context(["default", {**STYLE, **ink}])
    return context


def figure(comparison: Comparison, kind: Kind, *, panel: int | None = None, title: bool = True) -> Figure:
    """Draw one figure of a comparison.

    Args:
        comparison: whose fingerprints and result to show.
        kind: "heatmap" (all distances) and "strip" (distances by group) are 3.3 in wide; "behaviour" (KL and logit
            difference of every implementation), "circuit" (attribution of every site), "curve" (behaviour against
            circuit size) and "sensitivity" (the result with implementations of other strengths, and with mixes of two
            interventions, where there are any) have two panels and are 6.9 in wide.
        panel: 0 or 1 to draw only that panel of the last four, 3.3 in wide.
        title: whether the figure carries its title; off where a caption does.

    Returns:
        A `matplotlib.figure.Figure` to save as PDF or SVG; no pyplot state is touched.

    Raises:
        InputError: if a number is NaN or infinite, or the result does not hold what the kind needs.
        UnknownNameError: if there is no such kind.
        MissingExtraError: if matplotlib is not installed.

    Example:
        ``figure(comparison, "heatmap").savefig("heatmap.pdf")``
    """
    if kind not in get_args(Kind):
        raise UnknownNameError("figure", kind, get_args(Kind))
    if panel not in (None, 0, 1):
        raise InputError(f"report.plots.figure: panel must be 0, 1 or None, not {panel!r}")
    verify(comparison)
    single = kind in ("heatmap", "strip")
    shown = (0,) if single else panels_of(comparison, kind) if panel is None else (panel,)
    with style():
        out = _empty(kind, len(shown), title)
        for axes, which in zip(out.axes, shown, strict=True):
            _draw(axes, comparison, kind, which)
        if title:
            out.suptitle(TITLES[kind], x=0.01, ha="left", fontsize=8, fontweight="bold")
    return out


def panels_of(comparison: Comparison, kind: Kind) -> tuple[int, ...]:
    """Return the panels that there are: without mixes of interventions, "sensitivity" has one."""
    if kind == "sensitivity":
        from congruity.report.sensitivity_panels import mixes_of, require_sensitivity

        return (0, 1) if mixes_of(require_sensitivity(comparison.result)) else (0,)
    return (0,) if kind in ("heatmap", "strip") else (0, 1)


def _empty(kind: Kind, panels: int, title: bool) -> Figure:
    """A figure of the right size with its axes."""
    from matplotlib.figure import Figure

    width, height = PAGE if panels == 2 else COLUMN, HEIGHTS[kind]
    out = Figure(figsize=(width, height + (0.2 if title else 0)))
    full = out.get_figheight()
    left, below, right, above = MARGINS[kind]
    for panel in range(panels):
        start, wide = panel * width / panels + left, width / panels - left - right
        out.add_axes((start / width, below / full, wide / width, (height - below - above) / full))
    return out


def _draw(axes: Any, comparison: Comparison, kind: Kind, which: int) -> None:
    from congruity.report import circuit_map, panels, sensitivity_panels

    sides = (comparison.a, comparison.b)
    if kind == "heatmap":
        panels.heatmap(axes, comparison.result)
    elif kind == "strip":
        panels.strip(axes, comparison.result)
    elif kind == "behaviour":
        panels.behaviour(axes, sides[which], which)
    elif kind == "circuit":
        circuit_map.circuit(axes, sides[which])
    elif kind == "sensitivity" and which == 0:
        sensitivity_panels.strength(axes, comparison.result, sides)
    elif kind == "sensitivity":
        sensitivity_panels.mixes(axes, comparison.result)
    else:
        panels.curve(axes, sides, ("kl", "accuracy")[which])


def small_heatmap(result: Congruity) -> Figure:
    """Draw the heat map of a result alone, for a notebook.

    Raises:
        InputError: if the result was stored without its distance table.
        MissingExtraError: if matplotlib is not installed.
    """
    with style():
        from congruity.report import panels

        out = _empty("heatmap", 1, title=False)
        panels.heatmap(out.axes[0], result)
    return out


def alternative(comparison: Comparison, kind: Kind, panel: int = 0) -> str:
    """Say in one sentence what the figure shows, with its main numbers, for readers who do not see it."""
    from congruity._base.wording import number
    from congruity.report import panels

    side = (comparison.a, comparison.b)[panel]
    a, b = (shorten(name, 60) for name in comparison.result.names)
    if kind in ("heatmap", "strip"):
        medians = "; ".join(
            f"{label}: median {number(float(_median(values)))}"
            for label, values in panels.groups(comparison.result)
            if len(values)
        )
        what = "Heat map of all distances" if kind == "heatmap" else "Strip plot of the distances"
        return f"{what} between implementations of {a} and {b}. {medians}."
    if kind == "behaviour":
        kls = [i.behaviour.kl for i in side.admitted]
        span = f" with KL {number(min(kls))} to {number(max(kls))} nats" if kls else ""
        return (
            f"KL against logit difference of the implementations of {printable(side.model.name)}: "
            f"{side.n} admitted{span}, {len(side.implementations) - side.n} refused."
        )
    if kind == "circuit":
        top = ", ".join(str(site) for site in side.circuit.scores.ranked()[:3])
        return (
            f"Attribution of the {len(side.circuit.scores.sites)} sites of {printable(side.model.name)}; "
            f"{len(side.circuit.sites)} are in the circuit, the largest at {printable(top)}."
        )
    if kind == "sensitivity":
        return _alternative_sensitivity(comparison.result, panel, f"{a} and {b}")
    return f"{('KL', 'Accuracy')[panel]} against the number of sites kept, for {a} and {b}."


def _alternative_sensitivity(result: Congruity, panel: int, names: str) -> str:
    from congruity._base.wording import number
    from congruity.report.sensitivity_panels import mixes_of, require_sensitivity

    found = require_sensitivity(result)
    if panel == 0:
        values = "; ".join(f"{point.a}: {number(point.score)}" for point in found.matched())
        return f"Congruity of {names} with implementations of each kind: {printable(values)}."
    values = "; ".join(f"{100 * p.shares[1]:.0f} %: {number(p.score)}" for p in mixes_of(found) if p.shares[0] == 0)
    return f"Congruity of {names} with a share of B's implementations by another intervention: {values}."


def _median(values: Any) -> float:
    import numpy as np

    return float(np.median(values))
