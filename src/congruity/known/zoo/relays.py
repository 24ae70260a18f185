"""Relays: variables that copy another one, put into a causal model or taken out to reach a number of kinds.

A relay responds to every interchange as the variable that it copies. So a model with relays and the model without them
are one equivalence class (`congruity.theory.interchange`). Relays keep the number of active parts of a network from
telling its algorithm.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from congruity.theory import CausalModel

_MARK = "'"


def kind(variable: str) -> str:
    """Return what kind of variable a name says: ``sorted`` for ``sorted[2]``."""
    return variable.partition("[")[0]


def is_relay(variable: str) -> bool:
    """Return whether `with_relays` put a variable in."""
    return kind(variable).endswith(_MARK)


def copies(model: CausalModel) -> set[str]:
    """Return the kinds of inner variables that all have the value of their one parent on every input."""
    values = model.solve(model.every_input())
    own = {
        name
        for name in model.inner
        if len(model.parents(name)) != 1 or not np.array_equal(values[name], values[model.parents(name)[0]])
    }
    return set(map(kind, model.inner)) - set(map(kind, own))


def with_relays(model: CausalModel, kinds: int, random: np.random.Generator) -> CausalModel:
    """Return the model with ``kinds`` kinds of inner variables, or as near to it as relays can bring it.

    Half of the time, copies that the model has by itself are taken out first. Kinds whose variables depend on each
    other are not copied: each copy would be a stage of its own.
    """
    found = model
    for one in sorted(copies(model)):
        if _count(found) > kinds or random.random() < 0.5:
            found = _without(found, one)
    while _count(found) < kinds:
        can = [one for one in dict.fromkeys(map(kind, found.inner)) if not _sequential(found, one)]
        if not can:
            break
        found = _relayed(found, can[int(random.integers(len(can)))])
    return found


def _count(model: CausalModel) -> int:
    return len({kind(name) for name in model.inner})


def _sequential(model: CausalModel, one: str) -> bool:
    return any(kind(parent) == one for name in model.inner if kind(name) == one for parent in model.parents(name))


def _without(model: CausalModel, one: str) -> CausalModel:
    """Take a kind of copies out; variables that read a copy then read the variable that it copied."""
    instead = {name: model.parents(name)[0] for name in model.inner if kind(name) == one}
    parts = {name: part for name, part in _parts(model, instead).items() if name not in instead}
    return CausalModel(model.inputs, parts, model.outputs)


def _relayed(model: CausalModel, one: str) -> CausalModel:
    """Put relays of a kind in; variables that read the kind then read the relays."""
    name_of = {name: name.replace(one, one + _MARK, 1) for name in model.inner if kind(name) == one}
    parts = _parts(model, name_of)
    relays = {copy: ((name,), lambda value: value) for name, copy in name_of.items()}
    return CausalModel(model.inputs, parts | relays, model.outputs)


def _parts(model: CausalModel, instead: dict[str, str]) -> dict[str, Any]:
    """Return all mechanisms as pairs of parents, some of them under another name, and functions."""
    found = {}
    for name, given in model.mechanisms.items():
        function = given[1] if isinstance(given, tuple) else given
        found[name] = (tuple(instead.get(parent, parent) for parent in model.parents(name)), function)
    return found
