"""Does a network implement an interpretation? Interchange interventions on a causal model and on aligned locations.

An interpretation is a high-level causal model with an alignment: locations of the network for each inner variable. An
interchange of a variable writes, at its locations, the values of the run on another input. The network must then give
the answers that the causal model gives under the interchange of the variable.

Most interchanges change no answer, so the effective ones are counted apart. Any network has some accuracy for any
alignment, so random alignments of the same size are measured too.
"""

from __future__ import annotations

from congruity.evaluation.interchange_accuracy import Evaluation, Share, evaluate
from congruity.evaluation.interpretation import Interpretation, interpretation_json, read_interpretation
from congruity.evaluation.prompts import Prompts

__all__ = [
    "Evaluation",
    "Interpretation",
    "Prompts",
    "Share",
    "evaluate",
    "interpretation_json",
    "read_interpretation",
]
