"""HOW FAR apart two representations are, from Gram matrices alone. One file and one line here for each distance."""

from __future__ import annotations

from congruity._registry import lookup
from congruity.distances.cka import CKA
from congruity.distances.procrustes import Procrustes
from congruity.distances.ridge import Ridge
from congruity.distances.spectral import Spectral
from congruity.protocols import Distance

REGISTRY: tuple[Distance, ...] = (Spectral(), Ridge(), Procrustes(), CKA())

__all__ = ["CKA", "REGISTRY", "Procrustes", "Ridge", "Spectral", "by_name"]


def by_name(name: str) -> Distance:
    """Return the distance of that name with its default parameters; raise `UnknownNameError` with the nearest names.

    >>> by_name("procrustes")
    Procrustes()
    """
    return lookup("distance", name, REGISTRY)
