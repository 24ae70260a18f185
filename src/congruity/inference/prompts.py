"""Error over prompts: the reliability of the distances, and how T changes with the number of prompts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from congruity.errors import InputError
from congruity.inference.described import described
from congruity.inference.design import comparable
from congruity.inference.ranks import anchor_ranks
from congruity.values import DistanceTable, PromptError

Array = NDArray[np.float64]


def prompt_error(
    table: DistanceTable,
    halves: Sequence[DistanceTable],
    side: Iterable[object],
    *,
    base: Iterable[object] | None = None,
    n: int,
    folds: Sequence[DistanceTable] = (),
) -> PromptError:
    """Return how far a comparison depends on its prompts, from distances measured on some of them.

    reliability = 2 r / (1 + r), r the Spearman correlation of the distances to one target on the two halves, averaged
    over targets (0 if negative). T is extrapolated by 2 T(n) - T(n/2), and its standard error over prompts is
    sqrt((F - 1) / F sum over f of (T without fold f - their mean)^2). Prompts are never drawn with replacement: copies
    of a prompt halve the number that counts, and T is biased towards 0 where they are few.

    Args:
        table: distances on all prompts, as for `estimate`.
        halves: the same on two disjoint halves of the prompts.
        side, base: as for `estimate`.
        n: number of prompts.
        folds: the same without one of F groups of prompts at a time; none, or at least two.

    Raises:
        InputError: not two halves, one fold, or tables of other sizes.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((12, 40)) + np.repeat([0.0, 1.0], 6)[:, None]  # 40 prompts, each a coordinate
    >>> def on(prompts):
    ...     d = np.linalg.norm(x[:, None, prompts] - x[None, :, prompts], axis=2)
    ...     return DistanceTable("euclidean", d, tuple("abcdefghijkl"))
    >>> found = prompt_error(on(slice(None)), [on(slice(20)), on(slice(20, 40))], [0] * 6 + [1] * 6, n=40)
    >>> 0 < found.reliability < 0.7, found.half_separation < found.extrapolated
    (True, True)

    Source: Efron (1982) for the jackknife; Spearman and Brown (1910).
    """
    labels, bases = list(side), None if base is None else list(base)
    if len(halves) != 2 or len(folds) == 1:
        raise InputError(
            f"prompt_error: {len(halves)} halves and {len(folds)} folds; pass two halves, and no fold or at least two"
        )
    for part in (*halves, *folds):
        if part.values.shape != table.values.shape:
            raise InputError(
                f"prompt_error: a table of shape {part.values.shape} beside one of {table.values.shape}; pass the same "
                "implementations on some of the prompts"
            )
    whole = separation(table, labels, bases)
    half = float(np.mean([separation(part, labels, bases) for part in halves]))
    error = None
    if folds:
        without = np.array([separation(part, labels, bases) for part in folds])
        error = float(np.sqrt((len(folds) - 1) / len(folds) * np.square(without - without.mean()).sum()))
    return PromptError(
        n=n,
        reliability=reliability(halves[0].values, halves[1].values, comparable(labels, bases)),
        half_separation=half,
        extrapolated=float(np.clip(2 * whole - half, -1.0, 1.0)),
        standard_error=error,
        folds=len(folds),
    )


def reliability(first: Array, second: Array, allowed: NDArray[np.bool_] | None = None) -> float:
    """Return the split-half reliability of the distances to each target (column), stepped up to the whole length.

    ``allowed`` (N, N) says which implementations may be compared; by default all but each with itself.

    >>> d = np.array([[0.0, 1.0, 2.0, 4.0], [1.0, 0.0, 1.5, 3.0], [2.0, 1.5, 0.0, 2.5], [4.0, 3.0, 2.5, 0.0]])
    >>> round(reliability(d, d**2), 9), reliability(d, d.max() - d)
    (1.0, 0.0)
    """
    allowed = ~np.eye(len(first), dtype=bool) if allowed is None else allowed
    ranks = [anchor_ranks((d.T / (d.max() or 1.0)).round(12), allowed) for d in (first, second)]
    counts = allowed.sum(axis=1, keepdims=True)
    centred = [np.where(allowed, r - r.sum(axis=1, keepdims=True) / counts, 0.0) for r in ranks]
    sizes = np.prod([np.linalg.norm(r, axis=1) for r in centred], axis=0)
    varies = sizes > 0.0
    correlations = (centred[0] * centred[1]).sum(axis=1)[varies] / sizes[varies]
    r = max(0.0, float(correlations.mean())) if varies.any() else 0.0
    return float(min(1.0, 2 * r / (1 + r)))


def separation(table: DistanceTable, side: list[object], base: list[object] | None) -> float:
    """Return T = P1 + P2 - 1 alone, as `estimate` does."""
    found = described(table.values, side, base=base)
    return found.p1 + found.p2 - 1.0
