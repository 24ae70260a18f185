"""Query sets: the inputs and interventions on which two causal models are compared."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from congruity.errors import InputError
from congruity.theory.alignment import Alignment, Values
from congruity.theory.causal import Array, CausalModel

MOST_QUERIES = 10_000_000


class QuerySet(Protocol):
    """Inputs and interventions for a low-level and a high-level causal model."""

    def answers(self, low: CausalModel, high: CausalModel, alignment: Alignment) -> tuple[Values, Values]:
        """Return the low-level and the high-level values, (queries,) each."""
        ...

    def described(self, query: int) -> dict[str, Any]:
        """Return a query as JSON data."""
        ...


@dataclass(frozen=True)
class Interchanges:
    """Interchange interventions: on ``base``, the variables ``swapped`` take the values that they have on ``source``.

    Each model takes its own values: the high-level model its variables', the low-level one its cells'.

    Attributes:
        base, source: input -> values (queries,).
        swapped: high-level variable -> truth values (queries,). None swapped is the plain run.
    """

    base: Values
    source: Values
    swapped: Mapping[str, Array]

    def __len__(self) -> int:
        return len(next(iter(self.base.values()), ()))

    @classmethod
    def plain(cls, model: CausalModel) -> Interchanges:
        """Return all inputs, without interventions."""
        inputs = model.every_input()
        return cls(inputs, inputs, {})

    @classmethod
    def every(cls, model: CausalModel, *, sets: Sequence[Sequence[str]] | None = None) -> Interchanges:
        """Return all inputs without interventions, then all pairs of inputs with each set of variables swapped.

        Args:
            model: the high-level model.
            sets: the sets of variables; by default all that are not empty.

        Raises:
            InputError: more than ten million queries, a set that names no variable, or a model without inputs.
        """
        inputs = model.every_input()
        if not inputs:
            raise InputError("interchanges: the model has no inputs to interchange between")
        n = len(next(iter(inputs.values())))
        count = 2 ** len(model.variables) - 1 if sets is None else len(sets)
        if (total := n + n * n * count) > MOST_QUERIES:
            raise InputError(
                f"interchanges: {n} inputs and {count:,} sets of variables make {total:,} queries; at most "
                f"{MOST_QUERIES:,} are enumerated: name fewer sets, or draw inputs"
            )
        chosen = [tuple(names) for names in (every_subset(model.variables) if sets is None else sets)]
        if odd := [name for names in chosen for name in names if name not in model.variables]:
            raise InputError(f"interchanges: {odd[0]} is no variable of the model; known: {', '.join(model.variables)}")
        first, second = (grid.ravel() for grid in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
        base = np.concatenate([np.arange(n), *[first] * len(chosen)])
        source = np.concatenate([np.arange(n), *[second] * len(chosen)])
        which = np.concatenate([np.full(n, -1), *(np.full(n * n, k) for k in range(len(chosen)))])
        swapped = {
            name: np.isin(which, [k for k, names in enumerate(chosen) if name in names]) for name in model.variables
        }
        return cls(
            {name: values[base] for name, values in inputs.items()},
            {name: values[source] for name, values in inputs.items()},
            {name: mask for name, mask in swapped.items() if mask.any()},
        )

    def answers(self, low: CausalModel, high: CausalModel, alignment: Alignment) -> tuple[Values, Values]:
        """Return the values of both models; the low-level model swaps the cells of the swapped high-level variables."""
        if odd := [name for name in self.swapped if name not in alignment.cells]:
            raise InputError(f"interchanges: {odd[0]} has no cell in the alignment")
        below = {part: self.swapped[name] for name in self.swapped for part in alignment.cells[name]}
        return self.run(low, below), self.run(high, self.swapped)

    def run(self, model: CausalModel, swapped: Mapping[str, Array]) -> dict[str, Array]:
        """Return the values of a model under interchanges of its own variables, where ``swapped`` is true."""
        if not swapped:
            return model.solve(self.base)
        return model.interchange(self.base, self.source, list(swapped), where=swapped)

    def described(self, query: int) -> dict[str, Any]:
        """Return a query's inputs and, where any are, the variables swapped and the inputs they come from."""
        names = [name for name, mask in self.swapped.items() if mask[query]]
        found = {"base": _row(self.base, query)}
        return found | ({"swapped": names, "source": _row(self.source, query)} if names else {})


@dataclass(frozen=True)
class HardInterventions:
    """Hard interventions: low-level variables are set to values, high-level variables to the mapped values (D3).

    Attributes:
        inputs: input -> values (queries,).
        values: low-level variable -> values (queries,).
        swapped: high-level variable -> truth values (queries,): where its whole cell is set.
    """

    inputs: Values
    values: Values
    swapped: Mapping[str, Array]

    @classmethod
    def every(
        cls, low: CausalModel, alignment: Alignment, domains: Mapping[str, Sequence[Any]], names: Sequence[str]
    ) -> HardInterventions:
        """Return all inputs with all values of the cells of ``names``, which are set together.

        Args:
            low: the low-level model.
            alignment: whose cells are set.
            domains: of the variables in the cells; see `congruity.theory.tables.domains`.
            names: high-level variables.

        Raises:
            InputError: more than ten million queries.
        """
        parts = [part for name in names for part in alignment.cells[name]]
        inputs = low.every_input()
        n = len(next(iter(inputs.values())))
        if (total := n * math.prod(len(domains[part]) for part in parts)) > MOST_QUERIES:
            raise InputError(f"settings: {total:,} queries; at most {MOST_QUERIES:,} are enumerated")
        grids = np.meshgrid(np.arange(n), *(np.asarray(domains[part]) for part in parts), indexing="ij")
        rows, *columns = (grid.ravel() for grid in grids)
        return cls(
            {name: values[rows] for name, values in inputs.items()},
            dict(zip(parts, columns, strict=True)),
            {name: np.ones(len(rows), dtype=bool) for name in names},
        )

    def answers(self, low: CausalModel, high: CausalModel, alignment: Alignment) -> tuple[Values, Values]:
        """Return the values of both models; the high-level variables are set to the mapped low-level values."""
        where = {part: mask for name, mask in self.swapped.items() for part in alignment.cells[name]}
        if odd := sorted(set(where) ^ set(self.values)):
            raise InputError(f"settings: {odd[0]} is set, or is in a cell that is set, but not both")
        above = alignment.only(self.swapped).read(self.values)
        return (
            low.solve(self.inputs, do=self.values, where=where),
            high.solve(self.inputs, do=above, where=dict(self.swapped)),
        )

    def described(self, query: int) -> dict[str, Any]:
        """Return a query's inputs and the low-level values that are set."""
        names = [name for name, mask in self.swapped.items() if mask[query]]
        return {"base": _row(self.inputs, query), "set": _row(self.values, query) if names else {}}


def _row(values: Values, query: int) -> dict[str, Any]:
    return {name: column[query].item() for name, column in values.items()}


def every_subset(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return all sets of names that are not empty, small ones first."""
    return [chosen for size in range(1, len(names) + 1) for chosen in itertools.combinations(names, size)]
