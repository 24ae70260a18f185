"""Sequential comparison: look at fixed numbers of implementations, fixed beforehand, until the question is decided."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Protocol

from congruity._base.progress import Progress
from congruity.comparison.alike import Pair, pair_of
from congruity.comparison.parts import Parts, parts_of, result_of
from congruity.comparison.tables import measured
from congruity.comparison.verdict import Looks, decides
from congruity.errors import InputError
from congruity.inference import EstimateSettings
from congruity.protocols import Distance
from congruity.values import Comparison, Fingerprint

LOOKS = (8, 16, 32, 64)
MARGIN = 0.5  # the default margin is the same at all looks, so that they make one claim


class Growing(Protocol):
    """A side that gives a fingerprint of its first ``n`` implementations, or None where there will be no more."""

    @property
    def available(self) -> int: ...

    def first(self, n: int, progress: Progress) -> Fingerprint | None: ...


def until_decided(
    sides: tuple[Growing, Growing],
    distance: Distance,
    *,
    looks: Sequence[int],
    margin: float | None,
    alpha: float,
    seed: int,
    progress: Progress,
) -> Comparison:
    """Compare the first implementations at each of ``looks`` in turn; return the look that decides, or the last.

    The looks are fixed beforehand and each spends ``alpha`` / len(looks) (Bonferroni), so that looking repeatedly adds
    no errors: P(false "different") and P(false "equivalent") are each at most ``alpha``. Nothing is returned of a look
    that did not decide; the p-values of the result count all looks (`Congruity.looks`). Calling `compare` in a loop
    with growing n instead finds a difference that is not there about one time in three.

    Decided is "equivalent" (from 10 a side on), "different", or, with one network a side, that the two sides can be
    told apart.

    Without a ``margin`` it is .5 at every look.

    Raises:
        InputError: looks that are not increasing; several kinds of implementations on both sides; fewer
            implementations than the first look needs.

    Source: the Bonferroni inequality.
    """
    plan = planned(looks, alpha)
    level = alpha / len(plan)
    settings = EstimateSettings(MARGIN if margin is None else margin, level, seed)
    found: tuple[Fingerprint, Fingerprint, Parts] | None = None
    decided = False
    for done, n in enumerate(plan):
        progress(f"look at {n} a side", done, len(plan))
        left, right = (side.first(n, progress) for side in sides)
        if left is None or right is None:
            break
        pair = pair_of(left, right)
        _require_one_kind(pair)
        parts = parts_of(pair, measured(pair, distance, progress=progress), settings)
        found, decided = (left, right, parts), decides(parts.conclusion(), parts.estimate, level)
        if decided:
            break
    if found is None:
        raise InputError(
            f"compare: a fingerprint has {min(side.available for side in sides)} implementations and the first look "
            f"needs {plan[0]}; make it with n={plan[-1]}, or pass models"
        )
    left, right, parts = found
    ended = Looks(tuple(plan), level, min(parts.estimate.n), decided)
    return Comparison(left, right, result_of(parts, looks=ended))


def planned(looks: Sequence[int], alpha: float) -> list[int]:
    """Return the looks as a list; raise `InputError` for looks or a level that cannot be used."""
    plan = list(looks) if isinstance(looks, Sequence) else []
    whole = all(isinstance(n, int) for n in plan)
    if not whole or not 2 <= len(plan) <= 10 or plan[0] < 5 or any(x >= y for x, y in itertools.pairwise(plan)):
        raise InputError(f"compare: looks are {looks!r}; pass 2 to 10 increasing whole numbers from 5 on")
    if not 0.001 <= alpha <= 0.2:
        raise InputError(f"compare: alpha is {alpha!r}; pass a level for all looks between 0.001 and 0.2, such as 0.05")
    return plan


def _require_one_kind(pair: Pair) -> None:
    """Refuse what would need a sensitivity: that of the deciding look would be read as a test at all looks."""
    if len(pair.kinds) > 1:
        raise InputError(
            f"compare: looks decide on one kind of implementations, and both sides have {len(pair.kinds)} "
            f"({', '.join(map(str, pair.kinds))}); give one KL and one intervention, or compare without looks"
        )
