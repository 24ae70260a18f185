"""An interpretation: a causal model and an alignment of its variables with locations of a network. As JSON, too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from congruity.errors import InputError
from congruity.evaluation.prompts import Prompts, read_prompts
from congruity.theory import CausalModel
from congruity.theory.tables import from_json, parsed, to_json

_KIND = "congruity interpretation"
Cells = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Interpretation:
    """A causal model, and the locations where a network is to carry its inner variables.

    Attributes:
        name: for reports.
        model: finite; its inputs are the network's, in order, and its outputs' values the network's classes, in order.
        cells: inner variable -> locations of the network; None: to be found.
        prompts: how inputs and answer are written as text; None for networks that take codes.
    """

    name: str
    model: CausalModel
    cells: Cells | None = None
    prompts: Prompts | None = None


def interpretation_json(one: Interpretation) -> str:
    """Return an interpretation as JSON: its causal model, and its alignment or "find"."""
    cells = "find" if one.cells is None else {name: list(cell) for name, cell in one.cells.items()}
    data = {"kind": _KIND, "version": 1, "model": json.loads(to_json(one.model)), "alignment": cells}
    if one.prompts is not None:
        words = {name: list(some) for name, some in one.prompts.words.items()}
        data["prompts"] = {"template": one.prompts.template, "words": words}
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
    prompts = None if data.get("prompts") is None else read_prompts(data["prompts"], name)
    if cells == "find":
        return Interpretation(name, model, prompts=prompts)
    if not isinstance(cells, dict) or not all(
        isinstance(cell, list) and all(isinstance(one, str) for one in cell) for cell in cells.values()
    ):
        raise InputError(f'{name}: "alignment" must be "find", or an object of variables with lists of locations')
    return Interpretation(name, model, {name: tuple(cell) for name, cell in cells.items()}, prompts)
