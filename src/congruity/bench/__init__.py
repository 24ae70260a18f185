"""Benchmarks behind ``congruity bench NAME``: slow measurements against an alternative in the same run.

One file and one line here for each; their last results are kept in the repository under ``benchmarks/results``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from congruity._base.clock import peak_rss_mb
from congruity._base.progress import Progress
from congruity._base.registry import lookup
from congruity._base.versions import machine, versions
from congruity.bench.distances import benchmark as distances
from congruity.bench.ground_truth import benchmark as ground_truth
from congruity.bench.ground_truth import plugins as entries
from congruity.bench.inference import benchmark as inference
from congruity.bench.sampling import benchmark as circuits
from congruity.bench.theorems import benchmark as theory
from congruity.errors import InputError


@dataclass(frozen=True)
class Benchmark:
    """A named measurement: ``run(seed, small, progress)`` returns its numbers.

    Attributes:
        options: keywords that ``run`` takes besides.
        rows: its numbers as a table to print; None prints them one a line.
    """

    name: str
    summary: str
    run: Callable[..., dict[str, Any]]
    options: tuple[str, ...] = ()
    rows: Callable[[dict[str, Any]], list[dict[str, str]]] | None = None


__all__ = ["REGISTRY", "Benchmark", "about", "entries", "run"]

REGISTRY: tuple[Benchmark, ...] = (
    Benchmark("circuits", "patching, strength of implementations, copies, a positive control", circuits.run),
    Benchmark("distances", "ridge against scikit-learn, certified d_repr, memory", distances.run),
    Benchmark(
        "ground-truth",
        "networks whose algorithm is known: who tells same from other?",
        ground_truth.run,
        options=("quick", "only", "entries"),
        rows=ground_truth.rows,
    ),
    Benchmark("inference", "size, power and coverage on populations of known truth", inference.run),
    Benchmark(
        "theory", "every theorem on random instances, and what exact enumeration costs", theory.run, rows=theory.rows
    ),
)


def run(name: str, *, seed: int, small: bool, progress: Progress, **options: Any) -> dict[str, Any]:
    """Return the numbers of a benchmark with the machine, the versions and the peak memory.

    Raises:
        UnknownNameError: no benchmark has that name.
        InputError: an option that it does not take.
    """
    chosen = lookup("benchmark", name, REGISTRY)
    asked = {key: value for key, value in options.items() if value}
    if unfit := sorted(set(asked) - set(chosen.options)):
        able = ", ".join(one.name for one in REGISTRY if unfit[0] in one.options)
        raise InputError(f"benchmark {name} does not take {unfit[0]}; {able} does")
    return chosen.run(seed, small, progress, **asked) | {"seed": seed, "small": small} | about()


def about() -> dict[str, Any]:
    """Return the machine, its threads, the versions and the peak memory of this process so far."""
    return {
        "machine": machine(),
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "versions": versions(),
        "peak_rss_mb": round(peak_rss_mb(), 1),
    }
