"""Whether two fingerprints may be compared, were made alike, or carry the same edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity._base.digest import plain
from congruity.errors import InputError, NotComparableError
from congruity.values import Fingerprint, Implementation, Stratum

STRENGTH_RATIO = 1.5  # mean KLs of the two sides further apart than this are unmatched


POOL_OVERLAP = 0.9  # pools of one network with a smaller part of their union in common are different pools


def common_strata(a: Fingerprint, b: Fingerprint) -> tuple[Stratum, ...]:
    """Return the kinds of implementations that both sides have, in the order of ``a``; the first is the reference."""
    return tuple(stratum for stratum in a.strata if stratum in b.strata)


def chosen(a: Fingerprint, b: Fingerprint) -> tuple[Fingerprint, Fingerprint]:
    """Return both sides with only the implementations that the verdict rests on.

    These are of the first kind of ``a`` that ``b`` has too. If there is none: those with the same edits, where ``b``
    was made with the edits of ``a``; else of each side's own reference kind, which is then a mismatch.
    """
    shared = common_strata(a, b)
    if shared:
        return a.at(shared[0]), b.at(shared[0])
    if are_paired(a, b):
        return a.reference, b.take(pairs(a, b)[1], b.model.name)
    return a.reference, b.reference


def mismatches(a: Fingerprint, b: Fingerprint) -> tuple[str, ...]:
    """Say in what the implementations of two sides, of one kind each, were not made alike.

    What counts: the intervention with its parameters, the KL they were drawn to and the rule for it, the gates that
    admitted them, the mean KL that they reached (within a factor of `STRENGTH_RATIO`) and, where both are one network,
    the pool of sites (an overlap of at least `POOL_OVERLAP`). Each alone separates two sets of implementations of one
    network.
    """
    (kind_a, kind_b), found = (a.strata[0], b.strata[0]), []
    if kind_a.intervention != kind_b.intervention:
        found.append(
            f"the sides were made with different interventions: {kind_a.intervention} and {kind_b.intervention}"
        )
    elif (left := parameters(a)) != (right := parameters(b)):
        found.append(f"the sides were made with different parameters of {kind_a.intervention}: {left} and {right}")
    if kind_a.kl != kind_b.kl and not are_paired(a, b):  # repeated edits are drawn to no KL
        found.append(f"the sides were drawn to different KLs: {_nats(kind_a.kl)} and {_nats(kind_b.kl)}")
    if (left := a.sampling.strength_rule) != (right := b.sampling.strength_rule):
        found.append(f"the strength of the sides was set by different rules: {left} and {right}")
    if (left := plain(a.sampling.gates)) != (right := plain(b.sampling.gates)):
        found.append(f"implementations were admitted through different gates: {left} and {right}")
    strengths = (a.mean_kl, b.mean_kl)
    if max(strengths) > STRENGTH_RATIO * min(strengths):
        found.append(
            f"the implementations were not sampled at matched strength (mean KL {strengths[0]:.3g} and "
            f"{strengths[1]:.3g} nats, more than a factor of {STRENGTH_RATIO:g} apart)"
        )
    overlap = pool_overlap(a, b)
    if overlap is not None and overlap < POOL_OVERLAP:
        found.append(
            f"both sides are one network and edit different pools of its sites (overlap {overlap:.2f}), and that is a "
            "direction of displacement by itself"
        )
    return tuple(found)


def pool_overlap(a: Fingerprint, b: Fingerprint) -> float | None:
    """Return the shared part of the union of both pools if both sides are one network or copies of it, else None."""
    if a.model.digest != b.model.digest and a.model.base != b.model.base:
        return None
    pools = [set(map(str, side.circuit.pool)) for side in (a, b)]
    return len(pools[0] & pools[1]) / max(1, len(pools[0] | pools[1]))


def _made(a: Fingerprint, b: Fingerprint) -> dict[str, Any]:
    overlap = pool_overlap(a, b)
    return {
        "strata": [str(a.strata[0]), str(b.strata[0])],
        "mean_kl": [a.mean_kl, b.mean_kl],
        **({} if overlap is None else {"pool_overlap": overlap}),
    }


def _nats(kl: float | None) -> str:
    return "none in particular" if kl is None else f"{kl:g} nats"


def _finders(a: Fingerprint, b: Fingerprint) -> tuple[str, ...]:
    left, right = (side.sampling.finder and side.sampling.finder.name for side in (a, b))
    return (f"the sides were made with different finders: {left} and {right}",) if left != right else ()


def require_comparable(a: Fingerprint, b: Fingerprint) -> None:
    """Raise `NotComparableError`, with what differs, unless both fingerprints answer the same queries alike."""
    remedy = (
        "make both with the same task and seed; where a tokenizer splits some of the task's words, give "
        "`congruity compare` both models instead, which uses the words that both have"
    )
    pairs = [
        ("tasks", a.queries.task, b.queries.task),
        ("numbers of queries", len(a.queries.ids), len(b.queries.ids)),
        ("token positions", a.queries.position, b.queries.position),
        ("query interventions", a.queries.intervention, b.queries.intervention),
        ("queries", a.queries.digest[:12], b.queries.digest[:12]),
        ("layer scalings", a.scaling, b.scaling),
    ]
    for what, left, right in pairs:
        if left != right:
            raise NotComparableError(
                f"{a.model.name} and {b.model.name} cannot be compared: different {what}, {left} and {right}; {remedy}"
            )


MIN_PAIRS = 4  # fewer have no Fisher interval


_IN_ORDER = 6  # so many in the same order by chance: once in 720


Rows = NDArray[np.intp]


def pairs(a: Fingerprint, b: Fingerprint) -> tuple[Rows, Rows]:
    """Return the places among the admitted implementations of ``a`` and of ``b`` of those that carry the same edits.

    An edit is its sites by name, its intervention and its scale. The implementations of ``a`` are those of its
    reference kind.

    Raises:
        InputError: fewer than 4 edits in common.
    """
    found = _common(a, b)
    if len(found[0]) < MIN_PAIRS:
        raise InputError(
            f"paired: {len(found[0])} of the {a.reference.n} edits of {a.model.name} are among the {b.n} of "
            f"{b.model.name}, at least {MIN_PAIRS} are needed; make the second fingerprint with edits_of=the first"
        )
    return found


def are_paired(a: Fingerprint, b: Fingerprint) -> bool:
    """Whether two sides carry the same edits, so that their implementations are no independent draws.

    They do if at least 4 edits are on both sides and one of them was made with given edits; if at least half of the
    fewer are, and more than chance puts there; or if 6 or more are in the same order. Independent draws from a small
    pool have edits in common by chance, but then they also repeat edits within a side, about as often: that share,
    with three standard errors, is taken for chance.
    """
    first, second = _common(a, b)
    if len(first) < MIN_PAIRS:
        return False
    given = any(side.sampling.edits_of for side in (a, b))
    left, right = ([_key(item) for item in side] for side in (a.reference.admitted, b.admitted))
    share = len(first) / min(len(set(left)), len(set(right)))
    chance = max(_repeated(left), _repeated(right))
    beyond = chance + 3 * np.sqrt(chance * (1 - chance) / min(len(left), len(right)))
    return given or share >= max(0.5, beyond) or (len(first) >= _IN_ORDER and bool((np.diff(second) > 0).all()))


def _repeated(keys: Sequence[Hashable]) -> float:
    """Return the share of edits that a side makes more than once."""
    counts = Counter(keys)
    return sum(counts[key] > 1 for key in keys) / len(keys)


def rows_of_pairs(a: Fingerprint, b: Fingerprint) -> Rows:
    """Return the rows of [clean a, clean b, implementations of a, of b] that have a partner, partners in one order."""
    first, second = pairs(a, b)
    return np.concatenate([[0, 1], 2 + first, 2 + a.n + second])


def parameters(side: Fingerprint) -> Any:
    """Parameters of the intervention that made the implementations, where they were kept."""
    return side.sampling.intervention_parameters(side.strata[0].intervention)


def _made_alike(a: Fingerprint, b: Fingerprint) -> tuple[Rows, Rows]:
    """Return what `pairs` does; refuse edits of the same sites that write something else."""
    if (left := parameters(a)) != (right := parameters(b)):
        raise InputError(
            f"paired: the edits of {a.model.name} and {b.model.name} were made with different parameters of "
            f"{a.strata[0].intervention}, {left} and {right}; make both with the same"
        )
    return pairs(a, b)


def _common(a: Fingerprint, b: Fingerprint) -> tuple[Rows, Rows]:
    """Return the places of the edits of the reference kind of ``a`` that ``b`` has too, in the order of ``a``.

    Of an edit that a side makes several times only the first is taken: it has one partner.
    """
    here, there = (
        {
            _key(item): place
            for place, item in reversed(list(enumerate(side.admitted)))
            if of is None or item.stratum == of
        }
        for side, of in ((a, a.strata[0]), (b, None))
    )
    mine = sorted((place, there[key]) for key, place in here.items() if key in there)
    first, second = zip(*mine, strict=True) if mine else ((), ())
    return np.array(first, dtype=np.intp), np.array(second, dtype=np.intp)


def _key(item: Implementation) -> tuple[frozenset[str], str, float]:
    return frozenset(map(str, item.edit.sites)), item.edit.intervention, item.edit.scale
