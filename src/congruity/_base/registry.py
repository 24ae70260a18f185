"""Names in one explicit tuple of named things, and the hyper-parameters of one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from congruity.errors import UnknownNameError


class _Named(Protocol):
    @property
    def name(self) -> str: ...


NamedT = TypeVar("NamedT", bound=_Named)


def lookup(what: str, name: str, registry: Sequence[NamedT]) -> NamedT:
    """Return the member of ``registry`` called ``name``; raise `UnknownNameError` with the nearest names."""
    for member in registry:
        if member.name == name:
            return member
    raise UnknownNameError(what, name, [member.name for member in registry])


def parameters_of(thing: Any) -> dict[str, Any]:
    """Return the hyper-parameters of a thing: the mapping ``parameters`` that it states, else its dataclass fields.

    Fields that the constructor does not take, and those whose names begin with "_", are no hyper-parameters. What is no
    dataclass and states nothing has none.

    >>> @dataclasses.dataclass
    ... class Ridge:
    ...     alpha: float = 0.5
    ...     _solved: int = 0
    >>> parameters_of(Ridge())
    {'alpha': 0.5}
    """
    if isinstance(stated := getattr(thing, "parameters", None), Mapping):  # a module's is a method
        return dict(stated)
    if not dataclasses.is_dataclass(thing):
        return {}
    fields = (field for field in dataclasses.fields(thing) if field.init and not field.name.startswith("_"))
    return {field.name: getattr(thing, field.name) for field in fields}
