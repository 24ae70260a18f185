"""Options of a side: checked before any model is loaded, and recorded as what was given and what was in force."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import congruity as cg
import synthetic
from congruity.cached import Runner
from congruity.errors import InputError, UnknownNameError
from congruity.interventions import Mean, Resample
from congruity.sampling.recipe import FingerprintOptions, SamplingOptions, SamplingRecipe
from congruity.values import Edit, Method, Site

EDITS = [Edit((Site(0, "module", f"m{i}"),), "resample") for i in range(3)]
CIRCUIT = synthetic.fingerprint("a", seed=1).circuit


@pytest.fixture
def _no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if a model is loaded."""

    def load(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("a model was loaded")

    for place in ("congruity.pipeline.loaded", "congruity.sampling.sides.loaded", "congruity.sampling.prepare.loaded"):
        monkeypatch.setattr(place, load)


def compared(**options: Any) -> Any:
    return cg.compare("a", "b", task=cg.tasks.ioi(), **options)


def fingerprinted(**options: Any) -> Any:
    return cg.fingerprint(cg.tasks.ioi(), "a", **options)


def cached(**options: Any) -> Any:
    return Runner(cg.tasks.ioi()).fingerprint("a", **options)


@pytest.mark.usefixtures("_no_model")
@pytest.mark.parametrize("call", [compared, fingerprinted, cached])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"buget": 1}, "no option of .* is named 'buget'; did you mean 'budget'"),
        ({"inteventions": "mean"}, "did you mean 'intervention'"),
        ({"n": 1}, "n = 1 implementations cannot be compared"),
        ({"n": 2.5}, r"n = 2\.5 implementations"),
        ({"budget": 0.01}, r"budget is 0\.01; pass a Budget"),
        ({"gates": {"max_kl": 1}}, r"gates is \{'max_kl': 1\}; pass a Gates"),
        (
            {"finder": object()},
            r"finder is <object .*>, which has no 'name'; pass a name, or an object with name and s",
        ),
        ({"intervention": 3}, "intervention is 3, which has no 'name'; pass a name, or an object with name and replac"),
        ({"finder": "atribution"}, "no finder is named 'atribution'; did you mean 'attribution'"),
        ({"intervention": "men"}, "no intervention is named 'men'; did you mean 'mean'"),
        ({"intervention": []}, "interventions are none; pass one, or several different"),
        ({"intervention": ["mean", Mean()]}, "interventions are mean, mean; pass one, or several different"),
        ({"edits_of": EDITS[:1]}, "edits_of needs at least two edits"),
        ({"edits_of": EDITS, "budget": cg.Budget(kl=0.1)}, "edits_of .* does not go with budget"),
        ({"edits_of": EDITS, "n": 5}, "edits_of has 3 edits, and does not go with n = 5"),
        ({"edits_of": EDITS, "intervention": "mean"}, "the edits to make write what resample gives; pass intervention"),
        ({"circuit": CIRCUIT, "finder": "patching"}, "circuit does not go with finder"),
        ({"circuit": "c.json"}, r"circuit is 'c\.json'; pass a Circuit"),
        ({"circuit": synthetic.fingerprint("a")}, r"circuit is Fingerprint\(.{,60}; pass a Circuit"),
        ({"finder": cg.finders.Attribution}, r"finder is a class; pass an object, Attribution\(\)"),
        ({"finder": Mean()}, r"finder is Mean\(.*, which has no 'scores'"),
        ({"intervention": ["mean", None]}, "intervention is None, which has no 'name'"),
        ({"intervention": Mean}, r"intervention is a class; pass an object, Mean\(\)"),
        ({"edits_of": "a.safetensors"}, r"edits_of is 'a\.safetensors'; pass a Fingerprint"),
        ({"edits_of": [1, 2]}, r"edits_of is \[1, 2\]; pass a Fingerprint"),
        ({"edits_of": 1}, "edits_of is 1; pass a Fingerprint"),
    ],
)
def test_an_option_that_cannot_be_used_is_named_before_any_model_is_loaded(
    call: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        call(**options)
    assert "\n" not in str(error.value) and error.value.exit_code == 2


@pytest.mark.usefixtures("_no_model")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margn": 0.1}, "no option of compare is named 'margn'; did you mean 'margin'"),
        ({"extend": synthetic.fingerprint("a")}, "no option of compare is named 'extend'"),
        ({"distance": "spectrall"}, "did you mean 'spectral'"),
        ({"looks": (8, 16), "n": 9}, "looks set which implementations are used, and do not go with n, folds or paired"),
        ({"looks": (8, 16), "edits_of": EDITS}, "looks .* do not go with edits_of"),
        ({"looks": (8, 16), "budget": cg.Budget(kl=(0.1, 0.2))}, "looks decide on one kind .* pass one KL"),
        ({"looks": (16, 8)}, r"looks are \(16, 8\); pass 2 to 10 increasing whole numbers"),
        ({"looks": "ab"}, "looks are 'ab'; pass 2 to 10"),
        ({"paired": True, "n": 3}, "paired needs at least 4 edits, and n is 3; ask for more"),
        ({"paired": True, "edits_of": EDITS}, "paired needs at least 4 edits, and n is 3"),
        ({"folds": 1}, "folds is 1; pass a whole number of at least 2, or 0 for none"),
        ({"folds": -3}, "folds is -3"),
        ({"folds": "x"}, "folds is 'x'"),
        ({"alpha": 7}, "alpha"),
        ({"margin": 7}, "margin"),
        ({"exten": 1}, r"no option of compare is named 'exten'; known: a, alpha, .*, paired, progress, seed, task$"),
        ({"progres": 1}, r"did you mean 'progress' or 'gates'\?$"),
    ],
)
def test_what_compare_refuses_before_any_model_is_loaded(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compared(**options)
    with pytest.raises(InputError, match="a side that is a model needs a task"):
        cg.compare("a", "b")


@pytest.mark.usefixtures("_no_model")
@pytest.mark.parametrize("task", ["ioi", cg.tasks.IOI, 3])
def test_what_is_no_task_is_refused_before_any_model_is_loaded(task: Any) -> None:
    for call in (cg.fingerprint, cg.discover, lambda task, model: cg.compare(model, model, task=task)):
        with pytest.raises(InputError, match=r"task is .*; pass a task such as congruity\.tasks\.ioi\(\)"):
            call(task, "a")


@pytest.mark.usefixtures("_no_model")
def test_more_that_is_refused_before_any_model_is_loaded() -> None:
    made, task = synthetic.fingerprint("b"), cg.tasks.ioi()
    with pytest.raises(InputError, match="so b must be a model and not a fingerprint"):
        cg.compare("a", made, task=task, paired=True)
    with pytest.raises(InputError, match="extend is 'a'; pass a Fingerprint"):
        fingerprinted(extend="a")
    with pytest.raises(InputError, match="discover: one intervention finds the circuit; pass one"):
        cg.discover(task, "a", intervention=["mean", "zero"])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="x random circuits cannot be drawn"):
        cg.discover(task, "a", n_random="x")  # type: ignore[arg-type]


def test_options_of_models_do_not_go_with_two_fingerprints() -> None:
    sides = synthetic.fingerprint("a"), synthetic.fingerprint("b", seed=1)
    with pytest.raises(InputError, match="budget, n applies to models only, and both sides are fingerprints already"):
        cg.compare(*sides, n=5, budget=cg.Budget())
    with pytest.raises(UnknownNameError, match="'budget'"):
        cg.compare(*sides, buget=1)  # type: ignore[call-arg]


def test_given_stands_apart_from_what_is_in_force() -> None:
    options: FingerprintOptions = {"n": 7, "intervention": ["mean", Resample()], "gates": None}
    made = SamplingRecipe.of("fingerprint", options, seed=3)
    record = made.record(["resample at KL 1: too much"])
    assert record.given == made.given == ("intervention", "n"), "an option that is None was not given"
    assert record.interventions == (Method("mean", {}), Method("resample", {})) and (record.n, record.seed) == (7, 3)
    assert record.budget == cg.Budget() and record.gates == cg.Gates() and record.finder == Method("attribution", {})
    assert made.in_force(capable=False).record().gates == cg.Gates().kl_only() and made.in_force(capable=True) is made
    plain = SamplingRecipe(n=7, seed=3, interventions=made.interventions).record(["resample at KL 1: too much"])
    assert plain == record and plain.given != record.given, "who named a value does not change what was made"
    again = SamplingRecipe.of("fingerprint", {"edits_of": EDITS}).record()
    assert (again.n, again.budget) == (3, None) and again.edits_of is not None
    assert SamplingRecipe.of("compare", {"circuit": CIRCUIT}).record().finder == Method(CIRCUIT.scores.finder, {})


def test_every_option_is_a_typed_key_that_the_recipe_knows() -> None:
    known = set(SamplingRecipe.__dataclass_fields__) | {"intervention"}
    assert set(SamplingOptions.__annotations__) < set(FingerprintOptions.__annotations__) <= known


def test_facts_keep_the_keys_that_reports_and_json_show() -> None:
    facts = SamplingRecipe.of("fingerprint", {"n": 3}).record().facts()
    keys = "finder finder_parameters intervention intervention_parameters n seed budget gates min_accuracy"
    assert {*keys.split(), "unreached", "skipped"} <= set(facts)
    assert facts["budget"]["kl"] == [0.01] and facts["intervention_parameters"] == {"resample": {}}


SCRIPT = """
import sys
import congruity as cg, tiny
side = cg.fingerprint(tiny.LastToken(24), tiny.module_model(tiny.net(strength=0.3)), n=2,
                      budget=cg.Budget(kl=0.005, by="scale"))
assert side.n == 2
light = ("report", "comparison", "inference", "distances", "known", "bench", "evaluation", "cli")
print([name for name in sys.modules if name.startswith(tuple(f"congruity.{one}" for one in light))])
"""


def test_making_a_fingerprint_imports_nothing_of_the_light_half() -> None:
    pytest.importorskip("torch", reason="the light layer runs without PyTorch")
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert found.stdout.strip() == "[]"


def test_the_heavy_half_and_its_values_import_no_pytorch_before_a_model_is_loaded() -> None:
    script = "import sys, congruity.pipeline, congruity.cached, congruity.sampling.weight_copies; print('torch' in sys.modules)"  # noqa: E501
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


# ------------------------------------------------------------------------------------------------------- the driver

ROOT = Path(cg.__file__).parent


def test_three_files_tell_the_program_and_the_driver_only_calls() -> None:
    files = [ROOT / name for name in ("values/__init__.py", "protocols.py", "pipeline.py")]
    assert sum(len(path.read_text().splitlines()) for path in files) <= 550
    tree = ast.parse(files[2].read_text())
    loops = (ast.For, ast.While, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp, ast.BinOp)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, loops) and not in_annotation(node)]
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        assert sum(int(node.end_lineno or 0) - node.lineno + 1 for node in body) <= 60, function.name


def in_annotation(node: ast.AST) -> bool:
    """Whether a node is the ``X | Y`` of an annotation."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)
