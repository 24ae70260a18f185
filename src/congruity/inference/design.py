"""Layout of a comparison: the checked table, the independent units, what may be compared, in one canonical order.

The order depends only on the distances, so that neither the order of the rows nor which side is called the first can
move a random number: `estimated` computes in canonical order and returns P1 and P2 in the order of the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from congruity._base.checks import real_array
from congruity.errors import InputError
from congruity.values import MIN_BASES
from congruity.values.estimate import Kind


@dataclass(frozen=True)
class Design:
    """A table in canonical order: the side with fewer units first, units together.

    Attributes:
        toward: (n, n); ``toward[j, i]`` is the distance from ``i`` to the anchor (fixed target) ``j``.
        first: (n,) whether an implementation is on the first canonical side.
        unit: (n,) number of its independent unit; those of the first side are 0 .. units[0] - 1.
        units: independent units on either side, canonical order.
        swapped: whether the first canonical side is the caller's second.
        kind: what the units are: "independent" implementations, the implementations of "two networks" (one a side),
            or "clustered" in independent networks.
        sides: the caller's two labels.
        n, n_bases: implementations and networks a side, in the caller's order.
    """

    toward: NDArray[np.float64]
    first: NDArray[np.bool_]
    unit: NDArray[np.intp]
    units: tuple[int, int]
    swapped: bool
    kind: Kind
    sides: tuple[str, str]
    n: tuple[int, int]
    n_bases: tuple[int, int] | None

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """(n, n): whether anchor ``j`` may be compared with ``i``: not itself, and not of the same unit."""
        return np.asarray(self.unit[:, None] != self.unit[None, :])

    @property
    def sizes(self) -> NDArray[np.intp]:
        """(n,): the number of implementations in the unit of each."""
        return np.asarray(np.bincount(self.unit)[self.unit], dtype=np.intp)

    @property
    def informative(self) -> bool:
        """Whether some anchor is nearer to one implementation than to another that it may be compared with."""
        low = np.where(self.allowed, self.toward, np.inf).min(axis=1)
        return bool((np.where(self.allowed, self.toward, -np.inf).max(axis=1) > low).any())

    @property
    def smallest(self) -> int:
        """Independent units on the smaller side; networks where these are the units."""
        return min(*self.units, *(self.n_bases or ())) if self.kind == "clustered" else min(self.units)

    @property
    def has_test(self) -> bool:
        """Whether relabelling the units is a valid test that can reach .05 at all: not with fewer than 4 networks."""
        return self.kind != "clustered" or self.smallest >= MIN_BASES

    @property
    def lonely(self) -> tuple[str, ...]:
        """Sides of a clustered design that are one network: no comparison between networks exists within them."""
        if self.kind != "clustered" or self.n_bases is None:
            return ()
        return tuple(side for side, bases in zip(self.sides, self.n_bases, strict=True) if bases == 1)


def design(distances: ArrayLike, side: Iterable[object], base: Iterable[object] | None) -> Design:
    """Check the arguments of `estimate` and return them in canonical order; raise `InputError`."""
    table = _checked_table(distances)
    sides, second = _checked_sides(side, len(table))
    bases = None if base is None else _checked_bases(base, second)
    unit, kind = _units(second, bases)
    toward = np.ascontiguousarray(table.T)  # the target is the anchor
    order, swapped = _canonical_order(toward, second, unit)
    numbers = {u: k for k, u in enumerate(dict.fromkeys(unit[i] for i in order))}
    first = (~second if not swapped else second)[order]
    renumbered = np.array([numbers[unit[i]] for i in order], dtype=np.intp)
    return Design(
        toward=np.ascontiguousarray(toward[np.ix_(order, order)]),
        first=first,
        unit=renumbered,
        units=(len(set(renumbered[first])), len(set(renumbered[~first]))),
        swapped=swapped,
        kind=kind,
        sides=sides,
        n=(int((~second).sum()), int(second.sum())),
        n_bases=None if bases is None else _count_bases(bases, second),
    )


def comparable(side: Iterable[object], base: Iterable[object] | None) -> NDArray[np.bool_]:
    """Return (N, N), in the caller's order: whether two implementations may be compared, as `Design.allowed` says."""
    labels = [str(label) for label in side]
    _, second = _checked_sides(labels, len(labels))
    unit, _ = _units(second, None if base is None else _checked_bases(base, second))
    numbers = {u: k for k, u in enumerate(dict.fromkeys(unit))}
    own = np.array([numbers[u] for u in unit])
    return np.asarray(own[:, None] != own[None, :])


def _checked_table(distances: ArrayLike) -> NDArray[np.float64]:
    table = np.array(real_array("estimate", "distances", distances, 2))
    if table.shape[0] != table.shape[1]:
        raise InputError(
            f"estimate: distances has shape {table.shape}; pass a square (N, N) table, row = source, column = target"
        )
    np.fill_diagonal(table, 0.0)  # self-comparisons are never used
    lowest = float(table.min(initial=0.0))
    if lowest < -1e-9 * float(table.max(initial=0.0)):  # less is rounding
        i, j = (int(k) for k in np.unravel_index(int(table.argmin()), table.shape))
        raise InputError(
            f"estimate: distances[{i}, {j}] = {lowest:g} is negative; pass distances, for a similarity s "
            "for example 1 - s"
        )
    return np.maximum(table, 0.0)


def _checked_sides(side: Iterable[object], n: int) -> tuple[tuple[str, str], NDArray[np.bool_]]:
    labels = [str(label) for label in side]
    if len(labels) != n:
        raise InputError(
            f"estimate: side has {len(labels)} labels for distances of shape ({n}, {n}); pass one label a row"
        )
    names = list(dict.fromkeys(labels))
    if len(names) != 2:
        shown = ", ".join(repr(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
        raise InputError(f"estimate: side must hold exactly two distinct labels, not {len(names)} ({shown})")
    for name in names:
        if labels.count(name) == 1:
            raise InputError(
                f"estimate: side {name!r} has one implementation, so nothing can be compared within it; give at "
                "least 2 a side (5 for a p-value below .01, 10 for the verdict 'equivalent')"
            )
    return (names[0], names[1]), np.array([label == names[1] for label in labels])


def _checked_bases(base: Iterable[object], second: NDArray[np.bool_]) -> list[str]:
    bases = [str(label) for label in base]
    if len(bases) != len(second):
        raise InputError(
            f"estimate: base has {len(bases)} labels for {len(second)} implementations; pass the network of each one"
        )
    of_first = {b for b, s in zip(bases, second, strict=True) if not s}
    of_second = {b for b, s in zip(bases, second, strict=True) if s}
    both = sorted(of_first & of_second)
    if both and len(of_first | of_second) > 1:
        raise InputError(
            f"estimate: base {both[0]!r} is on both sides ({len(both)} such of {len(of_first | of_second)}); put every "
            "network on one side, or compare one network with itself"
        )
    return bases


def _count_bases(bases: Sequence[str], second: NDArray[np.bool_]) -> tuple[int, int]:
    return (
        len({b for b, s in zip(bases, second, strict=True) if not s}),
        len({b for b, s in zip(bases, second, strict=True) if s}),
    )


def _units(second: NDArray[np.bool_], bases: list[str] | None) -> tuple[list[object], Kind]:
    """Return the label of each implementation's unit, and what the units are."""
    each: list[object] = list(range(len(second)))
    if bases is None:
        return each, "independent"
    counts = _count_bases(bases, second)
    if counts == (1, 1):
        return each, "two networks"
    # A side that is one network among several keeps its own comparisons: the estimate would otherwise not exist.
    # Such a design gets no test and no interval, and a warning (`Design.lonely`).
    return [i if counts[int(s)] == 1 else b for i, b, s in zip(each, bases, second, strict=True)], "clustered"


def _canonical_order(
    toward: NDArray[np.float64], second: NDArray[np.bool_], unit: list[object]
) -> tuple[list[int], bool]:
    """Return the order and whether the second side leads: fewer units first, then the smaller profile of distances."""
    others = ~np.eye(len(toward), dtype=bool)
    near = np.sort(toward[others].reshape(len(toward), -1), axis=1).tolist()
    far = np.sort(toward.T[others].reshape(len(toward), -1), axis=1).tolist()
    profile = list(zip(near, far, strict=True))
    members: dict[object, list[int]] = {}
    for i in sorted(range(len(profile)), key=profile.__getitem__):
        members.setdefault(unit[i], []).append(i)
    groups = sorted(members.values(), key=lambda group: [profile[i] for i in group])
    of_side = {s: [group for group in groups if bool(second[group[0]]) is s] for s in (False, True)}
    counts = {s: (len(of_side[s]), sum(map(len, of_side[s]))) for s in (False, True)}
    swapped = bool(second[groups[0][0]]) if counts[False] == counts[True] else counts[True] < counts[False]
    return [i for s in (swapped, not swapped) for group in of_side[s] for i in group], swapped
