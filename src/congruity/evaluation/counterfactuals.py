"""What a network is asked, and what the causal model answers: plain inputs, and swaps of variables between inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from congruity._base.streams import stream
from congruity.errors import InputError
from congruity.theory import CausalModel
from congruity.theory.causal import Array
from congruity.theory.tables import codes, domains

_POOL = 50_000  # pairs of inputs looked through for swaps that change the answer
_TRIES = 40  # pools at most
_LISTED = 4096  # inputs at most, of which the plain accuracy is that of all

Codes = NDArray[np.int64]


class Swappable(Protocol):
    """A network of which named places can take the value that they have on another input."""

    @property
    def name(self) -> str: ...
    @property
    def places(self) -> tuple[str, ...]: ...

    def probabilities(
        self, base: Codes, source: Codes | None = None, swapped: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]: ...  # base and source (n, inputs), swapped (n, places) -> (n, outputs, classes)


@dataclass(frozen=True)
class Swaps:
    """Pairs of inputs as codes, which inner variables are swapped, and the classes that must come out."""

    base: Codes
    source: Codes
    names: NDArray[np.bool_]  # (pairs, inner variables)
    expected: Codes  # (pairs, outputs)

    def __len__(self) -> int:
        return len(self.base)


class Truth:
    """The causal model in codes, and draws of its swaps."""

    def __init__(self, model: CausalModel, network: Swappable) -> None:
        self.model, self.network = model, network
        self._domains = domains(model)
        self.unchanging: tuple[str, ...] = ()
        probe = network.probabilities(self._inputs(1, stream(0, "evaluate", "probe")))
        outputs, classes = probe.shape[1:]
        wanted = [len(self._domains[name]) for name in model.outputs]
        if outputs != len(wanted) or max(wanted) > classes:
            raise InputError(
                f"evaluate: {network.name} gives {outputs} answers of {classes} classes; the interpretation has "
                f"{len(wanted)} outputs of up to {max(wanted)} values"
            )

    def plain(self, seed: int) -> tuple[NDArray[np.bool_], bool]:
        """Return for inputs whether the answers are those of the causal model, and whether these are all inputs."""
        sizes = [len(self._domains[name]) for name in self.model.inputs]
        total = int(np.prod(sizes, dtype=np.float64))
        if whole := total <= _LISTED:
            every = np.indices(sizes).reshape(len(sizes), -1).T
        else:
            every = self._inputs(_LISTED, stream(seed, "evaluate", "plain"))
        expected = self._answers(self.model.solve(self._values(every)))
        return np.asarray((self.network.probabilities(every).argmax(axis=2) == expected).all(axis=1)), whole

    def swaps(self, count: int, seed: int, label: str, *, changing: bool, sets: bool = False) -> Swaps:
        """Draw swaps, as many of each variable, or of random sets of at least two; ``changing`` the answer, or any."""
        random = stream(seed, "evaluate", label)
        inner, kept = self.model.inner, list[Swaps]()
        if sets and len(inner) < 2:
            return self._swaps(np.zeros((0, len(inner)), dtype=bool), random)
        wanted = np.bincount(np.arange(count) % len(inner), minlength=len(inner))
        have = np.zeros(len(inner), dtype=int)
        for _ in range(_TRIES):
            short = np.flatnonzero(have < wanted) if not sets else np.arange(len(inner))
            if not len(short) or sum(map(len, kept)) >= count:
                break
            size = min(_POOL, 4 * count) if not changing else _POOL
            names = np.eye(len(inner), dtype=bool)[random.choice(short, size)]
            if sets:
                names = random.random((size, len(inner))) < random.uniform(0.2, 0.8, size=(size, 1))
                names = names[names.sum(axis=1) >= 2]
            drawn = self._swaps(names, random)
            keep = np.ones(len(drawn), dtype=bool)
            if changing:
                plain = self._answers(self.model.solve(self._values(drawn.base)))
                keep = (drawn.expected != plain).any(axis=1)
            rows = np.flatnonzero(keep)
            if not sets:
                which = drawn.names[rows].argmax(axis=1)
                rows = np.concatenate([rows[which == k][: wanted[k] - have[k]] for k in range(len(inner))])
                have += drawn.names[rows].sum(axis=0)
            kept.append(Swaps(drawn.base[rows], drawn.source[rows], drawn.names[rows], drawn.expected[rows]))
        if changing and not sets:
            self.unchanging = tuple(name for name, got in zip(inner, have, strict=True) if not got)
            if not have.any():
                raise InputError("evaluate: no swap of one variable changes the interpretation's answer")
        return Swaps(
            np.concatenate([one.base for one in kept])[:count],
            np.concatenate([one.source for one in kept])[:count],
            np.concatenate([one.names for one in kept])[:count],
            np.concatenate([one.expected for one in kept])[:count],
        )

    def _swaps(self, names: NDArray[np.bool_], random: np.random.Generator) -> Swaps:
        base, source = (self._inputs(len(names), random) for _ in range(2))
        inner = self.model.inner
        where = dict(zip(inner, names.T, strict=True))
        solved = self.model.interchange(self._values(base), self._values(source), inner, where=where)
        return Swaps(base, source, names, self._answers(solved))

    def _inputs(self, count: int, random: np.random.Generator) -> Codes:
        sizes = [len(self._domains[name]) for name in self.model.inputs]
        return np.asarray(random.integers(0, sizes, size=(count, len(sizes))))

    def _values(self, inputs: Codes) -> dict[str, Array]:
        return {
            name: np.asarray(self._domains[name])[column]
            for name, column in zip(self.model.inputs, inputs.T, strict=True)
        }

    def _answers(self, solved: Mapping[str, Array]) -> Codes:
        return np.stack([codes(self._domains[name], solved[name]) for name in self.model.outputs], axis=1)
