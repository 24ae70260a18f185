"""Decide which of two spectral distances is larger, for all comparisons that congruity makes, with few exact solves.

Congruity compares, at every target, distances within its side with distances from the other side, and uses nothing but
their order. Procrustes / sqrt(2) <= d_repr <= Procrustes (one SVD) decides most comparisons of sides that lie apart;
the solver's bounds before its first iteration decide more; only what is then open is iterated on, until it is decided
or solved. Brackets only ever shrink: what is decided stays decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from congruity._base import checks as _checks
from congruity._base.arrays import Floats
from congruity._base.digest import digest
from congruity._base.engine import each
from congruity._base.progress import Progress, silent
from congruity.distances.gram import square_roots
from congruity.distances.procrustes import squared_procrustes
from congruity.distances.spectral_pairs import Pairs, midpoint, place
from congruity.errors import InputError
from congruity.values import DistanceTable


class _Unit(NamedTuple):
    """Work on one pair: solve until its bracket overlaps none of ``others`` (k, 2), or to ``tol``; no step if None."""

    first: Floats
    second: Floats
    others: Floats | None
    tol: float


class _Found(NamedTuple):
    lower: float
    upper: float
    solves: int
    iterations: int


def decide(
    grams: Floats, labels: tuple[str, ...], side: Sequence[str], *, tol: float = 1e-2, progress: Progress = silent
) -> DistanceTable:
    """Return brackets of d_repr narrow enough for every comparison that congruity makes between two sides.

    Args:
        grams: (N, m, m), centred and scaled as they shall be compared.
        labels: N names.
        side: which of two sides each belongs to.
        tol: relative width at which a value counts as solved.
        progress: told how many comparisons are decided.

    Returns:
        A table with the middles of the brackets. Within every column, and between within and across, their order is
        that of all exact values, but for the comparisons counted as ``ties``, which are open at ``tol``: there it is
        that of middles, as in a table solved to ``tol``. Values as such are coarser. ``parameters`` counts
        ``comparisons``, how many ``procrustes`` and ``bounds`` decided, and the ``solves`` (directed problems that were
        iterated on) and ``iterations``.

    Raises:
        InputError: not two sides, or not one side a label; a bad tolerance.

    >>> rng = np.random.default_rng(0)
    >>> x = [rng.standard_normal((12, 3)) * scale for scale in (1, 1.1, 20, 21)]
    >>> table = decide(np.stack([h @ h.T for h in x]), ("a", "b", "c", "d"), ["s", "s", "t", "t"])
    >>> table.parameters["comparisons"], table.parameters["solves"] <= 4
    (8, True)

    Source: docs/theorems.md, T3(h), for the factor.
    """
    tol = _checks.tolerance("decide", tol)
    first = np.array([name == side[0] for name in side])
    if len(side) != len(grams) or len(set(side)) != 2:
        raise InputError(f"decide: {len(side)} entries with sides {sorted(set(side))} for {len(grams)} Gram matrices; "
                         "give each one of two sides")  # fmt: skip
    same = first[:, None] == first[None, :]
    roots = square_roots(grams)
    squared, floor = squared_procrustes(roots)
    lower, upper = np.sqrt(np.maximum(squared / 2.0 - floor, 0.0)), np.sqrt(np.maximum(squared, 0.0) + floor)
    comparisons = _count(_overlaps(np.zeros_like(lower), np.ones_like(upper), same))
    counts = {"pairs": len(grams) * (len(grams) - 1) // 2, "comparisons": comparisons, "solves": 0, "iterations": 0}
    open_pairs = _overlaps(lower, upper, same)
    counts["procrustes"] = comparisons - _count(open_pairs)

    def work(chosen: NDArray[np.intp], iterate: bool) -> None:
        units = [
            _Unit(roots[i], roots[j], _opponents(lower, upper, same, i, j) if iterate else None, tol) for i, j in chosen
        ]
        for (i, j), found in zip(chosen, each(_narrow, units, where=place(len(units))), strict=True):
            lower[i, j] = lower[j, i] = max(lower[i, j], found.lower)
            upper[i, j] = upper[j, i] = min(upper[i, j], found.upper)
            counts["solves"] += found.solves
            counts["iterations"] += found.iterations

    work(np.argwhere(np.triu(open_pairs, 1)), iterate=False)
    open_pairs = _overlaps(lower, upper, same)
    counts["bounds"] = comparisons - _count(open_pairs) - counts["procrustes"]
    done = np.zeros_like(same)
    while True:
        progress("comparisons", comparisons - _count(open_pairs), comparisons)
        waiting = np.triu(np.where(done, 0, open_pairs), 1)
        if not waiting.any():
            break
        # Comparisons are between a distance within and one across: solve the kind with more at stake, most of it first.
        kind = same if waiting[same].sum() >= waiting[~same].sum() else ~same
        at_stake = np.where(kind, waiting, 0)
        chosen = np.argwhere(at_stake >= max(1, at_stake.max() / 2))
        work(chosen, iterate=True)
        done[chosen[:, 0], chosen[:, 1]] = done[chosen[:, 1], chosen[:, 0]] = True
        open_pairs = _overlaps(lower, upper, same)
    progress("comparisons", comparisons, comparisons)
    _share(grams, lower, upper)
    values = midpoint(lower, upper, floor)
    counts["ties"] = _count(_overlaps(lower, upper, same))
    return DistanceTable("spectral", values, labels, lower, upper, {"tol": tol, **counts})


def _share(grams: Floats, lower: Floats, upper: Floats) -> None:
    """Give pairs of the same two Gram matrices, which copies make, one bracket: their comparisons are exact ties."""
    keys = [digest(gram) for gram in grams]
    pairs: dict[frozenset[str], list[tuple[int, int]]] = {}
    for i in range(len(keys)):
        for j in range(i):
            pairs.setdefault(frozenset((keys[i], keys[j])), []).append((i, j))
    for alike in pairs.values():
        rows, columns = np.array(alike).T
        lower[rows, columns] = lower[columns, rows] = lower[rows, columns].max()
        upper[rows, columns] = upper[columns, rows] = upper[rows, columns].min()


def _overlaps(lower: Floats, upper: Floats, same: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for every pair (N, N), both ways round, in how many comparisons its bracket overlaps the other's."""
    n = len(lower)
    counts = np.zeros((n, n), dtype=np.int64)
    for target in range(n):
        own = np.flatnonzero(same[target] & (np.arange(n) != target))
        other = np.flatnonzero(~same[target])
        low, high = lower[:, target], upper[:, target]
        overlap = (low[own, None] <= high[None, other]) & (low[None, other] <= high[own, None])
        counts[own, target] += overlap.sum(axis=1)
        counts[other, target] += overlap.sum(axis=0)
    return counts + counts.T


def _count(overlaps: NDArray[np.int64]) -> int:
    """How many comparisons: each shows at both of its pairs, both ways round."""
    return int(overlaps.sum()) // 4


def _opponents(lower: Floats, upper: Floats, same: NDArray[np.bool_], i: int, j: int) -> Floats:
    """Return the brackets (k, 2) that the pair (i, j) is compared with, at its target i and at its target j."""
    found = []
    for target, source in ((i, j), (j, i)):
        rows = np.flatnonzero(same[target] != same[target, source])
        rows = rows[rows != target]
        found.append(np.column_stack([lower[rows, target], upper[rows, target]]))
    return np.concatenate(found)


def _narrow(unit: _Unit) -> _Found:
    pair = Pairs(unit.first[None], unit.second[None])
    if unit.others is not None:
        starts, ends = unit.others.T
        pair.refine(unit.tol, enough=lambda low, high: np.array([not ((starts <= high) & (low <= ends)).any()]))
    lower, upper = pair.bracket
    return _Found(float(lower[0]), float(upper[0]), int(pair.solves[0]), int(pair.iterations[0]))
