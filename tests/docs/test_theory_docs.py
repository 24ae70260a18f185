"""The chapters on the theory: every example runs, every statement leads to its function and back."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path

import pytest

from congruity.theory.bounds import STATEMENTS
from pages import named, resolve

ROOT = Path(__file__).parents[2]
CHAPTER = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
THEOREMS = (ROOT / "docs" / "theorems.md").read_text(encoding="utf-8")
SECTIONS = {
    heading.split(" ")[0]: body
    for heading, body in re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", THEOREMS, flags=re.DOTALL | re.MULTILINE)
}


def test_the_chapter_prints_what_it_shows() -> None:
    path = str(ROOT / "docs" / "theory.md")
    found = doctest.testfile(path, module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 40 and found.failed == 0


@pytest.mark.parametrize("number", STATEMENTS)
def test_every_function_stands_under_its_statement(number: str) -> None:
    heading = number if number in SECTIONS else number.partition("(")[0]
    for function in STATEMENTS[number]:
        assert f"`congruity.theory.bounds.{function.__name__}`" in SECTIONS[heading]


def test_every_function_that_the_theorems_name_exists() -> None:
    names = named(THEOREMS)
    assert len(names) > 40
    for name in sorted(names):
        assert callable(resolve(name)), name


def test_every_statement_that_the_code_cites_is_there() -> None:
    cited = set()
    for path in (ROOT / "src" / "congruity").rglob("*.py"):
        for after in re.findall(r"docs/theorems\.md, ([^\n:]*)", path.read_text(encoding="utf-8")):
            cited |= set(re.findall(r"\b[DLPHST]\d+'?(?: ?\([a-n]\))?", after))
    assert len(cited) > 10
    for number in cited:
        assert any(heading.startswith(number.replace(" ", "")) for heading in SECTIONS), number


def test_links_into_the_theorems_lead_somewhere() -> None:
    anchors = set(re.findall(r'<a id="([a-z0-9]+)">', THEOREMS))
    links = set(re.findall(r"theorems\.md#([a-z0-9]+)", CHAPTER))
    assert len(links) > 5 and links <= anchors


def test_proved_statements_have_a_proof_or_say_that_they_are_cited() -> None:
    for number in (
        "L1",
        "P2",
        "P3",
        "P4",
        "T0",
        "H1",
        "T1",
        "T2",
        "T2'",
        "H2",
        "T3(b)",
        "T3(g)",
        "T3(h)",
        "T4(d)",
        "S2",
        "S4",
    ):
        assert "*Proof.*" in SECTIONS[number], number


def test_links_and_pictures_of_the_chapter_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)", CHAPTER):
        assert (ROOT / "docs" / target).exists(), target


def test_the_record_of_the_benchmark_has_every_claim_unviolated_and_every_false_one_caught() -> None:
    from congruity.bench.theorems import benchmark as theory

    found = json.loads((ROOT / "benchmarks" / "results" / "theory.json").read_text(encoding="utf-8"))
    assert not found["small"] and found["violated"] == 0 and found["false_caught"] == found["false"]
    assert set(found["claims"]) == {claim.name for claim in theory.CLAIMS}
    for claim in theory.CLAIMS:
        assert found["claims"][claim.name]["instances"] == claim.instances
    assert found["enumeration"]["solves_per_second"] > 1e6
