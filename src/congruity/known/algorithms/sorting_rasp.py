"""The algorithms of `congruity.known.algorithms.sorting` as RASP programs, for a fixed length n."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from congruity._base.optional import require

_rasp = require("tracr.rasp.rasp", "congruity[rasp]", "RASP programs")
Map, SequenceMap, tokens, indices = _rasp.Map, _rasp.SequenceMap, _rasp.tokens, _rasp.indices
Equal, Less, AtMost = _rasp.Comparison.EQ, _rasp.Comparison.LT, _rasp.Comparison.LEQ


def ranks(n: int) -> Any:
    """Return the program: rank every token; position i takes the token of rank i."""
    rank = _rasp.SelectorWidth(_rasp.Select(_key(n), _key(n), Less))
    return _rasp.Aggregate(_rasp.Select(rank, indices, Equal), tokens)


def minimum(n: int) -> Any:
    """Return the program: position k takes the smallest key that is left in round k, n rounds long."""
    left, answer = _key(n), Map(lambda i: 0, indices)
    for k in range(n):
        smaller = _rasp.SelectorWidth(_rasp.Select(left, left, Less))
        first = Map(lambda width: int(width == 0), smaller)
        smallest = _rasp.Aggregate(_rasp.Select(first, first, lambda key, query: key == 1), tokens)
        answer = SequenceMap(_where_index_is(k, n), SequenceMap(lambda t, i: t * n + i, smallest, indices), answer)
        left = SequenceMap(lambda gone, key: key + n * n * gone, first, left)
    return answer


def counting(n: int) -> Any:
    """Return the program: tokens up to v counted at position v; position i counts the v with at most i of them."""
    up_to = _rasp.SelectorWidth(_rasp.Select(tokens, indices, AtMost))
    return _rasp.SelectorWidth(_rasp.Select(up_to, indices, AtMost))


PROGRAMS: dict[str, Callable[[int], Any]] = {function.__name__: function for function in (ranks, minimum, counting)}


def _key(n: int) -> Any:
    return SequenceMap(lambda token, i: token * n + i, tokens, indices)  # equal tokens in the order they stand in


def _where_index_is(k: int, n: int) -> Callable[[int, int], int]:
    return lambda both, before: both // n if both % n == k else before
