"""Interventions: each says what is written at a site. To add one: one file, and one line in ``REGISTRY``.

An intervention is a dataclass with ``name`` and ``replacement`` (`congruity.protocols.Intervention`); its fields are
its parameters.
"""

from __future__ import annotations

from congruity._base.registry import lookup
from congruity.interventions.mean import Mean
from congruity.interventions.noise import Noise
from congruity.interventions.resample import Resample
from congruity.interventions.zero import Zero
from congruity.protocols import Intervention

REGISTRY: tuple[type[Intervention], ...] = (Resample, Mean, Zero, Noise)

__all__ = ["REGISTRY", "Mean", "Noise", "Resample", "Zero", "by_name"]


def by_name(name: str) -> Intervention:
    """Return the intervention called ``name``; raise `UnknownNameError` with the nearest names."""
    return lookup("intervention", name, REGISTRY)()
