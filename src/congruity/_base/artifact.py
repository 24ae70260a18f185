"""One value as one safetensors file: its arrays, and in the header its JSON data with schema and digest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from congruity._base.codec import Arrays, Shared, decode, encode
from congruity._base.digest import digest
from congruity._base.files import DAMAGE, write_bytes
from congruity.errors import StoreError

SUFFIX = ".safetensors"
_KEY = "congruity"  # the one metadata key: several would be written in no fixed order, and bytes must be reproducible

Kind = TypeVar("Kind")
Older = Callable[[dict[str, Any], Arrays], tuple[dict[str, Any], Arrays, str]]


@dataclass(frozen=True)
class Format(Generic[Kind]):
    """How values of one type are written and read.

    Attributes:
        what: the value in words, such as "fingerprint".
        kind: its type, a frozen dataclass.
        schema: number of the schema that is written.
        remedy: what to do about a damaged file, with "{}" for the value, such as "make {} again".
        shared: types that are written once and referred to by number; see `congruity._base.codec`.
        older: for each earlier schema, the function that returns data and arrays of this schema, and the digest that
            the file should state.
    """

    what: str
    kind: type[Kind]
    schema: int
    remedy: str
    shared: Shared = field(default_factory=dict)
    older: Mapping[int, Older] = field(default_factory=dict)

    @property
    def _remedy(self) -> str:
        return self.remedy.format(f"the {self.what}")

    def write(self, value: Kind, path: Path) -> Path:
        """Write ``value``; the file appears complete or not at all. Equal values give equal bytes.

        Raises:
            StoreError: another suffix, no space, or a folder that cannot be written.
        """
        from safetensors.numpy import save

        if path.suffix != SUFFIX:
            raise StoreError(f"{path}: a {self.what}'s file name ends in {SUFFIX}")
        data, arrays = encode(value, self.shared)
        header = {"schema": self.schema, "digest": _digest(data, arrays), **data}
        text = json.dumps(header, sort_keys=True, ensure_ascii=True, allow_nan=False)
        return write_bytes(save(arrays, metadata={_KEY: text}), path)

    def read(self, path: Path) -> Kind:
        """Read and check a value.

        Raises:
            StoreError: no such file, not a safetensors file, truncated, edited, of another schema, or another value.
        """
        header, arrays = self._parts(path)
        schema, stated = header.pop("schema"), header.pop("digest", None)
        if schema != self.schema and schema not in self.older:
            known = " and ".join(map(str, (*sorted(self.older), self.schema)))
            raise StoreError(
                f"{path}: written under {self.what} schema {schema}, this congruity reads schema {known}; "
                f"{self._remedy}, or compare with the version that wrote it"
            )
        try:
            found = _digest(header, arrays)
            if schema != self.schema:
                header, arrays, found = self.older[schema](header, arrays)
            value = decode(self.kind, header, arrays, self.shared)
        except (StoreError, *DAMAGE) as error:
            raise StoreError(f"{path}: the {self.what} is damaged ({error}); {self.remedy.format('it')}") from None
        if found != stated:
            raise StoreError(f"{path}: the content does not match its own digest, so it was edited; {self._remedy}")
        return value

    def _parts(self, path: Path) -> tuple[dict[str, Any], Arrays]:
        metadata, arrays = contents(path, self.what, self._remedy)
        try:
            header = json.loads(metadata, parse_constant=_no_number)
            _ = header["schema"] + 0
        except DAMAGE:
            raise StoreError(f"{path}: the {self.what}'s header is damaged; {self._remedy}") from None
        return header, arrays


def contents(path: Path, what: str = "file", remedy: str = "make it again") -> tuple[str, Arrays]:
    """Return the JSON text and the arrays of a file that `Format.write` wrote."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise StoreError(f"{path}: no such {what} file")
    try:
        with safe_open(path, framework="numpy") as handle:
            metadata = handle.metadata() or {}
            if _KEY not in metadata:
                raise StoreError(f"{path}: a safetensors file, but no {what}: its header has no {_KEY!r} entry")
            return metadata[_KEY], {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, *DAMAGE) as error:  # NumPy lacks some types of safetensors, such as bfloat16
        raise StoreError(f"{path}: not a safetensors file, or truncated ({error}); {remedy}") from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _digest(data: dict[str, Any], arrays: Arrays) -> str:
    return digest(data, *(part for name in sorted(arrays) for part in (name, arrays[name])))
