"""From distances to a decision: the score, its uncertainty, two tests and a verdict.

A package, not a module called ``estimate``: a module of that name would hide the public function ``congruity.estimate``.
"""

from congruity.inference.estimate import estimate, not_applicable

__all__ = ["estimate", "not_applicable"]
