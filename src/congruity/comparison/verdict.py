"""The decision and the sentence for it.

Two tests, each at 5 %: of difference (`_permutation`) and of equivalence at a margin (both 90 % intervals of P1 and P2
inside 1/2 +- margin/2: intersection-union). "equivalent" and "different" each need one test to speak and the other to
be silent; "undecided" has sub-states, which the sentence tells apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from congruity.inference.design import MIN_BASES, Design
from congruity.inference.permutation import Permuted
from congruity.values import PromptError, Verdict

MIN_EQUIVALENT = 10  # independent units a side below which intervals are too rough to declare sameness
MIN_RELIABILITY = 0.7  # of the distances over prompts: noise makes all sides alike
_GOOD_RELIABILITY, _NOISE = 0.85, 0.3
_GROWS = 0.1  # an extrapolated T this far above T: more prompts would show more separation


@dataclass(frozen=True)
class Evidence:
    """What the decision rests on."""

    design: Design
    names: tuple[str, str]
    margin: float
    alpha: float
    smallest_margin: float
    separability: float
    permuted: Permuted | None
    prompts: PromptError | None
    require_prompts: bool

    @property
    def within(self) -> bool:
        """Whether the equivalence test passes at the margin."""
        return self.smallest_margin < self.margin

    @property
    def distinguishable(self) -> bool:
        """Whether the permutation test rejects equality."""
        return self.permuted is not None and self.permuted.p_value <= self.alpha

    @property
    def unreliable(self) -> bool:
        """Whether the distances change too much with the prompts to show that two sides are alike."""
        if self.prompts is None:
            return self.require_prompts
        return self.prompts.reliability < MIN_RELIABILITY

    @property
    def p(self) -> str:
        """The p-value in words."""
        return "no p-value" if self.permuted is None else f"p = {self.permuted.p_value:.2g}"

    @property
    def needed(self) -> str:
        """The smallest margin that would pass, against the one that was asked for."""
        relation = "<" if self.within else ">="
        return f"smallest margin that passes: {self.smallest_margin:.2f} {relation} {self.margin:.2f}"


def decide(e: Evidence) -> tuple[Verdict, str]:
    """Return the verdict and one or two sentences that a reader without statistics can act on."""
    if not e.design.informative:
        return "undecided", (
            "All distances that are compared are equal, so this distance cannot tell any implementation from another "
            "and says nothing about the two sides."
        )
    if not e.design.has_test:
        return "undecided", _too_few_networks(e)
    if e.design.kind == "two networks":
        return _two_networks(e)
    return _populations(e)


def unmatched(verdict: Verdict, reason: str, mismatches: Sequence[str]) -> tuple[Verdict, str]:
    """Return verdict and reason for sides that were not made alike: never "different", and said in the reason.

    >>> unmatched("different", "Told apart.", ["other pools"])
    ('undecided', 'Told apart. But the sides were not made alike (other pools), which alone can separate ...')
    """
    if not mismatches or verdict == "not applicable":
        return verdict, reason
    how = f"the sides were not made alike ({'; '.join(mismatches)})"
    if verdict == "equivalent":
        return verdict, f"{reason} This is although {how}."
    if verdict == "different":
        return "undecided", f"{reason} But {how}, which alone can separate two sets: match them for a verdict."
    return verdict, f"{reason} Besides, {how}, which alone can separate two sets."


def _too_few_networks(e: Evidence) -> str:
    first, second = e.design.n_bases or (0, 0)
    return (
        f"{_counted(first, 'independent network')} against {second} cannot show a difference or an agreement: "
        f"implementations of one network are no independent evidence, so a p-value needs at least {MIN_BASES} networks "
        f"a side and the verdict 'equivalent' {MIN_EQUIVALENT}."
    )


def _populations(e: Evidence) -> tuple[Verdict, str]:
    a, b = e.names
    if e.distinguishable and not e.within:
        return "different", (
            f"{a} and {b} can be told apart ({e.p}; leave-one-out separability {e.separability:.2f}, where 0.5 is "
            f"chance), and agreement within the margin was not shown ({e.needed})."
        )
    if e.distinguishable:
        return "undecided", (
            f"{a} and {b} are within margin but distinguishable: they can be told apart ({e.p}; leave-one-out "
            f"separability {e.separability:.2f}), though P1 and P2 agree within the margin ({e.needed})."
        )
    if e.within and e.design.smallest >= MIN_EQUIVALENT and not e.unreliable:
        return "equivalent", _agreement(e)
    return "undecided", _undecided(e)


def _two_networks(e: Evidence) -> tuple[Verdict, str]:
    """Never "different": to tell two single networks apart is detectability, which a noise copy has too."""
    a, b = e.names
    if e.distinguishable:
        state = "within margin but distinguishable" if e.within else "distinguishable"
        return "undecided", (
            f"With one network a side, {a} and {b} are {state} ({e.p}; leave-one-out separability "
            f"{e.separability:.2f}; {e.needed}). That is detectability and no evidence of another mechanism, because a "
            "copy of a network with a little noise is told apart too: read it among controls (each network against "
            "itself, a noisy copy, a random network)."
        )
    if e.within and e.design.smallest >= MIN_EQUIVALENT and not e.unreliable:
        return "equivalent", f"{_agreement(e)} With one network a side, this speaks of these two networks only."
    return "undecided", _undecided(e)


def _agreement(e: Evidence) -> str:
    a, b = e.names
    return (
        f"{a} and {b} could not be told apart ({e.p}), and with {100 * (1 - e.alpha):.3g} % confidence the chance that "
        f"an implementation is closer to its own side is within {50 * e.margin:.0f} points of 50 % on both sides "
        f"({e.needed})."
    )


def _undecided(e: Evidence) -> str:
    """Neither test spoke, or equivalence passed on too few units."""
    a, b = e.names
    units = "networks" if e.design.kind == "clustered" else "implementations"
    if e.within and e.unreliable and e.design.smallest >= MIN_EQUIVALENT:
        if e.prompts is None:
            return (
                f"{a} and {b} could not be told apart ({e.p}; {e.needed}), but whether the distances are reliable over "
                "prompts could not be checked, and noise makes sides look alike. More prompts may decide."
            )
        return (
            f"{a} and {b} could not be told apart ({e.p}; {e.needed}), but the distances change too much with the "
            f"prompts to show that they are alike: split-half reliability {e.prompts.reliability:.2f}, at least "
            f"{MIN_RELIABILITY:.2f} is needed. More prompts may decide; implementations that are all equally far apart "
            "look like this too."
        )
    if e.within:
        return (
            f"{a} and {b} could not be told apart ({e.p}; {e.needed}), but {e.design.smallest} independent {units} on "
            f"a side are too few: 'equivalent' needs {MIN_EQUIVALENT}."
        )
    limit = e.permuted.smallest if e.permuted else 1.0
    can = f"; the smallest p-value possible with so few is {limit:.2g}" if limit > e.alpha else ""
    return (
        f"{a} and {b} were neither told apart ({e.p}{can}) nor shown to agree within the margin ({e.needed}); more "
        f"independent {units} may decide."
    )


def warnings(e: Evidence, separation: float) -> tuple[str, ...]:
    """Return what a reader must know besides the verdict."""
    found = []
    if separation < 0 and e.permuted is not None and e.permuted.below <= 0.05 and e.design.informative:
        found.append(
            f"T = {separation:.2f} is significantly below 0 (p = {e.permuted.below:.2g}): implementations are closer "
            "to the other side than to their own. Look for a crossed design (the same networks or edits on both sides) "
            "or leakage; T below 0 is by itself no sign of a difference"
        )
    for side in e.design.lonely:
        found.append(
            f"side {side!r} is one network, so its within-side comparisons are between implementations of that network "
            "and C is not comparable with that of several networks a side"
        )
    if e.prompts is not None and e.design.informative:
        found += _of_prompts(e.prompts, separation)
    if e.design.smallest < 5 and not e.design.lonely:
        found.append(f"{_counted(e.design.smallest, 'independent unit')} on a side: read C as an estimate only")
    return tuple(found)


def _of_prompts(prompts: PromptError, separation: float) -> list[str]:
    found = []
    if prompts.reliability < _GOOD_RELIABILITY:
        what = "are mostly noise" if prompts.reliability < _NOISE else "are noisy"
        found.append(
            f"the distances {what} over prompts (split-half reliability {prompts.reliability:.2f}), and noise makes "
            f"sides look alike; take more than {prompts.n} prompts"
        )
    grown = abs(prompts.extrapolated) - abs(separation)
    if grown > _GROWS:
        found.append(
            f"separation still grows with the prompts (T = {prompts.half_separation:.2f} on half of them, "
            f"{separation:.2f} on all {prompts.n}, {prompts.extrapolated:.2f} extrapolated): with more, C would fall"
        )
    return found


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
