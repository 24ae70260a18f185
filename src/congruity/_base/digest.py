"""SHA-256 of anything made of plain values and arrays, the same on every machine."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def digest(*parts: object) -> str:
    """Return the hexadecimal SHA-256 of ``parts``: plain values, arrays, mappings, sequences, dataclasses.

    >>> digest("a", 1.0) == digest("a", 1.0), digest("a", "b") == digest("ab")
    (True, False)
    """
    hasher = hashlib.sha256()
    for part in parts:
        _update(hasher, part)
    return hasher.hexdigest()


def file_digest(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def plain(value: object) -> Any:
    """Return ``value`` as JSON data: dataclasses and mappings as objects, sequences and small arrays as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)  # their own order differs from process to process
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    return value


def _update(hasher: hashlib._Hash, part: object) -> None:
    if isinstance(part, np.ndarray):
        hasher.update(f"array {part.dtype.str} {part.shape};".encode())
        hasher.update(np.ascontiguousarray(part).tobytes())
    else:
        text = json.dumps(plain(part), sort_keys=True, ensure_ascii=True, default=repr)
        hasher.update(f"json {len(text)};{text}".encode())
