"""Search the size of an edit at which the output moves by a given KL divergence, by ask and tell.

`Search.ask` gives the edit to try and `Search.tell` takes its behaviour, until the KL is within the tolerance or the
search gives up. A search knows no model, so that many searches run in step and share batches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from congruity.values import Behaviour, Edit, Site

_MOST_TRIES = 40  # since the last site that was skipped
_MOST_OF_ALL = 400
_BISECT_EVERY = 3  # interpolation alone can creep along one end of the bracket


class Search(Protocol):
    """The search for the strength of one draw."""

    trouble: str  # why the search gave up, or empty
    behaviour: Behaviour  # of the last edit, on the tuning prompts
    skipped: list[Site]  # sites that would have jumped over the target

    @property
    def finished(self) -> bool: ...
    def ask(self) -> Edit: ...  # the edit to try next; the one found, once finished
    def tell(self, behaviour: Behaviour) -> None: ...


class _Bracketed:
    """The largest size with too low a KL, the smallest size with too high a KL, and the tries so far."""

    def __init__(self, kl: float, tolerance: float) -> None:
        self.trouble = ""
        self.behaviour = Behaviour(math.nan, math.nan, math.nan, 0)
        self.skipped: list[Site] = []
        self._found = False
        self._tries = 0
        self._since = 0  # tries since the bracket was opened anew
        self._size = self._low = self._low_kl = 0.0
        self._high = self._high_kl = math.inf
        self._kl, self._tolerance = kl, tolerance

    @property
    def finished(self) -> bool:
        """Whether the target was reached or the search gave up."""
        return self._found or bool(self.trouble)

    def _record(self, behaviour: Behaviour) -> None:
        self.behaviour, kl = behaviour, behaviour.kl
        self._tries += 1
        self._since += 1
        if abs(kl - self._kl) <= self._tolerance * self._kl:
            self._found = True
        elif kl < self._kl:
            self._low, self._low_kl = self._size, kl
        else:
            self._high, self._high_kl = self._size, kl

    def _between(self) -> float:
        """The size to try next, by interpolation, or by halving every few tries."""
        if math.isinf(self._high):
            grown = self._kl / self._low_kl if self._low_kl > 0 else math.inf
            return self._low * min(grown, 4.0)
        if self._tries % _BISECT_EVERY == 0:
            return (self._low + self._high) / 2
        part = (self._kl - self._low_kl) / (self._high_kl - self._low_kl)
        return self._low + part * (self._high - self._low)


class ByNumber(_Bracketed):
    """Search how many of the first sites of a given order to edit; skip a site that jumps over the target.

    The KL need not grow with the number of sites. The search keeps one size that is too weak and one that is too
    strong. Where the two sizes are neighbours, the site between them changes the KL by more than the tolerance, so that
    site is taken out of the order. The first size tried is an eighth of the sites.

    >>> from congruity.values import Behaviour, Site
    >>> sites = [Site(i, "module", f"m{i}") for i in range(8)]
    >>> costs = {site: 1.0 if site.layer == 1 else 0.1 for site in sites}
    >>> search = ByNumber(sites, "resample", kl=0.3, tolerance=0.1)
    >>> while not search.finished:
    ...     search.tell(Behaviour(1.0, 1.0, sum(costs[site] for site in search.ask().sites), 10))
    >>> [site.layer for site in search.ask().sites], [site.layer for site in search.skipped]
    ([0, 2, 3], [1])
    """

    def __init__(self, order: Sequence[Site], intervention: str, *, kl: float, tolerance: float) -> None:
        super().__init__(kl, tolerance)
        self._order = list(order)
        self._intervention = intervention
        self._cheapest = math.inf
        self._size = max(1, len(self._order) // 8)

    def ask(self) -> Edit:
        """Return the edit to try next, or the edit that was found."""
        return Edit(tuple(sorted(self._order[: int(self._size)])), self._intervention)

    def tell(self, behaviour: Behaviour) -> None:
        """Record the behaviour of the edit that `ask` gave, and choose the next size."""
        if self._size == 1:
            self._cheapest = min(self._cheapest, behaviour.kl)
        self._record(behaviour)
        if self.finished:
            return
        if self._high - self._low == 1:  # the site between them jumps over the target
            self.skipped.append(self._order.pop(int(self._low)))
            self._high, self._high_kl, self._since = math.inf, math.inf, 0
        spent = self._since >= _MOST_TRIES or self._tries >= _MOST_OF_ALL
        if self._low >= len(self._order) or spent:
            self._give_up()
            return
        last = min(len(self._order), self._high - 1)
        self._size = float(min(max(round(self._between()), self._low + 1), last))

    def _give_up(self) -> None:
        if self._since >= _MOST_TRIES or self._tries >= _MOST_OF_ALL:
            self.trouble = (
                f"KL {self._kl:g} was not reached in {self._tries} tries: {self._low:.0f} sites give too little"
            )
        elif self._low == 0:
            self.trouble = (
                f"KL {self._kl:g} is below what one edit costs: the cheapest of {len(self.skipped)} sites alone gives "
                f"{self._cheapest:.3g}"
            )
        else:
            self.trouble = (
                f"KL {self._kl:g} was not reached: {self._low:.0f} sites give {self._low_kl:.3g}, and each of the "
                f"other {len(self.skipped)} jumps over it"
            )


class ByScale(_Bracketed):
    """Search the scale at which given sites are edited; every KL up to that of scale 1 is reached.

    ``start`` is the scale that is tried first.

    >>> from congruity.values import Behaviour, Site
    >>> search = ByScale([Site(0, "module", "m")], "resample", kl=0.25, tolerance=0.01)
    >>> while not search.finished:
    ...     search.tell(Behaviour(1.0, 1.0, search.ask().scale ** 2, 10))
    >>> round(search.ask().scale, 2)
    0.5
    """

    def __init__(
        self, sites: Sequence[Site], intervention: str, *, kl: float, tolerance: float, start: float = 1.0
    ) -> None:
        super().__init__(kl, tolerance)
        self._sites = tuple(sorted(sites))
        self._intervention = intervention
        self._size = start

    def ask(self) -> Edit:
        """Return the edit to try next, or the edit that was found."""
        return Edit(self._sites, self._intervention, self._size)

    def tell(self, behaviour: Behaviour) -> None:
        """Record the behaviour of the edit that `ask` gave, and choose the next scale."""
        self._record(behaviour)
        if self.finished:
            return
        if math.isinf(self._high) and self._size == 1:
            self.trouble = f"KL {self._kl:g} was not reached: all the way gives {self._low_kl:.3g}"
            return
        if self._since >= _MOST_TRIES:
            self.trouble = f"KL {self._kl:g} was not reached in {_MOST_TRIES} tries: the last gave {behaviour.kl:.3g}"
            return
        if self._low == 0:  # KL is about a quadratic function of a small scale
            self._size = self._high * min(max(math.sqrt(self._kl / self._high_kl), 0.1), 0.95)
        elif math.isinf(self._high):
            grown = math.sqrt(self._kl / self._low_kl) if self._low_kl > 0 else math.inf
            self._size = min(self._low * min(max(grown, 1.1), 10.0), 1.0)
        else:
            self._size = self._between()
