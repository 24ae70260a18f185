"""Fingerprints and distance tables that are made once: kept in the cache by the digests of what they were made from."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from congruity._base import cache
from congruity._base.clock import Clock
from congruity._base.digest import digest
from congruity._base.progress import Progress, silent
from congruity._base.registry import parameters_of
from congruity._base.versions import versions
from congruity.comparison.alike import Rows
from congruity.comparison.tables import distance_table
from congruity.errors import StoreError
from congruity.finders import Attribution
from congruity.interventions import Resample
from congruity.protocols import Distance, Finder, Intervention, Task
from congruity.sampling.fingerprint import fingerprint, settings
from congruity.store import fingerprints as store
from congruity.values import SCHEMA_VERSION, Budget, Circuit, DistanceTable, Edit, Fingerprint, Gates

_Made = TypeVar("_Made")


@dataclass
class Runner:
    """Makes fingerprints and tables of named models on one task, or finds them in the cache.

    The key of a fingerprint knows the weights, the examples, the settings and the versions of the libraries, and not
    the code of this package: remove the cache's folders ``fingerprints`` and ``tables`` after changing that.

    Attributes:
        task: of all fingerprints.
        seed: of every random stream.
        use_cache: False makes everything again.
        progress, clock: told how far and how long each stage took.
    """

    task: Task
    seed: int = 0
    use_cache: bool = True
    progress: Progress = silent
    clock: Clock = field(default_factory=Clock)
    _loaded: tuple[str, Any] | None = None  # the last model

    def load(self, name: str) -> Any:
        """Return the model of that name; the one before it is let go."""
        from congruity.models import load_model

        if self._loaded is None or self._loaded[0] != name:
            self._loaded = None
            gc.collect()
            with self.clock("load"):
                self._loaded = (name, load_model(name))
        return self._loaded[1]

    def source_digest(self, name: str) -> str:
        """Return the digest of the weights of that name, without loading them."""
        from congruity.models import locate

        with self.clock("load"):
            return str(locate(name).digest)

    def fingerprint(
        self,
        name: str,
        *,
        n: int,
        finder: Finder | None = None,
        intervention: Sequence[Intervention] = (),
        budget: Budget | None = None,
        gates: Gates | None = None,
        circuit: Circuit | None = None,
        edits_of: Fingerprint | Sequence[Edit] | None = None,
    ) -> Fingerprint:
        """Return the fingerprint of ``name``, capable of the task or not; arguments as for `congruity.fingerprint`."""
        which: Finder = finder or Attribution()
        used = tuple(intervention) or (Resample(),)
        budget, gates = budget or Budget(), gates or Gates()
        chosen = settings(finder=which, interventions=used, n=n, seed=self.seed, budget=budget, gates=gates)
        edits = edits_of.digest if isinstance(edits_of, Fingerprint) else edits_of and digest(*edits_of)
        given = [circuit and digest(circuit), edits]
        key = digest(
            SCHEMA_VERSION, name, self.source_digest(name), self.task.examples().digest, chosen, given, versions()
        )

        def make() -> Fingerprint:
            return fingerprint(
                self.task,
                self.load(name),
                finder=which,
                intervention=used,
                n=n,
                seed=self.seed,
                budget=budget,
                gates=gates,
                circuit=circuit,
                edits_of=edits_of,
                require_task=False,
                progress=titled(self.progress, name),
                clock=self.clock,
            )

        return self.cached("fingerprints", key, make, store.load, store.save)

    def table(
        self, a: Fingerprint, b: Fingerprint, measure: Distance, rows: Rows | None, progress: Progress
    ) -> DistanceTable:
        """Return what `congruity.comparison.tables.distance_table` returns."""
        key = digest(SCHEMA_VERSION, a.digest, b.digest, measure.name, parameters_of(measure), rows, versions())

        def make() -> DistanceTable:
            with self.clock("distances"):
                return distance_table(a, b, measure, rows, progress)

        return self.cached("tables", key, make, store.load_table, store.save_table)

    def cached(
        self,
        kind: str,
        key: str,
        make: Callable[[], _Made],
        read: Callable[[Path], _Made],
        write: Callable[[_Made, Path], Path],
        *,
        suffix: str = store.SUFFIX,
    ) -> _Made:
        """Return what the cache holds under ``key``, or make and keep it; a damaged file is made again."""
        path = cache.folder() / kind / f"{key}{suffix}"
        if self.use_cache and path.is_file():
            with self.clock("read cache"), contextlib.suppress(StoreError):
                return read(path)
        made = make()
        write(made, path)
        return made


def titled(progress: Progress, title: str) -> Progress:
    """Return ``progress`` with ``title`` before each stage."""

    def tell(stage: str, done: int, total: int) -> None:
        progress(f"{title}: {stage}", done, total)

    return tell
