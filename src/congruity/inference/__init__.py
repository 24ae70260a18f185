"""Numbers only: from a table of distances to an `Estimate`, and the intervals and tests that other numbers need.

Nothing here knows a word, a verdict or a fingerprint; `congruity.comparison` decides.
"""

from congruity.inference.bootstrap import bca, clopper_pearson, edge_guard
from congruity.inference.described import described
from congruity.inference.estimation import EstimateSettings, estimated
from congruity.inference.means import lower_limit, mean_interval
from congruity.inference.prompts import prompt_error

__all__ = [
    "EstimateSettings",
    "bca",
    "clopper_pearson",
    "described",
    "edge_guard",
    "estimated",
    "lower_limit",
    "mean_interval",
    "prompt_error",
]
