"""`congruity circuit`: what it prints and writes, its page, and one sentence for every mistake."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import synthetic
from congruity.errors import InputError, UnknownNameError
from congruity.report import circuit_figures, circuit_page, html
from congruity.report.circuit_figures import Found
from congruity.values import Faithfulness
from pages import HOSTILE, Reader

Run = Callable[..., tuple[int, str, str]]
WRITTEN = ["circuit.html", "circuit.json", "circuit.pdf", "circuit.svg"]


def found(**changes: Any) -> Found:
    side = synthetic.fingerprint(HOSTILE)
    size, total = len(side.circuit.sites), len(side.circuit.scores.sites)
    values: dict[str, Any] = {
        "clean": 3.4, "corrupted": -3.1, "faithfulness": 0.93, "faithfulness_interval": (0.88, 0.97),
        "completeness": 0.12, "completeness_interval": (0.05, 0.2), "random": (0.05, -0.1, 0.31), "p_random": 0.25,
        "curve": ((0, 0.0), (size, 0.93), (total, 1.0)), "cpr": 0.8, "cmd": 0.21, "n_prompts": 50,
    }  # fmt: skip
    circuit = dataclasses.replace(side.circuit, evidence=Faithfulness(**values | changes))
    return Found(circuit, side.model, "ioi", {"intervention": "resample", "gates": {"max_kl": math.inf}})


# ---------------------------------------------------------------------------------------------------------- command


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformer_lens", reason="of the models extra")
    import tiny

    folder = tmp_path_factory.mktemp("models") / "trained"
    tiny.trained().save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


def test_the_command_finds_measures_and_writes(run: Run, model: Path) -> None:
    arguments = ("circuit", model, "--prompts", 48, "--random", 5, "--out", "o", "--device", "cpu")
    code, out, err = run(*arguments, "--json")
    data = json.loads(out)
    assert (code, err) == (0, "") and sorted(p.name for p in Path("o").iterdir()) == WRITTEN
    measured = data["evidence"]
    assert measured["faithfulness"] > 0.9 and len(measured["random"]) == 5 and measured["n_prompts"] == 12
    assert data["size"] == len(data["sites"]) < data["n_sites"] == 15 and data["task"] == "ioi"
    assert data["settings"]["finder"] == "attribution" and data["settings"]["intervention"] == "resample"
    file = json.loads(Path("o/circuit.json").read_text())
    assert {name for name, node in file["nodes"].items() if node["in_graph"]} == {"input", "logits", *data["sites"]}
    assert file["congruity"]["evidence"] == measured and file["congruity"]["settings"] == data["settings"]
    before = {name: (Path("o") / name).read_bytes() for name in WRITTEN}

    code, text, _ = run(*arguments, "--quiet")
    assert code == 0 and before == {name: (Path("o") / name).read_bytes() for name in WRITTEN}, "same bytes"
    for word in ("Faithfulness", "Completeness", "5 random circuits", "CPR", "Top sites by attribution: ", "p = .17"):
        assert word in text, text
    assert text.count("\n") <= 12 and text.endswith("Wrote o/circuit.json\nReport: o/circuit.html\n")

    # the file is a finder: the same circuit, with the same evidence
    again = json.loads(run(*arguments, "--json", "--finder", "o/circuit.json", "--out", "again")[1])
    assert again["sites"] == data["sites"] and again["settings"]["finder"] == "declared"
    assert again["evidence"] == measured


def written(folder: Path, text: str) -> Path:
    (folder / "c.json").write_text(text)
    return folder / "c.json"


MISTAKES: list[tuple[str, Callable[[Path], tuple[object, ...]], str]] = [
    ("finder", lambda d: ("--finder", "attributoin"), "did you mean 'attribution'"),
    ("intervention", lambda d: ("--intervention", "resampel"), "did you mean 'resample'"),
    ("task", lambda d: ("--task", "iio"), "did you mean 'ioi'"),
    ("no file", lambda d: ("--finder", d / "none.json"), r"none\.json: no such circuit file"),
    ("damaged", lambda d: ("--finder", written(d, '{"nodes": {')), "not the JSON of a circuit, or truncated"),
    ("lacks", lambda d: ("--finder", written(d, '{"sites": ["a9.h6"]}')), r"has no a9\.h6, .* heads a0\.h0 to a2\.h3"),
    ("gates", lambda d: ("--max-kl", "0"), "max_kl must be a positive number"),
    ("nothing to edit", lambda d: ("--max-kl", "1e-9"), "no component outside the circuit is left to edit"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    run: Run, model: Path, tmp_path: Path, arguments: Callable[[Path], tuple[object, ...]], message: str
) -> None:
    code, out, err = run("circuit", model, "--prompts", 32, "--out", "o", *arguments(tmp_path))
    assert code in (2, 3) and out == "" and not Path("o").exists()
    assert err.startswith("congruity: ") and err.count("\n") == 1 and "Traceback" not in err
    assert re.search(message, err), err


def test_an_untrained_model_is_not_applicable(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("transformer_lens", reason="of the models extra")
    import tiny

    tiny.language_model("llama").save_pretrained(tmp_path / "m")
    tiny.tokenizer().save_pretrained(tmp_path / "m")
    code, out, err = run("circuit", "m", "--prompts", 32)
    assert code == 3 and out == "" and "accuracy" in err and not Path("congruity-circuit").exists()


def test_an_output_folder_that_is_a_file_is_one_sentence(run: Run, model: Path) -> None:
    Path("o").write_text("")
    code, _, err = run("circuit", model, "--prompts", 32, "--random", 0, "--out", "o")
    assert code == 2 and err.startswith("congruity: ") and err.count("\n") == 1


# ------------------------------------------------------------------------------------------------------------- page


def test_the_page_is_one_safe_document_with_every_number() -> None:
    pytest.importorskip("matplotlib", reason="drawing figures")
    shown = found()
    document = circuit_page.page(shown)
    reader = Reader(document)
    assert reader.count("h1") == 1 and reader.count("svg") == 2 and reader.count("script") == 0
    assert not reader.path, "every element is closed"
    policy = next(a["content"] for tag, a in reader.elements if tag == "meta" and "http-equiv" in a)
    assert policy == html.POLICY and "http" not in re.sub(r"http-equiv|--cg-[\w-]+", "", document)
    assert "<img" not in document and "onerror" not in [name for _, a in reader.elements for name in a]
    text = reader.visible
    for value in ("0.93", "[0.88, 0.97]", "0.12", ".25", "[\N{MINUS SIGN}0.10, 0.31]", "0.80", "0.21"):
        assert value in text, value
    assert "alert(1)" in text, "the hostile name is shown, as text"
    ids = [a["id"] for _, a in reader.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert document == circuit_page.page(shown), "the same circuit gives the same bytes"


def test_notes_say_what_the_numbers_do_not() -> None:
    def words(**changes: Any) -> str:
        return " ".join(circuit_page.notes(found(**changes)))

    assert "less than 0.9" not in words() and "less than 0.9" in words(faithfulness=0.6)
    assert "exceeds" in words(faithfulness_interval=(1.1, 1.2)) and "exceeds" not in words()
    assert "other ways" in words(completeness=0.7) and "other ways" not in words()
    few = words()
    assert "None of 3 random circuits" in few and "too few" in few and "p = .25" in few and "too often" not in few
    assert "too few" not in words(p_random=0.05, random=(0.1,) * 19) and "too few" in words(
        p_random=1 / 19, random=(0.1,) * 18
    )
    assert "do as well too often" in words(p_random=0.5) and "too few" not in words(p_random=0.5)
    assert "too often" not in words(p_random=0.04, random=(0.1,) * 24)
    headline = circuit_page.lines(found(clean=5.0, corrupted=-20.0))[0]
    assert "0.93 of what replacing all sites takes from the logit difference" in headline
    assert "too often" not in words(random=(), p_random=1.0)
    assert any("No random" in line for line in circuit_page.lines(found(random=(), p_random=1.0)))


def test_a_circuit_from_a_file_may_have_been_found_on_these_prompts() -> None:
    pytest.importorskip("matplotlib", reason="drawing figures")
    shown = found()
    sentence = "50 prompts that neither ranked sites nor chose the size. Sites were ranked on 100 others"
    assert sentence in circuit_page.page(shown)
    scores = dataclasses.replace(shown.circuit.scores, finder="declared", n_prompts=0)
    declared = dataclasses.replace(shown, circuit=dataclasses.replace(shown.circuit, scores=scores))
    page = circuit_page.page(declared)
    assert "only its author knows" in page and "neither ranked" not in page and "Sites were ranked" not in page


@pytest.mark.parametrize("field", ["faithfulness", "cpr", "completeness"])
def test_numbers_that_are_not_are_refused(field: str) -> None:
    for make in (circuit_page.lines, circuit_page.page, circuit_page.to_dict):
        with pytest.raises(InputError, match=f"{field} is nan"):
            make(found(**{field: math.nan}))


def test_a_circuit_without_evidence_cannot_be_shown() -> None:
    side = synthetic.fingerprint("a")
    with pytest.raises(InputError, match="no evidence to show"):
        Found(side.circuit, side.model, "ioi")


# ---------------------------------------------------------------------------------------------------------- figures


def test_the_drawing_shows_what_was_measured() -> None:
    pytest.importorskip("matplotlib", reason="drawing figures")
    shown = found()
    (axes,) = circuit_figures.figure(shown, "recovered").axes
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    size, total = len(shown.circuit.sites), len(shown.circuit.scores.sites)
    assert np.array_equal(lines["highest-ranked"].get_xydata(), [(0, 0), (size, 0.93), (total, 1)])
    assert lines["circuit alone"].get_xydata().tolist() == [[size, 0.93]]
    assert lines["all but the circuit"].get_xydata().tolist() == [[total - size, 0.12]]
    assert lines["3 random circuits"].get_ydata().tolist() == [0.05, -0.1, 0.31]
    assert len(circuit_figures.figure(shown).axes) == 2
    with pytest.raises(UnknownNameError, match="part of a circuit's figure"):
        circuit_figures.figure(shown, "maps")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_files_for_papers_are_what_they_say_and_the_same_every_time(kind: Any) -> None:
    pytest.importorskip("matplotlib", reason="drawing figures")
    content = circuit_figures.saved(found(), kind)
    assert content == circuit_figures.saved(found(), kind)
    if kind == "svg":
        assert ElementTree.fromstring(content).tag.endswith("svg")
    else:
        assert content.startswith(b"%PDF")
