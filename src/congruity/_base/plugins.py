"""Import a Python file or module that a user names."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from congruity.errors import InputError


def loaded(what: str, place: str) -> ModuleType:
    """Import a file or an installed module; ``what`` begins the sentence where that fails.

    Raises:
        InputError: no such file, or it cannot be imported.
    """
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        found = importlib.util.spec_from_file_location(Path(place).stem, place)
        if found is None or found.loader is None or not Path(place).is_file():
            raise InputError(f"{what}: there is no file {place}")
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        return module
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{what}: {place} cannot be imported: {type(error).__name__}: {error}") from error
