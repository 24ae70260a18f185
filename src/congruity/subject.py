"""A model in front of a task: loaded, bound, self-tested and run once unedited, which is how every use of it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from congruity import doctor
from congruity.circuit import Split, split
from congruity.clock import Clock
from congruity.errors import InputError, NotApplicableError
from congruity.judgement import MIN_ACCURACY, incapable
from congruity.protocols import BoundModel, Intervention, Model, Task
from congruity.values import Check, Examples, Outputs

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
