"""What a network is evaluated against: a causal model and, for its variables, places of the network. As JSON, too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from congruity.errors import InputError
from congruity.theory import CausalModel
from congruity.theory.tables import from_json, parsed, to_json

_KIND = "congruity interpretation"
Cells = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Interpretation:
    """A causal model, and where a network is to carry its inner variables.

    Attributes:
        name: for reports.
        model: finite; its inputs are the network's, in order, and its outputs' values the network's classes, in order.
        cells: inner variable -> places of the network; None: to be found.
    """

    name: str
    model: CausalModel
    cells: Cells | None = None


def interpretation_json(one: Interpretation) -> str:
    """Return an interpretation as JSON: its causal model, and its alignment or "find"."""
    cells = "find" if one.cells is None else {name: list(cell) for name, cell in one.cells.items()}
    data = {"kind": _KIND, "version": 1, "model": json.loads(to_json(one.model)), "alignment": cells}
    return json.dumps(data, indent=1)


def read_interpretation(text: str, name: str) -> Interpretation:
    """Return the interpretation that JSON holds; a causal model alone is one whose alignment is to be found.

    Raises:
        InputError: no JSON, another kind or version, a model or an alignment that is none.
    """
    data = parsed(text, name)
    if not isinstance(data, dict) or data.get("kind") != _KIND:
        return Interpretation(name, from_json(text))
    if data.get("version") != 1:
        raise InputError(f'{name}: this version reads "version": 1 of an interpretation; got {data.get("version")!r}')
    model, cells = from_json(json.dumps(data.get("model"))), data.get("alignment")
    if cells == "find":
        return Interpretation(name, model)
    if not isinstance(cells, dict) or not all(
        isinstance(cell, list) and all(isinstance(place, str) for place in cell) for cell in cells.values()
    ):
        raise InputError(f'{name}: "alignment" must be "find", or an object of variables with lists of places')
    return Interpretation(name, model, {name: tuple(cell) for name, cell in cells.items()})
