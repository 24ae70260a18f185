"""Seconds and flops of the stages of a run, kept apart from its results, which must be the same bytes at any time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Seconds by stage, and the flops of the forward and backward passes that had to happen.

    A stage inside another one counts for itself only.

    >>> clock = Clock()
    >>> with clock("load"):
    ...     pass
    >>> list(clock.seconds)
    ['load']
    """

    seconds: dict[str, float] = field(default_factory=dict)
    flops: float = 0.0
    _inside: float = 0.0

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start, around, self._inside = time.perf_counter(), self._inside, 0.0
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self.seconds[stage] = self.seconds.get(stage, 0.0) + took - self._inside
            self._inside = around + took


def matmul_rate() -> float:
    """Return this machine's measured flops per second of a float32 matrix product, best of five (needs PyTorch)."""
    import torch

    size = 1024
    a, b = torch.randn(2, size, size)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2.0 * size**3 / best


def peak_rss_mb() -> float:
    """Return the largest resident memory of this process so far, in MB."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
