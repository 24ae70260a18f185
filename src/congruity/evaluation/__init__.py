"""Does a network implement an interpretation? Interchange interventions, on a causal model and on aligned places.

An interpretation is a high-level causal model with an alignment: places of the network for each inner variable.
Swapping a variable's places to what they are on another input must give the answers that the causal model gives when
the variable is swapped. Most swaps change no answer, so those that do are counted apart; and any network has some
accuracy for any alignment, so random alignments of the same size stand beside it.
"""

from __future__ import annotations

from congruity.evaluation.counterfactuals import Swappable
from congruity.evaluation.interchange_accuracy import Evaluation, Share, evaluate
from congruity.evaluation.interpretation import Interpretation, interpretation_json, read_interpretation

__all__ = [
    "Evaluation",
    "Interpretation",
    "Share",
    "Swappable",
    "evaluate",
    "interpretation_json",
    "read_interpretation",
]
