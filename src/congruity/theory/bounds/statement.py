"""The number and the hypothesis of a theorem: a register of functions, and checks that raise `HypothesisError`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from congruity.errors import HypothesisError

Interval = tuple[float, float]
_F = TypeVar("_F", bound=Callable[..., object])

#: Number of a statement -> the functions that compute it.
STATEMENTS: dict[str, tuple[Callable[..., object], ...]] = {}


def states(number: str) -> Callable[[_F], _F]:
    """Enter a function under the number of its statement."""

    def enter(function: _F) -> _F:
        STATEMENTS[number] = (*STATEMENTS.get(number, ()), function)
        return function

    return enter


def holds(number: str, condition: bool, hypothesis: str, value: object) -> None:
    """Raise `HypothesisError`, which names the hypothesis and its value, unless the condition holds."""
    if not condition:
        raise HypothesisError(f"{number} needs {hypothesis}; here it is {value}, so it says nothing")


def magnitudes(number: str, **values: float) -> None:
    """Hold values to be finite and at least 0."""
    for name, value in values.items():
        holds(number, math.isfinite(value) and value >= 0, f"{name} to be finite and not negative", value)


def chances(number: str, **values: float) -> None:
    """Hold values to be in [0, 1]."""
    for name, value in values.items():
        holds(number, 0 <= value <= 1, f"{name} to lie in [0, 1]", value)


def inside(number: str, **values: float) -> None:
    """Hold values to be strictly between 0 and 1."""
    for name, value in values.items():
        holds(number, 0 < value < 1, f"{name} to lie strictly between 0 and 1", value)
