"""Shared inputs of a family's networks, and the pairs of inputs between which parts are interchanged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from congruity._base.streams import stream
from congruity.known.algorithms import Family

_INPUTS = 96


def inputs(family: Family, seed: int, half: str) -> NDArray[np.int64]:
    """Return inputs on which the networks of a family's half are read, (inputs, length).

    Answers are those at the first position. Half are drawn from inputs of the commonest answer, half from the others.
    """
    tokens = family.every(family.length)
    first = family.truth(tokens)[:, 0]
    common = first == np.bincount(first).argmax()
    random = stream(seed, "bench ground truth", "inputs", family.name, half)
    rows = [
        random.choice(np.flatnonzero(part), min(_INPUTS // 2, int(part.sum())), replace=False)
        for part in (common, ~common)
    ]
    return np.asarray(tokens[np.sort(np.concatenate(rows))])


def pairs(family: Family, seed: int, half: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return base and source inputs, (pairs, length) each: every input with another one, and with one a token away."""
    base = inputs(family, seed, half)
    random = stream(seed, "bench ground truth", "pairs", family.name, half)
    near, rows = base.copy(), np.arange(len(base))
    at = random.integers(base.shape[1], size=len(base))
    vocabulary = family.vocabulary(base.shape[1])
    near[rows, at] = (near[rows, at] + random.integers(1, vocabulary, size=len(base))) % vocabulary
    return np.concatenate([base, base]), np.concatenate([base[random.permutation(len(base))], near])
