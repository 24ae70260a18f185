"""The public verbs: what happens to a task and a model until there is a verdict, as calls in order.

    task + model -> sampling -> Fingerprint -> comparison -> Congruity -> report

`fingerprint` is the heavy half, once per model: check the options, load the model, then `make_fingerprint`: run the
self-tests; rank the sites on half of the prompts and choose the circuit on a quarter; for each implementation search,
on the same quarter, how many sites outside the circuit, in a random order, move the output by a given KL divergence
when they are replaced; measure it on the last quarter and refuse it if the behaviour is not kept; represent it by its
Gram matrix over all prompts.

`compare` of fingerprints is the light half: `Pair` (comparable? made alike? the same edits?), distances between the
Gram matrices of both sides, `Estimate`, then `conclude`: capability, pairing and how the sides were made decide
together with the numbers. The command line writes the report. `sampling` and `comparison` never import each other: they
meet in `Fingerprint`. `congruity.cached` keeps fingerprints and tables on disk, by digests of what they were made from.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from congruity._base.clock import Clock
from congruity._base.progress import Progress, silent
from congruity.errors import InputError
from congruity.protocols import Distance, Finder, Intervention, Task
from congruity.sampling.circuit import find_circuit
from congruity.sampling.faithfulness import measure_faithfulness
from congruity.sampling.fingerprint import make_fingerprint
from congruity.sampling.prepare import loaded, prepare, require_task
from congruity.sampling.recipe import FingerprintOptions, SamplingOptions, SamplingRecipe
from congruity.sampling.sides import growing_sides, is_fingerprint, two_sides
from congruity.values import Circuit, Comparison, Congruity, Fingerprint, Gates


def fingerprint(
    task: Task,
    model: Any,
    *,
    seed: int = 0,
    progress: Progress = silent,
    clock: Clock | None = None,
    **options: Unpack[FingerprintOptions],
) -> Fingerprint:
    """Make the fingerprint of one model: circuit, implementations, Gram matrices, self-tests.

    Args:
        task: the prompts, for example ``cg.tasks.ioi(n=200)``.
        model: a `Model`, or anything that `load_model` takes.
        seed: of every random stream.
        progress: called with the part of a stage that is done; ``clock`` records how long each stage takes.
        options: ``n``, ``budget``, ``gates``, ``finder``, ``intervention``, ``circuit``, ``edits_of``, ``extend``,
            ``require_task``; see `congruity.sampling.recipe.FingerprintOptions`. They are checked before the model is
            loaded.

    Returns:
        Fingerprint of (N, m, m) Gram matrices over the m prompts. The same arguments give the same bytes.

    Raises:
        InputError: an unknown option, or options that do not go together.
        ModelError: a self-test failed, or NaN in the model.
        TaskError: examples do not fit the model.
        NotApplicableError: the model cannot do the task, no edit has an effect, no site is left to edit, or too few
            edits reach the strength and keep the behaviour.

    >>> import congruity as cg
    >>> side = cg.fingerprint(cg.tasks.ioi(n=200), "smollm2-135m", n=20)  # doctest: +SKIP
    """
    require_task(task, "fingerprint")
    recipe, clock = SamplingRecipe.of("fingerprint", options, seed=seed), clock or Clock()
    with clock("load"):
        network = loaded(model)
    return make_fingerprint(task, network, recipe, progress=progress, clock=clock)


def discover(
    task: Task,
    model: Any,
    *,
    finder: Finder | str | None = None,
    intervention: Intervention | str | None = None,
    gates: Gates | None = None,
    seed: int = 0,
    n_random: int = 20,
    progress: Progress = silent,
    clock: Clock | None = None,
) -> Circuit:
    """Find the circuit of a model for a task, and measure its faithfulness on prompts that did not select it.

    Args:
        task: the prompts, for example ``cg.tasks.ioi(n=200)``.
        model: a `Model`, or anything that `load_model` takes.
        finder: what ranks the sites; default attribution patching.
        intervention: what replacing a site writes; default resampling from the counterfactual.
        gates: behaviour tolerance, which chooses the size of the circuit, unless the finder fixes that size.
        seed: of the split of the prompts, the random circuits and the intervals.
        n_random: circuits of the same size drawn at random, to compare with.
        progress: called with the part of a stage that is done; ``clock`` records how long each stage takes.

    Returns:
        The circuit that `fingerprint` would find, with `Circuit.evidence`.

    Raises:
        ModelError: a self-test failed, or NaN in the model.
        InputError: too few prompts to split into those that rank, those that choose and those that measure.
        TaskError: examples do not fit the model.
        NotApplicableError: the model cannot do the task, the metric does not depend on any site, or the circuit leaves
            nothing to edit.

    >>> import congruity as cg
    >>> cg.discover(cg.tasks.ioi(n=200), "smollm2-135m").evidence.faithfulness  # doctest: +SKIP
    0.93
    """
    require_task(task, "discover")
    recipe = SamplingRecipe.of("discover", {"finder": finder, "intervention": intervention, "gates": gates}, seed=seed)
    if len(recipe.interventions) > 1:
        raise InputError("discover: one intervention finds the circuit; pass one")
    if not isinstance(n_random, int) or n_random < 0:
        raise InputError(f"discover: {n_random} random circuits cannot be drawn; ask for 0 or more")
    writes, clock = recipe.interventions[0], clock or Clock()
    with clock("load"):
        network = loaded(model)
    prepared = prepare(task, network, writes, seed=seed, clock=clock)
    prepared.require_capable()
    with clock("circuit"):
        found = find_circuit(prepared, finder=recipe.finder, intervention=writes, gates=recipe.gates, progress=progress)
    with clock("evidence"):
        measured = measure_faithfulness(
            prepared, found, intervention=writes, n_random=n_random, seed=seed, progress=progress
        )
    clock.flops += prepared.bound.flops
    return dataclasses.replace(found, evidence=measured)


@dataclass(frozen=True)
class ComparisonPlan:
    """Distance and statistical settings of `compare`.

    Attributes:
        distance, margin, alpha, folds, looks, paired, seed: as in `compare`.
    """

    distance: Distance
    margin: float | None = None
    alpha: float = 0.05
    folds: int = 0
    looks: Sequence[int] | None = None
    paired: bool = False
    seed: int = 0


def compare(
    a: Any,
    b: Any,
    *,
    task: Task | None = None,
    distance: Distance | str | None = None,
    margin: float | None = None,
    alpha: float = 0.05,
    folds: int = 0,
    looks: Sequence[int] | None = None,
    paired: bool = False,
    seed: int = 0,
    progress: Progress = silent,
    **sampling: Unpack[SamplingOptions],
) -> Congruity:
    """Test whether the implementations of two sides can be told apart, and whether they agree within a margin.

    Of two models, one network a side, the verdict is never "different", because a copy of a network with a little noise
    is told apart from it too. `congruity.estimate` takes tables of several networks a side.

    Args:
        a, b: each a `Fingerprint`, the path of one, or, with ``task``, anything that `load_model` takes.
        task: needed where a side is a model.
        distance: a `Distance` or its name; default `distances.Spectral()`, the paper's d_repr.
        margin, alpha: twice the largest deviation of P1 and P2 from 1/2 that counts as equivalent, and the level of
            both tests; see `congruity.estimate`.
        folds: jackknife folds over prompts, for the standard error of T; each costs one more comparison, 0 is none.
            Two halves of the prompts are always measured, for the reliability.
        looks: sizes of a group-sequential test: numbers of implementations a side after which it may stop, such as
            ``congruity.comparison.sequential.LOOKS``; ``alpha`` is then the level of all looks together. Models make as
            many implementations as are needed, fingerprints give their first ones. None: all implementations, once.
        paired: make the edits of ``a`` in ``b``, a model of the same architecture, instead of drawing others. How alike
            both respond is then in `Congruity.paired`, and the verdict is "undecided".
        seed: of the permutations, the bootstrap and, for models, the fingerprints.
        progress: called with the part of a stage that is done.
        sampling: ``n``, ``budget``, ``gates``, ... for sides that are models; see
            `congruity.sampling.recipe.SamplingOptions`. They are checked before any model is loaded.

    Raises:
        NotComparableError: the sides answer different queries, or their layers were normalised differently.
        InputError: an unknown option, options that do not go together, or a model without a task.
        StoreError, ModelError, TaskError, NotApplicableError: as `Fingerprint.load` and `fingerprint` raise them; but a
            model that cannot do the task is compared, and the verdict is "not applicable".

    >>> import congruity as cg
    >>> cg.compare("a.safetensors", "b.safetensors", distance="procrustes").verdict  # doctest: +SKIP
    'undecided'
    """
    from congruity import distances

    recipe = SamplingRecipe.of("compare", sampling, seed=seed, also=_ARGUMENTS)
    plan = ComparisonPlan(distances.chosen(distance), margin, alpha, folds, looks, paired, seed)
    return compared(a, b, task=task, recipe=recipe, plan=plan, progress=progress).result


_ARGUMENTS = tuple(inspect.signature(compare).parameters)[:-1]  # without the options of ``sampling``


def compared(
    a: Any, b: Any, *, task: Task | None, recipe: SamplingRecipe, plan: ComparisonPlan, progress: Progress = silent
) -> Comparison:
    """Do what `compare` does, and return both fingerprints with the result, as reports need them."""
    # Here, so that making a fingerprint loads nothing that compares.
    from congruity.comparison.compare import compare_fingerprints
    from congruity.comparison.sequential import until_decided
    from congruity.inference import EstimateSettings

    if task is not None:
        require_task(task, "compare")
    settings = EstimateSettings(plan.margin, plan.alpha, plan.seed)
    _require_compatible(a, b, recipe, plan)
    if plan.looks is not None:
        growing = growing_sides(a, b, task=task, recipe=recipe)
        return until_decided(
            growing, plan.distance, looks=plan.looks, margin=plan.margin, alpha=plan.alpha, seed=plan.seed,
            progress=progress,
        )  # fmt: skip
    left, right = two_sides(a, b, task=task, recipe=recipe, paired=plan.paired, progress=progress)
    result = compare_fingerprints(left, right, plan.distance, settings, folds=plan.folds, progress=progress)
    return Comparison(left, right, result)


def _require_compatible(a: Any, b: Any, recipe: SamplingRecipe, plan: ComparisonPlan) -> None:
    """Raise `InputError`, before any model is loaded, for options that do not go together."""
    from congruity.comparison.alike import MIN_PAIRS
    from congruity.comparison.sequential import planned

    made_already = is_fingerprint(a) and is_fingerprint(b)
    if recipe.given and made_already:
        raise InputError(
            f"compare: {', '.join(recipe.given)} applies to models only, and both sides are fingerprints already"
        )
    if plan.paired and is_fingerprint(b):
        raise InputError("compare: paired makes the edits of a in b, so b must be a model and not a fingerprint")
    edits = a.n if isinstance(a, Fingerprint) else recipe.n if recipe.edits is None else len(recipe.edits)
    if plan.paired and edits < MIN_PAIRS:  # fewer are not recognised as pairs, and would be tested as if independent
        raise InputError(f"compare: paired needs at least {MIN_PAIRS} edits, and n is {edits}; ask for more")
    if plan.folds and not made_already and not (isinstance(plan.folds, int) and plan.folds >= 2):
        raise InputError(f"compare: folds is {plan.folds!r}; pass a whole number of at least 2, or 0 for none")
    if plan.looks is None:
        return
    if plan.folds or plan.paired or "n" in recipe.given or recipe.edits is not None:
        rest = "n, folds or paired" if recipe.edits is None else "edits_of"
        raise InputError(f"compare: looks set which implementations are used, and do not go with {rest}")
    if len(recipe.budget.kls) > 1 or len(recipe.interventions) > 1:
        raise InputError("compare: looks decide on one kind of implementations; pass one KL and one intervention")
    planned(plan.looks, plan.alpha)
