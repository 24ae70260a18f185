"""The flow, whatever the sides are: fingerprints are made in `fingerprints` where needed, and judged in `judgement`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from congruity import distances
from congruity._base.progress import Progress, silent
from congruity.comparison.compare import compared as compared_fingerprints
from congruity.comparison.sequential import until_decided
from congruity.errors import InputError, NotApplicableError
from congruity.inference import EstimateSettings
from congruity.protocols import Distance, Model, Task
from congruity.sampling.fingerprint import fingerprint
from congruity.sampling.prepare import loaded
from congruity.values import Budget, Comparison, Congruity, Fingerprint


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
    **fingerprint_options: Any,
) -> Congruity:
    """Decide whether two sides share an interpretation, as far as their implementations show.

    Args:
        a, b: each a `Fingerprint`, the path of one, or, with ``task``, anything that `load_model` takes.
        task: needed where a side is a model.
        distance: a `Distance` or its name; default `distances.Spectral()`, the paper's d_repr.
        margin, alpha: what counts as equivalent, and the level of both tests; see `estimate`.
        folds: groups of prompts, of which one at a time is left out for the error of T over prompts; 0 for none, as
            each costs as much as the comparison itself. Two halves are always measured, for the reliability.
        looks: implementations a side at which to look until the question is decided, such as
            ``congruity.comparison.sequential.LOOKS``; ``alpha`` is then that of all looks together. Models make as many
            as are needed, fingerprints give their first ones. None: all there are, once.
        paired: make the edits of ``a`` in ``b``, a model of the same architecture, instead of drawing others: how alike
            both respond is then in `Congruity.paired`, and no verdict rests on independent draws.
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
    measure = distances.chosen(distance)
    comparison = compared(
        a,
        b,
        task=task,
        distance=measure,
        margin=margin,
        alpha=alpha,
        folds=folds,
        looks=looks,
        paired=paired,
        seed=seed,
        progress=progress,
        **fingerprint_options,
    )
    return comparison.result


def compared(
    a: Any,
    b: Any,
    *,
    task: Task | None,
    distance: Distance,
    margin: float | None,
    alpha: float,
    folds: int,
    looks: Sequence[int] | None,
    paired: bool,
    seed: int,
    progress: Progress,
    **options: Any,
) -> Comparison:
    """Do what `compare` does, and return the fingerprints with the result, as reports need them."""
    settings = EstimateSettings(margin, alpha, seed)
    if options and all(isinstance(side, Fingerprint) or _is_fingerprint_path(side) for side in (a, b)):
        raise InputError(
            f"compare: {', '.join(options)} applies to models only, and both sides are fingerprints already"
        )
    if looks is not None:
        if folds or paired or "n" in options:
            raise InputError("compare: looks set which implementations are used, and do not go with n, folds or paired")
        kinds = options.get("intervention")
        if len(options.get("budget", Budget()).kls) > 1 or (isinstance(kinds, (list, tuple)) and len(kinds) > 1):
            raise InputError("compare: looks decide on one kind of implementations; pass one KL and one intervention")
        first, second = (_Growing(side, own, seed, options) for side, own in shared((a, b), task))
        return until_decided(
            (first, second), distance, looks=looks, margin=margin, alpha=alpha, seed=seed, progress=progress
        )
    left, right = sides(a, b, task=task, paired=paired, seed=seed, progress=progress, **options)
    result = compared_fingerprints(left, right, distance, settings, folds=folds, progress=progress)
    return Comparison(left, right, result)


def sides(
    a: Any, b: Any, *, task: Task | None, paired: bool, seed: int, progress: Progress, **options: Any
) -> tuple[Fingerprint, Fingerprint]:
    """Return both sides as fingerprints over one set of words that both tokenizers hold, made where needed."""
    (first, own), (second, others) = shared((a, b), task)
    if paired and others is None:
        raise InputError("compare: paired makes the edits of a in b, so b must be a model and not a fingerprint")
    options |= {"seed": seed, "progress": progress, "require_task": False}
    left = first if own is None else fingerprint(own, first, **options)
    if others is None:
        return left, second
    if paired:
        options |= {"edits_of": left, "circuit": left.circuit}
    return left, fingerprint(others, second, **options)


def shared(given: Sequence[Any], task: Task | None) -> list[tuple[Any, Task | None]]:
    """Load what is given: a fingerprint with None, or a model with the task over the words that all models hold."""
    found = [Fingerprint.load(side) if _is_fingerprint_path(side) else side for side in given]
    found = [side if isinstance(side, Fingerprint) else loaded(side) for side in found]
    models = [side for side in found if not isinstance(side, Fingerprint)]
    if models and task is None:
        raise InputError("compare: a side that is a model needs a task, for example task=cg.tasks.ioi()")
    common = None if task is None else _SharedWords(task, models)
    return [(side, None if isinstance(side, Fingerprint) else common) for side in found]


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


def _is_fingerprint_path(side: Any) -> bool:
    return isinstance(side, (str, Path)) and Path(side).suffix == ".safetensors"


class _Growing:
    """A side that gives its first n implementations: from a fingerprint, or made as they are needed."""

    def __init__(self, source: Any, task: Task | None, seed: int, options: dict[str, Any]) -> None:
        self._model = None if isinstance(source, Fingerprint) else source
        self._made = source if isinstance(source, Fingerprint) else None
        self._task, self._seed, self._options = task, seed, options
        self.ended = ""  # why there are no more

    @property
    def available(self) -> int:
        """Implementations of every kind made so far."""
        return 0 if self._made is None else min(self._made.at(stratum).n for stratum in self._made.strata)

    def first(self, n: int, progress: Progress) -> Fingerprint | None:
        """Return a fingerprint of the first ``n`` of every kind; None if a finished one has fewer."""
        if self.available < n:
            if self._model is None or self._task is None:
                return None
            try:
                self._made = fingerprint(
                    self._task,
                    self._model,
                    n=n,
                    seed=self._seed,
                    extend=self._made,
                    require_task=False,
                    progress=progress,
                    **self._options,
                )
            except NotApplicableError as error:  # the model gives no more: what an earlier look saw still counts
                if self._made is None:
                    raise
                self.ended = str(error)
                return None
        return None if self._made is None else _first(self._made, n)


def _first(made: Fingerprint, n: int) -> Fingerprint:
    kinds = [item.stratum for item in made.admitted]
    rows = [row for row, kind in enumerate(kinds) if kinds[:row].count(kind) < n]
    return made if len(rows) == made.n else made.take(np.array(rows), made.model.name)
