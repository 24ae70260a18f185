"""Finite circuits that share a wiring and differ in their gates, solved together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity.errors import InputError
from congruity.theory.causal import Array, CausalModel
from congruity.theory.tables import Table

Codes = NDArray[Any]  # of unsigned integers, wide enough for the most values of any variable
MOST_CIRCUITS = 10_000_000


@dataclass(frozen=True)
class Circuits:
    """Finite circuits of one wiring, differing in their gates, solved together. Values are codes 0, 1, ...

    Attributes:
        inputs: input -> its values, in order; a code is a place among them.
        parents: node -> what it reads, inputs or nodes; a node comes after its parents.
        sizes: node -> how many values it takes.
        gates: node -> (circuits, combinations of the parents' values) codes, the last parent fastest.
        outputs: nodes that are the answer.

    >>> every = Circuits.every({"a": (0, 1), "b": (0, 1)}, {"y": ("a", "b")}, ("y",))
    >>> len(every), every.member(8).solve({"a": [0, 1], "b": [1, 1]})["y"]
    (16, array([0, 0]))
    """

    inputs: Mapping[str, Sequence[Any]]
    parents: Mapping[str, tuple[str, ...]]
    sizes: Mapping[str, int]
    gates: Mapping[str, Codes]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        known = {name: len(values) for name, values in self.inputs.items()}
        for name, parents in self.parents.items():
            if lacking := [parent for parent in parents if parent not in known]:
                raise InputError(f"circuits: {name} reads {lacking[0]}, which is no input and no node before it")
            expected = math.prod(known[parent] for parent in parents)
            if self.gates[name].shape != (len(self), expected) or self.gates[name].max() >= self.sizes[name]:
                raise InputError(
                    f"circuits: the gates of {name} have shape {self.gates[name].shape} and codes up to "
                    f"{self.gates[name].max()}; expected ({len(self)}, {expected}) and below {self.sizes[name]}"
                )
            known[name] = self.sizes[name]
        if not self.outputs or (lacking := [name for name in self.outputs if name not in self.parents]):
            raise InputError(f"circuits: outputs must name nodes; {lacking[0] if self.outputs else 'none'} is none")

    def __len__(self) -> int:
        return len(next(iter(self.gates.values())))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of codes."""
        return np.min_scalar_type(max(*(len(v) for v in self.inputs.values()), *self.sizes.values()) - 1)

    @classmethod
    def every(
        cls,
        inputs: Mapping[str, Sequence[Any]],
        parents: Mapping[str, Sequence[str]],
        outputs: Sequence[str],
        *,
        sizes: Mapping[str, int] | None = None,
    ) -> Circuits:
        """Return all circuits of a wiring: every function of its parents at every node.

        Raises:
            InputError: more than ten million circuits; the message has their number.
        """
        of = {name: 2 for name in parents} | dict(sizes or {})
        width = {name: len(values) for name, values in inputs.items()} | of
        entries = {name: math.prod(width.get(parent, 1) for parent in read) for name, read in parents.items()}
        digits = sum(entries[name] * math.log10(of[name]) for name in parents)
        if digits > 18:
            raise InputError(
                f"circuits: this wiring has about 10^{digits:.0f} circuits; at most {MOST_CIRCUITS:,} are enumerated: "
                "let nodes read less, or give the gates"
            )
        counts = {name: of[name] ** entries[name] for name in parents}
        if (total := math.prod(counts.values())) > MOST_CIRCUITS:
            raise InputError(
                f"circuits: this wiring has {total:,} circuits ({' * '.join(f'{c:,}' for c in counts.values())}); at "
                f"most {MOST_CIRCUITS:,} are enumerated: let nodes read less, or give the gates"
            )
        place = np.indices(tuple(counts.values())).reshape(len(counts), -1)
        gates = {
            name: _digits(np.arange(counts[name]), of[name], entries[name])[rows]
            for name, rows in zip(counts, place, strict=True)
        }
        return cls(inputs, {name: tuple(read) for name, read in parents.items()}, of, gates, tuple(outputs))

    def take(self, rows: NDArray[np.intp]) -> Circuits:
        """Return some of the circuits; raise `InputError` for none."""
        if not len(rows):
            raise InputError("circuits: there is no circuit to take")
        return Circuits(
            self.inputs, self.parents, self.sizes, {n: g[rows] for n, g in self.gates.items()}, self.outputs
        )

    def member(self, index: int) -> CausalModel:
        """Return one circuit as a causal model, over the input's own values and codes elsewhere."""
        values = {name: tuple(listed) for name, listed in self.inputs.items()}
        values |= {name: tuple(range(size)) for name, size in self.sizes.items()}
        mechanisms = {
            name: (read, Table(tuple(values[p] for p in read), tuple(self.gates[name][index].tolist())))
            for name, read in self.parents.items()
        }
        return CausalModel(dict(self.inputs), mechanisms, self.outputs, {name: values[name] for name in mechanisms})

    def solve(
        self,
        inputs: Mapping[str, Array],
        *,
        do: Mapping[str, Codes] | None = None,
        where: Mapping[str, NDArray[np.bool_]] | None = None,
    ) -> dict[str, Codes]:
        """Return (circuits, queries) codes of every node.

        Args:
            inputs: codes (queries,).
            do: nodes set to codes (circuits, queries).
            where: for some of these truth values (queries,): they are set on these queries only.

        Raises:
            InputError: ``do`` names no node, or ``where`` one that is not set.
        """
        do, where = do or {}, where or {}
        if odd := [name for name in do if name not in self.parents] + [name for name in where if name not in do]:
            raise InputError(f"circuits: {odd[0]} is no node that is set")
        values: dict[str, Codes] = {name: np.asarray(inputs[name], dtype=self.dtype)[None] for name in self.inputs}
        sizes = {name: len(listed) for name, listed in self.inputs.items()} | dict(self.sizes)
        rows = np.arange(len(self))[:, None]
        n = len(next(iter(inputs.values())))
        for name, parents in self.parents.items():
            if name in do and name not in where:
                values[name] = do[name]
                continue
            place: Any = np.zeros((1, n), dtype=np.intp)
            for parent in parents:
                place = place * sizes[parent] + values[parent]
            gates = self.gates[name]
            found = gates[:, place[0]] if len(place) == 1 else gates.ravel()[place + rows * gates.shape[1]]
            values[name] = np.where(where[name], do[name], found) if name in do else found
        return {name: values[name] for name in self.parents}


def _digits(numbers: NDArray[np.intp], base: int, count: int) -> Codes:
    """Return (numbers, count) digits, the last fastest."""
    found = numbers[:, None] // base ** np.arange(count - 1, -1, -1) % base
    return np.asarray(found, dtype=np.min_scalar_type(base - 1))
