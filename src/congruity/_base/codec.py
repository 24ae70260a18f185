"""Encode frozen dataclasses as JSON data and arrays, and decode them by their type hints.

A dataclass becomes an object of its fields; tuples and sets become lists; an array is put aside under the path of its
field ("circuit.scores.values"), and the path stands in its place. A type in ``shared`` is written once in a table and
referred to by its number there: an edit names its sites as ``[3, 17]``. Equal values give equal data.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import math
import sys
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from congruity.errors import StoreError

Kind = TypeVar("Kind")
Arrays = dict[str, NDArray[Any]]
Shared = Mapping[str, type]  # name of a table in the data -> type of its values
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # JSON has no numbers for them
_SCALARS: Mapping[Any, str] = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def encode(value: Any, shared: Shared) -> tuple[dict[str, Any], Arrays]:
    """Return the JSON data and the arrays of a dataclass; each table of ``shared`` values stands under its name.

    Raises:
        StoreError: a value of a type that has no place in a file, or an array inside a list or mapping.
    """
    tables: dict[str, dict[Any, int]] = {name: {} for name in shared}
    arrays: Arrays = {}
    names = {kind: name for name, kind in shared.items()}

    def inner(item: Any, path: str, *, field: bool = True, expand: bool = False) -> Any:
        table = names.get(type(item))
        if table is not None and not expand:
            return tables[table].setdefault(item, len(tables[table]))
        if dataclasses.is_dataclass(item) and not isinstance(item, type):
            fields = [f.name for f in dataclasses.fields(item) if f.init]
            return {name: inner(getattr(item, name), _join(path, name), field=field) for name in fields}
        if isinstance(item, Mapping):
            return {str(key): inner(each, _join(path, key), field=False) for key, each in item.items()}
        if isinstance(item, (set, frozenset)):
            return sorted(inner(each, path, field=False) for each in item)
        if isinstance(item, (list, tuple)):
            return [inner(each, f"{path}[{i}]", field=False) for i, each in enumerate(item)]
        if isinstance(item, np.ndarray) and field:
            arrays[path] = np.ascontiguousarray(item)
            return path
        item = item.item() if isinstance(item, np.generic) else item
        if isinstance(item, float) and not math.isfinite(item):
            return str(item)
        if item is None or isinstance(item, (str, bool, int, float)):
            return item
        raise StoreError(f"{path} is {type(item).__name__}, which cannot be stored")

    data = inner(value, "")
    written = {name: [inner(item, name, expand=True) for item in table] for name, table in tables.items()}
    return {**data, **written}, arrays


def decode(kind: type[Kind], data: Any, arrays: Mapping[str, NDArray[Any]], shared: Shared) -> Kind:
    """Return the dataclass that `encode` was given; every value is checked against the type hint of its field.

    A field that is missing takes its default, if it has one, so that a field may be added without a new schema.

    Raises:
        StoreError: the path of the field that is missing, unknown or of another type, or an array of no field.
        InputError: the dataclass refuses its values.
    """
    if not isinstance(data, dict):
        raise _unlike("the data", data, "an object")
    read: set[str] = set()
    decoder = _Decoder(arrays, {}, read)
    tables = {name: tuple(decoder.read(shared[name], row, name) for row in data.get(name, ())) for name in shared}
    decoder = _Decoder(arrays, {shared[name]: table for name, table in tables.items()}, read)
    found: Kind = decoder.read(kind, {key: item for key, item in data.items() if key not in shared}, "")
    if unread := sorted(arrays.keys() - read):
        raise StoreError(f"the array {unread[0]} belongs to no field")
    return found


@dataclasses.dataclass(frozen=True)
class _Decoder:
    arrays: Mapping[str, NDArray[Any]]
    tables: Mapping[Any, tuple[Any, ...]]
    arrays_read: set[str]

    def read(self, hint: Any, data: Any, path: str) -> Any:
        origin, members = get_origin(hint), get_args(hint)
        if hint is Any or hint is type(None):
            return data
        if hint in self.tables:
            if type(data) is not int or not 0 <= data < len(self.tables[hint]):
                raise _unlike(path, data, f"a number below {len(self.tables[hint])}")
            return self.tables[hint][data]
        if origin in (Union, types.UnionType):
            return self._either(members, data, path)
        if origin is Literal:
            return data if data in members else self._refuse(path, data, f"one of {', '.join(map(repr, members))}")
        if origin is np.ndarray:
            return self._array(data, path)
        if origin in (tuple, frozenset):
            return self._many(origin, members, data, path)
        if origin in (dict, collections.abc.Mapping):
            entries = data if isinstance(data, dict) else self._refuse(path, data, "an object")
            return {key: self.read(members[1], item, _join(path, key)) for key, item in entries.items()}
        return self._fields(hint, data, path) if dataclasses.is_dataclass(hint) else self._scalar(hint, data, path)

    def _array(self, data: Any, path: str) -> Any:
        if not isinstance(data, str) or data not in self.arrays:
            raise _unlike(path, data, "the name of an array")
        array = self.arrays[data]
        if array.dtype.kind not in "biuf":
            raise _unlike(path, array.dtype.name, "an array of real numbers")
        self.arrays_read.add(data)
        return array

    def _either(self, members: tuple[Any, ...], data: Any, path: str) -> Any:
        if data is None and type(None) in members:
            return None
        *first, last = [member for member in members if member is not type(None)]
        for member in first:
            try:
                return self.read(member, data, path)
            except StoreError:
                continue
        return self.read(last, data, path)

    def _many(self, origin: Any, members: tuple[Any, ...], data: Any, path: str) -> Any:
        if not isinstance(data, list):
            raise _unlike(path, data, "a list")
        hints = [members[0]] * len(data) if origin is frozenset or members[-1] is Ellipsis else list(members)
        if len(hints) != len(data):
            raise _unlike(path, data, f"a list of {len(hints)}")
        return origin(
            self.read(hint, item, f"{path}[{i}]") for i, (hint, item) in enumerate(zip(hints, data, strict=True))
        )

    def _fields(self, kind: Any, data: Any, path: str) -> Any:
        if not isinstance(data, dict):
            raise _unlike(path, data, "an object")
        fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
        hints = _hints(kind)
        if unknown := sorted(data.keys() - fields.keys()):
            raise StoreError(f"{_join(path, unknown[0])} is no field of {kind.__name__}")
        for name, field in fields.items():
            if name not in data and field.default is field.default_factory is dataclasses.MISSING:
                raise StoreError(f"{_join(path, name)} is missing")
        return kind(**{name: self.read(hints[name], item, _join(path, name)) for name, item in data.items()})

    def _scalar(self, hint: Any, data: Any, path: str) -> Any:
        if hint is float and type(data) is str and data in _NOT_FINITE:
            return _NOT_FINITE[data]
        if type(data) is hint or (hint is float and type(data) is int and abs(data) <= sys.float_info.max):
            return data
        raise _unlike(path, data, _SCALARS.get(hint, str(hint)))

    @staticmethod
    def _refuse(path: str, data: Any, expected: str) -> Any:
        raise _unlike(path, data, expected)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _join(path: str, name: Any) -> str:
    return f"{path}.{name}" if path else str(name)


def _unlike(path: str, data: Any, expected: str) -> StoreError:
    shown = repr(data)
    return StoreError(f"{path} is {shown if len(shown) <= 40 else shown[:37] + '...'}; expected {expected}")
