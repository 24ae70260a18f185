"""Checks of the files of a package: each takes the import graph and yields its offenders, one a line."""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

SCRIPT = Path(__file__).parents[2] / "docs" / "architecture.py"


def script() -> ModuleType:
    """Import ``docs/architecture.py``, which parses and draws the import graph."""
    if "architecture" not in sys.modules:
        spec = importlib.util.spec_from_file_location("architecture", SCRIPT)
        assert spec is not None and spec.loader is not None
        module = sys.modules["architecture"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["architecture"]


architecture = script()
Graph, room = architecture.Graph, architecture.room

HEAVY = {"torch", "transformers", "transformer_lens", "gguf", "tokenizers", "sentencepiece"}
TORCH_HOMES = {"models", "finders", "interventions", "known"}
# Files outside these homes that need PyTorch inside a function: to time a machine, as an oracle to compare with, and to
# name the extra that is missing before anything else is done.
TORCH_GUESTS = {"_base.clock", "bench.distances.devices", "bench.sampling.patching", "cli.evaluate"}
FAMILIES = {"tasks", "models", "finders", "interventions", "distances"}
MAX_LINES = 350


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def tree(graph: Graph, name: str) -> ast.Module:
    return parsed(graph.files[name])


def calls(graph: Graph, name: str) -> Iterator[tuple[str, int]]:
    """Yield (what is called, line) of every call in a file."""
    for node in ast.walk(tree(graph, name)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def upward(graph: Graph) -> Iterator[str]:
    """Yield the imports that do not lead to a lower row of the plan; a room of its own row counts as not lower."""
    for name, other in graph.upward:
        yield f"{name} imports {other}"


def pytorch_outside_its_homes(graph: Graph) -> Iterator[str]:
    """Yield imports of PyTorch, and of what needs it, outside its homes; guests import it inside a function only."""
    for name in graph.files:
        top = {line for node in tree(graph, name).body if isinstance(node, (ast.Import, ast.ImportFrom))
               for line in [node.lineno]}  # fmt: skip
        for module, line in graph.imports(name):
            if module.partition(".")[0] not in HEAVY or room(name) in TORCH_HOMES:
                continue
            if name not in TORCH_GUESTS or line in top:
                yield f"{name}:{line} imports {module}"


def prints(graph: Graph) -> Iterator[str]:
    """Yield calls that write to the terminal or read from it, outside the command line."""
    for name in graph.files:
        for called, line in calls(graph, name):
            terminal = called in ("print", "input") or called.endswith((".stdout.write", ".stderr.write"))
            if terminal and room(name) != "cli":
                yield f"{name}:{line} calls {called}"


def runs_what_it_reads(graph: Graph) -> Iterator[str]:
    """Yield pickles, eval, exec and YAML objects: files are data."""
    for name in graph.files:
        for module, line in graph.imports(name):
            if module.partition(".")[0] in ("pickle", "marshal", "shelve", "dill", "cloudpickle"):
                yield f"{name}:{line} imports {module}"
        for called, line in calls(graph, name):
            if called in ("eval", "exec", "compile", "torch.load", "joblib.load", "yaml.load"):
                yield f"{name}:{line} calls {called}"


def long_files(graph: Graph) -> Iterator[str]:
    """Yield files of more than `MAX_LINES` lines."""
    for name, path in graph.files.items():
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES:
            yield name


def undocumented(graph: Graph) -> Iterator[str]:
    """Yield public modules, classes, functions and methods without a docstring.

    Members of the extension points are documented in ``protocols``, and not again in every class that has them.
    """
    promised = set()
    if "protocols" in graph.files:
        points = [n for n in tree(graph, "protocols").body if isinstance(n, ast.ClassDef)]
        promised = {n.name for point in points for n in point.body if isinstance(n, ast.FunctionDef)}
    for name in graph.files:
        module = tree(graph, name)
        if not ast.get_docstring(module):
            yield f"{name}: the module"
        for node in module.body:
            if not isinstance(node, (ast.ClassDef, ast.FunctionDef)) or node.name.startswith("_"):
                continue
            if not ast.get_docstring(node):
                yield f"{name}: {node.name}"
            if isinstance(node, ast.ClassDef) and not any("Protocol" in ast.unparse(base) for base in node.bases):
                methods = [n for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
                missing = [n.name for n in methods if n.name not in promised and not ast.get_docstring(n)]
                yield from (f"{name}: {node.name}.{method}" for method in missing)


def families_that_meet(graph: Graph) -> Iterator[str]:
    """Yield imports between families: tasks, models, finders, interventions and distances meet in ``protocols``."""
    for name, others in graph.arrows.items():
        for other in others:
            if {room(name), room(other)} <= FAMILIES and room(name) != room(other):
                yield f"{name} imports {other}"


FILE_CHECKS = (
    upward,
    pytorch_outside_its_homes,
    prints,
    runs_what_it_reads,
    long_files,
    undocumented,
    families_that_meet,
)


def classes_of_one_name(graph: Graph) -> Iterator[str]:
    """Yield names that more than one public class has, with the files that define them."""
    homes: dict[str, list[str]] = defaultdict(list)
    for name in graph.files:
        for node in tree(graph, name).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(name)
    for name, files in homes.items():
        if len(files) > 1:
            yield f"{name}: {', '.join(sorted(files))}"
