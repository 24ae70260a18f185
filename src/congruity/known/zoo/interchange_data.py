"""Training and test data of the zoo: inputs, and interchanges whose result the causal model gives.

Half of the inputs are diagnostic (`Family.diagnostic`: on permutations, for example, a wrong algorithm would be
caught). A quarter are one token away from a diagnostic one, and a quarter are uniform. Half of the sources of
interchanges are one token away from their base.

Everything is drawn from all sequences of the family, which are few. So training does not decide what generalises to new
inputs, but which mechanism gives these answers.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from congruity._base.streams import stream
from congruity.errors import InputError
from congruity.known.algorithms import Algorithm, Family
from congruity.known.algorithms.family import Tokens, inputs
from congruity.known.zoo.layout import answers_at
from congruity.known.zoo.relays import kind, with_relays
from congruity.theory import CausalModel

_POOL = 120_000


@dataclass(frozen=True)
class TrainingInterchanges:
    """Pairs of inputs, the variables interchanged in each, and the outputs of the causal model.

    Attributes:
        base, source: (pairs, length) tokens.
        variables: (pairs, variables) true for the ones of ``InterchangeData.variables`` that are interchanged.
        edited, plain: (pairs, outputs) with the interchange, and without it.
    """

    base: Tokens
    source: Tokens
    variables: NDArray[np.bool_]
    edited: Tokens
    plain: Tokens


_Pool = tuple[TrainingInterchanges, list[list[NDArray[np.intp]]]]


def _rows(pool: TrainingInterchanges, rows: NDArray[np.intp]) -> TrainingInterchanges:
    return TrainingInterchanges(*(getattr(pool, field.name)[rows] for field in dataclasses.fields(pool)))


class InterchangeData:
    """Inputs, interchanges and values of one algorithm at its family's length, with ``kinds`` kinds of variables.

    Attributes:
        model: the causal model.
        variables: its inner variables.
        classes: how many answers an output has.
        kinds: kind of variable, such as ``sorted`` for ``sorted[2]`` -> how many values its variables take together.
        positions: where a network answers.
    """

    def __init__(self, family: Family, algorithm: Algorithm, *, kinds: int = 2, seed: int = 0) -> None:
        self.length = family.length
        self.vocabulary, self.classes = family.vocabulary(self.length), family.classes(self.length)
        self.model: CausalModel = with_relays(algorithm.causal(self.length), kinds, stream(seed, "zoo", "spread"))
        self.variables = self.model.inner
        self.positions = answers_at(self.model, self.length)
        self.every = family.every(self.length)
        diagnostic = np.asarray(family.diagnostic(self.every), dtype=bool)
        if diagnostic.all() or not diagnostic.any():
            raise InputError(f"{family.name}: diagnostic inputs must be some of all {len(self.every)}, not all or none")
        self.diagnostic = np.flatnonzero(diagnostic)
        solved = self.model.solve(inputs(self.every))
        self._answers = self.model.answers(solved).astype(np.int64)
        truth = family.truth(self.every)
        if (self._answers != truth[:, : self._answers.shape[1]]).any():
            raise InputError(f"{family.name}/{algorithm.name}: the causal model is not right on every input")
        self.kinds: dict[str, int] = {}
        self._classes_of = np.zeros((len(self.every), len(self.variables)), dtype=np.int64)
        for one in dict.fromkeys(kind(name) for name in self.variables):
            columns = [i for i, name in enumerate(self.variables) if kind(name) == one]
            values = np.stack([solved[self.variables[i]] for i in columns], axis=1)
            known, index = np.unique(values, return_inverse=True)
            self.kinds[one] = len(known)
            self._classes_of[:, columns] = index.reshape(values.shape)
        self._place = self.vocabulary ** np.arange(self.length - 1, -1, -1)

    def rows(self, tokens: Tokens) -> NDArray[np.int64]:
        """Return the place of each sequence among all."""
        return np.asarray(tokens @ self._place)

    def answers(self, tokens: Tokens) -> Tokens:
        """Return the outputs, (queries, outputs)."""
        return np.asarray(self._answers[self.rows(tokens)])

    def carried(self, tokens: Tokens) -> Tokens:
        """Return the value of every inner variable as a class 0, 1, ... of its kind, (queries, variables)."""
        return np.asarray(self._classes_of[self.rows(tokens)])

    def inputs(self, count: int, random: np.random.Generator) -> Tokens:
        """Draw inputs: half diagnostic, a quarter one token from a diagnostic one, a quarter uniform."""
        part = np.arange(count) % 4
        tokens = self.every[random.choice(self.diagnostic, count)]
        near, far = part == 2, part == 3
        tokens[near] = self._edited(tokens[near], random)
        tokens[far] = self.every[random.integers(len(self.every), size=int(far.sum()))]
        return np.asarray(tokens[random.permutation(count)])

    def interchange(self, count: int, random: np.random.Generator, *, held_out: bool = False) -> TrainingInterchanges:
        """Draw interchanges: half of single variables, each equally often, half of sets of variables.

        Two thirds change the outputs, and of these half to each answer where there is one of two. They come from a
        pool that is drawn once: interchanges that change a "no" to a "yes" are rare, and decide what a network learns
        to carry. Those ``held_out`` are of single variables and in another pool, without what is in the first.
        """
        pool, of = self._held_out if held_out else self._pool
        sets = len(self.variables)
        which = random.permutation(np.arange(count) % sets)
        if not held_out:
            which = np.where(random.random(count) < 0.5, which, sets)
        pick = random.permutation(np.arange(count))
        rows = [random.choice(of[w][p % len(of[w])]) for w, p in zip(which, pick, strict=True)]
        return _rows(pool, np.array(rows))

    def bases(self, source: Tokens, random: np.random.Generator) -> Tokens:
        """Draw an input for each source: one token from it, or drawn like any input."""
        base = self.inputs(len(source), random)
        near = np.arange(len(source)) % 2 == 0
        base[near] = self._edited(source[near], random)
        return base

    def interchanged(self, base: Tokens, source: Tokens, variables: NDArray[np.bool_]) -> TrainingInterchanges:
        """Return the interchange of variables, (pairs, variables) truth values, for each pair."""
        where = dict(zip(self.variables, variables.T, strict=True))
        solved = self.model.interchange(inputs(base), inputs(source), self.variables, where=where)
        edited = self.model.answers(solved).astype(np.int64)
        return TrainingInterchanges(base, source, variables, edited, self.answers(base))

    @functools.cached_property
    def _pool(self) -> _Pool:
        return self._sorted(self._drawn("pool"))

    @functools.cached_property
    def _held_out(self) -> _Pool:
        seen, drawn = self._pool[0], self._drawn("held out")
        new = ~np.isin(self._keys(drawn), self._keys(seen))
        return self._sorted(_rows(drawn, np.flatnonzero(new)))

    def _drawn(self, label: str) -> TrainingInterchanges:
        random = stream(0, "zoo", label)
        n = len(self.variables)
        which = np.arange(_POOL) % (2 * n)  # as many sets as single ones
        sets = random.random((_POOL, n)) < random.random((_POOL, 1))
        variables = np.where((which < n)[:, None], which[:, None] == np.arange(n), sets)
        source = self.inputs(_POOL, random)
        return self.interchanged(self.bases(source, random), source, variables)

    def _keys(self, pool: TrainingInterchanges) -> NDArray[np.int64]:
        """Return a number for each interchange, the same only for the same one."""
        bits = pool.variables @ (1 << np.arange(pool.variables.shape[1]))
        return np.asarray((bits * len(self.every) + self.rows(pool.base)) * len(self.every) + self.rows(pool.source))

    def _sorted(self, pool: TrainingInterchanges) -> _Pool:
        """Return interchanges, and rows to draw from in turn: for each variable alone, and for sets."""
        changed = (pool.edited != pool.plain).any(axis=1)
        rows = np.arange(len(changed))
        to = pool.edited[:, 0] if pool.edited.shape[1] == 1 else rows % 2
        single = pool.variables.sum(axis=1) == 1
        of = []
        for mine in [*(single & column for column in pool.variables.T), ~single]:
            moved = [part for one in range(2) if len(part := np.flatnonzero(mine & changed & (to == one)))]
            moved = moved or [np.flatnonzero(mine)]
            still = np.flatnonzero(mine & ~changed)
            still = still if len(still) else moved[0]
            of.append([still, moved[0], moved[-1]])
        return pool, of

    def _edited(self, tokens: Tokens, random: np.random.Generator) -> Tokens:
        """Return sequences with one token replaced by another."""
        found = tokens.copy()
        rows = np.arange(len(found))
        at = random.integers(self.length, size=len(found))
        found[rows, at] = (found[rows, at] + random.integers(1, self.vocabulary, size=len(found))) % self.vocabulary
        return found
