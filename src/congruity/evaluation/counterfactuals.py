"""Interchange interventions on a causal model: pairs of inputs, interchanged variables, and expected answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from congruity._base.streams import stream
from congruity.errors import InputError
from congruity.theory import CausalModel
from congruity.theory.causal import Array
from congruity.theory.tables import codes, domains

_POOL = 50_000  # pairs of inputs looked through for interchanges that change the answer
_TRIES = 40  # pools at most
_LISTED = 4096  # inputs at most, of which the accuracy without an interchange is that of all

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class InterchangePairs:
    """Pairs of inputs as codes, which inner variables are interchanged, and the answers of the causal model.

    Attributes:
        base, source: (pairs, inputs) codes.
        variables: (pairs, inner variables), True where interchanged.
        expected: (pairs, outputs) codes.
    """

    base: Codes
    source: Codes
    variables: NDArray[np.bool_]
    expected: Codes

    def __len__(self) -> int:
        return len(self.base)

    def select(self, rows: NDArray[np.intp]) -> InterchangePairs:
        """Return the pairs at ``rows``."""
        return InterchangePairs(self.base[rows], self.source[rows], self.variables[rows], self.expected[rows])


class Counterfactuals:
    """The answers of a causal model in codes, and draws of its interchange interventions."""

    def __init__(self, model: CausalModel) -> None:
        self.model = model
        self._domains = domains(model)

    def probe(self) -> Codes:
        """Return one input, (1, inputs)."""
        return self._inputs(1, stream(0, "evaluate", "probe"))

    def plain(self, seed: int) -> tuple[Codes, Codes, bool]:
        """Return inputs and their answers without an interchange, and whether these are all inputs."""
        sizes = [len(self._domains[name]) for name in self.model.inputs]
        total = int(np.prod(sizes, dtype=np.float64))
        if whole := total <= _LISTED:
            every = np.indices(sizes).reshape(len(sizes), -1).T
        else:
            every = self._inputs(_LISTED, stream(seed, "evaluate", "plain"))
        return every, self._answers(self.model.solve(self._values(every))), whole

    def any(self, count: int, seed: int) -> InterchangePairs:
        """Draw interchanges of one variable, as many of each, whether or not they change the answer."""
        return self._drawn(count, stream(seed, "evaluate", "any"), effective=False)

    def effective(self, count: int, seed: int, label: str) -> InterchangePairs:
        """Draw effective interchanges of one variable, as many of each: those that change the causal model's answer.

        Raises:
            InputError: there are none.
        """
        found = self._drawn(count, stream(seed, "evaluate", label), effective=True)
        if not len(found):
            raise InputError("evaluate: no interchange of one variable changes the interpretation's answer")
        return found

    def joint(self, count: int, seed: int) -> InterchangePairs:
        """Draw effective interchanges of random sets of at least two variables; none where there are fewer."""
        random, inner = stream(seed, "evaluate", "joint"), self.model.inner
        if len(inner) < 2:
            return self._pairs(np.zeros((0, len(inner)), dtype=bool), random)
        kept: list[InterchangePairs] = []
        while len(kept) < _TRIES and sum(map(len, kept)) < count:
            random.choice(np.arange(len(inner)), _POOL)  # keeps later draws those of earlier versions
            sets = random.random((_POOL, len(inner))) < random.uniform(0.2, 0.8, size=(_POOL, 1))
            drawn = self._pairs(sets[sets.sum(axis=1) >= 2], random)
            kept.append(drawn.select(np.flatnonzero(self._changes(drawn))))
        return _joined(kept).select(np.arange(min(count, sum(map(len, kept)))))

    def _drawn(self, count: int, random: np.random.Generator, *, effective: bool) -> InterchangePairs:
        inner, kept = self.model.inner, list[InterchangePairs]()
        wanted = np.bincount(np.arange(count) % len(inner), minlength=len(inner))
        have = np.zeros(len(inner), dtype=int)
        size = _POOL if effective else min(_POOL, 4 * count)
        for _ in range(_TRIES):
            short = np.flatnonzero(have < wanted)
            if not len(short):
                break
            drawn = self._pairs(np.eye(len(inner), dtype=bool)[random.choice(short, size)], random)
            rows = np.flatnonzero(self._changes(drawn)) if effective else np.arange(len(drawn))
            which = drawn.variables[rows].argmax(axis=1)
            rows = np.concatenate([rows[which == k][: wanted[k] - have[k]] for k in range(len(inner))])
            have += drawn.variables[rows].sum(axis=0)
            kept.append(drawn.select(rows))
        return _joined(kept)

    def _changes(self, drawn: InterchangePairs) -> NDArray[np.bool_]:
        plain = self._answers(self.model.solve(self._values(drawn.base)))
        return np.asarray((drawn.expected != plain).any(axis=1))

    def _pairs(self, variables: NDArray[np.bool_], random: np.random.Generator) -> InterchangePairs:
        base, source = (self._inputs(len(variables), random) for _ in range(2))
        inner = self.model.inner
        where = dict(zip(inner, variables.T, strict=True))
        solved = self.model.interchange(self._values(base), self._values(source), inner, where=where)
        return InterchangePairs(base, source, variables, self._answers(solved))

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


def _joined(parts: list[InterchangePairs]) -> InterchangePairs:
    columns = ("base", "source", "variables", "expected")
    return InterchangePairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))
