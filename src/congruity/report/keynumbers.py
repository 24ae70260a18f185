"""The numbers that stand beside a verdict, each with what it means and what it would be if the sides were equal."""

from __future__ import annotations

from typing import NamedTuple

from congruity.report.wording import held, interval, kl_range, number, p_equation, p_value, shorten, unit
from congruity.values import Congruity


class KeyNumber(NamedTuple):
    """``label`` is short, ``name`` says it in words, ``extent`` is an interval or a p-value, ``meaning`` one phrase."""

    label: str
    name: str
    value: str
    extent: str
    meaning: str


def key_numbers(result: Congruity) -> list[KeyNumber]:
    """Return the key numbers of ``result`` in the order in which to read them; ``rho`` only where it is known."""
    a, b = (shorten(name, 20) for name in result.names)
    wide = result.intervals.get
    out = [
        KeyNumber(
            "C",
            "congruity",
            number(result.score),
            f"{interval(result.interval)}, 95 %" if held(result) else "no interval: the draws are paired",
            f"1 = cannot be told apart; equal sides would give {number(result.expected_equal)} at this size",
        ),
        *(
            KeyNumber(
                label,
                f"within {own}",
                number(p),
                interval(wide(label.lower())),
                "chance that one of these is closer to another of its own side than to one of the other; 0.5 if equal",
            )
            for label, own, p in (("P1", a, result.p_within[0]), ("P2", b, result.p_within[1]))
        ),
        KeyNumber(
            "T",
            "separation",
            number(result.separation, sign=True),
            interval(wide("separation"), sign=True),
            "P1 + P2 \N{MINUS SIGN} 1; 0 if equal"
            + (f"; total variation at least {number(result.tv_lower)}" if held(result) else ""),
        ),
        KeyNumber(
            "AUC",
            "separability",
            number(result.separability),
            p_equation(result.p_values.get("separability")),
            "of telling the sides apart, leaving one out; 0.5 = none, 1 = perfect",
        ),
        KeyNumber(
            "p",
            "one law for both sides",
            p_value(result.p_value),
            "no valid test" if result.p_value is None else "",
            f"permutation test; {result.n[0]} and {result.n[1]} implementations",
        ),
        KeyNumber(
            "C min",
            "smaller side of C",
            number(result.score_min),
            "",
            "falls when one side is wider"
            + (f"; would pass as equivalent at margin {number(result.smallest_margin)}" if held(result) else ""),
        ),
    ]
    if result.prompts is not None:
        error = result.prompts.standard_error
        out.append(
            KeyNumber(
                "r",
                "reliability of the distances",
                number(result.prompts.reliability),
                "",
                f"over {result.prompts.n} prompts; at least 0.70 for the verdict equivalent"
                + ("" if error is None else f"; standard error of T over prompts {number(error)}"),
            )
        )
    if result.rho is not None:
        near = result.closeness
        unit_of = "" if near is None else f" ({unit(near)})"
        out.append(
            KeyNumber(
                "\N{GREEK SMALL LETTER RHO}",
                "distance of the unedited models",
                number(result.rho),
                "" if near is None else f"{interval(near.interval)}, 95 %",
                f"in units of the mean distance from a model to its implementations, both sides averaged{unit_of}; "
                "0 = one model, below 1 = closer than these on average",
            )
        )
    if result.equivalent_kl is not None:
        value, ends = kl_range(result.equivalent_kl)
        out.append(
            KeyNumber(
                "KL",
                "equivalent KL (nats)",
                value,
                ends,
                "strength of implementations by "
                f"{shorten(result.equivalent_kl.intervention, 20)} at which \N{GREEK SMALL LETTER RHO} is 1",
            )
        )
    if result.paired is not None:
        paired = result.paired
        shares = min(paired.retrieval)
        out.append(
            KeyNumber(
                "pairs",
                "partner is the nearest",
                number(shares),
                interval(paired.retrieval_intervals[paired.retrieval.index(shares)]),
                f"of {paired.n} edits made in both models, the lower of both ways; chance {number(paired.chance)}",
            )
        )
    return out
