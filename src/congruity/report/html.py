"""One self-contained HTML page, and a fragment for notebooks.

The page holds its style sheet and its figures (inline SVG, see `plots` for why not plotly), runs no script and loads
nothing; a content security policy makes browsers enforce that. Everything that comes from outside is escaped.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from congruity._base.digest import digest, plain
from congruity._base.wording import duration, number, p_value, printable, shorten
from congruity.errors import InputError, MissingExtraError
from congruity.report import plots, svg
from congruity.report.text import cells
from congruity.report.wording import details, verify, verify_result
from congruity.values import Comparison, Congruity, Fingerprint

LISTED = 10  # refused implementations named per side; the number of the others is given
SCOPES = {
    "these two networks": "The result is about these two networks, not about others that were trained alike.",
    "populations": "The result is about the two populations that the units of each side were drawn from.",
}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def page(
    comparisons: Sequence[Comparison],
    *,
    title: str,
    seconds: Mapping[str, float] | None = None,
    floor_seconds: float | None = None,
    conclusions: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> str:
    """Write the report as one HTML document.

    Args:
        comparisons: main comparisons, which are shown in full, and controls, which are rows of the table.
        title: of the document.
        seconds: wall-clock time of each stage, in order.
        floor_seconds: the least time that the arithmetic of these stages can take on this machine.
        conclusions: what may and what may not be concluded, one sentence each.
        warnings: beside those of the results.

    Returns:
        The document: works offline, on a phone and in print, in light and dark.

    Raises:
        InputError: if there is no main comparison, or a number to be shown is NaN or infinite.
        MissingExtraError: if matplotlib is not installed.

    Example:
        ``Path("report.html").write_text(page([comparison], title="IOI: GPT-2 and Pythia"), encoding="utf-8")``
    """
    mains = [c for c in comparisons if c.role == "main"]
    if not mains:
        raise InputError(f"report.html.page: none of the {len(comparisons)} comparisons has the role 'main'")
    for comparison in comparisons:
        verify(comparison)
    timing = _timing(seconds, floor_seconds)
    sides = _distinct(comparisons)
    return rendered(
        "template.html.j2",
        title=printable(title),
        verdicts=[_verdict(c.result) for c in mains],
        conclusions=[printable(line) for line in conclusions],
        scopes=list(dict.fromkeys(SCOPES.get(c.result.scope, f"Scope: {printable(c.result.scope)}.") for c in mains)),
        warnings=[printable(w) for w in dict.fromkeys([*(w for c in mains for w in c.result.warnings), *warnings])],
        rows=[(cells(c), printable(c.note)) for c in comparisons],
        mains=[_section(index, c) for index, c in enumerate(mains)],
        checks=[(printable(side.model.name), list(_checks(side))) for side in sides],
        timing=timing,
        provenance=_provenance(mains, sides),
    )


def fragment(result: Congruity) -> str:
    """Write a result compactly for a notebook: the verdict, the key numbers, and a map of the distances if kept.

    Args:
        result: what `compare` or `estimate` returned.

    Returns:
        One ``<div>`` with its own scoped style and no script.

    Raises:
        InputError: if a number of the result is NaN or infinite.

    Example:
        ``IPython.display.HTML(fragment(result))``; a `Congruity` alone shows the same without the map.
    """
    verify_result(result)
    drawing = Markup("")
    if result.table is not None:
        try:
            figure = plots.small_heatmap(result)
        except MissingExtraError:
            pass  # the numbers do not need matplotlib; a notebook without it still gets them
        else:
            label = f"Heat map of the distances between implementations of {' and '.join(result.names)}"
            # two outputs of one notebook share a document: the key must differ between results, not between runs
            key = f"cg{digest(result.names, result.table.values)[:12]}"
            drawing = Markup(svg.inline(figure, key=key, label=printable(label)))
    template = _environment().from_string(_resource("fragment.html.j2"))
    return template.render(verdict=_verdict(result), drawing=drawing, warnings=[printable(w) for w in result.warnings])


def rendered(template: str, **values: Any) -> str:
    """Fill in a template of this folder, with the style sheet and the content security policy of every page."""
    style = Markup(_resource("style.css"))
    return _environment().from_string(_resource(template)).render(policy=POLICY, style=style, **values)


@functools.cache
def _environment() -> Environment:
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _resource(name: str) -> str:
    return files("congruity.report").joinpath(name).read_text(encoding="utf-8")


def _verdict(result: Congruity) -> dict[str, Any]:
    pair, decision, reason = result.sentence()
    return {"pair": pair, "decision": decision, "reason": reason, "keys": result.key_numbers()}


def _distinct(comparisons: Sequence[Comparison]) -> list[Fingerprint]:
    """The fingerprints of all main comparisons, each once, in order."""
    found: dict[str, Fingerprint] = {}
    for comparison in comparisons:
        if comparison.role == "main":
            for side in (comparison.a, comparison.b):
                found.setdefault(side.digest, side)
    return list(found.values())


# ------------------------------------------------------------------------------------------------------- figures


def _section(index: int, comparison: Comparison) -> dict[str, Any]:
    """Figures (title, caption, drawings) and refused implementations of one main comparison."""
    sides = (comparison.a, comparison.b)
    kinds: tuple[plots.Kind, ...] = ("behaviour", "circuit", "curve")
    shown: list[dict[str, Any]] = []
    if comparison.result.table is not None:
        for kind in ("heatmap", "strip"):
            shown.append(_figure(index, comparison, kind, panels=(0,)))
    if comparison.result.sensitivity is not None:
        shown.append(_figure(index, comparison, "sensitivity", panels=plots.panels_of(comparison, "sensitivity")))
    shown += [_figure(index, comparison, kind, panels=(0, 1)) for kind in kinds]
    return {
        "names": [printable(name) for name in comparison.result.names],
        "figures": shown,
        "has_table": comparison.result.table is not None,
        "refused": [_refused(side) for side in sides],
        **_guaranteed(comparison.result),
        "notes": [*([printable(comparison.note)] if comparison.note else []), *details(comparison.result)],
    }


def _guaranteed(result: Congruity) -> dict[str, Any]:
    """The statements of the theory that apply, those that are silent, and what no sample can show."""
    how = {
        "certain": "certain",
        "assumed": "if what it assumes holds",
        "95 %": "with confidence 95 %",
        "silent": "says nothing here",
    }
    given = result.certificate()
    return {
        "guaranteed": [
            {
                "number": one.number,
                "kind": one.kind,
                "how": how[one.kind],
                "says": printable(one.says),
                "needs": printable(one.needs),
            }
            for one in given
            if one.kind != "never"
        ],
        "never": [one.says for one in given if one.kind == "never"],
    }


def _figure(index: int, comparison: Comparison, kind: plots.Kind, panels: tuple[int, ...]) -> dict[str, Any]:
    drawings = []
    for panel in panels:
        drawn = plots.figure(comparison, kind, panel=panel, title=False)
        label = plots.alternative(comparison, kind, panel)
        drawings.append(Markup(svg.inline(drawn, key=f"f{index}{kind}{panel}", label=label)))
    return {"kind": kind, "title": plots.TITLES[kind], "caption": plots.CAPTIONS[kind], "drawings": drawings}


def _refused(side: Fingerprint) -> dict[str, Any]:
    refused = [(position, i) for position, i in enumerate(side.implementations, start=1) if not i.admitted]
    reasons = [printable(i.reason or "no reason recorded").replace("+-", "\N{PLUS-MINUS SIGN}") for _, i in refused]
    finite = [math.isfinite(i.behaviour.kl) and math.isfinite(i.behaviour.logit_difference) for _, i in refused]
    return {
        "name": printable(side.model.name),
        "admitted": side.n,
        "total": len(refused),
        "undrawn": len(refused) - sum(finite),
        "listed": [(position, reason) for (position, _), reason in zip(refused, reasons, strict=True)][:LISTED],
    }


# --------------------------------------------------------------------------------------------------------- tables


def _checks(side: Fingerprint) -> Iterator[tuple[str, str, str, str, str]]:
    for check in side.checks:
        state = "passed" if check.passed else "FAILED"
        yield printable(check.name), state, number(check.value), number(check.limit), printable(check.detail)


def _timing(seconds: Mapping[str, float] | None, floor: float | None) -> dict[str, Any]:
    stages = dict(seconds or {})
    for stage, value in [*stages.items(), *([("floor_seconds", floor)] if floor is not None else [])]:
        if not 0 <= value < float("inf"):
            raise InputError(f"report.html.page: the time of {stage!r} is {value}; expected seconds, zero or more")
    total = sum(stages.values())
    return {
        "rows": [
            (printable(stage), duration(value), f"{100 * value / total:.0f} %" if total else "-")
            for stage, value in stages.items()
        ],
        "total": duration(total) if stages else None,
        "floor": None if floor is None else duration(floor),
        "ratio": number(total / floor) if floor and stages else None,
    }


def _provenance(mains: Sequence[Comparison], sides: Sequence[Fingerprint]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Everything needed to do it again, as (heading, rows of key and value)."""
    blocks = []
    for comparison in mains:
        names = " and ".join(printable(name) for name in comparison.result.names)
        blocks.append(
            (f"Comparison of {names}", fact_rows({**_further(comparison.result), **comparison.result.provenance}))
        )
    for side in sides:
        facts = {
            "fingerprint": side.digest,
            "model": plain(side.model),
            "task": side.queries.task,
            "queries": f"{len(side.queries.ids)} at position {side.queries.position}, "
            f"intervention {side.queries.intervention}, digest {side.queries.digest}",
            "examples": side.queries.examples_digest,
            "layers read": f"{len(side.layers)}: {', '.join(side.layers)}",
            "scaling": side.scaling,
            "accuracy on all prompts": number(side.accuracy),
            "circuit": f"{len(side.circuit.sites)} sites, threshold {number(side.circuit.threshold)}, "
            f"found by {side.circuit.scores.finder} on {side.circuit.scores.n_prompts} prompts",
            "circuit alone": f"KL {number(side.circuit.faithfulness.kl)} nats, "
            f"accuracy {number(side.circuit.faithfulness.accuracy)} on {side.circuit.faithfulness.n} prompts",
            "settings": side.sampling.facts(),
            "versions": side.versions,
        }
        blocks.append((f"Fingerprint of {shorten(side.model.name, 80)}", fact_rows(facts)))
    return blocks


def _further(result: Congruity) -> dict[str, str]:
    """The numbers of a result that are not among the key numbers."""
    return {
        "S = P1 - P2": number(result.asymmetry, sign=True),
        "unshared fraction, root of |T|": number(result.unshared),
        "independent networks a side": "not stated"
        if result.n_bases is None
        else " and ".join(map(str, result.n_bases)),
        **{f"p of {name} (uncorrected)": p_value(p) for name, p in result.p_values.items()},
    }


def fact_rows(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested data as (key, value) text, empty values left out."""
    rows: list[tuple[str, str]] = []
    for key, value in facts.items():
        name = f"{prefix}{printable(key)}"
        value = plain(value)
        if isinstance(value, Mapping):
            rows += fact_rows(value, f"{name}: ")
        elif value not in (None, "", []):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            rows.append((name, printable(text)))
    return rows
