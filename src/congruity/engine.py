"""Where independent units of work run: in this process, or in one local process a core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Unit = TypeVar("Unit")
Result = TypeVar("Result")


def each(
    function: Callable[[Unit], Result],
    units: Sequence[Unit],
    *,
    heavy: bool,
    done: Callable[[int], None] = lambda count: None,
) -> list[Result]:
    """Return ``function`` of every unit, in order: the same results however many processes there are.

    Args:
        function: a module-level function; it and the units must pickle.
        units: what to apply it to.
        heavy: whether the work outweighs starting processes (about a second). Each then uses one BLAS thread.
        done: told how many units are finished.
    """
    if not heavy or len(units) < 2:
        results = []
        for count, unit in enumerate(units, start=1):
            results.append(function(unit))
            done(count)
        return results
    # joblib's own processes do not import the caller's script again, so a script needs no main guard.
    from joblib import Parallel, delayed, parallel_config

    results = []
    with parallel_config(backend="loky", n_jobs=-1, inner_max_num_threads=1):
        for count, result in enumerate(Parallel(return_as="generator")(delayed(function)(u) for u in units), start=1):
            results.append(result)
            done(count)
    return results
