"""Algorithms of functions of short sequences, in families. To add a family: one file, and one line in ``REGISTRY``."""

from __future__ import annotations

from congruity._base.registry import lookup
from congruity.known.algorithms import mode, permutation, sorting
from congruity.known.algorithms.family import Algorithm, Family

REGISTRY: tuple[Family, ...] = (permutation.FAMILY, sorting.FAMILY, mode.FAMILY)

__all__ = ["REGISTRY", "Algorithm", "Family", "by_name"]


def by_name(name: str) -> Family:
    """Return the family called ``name``; raise `UnknownNameError` if there is none."""
    return lookup("family of algorithms", name, REGISTRY)
