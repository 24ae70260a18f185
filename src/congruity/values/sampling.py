"""How implementations are sampled: behavioural strength, behaviour tolerance, and the record of what was asked for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from congruity._base.digest import plain
from congruity.errors import InputError
from congruity.values.circuit import Behaviour


@dataclass(frozen=True)
class Gates:
    """Behaviour tolerance: limits inside which an edited model behaves like the unedited one. All set limits must hold.

    Attributes:
        max_kl: largest mean KL to the unedited model, nats.
        max_accuracy_drop: largest fall of the accuracy, or None.
        max_metric_change: largest relative change of the mean logit difference, either way, or None.
    """

    max_kl: float = 0.1
    max_accuracy_drop: float | None = 0.05
    max_metric_change: float | None = 0.25

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value is None and name != "max_kl":
                continue
            if not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
                raise InputError(f"Gates: {name} must be a positive number, not {value}")

    def kl_only(self) -> Gates:
        """Return the gates for a model that cannot do the task: it has no accuracy or logit difference to keep."""
        return Gates(self.max_kl, None, None)

    def refusal(self, edited: Behaviour, unedited: Behaviour) -> str:
        """Return why ``edited`` is outside the gates, or an empty string."""
        broken = []
        if not edited.kl <= self.max_kl:
            broken.append(f"KL {edited.kl:.3f} > {self.max_kl:g}")
        drop = self.max_accuracy_drop
        if drop is not None and not unedited.accuracy - edited.accuracy <= drop:
            broken.append(f"accuracy {edited.accuracy:.3f}, more than {drop:g} below {unedited.accuracy:.3f}")
        change = abs(edited.logit_difference - unedited.logit_difference)
        allowed = (
            math.inf if self.max_metric_change is None else self.max_metric_change * abs(unedited.logit_difference)
        )
        if not change <= allowed:
            broken.append(
                f"logit difference {edited.logit_difference:.2f} against {unedited.logit_difference:.2f}, "
                f"allowed +-{allowed:.2f}"
            )
        return "; ".join(broken)


@dataclass(frozen=True)
class Budget:
    """Behavioural strength of implementations, and the rule that reaches it.

    Attributes:
        kl: mean KL to the unedited model, nats, that every implementation is tuned to. The first of several is the
            reference, on which verdicts rest; the others show how the result depends on the strength.
        tolerance: how far from ``kl`` an implementation may end, relative, on the prompts that it is tuned on.
        by: "number": each draw is a random order of the pool, and as many of the first sites are replaced as it takes;
            a site that would jump over the target by itself is skipped. "scale": each draw is a random ``share`` of
            the pool, and all its sites are replaced in one part (scale); for models of few sites.
        share: part of the pool that is edited by "scale".
        max_draws: give up after this many times ``n`` draws.
    """

    kl: float | tuple[float, ...] = 0.01
    tolerance: float = 0.1
    by: Literal["number", "scale"] = "number"
    share: float = 0.5
    max_draws: int = 3

    def __post_init__(self) -> None:
        several = not isinstance(self.kl, str) and np.ndim(self.kl) > 0
        object.__setattr__(self, "kl", tuple(map(_number, self.kl)) if several else _number(self.kl))  # type: ignore[arg-type]
        if not self.kls or len(set(self.kls)) < len(self.kls):
            raise InputError(f"Budget: kl = {self.kl}: pass one KL, or several different ones")
        for kl in self.kls:
            if not (isinstance(kl, (int, float)) and math.isfinite(kl) and kl > 0):
                raise InputError(f"Budget: kl = {kl!r} must be a positive number of nats, such as 0.01")
        if not (isinstance(self.tolerance, (int, float)) and 0.001 <= self.tolerance <= 0.5):
            raise InputError(f"Budget: tolerance = {self.tolerance} must be a relative error between 0.001 and 0.5")
        if self.by not in ("number", "scale"):
            raise InputError(f"Budget: by = {self.by!r} must be 'number' or 'scale'")
        if not 0 < self.share <= 1:
            raise InputError(f"Budget: share = {self.share} must be in (0, 1]")
        if self.max_draws < 1:
            raise InputError(f"Budget: max_draws = {self.max_draws} must be at least 1")

    @property
    def kls(self) -> tuple[float, ...]:
        """All targets, the reference first."""
        return self.kl if isinstance(self.kl, tuple) else (self.kl,)


@dataclass(frozen=True)
class Method:
    """A finder or an intervention as data: its name, and its parameters as JSON data (None: not recorded)."""

    name: str
    parameters: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", None if self.parameters is None else plain(self.parameters))


@dataclass(frozen=True)
class Sampling:
    """Record of how the implementations of one fingerprint were made: the values in force, and what was not reached.

    None means that a value was not recorded, as by earlier versions, or that it does not apply: edits that were given
    have no budget.

    Attributes:
        source: "edits" of activations, or "weights" that were changed.
        finder: what ranked the sites.
        interventions: what edits write; the first found the circuit and is the reference.
        n, seed: admitted implementations asked for of each stratum; seed of every random stream.
        budget, gates: behavioural strength, and behaviour tolerance.
        min_accuracy: accuracy from which a model counts as capable of the task.
        circuit: digest of a circuit that was given instead of found.
        edits_of: digest of the fingerprint, or of the edits, that were made again instead of drawn.
        unreached: a sentence for each strength that no edit reaches.
        skipped: by stratum and number of the draw, the sites that would have jumped over the strength.
        given: names of the options that the caller passed, whose values are above; all others are defaults. It is no
            part of the digest: what is in force decides what a fingerprint is. None: not recorded.
    """

    source: Literal["edits", "weights"] = "edits"
    finder: Method | None = None
    interventions: tuple[Method, ...] = ()
    n: int | None = None
    seed: int | None = None
    budget: Budget | None = None
    gates: Gates | None = None
    min_accuracy: float | None = None
    circuit: str | None = None
    edits_of: str | None = None
    unreached: tuple[str, ...] = ()
    skipped: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    given: tuple[str, ...] | None = field(default=None, compare=False)

    @property
    def strength_rule(self) -> dict[str, Any]:
        """The rule that sets the strength: the budget without its targets, and without what the rule does not use."""
        if self.budget is None:
            return {}
        unused = {"kl", "max_draws"} | ({"share"} if self.budget.by == "number" or self.source == "weights" else set())
        return {key: value for key, value in dataclasses.asdict(self.budget).items() if key not in unused}

    def intervention_parameters(self, intervention: str) -> Mapping[str, Any] | None:
        """Return the parameters of the intervention of that name; None where they were not recorded."""
        return next((one.parameters for one in self.interventions if one.name == intervention), None)

    def facts(self) -> dict[str, Any]:
        """Return the record as flat JSON data, as reports and ``--json`` show it; what was not recorded is left out."""
        known = {one.name: one.parameters for one in self.interventions if one.parameters is not None}
        budget = {} if self.budget is None else dataclasses.asdict(self.budget) | {"kl": list(self.budget.kls)}
        if self.source == "weights":  # no pool to take a share of
            budget = {key: value for key, value in budget.items() if key in ("kl", "tolerance", "by")}
        data = {
            "source": self.source,
            "finder": None if self.finder is None else self.finder.name,
            "finder_parameters": None if self.finder is None else self.finder.parameters,
            "intervention": [one.name for one in self.interventions],
            "intervention_parameters": known or None,
            "n": self.n,
            "seed": self.seed,
            "budget": budget,
            "gates": None if self.gates is None else dataclasses.asdict(self.gates),
            "min_accuracy": self.min_accuracy,
            "circuit": self.circuit,
            "edits_of": self.edits_of,
            "unreached": list(self.unreached),
            "skipped": {kind: {str(i): list(sites) for i, sites in draws.items()}
                        for kind, draws in self.skipped.items()},
            "given": None if self.given is None else list(self.given),
        }  # fmt: skip
        return {key: value for key, value in data.items() if value is not None}


def _number(value: object) -> object:
    """A NumPy number as a plain one, so that it compares and is stored like one."""
    return value.item() if isinstance(value, np.generic) else value
