"""A circuit and its faithfulness, in words: a few lines for the terminal, and one self-contained page."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from congruity._base.digest import plain
from congruity._base.wording import number, p_equation, p_value, printable
from congruity.report import svg
from congruity.report.circuit_figures import CAPTIONS, TITLES, Found, Part, alternative, figure, fraction, fractions
from congruity.report.html import fact_rows, rendered
from congruity.report.wording import require_finite
from congruity.store.circuits import node_name

LISTED = 20  # sites in the page's table
PRINTED = 10  # sites named in the terminal
ENOUGH = 19  # random circuits from which on p can be .05
TRUSTED = 0.9  # recovered fraction from which a circuit is called faithful in words


def lines(found: Found) -> list[str]:
    """Return what was found, in sentences for the terminal.

    Raises:
        InputError: a number is NaN or infinite.

    Example:
        ``print(*lines(found), sep=chr(10))``
    """
    _verify(found)
    circuit, measured = found.circuit, found.evidence
    ranked = circuit.scores.ranked()[: max(1, len(circuit.sites))]
    scores = dict(zip(circuit.scores.sites, circuit.scores.values.tolist(), strict=True))
    top = ", ".join(f"{node_name(site)} {number(scores[site], sign=True)}" for site in ranked[:PRINTED])
    more = f", and {len(ranked) - PRINTED} more" if len(ranked) > PRINTED else ""
    return [
        _headline(found),
        f"Faithfulness {fraction(measured.faithfulness)} {fractions(measured.faithfulness_interval)}: recovered with "
        "everything but the circuit replaced; 1 is the unedited model",
        f"Completeness {fraction(measured.completeness)} {fractions(measured.completeness_interval)}: recovered with "
        "the circuit replaced and the rest kept; 0 if the rest does nothing",
        _random(found),
        f"Areas over the share of sites kept: {number(measured.cpr)} under the recovered fraction (CPR), "
        f"{number(measured.cmd)} between it and 1 (CMD)",
        f"Top sites by {circuit.scores.finder}: {top}{more}",
        *(f"Note: {note}" for note in notes(found)),
    ]


def to_dict(found: Found) -> dict[str, Any]:
    """Return what `lines` and `page` show as JSON data.

    Raises:
        InputError: a number is NaN or infinite.
    """
    _verify(found)
    circuit = found.circuit
    return {
        "model": found.model.name,
        "task": found.task,
        "size": len(circuit.sites),
        "n_sites": len(circuit.scores.sites),
        "sites": [node_name(site) for site in circuit.sites],
        "threshold": circuit.threshold,
        "evidence": plain(found.evidence),
        "behaviour": plain(circuit.faithfulness),
        "notes": notes(found),
        "settings": plain(found.settings),
    }


def notes(found: Found) -> list[str]:
    """Return what a reader should know before using the circuit, one sentence each."""
    measured = found.evidence
    out = []
    if measured.faithfulness < TRUSTED:
        out.append(
            f"The circuit alone recovers less than {TRUSTED:g} of the metric: what it leaves out matters for the task."
        )
    if measured.faithfulness_interval[0] > 1:
        out.append("The circuit alone exceeds the unedited model: what it leaves out works against the answer.")
    if measured.completeness > 0.5:
        out.append(
            "The rest recovers more than half without the circuit, so the model has other ways to do the task than "
            "this circuit."
        )
    drawn = len(measured.random)
    if 0 < drawn < ENOUGH and measured.p_random <= 1 / (1 + drawn) + 1e-9:
        out.append(
            f"None of {drawn} random circuits of this size does as well, but they are too few to say that this is no "
            f"chance ({p_equation(measured.p_random)}); draw at least {ENOUGH}."
        )
    elif drawn and measured.p_random > 0.05:
        out.append(
            f"Circuits of this size drawn at random do as well too often to speak for this one "
            f"({p_equation(measured.p_random)}; with {drawn} of them the smallest p is {p_value(1 / (1 + drawn))})."
        )
    return out


def page(found: Found, *, title: str | None = None) -> str:
    """Write a circuit as one HTML document.

    Args:
        found: the circuit, with its evidence.
        title: of the document; by default the model and the task.

    Returns:
        The document: works offline, on a phone and in print, in light and dark; runs no script, loads nothing.

    Raises:
        InputError: a number is NaN or infinite.
        MissingExtraError: matplotlib is not installed.

    Example:
        ``Path("circuit.html").write_text(page(found), encoding="utf-8")``
    """
    _verify(found)
    shown: tuple[Part, ...] = ("map", "recovered")
    ranked = found.circuit.scores.ranked()
    return rendered(
        "circuit.html.j2",
        title=printable(title or f"Circuit of {found.model.name} for {found.task}"),
        headline=_headline(found),
        keys=_keys(found),
        notes=[*notes(found), *_scope(found)],
        figures=[
            {
                "title": TITLES[part],
                "caption": CAPTIONS[part],
                "drawing": Markup(svg.inline(figure(found, part), key=f"c{part}", label=alternative(found, part))),
            }
            for part in shown
        ],
        sites=_rows(found),
        unlisted=len(ranked) - min(LISTED, len(ranked)),
        provenance=[
            ("Model", fact_rows(plain(found.model))),
            ("Settings", fact_rows(found.settings)),
            ("Circuit alone", fact_rows(plain(found.circuit.faithfulness))),
        ],
    )


def _headline(found: Found) -> str:
    circuit, measured = found.circuit, found.evidence
    return printable(
        f"{found.model.name} on {found.task}: {len(circuit.sites)} of {len(circuit.scores.sites)} sites recover "
        f"{fraction(measured.faithfulness)} of what replacing all sites takes from the logit difference, the rest "
        f"without them {fraction(measured.completeness)}"
    )


def _random(found: Found) -> str:
    measured = found.evidence
    if not measured.random:
        return "No random circuits were drawn"
    low, high = min(measured.random), max(measured.random)
    return (
        f"{len(measured.random)} random circuits of this size recover {fraction(low)} to {fraction(high)}; as much as "
        f"the circuit: {p_equation(measured.p_random)}"
    )


def _keys(found: Found) -> list[dict[str, str]]:
    circuit, measured = found.circuit, found.evidence
    size, total = len(circuit.sites), len(circuit.scores.sites)

    def key(label: str, name: str, value: str, meaning: str, extent: str = "") -> dict[str, str]:
        return {"label": label, "name": name, "value": value, "extent": extent, "meaning": meaning}

    spread = (min(measured.random), max(measured.random)) if measured.random else None
    return [
        key("k", "size", f"{size} of {total}", "sites in the circuit; the others may be replaced"),
        key("f", "faithfulness", fraction(measured.faithfulness),
            "of the metric recovered by the circuit alone; 1 is the unedited model",
            fractions(measured.faithfulness_interval)),
        key("c", "completeness", fraction(measured.completeness),
            "recovered by the rest alone; 0 if nothing else does the task", fractions(measured.completeness_interval)),
        key("p", "random circuits", p_value(measured.p_random) if spread else "-",
            f"of {len(measured.random)} random circuits and this one, the share that recover as much; in brackets what "
            "random ones recover, from least to most" if spread else "none were drawn", fractions(spread)),
        key("CPR", "area under f", number(measured.cpr), "over the share of sites kept; more is better"),
        key("CMD", "area between f and 1", number(measured.cmd), "over the share of sites kept; less is better"),
        key("KL", "circuit alone", f"{number(circuit.faithfulness.kl)} nats",
            "mean divergence of its next-token distribution from the unedited model's"),
        key("acc.", "circuit alone", number(circuit.faithfulness.accuracy), "share of prompts with the answer first"),
    ]  # fmt: skip


def _scope(found: Found) -> list[str]:
    circuit, measured = found.circuit, found.evidence
    how = found.settings.get("intervention")
    under = f" under the intervention {printable(how)}" if isinstance(how, str) else ""
    apart = "prompts that neither ranked sites nor chose the size"
    if circuit.scores.finder == "declared":
        apart = "prompts; whether the circuit of the file was found on others, only its author knows"
    ranked = f" Sites were ranked on {circuit.scores.n_prompts} others." if circuit.scores.n_prompts else ""
    return [
        f"All was measured{under}, on {measured.n_prompts} {apart}.{ranked}",
        f"The metric, the mean logit difference of answer and foil, is {number(measured.clean)} unedited and "
        f"{number(measured.corrupted)} with every site replaced; fractions are of that way.",
        "A circuit says which sites the behaviour needs under this intervention, not what they compute.",
    ]


def _rows(found: Found) -> list[tuple[str, str, str, str, str]]:
    scores = found.circuit.scores
    inside, place = set(found.circuit.sites), {site: i for i, site in enumerate(scores.sites)}
    return [
        (
            node_name(site),
            number(float(scores.values[place[site]]), sign=True),
            number(float(scores.standard_errors[place[site]])) if scores.n_prompts else "-",
            "yes" if site in inside else "no",
            printable(site),
        )
        for site in scores.ranked()[:LISTED]
    ]


def _verify(found: Found) -> None:
    for value, where in ((found.evidence, "evidence"), (found.circuit.faithfulness, "faithfulness")):
        require_finite(value, f"circuit of {found.model.name}: {where}")
