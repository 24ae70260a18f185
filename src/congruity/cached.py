"""The verbs of `congruity.pipeline`, remembered: fingerprints and tables, cached by the digests of their inputs."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, Unpack

from congruity._base import cache
from congruity._base.clock import Clock
from congruity._base.digest import digest
from congruity._base.progress import Progress, silent
from congruity._base.registry import parameters_of
from congruity._base.versions import versions
from congruity.comparison.alike import Rows
from congruity.comparison.tables import distance_table
from congruity.errors import StoreError
from congruity.protocols import Distance, Task
from congruity.sampling.fingerprint import make_fingerprint
from congruity.sampling.recipe import SamplingOptions, SamplingRecipe
from congruity.store import fingerprints as store
from congruity.values import SCHEMA_VERSION, DistanceTable, Fingerprint

_Made = TypeVar("_Made")


@dataclass
class Runner:
    """Make fingerprints and distance tables of named models on one task, or read them from the cache.

    The key of a fingerprint is a digest of the weights, the examples, the recipe and the versions of the libraries. It
    knows nothing of the code of this package: remove the cache's folders ``fingerprints`` and ``tables`` after
    changing that.

    Attributes:
        task: of all fingerprints.
        seed: of every random stream.
        use_cache: False makes everything again.
        progress, clock: called with how far, and record how long, each stage takes.
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

    def fingerprint(self, name: str, **options: Unpack[SamplingOptions]) -> Fingerprint:
        """Return the fingerprint of ``name``, capable of the task or not; options as of `congruity.fingerprint`."""
        recipe = SamplingRecipe.of("fingerprint", options, seed=self.seed)
        recipe = dataclasses.replace(recipe, require_task=False, given=())
        key = digest(
            SCHEMA_VERSION, name, self.source_digest(name), self.task.examples().digest, recipe.record(), versions()
        )

        def make() -> Fingerprint:
            return make_fingerprint(
                self.task, self.load(name), recipe, progress=titled(self.progress, name), clock=self.clock
            )

        return self.cached("fingerprints", key, make, store.load, store.save)

    def table(
        self, a: Fingerprint, b: Fingerprint, measure: Distance, rows: Rows | None, progress: Progress
    ) -> DistanceTable:
        """Return what `congruity.comparison.tables.distance_table` returns."""
        declared = measure.name, parameters_of(measure), measure.traits
        key = digest(SCHEMA_VERSION, a.digest, b.digest, *declared, rows, versions())

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
