"""Pages as tests read them, and a name that no page may take for markup."""

from __future__ import annotations

from html.parser import HTMLParser

HOSTILE = "evil</script><img src=x onerror=alert(1)>\"'&[bold]$x_1$"


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
