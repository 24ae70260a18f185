"""Sample implementations: replace random parts of what does not matter, measure each, admit or refuse it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from congruity._random import stream
from congruity.errors import InputError, NotApplicableError
from congruity.protocols import BoundModel, Intervention, Model, Progress
from congruity.values import Behaviour, Circuit, Edit, Gates, Implementation, Outputs

_STACK = 10  # edits measured together


@dataclass(frozen=True)
class Budget:
    """How implementations are drawn.

    Attributes:
        share: part of the pool that each implementation replaces; every one is an independent draw of that size.
        max_draws: give up after this many times ``n`` draws.
    """

    share: float = 0.5
    max_draws: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError(f"Budget: share = {self.share} must be in (0, 1]")
        if self.max_draws < 1:
            raise InputError(f"Budget: max_draws = {self.max_draws} must be at least 1")


def edit_size(circuit: Circuit, budget: Budget) -> int:
    """Return how many sites of the pool each implementation replaces."""
    return max(1, round(budget.share * len(circuit.pool)))


def draw(circuit: Circuit, index: int, *, model: str, budget: Budget, intervention: Intervention, seed: int) -> Edit:
    """Return the edit of draw ``index``: a uniform subset of the pool, from its own named stream.

    The stream also names the ``model`` (its digest): two sides with pools of one size would otherwise draw the same
    subsets, and paired sets are not independent.
    """
    size = edit_size(circuit, budget)
    chosen = stream(seed, "implement", model, index).choice(len(circuit.pool), size=size, replace=False)
    return Edit(tuple(circuit.pool[i] for i in np.sort(chosen)), intervention.name)


def implementations(
    model: Model,
    bound: BoundModel,
    circuit: Circuit,
    *,
    n: int,
    intervention: Intervention,
    budget: Budget,
    gates: Gates,
    unedited: Outputs,
    measured: NDArray[np.intp],
    seed: int,
    progress: Progress,
    known: tuple[Implementation, ...] = (),
) -> Iterator[tuple[Implementation, Outputs]]:
    """Yield measured implementations with their recorded layers until ``n`` were admitted, ``known`` ones included.

    Behaviour is measured on the rows ``measured``, which ranked nothing. Known ones are not run again: they are the
    first draws of the same seed.

    Raises:
        NotApplicableError: fewer than ``n`` of ``budget.max_draws * n`` draws stayed inside the gates.
    """
    clean = unedited.behaviour(measured)
    possible = math.comb(len(circuit.pool), edit_size(circuit, budget))
    if possible < 2 * n:
        raise NotApplicableError(
            f"{model.card.name}: replacing {edit_size(circuit, budget)} of {len(circuit.pool)} pool sites "
            f"gives {possible} different implementations, too few for {n} independent draws; ask for fewer or change "
            "the share"
        )
    seen = {item.edit for item in known}
    admitted, drawn = sum(item.admitted for item in known), 0
    reasons: list[str] = []
    while admitted < n and drawn < budget.max_draws * n:
        size = min(_STACK, n - admitted, budget.max_draws * n - drawn)
        edits = [
            draw(circuit, i, model=model.card.digest, budget=budget, intervention=intervention, seed=seed)
            for i in range(drawn, drawn + size)
        ]
        drawn += size
        edits = [edit for edit in dict.fromkeys(edits) if edit not in seen]  # an implementation counts once
        seen.update(edits)
        for edit, outputs in zip(edits, bound.run(edits, scored=measured, read=True), strict=True):
            item = _judge(model, edit, outputs.behaviour(), clean, gates)
            admitted += item.admitted
            if not item.admitted:
                reasons.append(item.reason)
            yield item, outputs
        progress("implementations", admitted, n)
    if admitted < n:
        why = f"last refusal: {reasons[-1]}" if reasons else "all others were repeats"
        raise NotApplicableError(
            f"{model.card.name}: only {admitted} of {drawn} draws keep the behaviour, {n} were asked for "
            f"({why}); lower the share replaced ({budget.share:g}), widen the gates "
            "or ask for fewer"
        )


def _judge(model: Model, edit: Edit, edited: Behaviour, clean: Behaviour, gates: Gates) -> Implementation:
    reason = gates.refusal(edited, clean)
    return Implementation(model.card.base, edit, edited, admitted=not reason, reason=reason)
