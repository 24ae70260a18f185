"""Exact theory of finite causal models, and every theorem as a function. Needs NumPy only.

- ``causal``, ``tables``: causal models, as functions and as tables in JSON.
- ``queries``, ``alignment``, ``abstraction``: whether one causal model is an abstraction of another.
- ``interchange``: equivalence of causal models under interchange interventions.
- ``chain``: a causal model as a chain of layers.
- ``circuits``, ``interpretation``: implementation sets by enumeration.
- ``equivalence``: d_interp and congruity of enumerated implementation sets.
- ``bounds``: the theorems.

docs/theory.md teaches them by examples.
"""

from __future__ import annotations

from congruity.theory.causal import CausalModel

__all__ = ["CausalModel"]
