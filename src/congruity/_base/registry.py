"""Look a name up in one explicit tuple of named things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

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
