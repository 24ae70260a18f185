"""A model in front of a task: loaded, bound, self-tested and run once unedited, which is how every use of it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity._base.clock import Clock
from congruity._base.digest import digest
from congruity.errors import InputError, NotApplicableError
from congruity.protocols import BoundModel, Intervention, Model, Task
from congruity.sampling import selftests as doctor
from congruity.values import MIN_ACCURACY, Check, Examples, Outputs, incapable

_FEWEST_PROMPTS = 8


@dataclass(frozen=True)
class Subject:
    """What is known of a model on a task before anything is edited.

    Attributes:
        model, examples, bound: bound to the intervention that the circuit is found with.
        checks: the self-tests, all passed.
        parts: which examples may be used for what.
        unedited: what the model does as it is.
    """

    model: Model
    examples: Examples
    bound: BoundModel
    checks: tuple[Check, ...]
    parts: Split
    unedited: Outputs

    @property
    def accuracy(self) -> float:
        """Share of the examples on which the answer's logit is above the foil's."""
        return float((self.unedited.logit_difference > 0).mean())

    @property
    def capable(self) -> bool:
        """Whether the model can do the task."""
        return self.accuracy >= MIN_ACCURACY

    def require_capable(self) -> None:
        """Raise `NotApplicableError` for a model that cannot do the task."""
        if not self.capable:
            raise NotApplicableError(incapable(self.model.card.name, self.accuracy, self.examples.task))


def subject(
    task: Task,
    model: Model,
    intervention: Intervention,
    *,
    seed: int,
    clock: Clock,
    checks: tuple[Check, ...] | None = None,
    read: bool = False,
) -> Subject:
    """Bind, test and run a model; ``checks`` of before are not run again, and ``read`` keeps what layers are.

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
        checks = checks or doctor.run_checks(model, examples, intervention)
        doctor.require(checks, model.card.name)
    with clock("circuit"):
        unedited = next(iter(bound.run([None], read=read)))
    return Subject(model, examples, bound, checks, split(examples.ids, seed), unedited)


def loaded(source: Any) -> Model:
    """Return a model from anything that `load_model` takes. PyTorch is imported now and not with this module."""
    from congruity.models import load_model

    return load_model(source)


@dataclass(frozen=True)
class Split:
    """Rows of the examples by what they may be used for, so that nothing is reported on prompts that selected it."""

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
