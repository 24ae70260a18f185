"""Benchmark of the inference: rates of right decisions on pairs of populations of known truth."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.clock import peak_rss_mb
from congruity._base.engine import each, one_blas_thread
from congruity._base.progress import Progress
from congruity._base.streams import stream
from congruity.bench.inference.populations import POPULATIONS, Population
from congruity.comparison.estimate import estimate
from congruity.inference.bootstrap import BOUNDS, Quantity

_MARGIN = 0.5
_SIZES = (5, 10, 20, 50)
_CHUNK = 25
_PERMUTATIONS, _BOOTSTRAPS = 499, 999  # fewer than the defaults; the permutation test is exact at any number
_PAPER_DRAWS, _PAPER_REPEATS = 20, 40


class _Unit(NamedTuple):
    population: Population
    n: int
    seed: int
    replicates: range
    truth: tuple[float, float]


class _Seen(NamedTuple):
    """Decisions of one replicate, and whether its 95 % intervals hold the truth."""

    rejected: bool | None  # of "one law", at 5 %; None where no test exists
    within: bool  # the margin
    equivalent: bool
    different: bool
    separation_held: bool
    p_held: bool
    width: float
    paper: bool  # its recipe says "different"
    paper_score: float


def run(seed: int, small: bool, progress: Progress) -> dict[str, Any]:
    """Return error rates and coverage; ``small`` runs the same code on few replicates, whose rates mean nothing."""
    replicates, triples = (4, 2000) if small else (1000, 2_000_000)
    sizes = (5, 10) if small else _SIZES
    chosen = POPULATIONS[::4] if small else POPULATIONS
    truths = {p.name: p.truth(stream(seed, "bench truth", p.name), triples) for p in chosen}
    units = [
        _Unit(p, n, seed, range(start, min(start + _CHUNK, replicates)), truths[p.name])
        for p in chosen
        for n in sizes
        for start in range(0, replicates, _CHUNK)
    ]
    results = each(
        _replicates, units, where="processes", done=lambda k: progress("inference: replicates", k, len(units))
    )
    cells: dict[tuple[str, int], list[_Seen]] = {}
    for unit, seen in zip(units, results, strict=True):
        cells.setdefault((unit.population.name, unit.n), []).extend(seen)
    return _summary(chosen, cells, truths) | _speed(seed, small, progress) | {"replicates": replicates}


def _replicates(unit: _Unit) -> list[_Seen]:
    return [_replicate(unit, k) for k in unit.replicates]


def _replicate(unit: _Unit, k: int) -> _Seen:
    rng = stream(unit.seed, "bench inference", unit.population.name, unit.n, k)
    table, side, base = unit.population.table(unit.n, rng)
    found = estimate(
        table, side, base=base, margin=_MARGIN, seed=k, n_permutations=_PERMUTATIONS, n_bootstrap=_BOOTSTRAPS
    )
    p1, p2 = unit.truth

    def held(name: Quantity, value: float) -> bool:
        low, high = found.intervals.get(name, BOUNDS[name])
        return low - 1e-9 <= value <= high + 1e-9

    low, high = found.intervals.get("separation", BOUNDS["separation"])
    paper_score, paper_says = _paper(table, np.array(side) == "a", rng)
    return _Seen(
        rejected=None if found.p_value is None else found.p_value <= 0.05,
        within=found.estimate.within,
        equivalent=found.verdict == "equivalent",
        different=found.verdict == "different",
        separation_held=held("separation", p1 + p2 - 1),
        p_held=held("p1", p1) and held("p2", p2),
        width=high - low,
        paper=paper_says,
        paper_score=paper_score,
    )


def _paper(table: Floats, first: Any, rng: np.random.Generator) -> tuple[float, bool]:
    """Return C and "different" by the published recipe: 20 random triples a side, 40 repeats on the same sample.

    Triples are drawn with replacement, so an implementation may meet itself at distance 0 and counts as closer; the
    repeats judge P1 alone: different where at least 95 % of them put it above one half.
    """
    own, other = np.flatnonzero(first), np.flatnonzero(~first)

    def chance(own: Any, other: Any) -> float:
        anchor, mate, far = (rng.choice(side, _PAPER_DRAWS) for side in (own, own, other))
        return float((table[mate, anchor] <= table[far, anchor]).mean())

    score = 1.0 - abs(chance(own, other) + chance(other, own) - 1.0)
    repeats = np.array([chance(own, other) for _ in range(_PAPER_REPEATS)])
    return score, bool((repeats > 0.5).mean() >= 0.95)


def _summary(
    chosen: tuple[Population, ...], cells: dict[tuple[str, int], list[_Seen]], truths: dict[str, tuple[float, float]]
) -> dict[str, Any]:
    lists: dict[str, list[dict[str, Any]]] = {"size": [], "coverage": [], "power": [], "verdicts": [], "paper": []}
    wrong: dict[str, list[float]] = {"equivalent": [0.0], "different": [0.0]}
    for p in chosen:
        for n in sorted({n for name, n in cells if name == p.name}):
            seen = cells[p.name, n]
            at = {"population": p.name, "n": n}
            tested = [s.rejected for s in seen if s.rejected is not None]
            if tested and p.role != "margin":
                lists["size" if p.role == "null" else "power"].append(at | _rate(tested))
            lists["coverage"].append(
                at
                | _rate([s.separation_held for s in seen])
                | {"of_p1_and_p2": float(np.mean([s.p_held for s in seen]))}
                | {"mean_width": float(np.mean([s.width for s in seen]))}
            )
            shares = {what: float(np.mean([getattr(s, what) for s in seen])) for what in ("equivalent", "different")}
            within = float(np.mean([s.within for s in seen]))
            lists["verdicts"].append(at | {"role": p.role} | shares | {"within_margin": within})
            lists["paper"].append(
                at
                | {"role": p.role}
                | _rate([s.paper for s in seen])
                | {"mean_score": float(np.mean([s.paper_score for s in seen]))}
                | {"sd_score": float(np.std([s.paper_score for s in seen]))}
            )
            if p.role == "null":
                wrong["different"].append(shares["different"])
            if p.role == "margin" and n >= 10:
                wrong["equivalent"].append(within)
    return lists | {
        "false_equivalent": max(wrong["equivalent"]),
        "false_different": max(wrong["different"]),
        "truth": {name: {"p1": p1, "p2": p2} for name, (p1, p2) in truths.items()},
        "margin": _MARGIN,
    }


def _rate(flags: list[bool]) -> dict[str, float]:
    """Return the share that is true, and its standard error with half a success and half a failure added."""
    rate, n = float(np.mean(flags)), len(flags)
    guess = (rate * n + 0.5) / (n + 1)
    return {"rate": rate, "se": float(np.sqrt(guess * (1 - guess) / n))}


def _speed(seed: int, small: bool, progress: Progress) -> dict[str, Any]:
    """Return the seconds of `estimate` at its defaults, on one core, for 40 + 40 and 200 + 200 implementations."""
    found: dict[str, Any] = {}
    for name, n in (("seconds_40", 6 if small else 40), ("seconds_200", 8 if small else 200)):
        progress("inference: speed", len(found), 2)
        table, side, _ = POPULATIONS[0].table(n, stream(seed, "bench speed", n))
        with one_blas_thread():
            start = time.perf_counter()
            estimate(table, side, seed=seed)
            found[name] = time.perf_counter() - start
    progress("inference: speed", 2, 2)
    return found | {"estimate_peak_rss_mb": round(peak_rss_mb(), 1)}
