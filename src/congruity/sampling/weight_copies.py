"""Make implementations from changed weights: copies of a model at one behavioural strength.

Weights are a second source of implementations beside edits of activations. Noise in the weights changes every layer a
little. Permuting heads and neurons, or rotating the residual stream, changes weights and nothing that a Gram matrix
sees: as implementations these copies equal the model, which tests the machinery.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity._base.versions import versions
from congruity.errors import InputError, NotApplicableError
from congruity.protocols import Intervention, Model, Task
from congruity.sampling.fingerprint import stacked
from congruity.sampling.prepare import Split, UneditedRun, loaded, split
from congruity.sampling.representation import represent
from congruity.sampling.strength import ByScale
from congruity.values import (
    MIN_ACCURACY,
    Behaviour,
    Budget,
    Circuit,
    Examples,
    Fingerprint,
    Gates,
    Implementation,
    Method,
    ModelCard,
    Outputs,
    Sampling,
    Scores,
    Site,
)

KINDS = ("noise", "permute", "rotate")
_FIRST_NOISE = 0.01


def fingerprint_of_copies(
    task: Task,
    name: str,
    *,
    intervention: Intervention,
    kind: str = "noise",
    n: int = 10,
    kl: float = 0.01,
    tolerance: float = 0.1,
    seed: int = 0,
    gates: Gates | None = None,
    progress: Progress = silent,
) -> Fingerprint:
    """Make a fingerprint whose implementations are copies of a model with changed weights.

    Args:
        task: the prompts.
        name: a model that `load_model` finds by name or path, as every copy is loaded anew.
        intervention: what models are bound with; no site is edited.
        kind: "noise" (normal, relative to each matrix's standard deviation, its amount tuned to ``kl``), "permute" or
            "rotate" (see `congruity.models.reparametrise`; their KL is 0 and not tuned).
        n: copies; each has a noise, permutation or rotation of its own.
        kl, tolerance: mean KL to the model, nats, and how far from it a copy may end, relative, on tuning prompts.
        seed: of the random streams, one a copy, which name the model too.
        gates: behaviour tolerance, on prompts that tuned nothing.
        progress: called with the number of copies made.

    Raises:
        InputError: an unknown kind, or fewer than two copies.
        NotApplicableError: fewer than ``n`` of 3 n draws reached ``kl`` inside the gates.

    >>> import congruity as cg
    >>> from congruity.interventions import Resample
    >>> made = fingerprint_of_copies(cg.tasks.ioi(), "smollm2-135m", intervention=Resample())  # doctest: +SKIP
    """
    if kind not in KINDS:
        raise InputError(f"copies: kind is {kind!r}; choose from {', '.join(KINDS)}")
    if not isinstance(n, int) or n < 2:
        raise InputError(f"copies: n = {n} implementations cannot be compared with each other; ask for at least 2")
    if "+" in name:
        raise InputError(f"copies: {name} is a changed copy already; name the model itself")
    budget = Budget(kl=kl, tolerance=tolerance, by="scale")
    original = _Original.of(task, name, intervention, seed)
    gates = gates or Gates()
    sampling = Sampling(
        source="weights",
        finder=Method("none"),
        interventions=(Method(f"weight-{kind}"),),
        n=n,
        seed=seed,
        budget=budget if kind == "noise" else None,
        gates=gates if original.capable else gates.kl_only(),
        min_accuracy=MIN_ACCURACY,
    )
    copies = _Copies(original, kind, kl, sampling)
    made: list[Implementation] = []
    grams: list[Floats] = []
    for index in range(3 * n):
        item, outputs = copies.draw(index)
        made.append(item)
        if item.admitted:
            grams.append(represent(outputs, original.queries, model=original.card.name).gram)
        progress(f"copies by {kind}", len(grams), n)
        if len(grams) == n:
            return original.fingerprint(made, grams, sampling)
    raise NotApplicableError(
        f"{name}: only {len(grams)} of {3 * n} copies by {kind} have KL {kl:g} and keep the behaviour, {n} were "
        f"asked for (last refusal: {next(i.reason for i in reversed(made) if i.reason)})"
    )


@dataclass(frozen=True)
class _Original(UneditedRun):
    """The unchanged model on the prompts: its outputs, and what every copy is bound with. The model itself is let go.

    Attributes:
        log_probs: (n, vocabulary) log-probabilities at the answer position.
    """

    name: str
    card: ModelCard
    sites: tuple[Site, ...]
    examples: Examples
    intervention: Intervention
    unedited: Outputs
    log_probs: Floats
    parts: Split
    seed: int

    @classmethod
    def of(cls, task: Task, name: str, intervention: Intervention, seed: int) -> _Original:
        model = loaded(name)
        examples = task.examples(model.single_token)
        bound = model.bind(examples, intervention)
        unedited, log_probs = next(bound.run([None], read=True)), bound.log_probs().double().numpy()
        parts = split(examples.ids, seed)
        return cls(name, model.card, model.sites, examples, intervention, unedited, log_probs, parts, seed)

    def fingerprint(self, made: list[Implementation], grams: list[Floats], sampling: Sampling) -> Fingerprint:
        """Return the fingerprint of copies; its circuit is empty, as no site was ranked."""
        clean, behaviour = represent(self.unedited, self.queries, model=self.card.name), self._behaviour()
        nothing = Scores("none", self.sites, np.zeros(len(self.sites)), np.zeros(len(self.sites)), 0)
        return Fingerprint(
            model=self.card,
            queries=self.queries,
            layers=clean.layers,
            scaling=clean.scaling,
            accuracy=self.accuracy,
            unedited=behaviour,
            capable=self.capable,
            circuit=Circuit((), self.sites, nothing, 0.0, behaviour, ()),
            implementations=tuple(made),
            grams=stacked(grams),
            clean_gram=clean.gram,
            checks=(),
            sampling=sampling,
            versions=versions(),
        )

    def _behaviour(self) -> Behaviour:
        return self.unedited.behaviour(self.parts.report)


@dataclass(frozen=True)
class _Copies:
    """Draws copies of one kind."""

    original: _Original
    kind: str
    kl: float
    sampling: Sampling

    def draw(self, index: int) -> tuple[Implementation, Outputs]:
        """Return copy ``index``, tuned to the KL if it is noise, measured on other prompts and held to the gates."""
        original, tuned = self.original, self.kind == "noise"
        search = ByScale(
            (), f"weight-{self.kind}", kl=self.kl, tolerance=self._tolerance,
            start=_FIRST_NOISE if tuned else 1.0,
        )  # fmt: skip
        outputs = self._run(search.ask().scale, index)
        while tuned:
            search.tell(outputs.behaviour(original.parts.choose))
            if search.finished:
                break
            outputs = self._run(search.ask().scale, index)
        report = original.parts.report
        found = outputs.behaviour(report)
        assert self.sampling.gates is not None
        reason = search.trouble or self.sampling.gates.refusal(found, original.unedited.behaviour(report))
        reached = outputs.behaviour(original.parts.choose).kl if tuned else None
        target = self.kl if tuned else None
        item = Implementation(original.card.base, search.ask(), found, not reason, reason, target, reached, index)
        return item, outputs

    @property
    def _tolerance(self) -> float:
        return Budget().tolerance if self.sampling.budget is None else self.sampling.budget.tolerance

    def _run(self, amount: float, index: int) -> Outputs:
        """Load the copy and return its outputs on all prompts, with the KL to the unchanged model."""
        gc.collect()  # one copy at a time
        original = self.original
        labels = ("copies", original.card.digest, self.kind, index)
        number = int(stream(original.seed, *labels).integers(1, 2**31))
        change = f"{self.kind}={amount!r}:{number}" if self.kind == "noise" else f"{self.kind}:{number}"
        copy: Model = loaded(f"{original.name}+{change}")
        there = copy.bind(original.examples, original.intervention)
        outputs = next(there.run([None], read=True))
        kl = kl_of_rows(original.log_probs, there.log_probs().double().numpy())
        return Outputs(outputs.logit_difference, kl, outputs.layers)


def kl_of_rows(original: Floats, other: Floats) -> Floats:
    """Return KL(original || other) a row, nats, from log-probabilities (n, vocabulary)."""
    divergence: Floats = (np.exp(original) * (original - other)).sum(axis=1)
    return np.maximum(divergence, 0.0)
