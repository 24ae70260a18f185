"""Tasks: each makes pairs of prompts with their answers. To add one: one file, and one line in ``REGISTRY``."""

from __future__ import annotations

from collections.abc import Callable

from congruity._base.registry import lookup
from congruity.protocols import Task
from congruity.tasks.indirect_object import IOI
from congruity.tasks.indirect_object import IOI as ioi  # the name that users call: cg.tasks.ioi(n=200)
from congruity.tasks.tabular import Tabular, from_file

REGISTRY = (IOI,)

__all__ = ["IOI", "REGISTRY", "Tabular", "by_name", "from_file", "ioi"]


def by_name(name: str, *, n: int | None = None, seed: int = 0) -> Task:
    """Return the task called ``name``, or read it if ``name`` is a ``.csv`` or ``.jsonl`` path.

    Raises:
        UnknownNameError: no such task; names the nearest.
        TaskError: the file does not hold a task.
    """
    if name.endswith((".csv", ".jsonl")):
        return from_file(name)
    kind: Callable[..., Task] = lookup("task", name, REGISTRY)
    return kind(seed=seed) if n is None else kind(n=n, seed=seed)
