"""Benchmarks of ``congruity bench NAME``: speed and accuracy, each against an alternative in the same run.

To add a benchmark: a package with a ``benchmark`` module whose ``run(seed, small, progress)`` returns JSON data, and
one line in ``REGISTRY``. The last results are kept under ``benchmarks/results``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from congruity._base.clock import peak_rss_mb
from congruity._base.progress import Progress
from congruity._base.registry import lookup
from congruity._base.versions import machine, versions
from congruity.bench.distances import benchmark as distances
from congruity.bench.ground_truth import benchmark as ground_truth
from congruity.bench.ground_truth.measures import Measure
from congruity.bench.inference import benchmark as inference
from congruity.bench.sampling import benchmark as circuits
from congruity.bench.theorems import benchmark as theory
from congruity.errors import InputError


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: on the command line, and of its file of results.
        summary: what is measured.
        run: (seed, small, progress) -> its numbers as JSON data; further keywords as in ``options``.
        options: names of the further keywords of ``run``.
        rows: its numbers as a table to print; None prints one number a line.
    """

    name: str
    summary: str
    run: Callable[..., dict[str, Any]]
    options: tuple[str, ...] = ()
    rows: Callable[[dict[str, Any]], list[dict[str, str]]] | None = None


__all__ = ["REGISTRY", "Benchmark", "about", "by_name", "run"]

REGISTRY: tuple[Benchmark, ...] = (
    Benchmark("circuits", "patching, strength of implementations, copies, a positive control", circuits.run),
    Benchmark("distances", "ridge against scikit-learn, certified d_repr, memory", distances.run),
    Benchmark(
        "ground-truth",
        "networks whose algorithm is known: which measure tells one algorithm from others?",
        ground_truth.run,
        options=("quick", "only", "plugins"),
        rows=ground_truth.rows,
    ),
    Benchmark("inference", "size, power and coverage on populations of known truth", inference.run),
    Benchmark(
        "theory", "every theorem on random instances, and what exact enumeration costs", theory.run, rows=theory.rows
    ),
)


def by_name(name: str) -> Benchmark:
    """Return the benchmark of that name; raise `UnknownNameError` with the nearest names."""
    return lookup("benchmark", name, REGISTRY)


def run(
    name: str,
    *,
    seed: int,
    small: bool,
    progress: Progress,
    quick: bool = False,
    only: Sequence[str] | None = None,
    plugins: Mapping[str, Measure] | None = None,
) -> dict[str, Any]:
    """Return the numbers of a benchmark with the machine, the versions and the peak memory.

    Args:
        name: of a member of ``REGISTRY``.
        seed: of every random stream.
        small: tiny sizes, whose numbers mean nothing.
        progress: called as (stage, done, total).
        quick, only, plugins: of the ground-truth benchmark; see its ``run``.

    Raises:
        UnknownNameError: no benchmark has that name.
        InputError: an option that the benchmark does not take.
    """
    chosen = by_name(name)
    asked = {key: value for key, value in (("quick", quick), ("only", only), ("plugins", plugins)) if value}
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
