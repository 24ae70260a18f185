"""The user's own task, from a CSV or JSONL file of prompt pairs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from congruity.errors import TaskError
from congruity.values import Examples

OWN = ("clean", "corrupted", "answer", "foil")
# EAP-IG and the Mechanistic Interpretability Benchmark give token ids of one tokenizer instead of words.
TOKEN_IDS = ("clean", "corrupted", "correct_idx", "incorrect_idx")


@dataclass(frozen=True)
class Tabular:
    """Prompt pairs from a file with columns ``clean,corrupted,answer,foil`` (or ``correct_idx,incorrect_idx``).

    ``clean`` and ``corrupted`` must have equal token length; ``answer`` and ``foil`` are one token each, written as
    they continue the prompt (a leading space is added if there is none and the prompt does not end with one). With
    ``correct_idx,incorrect_idx`` (token ids of one tokenizer; a ``label`` column is ignored) the task fits only models
    with that tokenizer.
    """

    path: Path
    rows: tuple[tuple[str, str, str, str], ...]
    token_ids: bool

    @property
    def name(self) -> str:
        """The file's name without its folder and suffix."""
        return self.path.stem

    def examples(self, single_token: Callable[[str], bool] | None = None) -> Examples:
        """Return all rows. Words are not filtered: a row that does not fit a model is an error when it is bound."""
        clean, other, answers, foils = (tuple(column) for column in zip(*self.rows, strict=True))
        ids = tuple(f"{self.name}-{i:04d}" for i in range(len(self.rows)))
        if self.token_ids:
            good, bad = (np.array([int(t) for t in column]) for column in (answers, foils))
            return Examples(self.name, clean, other, good, bad, ids)
        return Examples(self.name, clean, other, answers, foils, ids)


def from_file(path: str | Path) -> Tabular:
    """Read a task from a ``.csv`` or ``.jsonl`` file.

    Raises:
        TaskError: no such file, another suffix, broken text, missing columns, an empty cell, no or too few rows.
    """
    path = Path(path)
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl}
    if path.suffix not in readers:
        raise TaskError(f"{path}: a task file is .csv or .jsonl, not {path.suffix or 'without suffix'!r}")
    try:
        records = readers[path.suffix](path)
    except FileNotFoundError:
        raise TaskError(f"{path}: no such task file") from None
    except OSError as error:
        raise TaskError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError, csv.Error) as error:
        raise TaskError(f"{path}: not readable as {path.suffix[1:].upper()} in UTF-8 ({error})") from None
    if len(records) < 8:
        raise TaskError(f"{path}: {len(records)} rows; a task needs at least 8 to rank, choose and check a circuit")
    token_ids = set(TOKEN_IDS) <= set(records[0])
    columns = TOKEN_IDS if token_ids else OWN
    rows = tuple(_row(path, number, record, columns, token_ids) for number, record in enumerate(records, start=1))
    return Tabular(path, rows, token_ids)


def _read_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle, strict=True))


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise TaskError(f"{path}, row {number}: each line is one JSON object, not {type(record).__name__}")
    return records


def _row(
    path: Path, number: int, record: dict[str, Any], columns: tuple[str, ...], token_ids: bool
) -> tuple[str, str, str, str]:
    cells = []
    for column in columns:
        cell = record.get(column)
        if cell is None:
            found = ", ".join(str(key) for key in record if key is not None)
            raise TaskError(f"{path}, row {number}: column {column!r} is missing; found {found}, need {','.join(OWN)}")
        if str(cell).strip() == "":
            raise TaskError(f"{path}, row {number}: column {column!r} is empty")
        cells.append(str(cell))
    clean, corrupted, answer, foil = cells
    if clean == corrupted:
        raise TaskError(
            f"{path}, row {number}: clean and corrupted are the same prompt, so nothing can be changed by it"
        )
    space = "" if token_ids or clean.endswith((" ", "\n")) else " "
    answer, foil = _continued(answer, space), _continued(foil, space)
    if answer == foil:
        raise TaskError(f"{path}, row {number}: answer and foil are both {answer!r}; the metric would be 0 always")
    if token_ids:
        if not (answer.isdigit() and foil.isdigit()):
            raise TaskError(
                f"{path}, row {number}: correct_idx and incorrect_idx are token ids, not {answer!r}, {foil!r}"
            )
        return clean, corrupted, answer, foil
    return clean, corrupted, answer, foil


def _continued(word: str, space: str) -> str:
    return word if word.startswith((" ", "\n")) else space + word
