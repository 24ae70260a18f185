"""Benchmarks behind ``congruity bench NAME``: slow measurements against an alternative in the same run.

One file and one line here for each; their last results are kept in the repository under ``benchmarks/results``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from congruity._registry import lookup
from congruity._versions import machine, versions
from congruity.bench import circuits, distances, ground_truth, inference
from congruity.clock import peak_rss_mb
from congruity.protocols import Progress


@dataclass(frozen=True)
class Benchmark:
    """A named measurement: ``run(seed, small, progress)`` returns its numbers."""

    name: str
    summary: str
    run: Callable[[int, bool, Progress], dict[str, Any]]


REGISTRY: tuple[Benchmark, ...] = (
    Benchmark("circuits", "patching, strength of implementations, copies, a positive control", circuits.run),
    Benchmark("distances", "ridge against scikit-learn, certified d_repr, memory", distances.run),
    Benchmark("ground-truth", "networks whose algorithm is known: who tells same from other?", ground_truth.run),
    Benchmark("inference", "size, power and coverage on populations of known truth", inference.run),
)


def run(name: str, *, seed: int, small: bool, progress: Progress) -> dict[str, Any]:
    """Return the numbers of a benchmark with the machine, the versions and the peak memory.

    Raises:
        UnknownNameError: no benchmark has that name.
    """
    return lookup("benchmark", name, REGISTRY).run(seed, small, progress) | {"seed": seed, "small": small} | about()


def about() -> dict[str, Any]:
    """Return the machine, its threads, the versions and the peak memory of this process so far."""
    return {
        "machine": machine(),
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "versions": versions(),
        "peak_rss_mb": round(peak_rss_mb(), 1),
    }
