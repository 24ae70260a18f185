"""Machine and library versions that computed a result, read from package metadata without importing a library."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

_NAMES = ("congruity", "numpy", "scipy", "torch", "transformers", "transformer-lens")


def machine() -> str:
    """Return cores, architecture and system in words."""
    return f"{os.cpu_count()} CPU cores, {platform.machine()}, {sys.platform}"


def versions() -> dict[str, str]:
    """Return {package: version} of those that are installed, and Python's own."""
    found = {"python": platform.python_version()}
    for name in _NAMES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
