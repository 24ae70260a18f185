"""The numbers that stand beside a verdict, as text: each with what it means and what it is for equal sides."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from congruity._base.wording import MISSING, interval, number, p_equation, p_value, printable, shorten
from congruity.values.estimate import Estimate, PromptError
from congruity.values.relative import EquivalentKL, Paired, RelativeDistance

Adjust = Callable[[float | None], float | None]


class KeyNumber(NamedTuple):
    """``label`` is short, ``name`` says it in words, ``extent`` is an interval or a p-value, ``meaning`` one phrase."""

    label: str
    name: str
    value: str
    extent: str
    meaning: str


def of_estimate(found: Estimate, names: tuple[str, str], adjust: Adjust) -> list[KeyNumber]:
    """Return C, P1, P2, T, AUC, p and C_min in the order in which to read them; ``adjust`` is applied to p-values."""
    return [*_of_chances(found, names), *_of_tests(found, adjust)]


def _of_chances(found: Estimate, names: tuple[str, str]) -> list[KeyNumber]:
    a, b = (shorten(name, 20) for name in names)
    wide = found.intervals.get
    in_c = f"{interval(found.interval)}, 95 %" if found.interval else f"no interval: {why_no_interval(found)}"
    least = "" if found.tv_lower is None else f"; total variation at least {number(found.tv_lower)}"
    closer = "chance that one of these is closer to another of its own side than to one of the other; 0.5 if equal"
    return [
        KeyNumber(
            "C",
            "congruity",
            number(found.score),
            in_c,
            f"1 = cannot be told apart; equal sides would give {number(found.expected_equal)} at this size",
        ),
        KeyNumber("P1", f"within {a}", number(found.p_within[0]), interval(wide("p1")), closer),
        KeyNumber("P2", f"within {b}", number(found.p_within[1]), interval(wide("p2")), closer),
        KeyNumber(
            "T",
            "separation",
            number(found.separation, sign=True),
            interval(wide("separation"), sign=True),
            f"P1 + P2 \N{MINUS SIGN} 1; 0 if equal{least}",
        ),
    ]


def _of_tests(found: Estimate, adjust: Adjust) -> list[KeyNumber]:
    margin = found.smallest_margin
    passes = "" if margin is None else f"; would pass as equivalent at margin {number(margin)}"
    p, p_of_auc = adjust(found.p_value), adjust(found.p_values.get("separability"))
    return [
        KeyNumber(
            "AUC",
            "separability",
            number(found.separability),
            p_equation(p_of_auc),
            "of telling the sides apart, leaving one out; 0.5 = none, 1 = perfect",
        ),
        KeyNumber(
            "p",
            "one law for both sides",
            p_value(p),
            "no valid test" if p is None else "",
            f"permutation test; {found.n[0]} and {found.n[1]} implementations",
        ),
        KeyNumber("C min", "smaller side of C", number(found.score_min), "", f"falls when one side is wider{passes}"),
    ]


def why_no_interval(found: Estimate) -> str:
    """Say why an estimate has no interval."""
    if not found.independent:
        return "the draws are paired"
    if not found.informative:
        return "all distances are equal"
    return "fewer than 3 independent units on a side"


def of_prompts(found: PromptError) -> KeyNumber:
    """Return the reliability of the distances over prompts."""
    error = "" if found.standard_error is None else f"; standard error of T over prompts {number(found.standard_error)}"
    meaning = f"over {found.n} prompts; at least 0.70 for the verdict equivalent{error}"
    return KeyNumber("r", "reliability of the distances", number(found.reliability), "", meaning)


def of_rho(rho: float, near: RelativeDistance | None) -> KeyNumber:
    """Return rho, with its interval and its unit where these are known."""
    unit_of = "" if near is None else f" ({unit(near)})"
    return KeyNumber(
        "\N{GREEK SMALL LETTER RHO}",
        "distance of the unedited models",
        number(rho),
        "" if near is None else f"{interval(near.interval)}, 95 %",
        f"in units of the mean distance from a model to its implementations, both sides averaged{unit_of}; "
        "0 = one model, below 1 = closer than these on average",
    )


def of_equivalent_kl(found: EquivalentKL) -> KeyNumber:
    """Return the equivalent KL with its range."""
    name = shorten(found.intervention, 20)
    meaning = f"strength of implementations by {name} at which \N{GREEK SMALL LETTER RHO} is 1"
    return KeyNumber("KL", "equivalent KL (nats)", *kl_range(found), meaning)


def of_paired(found: Paired) -> KeyNumber:
    """Return how often the partner of an edit is the nearest, the lower of both ways."""
    share = min(found.retrieval)
    return KeyNumber(
        "pairs",
        "partner is the nearest",
        number(share),
        interval(found.retrieval_intervals[found.retrieval.index(share)]),
        f"of {found.n} edits made in both models, the lower of both ways; chance {number(found.chance)}",
    )


def kl_range(found: EquivalentKL) -> tuple[str, str]:
    """Write an equivalent KL and its 95 % range; outside the KLs measured only on which side of them it lies.

    >>> kl_range(EquivalentKL(0.0049, 0.0046, None, (0.003, 0.01), (1.3, 0.7), "resample"))
    ('0.0049', '[0.0046, ∞]')
    >>> kl_range(EquivalentKL(None, None, 0.01, (0.01,), (0.5,), "resample", "below"))
    ('< 0.010', '[0.00, 0.010]')
    >>> kl_range(EquivalentKL(None, None, None, (0.01,), (0.9,), "resample", "below"))  # on which side is not shown
    ('-', '[0.00, ∞]')
    """
    ends = interval((0.0 if found.low is None else found.low, math.inf if found.high is None else found.high))
    if found.value is not None:
        return number(found.value), ends
    if found.low is None and found.high is None:
        return MISSING, ends
    return (f"< {number(found.kls[0])}" if found.where == "below" else f"> {number(found.kls[-1])}"), ends


def unit(found: RelativeDistance) -> str:
    """Say what rho is relative to: "resample at KL 0.01", and what each side is where they share no KL."""
    if found.kinds is None:
        made = "several interventions" if found.intervention is None else printable(found.intervention)
        return made if found.kl is None else f"{made} at KL {found.kl:g}"
    kinds = " and ".join(map(printable, dict.fromkeys(found.kinds)))
    if found.kinds[0] == found.kinds[1] and found.kl is not None:
        return kinds
    reached = "" if found.mean_kls is None else f", mean KL {' and '.join(map(number, found.mean_kls))}"
    return f"{kinds}{reached}"


def as_html(heading: Sequence[str], keys: Sequence[KeyNumber], warnings: Sequence[str]) -> str:
    """Return ``heading`` (pair, verdict, reason), key numbers and warnings as one ``<div>`` without a script."""
    pair, decision, reason = (escape(printable(part)) for part in heading)
    rows = "".join(
        f'<tr title="{escape(key.meaning)}"><th scope="row"><b>{escape(key.label)}</b> {escape(key.name)}</th>'
        f"<td>{escape(key.value)}</td><td>{escape(key.extent)}</td></tr>"
        for key in keys
    )
    warned = "".join(f"<p><strong>Warning.</strong> {escape(printable(line))}</p>" for line in warnings)
    return (
        f'<div class="congruity-result"><p>{pair}: <strong>{decision}.</strong> {reason}</p>'
        f"<table><tbody>{rows}</tbody></table>{warned}</div>"
    )
