"""The exact, finite side of the question: causal models and what follows from them. Needs NumPy only.

``causal`` and ``tables`` (models, JSON), ``queries``, ``alignment`` and ``abstraction`` (is one an abstraction of the
other?), ``interchange`` (which models do swaps tell apart?), ``chain`` (a model read layer by layer), ``circuits`` and
``interpretation`` (implementation sets by enumeration), ``equivalence`` (d_interp and congruity of these) and
``bounds`` (every theorem).
docs/theory.md teaches them by examples.
"""

from __future__ import annotations

from congruity.theory.causal import CausalModel

__all__ = ["CausalModel"]
