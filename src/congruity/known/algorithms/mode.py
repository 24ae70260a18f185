"""Is the token at this position the most frequent one (of several, the smallest)? Tokens are 0, 1, 2; three ways.

By a histogram over tokens, by comparing how often the positions' own tokens occur, or by duels between two tokens. Each
position answers for its own token.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity.known.algorithms.family import Algorithm, Family, Tokens, place, places, program
from congruity.theory import CausalModel

TOKENS = 3


def _truth(tokens: Tokens) -> Tokens:
    answers = [row == np.bincount(row, minlength=TOKENS).argmax() for row in tokens]  # argmax takes the smallest
    return np.array(answers).astype(np.int64)


def _diagnostic(tokens: Tokens) -> NDArray[np.bool_]:
    """The two most frequent tokens occur equally often, or once apart."""
    counts = np.sort(np.stack([(tokens == v).sum(axis=1) for v in range(TOKENS)]), axis=0)
    return np.asarray(counts[-1] - counts[-2] <= 1)


def _model(n: int, mechanisms: dict[str, Any]) -> CausalModel:
    return CausalModel(dict.fromkeys(places("x", n), range(TOKENS)), mechanisms, places("mode", n))


def _count(v: int) -> Callable[..., Any]:
    return lambda *x: (np.stack(x) == v).sum(axis=0)


def _histogram(n: int) -> CausalModel:
    x, counts = places("x", n), places("count", TOKENS)
    mechanisms: dict[str, Any] = {counts[v]: (x, _count(v)) for v in range(TOKENS)}
    mechanisms["winner"] = (counts, lambda *found: np.stack(found).argmax(axis=0))
    own = {place("mode", i): ((x[i], "winner"), lambda token, best: (token == best).astype(int)) for i in range(n)}
    return _model(n, mechanisms | own)


def _frequency(n: int) -> CausalModel:
    x, frequency = places("x", n), places("frequency", n)

    def own(i: int) -> Callable[..., Any]:
        return lambda *tokens: (np.stack(tokens) == tokens[i]).sum(axis=0)

    def unbeaten(i: int) -> Callable[..., Any]:
        def found(*values: Any) -> Any:
            score = np.stack(values[n:]) * TOKENS - np.stack(values[:n])  # of equal frequencies the smaller token
            return (score <= score[i]).all(axis=0).astype(int)

        return found

    mechanisms: dict[str, Any] = {frequency[i]: (x, own(i)) for i in range(n)}
    return _model(n, mechanisms | {place("mode", i): ((*x, *frequency), unbeaten(i)) for i in range(n)})


def _duels(n: int) -> CausalModel:
    x, pairs = places("x", n), list(itertools.combinations(range(TOKENS), 2))
    names = {pair: f"duel[{pair[0]},{pair[1]}]" for pair in pairs}

    def first_wins(a: int, b: int) -> Callable[..., Any]:
        return lambda *tokens: (_count(a)(*tokens) >= _count(b)(*tokens)).astype(int)

    def wins_all(token: Any, *won: Any) -> Any:
        lost = np.zeros((TOKENS, len(won[0])), bool)
        for (a, b), first in zip(pairs, won, strict=True):
            lost[a] |= first == 0
            lost[b] |= first == 1
        return (~np.take_along_axis(lost, token[None], axis=0)[0]).astype(int)

    mechanisms: dict[str, Any] = {names[pair]: (x, first_wins(*pair)) for pair in pairs}
    own = {place("mode", i): ((x[i], *names.values()), wins_all) for i in range(n)}
    return _model(n, mechanisms | own)


FAMILY = Family(
    name="mode",
    question="Is the token at this position the most frequent one?",
    length=5,
    vocabulary=lambda n: TOKENS,
    classes=lambda n: 2,
    truth=_truth,
    diagnostic=_diagnostic,
    algorithms=(
        Algorithm("histogram", "count each token; the largest count wins", _histogram, program("mode", "histogram")),
        Algorithm(
            "frequency",
            "how often does my token occur? No position's does oftener",
            _frequency,
            program("mode", "frequency"),
        ),
        Algorithm(
            "duels", "compare the counts of two tokens at a time; win all duels", _duels, program("mode", "duels")
        ),
    ),
)
