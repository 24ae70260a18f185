"""The layer table of DESIGN.md, held by parsing every module: who may import whom, who prints, how long a file is."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import congruity

ROOT = Path(congruity.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
FAMILIES = ("tasks", "models", "finders", "interventions", "distances", "report", "inference")
HEAVY = {"torch", "transformers", "transformer_lens", "gguf", "tokenizers"}
TORCH_HOMES = ("models", "finders", "interventions", "zoo")
MAX_LINES = 350


def name_of(path: Path) -> str:
    parts = ["congruity", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def imports(path: Path, *, run_on_import_only: bool = False) -> Iterator[tuple[str, int]]:
    """Yield (module, line) of every import; members of the package are resolved to the module that they name."""
    stack: list[ast.AST] = list(ast.parse(path.read_text()).body)
    while stack:
        node = stack.pop()
        if run_on_import_only:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                stack += node.orelse
                continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: relative import"
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                yield (inside if inside in MODULES else str(node.module)), node.lineno
        stack += list(ast.iter_child_nodes(node))


def own(path: Path, *, run_on_import_only: bool = False) -> set[str]:
    found = {name for name, _ in imports(path, run_on_import_only=run_on_import_only) if name in MODULES}
    return found - {name_of(path)}


def family_of(name: str) -> str:
    return name.split(".")[1] if name.count(".") >= 1 else ""


every_module = pytest.mark.parametrize("name", MODULES)


@every_module
def test_only_the_heavy_families_import_pytorch(name: str) -> None:
    lines = {line: module for module, line in imports(MODULES[name]) if module.partition(".")[0] in HEAVY}
    if family_of(name) in TORCH_HOMES:
        return
    if name == "congruity._base.clock":
        tree = ast.parse(MODULES[name].read_text())
        spot = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "matmul_rate")
        assert all(spot.lineno <= line <= int(spot.end_lineno or 0) for line in lines), lines
        return
    assert not lines, f"{name} imports {lines}"


def test_the_ground_floor_imports_only_itself() -> None:
    floor = {name for name in MODULES if name.rpartition(".")[2].startswith("_") and not name.endswith("__")}
    floor |= {"congruity.errors"}
    assert {
        "congruity._base.digest",
        "congruity._base.streams",
        "congruity._base.registry",
        "congruity.errors",
    } <= floor
    for name in floor:
        above = own(MODULES[name]) - floor
        assert not above, f"{name} imports {above}"
    assert not own(MODULES["congruity.errors"])


# Height of each module outside the families; a module imports what is lower, and never sideways.
HEIGHT = {
    "errors": 0,
    "clock": 0,
    "theory": 1,
    "algorithms": 2,
    "values": 1,
    "cache": 1,
    "results": 2,
    "protocols": 3,
    "engine": 3,
}
HEIGHT |= dict.fromkeys(FAMILIES, 4)
HEIGHT |= dict.fromkeys(("tuning", "circuit", "represent", "doctor", "measure", "evidence", "closeness", "paired"), 5)
HEIGHT |= {
    "implement": 6,
    "store": 6,
    "judgement": 6,
    "sequential": 7,
    "sensitivity": 7,
    "subject": 7,
    "fingerprints": 8,
    "pipeline": 9,
    "runner": 9,
}
HEIGHT |= {"certificates": 5, "evaluation": 5, "circuit_file": 2, "zoo": 7, "discovery": 8, "copies": 8}
HEIGHT |= {"demo": 10, "bench": 10, "family": 10, "cli": 11}


@every_module
def test_imports_go_down_only(name: str) -> None:
    layer = family_of(name)
    if not layer or layer.startswith("_"):
        return
    assert layer in HEIGHT, f"{name} is not in the layer table: give it a height"
    for other in own(MODULES[name], run_on_import_only=True):
        target = family_of(other)
        if target and not target.startswith("_") and target != layer:
            assert HEIGHT[target] < HEIGHT[layer], f"{name} imports {other}"


@pytest.mark.parametrize("stage", ["circuit", "implement", "represent", "doctor"])
def test_stages_know_protocols_and_no_member_of_a_family(stage: str) -> None:
    assert not {family_of(other) for other in own(MODULES[f"congruity.{stage}"])} & set(FAMILIES)


@every_module
def test_families_never_import_each_other(name: str) -> None:
    if family_of(name) in FAMILIES:
        others = {family_of(other) for other in own(MODULES[name])} & set(FAMILIES) - {family_of(name)}
        assert not others, f"{name} imports {others}"


def test_there_is_no_import_cycle() -> None:
    graph = {name: own(path, run_on_import_only=True) for name, path in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


@every_module
def test_only_the_command_line_prints(name: str) -> None:
    if family_of(name) == "cli":
        return
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("print", "input") and not called.endswith((".stdout.write", ".stderr.write")), (
                f"{name}:{node.lineno} calls {called}"
            )


@every_module
def test_no_module_runs_what_it_reads(name: str) -> None:
    """No pickles, eval, exec or YAML objects: files are data."""
    assert not {m.partition(".")[0] for m, _ in imports(MODULES[name])} & {"pickle", "marshal", "shelve", "dill"}
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("eval", "exec", "compile", "torch.load", "joblib.load", "yaml.load")


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_short(name: str) -> None:
    flows = ("congruity.values", "congruity.values")  # what flows is said in two files
    longest = 2 * MAX_LINES if name in flows else MAX_LINES
    assert len(MODULES[name].read_text().splitlines()) <= longest


# --------------------------------------------------------------------------------------------------- public names

DESIGNED = "load_model tasks fingerprint Fingerprint compare Congruity distances"
DESIGNED += " d_repr Certified pairwise DistanceTable estimate"


def test_public_names_are_those_of_the_design_and_few() -> None:
    assert set(DESIGNED.split()) <= set(congruity.__all__) and len(congruity.__all__) <= 30
    assert list(congruity.__all__) == sorted(congruity.__all__) and dir(congruity) == congruity.__all__
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = congruity.nonsense


@pytest.mark.parametrize("name", congruity.__all__)
def test_a_public_name_is_what_its_home_defines(name: str) -> None:
    pytest.importorskip("torch", reason="TorchModule needs it") if name == "TorchModule" else None
    found = getattr(congruity, name)
    assert found is not None and (inspect.ismodule(found) or callable(found))


def test_no_submodule_hides_a_public_function() -> None:
    for name in sorted(MODULES):
        if family_of(name) not in ("models", "cli") and not name.endswith("__main__"):
            importlib.import_module(name)
    for name in ("estimate", "compare", "fingerprint", "pairwise", "d_repr", "load_model"):
        assert callable(getattr(congruity, name)) and not inspect.ismodule(getattr(congruity, name)), name


def promised() -> set[str]:
    """Names of the members of the extension points: `protocols` says what they are."""
    classes = [n for n in ast.parse(MODULES["congruity.protocols"].read_text()).body if isinstance(n, ast.ClassDef)]
    return {n.name for c in classes for n in c.body if isinstance(n, ast.FunctionDef)}


def undocumented(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    if not ast.get_docstring(tree):
        yield "the module"
    for node in tree.body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield node.name
        if isinstance(node, ast.ClassDef) and not any("Protocol" in ast.unparse(base) for base in node.bases):
            methods = [n for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
            methods = [n for n in methods if n.name not in promised()]
            yield from (f"{node.name}.{n.name}" for n in methods if not ast.get_docstring(n))


@every_module
def test_everything_public_is_documented(name: str) -> None:
    assert not list(undocumented(MODULES[name]))
