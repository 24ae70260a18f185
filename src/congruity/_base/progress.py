"""Progress of long stages, and the reporter that shows nothing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with how far a stage is: ``progress("implementations", 3, 20)``."""

    def __call__(self, stage: str, done: int, total: int) -> None: ...


def silent(stage: str, done: int, total: int) -> None:
    """A `Progress` that shows nothing."""
