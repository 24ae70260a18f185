"""The heavy half of the flow, once a model: task + model -> fingerprint."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.clock import Clock
from congruity._base.digest import digest
from congruity._base.progress import Progress, silent
from congruity._base.versions import versions
from congruity.errors import InputError, NotApplicableError
from congruity.finders import Attribution
from congruity.interventions import Resample, by_name
from congruity.protocols import Finder, Intervention, Model, Task
from congruity.sampling.circuit import find_circuit
from congruity.sampling.implementations import implementations, reach, repeated, unreachable
from congruity.sampling.prepare import loaded, subject
from congruity.sampling.representation import represent
from congruity.values import MIN_ACCURACY, Budget, Circuit, Edit, Fingerprint, Gates, Implementation, Queries, Stratum


def fingerprint(
    task: Task,
    model: Any,
    *,
    finder: Finder | None = None,
    intervention: Intervention | str | Sequence[Intervention | str] | None = None,
    n: int = 20,
    seed: int = 0,
    budget: Budget | None = None,
    gates: Gates | None = None,
    circuit: Circuit | None = None,
    edits_of: Fingerprint | Sequence[Edit] | None = None,
    require_task: bool = True,
    extend: Fingerprint | None = None,
    progress: Progress = silent,
    clock: Clock | None = None,
) -> Fingerprint:
    """Make everything that one side contributes to any comparison: circuit, implementations, Gram matrices, checks.

    Args:
        task: what is computed, for example ``cg.tasks.ioi(n=200)``.
        model: a `Model`, or anything that `load_model` takes.
        finder: which sites matter; default attribution patching.
        intervention: what an edit writes; default resampling from the counterfactual. Of several, the first finds the
            circuit and is the reference.
        n: admitted implementations of each intervention and strength.
        seed: of every random stream.
        budget: how strong implementations are, and how that is reached; see `Budget`.
        gates: the limits inside which behaviour counts as kept.
        circuit: one that was found before; None finds it.
        edits_of: make these edits, or those of that fingerprint's implementations, in this model instead of drawing
            some (paired masks, for models of one architecture); see `congruity.sampling.implementations.masks`.
        extend: an earlier fingerprint of this model with fewer implementations and otherwise the same arguments: its
            circuit and implementations are kept, and only those that are missing are made.
        require_task: refuse a model that cannot do the task; False fingerprints it as a control, at a quarter of the
            strength that it reaches, by scale, where that is less than was asked for (random weights hardly react).
        progress, clock: told how far and how long each stage took.

    Returns:
        Fingerprint of (N, m, m) Gram matrices over the m prompts. The same inputs give the same bytes.

    Raises:
        ModelError: a self-test failed, or NaN in the model.
        TaskError: examples do not fit the model.
        NotApplicableError: the model cannot do the task, nothing is left to edit, or too few edits reach the strength
            that was asked for and keep the behaviour.

    >>> import congruity as cg
    >>> side = cg.fingerprint(cg.tasks.ioi(n=200), "smollm2-135m", n=20)  # doctest: +SKIP
    """
    if not isinstance(n, int) or n < 2:
        raise InputError(f"fingerprint: n = {n} implementations cannot be compared with each other; ask for at least 2")
    edits = edits_of.admitted if isinstance(edits_of, Fingerprint) else edits_of
    repeat = None if edits is None else [item.edit if isinstance(item, Implementation) else item for item in edits]
    if repeat is not None and (extend is not None or len(repeat) < 2):
        raise InputError("fingerprint: edits_of needs at least two edits, and does not go with extend")
    which: Finder = finder or Attribution()
    used = _interventions(intervention)
    budget, gates, clock = budget or Budget(), gates or Gates(), clock or Clock()
    with clock("load"):
        model = loaded(model)
    _require_sites(model, circuit, repeat)
    it = subject(task, model, used[0], seed=seed, clock=clock, checks=extend.checks if extend else None, read=True)
    examples, bound, parts, unedited = it.examples, it.bound, it.parts, it.unedited
    queries = Queries(examples.task, examples.digest, examples.ids)
    if require_task:
        it.require_capable()
    gates = gates if it.capable else gates.kl_only()
    with clock("circuit"):
        chosen = settings(finder=which, interventions=used, n=n, seed=seed, budget=budget, gates=gates)
        if circuit is not None:
            chosen |= {"finder": circuit.scores.finder, "finder_parameters": {}, "circuit": digest(circuit)}
        if repeat is not None:
            name = edits_of.digest if isinstance(edits_of, Fingerprint) else digest(*repeat)
            chosen |= {"edits_of": name, "n": len(repeat), "budget": {}}
            _require_interventions(repeat, used)
        if extend is not None:
            _require_same(extend, model, queries.digest, chosen)
            circuit = extend.circuit
        if circuit is None:
            circuit = find_circuit(
                model, bound, finder=which, intervention=used[0], gates=gates, parts=parts, unedited=unedited,
                progress=progress,
            )  # fmt: skip
    unreached: list[str] = []
    skipped: dict[str, dict[int, list[str]]] = {}
    made, grams = ([*extend.implementations], [*extend.grams]) if extend else ([], [])

    def keep(item: Implementation, outputs: Any) -> None:
        made.append(item)
        if item.admitted:
            grams.append(represent(outputs, queries, model=model.card.name).gram)

    with clock("implementations"):
        for one in used:
            if one is not used[0]:
                clock.flops += bound.flops
                bound = model.bind(examples, one)
            if repeat is not None:
                own = [edit for edit in repeat if edit.intervention == one.name]
                for item, outputs in repeated(model, bound, own, measured=parts.report, progress=progress):
                    keep(item, outputs)
                continue
            most = reach(bound, circuit, intervention=one, tuned=parts.choose)
            for kl in budget.kls:
                if trouble := unreachable(kl, most, circuit, intervention=one, budget=budget):
                    unreached.append(f"{Stratum(one.name, kl)}: {trouble}")
                    if (one, kl) != (used[0], budget.kls[0]):
                        continue
                    kl = float(f"{most / 4:.1g}")
                    if it.capable or kl <= 0:
                        raise NotApplicableError(f"{model.card.name}: {trouble}")
                    budget = dataclasses.replace(budget, by="scale")  # by number it takes hundreds of tries
                kind = Stratum(one.name, kl)
                for item, outputs in implementations(
                    model, bound, circuit, n=n, kl=kl, intervention=one, budget=budget, gates=gates, unedited=unedited,
                    tuned=parts.choose, measured=parts.report, seed=seed, progress=progress,
                    known=[item for item in made if item.stratum == kind],
                    skipped=skipped.setdefault(str(kind), {}),
                ):  # fmt: skip
                    keep(item, outputs)
        clean = represent(unedited, queries, model=model.card.name)
    clock.flops += bound.flops
    return Fingerprint(
        model=model.card,
        queries=queries,
        layers=clean.layers,
        scaling=clean.scaling,
        accuracy=it.accuracy,
        unedited=unedited.behaviour(parts.report),
        capable=it.capable,
        circuit=circuit,
        implementations=tuple(made),
        grams=_stacked(grams),
        clean_gram=clean.gram,
        checks=it.checks,
        settings=chosen | _noted(extend, unreached, skipped),
        versions=versions(),
    )


def settings(
    *, finder: Finder, interventions: Sequence[Intervention], n: int, seed: int, budget: Budget, gates: Gates
) -> dict[str, Any]:
    """Return what a fingerprint depends on besides model and task, as JSON data."""
    return {
        "finder": finder.name,
        "finder_parameters": finder.parameters,
        "intervention": [one.name for one in interventions],
        "intervention_parameters": {one.name: one.parameters for one in interventions},
        "n": n,
        "seed": seed,
        "budget": dataclasses.asdict(budget) | {"kl": list(budget.kls)},
        "gates": dataclasses.asdict(gates),
        "min_accuracy": MIN_ACCURACY,
    }


def _noted(earlier: Fingerprint | None, unreached: list[str], skipped: dict[str, Any]) -> dict[str, Any]:
    """Return what the sampler could not do: strengths out of reach, and sites skipped by kind and draw."""
    before = dict(earlier.settings.get("skipped", {})) if earlier else {}
    now = {kind: {str(i): sites for i, sites in draws.items()} for kind, draws in skipped.items()}
    every = {kind: before.get(kind, {}) | now.get(kind, {}) for kind in {**before, **now}}
    return {"unreached": unreached, "skipped": {kind: draws for kind, draws in every.items() if draws}}


def _interventions(given: Intervention | str | Sequence[Intervention | str] | None) -> tuple[Intervention, ...]:
    listed = given if isinstance(given, Sequence) and not isinstance(given, str) else [given or Resample()]
    used = tuple(by_name(one) if isinstance(one, str) else one for one in listed)
    names = [one.name for one in used]
    if not used or len(set(names)) < len(names):
        raise InputError(f"fingerprint: interventions are {', '.join(names) or 'none'}; pass one, or several different")
    return used


def _require_sites(model: Model, circuit: Circuit | None, edits: Sequence[Edit] | None) -> None:
    """Raise `InputError` for sites that this model lacks, before any work is done."""
    named = {*(circuit.sites if circuit else ()), *(circuit.pool if circuit else ())}
    named |= {site for edit in edits or () for site in edit.sites}
    if lacking := sorted(named - set(model.sites)):
        raise InputError(
            f"{model.card.name}: lacks {len(lacking)} of the sites to edit, such as "
            f"{', '.join(map(str, lacking[:3]))}; a circuit or the edits of another model fit models of its "
            "architecture only (paired masks too)"
        )


def _require_interventions(edits: Sequence[Edit], used: Sequence[Intervention]) -> None:
    lacking = {edit.intervention for edit in edits} - {one.name for one in used}
    if lacking:
        raise InputError(
            f"fingerprint: the edits to make write what {', '.join(sorted(lacking))} gives; pass intervention= with "
            "all of them"
        )


def _stacked(grams: list[Floats]) -> Floats:
    """Stack, giving up each matrix on the way: twice all of them would be most of the memory of a small model."""
    stacked: Floats = np.empty((len(grams), *grams[0].shape))
    for i in range(len(grams)):
        stacked[i] = grams[i]
        grams[i] = stacked[i]
    return stacked


def _require_same(earlier: Fingerprint, model: Model, queries: str, chosen: dict[str, Any]) -> None:
    """Refuse to add implementations to a fingerprint that was made of something else."""
    before = earlier.settings.get("n", earlier.n)
    if before >= chosen["n"]:
        raise InputError(f"fingerprint: the fingerprint to extend has {before} implementations, not fewer than n")
    pairs: dict[str, tuple[Any, Any]] = {
        "model": (earlier.model.digest, model.card.digest),
        "queries": (earlier.queries.digest, queries),
        "library versions": (dict(earlier.versions), versions()),
    }
    pairs |= {key: (earlier.settings.get(key), chosen[key]) for key in chosen if key != "n"}
    for what, (then, now) in pairs.items():
        if then != now:
            raise InputError(
                f"fingerprint: the fingerprint to extend was made with {what} {then} and not {now}; make a new one"
            )
