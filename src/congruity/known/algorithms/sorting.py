"""Sort n tokens 0, ..., n - 1: by ranks, by taking the smallest that is left again and again, or by counting.

Position i answers with the i-th smallest token. After an intervention the parts may contradict each other (no position
of rank 2, or two); what a model answers then is part of the algorithm, and said at each mechanism.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity.known.algorithms.family import Algorithm, Family, Tokens, place, places, program
from congruity.theory import CausalModel


def _truth(tokens: Tokens) -> Tokens:
    ordered: Tokens = np.sort(tokens, axis=1)
    return ordered


def _diagnostic(tokens: Tokens) -> NDArray[np.bool_]:
    """At most one token occurs twice: most orders, and what ties do."""
    ordered = np.sort(tokens, axis=1)
    return np.asarray((ordered[:, 1:] == ordered[:, :-1]).sum(axis=1) <= 1)


def _model(n: int, mechanisms: dict[str, Any]) -> CausalModel:
    return CausalModel(dict.fromkeys(places("x", n), range(n)), mechanisms, places("sorted", n))


def _ranks(n: int) -> CausalModel:
    def rank(i: int) -> Callable[..., Any]:
        """Smaller tokens, and equal ones that stand before."""

        def found(*x: Any) -> Any:
            rows = np.stack(x)
            return (rows < x[i]).sum(axis=0) + (rows[:i] == x[i]).sum(axis=0)

        return found

    def chosen(i: int) -> Callable[..., Any]:
        """The token of the first position of rank i; 0 where there is none."""

        def found(*values: Any) -> Any:
            tokens, ranks = np.stack(values[:n]), np.stack(values[n:])
            fits = ranks == i
            return np.where(fits.any(axis=0), np.take_along_axis(tokens, fits.argmax(axis=0)[None], axis=0)[0], 0)

        return found

    x, ranks = places("x", n), places("rank", n)
    mechanisms: dict[str, Any] = {ranks[i]: (x, rank(i)) for i in range(n)}
    return _model(n, mechanisms | {place("sorted", i): ((*x, *ranks), chosen(i)) for i in range(n)})


def _minimum(n: int) -> CausalModel:
    def smallest(k: int) -> Callable[..., Any]:
        """The first position of the smallest token that is not taken; of all tokens where all are."""

        def found(*values: Any) -> Any:
            tokens, gone = np.stack(values[:n]), np.stack(values[n:]) if k else np.empty((0, 1), int)
            taken = (np.arange(n)[:, None, None] == gone).any(axis=1)
            return np.where(taken, tokens + n, tokens).argmin(axis=0)

        return found

    def token(*values: Any) -> Any:
        *tokens, where = values
        return np.take_along_axis(np.stack(tokens), where[None], axis=0)[0]

    x, taken = places("x", n), places("taken", n)
    mechanisms: dict[str, Any] = {taken[k]: ((*x, *taken[:k]), smallest(k)) for k in range(n)}
    return _model(n, mechanisms | {place("sorted", k): ((*x, taken[k]), token) for k in range(n)})


def _counting(n: int) -> CausalModel:
    def up_to(v: int) -> Callable[..., Any]:
        return lambda *x: (np.stack(x) <= v).sum(axis=0)

    def reached(i: int) -> Callable[..., Any]:
        """How many tokens v have at most i tokens up to v; n - 1 at most."""
        return lambda *counts: np.minimum((np.stack(counts) <= i).sum(axis=0), n - 1)

    x, counts = places("x", n), places("up_to", n)
    mechanisms: dict[str, Any] = {counts[v]: (x, up_to(v)) for v in range(n)}
    return _model(n, mechanisms | {place("sorted", i): (counts, reached(i)) for i in range(n)})


FAMILY = Family(
    name="sorting",
    question="Which token is the i-th smallest?",
    length=4,
    vocabulary=lambda n: n,
    classes=lambda n: n,
    truth=_truth,
    diagnostic=_diagnostic,
    algorithms=(
        Algorithm(
            "ranks", "rank every token; position i takes the token of rank i", _ranks, program("sorting", "ranks")
        ),
        Algorithm(
            "minimum", "take the smallest token that is left, again and again", _minimum, program("sorting", "minimum")
        ),
        Algorithm(
            "counting",
            "count the tokens up to each; position i counts the counts of at most i",
            _counting,
            program("sorting", "counting"),
        ),
    ),
)
