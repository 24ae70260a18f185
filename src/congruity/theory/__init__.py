"""The exact, finite side of the question: causal models and what follows from them. Needs NumPy only."""

from __future__ import annotations

from congruity.theory.causal import CausalModel

__all__ = ["CausalModel"]
