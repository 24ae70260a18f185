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
from typing import Any

PAGE = Path(__file__).with_suffix(".md")
PICTURE = Path(__file__).with_suffix(".svg")
PACKAGE = PAGE.parents[1] / "src" / "congruity"
PUBLIC = "__init__"  # the package's own file names what stands anywhere, lazily, and stands on no floor

# Rooms from below. A room imports rooms of the rows before its own, and none of its own row.
PLAN = (
    ("errors",),
    ("_base",),
    ("theory", "values"),
    ("protocols", "store"),
    ("tasks", "models", "finders", "interventions", "distances", "inference", "report"),
    ("sampling", "comparison", "evaluation"),
    ("pipeline", "doctor"),
    ("cached", "known"),
    ("bench",),
    ("cli",),
)
ROW = {name: row for row, names in enumerate(PLAN) for name in names}

# For the picture: wings from the left, each with a colour (Okabe and Ito's, safe for the colour-blind) and its columns.
WINGS = {
    "makes fingerprints": ("#0072B2", "tasks", "models sampling doctor", "finders", "interventions"),
    "flows and leads": ("#555555", "errors _base values protocols pipeline cli", "store cached"),
    "compares fingerprints": ("#D55E00", "report", "inference distances comparison"),
    "is known to be true": ("#009E73", "evaluation", "theory known bench"),
}
COLUMNS = [(wing, column.split()) for wing, (_, *columns) in WINGS.items() for column in columns]
WING = {name: wing for wing, column in COLUMNS for name in column}
GROUND = ("errors", "_base")  # nearly every room imports these two; the picture leaves these arrows out

# Of the commit before every file moved to its room, by this program; upward by the plan of that time, floors without
# the four upward arrows.
BEFORE = {"rooms": 50, "floors": 12, "arrows between rooms": 309, "arrows upward": 4, "circles of files": "29 and 3"}

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
        return heights(self.down)

    @cached_property
    def down(self) -> dict[str, frozenset[str]]:
        """Return `rooms` without the arrows upward."""
        up = {(room(name), room(other)) for name, other in self.upward}
        return {name: frozenset(o for o in others if (name, o) not in up) for name, others in self.rooms.items()}


def room(name: str) -> str:
    """Return the room of a file: the first part of its name."""
    return name.partition(".")[0]


# ---------------------------------------------------------------------------------------------------- page and picture


def numbers(graph: Graph) -> dict[str, object]:
    """Return the numbers of the page, with the keys of `BEFORE`."""
    sizes = [str(len(circle)) for circle in circles(graph.arrows)]
    return {
        "rooms": len(graph.rooms),
        "floors": 1 + max(graph.floors.values()),
        "arrows between rooms": sum(map(len, graph.rooms.values())),
        "arrows upward": len({(room(name), room(other)) for name, other in graph.upward}),
        "circles of files": " and ".join(sizes) or 0,
    }


def table(graph: Graph) -> str:
    """Return the numbers as the table of the page."""
    rows = [f"| {name} | {BEFORE[name]} | {value} |" for name, value in numbers(graph).items()]
    return "\n".join(["| | before | now |", "|---|---|---|", *rows])


def drawn(graph: Graph) -> list[tuple[str, str]]:
    """Return the arrows of the picture: those that no longer way replaces, and none to the ground."""
    rooms = {name: others - set(GROUND) for name, others in graph.down.items()}

    def reach(name: str, seen: set[str]) -> set[str]:
        for other in rooms[name] - seen:
            seen.add(other)
            reach(other, seen)
        return seen

    out = []
    for name, others in sorted(rooms.items()):
        for other in sorted(others):
            if not any(other in reach(between, set()) for between in others - {other}):
                out.append((name, other))
    return out


def places(graph: Graph) -> dict[str, tuple[float, float]]:
    """Return the centre of each room: its column across, its floor up."""
    missing = set(graph.rooms) - set(WING)
    if missing:
        raise KeyError(f"give {', '.join(sorted(missing))} a column in docs/architecture.py")
    wings = list(WINGS)
    across = {name: i + 0.3 * wings.index(wing) for i, (wing, column) in enumerate(COLUMNS) for name in column}
    return {name: (across[name], float(graph.floors[name])) for name in sorted(graph.rooms)}


WIDE, HIGH = 0.96, 0.44  # of the box of a room


def draw(graph: Graph, path: Path) -> None:
    """Draw rooms on floors and the arrows of `drawn`; the same graph gives the same bytes."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    style = {"svg.fonttype": "none", "svg.hashsalt": "congruity", "font.family": "sans-serif", "font.size": 8.5}
    arrows = "; ".join(f"{name} imports {other}" for name, other in drawn(graph))
    keep = {"Date": None, "Title": "Rooms of the package and their imports", "Description": arrows}
    at = places(graph)
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=(11, 7.6), layout="constrained")
        _floors(axes, at)
        for name, other in drawn(graph):
            (x, y), (to_x, to_y) = at[name], at[other]
            crossed = any(x == to_x == between_x and to_y < height < y for between_x, height in at.values())
            around = 1.5 / (y - to_y - 0.5) if crossed else 0.0
            _arrow(axes, at[name], at[other], around, WINGS[WING[name]][0])
        for name in at:
            _box(axes, at[name], name, sum(room(file) == name for file in graph.files))
        figure.savefig(path, metadata=keep if path.suffix == ".svg" else {})
        plt.close(figure)


def _floors(axes: Any, at: Mapping[str, tuple[float, float]]) -> None:
    top, right = max(y for _, y in at.values()), max(x for x, _ in at.values())
    for floor in range(1 + int(top)):
        axes.axhspan(floor - 0.34, floor + 0.34, color="#000000", alpha=0.04, lw=0)
        axes.text(-0.7, floor, str(floor + 1), ha="center", va="center", color="#555555", size=10)
    for wing, (shade, *_) in WINGS.items():
        xs = [x for name, (x, _) in at.items() if WING[name] == wing]
        axes.text((min(xs) + max(xs)) / 2, top + 0.7, wing, ha="center", color=shade, size=10, weight="bold")
    axes.set_xlim(-0.9, right + 0.7)
    axes.set_ylim(-0.5, top + 1)
    axes.axis("off")


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], around: float, shade: str) -> None:
    from matplotlib.patches import FancyArrowPatch

    (x, y), (to_x, to_y) = start, end
    arrow = FancyArrowPatch(
        (x, y - HIGH / 2), (to_x, to_y + HIGH / 2), arrowstyle="-|>", connectionstyle=f"arc3,rad={around}",
        mutation_scale=9, color=shade, alpha=0.75, lw=1.1, shrinkA=0, shrinkB=0, zorder=1,
    )  # fmt: skip
    axes.add_patch(arrow)


def _box(axes: Any, at: tuple[float, float], name: str, files: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    (x, y), shade = at, WINGS[WING[name]][0]
    shape = "round,pad=0,rounding_size=0.08"
    box = FancyBboxPatch(
        (x - WIDE / 2, y - HIGH / 2), WIDE, HIGH, boxstyle=shape, fc="white", ec=shade, lw=1.6, zorder=2
    )
    axes.add_patch(box)
    axes.text(x, y + 0.07, name, ha="center", va="center", zorder=3, weight="bold")
    count = "1 file" if files == 1 else f"{files} files"
    axes.text(x, y - 0.12, count, ha="center", va="center", zorder=3, size=7, color="#444444")


def main() -> None:
    """Write the picture, and the numbers into the page between their marks."""
    graph = Graph(PACKAGE)
    draw(graph, PICTURE)
    head, rest = PAGE.read_text(encoding="utf-8").split("<!-- numbers:begin -->\n")
    tail = rest.split("<!-- numbers:end -->")[1]
    page = f"{head}<!-- numbers:begin -->\n{table(graph)}\n<!-- numbers:end -->{tail}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
