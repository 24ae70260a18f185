"""The plan of the house, held by parsing every file: who imports whom, who prints, how long a file is.

The graph is the full one of ``docs/architecture.py``: imports inside functions and under ``TYPE_CHECKING`` count.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from checks import FILE_CHECKS, Graph, architecture, classes_of_one_name, room

import congruity

GRAPH = Graph(Path(congruity.__file__).parent)
MAX_ROOMS, MAX_FLOORS = 26, 9
LINES_TO_READ = 550  # of the three files that tell the whole program
NEWCOMER = ("values", "protocols", "pipeline")


# ----------------------------------------------------------------------------------------------------------- the house


def test_rooms_and_floors_are_few() -> None:
    assert len(GRAPH.rooms) <= MAX_ROOMS
    assert 1 + max(GRAPH.floors.values()) <= MAX_FLOORS, GRAPH.floors


def test_every_room_stands_in_the_plan_once() -> None:
    planned = [name for row in architecture.PLAN for name in row]
    assert sorted(planned) == sorted(GRAPH.rooms) and len(architecture.PLAN) <= 10


def test_there_is_no_circle_of_imports() -> None:
    assert not architecture.circles(GRAPH.arrows)


def between(sources: Iterable[str], targets: Iterable[str]) -> Iterator[str]:
    """Yield the imports from files of some rooms to files of others."""
    for name, others in GRAPH.arrows.items():
        yield from (f"{name} imports {other}" for other in others if room(name) in sources and room(other) in targets)


MAKE, READ = {"sampling", "models", "finders", "interventions"}, {"comparison", "inference", "distances", "report"}
ASIDE = {"known": {"known", "bench", "cli"}, "evaluation": {"evaluation", "cli"}, "bench": {"bench", "cli"}}


def test_what_makes_fingerprints_and_what_compares_them_never_import_each_other() -> None:
    assert not [*between(MAKE, READ), *between(READ, MAKE)]


def test_the_core_imports_no_wing_beside_it() -> None:
    rooms = set(GRAPH.rooms)
    assert not [line for wing, users in ASIDE.items() for line in between(rooms - users, {wing})]


def test_theory_stands_on_its_own_and_the_core_uses_its_bounds_only() -> None:
    assert not list(between({"theory"}, set(GRAPH.rooms) - {"theory", "errors", "_base"}))
    core = set(GRAPH.rooms) - {"theory", "evaluation", "cli", *ASIDE}
    assert not [line for line in between(core, {"theory"}) if not line.endswith("imports theory.bounds")]


def test_stages_of_sampling_know_protocols_and_no_member_of_a_family() -> None:
    """The recipe knows members, by name and as defaults, and ``prepare`` loads the model."""
    drivers = ("sampling.recipe ", "sampling.prepare ")
    families = {"tasks", "models", "finders", "interventions", "distances"}
    assert not [line for line in between({"sampling"}, families) if not line.startswith(drivers)]


def test_nothing_but_the_command_line_imports_the_public_names() -> None:
    assert {room(name) for name, others in GRAPH.arrows.items() if architecture.PUBLIC in others} <= {"cli"}


def test_three_files_tell_the_whole_program_and_are_short() -> None:
    lines = [len(GRAPH.files[name].read_text(encoding="utf-8").splitlines()) for name in NEWCOMER]
    assert sum(lines) <= LINES_TO_READ, dict(zip(NEWCOMER, lines, strict=True))


# ----------------------------------------------------------------------------------------------------------- the files

Check = Callable[[Graph], Iterator[str]]


@pytest.mark.parametrize("check", FILE_CHECKS, ids=lambda check: check.__name__)
def test_no_file_offends(check: Check) -> None:
    assert not list(check(GRAPH))


def test_no_public_class_has_the_name_of_another() -> None:
    assert not list(classes_of_one_name(GRAPH))


# A package in which every check has something to find; the files that nobody mentions are innocent.
FAULTY = {
    "__init__.py": '"""Faulty."""\n_HOMES = {"x": "faulty.values.a"}\n',
    "errors.py": '"""Errors."""\nfrom faulty import values\n',
    "values/__init__.py": '"""Values."""\nclass Twice:\n    """Twice."""\n',
    "values/a.py": '"""A."""\ndef f() -> None:\n    """F."""\n    from faulty.values import b\n    print(b)\n',
    "values/b.py": '"""B."""\nif TYPE_CHECKING:\n    from faulty.values.a import f\n' + 350 * "\n",
    "protocols.py": '"""Points."""\nclass Point(Protocol):\n    """Point."""\n    def member(self) -> None: ...\n',
    "tasks/t.py": '"""T."""\nclass Twice:\n    """T."""\n    def member(self) -> None: ...\n    def own(self): ...\n',
    "models/m.py": '"""M."""\nimport torch\nfrom faulty.tasks import t\n',
    "store/s.py": '"""S."""\nimport pickle\ndef _f():\n    importlib.import_module("torch")\n    eval("1")\n',
    "bench/distances/devices.py": '"""D."""\nimport torch\n',
    "cli/c.py": '"""C."""\nprint("allowed")\n',
}
FOUND = {
    "upward": {"errors imports values", "models.m imports tasks.t"},
    "pytorch_outside_its_homes": {"store.s:4 imports torch", "bench.distances.devices:2 imports torch"},
    "prints": {"values.a:5 calls print"},
    "runs_what_it_reads": {"store.s:2 imports pickle", "store.s:5 calls eval"},
    "long_files": {"values.b"},
    "undocumented": {"tasks.t: Twice.own"},
    "families_that_meet": {"models.m imports tasks.t"},
    "classes_of_one_name": {"Twice: tasks.t, values"},
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    root = tmp_path_factory.mktemp("house") / "faulty"
    for name, text in FAULTY.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Graph(root)


@pytest.mark.parametrize("check", [*FILE_CHECKS, classes_of_one_name], ids=lambda check: check.__name__)
def test_every_check_finds_its_offender(faulty: Graph, check: Check) -> None:
    assert set(check(faulty)) == FOUND[check.__name__]


def test_the_graph_sees_functions_type_checking_and_strings(faulty: Graph) -> None:
    assert faulty.arrows["values.a"] == {"values.b"} and faulty.arrows["values.b"] == {"values.a"}
    assert faulty.arrows["__init__"] == {"values.a"} and faulty.arrows["errors"] == {"values"}
    assert architecture.circles(faulty.arrows) == [("values.a", "values.b")]
    assert faulty.rooms["models"] == {"tasks"} and "__init__" not in faulty.rooms


def test_floors_are_longest_paths_and_circles_share_one() -> None:
    arrows = {"a": "", "b": "a", "c": "ab", "d": "ce", "e": "d", "f": "e"}
    graph = {name: frozenset(others) for name, others in arrows.items()}
    assert architecture.circles(graph) == [("d", "e")]
    assert architecture.heights(graph) == {"a": 0, "b": 1, "c": 2, "d": 3, "e": 3, "f": 4}


# -------------------------------------------------------------------------------------------------------- public names

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
    for name in GRAPH.files:
        if room(name) not in ("models", "known", "cli", architecture.PUBLIC):
            importlib.import_module(f"congruity.{name}")
    for name in ("estimate", "compare", "fingerprint", "pairwise", "d_repr", "load_model"):
        assert callable(getattr(congruity, name)) and not inspect.ismodule(getattr(congruity, name)), name


@pytest.mark.parametrize("name", ["card.digest", "card.base", "bind", "doctor.run_checks", "values.Edit"])
def test_names_that_outside_checks_use_are_importable(name: str) -> None:
    home, _, rest = name.partition(".")
    if home in ("card", "bind"):
        from congruity.protocols import Model
        from congruity.values import ModelCard

        assert hasattr(Model, home) and (not rest or rest in ModelCard.__dataclass_fields__)
    else:
        assert hasattr(importlib.import_module(f"congruity.{home}"), rest)
