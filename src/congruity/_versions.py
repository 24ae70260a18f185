"""Versions of what computed a result, read from package metadata: nothing is imported for it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_NAMES = ("congruity", "numpy", "scipy", "torch", "transformers", "transformer-lens")


def versions() -> dict[str, str]:
    """Return {package: version} of those that are installed, and Python's own."""
    found = {"python": platform.python_version()}
    for name in _NAMES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
