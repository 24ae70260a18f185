"""Networks against interpretations: shares against exact enumeration, the search, every kind of model, the command."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import tiny
from congruity.cli import app
from congruity.errors import CongruityError, InputError, ModelError, TaskError
from congruity.evaluation import Interpretation, Prompts, evaluate, interpretation_json, read_interpretation
from congruity.interventions import Resample
from congruity.known import nearest
from congruity.known.algorithms import by_name
from congruity.known.nearest import distances_to_known
from congruity.known.networks.causal import causal_network
from congruity.known.zoo.layout import Shape
from congruity.known.zoo.model import zoo_network
from congruity.known.zoo.network import Networks
from congruity.known.zoo.reading import responses
from congruity.models import TorchModule
from congruity.theory import CausalModel
from congruity.theory.abstraction import abstraction_error
from congruity.theory.alignment import Alignment
from congruity.theory.queries import Interchanges
from congruity.theory.tables import to_json
from congruity.values import Edit, Examples, Interchange

LETTERS = dict.fromkeys("abc", (0, 1, 2))


def low() -> CausalModel:
    """(a + b + c) mod 3 by a sum, beside other variables."""
    return CausalModel(
        LETTERS,
        {
            "first": lambda a, b: (a + b) % 3,
            "aside": lambda b, c: (b * c) % 3,
            "twice": lambda first: (2 * first) % 3,
            "total": lambda first, c: (first + c) % 3,
        },
        ("total",),
    )


def high(first: str = "ab") -> CausalModel:
    (last,) = set("abc") - set(first)
    mechanisms: dict[str, Any] = {
        "m": (tuple(first), lambda x, y: (x + y) % 3),
        "out": (("m", last), lambda m, z: (m + z) % 3),
    }
    return CausalModel(LETTERS, mechanisms, ("out",))


def network(model: CausalModel | None = None, *, leak: float = 0.0) -> TorchModule:
    return causal_network(model or low(), name="net", leak=leak)


def bound(model: Any, base: Any, source: Any) -> Any:
    nothing, ids = np.zeros(len(base), dtype=int), tuple(map(str, range(len(base))))
    return model.bind(Examples("pairs", base, source, nothing, nothing, ids), Resample())


@pytest.mark.parametrize(
    ("first", "place", "exact"), [("ab", "first", 1.0), ("ab", "aside", None), ("bc", "first", None)]
)
def test_shares_are_those_of_all_interchanges_within_their_intervals(
    first: str, place: str, exact: float | None
) -> None:
    model = high(first)
    found = evaluate(network(), Interpretation("sum", model, {"m": (f"nodes.{place}",)}), pairs=2000, n_random=3)
    # The output is no cell here: only the answer is compared, so its error is that of the output alone.
    alignment = Alignment({"m": (place,), "out": ("total",)})
    queries = Interchanges.every(model, sets=[("m",)])
    swapped = queries.swapped["m"]
    every = abstraction_error(low(), model, alignment, queries, metric=lambda a, b: (a["out"] != b["out"]) * 1.0)
    shares = []
    for mask in (swapped, swapped & _changes(model, queries)):
        rows = np.flatnonzero(mask)
        some = Interchanges(
            *({k: v[rows] for k, v in part.items()} for part in (queries.base, queries.source, queries.swapped))
        )
        shares.append(
            1 - abstraction_error(low(), model, alignment, some, metric=lambda a, b: (a["out"] != b["out"]) * 1.0).mean
        )
    assert every.mean * len(queries) == pytest.approx((1 - shares[0]) * swapped.sum()), "plain runs have no error"
    for share, truth in zip((found.interchange_accuracy, found.effective), shares, strict=True):
        assert share.low is not None and share.high is not None
        assert share.low <= truth <= share.high and share.of == 2000
    assert found.accuracy.value == 1.0 and (exact is None or found.effective.value == exact)


def _changes(model: CausalModel, queries: Interchanges) -> Any:
    plain, edited = model.solve(queries.base), queries.run(model, queries.swapped)
    return plain["out"] != edited["out"]


def test_the_search_finds_where_a_variable_is_and_random_alignments_are_worse() -> None:
    found = evaluate(network(), Interpretation("sum", high()), pairs=300, n_random=30, seed=1)
    assert found.found and found.cells == {"m": ("nodes.first",)} and found.effective.value == 1.0
    assert min(found.random) < 0.5 and found.p_random is None, "the best of all places beats random ones anyway"
    given = evaluate(network(), Interpretation("sum", high(), {"m": ("nodes.first",)}), pairs=300, n_random=30, seed=1)
    assert given.p_random is not None and 1 / 31 <= given.p_random <= 1
    other = evaluate(network(), Interpretation("other sum", high("bc")), pairs=300, n_random=0)
    assert other.effective.value is not None and other.effective.value < 0.7


def test_the_order_in_which_an_alignment_is_written_does_not_matter() -> None:
    model = CausalModel(
        LETTERS,
        {"m": lambda a: a, "d": lambda b: b, "out": lambda m, d, c: (m + 2 * d + c) % 3},
        ("out",),
    )
    net = network(model)
    cells = {"m": ("nodes.m",), "d": ("nodes.d",)}
    one, two = (
        evaluate(net, Interpretation("x", model, dict(part)), pairs=60, n_random=4)
        for part in (cells.items(), reversed(cells.items()))
    )
    assert one == two and one.effective.value == one.joint.value == 1.0
    wrong = evaluate(net, Interpretation("x", model, {"m": ("nodes.d",), "d": ("nodes.m",)}), pairs=60, n_random=0)
    assert wrong.effective.value is not None and wrong.effective.value < 0.7


def test_a_share_of_all_inputs_is_exact() -> None:
    found = evaluate(network(), Interpretation("x", high(), {"m": ("nodes.first",)}), pairs=20, n_random=0)
    assert (found.accuracy.of, found.accuracy.low, found.accuracy.high) == (27, 1.0, 1.0)


def test_variables_that_change_nothing_are_named_and_sets_need_two() -> None:
    model = CausalModel(
        LETTERS,
        {"m": lambda a, b: (a + b) % 3, "idle": lambda c: c, "out": lambda m, c: (m + c) % 3},
        ("out",),
    )
    found = evaluate(network(), Interpretation("idle", model), pairs=40, n_random=2)
    assert found.no_effect == ("idle",) and found.by_variable["idle"].of == 0
    assert found.joint.of == 40
    alone = evaluate(network(), Interpretation("sum", high()), pairs=40, n_random=0)
    assert alone.joint.of == 0 and alone.joint.value is None


def test_same_seed_same_result() -> None:
    one, two, other = (evaluate(network(), Interpretation("s", high()), pairs=50, seed=s) for s in (0, 0, 1))
    assert one == two and one.random != other.random


@pytest.mark.parametrize("leak", [0.0, 0.3])
def test_an_interchange_of_a_network_is_that_of_the_causal_model_that_it_was_made_from(leak: float) -> None:
    model = low()
    rng = np.random.default_rng(0)
    base, source = rng.integers(0, 3, size=(2, 50, 3))
    net = bound(network(model, leak=leak), base, source)
    names = [str(location) for location in net.locations]
    assert names == [f"nodes.{name}" for name in model.inner]
    where = rng.random((50, len(names))) < 0.5
    values = [dict(zip(model.inputs, part.T, strict=True)) for part in (base, source)]
    solved = model.interchange(*values, model.inner, where=dict(zip(model.inner, where.T, strict=True)))
    (out,) = net.run([Interchange(net.locations, where)], answers=True)
    np.testing.assert_allclose(out.answers.sum(axis=2), 1)
    if not leak:
        assert np.array_equal(out.answers[:, 0].argmax(axis=1), solved["total"])
    one = [np.eye(3)[solved[name]] for name in model.variables]
    leaks = [network(model, leak=leak)._module.get_buffer(f"leak_{name}").numpy() for name in model.variables]
    logits = sum(part @ leak for part, leak in zip(one, leaks, strict=True)) + 4.0 * np.eye(3)[solved["total"]]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(out.answers[:, 0], expected, atol=1e-12)


def test_interchanging_all_of_the_embedding_gives_the_answer_on_the_source() -> None:
    torch.manual_seed(0)
    embed = torch.nn.Embedding(3, 4)
    net = torch.nn.Sequential(embed, torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
    model = TorchModule(net, edits={"0": 2}, reads=["0"], name="net")
    base, source = np.random.default_rng(0).integers(0, 3, size=(2, 900, 3))
    pair = bound(model, base, source)
    assert [str(one) for one in pair.locations] == ["0[0]@0", "0[0]@1", "0[0]@2", "0[1]@0", "0[1]@1", "0[1]@2"]
    (every,) = pair.run([Edit(model.sites, "resample")], answers=True)
    (plain,) = bound(model, source, source).run([None], answers=True)
    np.testing.assert_allclose(every.answers, plain.answers, atol=1e-6)
    half = np.tile([True, True, True, False, False, False], (900, 1))
    (given,) = pair.run([Interchange(pair.locations, half)], answers=True)
    mixed = torch.cat([embed(torch.tensor(source))[..., :2], embed(torch.tensor(base))[..., 2:]], dim=-1)
    np.testing.assert_allclose(given.answers, net[1:](mixed).softmax(-1).detach().numpy(), atol=1e-6)


def test_a_network_of_a_zoo_is_interchanged_as_the_benchmark_reads_it() -> None:
    many = Networks([0, 1], Shape(3, 16, 2, 4, 24), vocabulary=4, length=4, classes=3, answers=range(1, 5))
    rng = np.random.default_rng(0)
    base, source = rng.integers(0, 4, size=(2, 30, 4))
    known = responses(many.only([1]), base, source, whole_parts=False)[0]
    one = bound(zoo_network(many.only([1]), "one"), base, source)
    assert len(one.locations) == len(known) == 3 * 3 * 5 and str(one.locations[-1]) == "blocks.2.mlp@4"
    everywhere = np.ones((30, 1), dtype=bool)
    edits = [Interchange((location,), everywhere) for location in one.locations]
    (plain,) = one.run([None], answers=True)
    for given, expected in zip(one.run(edits, answers=True), known, strict=True):
        np.testing.assert_allclose((given.answers - plain.answers).reshape(-1), expected, atol=1e-6)
    with pytest.raises(InputError, match="2 networks at once"):
        zoo_network(many, "two")


def test_compiled_parity_is_parity_exactly_and_not_counting() -> None:
    pytest.importorskip("tracr")
    from congruity.known.networks.compiled import compiled_network
    from congruity.known.networks.tracr import compiled

    module = compiled_network(compiled("permutation", "parity", 5), "compiled")
    family = by_name("permutation")
    same, other = (
        evaluate(module, Interpretation(name, family.algorithm(name).causal(5)), pairs=100, n_random=3)
        for name in ("parity", "count")
    )
    assert same.effective.value == same.joint.value == 1.0 and max(same.random) < 0.5
    assert other.effective.value is not None and other.effective.value < 0.7
    rows = distances_to_known(module, "permutation")
    assert {row["algorithm"] for row in rows[:2]} <= {"parity", "difference", "index"}
    assert rows[-1]["algorithm"] == "repeat" and [row["networks"] for row in rows].count(12) == 4
    assert all(row["least"] <= row["most"] and 0 < row["at most"] <= 1 for row in rows)
    assert distances_to_known(network(), "sorting") is None, "no networks of this family come with the package"


def test_an_interpretation_survives_json_and_a_causal_model_alone_is_one_to_be_found() -> None:
    one = Interpretation("x", high(), {"m": ("nodes.first",)})
    again = read_interpretation(interpretation_json(one), "x")
    assert again.cells == one.cells and to_json(again.model) == to_json(one.model)
    assert read_interpretation(interpretation_json(dataclasses.replace(one, cells=None)), "x").cells is None
    assert read_interpretation(to_json(high()), "x").cells is None
    written = interpretation_json(Interpretation("x", READS_LAST, prompts=PROMPTS))
    assert read_interpretation(written, "x").prompts == PROMPTS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alignment": 3}, '"alignment" must be "find"'),
        ({"alignment": {"m": "nodes.first"}}, '"alignment" must be "find"'),
        ({"prompts": 3}, '"prompts" must be an object with a "template"'),
        ({"prompts": {"template": "x", "words": {"a": 3}}}, '"prompts" must be an object with a "template"'),
        ({"version": 2}, 'reads "version": 1'),
        ({"model": {}}, 'must say "kind": "congruity causal model"'),
        ({"kind": "other"}, 'must say "kind": "congruity causal model"'),
    ],
)
def test_json_that_is_no_interpretation_is_refused(changes: Any, message: str) -> None:
    data = json.loads(interpretation_json(Interpretation("x", high()))) | changes
    with pytest.raises(InputError, match=message):
        read_interpretation(json.dumps(data), "x.json")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({}, "the alignment and the inner variables differ in m"),
        ({"m": ("nodes.first",), "q": ("nodes.aside",)}, "differ in q"),
        ({"m": ("nodes.zzz",)}, "has no location 'nodes.zzz'; it has 3, such as nodes.first"),
        ({"m": ()}, "cell of m is empty"),
        ({"m": ("nodes.first", "nodes.first")}, "cells overlap"),
    ],
)
def test_an_alignment_that_does_not_fit_is_refused(cells: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(network(), Interpretation("x", high(), cells))


def test_what_cannot_be_evaluated_is_refused() -> None:
    plain = CausalModel(LETTERS, {"out": lambda a, b: (a + b) % 3}, ("out",))
    with pytest.raises(InputError, match="no variable between inputs and outputs"):
        evaluate(network(), Interpretation("x", plain))
    with pytest.raises(InputError, match="9 pairs and 99 random alignments; ask for at least 10 and 0"):
        evaluate(network(), Interpretation("x", high()), pairs=9)
    wide = CausalModel(LETTERS, {"m": lambda a: a, "out": lambda m, b, c: m + b + c}, ("out",))
    with pytest.raises(InputError, match="1 answers of 3 classes; the interpretation has 1 outputs of up to 7 values"):
        evaluate(network(), Interpretation("x", wide))
    idle = CausalModel(LETTERS, {"m": lambda a: a, "out": lambda m, b: (0 * m + b) % 3}, ("out",))
    with pytest.raises(InputError, match="no interchange of one variable changes"):
        evaluate(network(), Interpretation("x", idle))
    many = CausalModel(
        LETTERS, {f"m{i}": lambda a: a for i in range(4)} | {"out": lambda m0, b: (m0 + b) % 3}, ("out",)
    )
    with pytest.raises(InputError, match="3 locations for 4 variables"):
        evaluate(network(), Interpretation("x", many))


class Bad(torch.nn.Module):
    def __init__(self, given: Any) -> None:
        super().__init__()
        self.net, self.given = torch.nn.Embedding(3, 4), given

    def forward(self, x: Any) -> Any:
        return self.given(self.net(x))


def _fails(x: Any) -> Any:
    raise AssertionError("no reason")


@pytest.mark.parametrize(
    ("given", "heads", "message"),
    [
        (lambda x: x, 3, "net has width 4, which 3 heads do not divide"),
        (_fails, 1, r"does not run on integers \(1, 3\): AssertionError: no reason"),
        (lambda x: (x, x), 1, "the module returned tuple"),
        (lambda x: x[:, :, None], 1, r"returned \(1, 3, 1, 4\) for 1 rows"),
        (lambda x: x * float("nan"), 1, "NaN or infinity"),
    ],
)
def test_modules_that_cannot_be_evaluated_are_refused(given: Any, heads: int, message: str) -> None:
    model = TorchModule(Bad(given), edits={"net": heads}, reads=["net"], name="bad")
    with pytest.raises(ModelError, match=message):
        evaluate(model, Interpretation("x", high()))


# ------------------------------------------------------------------------------------------------- language models


PLACES = (*tiny.PLACES[:3],)
READS_LAST = CausalModel(
    {"who": (0, 1, 2), "where": (0, 1, 2)},
    {"kept": lambda where: where, "out": lambda kept, who: (kept + 0 * who) % 3},
    ("out",),
)
PROMPTS = Prompts(
    "{who} went to the {where}",
    {"who": tiny.NAMES[:3], "where": PLACES, "out": tuple(f" {word}" for word in PLACES)},
)


def test_a_language_model_is_evaluated_on_the_prompts_of_the_interpretation() -> None:
    """The last position of the last layer holds the answer; its first position holds nothing of the last word."""
    _, model = tiny.pair("llama")
    found = evaluate(model, Interpretation("kept", READS_LAST, prompts=PROMPTS), pairs=20, n_random=3)
    assert found.network == model.card.name and found.accuracy.of == 9
    (location,) = found.cells["kept"]
    assert location.rpartition("@")[0] in {str(site) for site in model.sites}
    last = evaluate(
        model, Interpretation("kept", READS_LAST, {"kept": (location,)}, PROMPTS), pairs=20, n_random=0, sites=()
    )
    assert 0 <= last.effective.value <= 1 and last.effective.of == 20
    some = evaluate(
        model, Interpretation("kept", READS_LAST, prompts=PROMPTS), pairs=20, n_random=2, sites=[str(model.sites[-1])]
    )
    assert some.cells["kept"][0].startswith(str(model.sites[-1]))


def test_the_shares_of_a_language_model_are_those_of_its_own_forward_passes() -> None:
    """Oracle: every pair alone, the MLP's output written by a hook of the plain model, the three words compared."""
    plain, model = tiny.pair("llama")
    mlp = next(site for site in model.sites if site.kind == "mlp" and site.layer == 1)
    position = len(model.tokens(PROMPTS.template.format(who=tiny.NAMES[0], where=PLACES[0]))) - 1
    one = Interpretation("kept", READS_LAST, {"kept": (f"{mlp}@{position}",)}, PROMPTS)
    found = evaluate(model, one, pairs=200, n_random=0)
    words = [tiny.VOCABULARY[word] for word in PLACES]

    def logits(who: int, where: int, write: Any = None) -> Any:
        text = PROMPTS.template.format(who=tiny.NAMES[who], where=PLACES[where])
        seen: list[Any] = []

        def hook(module: Any, given: Any, output: Any) -> Any:
            seen.append(output.clone())
            if write is not None:
                output = output.clone()
                output[:, -1] = write[:, -1]
            return output

        handle = plain.model.layers[1].mlp.register_forward_hook(hook)
        with torch.no_grad():
            given = plain(input_ids=torch.tensor([model.tokens(text)])).logits[0, -1, words]
        handle.remove()
        return given, seen[0]

    shares = {False: [], True: []}
    for base in np.ndindex(3, 3):
        assert (found.accuracy.value is not None) and 0 <= found.accuracy.value <= 1
        for source in np.ndindex(3, 3):
            given = int(logits(*base, write=logits(*source)[1])[0].argmax())
            shares[base[1] != source[1]].append(given == source[1])
    accuracy = np.mean([int(logits(*base)[0].argmax()) == base[1] for base in np.ndindex(3, 3)])
    assert found.accuracy.value == pytest.approx(accuracy)
    low_, high_ = found.effective.low, found.effective.high
    assert low_ is not None and high_ is not None and low_ <= np.mean(shares[True]) <= high_


def test_a_language_model_without_prompts_is_refused_in_one_sentence() -> None:
    _, model = tiny.pair("llama")
    with pytest.raises(InputError, match="needs text prompts, not arrays; give the interpretation prompts"):
        evaluate(model, Interpretation("kept", READS_LAST))
    with pytest.raises(TaskError, match="needs arrays of inputs"):
        evaluate(network(), Interpretation("sum", high(), prompts=Prompts("{a} {b} {c}")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"template": "{who} went"}, "the template and the inputs differ in 'where'; name each of who, where"),
        ({"template": "{who} {where} {out}"}, "differ in 'out'"),
        ({"words": {"zzz": ("a",)}}, "words for 'zzz', which is no input or output"),
        ({"words": {"who": ("a", "b")}}, "who has 3 values and the words 'a', 'b'"),
        ({"words": {"out": (" a", " a", " b")}}, "give each value a word of its own"),
    ],
)
def test_prompts_that_do_not_fit_are_refused(changes: Any, message: str) -> None:
    _, model = tiny.pair("llama")
    with pytest.raises(InputError, match=message):
        evaluate(model, Interpretation("kept", READS_LAST, prompts=dataclasses.replace(PROMPTS, **changes)))


def test_an_answer_of_several_tokens_is_refused() -> None:
    _, model = tiny.pair("llama")
    words = dict(PROMPTS.words) | {"out": (" the store", " school", " park")}
    with pytest.raises(TaskError, match=r"' the store' is 2 tokens|unknown to the tokenizer"):
        evaluate(model, Interpretation("kept", READS_LAST, prompts=Prompts(PROMPTS.template, words)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.json").write_text(to_json(low()), encoding="utf-8")
    one = Interpretation("sum", high(), {"m": ("nodes.first",)})
    (tmp_path / "sum.json").write_text(interpretation_json(one), encoding="utf-8")
    (tmp_path / "find.json").write_text(interpretation_json(dataclasses.replace(one, cells=None)), encoding="utf-8")
    turned = {"a": (0, 2, 1), "b": (0, 1, 2), "c": (0, 1, 2)}
    turned_model = CausalModel(turned, low().mechanisms, ("total",))
    (tmp_path / "turned.json").write_text(to_json(turned_model), encoding="utf-8")
    odd = CausalModel(
        LETTERS,
        {"u.v": (("a", "b"), lambda a, b: (a + b) % 3), "values": (("u.v", "c"), lambda u, c: (u + c) % 3)},
        ("values",),
    )
    (tmp_path / "odd.json").write_text(to_json(odd), encoding="utf-8")
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "def net():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Embedding(3, 4), torch.nn.Linear(4, 3))\n"
        "word = 'no module'\n"
        "def model():\n"
        "    from congruity import TorchModule\n"
        "    return TorchModule(net(), edits={'0': 2}, reads=['0'], name='mine')\n"
        "class Two(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.part = torch.nn.Identity()\n"
        "    def forward(self, x):\n"
        "        return x, x\n"
        "class Bad(Two):\n"
        "    def forward(self, x):\n"
        "        assert False, 'no reason'\n"
        "def needs(size):\n"
        "    return net()\n",
        encoding="utf-8",
    )
    return tmp_path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments), "--quiet"])


def test_the_command_prints_a_table_or_json(folder: Path) -> None:
    few = ("--pairs", 60, "--random", 9)
    shown = run(folder / "net.json", "--against", folder / "sum.json", *few)
    assert shown.exit_code == 0 and "m at nodes.first" in shown.output and "Alignment: as given" in shown.output
    found = json.loads(run(folder / "net.json", "--against", folder / "sum.json", *few, "--json").output)
    assert (
        found["changing"]["value"] == found["effective"]["value"] == 1.0
        and found["implementations"] is None
        and len(found["random"]) == 9
    )
    own = run(f"{folder}/mine.py:net", "--site", "0:2", "--against", folder / "sum.json", *few)
    assert isinstance(own.exception, InputError) and "has no location 'nodes.first'" in str(own.exception)


@pytest.mark.parametrize(
    ("name", "message"), [("Two", "the module returned tuple"), ("Bad", "does not run on integers (1, 3): Assert")]
)
def test_modules_of_ones_own_that_fail_are_named(folder: Path, name: str, message: str) -> None:
    found = run(f"{folder}/mine.py:{name}", "--site", "0", "--against", folder / "sum.json")
    assert isinstance(found.exception, InputError) and "no submodule is called '0'" in str(found.exception)
    found = run(f"{folder}/mine.py:{name}", "--site", "part", "--against", folder / "sum.json")
    assert isinstance(found.exception, ModelError) and message in str(found.exception)


def test_a_model_that_a_file_makes_is_evaluated_as_it_is(folder: Path) -> None:
    few = ("--pairs", 30, "--random", 2, "--json")
    one = json.loads(run(f"{folder}/mine.py:model", "--against", folder / "find.json", *few).output)
    two = json.loads(run(f"{folder}/mine.py:net", "--site", "0:2", "--against", folder / "find.json", *few).output)
    assert one | {"network": ""} == two | {"network": ""} and one["cells"]["m"][0].startswith("0[")


def test_names_that_pytorch_does_not_allow_are_names_of_variables_all_the_same(folder: Path) -> None:
    found = run(folder / "odd.json", "--against", folder / "odd.json", "--pairs", 30, "--random", 0, "--json")
    assert json.loads(found.output)["cells"] == {"u.v": ["nodes.u_v"]}


@pytest.mark.parametrize(
    ("model", "against", "message"),
    [
        ("net.json", "none.json", "a .json file that is there"),
        ("net.json", "rasp:permutation", "a RASP interpretation is rasp:FAMILY/ALGORITHM"),
        ("net.json", "rasp:permutation/zzz", "no algorithm of permutation is named 'zzz'"),
        ("net.json", "rasp:permutation/parity", "its inputs are a, b, c, not those of the interpretation"),
        ("zoo:smoke", "sum.json", "a network of a zoo is zoo:PRESET/WAY/NETWORK"),
        ("zoo:smoke/values/x", "sum.json", "no network of smoke, values is trained; do: congruity zoo train smoke"),
        ("gpt2", "sum.json", "a network is zoo:PRESET"),
        ("mine.py:net", "sum.json", "name the submodules that may be interchanged with --site; there are 0, 1"),
        ("mine.py:word", "sum.json", "is no PyTorch module"),
        ("none.py:net", "sum.json", "there is no file"),
        ("turned.json", "sum.json", "a takes 0, 2, 1, the interpretation's a 0, 1, 2; list the same values"),
        ("mine.py:needs", "sum.json", "needs() fails: TypeError"),
    ],
)
def test_the_command_refuses_in_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, model: str, against: str, message: str
) -> None:
    monkeypatch.setenv("CONGRUITY_CACHE", str(folder / "cache"))
    monkeypatch.chdir(folder)
    found = run(model, "--against", against)
    assert isinstance(found.exception, CongruityError) and message in str(found.exception)


def test_the_command_of_the_readme_runs_and_tells_parity_from_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tracr")
    monkeypatch.setattr(nearest, "_MOST", 40)
    few = ("--pairs", 40, "--random", 3, "--json")
    found = json.loads(run("rasp:permutation/parity", "--against", "rasp:permutation/count", *few).output)
    assert found["accuracy"]["value"] == 1.0 and found["changing"]["value"] < 0.8
    assert {row["algorithm"] for row in found["implementations"]} >= {"parity", "count"}


def test_the_benchmark_of_the_theory_prints_every_claim() -> None:
    found = CliRunner().invoke(app, ["bench", "theory", "--small", "--quiet"])
    assert found.exit_code == 0 and "T4(d) total variation" in found.output
