"""`Pair`: two fingerprints, and all that must be known of both before they are compared, asked once.

May they be compared at all? On which implementations does the verdict rest? Were these made alike? Are they the same
edits? Which side cannot do the task? `pair_of` answers; every later stage reads the answers. The point that is most
often missed: implementations that carry the same edits are pairs and no independent draws, in whatever order they come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity._base.digest import plain
from congruity.errors import InputError, NotComparableError
from congruity.values import Fingerprint, Implementation, Stratum, incapable

STRENGTH_RATIO = 1.5  # mean KLs of the two sides further apart than this are unmatched
POOL_OVERLAP = 0.9  # pools of one network with a smaller part of their union in common are different pools
MIN_PAIRS = 4  # fewer have no Fisher interval
_IN_ORDER = 6  # so many in the same order by chance: once in 720

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Pair:
    """Two sides that may be compared.

    Attributes:
        a, b: with only the implementations that the verdict rests on.
        whole: the sides with all their implementations; ``digests``: of these.
        kinds: kinds of implementations that both sides have, in the order of ``a``; the first is the reference.
        edits: places in a and in b of the implementations that carry the same edits; None where the draws of the sides
            are independent of each other.
        same_parameters: whether the intervention of both sides has the same parameters.
        mismatches: in what the implementations were not made alike, one phrase each.
        finders: the same for the finder of the circuit, which bars no verdict.
        pool_overlap: shared part of the union of both pools; None where the sides are two networks.
    """

    a: Fingerprint
    b: Fingerprint
    whole: tuple[Fingerprint, Fingerprint]
    digests: tuple[str, str]
    kinds: tuple[Stratum, ...]
    edits: tuple[Rows, Rows] | None
    same_parameters: bool
    mismatches: tuple[str, ...]
    finders: tuple[str, ...]
    pool_overlap: float | None

    @property
    def names(self) -> tuple[str, str]:
        """Names of the two models."""
        return self.a.model.name, self.b.model.name

    @property
    def strata(self) -> tuple[Stratum, Stratum]:
        """The kind of implementations of either side."""
        return self.a.strata[0], self.b.strata[0]

    @property
    def base(self) -> list[str]:
        """The network of each implementation, those of a first."""
        return [item.base for item in (*self.a.admitted, *self.b.admitted)]

    @property
    def several_networks(self) -> bool:
        """Whether a side is several networks, so that its unedited model is not theirs."""
        return any(len({item.base for item in side.admitted}) > 1 for side in (self.a, self.b))

    @property
    def incapable(self) -> str:
        """The sentence for the first side that cannot do the task; empty where both can."""
        return next(
            (
                incapable(side.model.name, side.accuracy, side.queries.task)
                for side in (self.a, self.b)
                if not side.capable
            ),
            "",
        )

    @property
    def claims(self) -> bool:
        """Whether anything may be claimed from the distance of the unedited models."""
        return not self.mismatches and self.a.capable and self.b.capable

    def at(self, kind: Stratum) -> Pair:
        """Return the pair of the implementations of one kind that both sides have."""
        return pair_of(*self.whole, kind=kind)


def pair_of(a: Fingerprint, b: Fingerprint, *, kind: Stratum | None = None) -> Pair:
    """Return two fingerprints as a `Pair`.

    The verdict rests on the implementations of ``kind``; by default on those of the first kind of ``a`` that ``b`` has
    too. If there is none: on those with the same edits, where ``b`` carries the edits of ``a``; else on the reference
    kind of each side, which is then a mismatch.

    Raises:
        NotComparableError: the sides answer different queries, or were scaled differently.
        InputError: a side has no implementations of ``kind``.
    """
    require_comparable(a, b)
    kinds = tuple(stratum for stratum in a.strata if stratum in b.strata) if kind is None else (kind,)
    if kinds:
        left, right = a.at(kinds[0]), b.at(kinds[0])
    else:
        shared = _same_edits(a, b)
        left, right = a.reference, b.reference if shared is None else b.take(shared[1], b.model.name)
    edits = _same_edits(left, right)
    parameters = (_parameters(left), _parameters(right))
    overlap = _pool_overlap(left, right)
    return Pair(
        a=left,
        b=right,
        whole=(a, b),
        digests=(a.digest, b.digest),
        kinds=kinds,
        edits=edits,
        same_parameters=parameters[0] == parameters[1],
        mismatches=tuple(_mismatches(left, right, overlap, drawn=edits is None)),
        finders=_different_finders(left, right),
        pool_overlap=overlap,
    )


def require_comparable(a: Fingerprint, b: Fingerprint) -> None:
    """Raise `NotComparableError`, with what differs, unless both fingerprints answer the same queries alike."""
    remedy = (
        "make both with the same task and seed; where a tokenizer splits some of the task's words, give "
        "`congruity compare` both models instead, which uses the words that both have"
    )
    facts = [
        ("tasks", a.queries.task, b.queries.task),
        ("numbers of queries", len(a.queries.ids), len(b.queries.ids)),
        ("token positions", a.queries.position, b.queries.position),
        ("query interventions", a.queries.intervention, b.queries.intervention),
        ("queries", a.queries.digest[:12], b.queries.digest[:12]),
        ("layer scalings", a.scaling, b.scaling),
    ]
    for what, left, right in facts:
        if left != right:
            raise NotComparableError(
                f"{a.model.name} and {b.model.name} cannot be compared: different {what}, {left} and {right}; {remedy}"
            )


# ----------------------------------------------------------------- how a side was made: all that is read of its record


def _parameters(side: Fingerprint) -> Any:
    """Parameters of the intervention that made the implementations, where they were kept."""
    return side.sampling.intervention_parameters(side.strata[0].intervention)


def _gates(side: Fingerprint) -> Any:
    return plain(side.sampling.gates)


def _finder(side: Fingerprint) -> Any:
    return side.sampling.finder and side.sampling.finder.name


def _was_given_edits(side: Fingerprint) -> bool:
    return bool(side.sampling.edits_of)


# ------------------------------------------------------------------------------------------------ whether made alike


def _mismatches(a: Fingerprint, b: Fingerprint, overlap: float | None, *, drawn: bool) -> list[str]:
    """Say in what the implementations of two sides, of one kind each, were not made alike.

    What counts: the intervention with its parameters, the KL they were drawn to and the rule for it, the gates that
    admitted them, the mean KL that they reached (within a factor of `STRENGTH_RATIO`) and, where both are one network,
    the pool of sites (an overlap of at least `POOL_OVERLAP`). Each alone separates two sets of implementations of one
    network. Repeated edits (``drawn`` is false) are drawn to no KL.
    """
    (kind_a, kind_b), found = (a.strata[0], b.strata[0]), []
    if kind_a.intervention != kind_b.intervention:
        found.append(
            f"the sides were made with different interventions: {kind_a.intervention} and {kind_b.intervention}"
        )
    elif (left := _parameters(a)) != (right := _parameters(b)):
        found.append(f"the sides were made with different parameters of {kind_a.intervention}: {left} and {right}")
    if kind_a.kl != kind_b.kl and drawn:
        found.append(f"the sides were drawn to different KLs: {_nats(kind_a.kl)} and {_nats(kind_b.kl)}")
    if (left := a.sampling.strength_rule) != (right := b.sampling.strength_rule):
        found.append(f"the strength of the sides was set by different rules: {left} and {right}")
    if (left := _gates(a)) != (right := _gates(b)):
        found.append(f"implementations were admitted through different gates: {left} and {right}")
    strengths = (a.mean_kl, b.mean_kl)
    if max(strengths) > STRENGTH_RATIO * min(strengths):
        found.append(
            f"the implementations were not sampled at matched strength (mean KL {strengths[0]:.3g} and "
            f"{strengths[1]:.3g} nats, more than a factor of {STRENGTH_RATIO:g} apart)"
        )
    if overlap is not None and overlap < POOL_OVERLAP:
        found.append(
            f"both sides are one network and edit different pools of its sites (overlap {overlap:.2f}), and that is a "
            "direction of displacement by itself"
        )
    return found


def _pool_overlap(a: Fingerprint, b: Fingerprint) -> float | None:
    """Return the shared part of the union of both pools if both sides are one network or copies of it, else None."""
    if a.model.digest != b.model.digest and a.model.base != b.model.base:
        return None
    pools = [set(map(str, side.circuit.pool)) for side in (a, b)]
    return len(pools[0] & pools[1]) / max(1, len(pools[0] | pools[1]))


def _different_finders(a: Fingerprint, b: Fingerprint) -> tuple[str, ...]:
    left, right = _finder(a), _finder(b)
    return (f"the sides were made with different finders: {left} and {right}",) if left != right else ()


def _nats(kl: float | None) -> str:
    return "none in particular" if kl is None else f"{kl:g} nats"


# ----------------------------------------------------------------------------------------------- whether the same edits


def paired_rows(a: Fingerprint, b: Fingerprint) -> tuple[Rows, Rows]:
    """Return the places among the admitted implementations of ``a`` and of ``b`` of those that carry the same edits.

    An edit is its sites by name, its intervention and its scale. The implementations of ``a`` are those of its
    reference kind.

    Raises:
        InputError: fewer than 4 edits in common, or edits of the same sites that write something else.
    """
    if (left := _parameters(a)) != (right := _parameters(b)):
        raise InputError(
            f"paired: the edits of {a.model.name} and {b.model.name} were made with different parameters of "
            f"{a.strata[0].intervention}, {left} and {right}; make both with the same"
        )
    found = _common(a, b)
    if len(found[0]) < MIN_PAIRS:
        raise InputError(
            f"paired: {len(found[0])} of the {a.reference.n} edits of {a.model.name} are among the {b.n} of "
            f"{b.model.name}, at least {MIN_PAIRS} are needed; make the second fingerprint with edits_of=the first"
        )
    return found


def _same_edits(a: Fingerprint, b: Fingerprint) -> tuple[Rows, Rows] | None:
    """Return the places of the edits that two sides share; None where their draws are independent of each other.

    They are not if at least 4 edits are on both sides and one of them was made with given edits; if at least half of
    the fewer are, and more than chance puts there; or if 6 or more are in the same order. Independent draws from a
    small pool have edits in common by chance, but then they also repeat edits within a side, about as often: that
    share, with three standard errors, is taken for chance.
    """
    first, second = _common(a, b)
    if len(first) < MIN_PAIRS:
        return None
    left, right = ([_key(item) for item in side] for side in (a.reference.admitted, b.admitted))
    share = len(first) / min(len(set(left)), len(set(right)))
    chance = max(_repeated(left), _repeated(right))
    beyond = chance + 3 * np.sqrt(chance * (1 - chance) / min(len(left), len(right)))
    same = (
        _was_given_edits(a)
        or _was_given_edits(b)
        or share >= max(0.5, beyond)
        or (len(first) >= _IN_ORDER and bool((np.diff(second) > 0).all()))
    )
    return (first, second) if same else None


def _repeated(keys: Sequence[Hashable]) -> float:
    """Return the share of edits that a side makes more than once."""
    counts = Counter(keys)
    return sum(counts[key] > 1 for key in keys) / len(keys)


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
