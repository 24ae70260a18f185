"""The flow. Heavy, once a model: task + model -> fingerprint. Light, any number of times: fingerprints -> congruity."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from congruity import distances, doctor
from congruity._versions import versions
from congruity.circuit import find_circuit, split
from congruity.clock import Clock
from congruity.engine import one_blas_thread
from congruity.errors import InputError, NotApplicableError, NotComparableError
from congruity.finders import Attribution
from congruity.implement import Budget, implementations
from congruity.inference import estimate, not_applicable
from congruity.interventions import Resample
from congruity.protocols import Distance, Finder, Intervention, Model, Progress, Task, silent
from congruity.represent import represent
from congruity.values import Congruity, DistanceTable, Fingerprint, Floats, Gates, Queries

MIN_ACCURACY = 0.75
_STRENGTH_RATIO = 2.0  # mean KLs of the two sides further apart than this are called unmatched


def fingerprint(
    task: Task,
    model: Any,
    *,
    finder: Finder | None = None,
    intervention: Intervention | None = None,
    n: int = 20,
    seed: int = 0,
    budget: Budget | None = None,
    gates: Gates | None = None,
    require_task: bool = True,
    progress: Progress = silent,
    clock: Clock | None = None,
) -> Fingerprint:
    """Make everything that one side contributes to any comparison: circuit, implementations, Gram matrices, checks.

    Args:
        task: what is computed, for example ``cg.tasks.ioi(n=200)``.
        model: a `Model`, or anything that `load_model` takes.
        finder: which sites matter; default attribution patching.
        intervention: what an edit writes; default resampling from the counterfactual.
        n: admitted implementations.
        seed: of every random stream.
        budget: how implementations are drawn.
        gates: the limits inside which behaviour counts as kept.
        require_task: refuse a model that cannot do the task; False fingerprints it as a control.
        progress, clock: told how far and how long each stage took.

    Returns:
        Fingerprint of (n, m, m) Gram matrices over the m prompts. The same inputs give the same bytes.

    Raises:
        ModelError: a self-test failed, or NaN in the model.
        TaskError: examples do not fit the model.
        NotApplicableError: the model cannot do the task, nothing is left to edit, or too few edits keep the behaviour.

    >>> import congruity as cg
    >>> side = cg.fingerprint(cg.tasks.ioi(n=200), "smollm2-135m", n=20)  # doctest: +SKIP
    """
    if n < 2:
        raise InputError(f"fingerprint: n = {n} implementations cannot be compared with each other; ask for at least 2")
    finder, intervention = finder or Attribution(), intervention or Resample()
    budget, gates, clock = budget or Budget(), gates or Gates(), clock or Clock()
    with clock("load"):
        model = _model(model)
        examples = task.examples(model.single_token)
        bound = model.bind(examples, intervention)
    with clock("checks"):
        checks = doctor.run_checks(model, examples, intervention)
        doctor.require(checks, model.card.name)
    queries = Queries(examples.task, examples.digest, examples.ids)
    parts = split(examples.ids, seed)
    with clock("circuit"):
        unedited = next(bound.run([None], read=True))
        accuracy = float((unedited.logit_difference > 0).mean())
        capable = accuracy >= MIN_ACCURACY
        if require_task and not capable:
            raise NotApplicableError(incapable(model.card.name, accuracy, examples.task))
        gates = gates if capable else gates.kl_only()
        circuit = find_circuit(
            model,
            bound,
            finder=finder,
            intervention=intervention,
            gates=gates,
            parts=parts,
            unedited=unedited,
            progress=progress,
        )
    with clock("implementations"):
        made, grams = [], []
        for item, outputs in implementations(
            model,
            bound,
            circuit,
            n=n,
            intervention=intervention,
            budget=budget,
            gates=gates,
            unedited=unedited,
            measured=parts.held_out,
            seed=seed,
            progress=progress,
        ):
            made.append(item)
            if item.admitted:
                grams.append(represent(outputs, queries, model=model.card.name).gram)
        clean = represent(unedited, queries, model=model.card.name)
    clock.flops += bound.flops
    return Fingerprint(
        model=model.card,
        queries=queries,
        layers=clean.layers,
        scaling=clean.scaling,
        accuracy=accuracy,
        unedited=unedited.behaviour(parts.held_out),
        capable=capable,
        circuit=circuit,
        implementations=tuple(made),
        grams=np.stack(grams),
        clean_gram=clean.gram,
        checks=checks,
        settings=settings(finder=finder, intervention=intervention, n=n, seed=seed, budget=budget, gates=gates),
        versions=versions(),
    )


def compare(
    a: Any,
    b: Any,
    *,
    task: Task | None = None,
    distance: Distance | str | None = None,
    margin: float | None = None,
    seed: int = 0,
    progress: Progress = silent,
    **fingerprint_options: Any,
) -> Congruity:
    """Decide whether two sides share an interpretation, as far as their implementations show.

    Args:
        a, b: each a `Fingerprint`, the path of one, or, with ``task``, anything that `load_model` takes.
        task: needed where a side is a model.
        distance: a `Distance` or its name; default `distances.Spectral()`, the paper's d_repr.
        margin: what counts as equivalent; see `estimate`.
        seed: of the permutations, the bootstrap and, for models, the fingerprints.
        progress: told how far the stages are.
        fingerprint_options: ``n``, ``budget``, ``gates``, ... for sides that are models.

    Raises:
        NotComparableError: the sides answer different queries, or were scaled differently.
        InputError: a side is a model and no task was given.

    >>> import congruity as cg
    >>> cg.compare("a.safetensors", "b.safetensors", distance="procrustes").verdict  # doctest: +SKIP
    'undecided'
    """
    measure = distances.by_name(distance) if isinstance(distance, str) else distance or distances.Spectral()
    if fingerprint_options and all(isinstance(s, Fingerprint) or _is_fingerprint_path(s) for s in (a, b)):
        options = ", ".join(fingerprint_options)
        raise InputError(f"compare: {options} applies to models only, and both sides are fingerprints already")
    left, right = sides(a, b, task=task, seed=seed, progress=progress, **fingerprint_options)
    table = distance_table(left, right, measure, progress=progress)
    return judge(left, right, table, margin=margin, seed=seed)


def sides(
    a: Any, b: Any, *, task: Task | None, seed: int, progress: Progress, **options: Any
) -> tuple[Fingerprint, Fingerprint]:
    """Return both sides as fingerprints over one set of words that both tokenizers hold, made where needed."""
    given = [Fingerprint.load(side) if _is_fingerprint_path(side) else side for side in (a, b)]
    models = [_model(side) for side in given if not isinstance(side, Fingerprint)]
    if not models:
        return given[0], given[1]
    if task is None:
        raise InputError("compare: a side that is a model needs a task, for example task=cg.tasks.ioi()")
    shared = _SharedWords(task, models)
    made = iter([fingerprint(shared, m, seed=seed, progress=progress, require_task=False, **options) for m in models])
    left, right = (side if isinstance(side, Fingerprint) else next(made) for side in given)
    return left, right


def distance_table(a: Fingerprint, b: Fingerprint, distance: Distance, *, progress: Progress = silent) -> DistanceTable:
    """Return all distances between [clean a, clean b, implementations of a, implementations of b], in that order."""
    require_comparable(a, b)
    grams: Floats = np.concatenate([a.clean_gram[None], b.clean_gram[None], a.grams, b.grams])
    labels = ["clean a", "clean b"] + [f"a{i}" for i in range(a.n)] + [f"b{i}" for i in range(b.n)]
    with one_blas_thread():
        return distance.table(grams, tuple(labels), progress=progress)


def judge(
    a: Fingerprint, b: Fingerprint, table: DistanceTable, *, margin: float | None = None, seed: int = 0
) -> Congruity:
    """Turn the table of `distance_table` into a verdict about ``a`` and ``b``."""
    inner = DistanceTable(
        table.measure,
        table.values[2:, 2:],
        table.labels[2:],
        None if table.lower is None else table.lower[2:, 2:],
        None if table.upper is None else table.upper[2:, 2:],
        table.parameters,
    )
    bases = [i.base for i in a.admitted] + [i.base for i in b.admitted]
    names = (a.model.name, b.model.name)
    with one_blas_thread():
        result = estimate(inner, ["a"] * a.n + ["b"] * b.n, base=bases, margin=margin, seed=seed, names=names)
    result = dataclasses.replace(
        result,
        rho=_rho(table.values, a.n),
        warnings=(*result.warnings, *_strength_warnings(a, b)),
        provenance={
            **result.provenance,
            "a": a.digest,
            "b": b.digest,
            "queries": a.queries.digest,
            "mean_kl": [a.mean_kl, b.mean_kl],
        },
    )
    for side in (a, b):
        if not side.capable:
            return not_applicable(result, incapable(side.model.name, side.accuracy, side.queries.task))
    return result


def require_comparable(a: Fingerprint, b: Fingerprint) -> None:
    """Raise `NotComparableError`, with what differs, unless both fingerprints answer the same queries alike."""
    remedy = (
        "make both with the same task and seed; where a tokenizer splits some of the task's words, give "
        "`congruity compare` both models instead, which uses the words that both have"
    )
    pairs = [
        ("tasks", a.queries.task, b.queries.task),
        ("numbers of queries", len(a.queries.ids), len(b.queries.ids)),
        ("token positions", a.queries.position, b.queries.position),
        ("query interventions", a.queries.intervention, b.queries.intervention),
        ("queries", a.queries.digest[:12], b.queries.digest[:12]),
        ("layer scalings", a.scaling, b.scaling),
    ]
    for what, left, right in pairs:
        if left != right:
            raise NotComparableError(
                f"{a.model.name} and {b.model.name} cannot be compared: different {what}, {left} and {right}; {remedy}"
            )


def incapable(name: str, accuracy: float, task: str) -> str:
    """The sentence for a model that cannot do the task."""
    return (
        f"{name} cannot do the task {task}: accuracy {accuracy:.2f}, at least {MIN_ACCURACY:.2f} is needed, so "
        "whether it solves it the same way is not a question"
    )


def settings(
    *, finder: Finder, intervention: Intervention, n: int, seed: int, budget: Budget, gates: Gates
) -> dict[str, Any]:
    """Return what a fingerprint depends on besides model and task, as JSON data."""
    return {
        "finder": finder.name,
        "intervention": intervention.name,
        "n": n,
        "seed": seed,
        "budget": dataclasses.asdict(budget),
        "gates": dataclasses.asdict(gates),
        "min_accuracy": MIN_ACCURACY,
    }


@dataclasses.dataclass(frozen=True)
class _SharedWords:
    """A task whose words are one token in every model compared, whichever of them asks."""

    task: Task
    models: list[Model]

    @property
    def name(self) -> str:
        return self.task.name

    def examples(self, single_token: Any = None) -> Any:
        return self.task.examples(lambda word: all(model.single_token(word) for model in self.models))


def _model(source: Any) -> Model:
    from congruity.models import load_model

    return load_model(source)


def _is_fingerprint_path(side: Any) -> bool:
    return isinstance(side, (str, Path)) and Path(side).suffix == ".safetensors"


def _rho(values: Floats, n_a: int) -> float | None:
    """Clean-to-clean distance over the mean distance from a clean model to its own implementations."""
    between = (values[0, 1] + values[1, 0]) / 2
    own_a = (values[0, 2 : 2 + n_a] + values[2 : 2 + n_a, 0]) / 2
    own_b = (values[1, 2 + n_a :] + values[2 + n_a :, 1]) / 2
    radius = (own_a.mean() + own_b.mean()) / 2
    return float(between / radius) if radius > 0 else None


def _strength_warnings(a: Fingerprint, b: Fingerprint) -> tuple[str, ...]:
    strengths = [a.mean_kl, b.mean_kl]
    found = []
    if max(strengths) > _STRENGTH_RATIO * min(strengths):
        found.append(
            f"the implementations were not sampled at matched strength (mean KL {strengths[0]:.3f} and "
            f"{strengths[1]:.3f} nats), which alone can separate two sets"
        )
    for key in ("intervention", "finder"):
        if a.settings.get(key) != b.settings.get(key):
            found.append(f"the sides were made with different {key}s: {a.settings.get(key)} and {b.settings.get(key)}")
    return tuple(found)
