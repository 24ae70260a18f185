"""The algorithms of `congruity.known.algorithms.permutation` as RASP programs (Weiss et al. 2021, arXiv 2106.06981).

Fixed length n. Every categorical aggregate reads exactly one position, so that nothing is averaged; index maps are
clamped, so that no query reads nothing; what must hold at all positions is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from congruity._base.optional import require

_rasp = require("tracr.rasp.rasp", "congruity[rasp]", "RASP programs")
Map, SequenceMap, tokens, indices = _rasp.Map, _rasp.SequenceMap, _rasp.tokens, _rasp.indices
Equal, Less = _rasp.Comparison.EQ, _rasp.Comparison.LT


def difference(n: int) -> Any:
    """Return the program: sort, reverse; the difference to the next is 1 everywhere but at the end."""
    backwards = _at(lambda i: n - 1 - i, _sorted(n))
    steps = SequenceMap(lambda this, following: this - following, backwards, _following(backwards, n))
    return _as_often(Map(lambda step: int(step == 1), steps), n - 1)


def index(n: int) -> Any:
    """Return the program: sort, reverse, add the index; all equal to n - 1."""
    shifted = SequenceMap(lambda token, i: token + i, _at(lambda i: n - 1 - i, _sorted(n)), indices)
    return _as_often(Map(lambda total: int(total == n - 1), shifted), n)


def interleave(n: int) -> Any:
    """Return the program: sort, interleave with the reverse; the sums with the next are n - 1, n, n - 1, ..."""
    mixed = _at(lambda i: i // 2 if i % 2 == 0 else n - 1 - i // 2, _sorted(n))
    sums = SequenceMap(lambda this, following: this + following, mixed, _following(mixed, n))
    fits = SequenceMap(lambda total, i: int(i < n - 1 and total == n - 1 + i % 2), sums, indices)
    return _as_often(fits, n - 1)


def parity(n: int) -> Any:
    """Return the program: sort; even and odd alternate."""
    odd = Map(lambda token: token % 2, _sorted(n))
    return _as_often(SequenceMap(lambda this, following: int(this != following), odd, _following(odd, n)), n - 1)


def repeat(n: int) -> Any:
    """Return the program: does a token occur twice? Sums with the next, around the end; all 0."""
    again = Map(lambda width: int(width > 1), _rasp.SelectorWidth(_rasp.Select(tokens, tokens, Equal)))
    sums = SequenceMap(lambda this, following: this + following, again, _at(lambda i: (i + 1) % n, again))
    return _as_often(Map(lambda total: int(total == 0), sums), n)


def count(n: int) -> Any:
    """Return the program: count smaller tokens; no two counts are equal."""
    smaller = _rasp.SelectorWidth(_rasp.Select(tokens, tokens, Less))
    alike = _rasp.SelectorWidth(_rasp.Select(smaller, smaller, Equal))
    return _as_often(Map(lambda width: int(width == 1), alike), n)


PROGRAMS: dict[str, Callable[[int], Any]] = {
    function.__name__: function for function in (difference, index, interleave, parity, repeat, count)
}


def _sorted(n: int) -> Any:
    key = SequenceMap(lambda token, i: token * n + i, tokens, indices)  # equal tokens in the order they stand in
    rank = _rasp.SelectorWidth(_rasp.Select(key, key, Less))
    return _rasp.Aggregate(_rasp.Select(rank, indices, Equal), tokens)


def _at(where: Callable[[int], int], sequence: Any) -> Any:
    return _rasp.Aggregate(_rasp.Select(indices, Map(where, indices), Equal), sequence)


def _following(sequence: Any, n: int) -> Any:
    return _at(lambda i: min(i + 1, n - 1), sequence)


def _as_often(fits: Any, times: int) -> Any:
    """Return 1 at every position if ``fits`` is 1 at so many positions, else 0."""
    width = _rasp.SelectorWidth(_rasp.Select(fits, fits, lambda key, query: key == 1))
    return Map(lambda w: int(w == times), width)
