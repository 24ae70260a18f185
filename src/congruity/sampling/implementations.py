"""Sample implementations at a given behavioural strength: edit what does not matter until the output moves so far.

How strongly a model is edited separates two sets of implementations as well as a change of model does, so strength is
set and not left to chance: each draw is tuned to one KL divergence from the unedited model, on prompts that measure
nothing afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from congruity._base.digest import digest
from congruity._base.progress import Progress
from congruity._base.streams import stream
from congruity.errors import NotApplicableError
from congruity.protocols import BoundModel, Intervention, Model
from congruity.sampling.strength import ByNumber, ByScale, Search
from congruity.values import Budget, Circuit, Edit, Gates, Implementation, Outputs, Site

_STACK = 10  # edits measured together


def draw(circuit: Circuit, index: int, *, model: str, budget: Budget, intervention: Intervention, seed: int) -> Search:
    """Return the search for the strength of draw ``index``, whose order of the pool comes from its own named stream.

    The stream also names the ``model`` (its digest): two sides with pools of one size would otherwise draw the same
    orders, and paired sets are not independent; so would two parts of one pool, which are named too. It names neither
    target nor intervention, so that draw ``index`` is one random path through the sites, at every strength and whatever
    is written: sides that differ in these alone must take different draws to be independent.
    """
    part = () if len(circuit.pool) + len(circuit.sites) == len(circuit.scores.sites) else (digest(circuit.pool),)
    order = [circuit.pool[i] for i in stream(seed, "implement", model, index, *part).permutation(len(circuit.pool))]
    if budget.by == "scale":
        return ByScale(order[: max(1, round(budget.share * len(order)))], intervention.name)
    return ByNumber(order, intervention.name)


def implementations(
    model: Model,
    bound: BoundModel,
    circuit: Circuit,
    *,
    n: int,
    kl: float,
    intervention: Intervention,
    budget: Budget,
    gates: Gates,
    unedited: Outputs,
    tuned: NDArray[np.intp],
    measured: NDArray[np.intp],
    seed: int,
    progress: Progress,
    known: Sequence[Implementation] = (),
    skipped: dict[int, list[str]] | None = None,
) -> Iterator[tuple[Implementation, Outputs]]:
    """Yield measured implementations of strength ``kl`` until ``n`` were admitted, ``known`` ones included.

    Each is tuned on the rows ``tuned``, then measured, and judged by the gates, on ``measured``; neither ranked a site.
    Known ones are not run again: they are the first draws of the same seed. Refused ones are yielded too, with the
    reason; where the strength was not reached, with what they do on ``tuned``. ``skipped`` is told, for each draw, the
    sites that would have jumped over the strength.

    Raises:
        NotApplicableError: fewer than ``n`` of ``budget.max_draws * n`` draws reached ``kl`` inside the gates.
    """
    clean = unedited.behaviour(measured)
    stage = f"implementations at KL {kl:g}"
    seen = {_key(item.edit) for item in known}
    admitted = sum(item.admitted for item in known)
    drawn = max((item.index + 1 for item in known if item.index is not None), default=0)
    reasons: list[str] = []
    while admitted < n and drawn < budget.max_draws * n:
        indices = range(drawn, drawn + min(_STACK, n - admitted, budget.max_draws * n - drawn))
        drawn += len(indices)
        searches = [
            draw(circuit, i, model=model.card.digest, budget=budget, intervention=intervention, seed=seed).towards(
                kl, budget.tolerance
            )
            for i in indices
        ]
        _tune(bound, searches, tuned)
        unique: dict[Edit, tuple[int, Search]] = {}
        for index, search in zip(indices, searches, strict=True):
            if _key(search.edit) not in seen:  # an implementation counts once
                unique[search.edit] = index, search
                seen.add(_key(search.edit))
            if skipped is not None and search.skipped:
                skipped[index] = [str(site) for site in search.skipped]
        good = [edit for edit, (_, search) in unique.items() if not search.trouble]
        runs = bound.run(good, scored=measured, read=True)
        for edit, (index, search) in unique.items():
            outputs = unedited if search.trouble else next(runs)
            found = search.behaviour if search.trouble else outputs.behaviour()
            reason = search.trouble or gates.refusal(found, clean)
            admitted += not reason
            reasons += [reason] if reason else []
            item = Implementation(model.card.base, edit, found, not reason, reason, kl, search.behaviour.kl, index)
            yield item, outputs
        progress(stage, admitted, n)
    if admitted < n:
        why = f"last refusal: {reasons[-1]}" if reasons else "all others were repeats"
        advice = "widen the gates" if reasons else "edit another share of the pool"
        other = "tune by='scale'" if budget.by == "number" else "tune by='number'"
        raise NotApplicableError(
            f"{model.card.name}: only {admitted} of {drawn} draws have KL {kl:g} and keep the behaviour, {n} were "
            f"asked for ({why}); ask for another KL or for fewer, {advice}, or {other}"
        )


def reach(bound: BoundModel, circuit: Circuit, *, intervention: Intervention, tuned: NDArray[np.intp]) -> float:
    """Return the KL on ``tuned`` with the whole pool edited: about the most that can be asked for."""
    return next(iter(bound.run([Edit(circuit.pool, intervention.name)], rows=tuned))).behaviour().kl


def unreachable(kl: float, most: float, circuit: Circuit, *, intervention: Intervention, budget: Budget) -> str:
    """Return why ``kl`` cannot be reached where the whole pool gives ``most``, or an empty string."""
    if most >= kl * (1 - budget.tolerance):
        return ""
    return (
        f"a KL of {kl:g} nats is above what all edits together reach: {intervention.name} at all {len(circuit.pool)} "
        f"sites outside the circuit gives {most:.2g}; ask for less"
    )


def masks(circuit: Circuit, n: int, *, intervention: Intervention, seed: int) -> list[Edit]:
    """Return ``n`` random edits of unlike strength: subsets of the pool, of which from a tenth to six tenths are taken.

    For paired masks: how alike two models respond shows in edits that differ in strength, and edits that are tuned to
    one strength differ in little else than noise.
    """
    edits = []
    for index in range(n):
        random = stream(seed, "masks", index)
        size = max(1, round(random.uniform(0.1, 0.6) * len(circuit.pool)))
        chosen = np.sort(random.choice(len(circuit.pool), size=size, replace=False))
        edits.append(Edit(tuple(circuit.pool[i] for i in chosen), intervention.name))
    return edits


def repeated(
    model: Model,
    bound: BoundModel,
    edits: Sequence[Edit],
    *,
    measured: NDArray[np.intp],
    progress: Progress,
) -> Iterator[tuple[Implementation, Outputs]]:
    """Yield given edits made in this model: paired masks. All are admitted, whatever they do here."""
    for done, (edit, outputs) in enumerate(zip(edits, bound.run(edits, scored=measured, read=True), strict=True)):
        yield Implementation(model.card.base, edit, outputs.behaviour(), admitted=True), outputs
        progress("paired implementations", done + 1, len(edits))


def _tune(bound: BoundModel, searches: Sequence[Search], rows: NDArray[np.intp]) -> None:
    """Run all searches in step, one size of each a round, so that a round is one batch."""
    while waiting := [search for search in searches if not search.finished]:
        for search, outputs in zip(waiting, bound.run([s.edit for s in waiting], rows=rows), strict=True):
            search.tell(outputs.behaviour())


def _key(edit: Edit) -> tuple[frozenset[Site], str]:
    """What makes an edit another one: its scale follows from its sites, up to rounding."""
    return frozenset(edit.sites), edit.intervention
