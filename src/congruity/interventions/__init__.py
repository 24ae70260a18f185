"""HOW a site is changed. To add an intervention: one file, and one line in ``REGISTRY``."""

from __future__ import annotations

from congruity._registry import lookup
from congruity.interventions.resample import Resample
from congruity.protocols import Intervention

REGISTRY: tuple[Intervention, ...] = (Resample(),)

__all__ = ["REGISTRY", "Resample", "by_name"]


def by_name(name: str) -> Intervention:
    """Return the intervention called ``name``; raise `UnknownNameError` with the nearest names."""
    return lookup("intervention", name, REGISTRY)
