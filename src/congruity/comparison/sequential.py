"""Draw implementations until a comparison is decided, looking at fixed numbers of them and never in between."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Protocol

from congruity._base.progress import Progress
from congruity.comparison.alike import common_strata
from congruity.comparison.compare import judge
from congruity.comparison.tables import measured
from congruity.errors import InputError
from congruity.protocols import Distance
from congruity.values import Comparison, Congruity, Fingerprint

LOOKS = (8, 16, 32, 64)
MARGIN = 0.5  # one claim at all looks


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
    that did not decide; the p-values of the result are multiplied by the number of looks. Calling `compare` in a loop
    with growing n instead finds a difference that is not there about one time in three.

    Decided is "equivalent" (from 10 a side on), "different", or, with one network a side, that the two sides can be
    told apart.

    Without a ``margin`` it is .5 at every look.

    Raises:
        InputError: looks that are not increasing; several kinds of implementations on both sides; fewer
            implementations than the first look needs.

    Source: STATISTICS.md, 4.
    """
    plan = list(looks) if isinstance(looks, Sequence) else []
    whole = all(isinstance(n, int) for n in plan)
    if not whole or not 2 <= len(plan) <= 10 or plan[0] < 5 or any(x >= y for x, y in itertools.pairwise(plan)):
        raise InputError(f"compare: looks are {looks!r}; pass 2 to 10 increasing whole numbers from 5 on")
    if not 0.001 <= alpha <= 0.2:
        raise InputError(f"compare: alpha is {alpha!r}; pass a level for all looks between 0.001 and 0.2, such as 0.05")
    level = alpha / len(plan)
    margin = MARGIN if margin is None else margin
    found: Comparison | None = None
    for done, n in enumerate(plan):
        progress(f"look at {n} a side", done, len(plan))
        left, right = (side.first(n, progress) for side in sides)
        if left is None or right is None:
            break
        _require_one_kind(left, right)
        tables = measured(left, right, distance, progress=progress)
        found = Comparison(left, right, judge(left, right, tables, margin=margin, alpha=level, seed=seed))
        if _decided(found.result, level):
            break
    if found is None:
        raise InputError(
            f"compare: a fingerprint has {min(side.available for side in sides)} implementations and the first look "
            f"needs {plan[0]}; make it with n={plan[-1]}, or pass models"
        )
    return dataclasses.replace(found, result=_adjusted(found.result, plan, level))


def _require_one_kind(a: Fingerprint, b: Fingerprint) -> None:
    """Refuse what would need a sensitivity: that of the deciding look would be read as a test at all looks."""
    if len(kinds := common_strata(a, b)) > 1:
        raise InputError(
            f"compare: looks decide on one kind of implementations, and both sides have {len(kinds)} "
            f"({', '.join(map(str, kinds))}); give one KL and one intervention, or compare without looks"
        )


def _decided(result: Congruity, level: float) -> bool:
    told_apart = result.p_value is not None and result.p_value <= level
    return told_apart or result.verdict in ("equivalent", "not applicable")


def _adjusted(result: Congruity, plan: list[int], level: float) -> Congruity:
    """Give p-values that count all looks, and say where the plan ended."""
    count, reached = len(plan), min(result.n)
    ended = "decided" if _decided(result, level) else "not decided"
    short = "" if ended == "decided" or reached == plan[-1] else (
        f" No more implementations were there: the plan goes to {plan[-1]} a side."
    )  # fmt: skip
    return dataclasses.replace(
        result,
        p_value=None if result.p_value is None else min(1.0, count * result.p_value),
        p_values={name: min(1.0, count * p) for name, p in result.p_values.items()},
        p_equivalence=min(1.0, count * result.p_equivalence),
        reason=f"{result.reason} (Sequential: {ended} with {reached} a side of looks at "
        f"{', '.join(map(str, plan))}; each look spent {level:.3g} of the error, and the p in this sentence is its "
        f"own.{short})",
        provenance={**result.provenance, "looks": {"plan": plan, "reached": reached, "level": level, "ended": ended}},
    )
