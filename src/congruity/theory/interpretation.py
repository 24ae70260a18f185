"""Implementation set of an interpretation, by enumeration of a class of circuits and their alignments.

docs/theorems.md, D8. The class of circuits and the class of alignments are part of the definition: with unrestricted
ones nearly everything is an implementation (P5). Here circuits are finite and of one wiring, all gates or given ones,
and a whole class is solved at once; alignments are all assignments of disjoint cells, each read by its forced map.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity.errors import InputError
from congruity.theory.alignment import require_disjoint
from congruity.theory.causal import CausalModel
from congruity.theory.circuits import Circuits, Codes
from congruity.theory.queries import Interchanges
from congruity.theory.tables import codes, tabulated

Cells = Mapping[str, tuple[str, ...]]
MOST_ALIGNMENTS = 100_000
_AT_ONCE = 20_000_000  # values held at once for one variable: circuits times queries


def every_alignment(
    variables: Sequence[str], nodes: Sequence[str], *, pinned: Mapping[str, Sequence[str]] | None = None, most: int = 0
) -> Iterator[dict[str, tuple[str, ...]]]:
    """Yield all ways of giving each variable a cell of nodes, disjoint and not empty; other nodes stay unaligned.

    Args:
        variables, nodes: of the interpretation and of the circuits.
        pinned: variables whose cell is given, such as the output's.
        most: nodes in a cell; 0 for any number.

    Raises:
        InputError: pinned cells of unknown nodes, or more than a hundred thousand assignments to look through.
    """
    fixed = {name: tuple(cell) for name, cell in (pinned or {}).items()}
    taken = [node for cell in fixed.values() for node in cell]
    if odd := [node for node in taken if node not in nodes] + [name for name in fixed if name not in variables]:
        raise InputError(f"alignments: {odd[0]} is pinned and is no node or no variable here")
    free, open_nodes = [v for v in variables if v not in fixed], [n for n in nodes if n not in taken]
    if (total := (len(free) + 1) ** len(open_nodes)) > MOST_ALIGNMENTS:
        raise InputError(
            f"alignments: {len(free)} variables and {len(open_nodes)} nodes make {total:,} assignments; at most "
            f"{MOST_ALIGNMENTS:,} are enumerated: pin some variables"
        )
    for owners in itertools.product(range(len(free) + 1), repeat=len(open_nodes)):
        cells = {
            name: tuple(node for node, owner in zip(open_nodes, owners, strict=True) if owner == k)
            for k, name in enumerate(free)
        }
        if all(cell and (not most or len(cell) <= most) for cell in cells.values()):
            yield {name: (fixed | cells)[name] for name in variables}


@dataclass(frozen=True)
class Implementations:
    """All circuits and alignments of a class that implement an interpretation, with their values on the queries.

    Attributes:
        circuits: the class. alignments: cells of each alignment.
        circuit, alignment: (N,) which of them each implementation is.
        error: (N,) share of queries at which it differs from the interpretation (D4 with the 0-1 metric).
        examined: pairs of circuit and alignment looked at; ``queries``: how many each was asked.
        states: (N, nodes, queries) codes of all nodes: the signature (D6).
        variables: of the interpretation, by name.
        responses: (N, variables, queries) values that the cells stand for, in this order.
    """

    circuits: Circuits
    alignments: tuple[Cells, ...]
    circuit: NDArray[np.intp]
    alignment: NDArray[np.intp]
    error: NDArray[np.float64]
    examined: int
    queries: int
    states: Codes
    variables: tuple[str, ...]
    responses: NDArray[Any]

    def __len__(self) -> int:
        return len(self.circuit)

    def signatures(self) -> NDArray[np.float64]:
        """Return (N, nodes, queries), centred over queries and of unit column norm, so that kappa is finite (P4).

        A circuit whose nodes never change has signature 0.
        """
        centred = self.states - self.states.mean(axis=2, keepdims=True)
        norms = np.sqrt(np.square(centred).sum(axis=1).mean(axis=1))
        return np.asarray(centred / np.where(norms > 0, norms, 1.0)[:, None, None])


def implementations(
    interpretation: CausalModel,
    circuits: Circuits,
    alignments: Sequence[Cells],
    queries: Interchanges,
    *,
    tolerance: float = 0.0,
    keep: int = 100_000,
) -> Implementations:
    """Return Impl(A): every circuit with every alignment whose error on the queries is at most ``tolerance``.

    A cell is read by the map that is forced on most of the queries at which each of its states occurs; where an exact
    map exists, it is this one (P5 iii). The error is the share of queries at which any variable comes out otherwise.

    Args:
        interpretation: a finite causal model over the inputs of the circuits.
        circuits: a class, see `Circuits.every`.
        alignments: cells for all its variables, see `every_alignment`.
        queries: of the interpretation, see `congruity.theory.queries.Interchanges`.
        tolerance: eta, a share of queries.
        keep: implementations at most, as all their states are held.

    Raises:
        InputError: inputs of other names or values, cells of unknown names or that overlap, more implementations.
    """
    finite = tabulated(interpretation)
    _check(finite, circuits, alignments, tolerance)
    solved = queries.run(finite, queries.swapped)
    expected = {name: codes(finite.domains[name], solved[name]) for name in finite.variables}
    variables = tuple(sorted(finite.variables))
    listed = {name: _values(finite, name) for name in variables}
    base, source = (
        {name: codes(circuits.inputs[name], part[name]) for name in circuits.inputs}
        for part in (queries.base, queries.source)
    )
    n, found, kept = len(queries), [], 0
    for rows in np.array_split(np.arange(len(circuits)), max(1, -(-len(circuits) * n // _AT_ONCE))):
        some = circuits.take(rows)
        there = some.solve(source) if queries.swapped else {}
        for at, cells in enumerate(alignments):
            swapped = {p: queries.swapped[name] for name in cells if name in queries.swapped for p in cells[name]}
            ran = some.solve(base, do={p: there[p] for p in swapped}, where=swapped)
            read = {
                name: _read(ran, [(p, circuits.sizes[p]) for p in cell], expected[name], len(finite.domains[name]))
                for name, cell in cells.items()
            }
            wrong = np.any([read[name] != expected[name] for name in cells], axis=0).mean(axis=1)
            good = np.flatnonzero(wrong <= tolerance)
            kept += len(good)
            if kept > keep:
                raise InputError(f"implementations: more than {keep:,}; lower the tolerance, pin cells, or raise keep")
            whole = (len(rows), n)
            states = np.stack([np.broadcast_to(ran[name], whole)[good] for name in circuits.parents], axis=1)
            responses = np.stack([listed[v][np.broadcast_to(read[v], whole)[good]] for v in variables], axis=1)
            found.append((rows[good], np.full(len(good), at), wrong[good], states, responses))
    circuit, alignment, error, states, responses = (np.concatenate(part) for part in zip(*found, strict=True))
    return Implementations(
        circuits=circuits,
        alignments=tuple(alignments),
        circuit=circuit,
        alignment=alignment,
        error=error,
        examined=len(circuits) * len(alignments),
        queries=n,
        states=states,
        variables=variables,
        responses=responses,
    )


def _values(finite: CausalModel, name: str) -> NDArray[Any]:
    """Return a variable's values, in a type in which those of all variables can be compared."""
    kinds = {np.asarray(finite.domains[v]).dtype.kind for v in finite.variables}
    return np.asarray(finite.domains[name], dtype=object if "U" in kinds and len(kinds) > 1 else None)


def _check(finite: CausalModel, circuits: Circuits, alignments: Sequence[Cells], tolerance: float) -> None:
    if {n: list(v or ()) for n, v in finite.inputs.items()} != {n: list(v) for n, v in circuits.inputs.items()}:
        raise InputError("implementations: the interpretation and the circuits need the same inputs and values")
    if not alignments:
        raise InputError("implementations: there is no alignment to look at")
    if not 0 <= tolerance < 1:
        raise InputError(f"implementations: the tolerance is a share of queries in [0, 1); it is {tolerance}")
    for cells in alignments:
        if set(cells) != set(finite.variables) or {p for c in cells.values() for p in c} - set(circuits.parents):
            raise InputError(f"implementations: the alignment {dict(cells)} names unknown variables, or not all")
        require_disjoint(cells)


def _read(states: Mapping[str, Codes], cell: Sequence[tuple[str, int]], expected: Codes, values: int) -> Codes:
    """Return (circuits, queries) codes that a cell stands for: in each state what is expected most often, the first."""
    place: Any = 0
    for name, size in cell:
        place = place * size + states[name].astype(np.intp)
    count = math.prod(size for _, size in cell)
    often = np.stack(
        [
            np.stack([((place == state) & (expected == value)).sum(axis=1) for value in range(values)], axis=-1)
            for state in range(count)
        ],
        axis=1,
    )  # (circuits, states, values)
    return np.asarray(np.take_along_axis(often.argmax(axis=-1), place, axis=1))
