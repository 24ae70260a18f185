"""From distances to a decision: the score, its uncertainty, two tests and a verdict.

A package, and not a module called ``estimate``, which would hide the public function ``congruity.estimate``.
"""

from congruity.inference.estimation import check_settings, estimate, not_applicable
from congruity.inference.panel import standing
from congruity.inference.prompts import prompt_error

__all__ = ["check_settings", "estimate", "not_applicable", "prompt_error", "standing"]
