"""Tasks: what the built-in prompts promise, and every way in which a file of pairs can be wrong."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import congruity as cg
from congruity import tasks
from congruity.errors import InputError, TaskError, UnknownNameError
from congruity.tasks.indirect_object import NAMES, PLACES, TEMPLATES, THINGS


def words_of(text: str) -> list[str]:
    return text.replace(",", "").replace(".", "").split()


def template_of(text: str) -> int:
    """Return the number of the template that ``text`` is made of, by the words that no slot holds."""
    slots = {*NAMES, *PLACES, *THINGS}
    found = [word for word in words_of(text) if word not in slots]
    kept = [[w for w in words_of(t) if not w.startswith("{")] for t in TEMPLATES]
    return kept.index(found)


# ---------------------------------------------------------------------------------------- indirect objects


@pytest.mark.parametrize("n", [32, 200, 33])
def test_ioi_uses_every_template_and_balances_both_orders(n: int) -> None:
    examples = cg.tasks.ioi(n=n, seed=3).examples()
    assert len(TEMPLATES) >= 15 and len(examples) == n
    used = Counter(template_of(text) for text in examples.clean)
    assert set(used) == set(range(len(TEMPLATES))) and max(used.values()) - min(used.values()) <= 2
    orders = Counter(
        words_of(text).index(answer.strip()) < words_of(text).index(foil.strip())
        for text, answer, foil in zip(examples.clean, examples.answers, examples.foils, strict=True)
    )
    assert abs(orders[True] - orders[False]) <= 1


@pytest.mark.parametrize("kind", ["swap", "three-names"])
def test_the_counterfactual_changes_the_second_mention_of_the_subject_and_nothing_else(kind: Any) -> None:
    examples = cg.tasks.ioi(n=64, seed=1, counterfactual=kind).examples()
    rows = zip(examples.clean, examples.counterfactual, examples.answers, examples.foils, strict=True)
    for clean, other, answer, foil in rows:
        assert answer[0] == foil[0] == " " and answer != foil
        io, subject = answer.strip(), foil.strip()
        before, after = words_of(clean), words_of(other)
        changed = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        assert len(changed) == 1 and len(before) == len(after)
        place = changed[0]
        assert before[place] == subject and subject in before[:place] and io in before[:place]
        assert (after[place] == io) if kind == "swap" else (after[place] in set(NAMES) - {io, subject})
        assert Counter(before)[io] == 1 and Counter(before)[subject] == 2
        assert not clean.endswith(" ") and words_of(clean)[-1] == "to"
        assert clean[: clean.rindex(subject)] == other[: clean.rindex(subject)], "both share everything before it"


def test_ioi_is_deterministic_by_seed() -> None:
    first, again, other = (cg.tasks.ioi(n=40, seed=s).examples() for s in (5, 5, 6))
    assert first == again and first.digest == again.digest != other.digest
    assert first.digest != cg.tasks.ioi(n=40, seed=5, counterfactual="three-names").examples().digest
    assert len(set(first.ids)) == 40 and first.task == "ioi"
    assert cg.tasks.ioi(n=20, seed=5).examples().clean == first.clean[:20], "more prompts add, and change none"


def test_words_that_a_tokenizer_splits_are_left_out() -> None:
    few = {f" {word}" for word in (*NAMES[:5], *PLACES[:3], *THINGS[:4])}
    examples = cg.tasks.ioi(n=64).examples(lambda word: word in few)
    assert set(examples.answers) | set(examples.foils) <= few
    slots = {*NAMES, *PLACES, *THINGS}
    used = {f" {word}" for text in (*examples.clean, *examples.counterfactual) for word in words_of(text)}
    assert used & {f" {w}" for w in slots} == few
    with pytest.raises(TaskError, match=r"only 2 of the words Mary, John, Tom, James, \.\.\. are one token"):
        cg.tasks.ioi(n=8).examples(lambda word: word in {" Mary", " John", *few - {f" {n}" for n in NAMES}})


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n": 7}, "n = 7 prompts are too few"), ({"counterfactual": "none"}, "counterfactual is 'none'; use 'swap'")],
)
def test_bad_options_of_ioi(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        cg.tasks.ioi(**options)


@pytest.mark.parametrize("task", [task() for task in tasks.REGISTRY], ids=lambda t: t.name)
def test_every_registered_task_keeps_the_contract(task: Any) -> None:
    made = tasks.by_name(task.name, n=16, seed=2)
    examples = made.examples(lambda word: True)
    assert made.name == task.name == examples.task and len(examples) == 16
    assert all(a != b for a, b in zip(examples.clean, examples.counterfactual, strict=True))
    picked = examples.select(np.array([3, 1]))
    assert picked.clean == (examples.clean[3], examples.clean[1]) and picked.digest != examples.digest


def test_unknown_tasks_name_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no task is named 'iio'; did you mean 'ioi'\?"):
        tasks.by_name("iio")


# ------------------------------------------------------------------------------------------------ the user's file

COLUMNS = ("clean", "corrupted", "answer", "foil")
ROWS = [(f"Number {i} is from Paris in", f"Number {i} is from Rome in", " France", " Italy") for i in range(9)]


def written(
    tmp_path: Path, rows: list[Any], *, suffix: str = ".csv", columns: tuple[str, ...] = COLUMNS, bom: bool = False
) -> Path:
    path = tmp_path / f"pairs{suffix}"
    if suffix == ".csv":
        lines = [",".join(columns), *(",".join(f'"{cell}"' for cell in row) for row in rows)]
    else:
        lines = [json.dumps(dict(zip(columns, row, strict=False)), ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig" if bom else "utf-8")
    return path


@pytest.mark.parametrize(
    ("suffix", "bom"),
    [
        (".csv", False),
        (".csv", True),
        (".jsonl", False),
        pytest.param(".jsonl", True),
    ],
)
def test_both_formats_give_the_same_examples(tmp_path: Path, suffix: str, bom: bool) -> None:
    examples = cg.tasks.from_file(written(tmp_path, ROWS, suffix=suffix, bom=bom)).examples()
    assert examples.clean == tuple(row[0] for row in ROWS) and examples.answers == (" France",) * 9
    assert examples.task == "pairs" and examples.ids[8] == "pairs-0008"
    assert tasks.by_name(str(tmp_path / f"pairs{suffix}")).examples() == examples


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_token_ids_of_one_tokenizer_are_read_as_numbers(tmp_path: Path, suffix: str) -> None:
    rows = [(a, b, i, i + 1, "x") for i, (a, b, _, _) in enumerate(ROWS)]
    columns = ("clean", "corrupted", "correct_idx", "incorrect_idx", "label")
    examples = cg.tasks.from_file(written(tmp_path, rows, suffix=suffix, columns=columns)).examples()
    assert np.array_equal(examples.answers, np.arange(9)) and np.array_equal(examples.foils, np.arange(1, 10))


def test_a_leading_space_is_added_only_where_the_prompt_does_not_end_with_one(tmp_path: Path) -> None:
    rows = [(f"{i} a", f"{i} b", "x", " y") for i in range(8)] + [("9 a ", "9 b ", "x", "y"), ("8\t", "9\t", "x", "y")]
    answers = cg.tasks.from_file(written(tmp_path, rows)).examples().answers
    assert answers == (" x",) * 8 + ("x", " x")


def with_row(**cells: Any) -> list[tuple[Any, ...]]:
    changed = dict(zip(COLUMNS, ROWS[2], strict=True)) | cells
    return [*ROWS[:2], tuple(changed[c] for c in COLUMNS), *ROWS[3:]]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (with_row(answer=""), "row 3: column 'answer' is empty"),
        (with_row(clean="  "), "row 3: column 'clean' is empty"),
        (with_row(corrupted=ROWS[2][0]), "row 3: clean and corrupted are the same prompt"),
        (with_row(foil=" France"), "row 3: answer and foil are both ' France'"),
        pytest.param(with_row(foil="France"), "row 3: answer and foil are both"),
        (ROWS[:7], "7 rows; a task needs at least 8"),
        ([], "0 rows; a task needs at least 8"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, suffix: str, rows: list[Any], message: str) -> None:
    path = written(tmp_path, rows, suffix=suffix)
    with pytest.raises(TaskError, match=message) as caught:
        cg.tasks.from_file(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_missing_column_lists_those_found(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, [row[:3] for row in ROWS], suffix=suffix, columns=COLUMNS[:3])
    with pytest.raises(
        TaskError, match="column 'foil' is missing; found clean, corrupted, answer, need clean,corrupted,answer,foil"
    ):
        cg.tasks.from_file(path)


@pytest.mark.parametrize("value", ["France", "-1", "1.5"])
def test_token_ids_must_be_whole_numbers(tmp_path: Path, value: str) -> None:
    rows = [(a, b, 3, value) for a, b, _, _ in ROWS]
    path = written(tmp_path, rows, columns=("clean", "corrupted", "correct_idx", "incorrect_idx"))
    with pytest.raises(TaskError, match=f"row 1: correct_idx and incorrect_idx are token ids, not '3', '{value}'"):
        cg.tasks.from_file(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pairs.txt", b"clean", "a task file is .csv or .jsonl, not '.txt'"),
        ("pairs", b"clean", "a task file is .csv or .jsonl, not 'without suffix'"),
        ("pairs.jsonl", b'{"clean": "a"\n', "not readable as JSONL in UTF-8"),
        ("pairs.jsonl", b"[" * 100_000, "not readable as JSONL in UTF-8"),
        ("pairs.jsonl", b"9" * 5000, "not readable as JSONL in UTF-8"),
        ("pairs.jsonl", b"[1]\n", "row 1: each line is one JSON object, not list"),
        ("pairs.csv", b"clean,corrupted\n\xff\xfe,b\n", "not readable as CSV in UTF-8"),
        ("pairs.csv", b'clean,corrupted,answer,foil\n"a', "not readable as CSV"),
        ("pairs.csv", None, "no such task file"),
        ("pairs.csv", b"", "0 rows"),
    ],
)
def test_an_unreadable_file_says_why(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TaskError, match=message):
        cg.tasks.from_file(path)


def test_a_folder_is_no_task_file(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").mkdir()
    with pytest.raises(TaskError):
        cg.tasks.from_file(tmp_path / "pairs.csv")


def test_a_line_separator_inside_a_json_string_is_no_end_of_line(tmp_path: Path) -> None:
    rows = [(f"{i}\u2028a", f"{i}\u2028b", "x", "y") for i in range(8)]
    assert len(cg.tasks.from_file(written(tmp_path, rows, suffix=".jsonl")).examples()) == 8


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"corrupted": "Tom went"}, "pairs-0002: clean has 4 tokens and corrupted 2"),
        ({"answer": "Mary John"}, "pairs-0002: answer ' Mary John' is 2 tokens after its prompt"),
        ({"foil": "Mary John went"}, "pairs-0002: foil ' Mary John went' is 3 tokens after its prompt"),
    ],
)
def test_a_row_that_does_not_fit_a_model_is_an_error_when_it_is_bound(
    tmp_path: Path, cells: dict[str, str], message: str
) -> None:
    pytest.importorskip("torch", reason="the light layer runs without PyTorch")
    tiny = pytest.importorskip("tiny", reason="needs transformers, of the models extra")
    from congruity.interventions import Resample

    rows = [{"clean": f"{a} went to the", "corrupted": f"{b} went to the"} for a, b in itertools.pairwise(NAMES[:10])]
    filled = [{"answer": "Mary", "foil": "John"} | row | (cells if i == 2 else {}) for i, row in enumerate(rows)]
    task = cg.tasks.from_file(written(tmp_path, [tuple(row[c] for c in COLUMNS) for row in filled]))
    _, model = tiny.pair("llama")
    with pytest.raises(TaskError, match=message):
        model.bind(task.examples(model.single_token), Resample())
