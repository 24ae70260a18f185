"""The states in which a comparison can end. The value of each is its sentence; a state has one verdict.

`congruity.comparison.verdict` chooses the state and fills the sentence in; nothing else writes either. A newcomer reads
every possible answer of this package here. `Remark` holds what may be added to a sentence.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

Verdict = Literal["equivalent", "different", "undecided", "not applicable"]

_APART = "{a} and {b} can be told apart ({p}; leave-one-out separability {separability}"
_AGREE = (
    "{a} and {b} could not be told apart ({p}), and with {confidence} % confidence the chance that an implementation "
    "is closer to its own side is within {points} points of 50 % on both sides ({needed})."
)
_DIFFERENT = _APART + ", where 0.5 is chance), and agreement within the margin was not shown ({needed})."
_CONTROLS = (
    " ({p}; leave-one-out separability {separability}; {needed}). That is detectability and no evidence of another "
    "mechanism, because a copy of a network with a little noise is told apart too: read it among controls (each "
    "network against itself, a noisy copy, a random network)."
)
_SAME_EDITS = (
    "Both sides carry the same {edits} edits: their implementations are pairs and not independent draws, so no test "
    "of a difference or of an agreement applies, and no interval of C, P1 and P2 is given. "
)


class Status(Enum):
    """Why a comparison ends as it does; the value is the sentence, with names in braces for its numbers."""

    INCAPABLE = "{incapable}"
    PAIRED = _SAME_EDITS + "Read the paired numbers; for a verdict, let each side draw its own edits."
    PAIRED_UNLIKE = _SAME_EDITS + "For a verdict, let each side draw its own edits."
    ALL_EQUAL = (
        "All distances that are compared are equal, so this distance cannot tell any implementation from another and "
        "says nothing about the two sides."
    )
    TOO_FEW_NETWORKS = (
        "{networks} against {other_networks} cannot show a difference or an agreement: implementations of one network "
        "are no independent evidence, so a p-value needs at least {least_networks} networks a side and the verdict "
        "'equivalent' {least_units}."
    )
    DIFFERENT = _DIFFERENT
    UNMATCHED = _DIFFERENT + (
        " But the sides were not made alike ({mismatches}), which alone can separate two sets: match them for a "
        "verdict."
    )
    WITHIN_MARGIN_BUT_TOLD_APART = (
        "{a} and {b} are within margin but distinguishable: they can be told apart ({p}; leave-one-out separability "
        "{separability}), though P1 and P2 agree within the margin ({needed})."
    )
    TWO_NETWORKS_TOLD_APART = "With one network a side, {a} and {b} are distinguishable" + _CONTROLS
    TWO_NETWORKS_WITHIN_MARGIN = (
        "With one network a side, {a} and {b} are within margin but distinguishable" + _CONTROLS
    )
    EQUIVALENT = _AGREE
    TWO_NETWORKS_EQUIVALENT = _AGREE + " With one network a side, this speaks of these two networks only."
    PROMPTS_UNCHECKED = (
        "{a} and {b} could not be told apart ({p}; {needed}), but whether the distances are reliable over prompts "
        "could not be checked, and noise makes sides look alike. More prompts may decide."
    )
    PROMPTS_UNRELIABLE = (
        "{a} and {b} could not be told apart ({p}; {needed}), but the distances change too much with the prompts to "
        "show that they are alike: split-half reliability {reliability}, at least {least_reliability} is needed. More "
        "prompts may decide; implementations that are all equally far apart look like this too."
    )
    TOO_FEW_UNITS = (
        "{a} and {b} could not be told apart ({p}; {needed}), but {units} independent {unit} on a side are too few: "
        "'equivalent' needs {least_units}."
    )
    NOT_SHOWN = (
        "{a} and {b} were neither told apart ({p}{limit}) nor shown to agree within the margin ({needed}); more "
        "independent {unit} may decide."
    )
    NOT_IN_FAMILY = "Alone this pair would be {alone}, but not at level {alpha} over all pairs (adjusted {p_adjusted})."

    @property
    def verdict(self) -> Verdict:
        """The verdict of this state."""
        return _VERDICTS.get(self, "undecided")

    @property
    def label(self) -> str:
        """The state in lower-case words, as ``to_dict`` writes it."""
        return self.name.lower().replace("_", " ")


_VERDICTS: dict[Status, Verdict] = {
    Status.DIFFERENT: "different",
    Status.EQUIVALENT: "equivalent",
    Status.TWO_NETWORKS_EQUIVALENT: "equivalent",
    Status.INCAPABLE: "not applicable",
}


class Remark(Enum):
    """A sentence that is added to that of a `Status`."""

    ALTHOUGH_UNMATCHED = "This is although the sides were not made alike ({mismatches})."
    BESIDES_UNMATCHED = "Besides, the sides were not made alike ({mismatches}), which alone can separate two sets."
    DEPENDS_ON_KIND = "{changes}"
    LOOKS = (
        "(Sequential: {ended} with {reached} a side of looks at {plan}; each look spent {level} of the error, and the "
        "p in this sentence is its own.)"
    )
    LOOKS_RAN_OUT = (
        "(Sequential: {ended} with {reached} a side of looks at {plan}; each look spent {level} of the error, and the "
        "p in this sentence is its own. No more implementations were there: the plan goes to {last} a side.)"
    )
