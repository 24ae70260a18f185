"""HOW FAR apart two representations are, from Gram matrices alone. One file and one line here for each distance."""

from __future__ import annotations

from congruity._base.registry import lookup
from congruity.distances.cca import CCA
from congruity.distances.cka import CKA
from congruity.distances.cka_debiased import CKADebiased
from congruity.distances.kernel import Kernel
from congruity.distances.procrustes import Procrustes
from congruity.distances.ridge import Ridge
from congruity.distances.rsa import RSA
from congruity.distances.spectral import Spectral
from congruity.distances.svcca import SVCCA
from congruity.protocols import Distance

REGISTRY: tuple[Distance, ...] = (
    Spectral(),
    Ridge(),
    Procrustes(),
    CKA(),
    CKADebiased(),
    CCA(),
    SVCCA(),
    RSA(),
    Kernel(),
)

__all__ = [
    "CCA",
    "CKA",
    "REGISTRY",
    "RSA",
    "SVCCA",
    "CKADebiased",
    "Kernel",
    "Procrustes",
    "Ridge",
    "Spectral",
    "by_name",
    "chosen",
]


def by_name(name: str) -> Distance:
    """Return the distance of that name with its default parameters; raise `UnknownNameError` with the nearest names.

    >>> by_name("procrustes")
    Procrustes()
    """
    return lookup("distance", name, REGISTRY)


def chosen(distance: Distance | str | None) -> Distance:
    """Return what a caller asked for: a distance itself, one of that name, or, for None, the paper's d_repr.

    >>> chosen(None).name, chosen("cka").name
    ('spectral', 'cka')
    """
    return by_name(distance) if isinstance(distance, str) else distance or Spectral()
