"""Inputs of a task, and the queries that index the rows of a representation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity._base.arrays import frozen
from congruity._base.digest import digest
from congruity.errors import InputError


@dataclass(frozen=True)
class Examples:
    """``n`` pairs of a clean and a counterfactual input, with the answer and the foil (incorrect answer) of the clean.

    Attributes:
        task: name of the task that made them.
        clean, counterfactual: the prompts (text), or arrays of shape (n, ...) for models that take arrays.
        answers, foils: the continuations compared, as text (with their leading space), or class indices (n,).
        ids: one short unique name a row.
    """

    task: str
    clean: tuple[str, ...] | NDArray[Any]
    counterfactual: tuple[str, ...] | NDArray[Any]
    answers: tuple[str, ...] | NDArray[Any]
    foils: tuple[str, ...] | NDArray[Any]
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("clean", "counterfactual", "answers", "foils"):
            column = getattr(self, name)
            if isinstance(column, np.ndarray):
                object.__setattr__(self, name, frozen(column, dtype=column.dtype))
            if len(column) != len(self.ids):
                raise InputError(f"Examples: {name} has {len(column)} rows but there are {len(self.ids)} ids")
        if len(set(self.ids)) != len(self.ids):
            raise InputError("Examples: ids must be unique")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that defines the examples."""
        return digest(self.task, self.clean, self.counterfactual, self.answers, self.foils, self.ids)

    def select(self, rows: NDArray[np.intp]) -> Examples:
        """Return the examples at ``rows``, in that order."""

        def pick(column: tuple[str, ...] | NDArray[Any]) -> Any:
            return column[rows] if isinstance(column, np.ndarray) else tuple(column[i] for i in rows)

        return Examples(
            self.task,
            pick(self.clean),
            pick(self.counterfactual),
            pick(self.answers),
            pick(self.foils),
            tuple(self.ids[i] for i in rows),
        )


@dataclass(frozen=True)
class Queries:
    """The rows of a representation, each an (input, token position, intervention); every distance is over these rows.

    Attributes:
        task: name of the task.
        examples_digest: digest of the examples behind the ids.
        ids: one a row, in row order.
        position: which token was read; "last", or "all" for models without positions.
        intervention: the shared, named intervention under which rows were recorded; "none" for plain inputs.
    """

    task: str
    examples_digest: str
    ids: tuple[str, ...]
    position: str = "last"
    intervention: str = "none"

    @property
    def digest(self) -> str:
        """SHA-256 of the ordered queries: fingerprints compare only when these agree."""
        return digest(dataclasses.asdict(self))
