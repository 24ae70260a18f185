"""Distances between representations of the same samples, each from their Gram matrices alone.

To add a distance: one file with a class that has ``name``, ``traits`` and ``table`` (`congruity.protocols.Distance`),
and one line in ``REGISTRY``. The contract tests then hold the class to its traits.
"""

from __future__ import annotations

from collections.abc import Callable

from congruity._base.registry import lookup
from congruity.distances.cca import CCA
from congruity.distances.cka import CKA
from congruity.distances.cka_debiased import CKADebiased
from congruity.distances.contract import require_declared, tabulate
from congruity.distances.kernel import Kernel
from congruity.distances.procrustes import Procrustes
from congruity.distances.ridge import Ridge
from congruity.distances.rsa import RSA
from congruity.distances.spectral import Spectral
from congruity.distances.svcca import SVCCA
from congruity.protocols import Distance

REGISTRY: tuple[type[Distance], ...] = (
    Spectral,
    Ridge,
    Procrustes,
    CKA,
    CKADebiased,
    CCA,
    SVCCA,
    RSA,
    Kernel,
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
    "tabulate",
]


def by_name(name: str) -> Distance:
    """Return the distance of that name with its default parameters; raise `UnknownNameError` with the nearest names.

    >>> by_name("procrustes")
    Procrustes()
    """
    return lookup("distance", name, REGISTRY)()


def chosen(distance: Distance | str | None) -> Distance:
    """Return the distance that one call uses: the given object, one by its name, or, for None, the paper's d_repr.

    A distance with a method ``remembering`` comes with a new memory of solved pairs, which lasts for that call.

    Raises:
        UnknownNameError: no distance has that name.
        InputError: an object without name, traits or ``table``.

    >>> chosen(None).name, chosen("cka").name
    ('spectral', 'cka')
    """
    found = by_name(distance) if isinstance(distance, str) else Spectral() if distance is None else distance
    require_declared(found)
    remembering: Callable[[], Distance] = getattr(found, "remembering", lambda: found)
    return remembering()
