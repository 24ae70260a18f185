"""Optional dependencies, imported where they are used, with an error that is the command that installs them."""

from __future__ import annotations

import importlib
from types import ModuleType

from congruity.errors import MissingExtraError


def require(module: str, install: str, purpose: str) -> ModuleType:
    """Import ``module``, or raise `MissingExtraError` naming the command ``pip install <install>``.

    A module of this package may be asked for too; what is missing is then what it imports.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if top != "congruity" and error.name != top:
            raise
        missing = module if error.name == top else error.name
        raise MissingExtraError(f"{purpose} needs {missing}; install it with: pip install '{install}'") from None


def pandas() -> ModuleType:
    """The pandas module, for the ``to_dataframe`` methods."""
    return require("pandas", "pandas", "to_dataframe()")
