"""Measure and draw the import graph of the package: rooms on floors, and the arrows between them.

    python docs/architecture.py

writes ``docs/architecture.svg`` and the numbers of ``docs/architecture.md``. The tests of the structure use the same
functions, so that the page cannot say anything else than the tests.

A *room* is a file or a folder directly under the package. The graph is the *full* one: imports at the top of a file,
inside functions, under ``TYPE_CHECKING``, and the names of modules in strings (but not in ``files("a.b")``, which reads
data that lies there). Not counted is that Python runs ``a/__init__.py`` before ``a/b.py``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PAGE = Path(__file__).with_suffix(".md")
PICTURE = Path(__file__).with_suffix(".svg")
PACKAGE = PAGE.parents[1] / "src" / "congruity"
PUBLIC = "__init__"  # the package's own file names what stands anywhere, lazily, and stands on no floor

# Rooms from below. A room imports rooms of the rows before its own, and none of its own row.
PLAN = (
    ("errors",),
    ("_base",),
    ("theory", "values"),
    ("protocols",),
    ("tasks", "models", "finders", "interventions", "distances", "inference", "store", "report"),
    ("sampling", "comparison", "evaluation"),
    ("pipeline", "doctor"),
    ("cached", "known"),
    ("bench",),
    ("cli",),
)
ROW = {name: row for row, names in enumerate(PLAN) for name in names}

Arrows = Mapping[str, frozenset[str]]


def imports(path: Path, known: Iterable[str] = ()) -> Iterator[tuple[str, int]]:
    """Yield (module, line) of every import of a file, wherever it stands.

    Args:
        path: the file.
        known: names of modules; ``from a import b`` is resolved to ``a.b`` if that is one of them.
    """
    known, data = frozenset(known), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise SyntaxError(f"{path}:{node.lineno}: a relative import")
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                yield (inside if inside in known else str(node.module)), node.lineno
        elif isinstance(node, ast.Call):
            verb, strings = ast.unparse(node.func).rpartition(".")[2], constants(node.args[:1])
            data |= set(strings) if verb == "files" else set()
            yield from ((str(n.value), n.lineno) for n in strings if verb in ("import_module", "require"))
        elif isinstance(node, ast.Constant) and node not in data and "." in str(node.value) and node.value in known:
            yield str(node.value), node.lineno


def constants(nodes: Iterable[ast.AST]) -> list[ast.Constant]:
    """Return those of the nodes that are constants."""
    return [node for node in nodes if isinstance(node, ast.Constant)]


def circles(arrows: Arrows) -> list[tuple[str, ...]]:
    """Return the strongly connected components of more than one node, the largest first (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_nodes: list[str] = []
    found: list[tuple[str, ...]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        open_nodes.append(node)
        for other in sorted(arrows[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in open_nodes:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            start = open_nodes.index(node)
            found.append(tuple(sorted(open_nodes[start:])))
            del open_nodes[start:]

    for node in sorted(arrows):
        if node not in index:
            visit(node)
    return sorted((c for c in found if len(c) > 1), key=lambda c: (-len(c), c))


def heights(arrows: Arrows) -> dict[str, int]:
    """Return the length of the longest path down from every node; the nodes of one circle share it."""
    circle = {node: members for members in circles(arrows) for node in members}
    found: dict[str, int] = {}

    def height(node: str) -> int:
        if node not in found:
            together = circle.get(node, (node,))
            below = {other for member in together for other in arrows[member]} - set(together)
            level = 1 + max((height(other) for other in below), default=-1)
            found.update(dict.fromkeys(together, level))
        return found[node]

    return {node: height(node) for node in sorted(arrows)}


@dataclass(frozen=True)
class Graph:
    """The import graph of a package: files by dotted name without the package's own, and who imports whom."""

    root: Path

    @cached_property
    def files(self) -> dict[str, Path]:
        """Return file by name; the package's own file is ``__init__``, ``a/__init__.py`` is ``a``."""
        out = {}
        for path in sorted(self.root.rglob("*.py")):
            parts = path.relative_to(self.root).with_suffix("").parts
            out[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
        return out

    def _full(self, name: str) -> str:
        return self.root.name if name == "__init__" else f"{self.root.name}.{name}"

    @cached_property
    def _short(self) -> dict[str, str]:
        return {self._full(name): name for name in self.files}

    def imports(self, name: str) -> list[tuple[str, int]]:
        """Return (full name, line) of everything that a file imports, in the package and outside."""
        return sorted(set(imports(self.files[name], self._short)), key=lambda found: found[::-1])

    @cached_property
    def arrows(self) -> dict[str, frozenset[str]]:
        """Return the files that each file imports."""
        return {
            name: frozenset(self._short[full] for full, _ in self.imports(name) if full in self._short) - {name}
            for name in self.files
        }

    @cached_property
    def rooms(self) -> dict[str, frozenset[str]]:
        """Return the rooms that each room imports, without the package's own file."""
        out: dict[str, set[str]] = {room(name): set() for name in self.files if name != PUBLIC}
        for name, others in self.arrows.items():
            if name != PUBLIC:
                out[room(name)] |= {room(other) for other in others} - {room(name), PUBLIC}
        return {name: frozenset(others) for name, others in out.items()}

    @cached_property
    def upward(self) -> set[tuple[str, str]]:
        """Return the arrows between files that do not lead to a lower row of the plan."""
        return {
            (name, other)
            for name, others in self.arrows.items()
            for other in others
            if PUBLIC not in (name, other) and room(name) != room(other) and ROW[room(other)] >= ROW[room(name)]
        }

    @cached_property
    def floors(self) -> dict[str, int]:
        """Return the floor of each room: one more than the highest floor that it imports, over arrows down."""
        up = {(room(name), room(other)) for name, other in self.upward}
        return heights(
            {name: frozenset(o for o in others if (name, o) not in up) for name, others in self.rooms.items()}
        )


def room(name: str) -> str:
    """Return the room of a file: the first part of its name."""
    return name.partition(".")[0]
