"""Self-tests of a model and its adapter, by their public name; `congruity doctor` runs them."""

from __future__ import annotations

from congruity.sampling.selftests import TOLERANCE, require, run_checks

__all__ = ["TOLERANCE", "require", "run_checks"]
