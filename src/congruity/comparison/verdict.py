"""The decision and the sentence for it: the only place that chooses a `Status` and fills in its sentence.

Two tests, each at 5 %: of difference (`congruity.inference.permutation`) and of equivalence at a margin (both 90 %
intervals of P1 and P2 inside 1/2 +- margin/2: intersection-union). "equivalent" and "different" each need one test to
speak and the other to be silent; "undecided" has many states, which the sentence tells apart. The rules, in order:

1. a side cannot do the task: not applicable;
2. both sides carry the same edits: undecided, as no draws are independent;
3. all distances are equal, or fewer than 4 networks on a side: undecided;
4. told apart, and not within the margin: different; but undecided with one network a side, or if not made alike;
5. told apart and within the margin: undecided;
6. within the margin, of at least 10 units a side, by distances that are reliable over prompts: equivalent;
7. else undecided, with what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from congruity.values import MIN_BASES, MIN_UNITS, Estimate, Remark, Status, Verdict

MIN_EQUIVALENT = 10  # independent units a side below which intervals are too rough to declare sameness
MIN_RELIABILITY = 0.7  # of the distances over prompts: noise makes all sides alike


@dataclass(frozen=True)
class Circumstances:
    """What bears on a verdict besides the numbers: how the sides were made.

    Attributes:
        mismatches: in what they were not made alike.
        edits: number of edits that both sides carry; None where the draws are independent.
        readable: whether these edits write the same on both sides, so that paired numbers can be read.
        incapable: the sentence for a side that cannot do the task; empty where both can.
        require_prompts: never say "equivalent" where the reliability over prompts was not measured.
    """

    mismatches: tuple[str, ...] = ()
    edits: int | None = None
    readable: bool = True
    incapable: str = ""
    require_prompts: bool = False


@dataclass(frozen=True)
class Looks:
    """A sequential plan and where it ended.

    Attributes:
        plan: implementations a side at each look; ``level``: the error that each look spends.
        reached: implementations a side at the last look; ``decided``: whether that look decided.
    """

    plan: tuple[int, ...]
    level: float
    reached: int
    decided: bool

    @property
    def ended(self) -> str:
        """How the plan ended, in words."""
        return "decided" if self.decided else "not decided"


class Conclusion(NamedTuple):
    """A state and its sentence."""

    status: Status
    reason: str

    @property
    def verdict(self) -> Verdict:
        """The verdict of the state."""
        return self.status.verdict


def conclude(
    estimate: Estimate,
    names: tuple[str, str],
    made: Circumstances | None = None,
    *,
    changes: str = "",
    looks: Looks | None = None,
) -> Conclusion:
    """Return the state in which a comparison ends, with its sentence.

    Args:
        estimate: the numbers.
        names: of the sides.
        made: how the sides were made.
        changes: the sentence on how the answer depends on the kind of implementations; empty where it does not.
        looks: the sequential plan behind the numbers, if there is one.

    >>> from congruity.inference import estimated
    >>> places = [float(k) for k in range(12)] + [50.0 + k for k in range(12)]
    >>> table = [[abs(x - y) for x in places] for y in places]
    >>> conclude(estimated(table, ["a"] * 12 + ["b"] * 12), ("a", "b")).verdict
    'different'
    """
    made = made or Circumstances()
    status = _status(estimate, made)
    facts = _facts(estimate, names, made) | {"changes": changes} | _of_looks(looks)
    remarks = _remarks(status, made, changes, looks)
    return Conclusion(status, " ".join(part.value.format(**facts) for part in (status, *remarks)))


def decides(conclusion: Conclusion, estimate: Estimate, level: float) -> bool:
    """Whether a look decides: told apart at its level, equivalent, or not applicable."""
    told_apart = estimate.p_value is not None and estimate.p_value <= level
    return told_apart or conclusion.verdict in ("equivalent", "not applicable")


def in_family(alone: Conclusion, p_different: float | None, p_equivalent: float | None, alpha: float) -> Conclusion:
    """Return what stands of a conclusion where its p-values are adjusted over a family of comparisons."""
    needed = {"different": p_different, "equivalent": p_equivalent}
    if alone.verdict not in needed:
        return alone
    p = needed[alone.verdict]
    if p is not None and p <= alpha:
        return alone
    adjusted = "no p-value" if p is None else f"p = {p:.2g}"
    sentence = Status.NOT_IN_FAMILY.value.format(alone=alone.verdict, alpha=f"{alpha:g}", p_adjusted=adjusted)
    return Conclusion(Status.NOT_IN_FAMILY, sentence)


def _status(e: Estimate, made: Circumstances) -> Status:
    if made.incapable:
        return Status.INCAPABLE
    if made.edits is not None:
        return Status.PAIRED if made.readable else Status.PAIRED_UNLIKE
    if not e.informative:
        return Status.ALL_EQUAL
    if not e.has_test:
        return Status.TOO_FEW_NETWORKS
    if e.told_apart:
        return _told_apart(e, made)
    return _not_told_apart(e, made)


def _told_apart(e: Estimate, made: Circumstances) -> Status:
    """With one network a side never "different": that is detectability, which a noise copy has too."""
    if e.kind == "two networks":
        return Status.TWO_NETWORKS_WITHIN_MARGIN if e.within else Status.TWO_NETWORKS_TOLD_APART
    if e.within:
        return Status.WITHIN_MARGIN_BUT_TOLD_APART
    return Status.UNMATCHED if made.mismatches else Status.DIFFERENT


def _not_told_apart(e: Estimate, made: Circumstances) -> Status:
    if not e.within:
        return Status.NOT_SHOWN
    if e.units < MIN_EQUIVALENT:
        return Status.TOO_FEW_UNITS
    if e.prompts is None:
        if made.require_prompts:
            return Status.PROMPTS_UNCHECKED
    elif e.prompts.reliability < MIN_RELIABILITY:
        return Status.PROMPTS_UNRELIABLE
    return Status.TWO_NETWORKS_EQUIVALENT if e.kind == "two networks" else Status.EQUIVALENT


def _remarks(status: Status, made: Circumstances, changes: str, looks: Looks | None) -> list[Remark]:
    found = []
    if status is not Status.INCAPABLE:
        if made.mismatches and status is not Status.UNMATCHED:
            found.append(Remark.ALTHOUGH_UNMATCHED if status.verdict == "equivalent" else Remark.BESIDES_UNMATCHED)
        if changes:
            found.append(Remark.DEPENDS_ON_KIND)
    if looks is not None:
        ran_out = not looks.decided and looks.reached != looks.plan[-1]
        found.append(Remark.LOOKS_RAN_OUT if ran_out else Remark.LOOKS)
    return found


def _facts(e: Estimate, names: tuple[str, str], made: Circumstances) -> dict[str, object]:
    """Return all that a sentence may name, as it is written there."""
    first, second = e.n_bases or (0, 0)
    smallest = e.test.smallest if e.test else 1.0
    return {
        "a": names[0],
        "b": names[1],
        "p": "no p-value" if e.p_value is None else f"p = {e.p_value:.2g}",
        "limit": f"; the smallest p-value possible with so few is {smallest:.2g}" if smallest > e.alpha else "",
        "separability": f"{e.separability:.2f}",
        "needed": _needed(e),
        "confidence": f"{100 * (1 - e.alpha):.3g}",
        "points": f"{50 * e.margin:.0f}",
        "units": e.units,
        "unit": "networks" if e.kind == "clustered" else "implementations",
        "networks": f"{first} independent network{'' if first == 1 else 's'}",
        "other_networks": second,
        "least_networks": MIN_BASES,
        "least_units": MIN_EQUIVALENT,
        "reliability": "" if e.prompts is None else f"{e.prompts.reliability:.2f}",
        "least_reliability": f"{MIN_RELIABILITY:.2f}",
        "mismatches": "; ".join(made.mismatches),
        "edits": made.edits,
        "incapable": made.incapable,
    }


def _needed(e: Estimate) -> str:
    """The smallest margin that would pass, against the one that was asked for."""
    if e.smallest_margin is None:
        return f"no interval can be given of fewer than {MIN_UNITS} independent units on a side"
    return f"smallest margin that passes: {e.smallest_margin:.2f} {'<' if e.within else '>='} {e.margin:.2f}"


def _of_looks(looks: Looks | None) -> dict[str, object]:
    if looks is None:
        return {}
    return {
        "ended": looks.ended,
        "reached": looks.reached,
        "plan": ", ".join(map(str, looks.plan)),
        "level": f"{looks.level:.3g}",
        "last": looks.plan[-1],
    }
