"""Finite causal models against brute force: abstraction, implementation sets, chains, tables, exact congruity."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import directed_hausdorff

import congruity as cg
from congruity.bench.theorems import enumeration
from congruity.errors import InputError
from congruity.theory import CausalModel, bounds, equivalence, interpretation
from congruity.theory.abstraction import Conflict, abstraction_error, forced, largest_difference, zero_one
from congruity.theory.alignment import Alignment
from congruity.theory.chain import Chain, column_norm, link
from congruity.theory.circuits import Circuits
from congruity.theory.interpretation import every_alignment, implementations
from congruity.theory.queries import HardInterventions, Interchanges
from congruity.theory.tables import domains, from_json, tabulated, to_json

BITS = {"a": (0, 1), "b": (0, 1)}
HALF_ADDER = CausalModel(
    BITS, {"carry": lambda a, b: a & b, "sum": lambda a, b: a ^ b, "n": lambda carry, sum: 2 * carry + sum}, ("n",)
)
seeds = st.integers(0, 2**32 - 1)
draws = settings(max_examples=40, deadline=None, derandomize=True)


def random_model(rng: np.random.Generator, nodes: int = 3, size: int = 2) -> CausalModel:
    """Two inputs, and nodes that look up random entries for up to two parents."""
    names, mechanisms = ["a", "b"], {}
    for i in range(nodes):
        parents = tuple(str(p) for p in rng.choice(names, size=min(len(names), 2), replace=False))
        entries = rng.integers(0, size, size=(4, 4))
        mechanisms[f"v{i}"] = (parents, lambda x, y, of=entries: of[np.asarray(x) % 4, np.asarray(y) % 4])
        names.append(f"v{i}")
    return CausalModel(BITS, mechanisms, (names[-1],))


# Tables and JSON


@draws
@given(seeds)
def test_a_model_as_json_solves_as_before_with_and_without_interventions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng, size=3)
    again = from_json(to_json(model))
    inputs = model.every_input()
    allowed = domains(model)
    do = {name: rng.choice(allowed[name], size=4) for name in model.variables[:-1] if rng.random() < 0.5}
    before, after = model.solve(inputs, do=do), again.solve(inputs, do=do)
    assert all((before[name] == after[name]).all() for name in before)
    assert json.loads(to_json(again)) == json.loads(to_json(model))


def test_domains_are_what_mechanisms_can_give_under_any_intervention() -> None:
    found = domains(HALF_ADDER)
    assert found["carry"] == found["sum"] == (0, 1)
    assert found["n"] == (0, 1, 2, 3), "carry and sum are never both 1, but an intervention may make them so"


def test_words_and_truth_values_survive_json() -> None:
    model = CausalModel(
        {"word": ("red", "blue")},
        {"warm": lambda word: word == "red", "said": lambda warm: np.where(warm, "hot", "cold")},
        ("said",),
    )
    assert from_json(to_json(model)).solve({"word": ["red", "blue"]})["said"].tolist() == ["hot", "cold"]


def _changed(**changes: Any) -> str:
    return json.dumps(json.loads(to_json(HALF_ADDER)) | changes)


def _variable(**changes: Any) -> str:
    data = json.loads(to_json(HALF_ADDER))
    data["variables"]["sum"] |= changes
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ("[]", '"kind": "congruity causal model"'),
        (_changed(version=9), '"version": 1'),
        (_changed(inputs=None), 'needs "inputs", an object'),
        (_changed(outputs="n"), "the model needs outputs, a list"),
        (_changed(outputs=["z"]), "z is no variable"),
        (_variable(parents=["a", "z"]), "sum depends on 'z', which the JSON does not define"),
        (_variable(table=[0, 1]), "table of sum has 2 entries; its parents take 4"),
        (_variable(table=[0, 1, 1, 7]), "table of sum holds 7, which is outside its values"),
        (_variable(values=None), "sum needs values, a list"),
        (_variable(tabel=[0]), "sum has 'tabel' in the JSON, which means nothing"),
        (_changed(output=["n"]), "the model has 'output' in the JSON"),
        (to_json(HALF_ADDER).replace('"outputs"', '"inputs"'), "'inputs' twice in one object"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "no JSON"),
        (_variable(parents=["n", "a"], table=[0] * 8), "in a circle"),
    ],
)
def test_json_that_is_no_model_is_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_json(text)


def test_a_real_input_and_a_huge_table_are_refused() -> None:
    with pytest.raises(InputError, match="x is a real number"):
        to_json(CausalModel({"x": None}, {"y": lambda x: x}, ("y",)))
    wide = CausalModel(dict.fromkeys("abcd", range(40)), {"y": lambda a, b, c, d: a + b + c + d}, ("y",))
    with pytest.raises(InputError, match="table of y has 2,560,000 entries"):
        tabulated(wide)


def test_a_value_outside_a_declared_domain_is_refused() -> None:
    model = CausalModel(BITS, {"y": lambda a, b: a + b}, ("y",), domains={"y": (0, 1)})
    with pytest.raises(InputError, match="y = 2 is outside its 2 values"):
        model.solve(model.every_input())
    with pytest.raises(InputError, match="y = 5 is outside"):
        model.solve({"a": 0, "b": 0}, do={"y": 5})
    with pytest.raises(InputError, match="a domain is given for z"):
        CausalModel(BITS, {"y": lambda a: a}, ("y",), domains={"z": (0,)})


# Alignments and abstraction


def brute_error(low: CausalModel, high: CausalModel, alignment: Alignment, queries: Interchanges) -> list[bool]:
    """One query at a time, with plain values."""
    wrong = []
    for q in range(len(queries)):
        base = {name: values[q] for name, values in queries.base.items()}
        source = {name: values[q] for name, values in queries.source.items()}
        names = [name for name, mask in queries.swapped.items() if mask[q]]
        above = high.solve(base, do={n: high.solve(source)[n] for n in names})
        parts = [part for name in names for part in alignment.cells[name]]
        below = low.solve(base, do={p: low.solve(source)[p] for p in parts})
        read = alignment.read(below)
        wrong.append(any(read[name][0] != above[name][0] for name in alignment.cells))
    return wrong


@draws
@given(seeds)
def test_the_error_of_an_alignment_is_that_of_one_query_at_a_time(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = random_model(rng), random_model(rng, nodes=2)
    entries = rng.integers(0, 2, size=(2, 2))
    alignment = Alignment({"v0": ("v1", "v0"), "v1": ("v2",)}, {"v0": lambda x, y: entries[x, y]})
    queries = Interchanges.every(high)
    found = abstraction_error(low, high, alignment, queries)
    wrong = brute_error(low, high, alignment, queries)
    assert found.mean == pytest.approx(np.mean(wrong)) and found.sup == float(any(wrong))
    assert found.root_mean_square == pytest.approx(np.sqrt(np.mean(wrong))) and found.queries == len(wrong)
    assert found.exact is not any(wrong)
    if found.counterexample is not None:
        assert found.counterexample.query == queries.described(wrong.index(True))
        assert found.counterexample.found != found.counterexample.expected
        assert str(found.counterexample.found) in str(found.counterexample)


@draws
@given(seeds)
def test_a_forced_map_exists_where_brute_force_over_all_maps_finds_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = random_model(rng), random_model(rng, nodes=2)
    cells = {"v0": ("v0", "v1"), "v1": ("v2",)}
    queries = Interchanges.every(high)
    found = forced(low, high, cells, queries)
    exact = []
    for bits in itertools.product((0, 1), repeat=6):
        first, second = np.array(bits[:4]).reshape(2, 2), np.array(bits[4:])
        maps = {"v0": lambda x, y, of=first: of[x, y], "v1": lambda x, of=second: of[x]}
        exact.append(abstraction_error(low, high, Alignment(cells, maps), queries).exact)
    if isinstance(found, Conflict):
        assert not any(exact) and found.values[0] != found.values[1]
        assert found.variable in str(found)
    else:
        assert any(exact) and abstraction_error(low, high, found, queries).exact


def test_a_chain_and_a_fork_differ_only_under_intervention() -> None:
    chain = CausalModel({"x": (0, 1)}, {"v1": lambda x: x, "v2": lambda v1: v1}, ("v2",))
    fork = CausalModel({"x": (0, 1)}, {"v1": lambda x: x, "v2": lambda x: x}, ("v2",))
    same = Alignment({"v1": ("v1",), "v2": ("v2",)})
    assert abstraction_error(chain, fork, same, Interchanges.plain(fork)).exact
    found = abstraction_error(chain, fork, same, Interchanges.every(fork, sets=[("v1",)]))
    assert found.mean == pytest.approx(2 / 6), "two plain runs, four swaps, of which two change v1"
    assert found.counterexample is not None and found.counterexample.variable == "v2"
    assert found.counterexample.query == {"base": {"x": 0}, "swapped": ["v1"], "source": {"x": 1}}


def test_setting_cells_reaches_states_that_no_input_brings_about() -> None:
    low = CausalModel(
        {"x": (0, 1)}, {"p": lambda x: x, "q": lambda x: x, "y": lambda p, q: np.where(p == q, p, 1 - p)}, ("y",)
    )
    high = CausalModel({"x": (0, 1)}, {"m": lambda x: x, "y": lambda m: m}, ("y",))
    alignment = Alignment({"m": ("p", "q"), "y": ("y",)}, {"m": lambda p, q: p})
    assert abstraction_error(low, high, alignment, Interchanges.every(high)).exact
    set_ = HardInterventions.every(low, alignment, domains(low), ["m"])
    found = abstraction_error(low, high, alignment, set_)
    assert found.mean == pytest.approx(0.5) and found.counterexample is not None
    assert found.counterexample.query["set"] in ({"p": 0, "q": 1}, {"p": 1, "q": 0})


def test_numeric_errors_use_the_metric() -> None:
    low = CausalModel({"x": (0, 1)}, {"y": lambda x: x + 0.25}, ("y",))
    high = CausalModel({"x": (0, 1)}, {"y": lambda x: x * 1.0}, ("y",))
    found = abstraction_error(low, high, Alignment({"y": ("y",)}), Interchanges.plain(high), metric=largest_difference)
    assert found.sup == found.mean == found.root_mean_square == 0.25
    with pytest.raises(InputError, match="metric gave NaN"):
        abstraction_error(
            low, high, Alignment({"y": ("y",)}), Interchanges.plain(high), metric=lambda a, b: np.array([np.nan, 0])
        )


@pytest.mark.parametrize(
    ("cells", "maps", "message"),
    [
        ({"m": ()}, {}, "cell of m is empty"),
        ({"m": ("p",), "n": ("p",)}, {}, "p is in the cells of m and of n"),
        ({"m": ("p", "q")}, {}, "holds 2 variables and has no map"),
        ({"m": ("p",)}, {"n": min}, "a map is given for n"),
    ],
)
def test_an_alignment_that_is_none_is_refused(cells: Any, maps: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Alignment(cells, maps)


@pytest.mark.parametrize(
    ("alignment", "message"),
    [
        (Alignment({"carry": ("zzz",), "sum": ("sum",), "n": ("n",)}), "zzz is no variable of the low-level model"),
        (Alignment({"zzz": ("carry",)}), "zzz is no variable of the high-level model"),
        (Alignment({"carry": ("carry",)}), "sum has no cell"),
    ],
)
def test_an_alignment_of_other_models_is_refused(alignment: Alignment, message: str) -> None:
    with pytest.raises(InputError, match=message):
        abstraction_error(HALF_ADDER, HALF_ADDER, alignment, Interchanges.plain(HALF_ADDER))


def test_models_of_unlike_inputs_and_too_many_queries_are_refused() -> None:
    other = CausalModel({"z": (0, 1)}, {"n": lambda z: z}, ("n",))
    with pytest.raises(InputError, match="the models share their inputs; one has a, b, the other z"):
        abstraction_error(HALF_ADDER, other, Alignment({"n": ("n",)}), Interchanges.plain(other))
    wide = CausalModel(dict.fromkeys("abc", range(20)), {"y": lambda a, b, c: a + b + c}, ("y",))
    with pytest.raises(InputError, match="64,008,000 queries; at most 10,000,000"):
        Interchanges.every(wide)
    deep = {"v0": lambda a: a} | {f"v{i}": ((f"v{i - 1}",), lambda v: v) for i in range(1, 40)}
    with pytest.raises(InputError, match="1,099,511,627,775 sets of variables"):
        Interchanges.every(CausalModel({"a": (0, 1)}, deep, ("v39",)))
    with pytest.raises(InputError, match="no inputs to interchange"):
        Interchanges.every(CausalModel({}, {"y": lambda: 1}, ("y",)))
    none = Interchanges(
        {"a": np.array([], int), "b": np.array([], int)}, {"a": np.array([], int), "b": np.array([], int)}, {}
    )
    with pytest.raises(InputError, match="no query to ask"):
        same = Alignment({name: (name,) for name in HALF_ADDER.variables})
        abstraction_error(HALF_ADDER, HALF_ADDER, same, none)
    with pytest.raises(InputError, match="zzz is no variable"):
        Interchanges.every(HALF_ADDER, sets=[("zzz",)])
    with pytest.raises(InputError, match="zzz has no cell in the first step"):
        Alignment({"m": ("p",)}).then(Alignment({"h": ("zzz",)}))


# Circuits and implementation sets


@draws
@given(seeds)
def test_circuits_solved_together_are_each_solved_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    every = enumeration.wiring()
    rows = rng.choice(len(every), size=5)
    inputs = CausalModel({k: (0, 1) for k in "abc"}, {"y": lambda a: a}, ("y",)).every_input()
    some = every.take(rows)
    set_to = {"h1": rng.integers(0, 2, size=(5, 8)).astype(np.uint8)}
    where = {"h1": rng.random(8) < 0.5}
    plain, edited = some.solve(inputs), some.solve(inputs, do=set_to, where=where)
    for i in range(5):
        member = some.member(i)
        alone = member.solve(inputs)
        changed = member.solve(inputs, do={"h1": set_to["h1"][i]}, where=where)
        for name in some.parents:
            assert (np.broadcast_to(plain[name], (5, 8))[i] == alone[name]).all()
            assert (edited[name][i] == changed[name]).all()


@pytest.mark.parametrize(("variables", "nodes"), [(1, 3), (2, 3), (2, 5), (3, 4)])
def test_alignments_are_as_many_as_the_formula_says(variables: int, nodes: int) -> None:
    names = [f"u{i}" for i in range(variables)]
    found = list(every_alignment(names, [f"n{i}" for i in range(nodes)]))
    due = sum((-1) ** j * math.comb(variables, j) * (variables + 1 - j) ** nodes for j in range(variables + 1))
    assert len(found) == due == len({tuple(sorted(c.items())) for c in found})


def test_implementations_are_those_that_forced_maps_find_one_by_one() -> None:
    high = CausalModel(BITS, {"m": lambda a, b: a & b, "y": lambda m: 1 - m}, ("y",))
    class_ = Circuits.every(BITS, {"g": ("a", "b"), "out": ("g", "a")}, ("out",))
    alignments = list(every_alignment(("m", "y"), ("g", "out")))
    queries = Interchanges.every(high)
    found = implementations(high, class_, alignments, queries)
    expected = set()
    for index, at in itertools.product(range(len(class_)), range(len(alignments))):
        if isinstance(forced(class_.member(index), high, alignments[at], queries), Alignment):
            expected.add((index, at))
    assert expected and set(zip(found.circuit.tolist(), found.alignment.tolist(), strict=True)) == expected
    assert found.examined == len(class_) * len(alignments) and not found.error.any()


def test_an_intervention_without_a_mask_sets_all_queries_and_needs_a_node() -> None:
    class_ = enumeration.wiring().take(np.arange(3))
    inputs = {name: np.array([0, 1]) for name in "abc"}
    ones = np.ones((3, 2), dtype=np.uint8)
    assert (class_.solve(inputs, do={"h1": ones})["h1"] == 1).all()
    with pytest.raises(InputError, match="zzz is no node that is set"):
        class_.solve(inputs, do={"zzz": ones})
    with pytest.raises(InputError, match="no circuit to take"):
        class_.take(np.array([], dtype=int))


def test_inputs_of_more_than_256_values_are_not_wrapped() -> None:
    entries = np.arange(300) % 2
    high = CausalModel({"x": range(300)}, {"y": lambda x: x % 2}, ("y",))
    one = Circuits({"x": range(300)}, {"g": ("x",)}, {"g": 2}, {"g": entries[None].astype(np.uint8)}, ("g",))
    assert one.solve({"x": np.array([255, 256, 299])})["g"].tolist() == [[1, 0, 1]]
    found = implementations(high, one, [{"y": ("g",)}], Interchanges.plain(high))
    assert len(found) == 1 and found.responses[0, 0].tolist() == entries.tolist()


def test_responses_are_values_so_that_interpretations_of_other_domains_are_apart() -> None:
    one = CausalModel({"a": (0, 1)}, {"m": lambda a: a, "y": lambda m: m}, ("y",))
    two = CausalModel({"a": (0, 1)}, {"y": lambda m: m - 5, "m": lambda a: a + 5}, ("y",))
    class_ = Circuits.every({"a": (0, 1)}, {"g": ("a",), "h": ("g",)}, ("h",))
    cells = [{"m": ("g",), "y": ("h",)}]
    found = [implementations(model, class_, cells, Interchanges.plain(model)) for model in (one, two)]
    assert found[0].variables == found[1].variables == ("m", "y")
    both = np.concatenate([part.responses for part in found])
    side = np.arange(len(both)) < len(found[0])
    assert equivalence.d_interp(equivalence.behavioural(both), side).d_interp == 1.0


def test_distances_that_only_rounding_tells_apart_are_ties() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):  # four representations at one distance from each other, turned
        turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
        table = equivalence.procrustes(np.eye(4)[:, None, :] @ turn[None])
        assert equivalence.congruity(table, [0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]).score == pytest.approx(0.5)


@pytest.mark.parametrize("tolerance", [0.0, 0.1, 0.3])
def test_the_error_of_an_implementation_is_that_of_the_maps_forced_most_often(tolerance: float) -> None:
    high = CausalModel(BITS, {"m": lambda a, b: a & b, "y": lambda m: 1 - m}, ("y",))
    class_ = Circuits.every(BITS, {"g": ("a", "b"), "out": ("g", "a")}, ("out",))
    alignments = list(every_alignment(("m", "y"), ("g", "out")))
    queries = Interchanges.every(high)
    found = implementations(high, class_, alignments, queries, tolerance=tolerance)
    for row in range(0, len(found), 7):
        low, cells = class_.member(int(found.circuit[row])), alignments[int(found.alignment[row])]
        below, above = queries.answers(low, high, Alignment({n: c for n, c in cells.items()}, {}))
        wrong = np.zeros(len(queries), dtype=bool)
        for name, (part,) in cells.items():
            for state in (0, 1):
                here = below[part] == state
                most = int(above[name][here].sum() * 2 > here.sum())
                wrong |= here & (above[name] != most)
        assert found.error[row] == pytest.approx(wrong.mean())
    assert len(found) and found.error.max() <= tolerance


def test_more_tolerance_means_more_implementations_and_coarser_interpretations_have_more() -> None:
    high = enumeration.parity(("a", "b"))
    coarse = CausalModel(dict.fromkeys("abc", (0, 1)), {"y": lambda a, b, c: a ^ b ^ c}, ("y",))
    class_ = enumeration.wiring()
    nodes = ("h1", "h2", "out")
    cells, queries = list(every_alignment(("m", "y"), nodes)), Interchanges.every(high)
    sizes = [len(implementations(high, class_, cells, queries, tolerance=t)) for t in (0.0, 0.2, 0.3)]
    assert sizes[0] == 24 and sizes == sorted(sizes) and sizes[-1] > sizes[0]
    fine = implementations(high, class_, cells, queries)
    wide = implementations(coarse, class_, list(every_alignment(("y",), nodes)), Interchanges.every(coarse))
    assert set(fine.circuit.tolist()) <= set(wide.circuit.tolist()) and len(set(wide.circuit.tolist())) > 8


def test_compression_grows_without_bound_with_an_unaligned_variable() -> None:
    signature = np.array([[1.0, -1.0, 1.0, -1.0], [0.0, 0.0, 0.0, 0.0]])
    with_unused = [signature + np.array([[0.0] * 4, [c, c, -c, -c]]) for c in (0, 1, 10, 100)]
    table = equivalence.procrustes(np.stack(with_unused))
    assert (np.diff(table[0]) > 0).all() and table[0, -1] > 99


def test_an_enumeration_that_is_too_large_is_refused_with_its_size() -> None:
    with pytest.raises(InputError, match=r"this wiring has 4,294,967,296 circuits \(65,536 \* 65,536\)"):
        Circuits.every(dict.fromkeys("abcd", (0, 1)), {"g": "abcd", "h": "abcd"}, ("h",))
    with pytest.raises(InputError, match=r"about 10\^4932 circuits"):
        Circuits.every({f"x{i}": (0, 1) for i in range(14)}, {"g": [f"x{i}" for i in range(14)]}, ("g",))
    with pytest.raises(InputError, match="3 variables and 10 nodes make 1,048,576 assignments"):
        next(every_alignment("uvw", [f"n{i}" for i in range(10)]))
    with pytest.raises(InputError, match="more than 5; lower the tolerance"):
        high = enumeration.parity(("a", "b"))
        cells = list(every_alignment(("m", "y"), ("h1", "h2", "out")))
        implementations(high, enumeration.wiring(), cells, Interchanges.every(high), keep=5)


def test_circuits_and_searches_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="g reads z"):
        Circuits.every({"a": (0, 1)}, {"g": ("z",)}, ("g",))
    with pytest.raises(InputError, match="outputs must name nodes; q is none"):
        Circuits.every({"a": (0, 1)}, {"g": ("a",)}, ("q",))
    high = enumeration.parity(("a", "b"))
    queries = Interchanges.every(high)
    with pytest.raises(InputError, match="need the same inputs"):
        implementations(high, Circuits.every({"a": (0, 1)}, {"g": ("a",)}, ("g",)), [], queries)
    with pytest.raises(InputError, match="names unknown variables, or not all"):
        implementations(high, enumeration.wiring(), [{"m": ("h1",)}], queries)
    with pytest.raises(InputError, match="cells overlap"):
        implementations(high, enumeration.wiring(), [{"m": ("h1",), "y": ("h1",)}], queries)
    with pytest.raises(InputError, match=r"share of queries in \[0, 1\)"):
        implementations(high, enumeration.wiring(), [{"m": ("h1",), "y": ("out",)}], queries, tolerance=1.5)
    with pytest.raises(InputError, match="no alignment to look at"):
        implementations(high, enumeration.wiring(), [], queries)
    with pytest.raises(InputError, match="zzz is pinned"):
        next(every_alignment(("m",), ("h1",), pinned={"m": ("zzz",)}))


# Chains


@draws
@given(seeds)
def test_layers_follow_from_each_other_also_after_a_whole_layer_is_set(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng, nodes=4)
    chain, inputs = Chain.of(model), model.every_input()
    solved = model.solve(inputs)
    for start in range(-1, len(chain.layers) - 1):
        layer = {} if start < 0 else {n: rng.integers(0, 2, size=4) for n in chain.layers[start]}
        expected = model.solve(inputs, do=layer) if layer else solved
        for t in range(start, len(chain.layers) - 1):
            layer = chain.step(t, inputs, layer)
            assert all((layer[name] == expected[name]).all() for name in layer)
        assert set(model.outputs) <= set(chain.layers[-1])


def test_a_variable_that_nothing_reads_is_lost_and_costs_noise_error() -> None:
    model = CausalModel(BITS, {"used": lambda a: a, "unused": lambda b: b, "y": lambda used: used}, ("y",))
    chain = Chain.of(model)
    solved = model.solve(model.every_input())
    assert chain.lost == ("unused",)
    made = link(chain.signature(solved), chain.trajectory(solved), chain.signal, chain.noise)
    assert made.signal_error == 0 and made.noise_error == pytest.approx(np.sqrt(0.5))
    signature, trajectory = chain.signature(solved), chain.trajectory(solved)
    signal, noise = (  # of all linear maps those with the smallest errors
        np.linalg.lstsq(x.T, y.T, rcond=None)[0].T for x, y in ((signature, trajectory), (trajectory, signature))
    )
    assert link(signature, trajectory, signal, noise).noise_error <= made.noise_error


def test_links_refuse_what_does_not_fit() -> None:
    with pytest.raises(InputError, match=r"e is \(d, D\), g \(D, d\)"):
        link(np.ones((2, 5)), np.ones((3, 5)), np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(InputError, match="NaN or infinity"):
        link(np.full((1, 5), np.nan), np.ones((1, 5)), np.eye(1), np.eye(1))
    with pytest.raises(InputError, match="the output a is an input"):
        Chain.of(CausalModel(BITS, {"y": lambda a: a}, ("a",)))
    words = CausalModel({"x": ("p", "q")}, {"y": lambda x: x}, ("y",))
    with pytest.raises(InputError, match="y takes words"):
        Chain.of(words).signature(words.solve(words.every_input()))


def test_the_column_norm_is_the_root_mean_square_over_queries() -> None:
    assert column_norm(np.array([[3.0, 0.0], [4.0, 0.0]])) == pytest.approx(5 / np.sqrt(2))


# Distances of interpretations, and congruity


@draws
@given(seeds)
def test_exact_congruity_is_a_sum_over_all_triples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    places = rng.integers(0, 4, size=n)
    table = np.abs(places[:, None] - places)
    p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n))
    found = equivalence.congruity(table, p, q)
    for own, other, value in ((p, q, found.p_within[0]), (q, p, found.p_within[1])):
        expected = sum(
            own[x] * own[i] * other[j] * ((table[x, i] < table[x, j]) + (table[x, i] == table[x, j]) / 2)
            for x, i, j in itertools.product(range(n), repeat=3)
        )
        assert value == pytest.approx(expected)
    balls = 0.0
    for x, i in itertools.product(range(n), repeat=2):
        inside = (table[x] < table[x, i]) + (table[x] == table[x, i]) / 2
        balls += (p[x] * p[i] + q[x] * q[i]) * float((p - q) @ inside) ** 2
    assert found.ball_divergence == pytest.approx(balls)


@draws
@given(seeds)
def test_d_interp_is_the_hausdorff_distance_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(int(rng.integers(1, 6)), 2)), rng.normal(size=(int(rng.integers(1, 6)), 2))
    every = np.concatenate([one, two])
    found = equivalence.d_interp(np.linalg.norm(every[:, None] - every, axis=-1), np.arange(len(every)) < len(one))
    assert found.d_interp == pytest.approx(max(directed_hausdorff(one, two)[0], directed_hausdorff(two, one)[0]))


def test_tables_and_laws_that_are_none_are_refused() -> None:
    square = np.zeros((2, 2))
    with pytest.raises(InputError, match="one set is empty"):
        equivalence.d_interp(square, [True, True])
    with pytest.raises(InputError, match=r"shape \(2, 2\) for 3"):
        equivalence.d_interp(square, [True, True, False])
    with pytest.raises(InputError, match="not symmetric"):
        equivalence.d_interp([[0, 1], [0, 0]], [True, False])
    with pytest.raises(InputError, match="NaN, infinity or negative"):
        equivalence.d_interp([[0, -1], [-1, 0]], [True, False])
    with pytest.raises(InputError, match=r"tables of shapes \(2, 2\) and \(1, 1\)"):
        equivalence.d_circ(square, [[0.0]])
    with pytest.raises(InputError, match="2 probabilities that sum to 1"):
        equivalence.congruity(square, [0.5, 0.6], [0.5, 0.5])


def both(tolerance: float = 0.0) -> list[interpretation.Implementations]:
    """Three-bit parity by a and b first, or by b and c first: all circuits of one wiring, all alignments."""
    found = []
    for first in (("a", "b"), ("b", "c")):
        model = enumeration.parity(first)
        cells = list(every_alignment(model.variables, ("h1", "h2", "out")))
        found.append(
            implementations(model, enumeration.wiring(), cells, Interchanges.every(model), tolerance=tolerance)
        )
    return found


def test_one_function_computed_in_two_ways_is_told_apart_exactly() -> None:
    one, two = both()
    assert len(one) == len(two) == 24
    side = np.arange(48) < 24
    table = equivalence.procrustes(np.concatenate([one.signatures(), two.signatures()]))
    found = equivalence.d_interp(table, side)
    law = side / 24
    exact = equivalence.congruity(table, law, law[::-1])
    assert found.nearest > max(found.compressions) and exact.score == 0.0, "S1: a gap wider than the sets"
    # T0(d): by what the variables do under interchanges, exact implementations are as far apart as their models.
    responses = equivalence.behavioural(np.concatenate([one.responses, two.responses]))
    models = [enumeration.parity(first) for first in (("a", "b"), ("b", "c"))]
    queries = Interchanges.every(models[0])
    solved = [queries.run(model, queries.swapped) for model in models]
    apart = float(zero_one({n: solved[0][n] for n in ("m", "y")}, solved[1]).mean())
    behavioural = equivalence.d_interp(responses, side)
    assert behavioural.compressions == (0.0, 0.0)
    assert behavioural.d_interp == pytest.approx(apart) == pytest.approx(0.58)


@pytest.mark.parametrize("tolerance", [0.05, 0.2, 0.3])
def test_behavioural_distances_of_approximate_implementations_obey_t0(tolerance: float) -> None:
    one, two = (_some(part, 150) for part in both(tolerance))
    side = np.arange(len(one.responses) + len(two.responses)) < len(one.responses)
    found = equivalence.d_interp(equivalence.behavioural(np.concatenate([one.responses, two.responses])), side)
    eta = float(max(one.error.max(), two.error.max()))
    assert max(found.compressions) <= bounds.behavioural_compression(eta) + 1e-12
    low, high = bounds.behavioural_interval(0.58, eta)
    assert low - 1e-12 <= found.d_interp <= high + 1e-12


def _some(found: interpretation.Implementations, most: int) -> interpretation.Implementations:
    rows = np.random.default_rng(0).permutation(len(found))[:most]
    return dataclasses.replace(found, error=found.error[rows], responses=found.responses[rows])


@pytest.mark.parametrize("distance", ["spectral", "procrustes"])
def test_what_the_pipeline_estimates_from_samples_converges_to_the_exact_congruity(distance: str) -> None:
    one, two = both()
    grams = np.concatenate([one.signatures(), two.signatures()])
    # Laws that overlap, so that the exact value is inside (0, 1): a third of each side is drawn from the other set.
    mixed = np.r_[np.full(24, 2 / 3 / 24), np.full(24, 1 / 3 / 24)]
    samples = [part.T for part in grams]
    table = cg.pairwise(samples, distance).values
    exact = equivalence.congruity((table + table.T) / 2, mixed, mixed[::-1])
    rng = np.random.default_rng(0)
    errors = []
    for n in (20, 80, 320):
        rows = np.concatenate([rng.choice(48, size=n, p=law) for law in (mixed, mixed[::-1])])
        sides = ["one"] * n + ["two"] * n
        found = cg.estimate(table[np.ix_(rows, rows)], sides, n_bootstrap=100, n_permutations=99)
        errors.append(abs(found.separation - (sum(exact.p_within) - 1)))
        assert errors[-1] <= bounds.score_error((n, n), 0.001)
    assert 0.05 < exact.score < 0.95 and errors[-1] < 0.05


def test_the_theory_is_importable_alone_with_numpy_only() -> None:
    code = (
        "import sys; before = set(sys.modules);"
        "from congruity.theory import abstraction, bounds, chain, circuits, equivalence;"
        "from congruity.theory import interpretation, queries, tables;"
        "new = {m.split('.')[0] for m in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names) - {'numpy', 'congruity', 'array_api_compat'}));"
        "print(sorted(m for m in sys.modules if m.startswith('congruity.') and not m.startswith('congruity.theory')"
        " and not m.split('.')[1].startswith('_') and m != 'congruity.errors'))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.split("\n")[:2] == ["[]", "[]"]


def test_enumeration_solves_a_million_circuits_alignments_and_queries_in_one_go() -> None:
    one, two = both()
    assert one.examined * one.queries + two.examined * two.queries == 2 * 4096 * 12 * 200
