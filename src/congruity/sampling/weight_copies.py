"""Implementations from weights: changed copies of a model, drawn at a given behavioural strength.

A second source of implementations beside edits of activations. Noise in the weights moves every layer a little.
Permuting heads and neurons, or rotating the residual stream, changes weights and nothing that a Gram matrix sees: as
implementations they are all the model itself, and show that the machinery calls them so.
"""

from __future__ import annotations

import gc

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity._base.versions import versions
from congruity.errors import InputError, NotApplicableError
from congruity.protocols import Intervention, Model, Task
from congruity.sampling.prepare import loaded, split
from congruity.sampling.representation import represent
from congruity.sampling.strength import ByScale
from congruity.values import (
    MIN_ACCURACY,
    Budget,
    Circuit,
    Edit,
    Fingerprint,
    Gates,
    Implementation,
    Outputs,
    Queries,
    Scores,
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
    """Return a fingerprint whose implementations are copies of a model with changed weights.

    Args:
        task: what is computed.
        name: a model that `load_model` finds by name or path, as every copy is loaded anew.
        intervention: what models are bound with; nothing is edited.
        kind: "noise" (normal, relative to each matrix's standard deviation, its amount tuned to ``kl``), "permute" or
            "rotate" (see `congruity.models.reparametrise`; their KL is 0 and not tuned).
        n: copies; each has a noise, permutation or rotation of its own.
        kl, tolerance: mean KL to the model, nats, and how far from it a copy may end, relative, on tuning prompts.
        seed: of the random streams, one a copy, which name the model too.
        gates: limits inside which behaviour counts as kept, on prompts that tuned nothing.

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
    Budget(kl=kl, tolerance=tolerance)  # refuses what makes no sense
    model = loaded(name)
    examples = task.examples(model.single_token)
    bound = model.bind(examples, intervention)
    unedited, original = next(bound.run([None], read=True)), bound.log_probs().double().numpy()
    card, sites = model.card, model.sites
    del model, bound
    parts = split(examples.ids, seed)
    queries = Queries(examples.task, examples.digest, examples.ids)
    accuracy = float((unedited.logit_difference > 0).mean())
    gates = (gates or Gates()) if accuracy >= MIN_ACCURACY else (gates or Gates()).kl_only()

    def run(amount: float, index: int) -> Outputs:
        gc.collect()  # one copy at a time
        number = int(stream(seed, "copies", card.digest, kind, index).integers(1, 2**31))
        change = f"{kind}={amount!r}:{number}" if kind == "noise" else f"{kind}:{number}"
        copy: Model = loaded(f"{name}+{change}")
        there = copy.bind(examples, intervention)
        outputs = next(there.run([None], read=True))
        return Outputs(
            outputs.logit_difference, kl_of_rows(original, there.log_probs().double().numpy()), outputs.layers
        )

    clean = represent(unedited, queries, model=card.name)
    made: list[Implementation] = []
    grams: list[Floats] = []
    for index in range(3 * n):
        search = ByScale((), f"weight-{kind}", start=_FIRST_NOISE if kind == "noise" else 1.0).towards(kl, tolerance)
        outputs = run(search.edit.scale, index)
        while kind == "noise":
            search.tell(outputs.behaviour(parts.choose))
            if search.finished:
                break
            outputs = run(search.edit.scale, index)
        found = outputs.behaviour(parts.report)
        reason = search.trouble or gates.refusal(found, unedited.behaviour(parts.report))
        target = kl if kind == "noise" else None
        tuned = outputs.behaviour(parts.choose).kl if kind == "noise" else None
        edit = Edit((), f"weight-{kind}", search.edit.scale)
        made.append(Implementation(card.base, edit, found, not reason, reason, target, tuned, index))
        if not reason:
            grams.append(represent(outputs, queries, model=card.name).gram)
        progress(f"copies by {kind}", len(grams), n)
        if len(grams) == n:
            break
    else:
        raise NotApplicableError(
            f"{name}: only {len(grams)} of {3 * n} copies by {kind} have KL {kl:g} and keep the behaviour, {n} were "
            f"asked for (last refusal: {next(i.reason for i in reversed(made) if i.reason)})"
        )
    nothing = Scores("none", sites, np.zeros(len(sites)), np.zeros(len(sites)), 0)
    return Fingerprint(
        model=card,
        queries=queries,
        layers=clean.layers,
        scaling=clean.scaling,
        accuracy=accuracy,
        unedited=unedited.behaviour(parts.report),
        capable=accuracy >= MIN_ACCURACY,
        circuit=Circuit((), sites, nothing, 0.0, unedited.behaviour(parts.report), ()),
        implementations=tuple(made),
        grams=np.stack(grams),
        clean_gram=clean.gram,
        checks=(),
        settings={
            "finder": "none",
            "intervention": [f"weight-{kind}"],
            "n": n,
            "seed": seed,
            "budget": {"kl": [kl], "tolerance": tolerance, "by": "scale"} if kind == "noise" else {},
        },
        versions=versions(),
    )


def kl_of_rows(original: Floats, other: Floats) -> Floats:
    """Return KL(original || other) a row, nats, from log-probabilities (n, vocabulary)."""
    divergence: Floats = (np.exp(original) * (original - other)).sum(axis=1)
    return np.maximum(divergence, 0.0)
