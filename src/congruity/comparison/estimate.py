"""The door for arrays: `congruity.estimate` takes a table of distances and shares one core with `congruity.compare`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from congruity.comparison.parts import Parts, provenance, result_of
from congruity.comparison.verdict import Circumstances
from congruity.errors import InputError
from congruity.inference import EstimateSettings, estimated
from congruity.values import Congruity, DistanceTable, PromptError


def estimate(
    distances: ArrayLike | DistanceTable,
    side: Iterable[object],
    *,
    base: Iterable[object] | None = None,
    margin: float | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    n_permutations: int = 9999,
    n_bootstrap: int = 1999,
    names: tuple[str, str] | None = None,
    prompts: PromptError | None = None,
    require_prompts: bool = False,
) -> Congruity:
    """Decide whether two sets of implementations can be told apart, from the distances between them.

    With implementations X, X' of side 1 and Y, Y' of side 2, a fixed target (the column) and ties counted half::

        P1 = Pr(d(X' -> X) < d(Y -> X)),   P2 = Pr(d(Y' -> Y) < d(X -> Y))
        T = P1 + P2 - 1,   S = P1 - P2,   C = 1 - abs(T),   C_min = 1 - max(abs(2 P1 - 1), abs(2 P2 - 1))

    P1 and P2 average over all triples. Intervals are BCa over independent units; that of C is the image of that of T.
    The p-value permutes units; its statistic is the largest of energy (on the symmetrised table), T, abs(S) and 3-NN
    (sources nearest to a target), each standardised over the relabellings: all of them when they are no more than
    ``n_permutations``. "equivalent" needs the 90 % intervals of P1 and P2 inside 1/2 +- margin/2 (then
    C_min >= 1 - margin at level 5 %), p > .05, at least 10 units a side and, where ``prompts`` are given, distances of
    a reliability of at least .7 over prompts. Neither the order of the rows nor which
    side comes first moves a random number.

    Args:
        distances: (N, N), row = source, column = target; non-negative. The diagonal is never used.
        side: N labels, two of them distinct, at least two implementations each; the first to appear is side 1.
        base: N labels of the independently trained networks behind the implementations, the units of inference.
            None: the caller asserts that the implementations are independent. One network a side, or one on both:
            the implementations are the units, the scope is "these two networks" and the verdict never "different".
            Otherwise comparisons within a network are left out and whole networks are resampled and permuted;
            fewer than 4 a side give no p-value and no decision.
        margin: largest difference that counts as equivalent, in (0, 1]; by default .5 below 40 units a side, else .3.
        alpha: level of both tests, in [.0001, .2]; intervals stay at 95 %.
        seed: of the permutations and resamples.
        n_permutations, n_bootstrap: their numbers, at least 99.
        names: what to call the two sides in the result; by default their labels.
        prompts: how far the distances depend on the prompts that they were measured on, from `prompt_error`.
        require_prompts: never say "equivalent" without them.

    Returns:
        A `Congruity`. ``tv_lower`` is a 95 % lower confidence bound on the total variation between the laws of the
        sides. It, ``interval``, ``smallest_margin`` and ``p_equivalence`` are None where the data allow no interval:
        with fewer than 3 units on a side, or where all distances are equal.

    Raises:
        InputError: if an argument cannot be used.

    >>> import numpy as np
    >>> places = np.r_[0.0:1.0:12j, 5.0:6.0:12j]
    >>> found = estimate(abs(places[:, None] - places), ["a"] * 12 + ["b"] * 12)
    >>> found.score, found.p_within, found.verdict, round(found.interval[1], 2)
    (0.0, (1.0, 1.0), 'different', 0.26)

    Source: Sun and Toneva 2026, arXiv 2603.30002, Algorithm 1 (the score; there drawn at random with "<=", here
    complete with mid-p). Intervals, tests and verdict are this package's.
    """
    settings = EstimateSettings(margin, alpha, seed, n_permutations, n_bootstrap)
    _check_names(names)
    labels, bases = list(side), None if base is None else list(base)
    values = distances.values if isinstance(distances, DistanceTable) else distances
    found = estimated(values, labels, bases, settings=settings, prompts=prompts)
    table = distances if isinstance(distances, DistanceTable) else _named(distances, labels)
    first, second = names or dict.fromkeys(map(str, labels))
    return result_of(
        Parts(
            estimate=found,
            table=table,
            side=tuple(map(str, labels)),
            names=(str(first), str(second)),
            made=Circumstances(require_prompts=require_prompts),
            warnings=() if isinstance(distances, DistanceTable) else _of_self(distances),
            provenance=provenance(table, labels, bases, settings, found),
        )
    )


def _check_names(names: object) -> None:
    if names is not None and not (isinstance(names, (tuple, list)) and len(names) == 2):
        raise InputError(f"estimate: names is {names!r}; pass two names, that of the side which appears first in front")


def _of_self(distances: ArrayLike) -> tuple[str, ...]:
    """Say that self-distances are there, if they are. Tables of ours have them only where the measure means them."""
    largest = float(np.abs(np.diag(np.asarray(distances, dtype=np.float64))).max())
    if largest == 0.0:
        return ()
    return (
        f"distances have non-zero self-distances (up to {largest:.3g}) on the diagonal, which are never used; if they "
        "come from a metric, something is wrong with them",
    )


def _named(distances: ArrayLike, labels: list[object]) -> DistanceTable:
    return DistanceTable("given", np.asarray(distances), tuple(f"{label} {i}" for i, label in enumerate(labels)))
