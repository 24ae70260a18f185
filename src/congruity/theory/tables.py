"""Finite causal models whose mechanisms are lookup tables, for JSON and for solving many circuits at once."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from congruity.errors import InputError
from congruity.theory.causal import Array, CausalModel

_MOST_ENTRIES = 1_000_000
_KIND = "congruity causal model"
_VERSION = 1


@dataclass(frozen=True)
class Table:
    """A mechanism as a lookup table.

    Attributes:
        parents: the values of each parent, in order.
        entries: the variable's value for each combination of parents' values, the last parent fastest.
    """

    parents: tuple[tuple[Any, ...], ...]
    entries: tuple[Any, ...]

    def __post_init__(self) -> None:
        if (expected := math.prod(map(len, self.parents))) != len(self.entries):
            raise InputError(f"causal model: a table of {len(self.entries)} entries for {expected} parents' values")

    def __call__(self, *values: Array) -> Array:
        """Return the entries for parents' values (queries,) each."""
        place: Any = 0
        for allowed, found in zip(self.parents, values, strict=True):
            place = place * len(allowed) + codes(allowed, found)
        return np.asarray(np.take(np.asarray(self.entries), place))


def codes(allowed: Sequence[Any], values: Array) -> Array:
    """Return the place of each value among the allowed ones.

    Raises:
        InputError: a value is not among them.
    """
    listed = np.asarray(allowed)
    order = np.argsort(listed)
    found = np.clip(np.searchsorted(listed, values, sorter=order), 0, len(listed) - 1)
    place = order[found]
    if bad := values[listed[place] != values].tolist():
        raise InputError(f"causal model: {bad[0]!r} is outside a domain of {len(listed)} values")
    return np.asarray(place)


def domains(model: CausalModel) -> dict[str, tuple[Any, ...]]:
    """Return the values that each variable can take, inputs included: declared, or all that its mechanism gives.

    These are the values on all combinations of parents' values, whether any input brings them about or not: an
    intervention may.

    Raises:
        InputError: an input is real, or a mechanism has more than a million combinations of parents' values.
    """
    return {name: domain for name, (domain, _) in _tabulated(model).items()}


def tabulated(model: CausalModel) -> CausalModel:
    """Return the same model with a `Table` for each mechanism, and every domain declared.

    Raises:
        InputError: as `domains`.
    """
    found = _tabulated(model)
    listed = {name: domain for name, (domain, _) in found.items()}
    mechanisms = {
        name: (model.parents(name), Table(tuple(listed[p] for p in model.parents(name)), entries))
        for name, (_, entries) in found.items()
        if name in model.mechanisms
    }
    inputs = {name: listed[name] for name in model.inputs}
    return CausalModel(inputs, mechanisms, model.outputs, {name: listed[name] for name in mechanisms})


def _tabulated(model: CausalModel) -> dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Return for each variable its domain and its table's entries (of an input, none)."""
    result: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {}
    for name, allowed in model.inputs.items():
        if allowed is None:
            raise InputError(f"causal model: {name} is a real number, so that no table can be written")
        result[name] = (tuple(np.asarray(list(allowed)).tolist()), ())
    for name in model.variables:
        sizes = [len(result[parent][0]) for parent in model.parents(name)]
        if (total := math.prod(sizes)) > _MOST_ENTRIES:
            raise InputError(f"causal model: the table of {name} has {total:,} entries; at most {_MOST_ENTRIES:,} fit")
        columns = _columns([result[parent][0] for parent in model.parents(name)])
        entries = tuple(model.mechanism(name, columns, total).tolist())
        declared = model.domains.get(name)
        domain = tuple(np.unique(np.asarray(entries)).tolist()) if declared is None else tuple(declared)
        result[name] = (domain, entries)
    return result


def _columns(values: Sequence[Sequence[Any]]) -> list[Array]:
    """Return all combinations of the values, one array for each, the last fastest."""
    return [np.asarray(column) for column in zip(*itertools.product(*values), strict=True)]


def to_json(model: CausalModel) -> str:
    """Return a finite model as JSON: its inputs with their values, its variables with parents and tables, its outputs.

    Raises:
        InputError: as `domains`.

    >>> model = CausalModel({"a": (0, 1), "b": (0, 1)}, {"both": lambda a, b: a & b}, ("both",))
    >>> from_json(to_json(model)).solve({"a": [0, 1], "b": [1, 1]})["both"]
    array([0, 1])
    """
    found = _tabulated(model)
    variables = {
        name: {"parents": list(model.parents(name)), "values": list(found[name][0]), "table": list(found[name][1])}
        for name in model.variables
    }
    data = {
        "kind": _KIND,
        "version": _VERSION,
        "inputs": {name: list(found[name][0]) for name in model.inputs},
        "variables": variables,
        "outputs": list(model.outputs),
    }
    return json.dumps(data, indent=1)


def from_json(text: str) -> CausalModel:
    """Return the model that `to_json` wrote, or that was written by hand.

    Raises:
        InputError: no JSON, a part missing or of the wrong form, a variable that nothing defines, a table of another
            length than its parents' values ask for, an entry outside its variable's values, a cycle.
    """
    data = parsed(text, "causal model")
    if not isinstance(data, dict) or data.get("kind") != _KIND or data.get("version") != _VERSION:
        raise InputError(f'causal model: the JSON must say "kind": "{_KIND}" and "version": {_VERSION}')
    _known(data, "the model", ("kind", "version", "inputs", "variables", "outputs"))
    inputs, variables = _object(data, "inputs"), _object(data, "variables")
    values = {name: _list(name, "its values", given) for name, given in inputs.items()}
    for name, given in variables.items():
        values[name] = _list(name, "values", given.get("values") if isinstance(given, dict) else None)
        _known(given, name, ("parents", "values", "table"))
    mechanisms = {}
    for name, given in variables.items():
        parents, entries = _list(name, "parents", given.get("parents")), _list(name, "table", given.get("table"))
        if lacking := [parent for parent in parents if parent not in values]:
            raise InputError(f"causal model: {name} depends on {lacking[0]!r}, which the JSON does not define")
        of = tuple(tuple(values[parent]) for parent in parents)
        if len(entries) != math.prod(map(len, of)):
            raise InputError(
                f"causal model: the table of {name} has {len(entries)} entries; its parents take "
                f"{math.prod(map(len, of))} combinations of values"
            )
        if odd := [entry for entry in entries if entry not in values[name]]:
            raise InputError(f"causal model: the table of {name} holds {odd[0]!r}, which is outside its values")
        mechanisms[name] = (parents, Table(of, tuple(entries)))
    outputs = _list("the model", "outputs", data.get("outputs"))
    return CausalModel(
        {name: values[name] for name in inputs}, mechanisms, tuple(outputs), {name: values[name] for name in variables}
    )


def parsed(text: str, what: str) -> Any:
    """Return what JSON holds; ``what`` begins the sentence where it is none.

    Raises:
        InputError: no JSON, nested too deeply, or one key twice.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
            raise InputError(f"{what}: the JSON has {twice!r} twice in one object")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except InputError:
        raise
    except ValueError as error:  # also numbers of thousands of digits
        raise InputError(f"{what}: no JSON: {error}") from None
    except RecursionError:
        raise InputError(f"{what}: the JSON is nested too deeply") from None


def _known(data: Mapping[str, Any], name: str, keys: Sequence[str]) -> None:
    if odd := [key for key in data if key not in keys]:
        raise InputError(
            f"causal model: {name} has {odd[0]!r} in the JSON, which means nothing; known: {', '.join(keys)}"
        )


def _object(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(found := data.get(key), dict):
        raise InputError(f'causal model: the JSON needs "{key}", an object')
    return found


def _list(name: str, what: str, found: Any) -> list[Any]:
    if not isinstance(found, list) or not all(isinstance(item, (str, int, float, bool)) for item in found):
        raise InputError(f"causal model: {name} needs {what}, a list of numbers or words")
    return found
