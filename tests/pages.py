"""Pages as tests read them, and a name that no page may take for markup."""

from __future__ import annotations

import importlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

HOSTILE = "evil</script><img src=x onerror=alert(1)>\"'&[bold]$x_1$"


def blocks(language: str) -> list[str]:
    """Return the README's blocks of code in a language, in order."""
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def named(page: str) -> set[str]:
    """Return the dotted names of the package that a page writes as code."""
    return set(re.findall(r"`(congruity\.[\w.]+)`", page))


def resolve(name: str) -> Any:
    """Import what a dotted name means; raise AttributeError or ModuleNotFoundError where there is no such thing."""
    place, parts = name, []
    while True:
        try:
            found = importlib.import_module(place)
            break
        except ModuleNotFoundError as error:
            if not f"{place}.".startswith(f"{error.name}."):  # a library is missing, and not this name
                raise
            place, _, last = place.rpartition(".")
            parts.insert(0, last)
    for part in parts:
        found = getattr(found, part)
    return found


class Reader(HTMLParser):
    """Collects what a browser would see: elements with attributes, and the text of every element of a tag."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.path: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "img", "link", "input"):
            self.path.append(tag)
            self.texts.append((tag, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.path.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self.path:
            self.texts.append((self.path[-1], data))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    @property
    def visible(self) -> str:
        return " ".join(" ".join(data for tag, data in self.texts if tag != "style").split())
