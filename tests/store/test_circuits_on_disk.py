"""Circuits as files: exact round trips, what MIB and EAP-IG write, damage, and the finders that need no prompts."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import synthetic
from congruity import finders
from congruity.errors import InputError, StoreError, UnknownNameError
from congruity.finders import Declared, Random
from congruity.store.circuits import Declaration, available, node_name, parse, to_mib
from congruity.values import Circuit, Faithfulness, ModelCard, Scores, Site

CARD = ModelCard("gpt2", "0" * 64, "gpt2", "transformer-lens", 4, 6, 48)
EVIDENCE = Faithfulness(
    3.0, -3.0, 0.9, (0.8, 1.0), 0.1, (0.0, 0.2), (0.1, 0.2), 1 / 3, ((0, 0.0), (28, 1.0)), 0.7, 0.3, 50
)


@dataclasses.dataclass(frozen=True)
class Sited:
    """A model of which only the sites matter."""

    sites: tuple[Site, ...]
    card: ModelCard = CARD


def language_sites(layers: int = 4, heads: int = 6) -> tuple[Site, ...]:
    return synthetic.circuit(layers, heads, np.random.default_rng(0)).scores.sites


def found_in(path: Path, text: str, sites: tuple[Site, ...] | None = None) -> Scores:
    path.write_text(text, encoding="utf-8")
    return Declared(path).scores(Sited(sites or language_sites()), None)  # type: ignore[arg-type]


def top(scores: Scores) -> set[str]:
    assert scores.size is not None
    return {node_name(site) for site in scores.ranked()[: scores.size]}


# ------------------------------------------------------------------------------------------------------ round trip


@given(layers=st.integers(1, 5), heads=st.integers(1, 6), seed=st.integers(0, 2**32), cut=st.floats(0, 1))
@settings(deadline=None, max_examples=30)
def test_what_is_written_is_read_exactly(layers: int, heads: int, seed: int, cut: float) -> None:
    circuit = synthetic.circuit(layers, heads, np.random.default_rng(seed))
    ranked = circuit.scores.ranked()
    size = 1 + int(cut * (len(ranked) - 1))
    inside = tuple(sorted(ranked[:size]))
    circuit = dataclasses.replace(circuit, sites=inside, pool=tuple(sorted(ranked[size:])), evidence=EVIDENCE)
    text = json.dumps(to_mib(circuit, CARD), allow_nan=False)
    said = parse(text, "circuit.json")
    assert set(said.sites) == {node_name(site) for site in inside} and len(said.sites) == size
    values = dict(zip(map(node_name, circuit.scores.sites), circuit.scores.values.tolist(), strict=True))
    assert said.scores == values
    places = {node_name(site): site for site in circuit.scores.sites}
    assert {places[name] for name in said.sites} == set(inside)


def test_a_finder_of_the_file_gives_the_circuit_back(tmp_path: Path) -> None:
    circuit = synthetic.circuit(4, 6, np.random.default_rng(5))
    scores = found_in(tmp_path / "c.json", json.dumps(to_mib(circuit, CARD)))
    assert np.array_equal(scores.values, circuit.scores.values) and scores.sites == circuit.scores.sites
    assert scores.size == len(circuit.sites) and set(scores.ranked()[: scores.size]) == set(circuit.sites)
    assert scores.finder == "declared" and scores.n_prompts == 0 and not scores.standard_errors.any()


def test_a_module_with_sites_of_its_own_round_trips(tmp_path: Path) -> None:
    sites = (Site(0, "module", "input"), Site(1, "head", "blocks.0", 0), Site(1, "head", "blocks.0", 1))
    scores = Scores("attribution", sites, np.array([3.0, -2.0, 0.5]), np.zeros(3), 8)
    circuit = dataclasses.replace(
        synthetic.circuit(1, 1, np.random.default_rng(0)), sites=sites[:2], pool=sites[2:], scores=scores
    )
    data = to_mib(circuit, CARD)
    assert list(data["nodes"]) == ["input", "module:input", "blocks.0[0]", "blocks.0[1]", "logits"]
    back = found_in(tmp_path / "c.json", json.dumps(data), sites)
    assert back.size == 2 and back.values.tolist() == [3.0, -2.0, 0.5]


def test_the_file_has_what_eap_ig_reads() -> None:
    """`Graph.from_json` asserts these keys, makes the graph from ``cfg``, and takes a node without a score as kept."""
    circuit = dataclasses.replace(synthetic.circuit(4, 6, np.random.default_rng(5)), evidence=EVIDENCE)
    data = json.loads(json.dumps(to_mib(circuit, CARD, parallel_attn_mlp=True, settings={"seed": 3})))
    assert set(data) == {"cfg", "nodes", "edges", "congruity"} and data["edges"] == {}
    assert data["cfg"] == {"n_layers": 4, "n_heads": 6, "parallel_attn_mlp": True, "d_model": 48}
    graph = [
        "input",
        *(n for layer in range(4) for n in (*(f"a{layer}.h{h}" for h in range(6)), f"m{layer}")),
        "logits",
    ]
    assert list(data["nodes"]) == graph
    assert all(type(node["in_graph"]) is bool for node in data["nodes"].values())
    assert [n for n in graph if "score" not in data["nodes"][n]] == ["input", "logits"]
    own = data["congruity"]
    assert own["evidence"]["faithfulness"] == 0.9 and own["settings"] == {"seed": 3} and own["schema"] == 1
    assert own["sites"] == [str(site) for site in circuit.sites] and own["model"]["name"] == "gpt2"


# ---------------------------------------------------------------------------------------------------- other writers


def eap_ig(edges: dict[str, Any] | None = None, **nodes: Any) -> str:
    named = {name.replace("_", "."): entry for name, entry in nodes.items()}
    return json.dumps({"cfg": {"n_layers": 4, "n_heads": 6}, "nodes": named, "edges": edges or {}})


def test_node_circuits_of_eap_ig_are_read() -> None:
    text = eap_ig(
        input={"in_graph": True, "score": 9.0},
        a0_h1={"in_graph": True, "score": -2.5},
        m3={"in_graph": True, "score": math.nan},
        a2_h0={"in_graph": False, "score": 1},
        logits={"in_graph": True},
    )
    assert "NaN" in text, "as json.dump writes a node that was not scored"
    assert parse(text, "x") == Declaration(("a0.h1", "m3"), {"a0.h1": -2.5, "a2.h0": 1.0})


def test_nodes_that_are_true_or_false_and_edges_without_a_score_are_read() -> None:
    text = eap_ig({"a0.h1->m3": {"score": None, "in_graph": True}}, input=True, a0_h1=True, m0=False, m3=True)
    assert parse(text, "x") == Declaration(("a0.h1", "m3"), {})
    only = eap_ig({"a0.h1->m3": {"score": None, "in_graph": True}}, input=False, a0_h1=False, m3=False)
    assert parse(only, "x").sites == ("a0.h1", "m3")


def test_a_file_that_ranks_and_names_nothing_is_refused(tmp_path: Path) -> None:
    for text in ('{"sites": ["input", "logits"]}', '{"nodes": {"a0.h1": {"score": 0.0}, "m0": {"score": 0}}}'):
        with pytest.raises(InputError, match=r"c\.json: no circuit: it has neither a site in the circuit \(input and"):
            found_in(tmp_path / "c.json", text)
    assert found_in(tmp_path / "c.json", '{"sites": ["a1.h2"], "scores": {"a1.h2": 0.0}}').size == 1


def test_the_order_within_the_circuit_survives_far_larger_scores_outside(tmp_path: Path) -> None:
    text = '{"sites": ["m0", "a0.h1", "m1"], "scores": {"m0": 1e-10, "a0.h1": -3e-10, "m1": 1e-10, "a1.h1": 1e8}}'
    found = found_in(tmp_path / "c.json", text)
    values = {node_name(site): value for site, value in zip(found.sites, found.values.tolist(), strict=True)}
    assert values["a0.h1"] < -values["m0"] < 0 and values["m0"] == values["m1"] > values["a1.h1"] == 1e8
    assert node_name(found.ranked()[0]) == "a0.h1"


def test_a_node_is_in_where_only_edges_are_and_one_of_its_edges_is() -> None:
    edges = {
        "input->a0.h1<q>": {"score": 0.5, "in_graph": True},
        "a0.h1->m3": {"score": 0.5, "in_graph": True},
        "a2.h0->logits": {"score": 0.1, "in_graph": False},
        "m1->a3.h5<v>": {"score": -3.0, "in_graph": True},
    }
    assert parse(eap_ig(edges, a0_h1={}, m2={}), "x").sites == ("a0.h1", "m3", "m1", "a3.h5")
    assert parse(eap_ig(edges, m2={"in_graph": True}), "x").sites == ("m2",), "nodes that are in the graph decide"


def test_a_list_of_names_is_read_in_both_ways_of_writing(tmp_path: Path) -> None:
    text = '{"sites": ["a1.h2", "blocks.0.hook_mlp_out"], "scores": {"a3.h3": -7, "a1.h2": 0.5}}'
    scores = found_in(tmp_path / "c.json", text)
    values = {node_name(site): value for site, value in zip(scores.sites, scores.values.tolist(), strict=True)}
    assert top(scores) == {"a1.h2", "m0"} and values["a3.h3"] == -7
    assert values["m0"] > values["a1.h2"] > 7, "raised above what is outside, in their order"
    plain = found_in(tmp_path / "c.json", '{"sites": ["a1.h2", "m0"]}')
    assert set(plain.values.tolist()) == {0.0, 1.0} and top(plain) == {"a1.h2", "m0"}


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.booleans()), min_size=28, max_size=28))
@settings(deadline=None, max_examples=50)
def test_whatever_the_scores_the_declared_sites_are_the_top(entries: list[tuple[float, bool]]) -> None:
    import tempfile

    assume(any(value or inside for value, inside in entries))
    sites = language_sites()
    nodes = {node_name(s): {"score": v, "in_graph": i} for s, (v, i) in zip(sites, entries, strict=True)}
    with tempfile.TemporaryDirectory() as folder:
        scores = found_in(Path(folder) / "c.json", json.dumps({"nodes": nodes}))
    inside = {name for name, node in nodes.items() if node["in_graph"]}
    assert scores.size == (len(inside) or None)
    if inside:
        assert top(scores) == inside
    outside = [i for i, site in enumerate(sites) if node_name(site) not in inside]
    assert scores.values[outside].tolist() == [entries[i][0] for i in outside], "scores outside stay as they are"


def test_scores_alone_leave_the_size_open(tmp_path: Path) -> None:
    scores = found_in(tmp_path / "c.json", eap_ig(a0_h1={"in_graph": False, "score": 2.0}, m0={"score": 1.0}))
    assert scores.size is None and [node_name(s) for s in scores.ranked()[:2]] == ["a0.h1", "m0"]


# ---------------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not the JSON of a circuit, or truncated"),
        ('{"nodes": {"a0.h1": {"in_gr', "truncated"),
        ("[" * 100_000, "nested too deeply"),
        ("[1, 2]", "the file is a list of other things than names; expected an object"),
        ('{"edges": {}}', "neither 'nodes', as MIB and EAP-IG write, nor 'sites'"),
        ('{"nodes": ["a0.h1"]}', "'nodes' is a list; expected an object"),
        ('{"nodes": {"a0.h1": 1}}', "node 'a0.h1' is 1; expected an object"),
        ('{"nodes": {"a0.h1": false, "input": true}}', "an empty circuit"),
        ('{"nodes": {"a0.h1": {"in_graph": 1}}}', "node 'a0.h1' has in_graph 1; expected true or false"),
        ('{"nodes": {"a0.h1": {"in_graph": true, "score": "2"}}}', "score of 'a0.h1' is '2'; expected a number"),
        ('{"nodes": {"a0.h1": {"in_graph": true, "score": true}}}', "score of 'a0.h1' is True"),
        ('{"nodes": {"a0.h1": {"in_graph": true, "score": Infinity}}}', "score of 'a0.h1' is not finite"),
        ('{"nodes": {"a0.h1": {"in_graph": true, "score": 1e999}}}', "not finite"),
        ('{"nodes": {"a0.h1": {"score": ' + "9" * 400 + "}}}", "not finite"),
        ('{"nodes": {"a0.h1": {"in_graph": false}}}', "an empty circuit"),
        ('{"sites": []}', "an empty circuit"),
        ('{"nodes": {"m0": {"in_graph": true, "neurons": [true, false]}}}', "with some of its neurons only"),
        ('{"nodes": {}, "edges": {"a0.h1": {"in_graph": true}}}', "edge 'a0.h1' is not written as"),
        ('{"nodes": {}, "edges": {"a0.h1->m1": {"in_graph": "yes"}}}', "edge 'a0.h1->m1' has in_graph 'yes'"),
        ('{"sites": "a0.h1"}', "'sites' is 'a0.h1'; expected a list of names"),
        ('{"sites": ["a0.h1", 3]}', "expected a list of names"),
        ('{"sites": ["a0.h1", "m0", "a0.h1"]}', "'sites' names 'a0.h1' twice"),
        ('{"sites": ["m0"], "scores": [1]}', "'scores' is a list of other things"),
        ('{"nodes": {"m0": {"in_graph": true}, "m0": {"in_graph": false}}}', "'m0' is given twice"),
    ],
)
def test_damage_is_one_sentence_that_names_the_file(text: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as error:
        parse(text, "some/circuit.json")
    assert str(error.value).startswith("some/circuit.json: ") and "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match=r"none\.json: no such circuit file"):
        Declared(tmp_path / "none.json")
    with pytest.raises(StoreError, match="cannot be read"):
        Declared(tmp_path)
    (tmp_path / "c.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match="no UTF-8 text"):
        Declared(tmp_path / "c.json")
    from congruity.finders import declared

    (tmp_path / "c.json").write_text('{"sites": ["m0"]}')
    monkeypatch.setattr(declared, "MAX_CHARACTERS", 5)
    with pytest.raises(StoreError, match="17 bytes are no circuit file"):
        Declared(tmp_path / "c.json")


def test_sites_that_the_model_lacks_are_named_with_those_that_it_has(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gpt2 has no a4\.h0, a0\.h6, m9 and 1 more sites, .* heads a0\.h0 to a3\.h5"):
        found_in(tmp_path / "c.json", '{"sites": ["m0", "a4.h0", "a0.h6", "m9", "x"]}')
    fused = tuple(site for site in language_sites() if site.kind == "mlp")
    with pytest.raises(InputError, match=r"has no a0\.h1, .* it has MLPs m0 to m3 \(layers 0-3\), no heads"):
        found_in(tmp_path / "c.json", '{"sites": ["a0.h1"]}', fused)
    with pytest.raises(InputError, match=r"'a0\.h1' and 'blocks\.0\.attn\.hook_z\[1\]' are one site"):
        found_in(tmp_path / "c.json", '{"sites": ["a0.h1", "blocks.0.attn.hook_z[1]"]}')


def test_available_sites_in_words() -> None:
    sites = language_sites()
    assert available(sites) == "heads a0.h0 to a3.h5 (layers 0-3, heads 0-5), MLPs m0 to m3 (layers 0-3)"
    some = [site for site in sites if site.layer != 2 and site.kind == "head"]
    assert available(some) == "heads a0.h0 to a3.h5 (layers 0-1, 3, heads 0-5), no MLPs"
    assert available([Site(i, "module", f"layer{i}") for i in range(8)]).endswith("layer4, layer5 and 2 more")


# --------------------------------------------------------------------------------------------------------- finders


def test_a_name_that_ends_in_json_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"sites": ["m0"]}')
    finder = finders.by_name(str(tmp_path / "c.json"))
    assert isinstance(finder, Declared) and finder.name == "declared"
    assert finders.by_name("random") == Random()
    with pytest.raises(UnknownNameError, match="did you mean 'random'"):
        finders.by_name("randon")


def test_parameters_are_json_and_know_what_the_file_says_and_not_where_it_lies(tmp_path: Path) -> None:
    for name, text in (("a", '{"sites": ["m0"]}'), ("b", '{ "sites": ["m0"] }'), ("c", '{"sites": ["m1"]}')):
        (tmp_path / f"{name}.json").write_text(text)
    a, b, c = (Declared(tmp_path / f"{name}.json").parameters for name in "abc")
    assert a == b != c and json.loads(json.dumps(a)) == a and a["sites"] == 1


def test_random_scores_depend_on_seed_and_model_alone() -> None:
    model = Sited(language_sites())
    other = Sited(model.sites, dataclasses.replace(CARD, digest="1" * 64))
    first, again, seeded, moved = (
        f.scores(m, None)  # type: ignore[arg-type]
        for f, m in ((Random(), model), (Random(size=3), model), (Random(1), model), (Random(), other))
    )
    assert np.array_equal(first.values, again.values) and (first.size, again.size) == (None, 3)
    assert not np.isin(first.values, [*seeded.values, *moved.values]).any()
    assert first.values.min() > 0 and first.values.max() <= 1 and first.n_prompts == 0
    with pytest.raises(InputError, match="size = 29, but gpt2 has 28 sites"):
        Random(size=29).scores(model, None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="size = 0 sites"):
        Random(size=0)


def test_a_declared_circuit_is_the_circuit_that_is_found(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the light layer runs without PyTorch")
    import congruity as cg
    import tiny

    (tmp_path / "c.json").write_text('{"sites": ["blocks.2[1]", "embed"], "scores": {"blocks.0[0]": 5}}')
    found = cg.discover(tiny.LastToken(n=64), tiny.module_model(), finder=Declared(tmp_path / "c.json"), n_random=3)
    assert isinstance(found, Circuit) and {str(site) for site in found.sites} == {"blocks.2[1]", "embed"}
    drawn = cg.discover(tiny.LastToken(n=64), tiny.module_model(), finder=Random(size=3), n_random=0)
    assert len(drawn.sites) == 3 and drawn.scores.finder == "random"
    assert found.evidence is not None and found.evidence.faithfulness > 0.5
