"""Is a sequence of n tokens 0, ..., n - 1 a permutation? Six ways to tell, each right on every input.

Source of the task and the six ideas: the paper's first experiment. What follows is our own reading of each: written
out as they stand, three of them accept sequences that are no permutations (2 2 2 2 has constant differences too), so
that the last step compares with the value that a permutation gives. The answer stands at every position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity.known.algorithms.family import Algorithm, Family, Tokens, place, places, program
from congruity.theory import CausalModel

_YES = "permutation"


def _truth(tokens: Tokens) -> Tokens:
    right = (np.sort(tokens, axis=1) == np.arange(tokens.shape[1])).all(axis=1)
    return np.repeat(right[:, None], tokens.shape[1], axis=1).astype(np.int64)


def _diagnostic(tokens: Tokens) -> NDArray[np.bool_]:
    permutations: NDArray[np.bool_] = _truth(tokens)[:, 0] == 1
    return permutations


def _model(n: int, mechanisms: dict[str, Any], last: Sequence[str], accept: Callable[..., Any]) -> CausalModel:
    inputs = dict.fromkeys(places("x", n), range(n))
    return CausalModel(inputs, mechanisms | {_YES: (tuple(last), accept)}, (_YES,))


def _sorted(n: int) -> dict[str, Any]:
    def smallest(i: int) -> Callable[..., Any]:
        return lambda *x: np.sort(np.stack(x), axis=0)[i]

    return {place("sorted", i): (places("x", n), smallest(i)) for i in range(n)}


def _reversed(n: int) -> dict[str, Any]:
    return {place("reversed", i): ((place("sorted", n - 1 - i),), lambda value: value) for i in range(n)}


def _all_equal_to(*expected: int) -> Callable[..., Any]:
    return lambda *values: np.logical_and.reduce([v == e for v, e in zip(values, expected, strict=True)]).astype(int)


def _difference(n: int) -> CausalModel:
    last = places("difference", n - 1)
    parts = {
        last[i]: ((place("reversed", i), place("reversed", i + 1)), lambda this, following: this - following)
        for i in range(n - 1)
    }
    return _model(n, _sorted(n) | _reversed(n) | parts, last, _all_equal_to(*[1] * (n - 1)))


def _index(n: int) -> CausalModel:
    def plus(i: int) -> Callable[[Any], Any]:
        return lambda value: value + i

    last = places("shifted", n)
    parts = {last[i]: ((place("reversed", i),), plus(i)) for i in range(n)}
    return _model(n, _sorted(n) | _reversed(n) | parts, last, _all_equal_to(*[n - 1] * n))


def _interleave(n: int) -> CausalModel:
    # The reverse is the sorted sequence read from its end: of each only half is taken.
    mixed = {
        place("interleaved", i): ((place("sorted", i // 2 if i % 2 == 0 else n - 1 - i // 2),), lambda value: value)
        for i in range(n)
    }
    last = places("sum", n - 1)
    parts = {
        last[i]: ((place("interleaved", i), place("interleaved", i + 1)), lambda this, following: this + following)
        for i in range(n - 1)
    }
    return _model(n, _sorted(n) | mixed | parts, last, _all_equal_to(*(n - 1 + i % 2 for i in range(n - 1))))


def _parity(n: int) -> CausalModel:
    parity = places("parity", n)
    parts = {parity[i]: ((place("sorted", i),), lambda value: value % 2) for i in range(n)}

    def alternates(*values: Any) -> Any:
        stacked = np.stack(values)
        return (stacked[1:] != stacked[:-1]).all(axis=0).astype(int)

    return _model(n, _sorted(n) | parts, parity, alternates)


def _repeat(n: int) -> CausalModel:
    def again(i: int) -> Callable[..., Any]:
        return lambda *x: (np.delete(np.stack(x), i, axis=0) == x[i]).any(axis=0).astype(int)

    last = places("sum", n)
    mechanisms = {place("repeats", i): (places("x", n), again(i)) for i in range(n)}
    mechanisms |= {
        last[i]: ((place("repeats", i), place("repeats", (i + 1) % n)), lambda this, following: this + following)
        for i in range(n)
    }
    return _model(n, mechanisms, last, _all_equal_to(*[0] * n))


def _count(n: int) -> CausalModel:
    def below(i: int) -> Callable[..., Any]:
        return lambda *x: (np.stack(x) < x[i]).sum(axis=0)

    def distinct(*values: Any) -> Any:
        ordered = np.sort(np.stack(values), axis=0)
        return (ordered[1:] != ordered[:-1]).all(axis=0).astype(int)

    last = places("smaller", n)
    return _model(n, {last[i]: (places("x", n), below(i)) for i in range(n)}, last, distinct)


def _algorithm(name: str, causal: Callable[[int], CausalModel], summary: str) -> Algorithm:
    return Algorithm(name, summary, causal, program("permutation", name))


FAMILY = Family(
    name="permutation",
    question="Does every token 0, ..., n - 1 occur in these n tokens?",
    length=5,
    vocabulary=lambda n: n,
    classes=lambda n: 2,
    truth=_truth,
    diagnostic=_diagnostic,
    algorithms=(
        _algorithm("difference", _difference, "sort, reverse; the difference to the next is 1 everywhere"),
        _algorithm("index", _index, "sort, reverse, add the index; all equal"),
        _algorithm("interleave", _interleave, "sort, interleave with the reverse; the sums with the next alternate"),
        _algorithm("parity", _parity, "sort; even and odd alternate"),
        _algorithm("repeat", _repeat, "does a token occur twice? Sums with the next; all 0"),
        _algorithm("count", _count, "count smaller tokens; no two counts are equal"),
    ),
)
