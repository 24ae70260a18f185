"""The record of how a circuit was found alone, by `congruity.discover`."""

from __future__ import annotations

import dataclasses
from typing import Any

from congruity._base.versions import versions
from congruity.protocols import Finder, Intervention, Task
from congruity.sampling.recipe import method
from congruity.values import Gates


def settings(
    task: Task, *, finder: Finder, intervention: Intervention, gates: Gates, seed: int, n_random: int
) -> dict[str, Any]:
    """Return what a circuit depends on besides the model, as flat JSON data."""
    found_by, writes = method(finder), method(intervention)
    return {
        "task": task.name,
        "finder": found_by.name,
        "finder_parameters": found_by.parameters,
        "intervention": writes.name,
        "intervention_parameters": writes.parameters,
        "gates": dataclasses.asdict(gates),
        "seed": seed,
        "random_circuits": n_random,
        "versions": versions(),
    }
