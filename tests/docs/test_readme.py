"""Everything that the README shows is run, and its numbers come from a results file."""

from __future__ import annotations

import doctest
import json
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pages import blocks

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_without_a_model_prints_what_the_readme_says() -> None:
    program, expected = blocks("python")[0], blocks("text")[-1]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == expected


def test_the_demo_table_is_the_committed_result() -> None:
    shown = README.split("<!-- demo:begin -->")[1].split("<!-- demo:end -->")[0]
    stored = (ROOT / "benchmarks" / "results" / "demo.txt").read_text(encoding="utf-8")
    assert shown.strip() == f"```text\n{stored.rstrip()}\n```"


def test_the_terminal_commands_are_the_program_that_the_package_installs() -> None:
    """`tests/models/test_real_models.py` runs them, on the real model."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert scripts == {"congruity": "congruity.cli:main"}
    assert {line.split()[0] for line in blocks("sh")[0].strip().splitlines()} == set(scripts)


def test_the_python_example_runs_on_tiny_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = pytest.importorskip("tiny", reason="needs PyTorch and transformers, of the models extra")
    tiny.trained().save_pretrained(tmp_path / "words")
    tiny.tokenizer().save_pretrained(tmp_path / "words")
    program = blocks("python")[1].replace("n=200", "n=24")
    program = program.replace("n=20", 'n=4, budget=cg.Budget(kl=1e-4, by="scale")')
    for name, stands_in in (("smollm2-135m", "words"), ("gemma-3-270m", "words+noise=0.001")):
        assert f'"{name}"' in program
        program = program.replace(f'"{name}"', repr(str(tmp_path / stands_in)))
    exec(program, {})
    assert capsys.readouterr().out.startswith("undecided ")


def test_every_command_in_the_table_exists() -> None:
    commands = set(re.findall(r"`congruity ([a-z]+)", README))
    done = subprocess.run([sys.executable, "-m", "congruity.cli", "--help"], capture_output=True, text=True, check=True)
    for command in commands:
        assert re.search(rf"\b{command}\b", done.stdout), command


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_page_on_reading_results_prints_what_it_shows() -> None:
    page = ROOT / "docs" / "how-to-read-the-result.md"
    found = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 15 and found.failed == 0


@pytest.mark.parametrize("name", ["inference", "circuits", "ground_truth", "zoo"])
def test_the_pages_of_results_are_what_their_numbers_give(name: str) -> None:
    results = ROOT / "benchmarks" / "results"
    pages = runpy.run_path(str(ROOT / "benchmarks" / "tables.py"))["PAGES"]
    found = json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
    assert (results / f"{name}.md").read_text(encoding="utf-8") == pages[name](found)


def test_the_leaderboard_is_what_its_numbers_give() -> None:
    source, page = runpy.run_path(str(ROOT / "benchmarks" / "tables.py"))["DOCS"]["leaderboard"]
    found = json.loads((ROOT / "benchmarks" / "results" / f"{source}.json").read_text(encoding="utf-8"))
    assert (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8") == page(found)
