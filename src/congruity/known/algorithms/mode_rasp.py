"""The algorithms of `congruity.known.algorithms.mode` as RASP programs, for a fixed length n of at least three."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from congruity._base.optional import require
from congruity.known.algorithms.mode import TOKENS

_rasp = require("tracr.rasp.rasp", "congruity[rasp]", "RASP programs")
Map, SequenceMap, tokens, indices = _rasp.Map, _rasp.SequenceMap, _rasp.tokens, _rasp.indices
Equal, Less = _rasp.Comparison.EQ, _rasp.Comparison.LT


def histogram(n: int) -> Any:
    """Return the program: position v counts token v; where no count is larger, v is the mode."""
    count = _rasp.SelectorWidth(_rasp.Select(tokens, indices, Equal))
    score = SequenceMap(lambda c, v: c * n + (n - 1 - v), count, indices)  # of equal counts the smaller token
    larger = _rasp.SelectorWidth(_rasp.Select(score, score, lambda key, query: key > query))
    won = Map(lambda width: int(width == 0), larger)
    winner = _rasp.Aggregate(_rasp.Select(won, won, lambda key, query: key == 1), indices)
    return SequenceMap(lambda token, best: int(token == best), tokens, winner)


def frequency(n: int) -> Any:
    """Return the program: count my token; no position's token, or an equally frequent smaller one, beats it."""
    own = _rasp.SelectorWidth(_rasp.Select(tokens, tokens, Equal))
    score = SequenceMap(lambda times, token: times * TOKENS - token, own, tokens)
    better = _rasp.SelectorWidth(_rasp.Select(score, score, lambda key, query: key > query))
    return Map(lambda width: int(width == 0), better)


def duels(n: int) -> Any:
    """Return the program: for two tokens at a time, which occurs oftener; my token wins its duels."""
    answer = Map(lambda token: 1, tokens)
    for a, b in itertools.combinations(range(TOKENS), 2):
        of_a, of_b = (_rasp.SelectorWidth(_rasp.Select(tokens, tokens, _is(token))) for token in (a, b))
        first = SequenceMap(lambda this, other: int(this >= other), of_a, of_b)
        survives = SequenceMap(_survives(a, b), tokens, first)
        answer = SequenceMap(lambda so_far, now: so_far * now, answer, survives)
    return answer


PROGRAMS: dict[str, Callable[[int], Any]] = {function.__name__: function for function in (histogram, frequency, duels)}


def _is(token: int) -> Callable[[int, int], bool]:
    return lambda key, query: key == token


def _survives(a: int, b: int) -> Callable[[int, int], int]:
    return lambda token, first: int(not ((token == a and not first) or (token == b and first)))
