"""Sample implementations: edits outside the circuit, each tuned to one behavioural strength (KL to the unedited model).

Strength separates two sets of implementations as well as a change of model does, so it is set and not left to chance.
Each draw is tuned to one KL on prompts that measure nothing afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from congruity._base.digest import digest
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.errors import NotApplicableError
from congruity.protocols import BoundModel, Intervention
from congruity.sampling.prepare import PreparedModel
from congruity.sampling.recipe import SamplingRecipe
from congruity.sampling.strength import ByNumber, ByScale, Search
from congruity.values import Budget, Circuit, Edit, Implementation, Outputs, Site

_STACK = 10  # edits measured together

Measured = tuple[Implementation, Outputs]  # an implementation, and what it computes on all prompts


@dataclass(frozen=True)
class Sampler:
    """Draw implementations of one prepared model by one intervention.

    Attributes:
        prepared: the model, bound to the intervention.
        circuit: edits are drawn from its pool.
        recipe: how many, of which seed, by which budget and gates.
        intervention: what an edit writes.
        progress: called with the number of admitted implementations.
    """

    prepared: PreparedModel
    circuit: Circuit
    recipe: SamplingRecipe
    intervention: Intervention
    progress: Progress = silent

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.prepared.model.card.name

    def reach(self) -> float:
        """Return the KL with the whole pool edited, on the tuning prompts: about the largest KL that can be asked for.

        Unit: nats.
        """
        bound, rows = self.prepared.bound, self.prepared.parts.choose
        return next(iter(bound.run([Edit(self.circuit.pool, self.intervention.name)], rows=rows))).behaviour().kl

    def unreachable(self, kl: float, reach: float) -> str:
        """Return why ``kl`` cannot be reached where the whole pool gives ``reach``, or an empty string."""
        if reach >= kl * (1 - self.recipe.budget.tolerance):
            return ""
        return (
            f"a KL of {kl:g} nats is above what all edits together reach: {self.intervention.name} at all "
            f"{len(self.circuit.pool)} sites outside the circuit gives {reach:.2g}; ask for less"
        )

    def draw(
        self, kl: float, known: Sequence[Implementation] = (), skipped: dict[int, list[str]] | None = None
    ) -> Iterator[Measured]:
        """Yield measured implementations of strength ``kl`` until n are admitted, ``known`` ones included.

        Each draw is tuned on ``parts.choose``, and measured and held to the gates on ``parts.report``. A refused
        implementation is yielded too, with the reason. Where the strength was not reached, its behaviour is that on the
        tuning prompts.

        Args:
            kl: behavioural strength, nats.
            known: the first draws of the same seed, which are not run again.
            skipped: filled with the sites that would have jumped over the strength, by number of the draw.

        Raises:
            NotApplicableError: fewer than n of ``budget.max_draws * n`` draws reached ``kl`` inside the gates.
        """
        state = _Count.of(known)
        n, most = self.recipe.n, self.recipe.budget.max_draws * self.recipe.n
        while state.admitted < n and state.drawn < most:
            indices = range(state.drawn, state.drawn + min(_STACK, n - state.admitted, most - state.drawn))
            state.drawn += len(indices)
            searches = dict(zip(indices, (self._search(i, kl) for i in indices), strict=True))
            _tune(self.prepared.bound, list(searches.values()), self.prepared.parts.choose)
            if skipped is not None:
                skipped |= {i: [str(site) for site in one.skipped] for i, one in searches.items() if one.skipped}
            for item, outputs in self._measured(kl, state.new(searches)):
                state.count(item)
                yield item, outputs
            self.progress(f"implementations at KL {kl:g}", state.admitted, n)
        if state.admitted < n:
            raise self._too_few(kl, state)

    def repeat(self, edits: Sequence[Edit]) -> Iterator[Measured]:
        """Yield given edits made in this model (paired masks); all are admitted, whatever their behaviour is."""
        runs = self.prepared.bound.run(edits, scored=self.prepared.parts.report, read=True)
        for done, (edit, outputs) in enumerate(zip(edits, runs, strict=True), start=1):
            yield Implementation(self.prepared.model.card.base, edit, outputs.behaviour(), admitted=True), outputs
            self.progress("paired implementations", done, len(edits))

    def _search(self, index: int, kl: float) -> Search:
        order = site_order(self.circuit, index, model=self.prepared.model.card.digest, seed=self.recipe.seed)
        return search(order, kl, budget=self.recipe.budget, intervention=self.intervention)

    def _measured(self, kl: float, searches: dict[Edit, tuple[int, Search]]) -> Iterator[Measured]:
        """Yield each edit that was found, measured on prompts that did not tune it, and held to the gates."""
        rows, unedited = self.prepared.parts.report, self.prepared.unedited
        reached = [edit for edit, (_, search) in searches.items() if not search.trouble]
        runs = self.prepared.bound.run(reached, scored=rows, read=True)
        clean = unedited.behaviour(rows)
        for edit, (index, search) in searches.items():
            outputs = unedited if search.trouble else next(runs)
            found = search.behaviour if search.trouble else outputs.behaviour()
            reason = search.trouble or self.recipe.gates.refusal(found, clean)
            base = self.prepared.model.card.base
            yield Implementation(base, edit, found, not reason, reason, kl, search.behaviour.kl, index), outputs

    def _too_few(self, kl: float, state: _Count) -> NotApplicableError:
        why = f"last refusal: {state.refusal}" if state.refusal else "all others were repeats"
        advice = "widen the gates" if state.refusal else "edit another share of the pool"
        other = "tune by='scale'" if self.recipe.budget.by == "number" else "tune by='number'"
        return NotApplicableError(
            f"{self.model}: only {state.admitted} of {state.drawn} draws have KL {kl:g} and keep the behaviour, "
            f"{self.recipe.n} were asked for ({why}); ask for another KL or for fewer, {advice}, or {other}"
        )


@dataclass
class _Count:
    """How many implementations were drawn and admitted, and which edits there are already."""

    admitted: int = 0
    drawn: int = 0
    refusal: str = ""
    seen: set[tuple[frozenset[Site], str]] = field(default_factory=set)

    @classmethod
    def of(cls, known: Sequence[Implementation]) -> _Count:
        drawn = max((item.index + 1 for item in known if item.index is not None), default=0)
        return cls(sum(item.admitted for item in known), drawn, "", {_key(item.edit) for item in known})

    def new(self, searches: dict[int, Search]) -> dict[Edit, tuple[int, Search]]:
        """Return the edits that were not there before, each with the number of its draw: an edit counts once."""
        unique: dict[Edit, tuple[int, Search]] = {}
        for index, one in searches.items():
            edit = one.ask()
            if _key(edit) not in self.seen:
                unique[edit] = index, one
                self.seen.add(_key(edit))
        return unique

    def count(self, item: Implementation) -> None:
        self.admitted += item.admitted
        self.refusal = item.reason or self.refusal


def site_order(circuit: Circuit, index: int, *, model: str, seed: int) -> list[Site]:
    """Return the order of the pool of draw ``index``, from a random stream named by model, draw and pool.

    The stream names the ``model`` (its digest): two sides with pools of one size would otherwise draw the same orders,
    and paired sets are not independent. It names a narrowed pool, for the same reason. It names neither target nor
    intervention, so that draw ``index`` is one random path through the sites at every strength and by every
    intervention. Sides that differ in strength or intervention alone must take different draws to be independent.
    """
    part = () if len(circuit.pool) + len(circuit.sites) == len(circuit.scores.sites) else (digest(circuit.pool),)
    order = stream(seed, "implement", model, index, *part).permutation(len(circuit.pool))
    return [circuit.pool[i] for i in order]


def search(order: Sequence[Site], kl: float, *, budget: Budget, intervention: Intervention) -> Search:
    """Return the search for strength ``kl`` along an order of the pool, by number or by scale as the budget says."""
    if budget.by == "scale":
        share = order[: max(1, round(budget.share * len(order)))]
        return ByScale(share, intervention.name, kl=kl, tolerance=budget.tolerance)
    return ByNumber(order, intervention.name, kl=kl, tolerance=budget.tolerance)


def masks(circuit: Circuit, n: int, *, intervention: Intervention, seed: int) -> list[Edit]:
    """Return ``n`` random edits of different strength, each of a tenth to six tenths of the pool, for paired masks.

    Responses of two models agree or not over edits that differ in strength; edits that are tuned to one strength differ
    in little else than noise.
    """
    edits = []
    for index in range(n):
        random = stream(seed, "masks", index)
        size = max(1, round(random.uniform(0.1, 0.6) * len(circuit.pool)))
        chosen = np.sort(random.choice(len(circuit.pool), size=size, replace=False))
        edits.append(Edit(tuple(circuit.pool[i] for i in chosen), intervention.name))
    return edits


def _tune(bound: BoundModel, searches: Sequence[Search], rows: NDArray[np.intp]) -> None:
    """Run all searches in step, one edit of each search a round, so that a round is one batch."""
    while waiting := [one for one in searches if not one.finished]:
        for one, outputs in zip(waiting, bound.run([one.ask() for one in waiting], rows=rows), strict=True):
            one.tell(outputs.behaviour())


def _key(edit: Edit) -> tuple[frozenset[Site], str]:
    """Return what makes an edit another one; the scale follows from the sites, up to rounding."""
    return frozenset(edit.sites), edit.intervention
