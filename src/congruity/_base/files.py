"""Files written whole or not at all, and JSON."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from congruity._base.cache import guarded
from congruity.errors import StoreError

# What reading data that nobody checked may raise: also numbers of a thousand digits, and lists a thousand deep.
DAMAGE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError)


def read_json(path: Path) -> Any:
    """Read a JSON file; raise `StoreError` if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{path}: no such file") from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path}: not JSON ({error}); delete it") from None


def write_json(data: Any, path: Path) -> Path:
    """Write JSON data (no NaN) with a final newline, atomically."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return write_bytes(text.encode(), path)


def write_bytes(content: bytes, path: Path) -> Path:
    """Write ``content`` beside ``path`` and move it into place, so that no reader ever sees half a file."""
    with guarded(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
            os.chmod(aside, 0o666 & ~_umask())
            os.replace(aside, path)
        finally:
            Path(aside).unlink(missing_ok=True)
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
