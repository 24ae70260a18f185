"""From a task and a model to a circuit with its evidence, without implementations: `discover`."""

from __future__ import annotations

import dataclasses
from typing import Any

from congruity._base.clock import Clock
from congruity._base.progress import Progress, silent
from congruity._base.versions import versions
from congruity.errors import InputError
from congruity.finders import Attribution
from congruity.interventions import Resample
from congruity.protocols import Finder, Intervention, Task
from congruity.sampling.circuit import find_circuit
from congruity.sampling.faithfulness import evidence
from congruity.sampling.prepare import loaded, subject
from congruity.values import Circuit, Gates


def discover(
    task: Task,
    model: Any,
    *,
    finder: Finder | None = None,
    intervention: Intervention | None = None,
    gates: Gates | None = None,
    seed: int = 0,
    n_random: int = 20,
    progress: Progress = silent,
    clock: Clock | None = None,
) -> Circuit:
    """Find a model's circuit for a task, and measure what speaks for it on prompts that had no part in finding it.

    Args:
        task: what is computed, for example ``cg.tasks.ioi(n=200)``.
        model: a `Model`, or anything that `load_model` takes.
        finder: which sites matter; default attribution patching.
        intervention: what replacing a site writes; default resampling from the counterfactual.
        gates: the limits inside which behaviour counts as kept: they choose the size, unless the finder states it.
        seed: of the split of the prompts, the random circuits and the intervals.
        n_random: circuits of the same size drawn at random, to compare with.
        progress, clock: told how far and how long each stage took.

    Returns:
        The circuit that `fingerprint` would find, with `Circuit.evidence`.

    Raises:
        ModelError: a self-test failed, or NaN in the model.
        InputError: too few prompts to find and to measure on different ones.
        TaskError: examples do not fit the model.
        NotApplicableError: the model cannot do the task, the metric does not depend on any site, or the circuit leaves
            nothing to edit.

    >>> import congruity as cg
    >>> cg.discover(cg.tasks.ioi(n=200), "smollm2-135m").evidence.faithfulness  # doctest: +SKIP
    0.93
    """
    if n_random < 0:
        raise InputError(f"discover: {n_random} random circuits cannot be drawn; ask for 0 or more")
    finder, intervention = finder or Attribution(), intervention or Resample()
    gates, clock = gates or Gates(), clock or Clock()
    with clock("load"):
        model = loaded(model)
    it = subject(task, model, intervention, seed=seed, clock=clock)
    it.require_capable()
    with clock("circuit"):
        found = find_circuit(
            model,
            it.bound,
            finder=finder,
            intervention=intervention,
            gates=gates,
            parts=it.parts,
            unedited=it.unedited,
            progress=progress,
        )
    with clock("evidence"):
        measured = evidence(
            it.bound,
            found,
            sites=model.sites,
            intervention=intervention,
            rows=it.parts.report,
            unedited=it.unedited,
            n_random=n_random,
            seed=seed,
            progress=progress,
        )
    clock.flops += it.bound.flops
    return dataclasses.replace(found, evidence=measured)


def settings(
    task: Task, *, finder: Finder, intervention: Intervention, gates: Gates, seed: int, n_random: int
) -> dict[str, Any]:
    """Return what a circuit depends on besides the model, as JSON data."""
    return {
        "task": task.name,
        "finder": finder.name,
        "finder_parameters": finder.parameters,
        "intervention": intervention.name,
        "intervention_parameters": intervention.parameters,
        "gates": dataclasses.asdict(gates),
        "seed": seed,
        "random_circuits": n_random,
        "versions": versions(),
    }
