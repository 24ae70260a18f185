"""Fingerprints and distance tables on disk: one safetensors file each, written atomically and checked when read."""

from __future__ import annotations

from pathlib import Path

from congruity._base.artifact import SUFFIX, Format
from congruity.values import SCHEMA_VERSION, DistanceTable, Fingerprint

__all__ = ["SUFFIX", "load", "load_table", "save", "save_table"]

_TABLE = Format("distance table", DistanceTable, schema=SCHEMA_VERSION, remedy="delete {}")


def save(fingerprint: Fingerprint, path: Path) -> Path:
    """Write a fingerprint; see `Fingerprint.save`."""
    return fingerprint.save(path)


def load(path: Path) -> Fingerprint:
    """Read a fingerprint; see `Fingerprint.load`."""
    return Fingerprint.load(path)


def save_table(table: DistanceTable, path: Path) -> Path:
    """Write a distance table, with the traits of its distance."""
    return _TABLE.write(table, path)


def load_table(path: Path) -> DistanceTable:
    """Read what `save_table` wrote; raise `StoreError` if it is damaged."""
    return _TABLE.read(path)
