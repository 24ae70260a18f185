"""The page on the architecture says what the imports say, and names nothing that does not exist."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from pages import named, resolve

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("architecture", DOCS / "architecture.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules["architecture"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_numbers_of_the_page_are_those_of_the_imports(script: ModuleType) -> None:
    """Run `python docs/architecture.py` where this fails."""
    shown = PAGE.split("<!-- numbers:begin -->")[1].split("<!-- numbers:end -->")[0].strip()
    assert shown == script.table(script.Graph(script.PACKAGE))


def test_no_two_boxes_of_the_picture_lie_on_each_other(script: ModuleType) -> None:
    floors = script.Graph(script.PACKAGE).floors
    places = [(column, floors[name]) for column, (_, names) in enumerate(script.COLUMNS) for name in names]
    assert len(set(places)) == len(places)


def test_the_picture_shows_the_rooms_and_the_imports(script: ModuleType) -> None:
    """Run `python docs/architecture.py` where this fails."""
    graph = script.Graph(script.PACKAGE)
    tree = ElementTree.parse(DOCS / "architecture.svg")
    texts = {text.strip() for node in tree.iter() for text in node.itertext() if text.strip()}
    assert set(graph.rooms) <= texts, "every room has its box"
    described = "; ".join(f"{name} imports {other}" for name, other in script.drawn(graph))
    assert described in texts


def test_an_arrow_of_the_picture_is_an_import_and_every_import_follows_from_arrows(script: ModuleType) -> None:
    graph = script.Graph(script.PACKAGE)
    reach: dict[str, set[str]] = {}
    for name in sorted(graph.rooms, key=graph.floors.__getitem__):
        ways = [other for source, other in script.drawn(graph) if source == name]
        assert set(ways) <= graph.rooms[name]
        reach[name] = set(ways).union(*(reach[other] for other in ways))
        assert graph.down[name] - set(script.GROUND) <= reach[name]


def test_the_table_of_rooms_has_every_room_once(script: ModuleType) -> None:
    section = PAGE.split("## The rooms")[1].split("## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", section, flags=re.MULTILINE)
    rooms = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(rooms) == sorted(script.Graph(script.PACKAGE).rooms)


def test_each_walk_has_five_lines_and_names_what_exists() -> None:
    walks = PAGE.split("## Three walks")[1].split("### ")[1:]
    assert [len(re.findall(r"^\d\. ", walk, flags=re.MULTILINE)) for walk in walks] == [5, 5, 5]
    for walk in walks:
        for line in re.findall(r"^\d\. .*$", walk, flags=re.MULTILINE):
            assert named(line), line
            assert all(callable(resolve(name)) for name in sorted(named(line))), line


@pytest.mark.parametrize("page", ["architecture.md", "glossary.md"])
def test_links_and_names_of_the_page_lead_somewhere(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert target.startswith("https://") or (DOCS / target).exists(), target
    assert len(named(text)) > 10
    for name in sorted(named(text)):
        resolve(name)


def test_the_glossary_has_each_term_once_and_every_row_is_whole() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|(?! term|---)(.*)\|$", text, flags=re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    assert all(len(row) == 5 and row[0] and row[2] and named(row[3]) for row in cells)
    terms = [row[0] for row in cells]
    assert len(terms) >= 40 and len(set(terms)) == len(terms)
