"""Make the fingerprint of one model: prepare, find the circuit, sample implementations, represent each of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.clock import Clock
from congruity._base.progress import Progress, silent
from congruity._base.versions import versions
from congruity.errors import NotApplicableError
from congruity.protocols import Model, Task
from congruity.sampling.circuit import find_circuit
from congruity.sampling.implementations import Measured, Sampler
from congruity.sampling.prepare import PreparedModel, prepare
from congruity.sampling.recipe import SamplingRecipe
from congruity.sampling.representation import represent
from congruity.values import Circuit, Fingerprint, Implementation, Stratum


def make_fingerprint(
    task: Task, model: Model, recipe: SamplingRecipe, *, progress: Progress = silent, clock: Clock | None = None
) -> Fingerprint:
    """Make the fingerprint of a loaded model; see `congruity.fingerprint` for what it raises."""
    clock, earlier = clock or Clock(), recipe.extend
    recipe.require_sites(model)
    prepared = prepare(
        task, model, recipe.interventions[0], seed=recipe.seed, clock=clock,
        checks=None if earlier is None else earlier.checks, read=True,
    )  # fmt: skip
    if recipe.require_task:
        prepared.require_capable()
    recipe = recipe.in_force(capable=prepared.capable)
    with clock("circuit"):
        recipe.require_extends(model, prepared.queries)
        circuit = recipe.circuit if earlier is None else earlier.circuit
        if circuit is None:
            circuit = find_circuit(
                prepared, finder=recipe.finder, intervention=recipe.interventions[0], gates=recipe.gates,
                progress=progress,
            )  # fmt: skip
    with clock("implementations"):
        drawn = _Drawn.after(earlier, prepared)
        drawn.sample(prepared, circuit, recipe, progress)
    clock.flops += drawn.flops
    return drawn.assembled(prepared, circuit, recipe)


@dataclass
class _Drawn:
    """The implementations drawn so far, the Gram matrices of admitted ones, and what the sampler could not do."""

    prepared: PreparedModel
    made: list[Implementation] = field(default_factory=list)
    grams: list[Floats] = field(default_factory=list)
    unreached: list[str] = field(default_factory=list)
    skipped: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    flops: float = 0.0

    @classmethod
    def after(cls, earlier: Fingerprint | None, prepared: PreparedModel) -> _Drawn:
        """Begin with the implementations of an earlier fingerprint, if there is one."""
        if earlier is None:
            return cls(prepared)
        skipped = {kind: dict(draws) for kind, draws in earlier.sampling.skipped.items()}
        return cls(prepared, [*earlier.implementations], [*earlier.grams], skipped=skipped)

    def sample(self, prepared: PreparedModel, circuit: Circuit, recipe: SamplingRecipe, progress: Progress) -> None:
        """Draw, or repeat, the implementations of every intervention and strength of the recipe."""
        for intervention in recipe.interventions:
            if intervention is not recipe.interventions[0]:
                self.flops += prepared.bound.flops
                prepared = prepared.rebound(intervention)
            sampler = Sampler(prepared, circuit, recipe, intervention, progress)
            if recipe.edits is not None:
                self._keep(sampler.repeat([edit for edit in recipe.edits if edit.intervention == intervention.name]))
                continue
            reach = sampler.reach()
            for kl in recipe.budget.kls:
                stratum = Stratum(intervention.name, kl)
                if trouble := sampler.unreachable(kl, reach):
                    self.unreached.append(f"{stratum}: {trouble}")
                    if intervention is not recipe.interventions[0] or kl != recipe.budget.kls[0]:
                        continue
                    stratum, recipe = self._of_control(stratum, recipe, reach, trouble)
                    sampler = dataclasses.replace(sampler, recipe=recipe)
                self._draw(sampler, stratum)
        self.flops += prepared.bound.flops

    def _of_control(
        self, stratum: Stratum, recipe: SamplingRecipe, reach: float, trouble: str
    ) -> tuple[Stratum, SamplingRecipe]:
        """Return a strength that a control reaches, a quarter of the largest, by scale: by number takes many tries."""
        kl = float(f"{reach / 4:.1g}")
        if self.prepared.capable or kl <= 0:
            raise NotApplicableError(f"{self.prepared.model.card.name}: {trouble}")
        budget = dataclasses.replace(recipe.budget, by="scale")
        return dataclasses.replace(stratum, kl=kl), dataclasses.replace(recipe, budget=budget)

    def _draw(self, sampler: Sampler, stratum: Stratum) -> None:
        assert stratum.kl is not None
        known, skipped = [item for item in self.made if item.stratum == stratum], dict[int, list[str]]()
        self._keep(sampler.draw(stratum.kl, known, skipped))
        now = {str(index): tuple(sites) for index, sites in skipped.items()}
        if now:
            self.skipped[str(stratum)] = self.skipped.get(str(stratum), {}) | now

    def _keep(self, measured: Iterable[Measured]) -> None:
        for item, outputs in measured:
            self.made.append(item)
            if item.admitted:
                self.grams.append(represent(outputs, self.prepared.queries, model=self.prepared.model.card.name).gram)

    def assembled(self, prepared: PreparedModel, circuit: Circuit, recipe: SamplingRecipe) -> Fingerprint:
        """Return the fingerprint of what was drawn."""
        clean = represent(prepared.unedited, prepared.queries, model=prepared.model.card.name)
        skipped: Mapping[str, Mapping[str, tuple[str, ...]]] = self.skipped
        return Fingerprint(
            model=prepared.model.card,
            queries=prepared.queries,
            layers=clean.layers,
            scaling=clean.scaling,
            accuracy=prepared.accuracy,
            unedited=prepared.unedited.behaviour(prepared.parts.report),
            capable=prepared.capable,
            circuit=circuit,
            implementations=tuple(self.made),
            grams=stacked(self.grams),
            clean_gram=clean.gram,
            checks=prepared.checks,
            sampling=recipe.record(self.unreached, skipped),
            versions=versions(),
        )


def stacked(grams: list[Floats]) -> Floats:
    """Stack matrices (m, m) into (N, m, m) and free each one on the way, so that they are never in memory twice."""
    out: Floats = np.empty((len(grams), *grams[0].shape))
    for i in range(len(grams)):
        out[i] = grams[i]
        grams[i] = out[i]
    return out
