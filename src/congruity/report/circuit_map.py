"""Map of the sites of a model: layers against heads, the score of each, and which are in the circuit."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import PowerNorm

from congruity._base.wording import shorten
from congruity.report.panels import INK, MAP, PAPER, colour_bar
from congruity.values import Circuit, ModelCard


class Mapped(Protocol):
    """What can be drawn: a fingerprint, or a circuit that was found alone."""

    @property
    def circuit(self) -> Circuit: ...
    @property
    def model(self) -> ModelCard: ...


def circuit(axes: Axes, side: Mapped) -> None:
    """Layers against heads, with a column for MLPs (or modules): colour = size of the attribution, outline = in."""
    scores, places, columns = side.circuit.scores, cells(side), _columns(side)
    depth = 1 + max(layer for layer, _ in places)
    image = np.full((depth, len(columns)), np.nan)
    for (layer, column), value in zip(places, scores.values, strict=True):
        image[layer, column] = abs(value)
    drawn = axes.imshow(
        np.ma.masked_invalid(image),
        cmap=MAP,
        interpolation="nearest",
        aspect="auto",
        norm=PowerNorm(0.5, vmin=0, vmax=float(np.nanmax(image)) or 1.0),
        extent=(0, len(columns), 0, depth),
        origin="lower",
    )
    inside = set(side.circuit.sites)
    kept = [
        (cell, value) for cell, site, value in zip(places, scores.sites, scores.values, strict=True) if site in inside
    ]
    boxes = [_box(*cell) for cell, _ in kept]
    bars = [[(x + 0.32, y + 0.5), (x + 0.68, y + 0.5)] for (y, x), value in kept if value < 0]
    thin = min(1.1, 0.1 * min(155 / len(columns), 140 / depth))  # points: a tenth of a cell, in large models too
    for colour, width in ((PAPER, 2.4 * thin), (INK, thin)):
        for lines in (boxes, bars):
            axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, clip_on=False, zorder=3))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    heads = [i for i, name in enumerate(columns) if name.isdigit()]
    step = max(1, -(-len(heads) // 9))
    others = [i for i, name in enumerate(columns) if not name.isdigit()]
    # the last head would run into the word MLP
    ticks = [i for i in heads if i % step == 0 and not (others and len(heads) - i < step)] + others
    axes.set_xticks([i + 0.5 for i in ticks], [columns[i] for i in ticks])
    every = max(1, -(-depth // 9))
    axes.set_yticks([i + 0.5 for i in range(0, depth, every)], [str(i) for i in range(0, depth, every)])
    axes.set(xlabel="head (index)" if heads else "site in the layer", ylabel="layer (index)")
    axes.set_title(f"{shorten(side.model.name, 30)}: {len(kept)} of {len(scores.sites)} sites")
    finder = scores.finder
    unit = " (logits)" if "attribution" in finder or "patching" in finder else ""
    colour_bar(axes, drawn, f"|score|, {shorten(finder, 24)}{unit}")


def _columns(side: Mapped) -> list[str]:
    sites = side.circuit.scores.sites
    heads = 1 + max((s.index or 0 for s in sites if s.kind == "head"), default=-1)
    modules = max((sum(s.kind == "module" and s.layer == site.layer for s in sites) for site in sites), default=0)
    return [
        *map(str, range(heads)),
        *(["MLP"] if any(s.kind == "mlp" for s in sites) else []),
        *(f"m{i}" for i in range(modules)),
    ]


def cells(side: Mapped) -> list[tuple[int, int]]:
    """Return (layer, column) of every scored site."""
    columns = _columns(side)
    heads, mlp = sum(c.isdigit() for c in columns), int("MLP" in columns)
    modules: dict[int, int] = {}
    out = []
    for site in side.circuit.scores.sites:
        if site.kind == "head":
            column = site.index or 0
        elif site.kind == "mlp":
            column = heads
        else:
            column = heads + mlp + modules.get(site.layer, 0)
            modules[site.layer] = modules.get(site.layer, 0) + 1
        out.append((site.layer, column))
    return out


def _box(layer: int, column: int) -> list[tuple[float, float]]:
    return [(column, layer), (column + 1, layer), (column + 1, layer + 1), (column, layer + 1), (column, layer)]
