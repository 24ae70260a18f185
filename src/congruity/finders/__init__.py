"""WHICH sites matter. To add a finder: one file, and one line in ``REGISTRY``."""

from __future__ import annotations

from congruity._registry import lookup
from congruity.finders.attribution import Attribution
from congruity.protocols import Finder

REGISTRY: tuple[Finder, ...] = (Attribution(),)

__all__ = ["REGISTRY", "Attribution", "by_name"]


def by_name(name: str) -> Finder:
    """Return the finder called ``name``; raise `UnknownNameError` with the nearest names."""
    return lookup("finder", name, REGISTRY)
