"""Attribution patching of every site, corrected by exact patching on few prompts, and on more near the cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from congruity._base.arrays import Floats
from congruity._base.streams import stream
from congruity.errors import InputError
from congruity.protocols import BoundModel, Model
from congruity.values import Scores, Site

# Standard errors from a cut within which a site may be on either side of it. Few prompts and long-tailed effects give
# rough standard errors, so it is large. Chosen on SmolLM2-135M (100 prompts, 270 heads, 40 orders of the prompts): the
# top fifth of the heads was right to the last one in most orders and lacked one head in the others, for a fifth of all
# pairs. A site that is open goes on with as many prompts again: small steps took eight times as many small batches
# there, for the same heads and a tenth fewer pairs.
_UNDECIDED = 4.5
_FEWEST = 6  # prompts: fewer give no standard error worth the name

Measure = Callable[[NDArray[np.intp], NDArray[np.intp]], Floats]  # sites, prompts -> (prompts, sites)


@dataclass(frozen=True)
class Screened:
    """Scores of `Hybrid`, and the error that attribution alone would have had.

    Attributes:
        scores: the estimates of the mean exact effects, with standard errors.
        measured: (sites,) on how many prompts each site was patched exactly.
        cost: share of the (site, prompt) pairs that were patched exactly.
        slope: least-squares slope of the estimates on attribution through 0; 1 if attribution has the right scale.
        worst: largest difference between attribution and the estimate, of all sites.
        misplaced: sites that attribution alone would have put on the other side of the cut.
        undecided: sites that may still be on the wrong side: nearer to a cut than 4.5 standard errors.
    """

    scores: Scores
    measured: NDArray[np.intp]
    cost: float
    slope: float
    worst: float
    misplaced: tuple[Site, ...]
    undecided: tuple[Site, ...]


@dataclass(frozen=True)
class Hybrid:
    """Score of a site = mean attribution + mean of (exact - attribution) over those prompts on which it was patched.

    Attribution serves as a control variate: prompts are taken in random order, so the score estimates the mean exact
    effect without bias at every site, also where attribution is wrong (rounds that look at what came before add a
    little). All sites are patched exactly on the share ``audit`` of the prompts, and on at least six. The rest of the
    ``budget``, a share of all pairs of site and prompt, goes in rounds to the sites that are nearest to a cut, in
    standard errors: each is patched on as many prompts again. There are two cuts: the top ``keep`` of all sites, and
    the top ``keep`` of those of each kind (heads, MLPs).
    Source: the estimator is the difference estimator of survey sampling (Cochran 1977, "Sampling Techniques", ch. 7);
    the rounds follow Kalyanakrishnan et al. 2012, "PAC Subset Selection in Stochastic Multi-armed Bandits" (LUCB).

    >>> Hybrid(seed=1)
    Hybrid(budget=0.24, audit=0.08, seed=1, keep=0.2)
    """

    name: ClassVar[str] = "hybrid"
    budget: float = 0.24
    audit: float = 0.08
    seed: int = 0
    keep: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.audit <= self.budget <= 1 or not 0 < self.keep < 1:
            raise InputError(
                f"Hybrid: audit = {self.audit}, budget = {self.budget}, keep = {self.keep}; "
                "shares must be above 0, keep below 1, and audit at most budget, which is at most 1"
            )

    def scores(self, model: Model, bound: BoundModel, rows: NDArray[np.intp] | None = None) -> Scores:
        """Return the scores on the prompts ``rows`` (all, if None); standard errors include what was not patched."""
        return self.screened(model, bound, rows).scores

    def screened(self, model: Model, bound: BoundModel, rows: NDArray[np.intp] | None = None) -> Screened:
        """Return the scores, where they were measured, and the errors of attribution that showed."""
        attribution = bound.attributions(rows)
        there = np.arange(len(attribution)) if rows is None else np.asarray(rows)

        def measure(sites: NDArray[np.intp], prompts: NDArray[np.intp]) -> Floats:
            return bound.effects([model.sites[i] for i in sites], there[prompts])

        return self.screen(attribution, model.sites, measure)

    def screen(self, attribution: Floats, sites: Sequence[Site], measure: Measure) -> Screened:
        """Do the same from attributions (prompts, sites) and a function that patches."""
        n, total = attribution.shape
        order = stream(self.seed, "finder", "hybrid").permutation(n)
        step = min(n, max(_FEWEST, round(self.audit * n)))
        exact = np.full((n, total), np.nan)
        measured = np.zeros(total, dtype=np.intp)

        def patch(chosen: NDArray[np.intp]) -> None:
            before = measured[chosen]
            for reached in np.unique(before):  # sites that go on from the same prompt run together
                group, prompts = chosen[before == reached], order[reached : reached + max(step, reached)]
                exact[np.ix_(prompts, group)] = measure(group, prompts)
                measured[group] += len(prompts)

        patch(np.arange(total))
        estimate, error = _estimate(attribution, exact)
        while True:
            distance = self._distance(estimate, error, sites)
            open_ = np.flatnonzero((distance < _UNDECIDED) & (measured < n))
            nearest = open_[np.argsort(distance[open_], kind="stable")]
            costs = np.cumsum(np.minimum(measured[nearest], n - measured[nearest]))
            affordable = nearest[costs <= self.budget * n * total - measured.sum()]
            if len(affordable) == 0:
                break
            patch(affordable)
            estimate, error = _estimate(attribution, exact)
        return self._report(attribution, exact, estimate, error, measured, tuple(sites))

    def _cuts(self, values: Floats, sites: Sequence[Site]) -> list[tuple[NDArray[np.intp], float]]:
        """Return, for all sites and for those of each kind, which they are and the value between kept and others."""
        size, kinds = np.abs(values), np.array([site.kind for site in sites])
        cuts = []
        for members in [np.arange(len(sites)), *(np.flatnonzero(kinds == kind) for kind in np.unique(kinds))]:
            kept = round(self.keep * len(members))
            if 0 < kept < len(members):
                falling = np.sort(size[members])[::-1]
                cuts.append((members, float(falling[kept - 1 : kept + 1].mean())))
        return cuts

    def _distance(self, values: Floats, errors: Floats, sites: Sequence[Site]) -> Floats:
        """Return (sites,): how many standard errors each absolute value is away from the nearest cut."""
        result = np.full(len(values), np.inf)
        for members, cut in self._cuts(values, sites):
            gap = np.abs(np.abs(values[members]) - cut)
            away = np.divide(gap, errors[members], out=np.full(len(members), np.inf), where=errors[members] > 0)
            result[members] = np.minimum(result[members], away)
        return result

    def _report(
        self,
        attribution: Floats,
        exact: Floats,
        estimate: Floats,
        error: Floats,
        measured: NDArray[np.intp],
        sites: tuple[Site, ...],
    ) -> Screened:
        n, first = len(attribution), attribution.mean(axis=0)
        spread = np.sqrt(np.nanvar(exact, axis=0, ddof=1) / n + error**2)
        kept = round(self.keep * len(sites))
        tops = [set(np.argsort(-np.abs(values), kind="stable")[:kept].tolist()) for values in (first, estimate)]
        undecided = np.flatnonzero(self._distance(estimate, error, sites) < _UNDECIDED)
        return Screened(
            scores=Scores(self.name, sites, estimate, spread, n),
            measured=measured,
            cost=float(measured.sum()) / exact.size,
            slope=float(first @ estimate / max(float(first @ first), np.finfo(float).tiny)),
            worst=float(np.abs(first - estimate).max()),
            misplaced=tuple(sites[i] for i in sorted(tops[0] ^ tops[1])),
            undecided=tuple(sites[i] for i in undecided),
        )


def _estimate(attribution: Floats, exact: Floats) -> tuple[Floats, Floats]:
    """Return (sites,) estimates of the mean exact effect over all prompts, and their standard errors.

    mean(attribution) + mean over measured prompts of (exact - attribution); the error shrinks to 0 as all are measured.
    """
    n, measured = len(exact), np.isfinite(exact).sum(axis=0)
    rest = exact - attribution
    error = np.nanstd(rest, axis=0, ddof=1) * np.sqrt((1 - measured / n) / measured)
    return attribution.mean(axis=0) + np.nanmean(rest, axis=0), error
