"""Figures of a circuit: the map of its sites, and what it recovers against other sets of sites."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from congruity._base.wording import number, printable
from congruity.errors import InputError, UnknownNameError
from congruity.report import plots
from congruity.values import Circuit, Faithfulness, ModelCard

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Part = Literal["map", "recovered"]
MARGINS: Mapping[Part, tuple[float, float, float, float]] = {  # inches left, below, right, above
    "map": (0.40, 0.34, 0.62, 0.21),
    "recovered": (0.46, 0.34, 0.10, 0.21),
}
HEIGHT, LEGEND = 2.6, 0.45  # inches
TITLES: Mapping[Part, str] = {"map": "Which sites matter", "recovered": "What they recover"}
CAPTIONS: Mapping[Part, str] = {
    "map": "Outlined: in the circuit; a bar in an outlined cell: negative score. The colour scale is a square root, so "
    "that small values show.",
    "recovered": "0: the metric with every site replaced; 1: the unedited model. Line: the highest-ranked sites kept, "
    "all others replaced. Bars: 95 % over prompts. The scale is logarithmic above 1 site.",
}


@dataclass(frozen=True)
class Found:
    """A circuit that was found alone: in which model, for which task, and with which settings."""

    circuit: Circuit
    model: ModelCard
    task: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _ = self.evidence

    @property
    def evidence(self) -> Faithfulness:
        """Return the faithfulness of the circuit; raise `InputError` if it was not measured."""
        if self.circuit.evidence is None:
            raise InputError(f"{self.model.name}: the circuit has no evidence to show; find it with `discover`")
        return self.circuit.evidence


def figure(found: Found, part: Part | None = None) -> Figure:
    """Draw the circuit.

    Args:
        found: what to draw.
        part: "map" or "recovered" alone, 3.3 in wide; None for both, 6.9 in wide, for a paper.

    Returns:
        A `matplotlib.figure.Figure`; no pyplot state is touched.

    Raises:
        UnknownNameError: if there is no such part.
        MissingExtraError: if matplotlib is not installed.

    Example:
        ``figure(found).savefig("circuit.pdf")``
    """
    if part is not None and part not in get_args(Part):
        raise UnknownNameError("part of a circuit's figure", part, get_args(Part))
    with plots.style():
        from matplotlib.figure import Figure

        from congruity.report import circuit_map

        shown: tuple[Part, ...] = ("map", "recovered") if part is None else (part,)
        width = plots.PAGE if part is None else plots.COLUMN
        out = Figure(figsize=(width, HEIGHT + LEGEND * ("recovered" in shown)))
        for column, which in enumerate(shown):
            left, below, right, above = MARGINS[which]
            start, wide = column * width / len(shown) + left, width / len(shown) - left - right
            full = float(out.get_figheight())
            raised = below + LEGEND * ("recovered" in shown)
            axes = out.add_axes((start / width, raised / full, wide / width, (full - raised - above) / full))
            circuit_map.circuit(axes, found) if which == "map" else recovered(axes, found)
    return out


def saved(found: Found, kind: Literal["svg", "pdf"]) -> bytes:
    """Return both drawings as a file for a paper: the same circuit gives the same bytes."""
    buffer = io.BytesIO()
    with plots.style():
        undated = {"Date": None} if kind == "svg" else {"CreationDate": None}
        figure(found).savefig(buffer, format=kind, metadata=undated)
    return buffer.getvalue()


def recovered(axes: Axes, found: Found) -> None:
    """Recovered fraction against the number of sites kept: tops of the ranking, the circuit, the rest, random ones."""
    from congruity.report.panels import INK, MUTED, PAPER, RULE, SIDES, plain_ticks

    facts, size, total = found.evidence, len(found.circuit.sites), len(found.circuit.scores.sites)
    for level in (0.0, 1.0):
        axes.axhline(level, color=RULE if level == 0 else MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    sizes, values = zip(*facts.curve, strict=True)
    plain: dict[str, Any] = {"clip_on": False}
    axes.plot(sizes, values, color=SIDES[0], marker="o", markersize=3, linewidth=1.1, label="highest-ranked", **plain)
    if facts.random:
        axes.plot(
            [size] * len(facts.random), facts.random, color=SIDES[1], marker="_", markersize=7, linestyle="none",
            markeredgewidth=0.9, label=f"{len(facts.random)} random circuits", **plain,
        )  # fmt: skip
    for at, value, ends, marker, face, label in (
        (size, facts.faithfulness, facts.faithfulness_interval, "D", INK, "circuit alone"),
        (total - size, facts.completeness, facts.completeness_interval, "s", PAPER, "all but the circuit"),
    ):
        axes.plot([at, at], ends, color=INK, linewidth=1.0, zorder=4, **plain)
        axes.plot(
            [at], [value], color=INK, marker=marker, markersize=5, markerfacecolor=face, markeredgewidth=0.9,
            linestyle="none", label=label, zorder=5, **plain,
        )  # fmt: skip
    axes.set_xscale("symlog", linthresh=1, linscale=0.5)
    axes.set_xlim(-0.15, 1.15 * total)
    plain_ticks(axes.xaxis, [0, *(f * 10**e for e in range(5) for f in (1, 2, 5))])
    axes.set_xlabel("sites kept, all others replaced (count)")
    axes.set_ylabel("recovered fraction (no unit)")
    axes.legend(loc="upper left", bbox_to_anchor=(-0.12, -0.17), ncols=2, handletextpad=0.4, columnspacing=1.2)


def fraction(value: float) -> str:
    """Write a recovered fraction: what is below half a per cent either way is 0.00, not a power of ten.

    >>> fraction(0.934), fraction(-0.00047), fraction(0.9973)
    ('0.93', '0.00', '0.997')
    """
    return number(0.0 if abs(value) < 0.005 else value)


def fractions(bounds: tuple[float, float] | None) -> str:
    """Write ``[low, high]`` of recovered fractions, or nothing for None."""
    return "" if bounds is None else f"[{fraction(bounds[0])}, {fraction(bounds[1])}]"


def alternative(found: Found, part: Part) -> str:
    """Say in one sentence what the drawing shows, for readers who do not see it."""
    facts, circuit = found.evidence, found.circuit
    if part == "map":
        top = ", ".join(str(site) for site in circuit.scores.ranked()[:3])
        return printable(
            f"Scores of the {len(circuit.scores.sites)} sites of {found.model.name}; {len(circuit.sites)} are in the "
            f"circuit, the largest at {top}."
        )
    tops = ", ".join(f"{fraction(value)} with {size}" for size, value in facts.curve)
    return (
        f"Recovered fraction against the number of sites kept: {tops}. The circuit of {len(circuit.sites)} recovers "
        f"{fraction(facts.faithfulness)} {fractions(facts.faithfulness_interval)}."
    )
