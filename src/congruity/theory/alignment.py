"""Alignments between a low-level and a high-level causal model: cells of low-level variables, and value maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from congruity.errors import InputError
from congruity.theory.causal import Array, CausalModel

Values = Mapping[str, Array]
Map = Callable[..., Any]


def require_disjoint(cells: Mapping[str, tuple[str, ...]]) -> None:
    """Raise `InputError` for a cell that is empty, or for a part that is in two."""
    seen: dict[str, str] = {}
    for name, cell in cells.items():
        if not cell:
            raise InputError(f"alignment: the cell of {name} is empty; name at least one low-level variable")
        for part in cell:
            if part in seen:
                raise InputError(f"alignment: {part} is in the cells of {seen[part]} and of {name}; cells overlap")
            seen[part] = name


@dataclass(frozen=True)
class Alignment:
    """An alignment: a cell of low-level variables for each high-level variable, and a value map of each cell.

    Attributes:
        cells: high-level variable -> its low-level variables; the cells are disjoint.
        maps: high-level variable -> function of the cell's values, arrays (queries,), in the order of the cell. A cell
            of one variable needs none: its value is then taken as it is.

    Raises:
        InputError: an empty cell, a variable in two cells, a map without a cell, a cell of several without a map.

    >>> low = CausalModel({"x": range(4)}, {"a": lambda x: x % 2, "b": lambda x: x // 2}, ("a",))
    >>> alignment = Alignment({"copy": ("a", "b")}, {"copy": lambda a, b: a + 2 * b})
    >>> alignment.read(low.solve({"x": [2, 3]}))
    {'copy': array([2, 3])}
    """

    cells: Mapping[str, tuple[str, ...]]
    maps: Mapping[str, Map] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", {name: tuple(cell) for name, cell in self.cells.items()})
        require_disjoint(self.cells)
        for name, cell in self.cells.items():
            if len(cell) > 1 and name not in self.maps:
                raise InputError(f"alignment: the cell of {name} holds {len(cell)} variables and has no map to a value")
        if odd := sorted(set(self.maps) - set(self.cells)):
            raise InputError(f"alignment: a map is given for {odd[0]}, which has no cell")

    def check(self, low: CausalModel, high: CausalModel) -> None:
        """Raise `InputError` where the alignment is not one of these two models."""
        if set(low.inputs) != set(high.inputs):
            raise InputError(
                f"alignment: the models share their inputs; one has {', '.join(low.inputs)}, the other "
                f"{', '.join(high.inputs)}"
            )
        if odd := [name for name in self.cells if name not in high.variables]:
            raise InputError(f"alignment: {odd[0]} is no variable of the high-level model")
        if odd := [part for cell in self.cells.values() for part in cell if part not in low.variables]:
            raise InputError(f"alignment: {odd[0]} is no variable of the low-level model")
        if lacking := [name for name in high.variables if name not in self.cells]:
            raise InputError(f"alignment: {lacking[0]} has no cell; each variable of the high-level model needs one")

    def only(self, names: Iterable[str]) -> Alignment:
        """Return the alignment of some of the high-level variables."""
        cells = {name: self.cells[name] for name in names}
        return Alignment(cells, {name: self.maps[name] for name in cells if name in self.maps})

    def read(self, values: Values) -> dict[str, Array]:
        """Return the high-level values that low-level values stand for."""
        found = {}
        for name, cell in self.cells.items():
            parts = [values[part] for part in cell]
            found[name] = np.asarray(self.maps[name](*parts)) if name in self.maps else parts[0]
            if found[name].shape != parts[0].shape:
                raise InputError(f"alignment: the map of {name} gave shape {found[name].shape}, not {parts[0].shape}")
        return found

    def then(self, higher: Alignment) -> Alignment:
        """Return the composition of two alignments, this one and one from its high-level model to a higher one (L1).

        Raises:
            InputError: ``higher`` reads a variable that has no cell here.
        """
        if odd := [part for cell in higher.cells.values() for part in cell if part not in self.cells]:
            raise InputError(f"alignment: {odd[0]} has no cell in the first step")
        cells = {name: tuple(p for part in cell for p in self.cells[part]) for name, cell in higher.cells.items()}
        return Alignment(cells, {name: self._through(higher, name) for name in cells})

    def _through(self, higher: Alignment, name: str) -> Map:
        def read(*values: Array) -> Array:
            low = dict(zip((p for part in higher.cells[name] for p in self.cells[part]), values, strict=True))
            return higher.only((name,)).read(self.only(higher.cells[name]).read(low))[name]

        return read
