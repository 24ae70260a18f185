"""Make the two sides of a comparison: each is a fingerprint already, its file, or a model to make one of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from congruity._base.artifact import SUFFIX
from congruity._base.progress import Progress
from congruity.errors import InputError, NotApplicableError
from congruity.protocols import Model, Task
from congruity.sampling.fingerprint import make_fingerprint
from congruity.sampling.prepare import loaded
from congruity.sampling.recipe import SamplingRecipe
from congruity.values import Examples, Fingerprint


def is_fingerprint(side: Any) -> bool:
    """Whether a side is a fingerprint or the path of one, so that no model is needed for it."""
    return isinstance(side, Fingerprint) or (isinstance(side, (str, Path)) and Path(side).suffix == SUFFIX)


def two_sides(
    a: Any, b: Any, *, task: Task | None, recipe: SamplingRecipe, paired: bool, progress: Progress
) -> tuple[Fingerprint, Fingerprint]:
    """Return both sides as fingerprints, over one set of words that the tokenizers of all models hold as one token.

    Args:
        a, b: fingerprints, paths, or anything that `load_model` takes.
        task: needed for models.
        recipe: how fingerprints of models are made.
        paired: make the edits of ``a`` in ``b``.
        progress: called with the stage and how far it is.
    """
    (first, own), (second, others) = _opened((a, b), task)
    recipe = dataclasses.replace(recipe, require_task=False)
    left = first if own is None else make_fingerprint(own, first, recipe, progress=progress)
    if others is None:
        return left, second
    if paired:
        recipe = dataclasses.replace(
            recipe, edits=tuple(item.edit for item in left.admitted), edits_of=left.digest, circuit=left.circuit
        )
        recipe.require_interventions("compare")
    return left, make_fingerprint(others, second, recipe, progress=progress)


def growing_sides(a: Any, b: Any, *, task: Task | None, recipe: SamplingRecipe) -> tuple[GrowingSide, GrowingSide]:
    """Return both sides as sources of their first n implementations; see `two_sides`."""
    recipe = dataclasses.replace(recipe, require_task=False)
    first, second = _opened((a, b), task)
    return GrowingSide.of(*first, recipe), GrowingSide.of(*second, recipe)


@dataclass
class GrowingSide:
    """A side that gives a fingerprint of its first n implementations, and makes further ones only when asked.

    Attributes:
        made: the fingerprint so far; None before the first one.
        make: returns a fingerprint of n implementations that extends the given one; None for a finished fingerprint.
        ended: why there are no more implementations.
    """

    made: Fingerprint | None
    make: Callable[[Fingerprint | None, int, Progress], Fingerprint] | None
    ended: str = ""

    @classmethod
    def of(cls, source: Any, task: Task | None, recipe: SamplingRecipe) -> GrowingSide:
        """Return the side of a fingerprint (``task`` is None) or of a model."""
        if task is None:
            return cls(source, None)

        def make(earlier: Fingerprint | None, n: int, progress: Progress) -> Fingerprint:
            return make_fingerprint(task, source, dataclasses.replace(recipe, n=n, extend=earlier), progress=progress)

        return cls(None, make)

    @property
    def available(self) -> int:
        """Number of implementations of every stratum made so far."""
        return 0 if self.made is None else min(self.made.at(stratum).n for stratum in self.made.strata)

    def first(self, n: int, progress: Progress) -> Fingerprint | None:
        """Return a fingerprint of the first ``n`` implementations of every stratum; None where there are fewer."""
        if self.available < n:
            if self.make is None:
                return None
            try:
                self.made = self.make(self.made, n, progress)
            except NotApplicableError as error:  # the model gives no more: what an earlier look saw still counts
                if self.made is None:
                    raise
                self.ended = str(error)
                return None
        return None if self.made is None else _first(self.made, n)


def _first(made: Fingerprint, n: int) -> Fingerprint:
    kinds = [item.stratum for item in made.admitted]
    rows = [row for row, kind in enumerate(kinds) if kinds[:row].count(kind) < n]
    return made if len(rows) == made.n else made.take(np.array(rows), made.model.name)


def _opened(given: Sequence[Any], task: Task | None) -> list[tuple[Any, Task | None]]:
    """Read or load each side: a fingerprint with None, or a model with the task over the words of all models."""
    if task is None and not all(map(is_fingerprint, given)):
        raise InputError("compare: a side that is a model needs a task, for example task=cg.tasks.ioi()")
    sides = [side if isinstance(side, Fingerprint) else Fingerprint.load(side) if is_fingerprint(side) else loaded(side)
             for side in given]  # fmt: skip
    models = [side for side in sides if not isinstance(side, Fingerprint)]
    shared = None if task is None else _SharedWords(task, models)
    return [(side, None if isinstance(side, Fingerprint) else shared) for side in sides]


@dataclass(frozen=True)
class _SharedWords:
    """A task over the words that are one token in every model, whichever model asks for the examples."""

    task: Task
    models: list[Model]

    @property
    def name(self) -> str:
        return self.task.name

    def examples(self, single_token: Any = None) -> Examples:
        return self.task.examples(lambda word: all(model.single_token(word) for model in self.models))
