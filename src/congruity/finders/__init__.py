"""Finders: each gives every site of a model a score. To add one: one file, and one line in ``REGISTRY``.

A finder is a dataclass with ``name`` and ``scores`` (`congruity.protocols.Finder`); its fields are its parameters.
"""

from __future__ import annotations

from congruity._base.registry import lookup
from congruity.finders.attribution import Attribution
from congruity.finders.declared import Declared
from congruity.finders.hybrid import Hybrid, Screened
from congruity.finders.integrated_gradients import IntegratedGradients
from congruity.finders.patching import Patching
from congruity.finders.random import Random
from congruity.protocols import Finder

REGISTRY: tuple[type[Finder], ...] = (Attribution, IntegratedGradients, Hybrid, Patching, Random)

__all__ = [
    "REGISTRY",
    "Attribution",
    "Declared",
    "Hybrid",
    "IntegratedGradients",
    "Patching",
    "Random",
    "Screened",
    "by_name",
]


def by_name(name: str) -> Finder:
    """Return the finder called ``name`` with its default parameters, or `Declared` for the path of a ``.json`` file.

    Raises:
        UnknownNameError: no finder has that name; the message gives the nearest ones.
        StoreError: the file is missing, or holds no circuit.
    """
    return Declared(name) if name.endswith(".json") else lookup("finder", name, REGISTRY)()
