"""Do two neural networks solve a task the same way? See `compare`.

Names are imported on first use, so that ``import congruity`` is instant and the light layer never needs PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from congruity import distances, finders, interventions, models, tasks
    from congruity.comparison.arrays import d_repr, pairwise
    from congruity.comparison.estimate import estimate
    from congruity.comparison.matrix import CongruityMatrix, matrix
    from congruity.errors import CongruityError
    from congruity.models import TorchModule, load_model
    from congruity.pipeline import compare, discover, fingerprint
    from congruity.values import (
        Budget,
        Certified,
        Circuit,
        Congruity,
        DistanceTable,
        Examples,
        Fingerprint,
        Gates,
        Implementation,
        Site,
    )

__version__ = "0.1.0"

_HOMES = {
    "congruity.errors": ("CongruityError",),
    "congruity.comparison.estimate": ("estimate",),
    "congruity.comparison.matrix": ("CongruityMatrix", "matrix"),
    "congruity.comparison.arrays": ("d_repr", "pairwise"),
    "congruity.models": ("TorchModule", "load_model"),
    "congruity.pipeline": ("compare", "discover", "fingerprint"),
    "congruity.values": (
        "Budget",
        "Certified",
        "Circuit",
        "Congruity",
        "DistanceTable",
        "Examples",
        "Fingerprint",
        "Gates",
        "HeldOut",
        "Implementation",
        "Site",
    ),
}
_MODULES = ("distances", "finders", "interventions", "models", "tasks")
_WHERE = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Budget",
    "Certified",
    "Circuit",
    "Congruity",
    "CongruityError",
    "CongruityMatrix",
    "DistanceTable",
    "Examples",
    "Fingerprint",
    "Gates",
    "HeldOut",
    "Implementation",
    "Site",
    "TorchModule",
    "compare",
    "d_repr",
    "discover",
    "distances",
    "estimate",
    "finders",
    "fingerprint",
    "interventions",
    "load_model",
    "matrix",
    "models",
    "pairwise",
    "tasks",
]


def __getattr__(name: str) -> Any:
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"congruity.{name}")
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
