"""Abstraction error of an alignment between two causal models, with the first counterexample.

docs/theorems.md, D2 to D4: an alignment gives each variable of the high-level model a cell of low-level variables and a
value map from the cell's values to the variable's. The low-level model abstracts exactly to the high-level model if,
under every intervention of the queries, the mapped low-level values equal the high-level values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from congruity.errors import InputError
from congruity.theory.alignment import Alignment, Map, Values
from congruity.theory.causal import Array, CausalModel
from congruity.theory.queries import Interchanges, QuerySet

Metric = Callable[[Values, Values], Array]


def zero_one(found: Values, expected: Values) -> Array:
    """Return (queries,) 1 where any variable differs, else 0."""
    return np.asarray(np.any([found[name] != expected[name] for name in found], axis=0), dtype=np.float64)


def largest_difference(found: Values, expected: Values) -> Array:
    """Return (queries,) the largest absolute difference of any variable."""
    if words := [n for n in found if found[n].dtype.kind not in "biuf" or expected[n].dtype.kind not in "biuf"]:
        raise InputError(f"abstraction error: {words[0]} takes words; use a metric such as zero_one")
    parts = [np.abs(np.asarray(found[n], np.float64) - np.asarray(expected[n], np.float64)) for n in found]
    return np.asarray(np.maximum.reduce(parts))


@dataclass(frozen=True)
class Counterexample:
    """The first query at which an alignment fails, with a variable whose two values differ."""

    query: Mapping[str, Any]
    variable: str
    found: Any
    expected: Any

    def __str__(self) -> str:
        return f"{self.variable} stands for {self.found} and should be {self.expected} at {dict(self.query)}"


@dataclass(frozen=True)
class AbstractionError:
    """Abstraction error of an alignment over the queries (D4): largest, mean, root mean square.

    Attributes:
        sup, mean, root_mean_square: of the metric over queries. With the 0-1 metric and interchanges, 1 - mean is the
            interchange-intervention accuracy.
        queries: how many.
        counterexample: the first with an error; None if there is none.
    """

    sup: float
    mean: float
    root_mean_square: float
    queries: int
    counterexample: Counterexample | None

    @property
    def exact(self) -> bool:
        """Whether no query has an error."""
        return self.counterexample is None


def abstraction_error(
    low: CausalModel, high: CausalModel, alignment: Alignment, queries: QuerySet, *, metric: Metric = zero_one
) -> AbstractionError:
    """Return D(read(Sol_low(q)), Sol_high(q)) over queries: largest, mean, root mean square, first counterexample.

    Args:
        low, high: causal models over the same inputs.
        alignment: of all variables of ``high``.
        queries: `Interchanges` or `HardInterventions`.
        metric: on the values of all variables of ``high``, (queries,); `zero_one` or `largest_difference`, say.

    Raises:
        InputError: an alignment that does not fit the models, or a metric that gives NaN or less than 0.

    >>> low = CausalModel({"x": range(4)}, {"a": lambda x: x % 2, "b": lambda x: x // 2}, ("a",))
    >>> high = CausalModel({"x": range(4)}, {"copy": lambda x: x}, ("copy",))
    >>> alignment = Alignment({"copy": ("a", "b")}, {"copy": lambda a, b: a + 2 * b})
    >>> abstraction_error(low, high, alignment, Interchanges.every(high)).exact
    True

    Source: Beckers and Halpern 2019, arXiv 1812.03789 (abstraction); Geiger et al. 2021, arXiv 2106.02997.
    """
    alignment.check(low, high)
    below, above = queries.answers(low, high, alignment)
    found, expected = alignment.read(below), {name: above[name] for name in alignment.cells}
    errors = np.asarray(metric(found, expected), dtype=np.float64)
    if not errors.size:
        raise InputError("abstraction error: there is no query to ask")
    if not np.isfinite(errors).all() or (errors < 0).any():
        raise InputError("abstraction error: the metric gave NaN, infinity or less than 0")
    first = None
    if errors.any():
        at = int(np.flatnonzero(errors)[0])
        name = next((n for n in found if found[n][at] != expected[n][at]), next(iter(found)))
        first = Counterexample(queries.described(at), name, found[name][at].item(), expected[name][at].item())
    return AbstractionError(
        float(errors.max()), float(errors.mean()), float(np.sqrt(np.square(errors).mean())), len(errors), first
    )


@dataclass(frozen=True)
class Conflict:
    """A proof that a cell has no value map: one state of the cell at two queries at which its variable must differ."""

    variable: str
    state: tuple[Any, ...]
    queries: tuple[Mapping[str, Any], Mapping[str, Any]]
    values: tuple[Any, Any]

    def __str__(self) -> str:
        return (
            f"the cell of {self.variable} is in state {self.state} both at {dict(self.queries[0])}, where the variable "
            f"is {self.values[0]}, and at {dict(self.queries[1])}, where it is {self.values[1]}"
        )


def forced(
    low: CausalModel, high: CausalModel, cells: Mapping[str, Sequence[str]], queries: Interchanges
) -> Alignment | Conflict:
    """Return the only value maps with which these cells can abstract exactly, or a conflict where none exist (P5 iii).

    On the states that occur, the map of a variable is forced: a cell's state must stand for what the high-level model
    has at that query. It exists if and only if equal states never need different values. One pass, no search.

    Raises:
        InputError: cells that do not fit the models.
    """
    alignment = Alignment({name: tuple(cell) for name, cell in cells.items()}, dict.fromkeys(cells, _unread))
    alignment.check(low, high)
    below, above = queries.answers(low, high, alignment)
    maps: dict[str, Map] = {}
    for name, cell in alignment.cells.items():
        states = list(zip(*(below[part].tolist() for part in cell), strict=True))
        known: dict[tuple[Any, ...], tuple[Any, int]] = {}
        for query, (state, value) in enumerate(zip(states, above[name].tolist(), strict=True)):
            before, first = known.setdefault(state, (value, query))
            if before != value:
                at = (queries.described(first), queries.described(query))
                return Conflict(name, state, at, (before, value))
        maps[name] = _lookup(name, {state: value for state, (value, _) in known.items()})
    return Alignment(alignment.cells, maps)


def _unread(*values: Array) -> Array:
    raise AssertionError("a map that is being looked for is not read")


def _lookup(name: str, known: Mapping[tuple[Any, ...], Any]) -> Map:
    def read(*values: Array) -> Array:
        states = list(zip(*(column.tolist() for column in values), strict=True))
        if odd := [state for state in states if state not in known]:
            raise InputError(f"alignment: the map of {name} was forced by queries at which {odd[0]} did not occur")
        return np.asarray([known[state] for state in states])

    return read
