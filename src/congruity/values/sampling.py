"""How implementations are sampled: behavioural strength, and the limits inside which behaviour counts as kept."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from congruity.errors import InputError
from congruity.values.circuit import Behaviour


@dataclass(frozen=True)
class Gates:
    """Limits inside which an edited model counts as behaving like the unedited one. All that are set must hold.

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
    """How strong implementations are, and how that is reached.

    Attributes:
        kl: mean KL to the unedited model, nats, that every implementation is tuned to; of several, the first is the
            reference, on which verdicts rest, and the others show how it depends on the strength.
        tolerance: how far from ``kl`` an implementation may end, relative, on the prompts that it is tuned on.
        by: "number": each draw is a random order of the pool, and as many of the first sites are replaced as it takes;
            a site that would jump over the target by itself is skipped. "scale": each draw is a random ``share`` of
            the pool, and all its sites go a common part of the way; for models of few sites.
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


def _number(value: object) -> object:
    """A NumPy number as a plain one, so that it compares and is stored like one."""
    return value.item() if isinstance(value, np.generic) else value
