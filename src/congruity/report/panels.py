"""Single panels, each drawn on a matplotlib axes: what a figure shows, without where it is printed.

Colours are the Okabe-Ito ones for the two sides and cividis for maps; the constants below are also what `svg` turns
into CSS variables, so that one drawing serves paper, light and dark screens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from congruity._base.arrays import Floats
from congruity._base.wording import printable, shorten
from congruity.errors import InputError
from congruity.report.wording import gates
from congruity.values import Congruity, DistanceTable, Fingerprint

INK, MUTED, RULE, PAPER = "#1b1b1b", "#595959", "#d2d2d2", "#ffffff"
SIDES = ("#0072b2", "#d55e00")
MARKERS = ("o", "s")
MAP = "cividis"
DRAWN = 200  # points a strip: more would not be seen, and would make the page large


def require_table(result: Congruity) -> DistanceTable:
    """Return the distance table of ``result``; raise `InputError` if it was not kept or its sides do not match."""
    if result.table is None:
        raise InputError("this result was stored without its distance table, so its distances cannot be drawn")
    if len(result.side) != len(result.table.labels) or len(set(result.side)) != 2:
        raise InputError(
            f"the result has {len(set(result.side))} sides on {len(result.side)} labels for "
            f"{len(result.table.labels)} rows of distances; expected two sides and one label a row"
        )
    return result.table


def rows_of(result: Congruity) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of the first and of the second side."""
    seen = list(dict.fromkeys(result.side))
    order = list(result.names) if set(result.names) == set(seen) else seen
    labels = np.asarray(result.side, dtype=object)
    return np.flatnonzero(labels == order[0]), np.flatnonzero(labels == order[1])


def groups(result: Congruity) -> tuple[tuple[str, Floats], ...]:
    """Return (label, distances) within the first side, between the sides, and within the second.

    Each unordered pair counts once where the table is symmetric, each direction where it is not.
    """
    values = require_table(result).values
    first, second = rows_of(result)
    symmetric = bool(np.allclose(values, values.T, rtol=1e-9, atol=1e-12))

    def within(rows: NDArray[np.intp]) -> Floats:
        block = values[np.ix_(rows, rows)]
        upper = np.triu_indices(len(rows), 1)
        return block[upper] if symmetric else np.concatenate([block[upper], block.T[upper]])

    across = values[np.ix_(first, second)].ravel()
    between = across if symmetric else np.concatenate([across, values[np.ix_(second, first)].ravel()])
    a, b = result.names
    return ((f"within {printable(a)}", within(first)), ("between", between), (f"within {printable(b)}", within(second)))


def heatmap(axes: Axes, result: Congruity) -> None:
    """Distances between all implementations; row = from, column = to; bars on the edges mark the sides."""
    table = require_table(result)
    first, second = rows_of(result)
    order = np.concatenate([first, second])
    shown = np.ma.masked_array(table.values[np.ix_(order, order)], mask=np.eye(len(order), dtype=bool))
    image = axes.imshow(shown, cmap=MAP, interpolation="nearest", extent=(0, len(order), len(order), 0))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    split, total = len(first), len(order)
    axes.axhline(split, color=PAPER, linewidth=1.2)
    axes.axvline(split, color=PAPER, linewidth=1.2)
    for name, colour, low, high in (
        (result.names[0], SIDES[0], 0, split),
        (result.names[1], SIDES[1], split, total),
    ):
        thick, gap = 0.022 * total, 0.012 * total
        extra: dict[str, Any] = {"color": colour, "clip_on": False, "linewidth": 0}
        axes.add_patch(Rectangle((low, -thick - gap), high - low, thick, **extra))
        axes.add_patch(Rectangle((-thick - gap, low), thick, high - low, **extra))
        text = shorten(name, max(6, round(34 * (high - low) / total)))
        middle, off = (low + high) / 2, -thick - 2.5 * gap
        axes.text(middle, off, text, ha="center", va="bottom")
        axes.text(off, middle, text, ha="right", va="center", rotation=90)
    axes.set_xlabel("to: implementation", color=MUTED)
    axes.text(
        -0.13, 0.5, "from: implementation", transform=axes.transAxes, rotation=90, va="center", ha="right", color=MUTED
    )
    colour_bar(axes, image, f"distance, {shorten(table.measure, 24)} (no unit)")


def colour_bar(axes: Axes, image: AxesImage, label: str) -> None:
    """Draw the colour scale of a map at its right."""
    place = axes.inset_axes((1.03, 0.0, 0.04, 1.0))  # as high as the map, which a figure-level bar is not
    bar = axes.figure.colorbar(image, cax=place)
    bar.outline.set_visible(False)
    bar.set_label(label)


def strip(axes: Axes, result: Congruity) -> None:
    """All distances, in three rows: within the first side, between the sides, within the second."""
    colours = (SIDES[0], MUTED, SIDES[1])
    for row, ((label, values), colour) in enumerate(zip(groups(result), colours, strict=True)):
        axes.text(
            0.0,
            row - 0.36,
            f"{shorten(label, 40)}: {len(values)} distances",
            ha="left",
            va="bottom",
            transform=axes.get_yaxis_transform(),
        )
        if not len(values):  # a side of one implementation has no distance within
            continue
        ordered = np.sort(values)
        ranks = np.unique(np.linspace(0, len(ordered) - 1, min(DRAWN, len(ordered))).round().astype(int))
        shown = ordered[ranks]
        axes.scatter(shown, row + _swarm(shown), s=5, color=colour, alpha=0.55, linewidth=0)
        low, middle, high = np.percentile(values, [25, 50, 75])
        axes.plot([low, high], [row + 0.33] * 2, color=INK, linewidth=1.0, solid_capstyle="butt")
        axes.plot([middle] * 2, [row + 0.27, row + 0.39], color=INK, linewidth=1.6, solid_capstyle="butt")
    axes.set(ylim=(2.55, -0.75), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"distance, {printable(require_table(result).measure)} (no unit)")


def _swarm(ordered: Floats, half_width: float = 0.2) -> Floats:
    """Vertical places that show the density and never change: spread by bit reversal, as wide as the bin is full."""
    span = float(np.ptp(ordered)) or 1.0
    bins = np.minimum(((ordered - ordered[0]) / span * 24).astype(int), 23)
    counts = np.convolve(np.bincount(bins, minlength=24), (0.25, 0.5, 0.25), mode="same")
    spread = np.array([int(f"{i % 256:08b}"[::-1], 2) / 255 for i in range(1, len(ordered) + 1)])
    return np.asarray((2 * spread - 1) * half_width * counts[bins] / counts.max(), dtype=np.float64)


def behaviour(axes: Axes, side: Fingerprint, which: int) -> None:
    """KL against logit difference of every implementation, with the unedited model and the gates."""
    limits = gates(side)
    middle = side.unedited.logit_difference
    reach = abs(middle) * (limits.max_metric_change or 0.0) if limits else 0.0
    points = np.array([(i.behaviour.kl, i.behaviour.logit_difference) for i in side.admitted]).reshape(-1, 2)
    main = np.array([i.stratum == side.strata[0] for i in side.admitted], dtype=bool)
    refused = np.array([
        (i.behaviour.kl, i.behaviour.logit_difference) for i in side.implementations
        if not i.admitted and np.isfinite([i.behaviour.kl, i.behaviour.logit_difference]).all()
    ]).reshape(-1, 2)  # fmt: skip
    right = 1.5 * max(limits.max_kl if limits else 0.0, points[:, 0].max(initial=0.0)) or 1.0
    away = 1.6 * max(reach, np.abs(points[:, 1] - middle).max(initial=0.0)) or 1.0
    if limits and reach > 0:
        box = (0, middle - reach), limits.max_kl, 2 * reach
        axes.add_patch(Rectangle(*box, facecolor=RULE, alpha=0.35, linewidth=0, zorder=0))
        axes.add_patch(Rectangle(*box, fill=False, edgecolor=MUTED, linewidth=0.8, zorder=1))
    _implementations(axes, points[main], which, label="admitted")
    _implementations(axes, points[~main], which, label="other kinds", hollow=True)
    if len(refused):
        inside = np.column_stack([refused[:, 0].clip(max=right), refused[:, 1].clip(middle - away, middle + away)])
        axes.scatter(
            inside[:, 0],
            inside[:, 1],
            s=14,
            color=MUTED,
            marker="x",
            linewidth=0.9,
            label="refused",
            clip_on=False,
            zorder=4,
        )
    axes.scatter([0], [middle], s=26, color=INK, marker="D", linewidth=0, clip_on=False, zorder=5, label="unedited")
    axes.set(xlim=(-0.02 * right, right), ylim=(middle - away, middle + away))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.set_xlabel("KL to the unedited model (nats)")
    axes.set_ylabel("logit difference, answer \N{MINUS SIGN} foil (logits)")
    axes.set_title(shorten(side.model.name, 44))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=4, handletextpad=0.1, columnspacing=1.2)


def _implementations(axes: Axes, places: Floats, which: int, *, label: str, hollow: bool = False) -> None:
    if len(places):
        axes.scatter(
            places[:, 0],
            places[:, 1],
            s=12,
            color="none" if hollow else SIDES[which],
            edgecolor=SIDES[which] if hollow else "none",
            marker=MARKERS[which],
            alpha=0.75,
            linewidth=0.6 if hollow else 0,
            label=label,
        )


def curve(axes: Axes, sides: Sequence[Fingerprint], quantity: str) -> None:
    """Behaviour against the number of sites kept, all others replaced; a ring marks the size that was chosen."""
    places = [k for side in sides for k, _ in side.circuit.curve] or [1]
    limits = [_gate(side, quantity) for side in sides]
    for which, side in enumerate(sides):
        colour, values = SIDES[which], {k: float(getattr(b, quantity)) for k, b in side.circuit.curve}
        sizes, chosen = sorted(values), len(side.circuit.sites)
        axes.plot(
            sizes,
            [values[k] for k in sizes],
            color=colour,
            marker=MARKERS[which],
            markersize=3,
            linewidth=1.1,
            label=shorten(side.model.name, 24),
            clip_on=False,
        )
        if chosen in values:
            axes.plot(
                [chosen],
                [values[chosen]],
                marker="o",
                markersize=8,
                color=colour,
                markerfacecolor="none",
                markeredgewidth=1.0,
            )
        same = which == 1 and limits[0] == limits[1]
        limit = limits[which]
        if limit is not None and not same:
            shared = MUTED if limits[0] == limits[1] else colour
            axes.axhline(limit, color=shared, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    axes.set_xscale("symlog", linthresh=1, linscale=0.5)
    axes.set_xlim(-0.15 if min(places) < 1 else 0.9 * min(places), 1.15 * max(places))
    plain_ticks(axes.xaxis, [0, *(f * 10**e for e in range(5) for f in (1, 2, 5))])
    if quantity == "kl":
        axes.set_yscale("symlog", linthresh=0.01, linscale=0.4)
        axes.set_ylim(bottom=0)
        plain_ticks(axes.yaxis, [0, 0.01, 0.1, 1, 10, 100])
    axes.set_xlabel("sites kept, all others replaced (count)")
    axes.set_ylabel("KL to the unedited model (nats)" if quantity == "kl" else "accuracy (share of prompts)")
    axes.legend(loc="best")


def _gate(side: Fingerprint, quantity: str) -> float | None:
    limits = gates(side)
    if limits is None:
        return None
    if quantity == "kl":
        return limits.max_kl
    return None if limits.max_accuracy_drop is None else side.unedited.accuracy - limits.max_accuracy_drop


def plain_ticks(axis: Axis, places: Sequence[float]) -> None:
    """Label ``places`` with plain numbers, which a logarithmic axis would write as powers of ten."""
    axis.set_major_locator(FixedLocator(places))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
