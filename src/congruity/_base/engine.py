"""Run independent units of work: here, in threads, or in one local process a core."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

from threadpoolctl import threadpool_limits

Unit = TypeVar("Unit")
Result = TypeVar("Result")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_blas_thread() -> threadpool_limits:
    """Return a context in which NumPy and SciPy use one thread.

    Matrices of some hundred rows gain little from more, and on a busy machine threads that wait for each other make
    them fifty times slower.
    """
    return threadpool_limits(1, user_api="blas")


def each(
    function: Callable[[Unit], Result],
    units: Sequence[Unit],
    *,
    where: Literal["here", "threads", "processes"],
    done: Callable[[int], None] = lambda count: None,
) -> list[Result]:
    """Return ``function`` of every unit, in order: the same results wherever they were computed.

    Every worker uses one BLAS thread.

    Args:
        function: for processes, a module-level function; it and the units must pickle.
        units: what to apply it to.
        where: "threads" for work that NumPy does outside the interpreter lock; "processes" (about a second to start)
            for work that mostly is not.
        done: told how many units are finished.
    """
    if where == "processes":
        # joblib's own processes do not import the caller's script again, so a script needs no main guard.
        from joblib import Parallel, delayed, parallel_config

        with parallel_config(backend="loky", n_jobs=-1, inner_max_num_threads=1):
            return _collect(Parallel(return_as="generator")(delayed(function)(unit) for unit in units), done)
    with one_blas_thread():
        if where == "here":
            return _collect(map(function, units), done)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return _collect(pool.map(function, units), done)


def _collect(results: Iterable[Result], done: Callable[[int], None]) -> list[Result]:
    collected = []
    for count, result in enumerate(results, start=1):
        collected.append(result)
        done(count)
    return collected
