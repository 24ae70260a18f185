"""Prepare a model for a task: load it, bind the prompts, run the self-tests, and run it once unedited."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity._base.clock import Clock
from congruity._base.digest import digest
from congruity.errors import InputError, NotApplicableError
from congruity.protocols import BoundModel, Intervention, Model, Task
from congruity.sampling import selftests
from congruity.values import MIN_ACCURACY, Check, Examples, Outputs, Queries, incapable

_FEWEST_PROMPTS = 8


class UneditedRun:
    """Facts of an unedited run on the prompts of a task, for the dataclasses that hold both."""

    examples: Examples
    unedited: Outputs

    @property
    def accuracy(self) -> float:
        """Share of the prompts with logit(answer) > logit(foil)."""
        return float((self.unedited.logit_difference > 0).mean())

    @property
    def capable(self) -> bool:
        """Whether the model can do the task."""
        return self.accuracy >= MIN_ACCURACY

    @property
    def queries(self) -> Queries:
        """The rows of every representation of this model on these prompts."""
        return Queries(self.examples.task, self.examples.digest, self.examples.ids)


@dataclass(frozen=True)
class PreparedModel(UneditedRun):
    """A model on the prompts of a task, before anything is edited.

    Attributes:
        model, examples: the model and the prompts.
        bound: the model bound to the prompts and to one intervention.
        checks: the self-tests, all passed.
        parts: which prompts rank sites, choose sizes and strengths, and measure behaviour.
        unedited: outputs of the unedited model on all prompts.
    """

    model: Model
    examples: Examples
    bound: BoundModel
    checks: tuple[Check, ...]
    parts: Split
    unedited: Outputs

    def rebound(self, intervention: Intervention) -> PreparedModel:
        """Return the same prepared model, bound to another intervention."""
        return dataclasses.replace(self, bound=self.model.bind(self.examples, intervention))

    def require_capable(self) -> None:
        """Raise `NotApplicableError` for a model that cannot do the task."""
        if not self.capable:
            raise NotApplicableError(incapable(self.model.card.name, self.accuracy, self.examples.task))


def prepare(
    task: Task,
    model: Model,
    intervention: Intervention,
    *,
    seed: int,
    clock: Clock,
    checks: tuple[Check, ...] | None = None,
    read: bool = False,
) -> PreparedModel:
    """Bind a model to the prompts of a task, run the self-tests, and run the model unedited.

    Args:
        task, model, intervention: the prompts, the network, and what replacing a site writes.
        seed: of the split of the prompts.
        clock: records the time of each stage.
        checks: self-tests that passed before, which are not run again.
        read: keep the layers of the unedited run, for its representation.

    Raises:
        InputError: too few prompts to rank sites, choose and measure on different ones.
        ModelError: a self-test failed.
    """
    with clock("load"):
        examples = task.examples(model.single_token)
        if len(examples) < _FEWEST_PROMPTS:
            raise InputError(
                f"{examples.task}: {len(examples)} prompts cannot be split into those that rank sites, choose and "
                f"measure; use at least {_FEWEST_PROMPTS}"
            )
        bound = model.bind(examples, intervention)
    with clock("checks"):
        checks = checks or selftests.run_checks(model, examples, intervention)
        selftests.require(checks, model.card.name)
    with clock("circuit"):
        unedited = next(iter(bound.run([None], read=read)))
    return PreparedModel(model, examples, bound, checks, split(examples.ids, seed), unedited)


def require_task(task: Any, verb: str) -> None:
    """Raise `InputError` for what is no task, before a model is loaded for it."""
    if isinstance(task, type) or not callable(getattr(task, "examples", None)):
        raise InputError(
            f"{verb}: task is {task!r}; pass a task such as congruity.tasks.ioi(), or one by its name with "
            "congruity.tasks.by_name"
        )


def loaded(source: Any) -> Model:
    """Return a model from anything that `load_model` takes. PyTorch is imported now and not with this module."""
    from congruity.models import load_model

    return load_model(source)


@dataclass(frozen=True)
class Split:
    """Rows of the examples by use, so that nothing is reported on prompts that selected it."""

    rank: NDArray[np.intp]  # half: scores the sites
    choose: NDArray[np.intp]  # a quarter: chooses the circuit's size, and tunes implementations
    report: NDArray[np.intp]  # a quarter: says what both do


def split(ids: Sequence[str], seed: int) -> Split:
    """Split rows 50:25:25 by a hash of their ids, so that a prompt's part does not depend on the order of the rows.

    >>> parts = split([f"p{i}" for i in range(200)], seed=0)
    >>> [len(part) for part in (parts.rank, parts.choose, parts.report)]
    [100, 50, 50]
    """
    n = len(ids)
    order = np.array(sorted(range(n), key=lambda row: digest("split", seed, ids[row])))
    half, three_quarters = n // 2, n // 2 + n // 4
    return Split(*(np.sort(part) for part in np.split(order, [half, three_quarters])))
