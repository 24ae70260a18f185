"""From distances to a decision: the score, its uncertainty, two tests and a verdict.

A package, and not a module called ``estimate``, which would hide the public function ``congruity.estimate``.
"""

from congruity.comparison.estimate import check_settings, estimate, not_applicable
from congruity.comparison.reference import standing
from congruity.comparison.verdict import MIN_RELIABILITY, unmatched
from congruity.inference.bootstrap import bca, clopper_pearson, edge_guard
from congruity.inference.described import described
from congruity.inference.means import lower_limit, mean_interval
from congruity.inference.prompts import prompt_error

__all__ = [
    "MIN_RELIABILITY",
    "bca",
    "check_settings",
    "clopper_pearson",
    "described",
    "edge_guard",
    "estimate",
    "lower_limit",
    "mean_interval",
    "not_applicable",
    "prompt_error",
    "standing",
    "unmatched",
]
