"""Panels of a sensitivity: the numbers against the strength of implementations, and against mixes of two kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from congruity._base.wording import shorten
from congruity.errors import InputError
from congruity.report.panels import INK, MARKERS, MUTED, RULE, SIDES, plain_ticks
from congruity.report.wording import gates
from congruity.values import Congruity, Fingerprint, Sensitivity, SensitivityPoint

# label, colour, marker, line width; the same numbers in both panels
SERIES: tuple[tuple[str, str, str, float], ...] = (
    ("C", INK, "D", 1.5),
    ("P1", SIDES[0], MARKERS[0], 1.0),
    ("P2", SIDES[1], MARKERS[1], 1.0),
    ("AUC", MUTED, "^", 1.0),
)
_DOWN = (0.5, -0.22)


def require_sensitivity(result: Congruity) -> Sensitivity:
    """Return the sensitivity of ``result``; raise `InputError` where there is none."""
    if result.sensitivity is None:
        raise InputError(
            "this result has no sensitivity to draw: it needs several kinds of implementations on both sides"
        )
    return result.sensitivity


def mixes_of(found: Sensitivity) -> list[SensitivityPoint]:
    """Return the mixes with the first other intervention; none where there are none."""
    points = [point for point in found.points if point.kind == "mix"]
    return [point for point in points if point.second == points[0].second]


def strength(axes: Axes, result: Congruity, sides: Sequence[Fingerprint]) -> None:
    """Draw C, P1, P2 and separability against the KL that the implementations of both sides were drawn to."""
    points = require_sensitivity(result).matched()
    reference = points[0]
    line = sorted((p for p in points if p.interventions == reference.interventions), key=_place)
    others = [p for p in points if p.interventions != reference.interventions]
    for which, (label, colour, marker, width) in enumerate(SERIES):
        style: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 3.5, "clip_on": False}
        axes.plot([_place(p) for p in line], [_values(p)[which] for p in line], linewidth=width, label=label, **style)
        axes.plot(
            [_place(p) * 1.16 for p in others],
            [_values(p)[which] for p in others],
            linestyle="none",
            markerfacecolor="none",
            markeredgewidth=0.8,
            **style,
        )
    for point in line:
        if point.interval is not None:
            axes.plot([_place(point)] * 2, point.interval, color=INK, linewidth=0.6, zorder=1)
    axes.axvline(_place(reference), color=RULE, linewidth=3.5, zorder=0)
    limits = [found.max_kl for found in map(gates, sides) if found is not None]
    if limits:
        axes.axvline(min(limits), color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    _frame(axes)
    axes.set_xscale("log")
    places = [_place(p) for p in points] + limits
    axes.set_xlim(min(places) / 1.35, max(places) * 1.35)
    plain_ticks(axes.xaxis, [f * 10.0**e for e in range(-6, 3) for f in (1, 3)])
    axes.set_xlabel("KL that implementations were drawn to (nats)")
    title = shorten(reference.interventions[0], 20)
    if others:
        title += f"; hollow: {shorten(', '.join(dict.fromkeys(p.interventions[0] for p in others)), 24)}"
    axes.set_title(title)
    axes.legend(loc="upper center", bbox_to_anchor=_DOWN, ncols=4, handletextpad=0.4, columnspacing=1.2)


def mixes(axes: Axes, result: Congruity) -> None:
    """Draw the same numbers against the share of another intervention, in the second side only and in both."""
    points = mixes_of(require_sensitivity(result))
    if not points:
        raise InputError("this result has no mix of two interventions to draw")
    for alike in (False, True):
        chosen = [p for p in points if (p.shares[0] > 0) == alike or p.shares == (0.0, 0.0)]
        chosen = list({p.shares[1]: p for p in chosen}.values())
        for which, (label, colour, marker, width) in enumerate(SERIES):
            if alike and label != "C":
                continue
            axes.plot(
                [100 * p.shares[1] for p in chosen],
                [_values(p)[which] for p in chosen],
                color=colour,
                marker=marker,
                markersize=3.5,
                linewidth=width,
                linestyle=(0, (3, 2)) if alike else "-",
                markerfacecolor="none" if alike else colour,
                markeredgewidth=0.8,
                clip_on=False,
                label="C, both sides" if alike else label,
            )
    _frame(axes)
    axes.set(xlim=(-4, 104), xticks=[0, 25, 50, 75, 100])
    axes.set_xlabel("share by the other intervention (%)")
    axes.set_title(f"{shorten(points[0].second, 20)} instead of {shorten(points[0].interventions[0], 20)}, in B only")
    axes.legend(loc="upper center", bbox_to_anchor=_DOWN, ncols=5, handletextpad=0.4, columnspacing=0.9)


def _frame(axes: Axes) -> None:
    axes.axhline(0.5, color=RULE, linewidth=0.8, zorder=0)
    axes.set(ylim=(0, 1), yticks=np.linspace(0, 1, 5))
    axes.set_yticklabels(["0", "", "0.5", "", "1"])
    axes.set_ylabel("C, P1, P2, AUC (share)")


def _place(point: SensitivityPoint) -> float:
    """KL drawn to, or the one reached where none was asked for."""
    return point.kls[0] if point.kls[0] is not None else max(1e-6, sum(point.mean_kl) / 2)


def _values(point: SensitivityPoint) -> tuple[float, ...]:
    return (point.score, *point.p_within, point.separability)
