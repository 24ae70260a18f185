"""Causal models against a plain recursion, and which of them interchange interventions tell apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from congruity.errors import InputError
from congruity.theory import CausalModel
from congruity.theory.interchange import Responses, classes, disagreement, distance, responses

SUM = CausalModel(
    {"a": range(3), "b": range(3)}, {"total": lambda a, b: a + b, "even": lambda total: total % 2}, ("even",)
)


@st.composite
def models(draw: Any) -> tuple[CausalModel, dict[str, tuple[list[str], list[int]]]]:
    """A random model of tables modulo 5, and its tables, from which the oracle works."""
    names = [f"x[{i}]" for i in range(draw(st.integers(1, 3)))]
    inputs = dict.fromkeys(names, range(5))
    tables: dict[str, tuple[list[str], list[int]]] = {}
    for i in range(draw(st.integers(1, 5))):
        parents = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        tables[f"v[{i}]"] = (parents, draw(st.lists(st.integers(-3, 3), min_size=len(parents), max_size=len(parents))))
        names.append(f"v[{i}]")
    shuffled = draw(st.permutations(list(tables)))  # written in any order

    def mechanism(weights: list[int]) -> Callable[..., Any]:
        return lambda *values: sum(w * v for w, v in zip(weights, values, strict=True)) % 5

    mechanisms = {name: (tables[name][0], mechanism(tables[name][1])) for name in shuffled}
    return CausalModel(inputs, mechanisms, (f"v[{len(tables) - 1}]",)), tables


def solved(tables: dict[str, tuple[list[str], list[int]]], given: dict[str, int], name: str) -> int:
    """The oracle: plain recursion on one query; ``given`` holds inputs and interventions."""
    if name in given:
        return given[name]
    parents, weights = tables[name]
    return sum(w * solved(tables, given, parent) for w, parent in zip(weights, parents, strict=True)) % 5


@settings(deadline=None)
@given(models(), st.data())
def test_solving_is_the_plain_recursion_with_and_without_interventions(found: Any, data: Any) -> None:
    model, tables = found
    queries = data.draw(st.integers(1, 4))
    rows = st.lists(st.integers(0, 4), min_size=queries, max_size=queries)
    inputs = {name: data.draw(rows) for name in model.inputs}
    do = {name: data.draw(rows) for name in data.draw(st.sets(st.sampled_from(sorted(tables))))}
    values = model.solve(inputs, do=do)
    for q in range(queries):
        given = {name: row[q] for name, row in (inputs | do).items()}
        assert {name: int(values[name][q]) for name in tables} == {name: solved(tables, given, name) for name in tables}


@settings(deadline=None)
@given(models(), st.data())
def test_an_interchange_is_two_runs_by_hand(found: Any, data: Any) -> None:
    model, tables = found
    base, source = ({name: data.draw(st.integers(0, 4)) for name in model.inputs} for _ in range(2))
    names = sorted(data.draw(st.sets(st.sampled_from(sorted(tables)), min_size=1)))
    taken = {name: solved(tables, source, name) for name in names}
    after = model.interchange(base, source, names)
    assert {name: int(after[name][0]) for name in tables} == {
        name: solved(tables, base | taken, name) for name in tables
    }


def test_variables_come_after_their_parents_and_inputs_are_enumerated() -> None:
    assert SUM.variables == ("total", "even") and SUM.inner == ("total",) and SUM.parents("a") == ()
    every = SUM.every_input()
    assert list(zip(every["a"].tolist(), every["b"].tolist(), strict=True)) == [
        (a, b) for a in range(3) for b in range(3)
    ]
    assert list(SUM.subsets(2)) == [("total",)]
    assert SUM.answers(SUM.solve(every)).tolist() == [[(a + b) % 2] for a in range(3) for b in range(3)]


def test_a_model_without_inputs_values_that_are_set_and_reals() -> None:
    real = CausalModel({"x": None}, {"y": lambda x: x / 2}, ("y",))
    assert real.solve({"x": [1.0, 3.0]})["y"].tolist() == [0.5, 1.5]
    assert real.solve({"x": 1.0}, do={"x": 4.0})["y"].tolist() == [2.0]
    assert CausalModel({}, {"one": lambda: 1}, ("one",)).solve({})["one"].tolist() == [1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: CausalModel({}, {"a": lambda b: b, "b": lambda a: a}, ("a",)),
            "in a circle: a <- b|in a circle: b <- a",
        ),
        (lambda: CausalModel({"x": None}, {"y": lambda z: z}, ("y",)), "y depends on z, which is neither"),
        (lambda: CausalModel({"x": None}, {"x": lambda: 1}, ("x",)), "x is an input and has a mechanism"),
        (lambda: CausalModel({"x": None}, {}, ("y",)), "y is no variable"),
        (lambda: CausalModel({"x": None}, {}, ()), "there is none"),
        (lambda: CausalModel({"x": None}, {"y": 3}, ("y",)), "the mechanism of y is 3"),  # type: ignore[dict-item]
        (lambda: CausalModel({"x": None}, {"y": lambda *x: x}, ("y",)), "do not name its parents"),
        (lambda: CausalModel({"x": None}, {"y": max}, ("y",)), "do not name its parents"),
        (lambda: CausalModel({"x": None}, {"y": np.abs}, ("y",)), "do not name its parents"),
        (lambda: CausalModel({"x": None}, {"y": lambda *, x: x}, ("y",)), "do not name its parents"),
        (lambda: CausalModel({"x": None}, {"y": (("x",), 3)}, ("y",)), "is a tuple, but no pair"),  # type: ignore[dict-item]
        (lambda: CausalModel({"x": None}, {"y": (("x",),)}, ("y",)), "is a tuple, but no pair"),  # type: ignore[dict-item]
        (lambda: CausalModel({"x": None}, {"y": ("x", lambda x: x)}, ("y",)), "is a tuple, but no pair"),
        (lambda: CausalModel({"x": [(0, 1), (1, 0)]}, {"y": lambda x: x}, ("y",)), r"the values of x are \[\(0, 1\)"),
        (lambda: CausalModel({"x": ["a", 1]}, {"y": lambda x: x}, ("y",)), "all of one type"),
        (lambda: CausalModel({"x": [1, 1]}, {"y": lambda x: x}, ("y",)), "give different numbers"),
        (lambda: SUM.solve({"a": [[1], [1, 2]], "b": 1}), "one value a query"),
        (lambda: SUM.solve({"a": None, "b": 1}), "a is set to None"),
        (lambda: SUM.solve({"a": 1, "b": 1}, do={"total": float("nan")}), "total holds NaN"),
        (lambda: CausalModel({"x": None}, {"y": lambda x: x}, ("y",)).solve({"x": "a"}), "x is a real number"),
        (lambda: CausalModel({"x": None}, {"y": lambda x: None}, ("y",)).solve({"x": 1.0}), "gave None, which is no"),
        (
            lambda: CausalModel({"x": None}, {"y": lambda x: x.max()}, ("y",)).solve({"x": [1.0, 2.0]}),
            r"shape \(\) for 2",
        ),
        (lambda: SUM.solve({"a": 1}), "b does not fit"),
        (lambda: SUM.solve({"a": 1, "b": 1, "c": 1}), "c does not fit"),
        (lambda: SUM.solve({"a": 1, "b": 3}), "b = 3 is outside its 3 values"),
        (lambda: SUM.solve({"a": 1, "b": 1}, do={"odd": 1}), "no variable is named odd; known: total, even"),
        (lambda: SUM.solve({"a": [1, 1], "b": [1, 1, 1]}), "shapes are"),
        (lambda: SUM.interchange({"a": 1, "b": 1}, {"a": 1, "b": 1}, ["odd"]), "no variable is named odd"),
        (lambda: CausalModel({"x": None}, {"y": lambda x: x}, ("y",)).solve({"x": np.nan}), "holds NaN or infinity"),
        (
            lambda: CausalModel({"x": None}, {"y": lambda x: x * 1e999}, ("y",)).solve({"x": 1.0}),
            "gave NaN or infinity",
        ),
        (
            lambda: CausalModel({"x": None}, {"y": lambda x: [1, 2]}, ("y",)).solve({"x": [1.0] * 3}),
            r"shape \(2,\) for 3",
        ),
        (lambda: CausalModel({"x": None}, {"y": lambda x: x}, ("y",)).every_input(), "x is a real number"),
        (lambda: CausalModel({"x": range(10**8)}, {"y": lambda x: x}, ("y",)), "has 100,000,000 values"),
        (
            lambda: CausalModel(dict.fromkeys("xyz", range(500)), {"w": lambda x: x}, ("w",)).every_input(),
            "125,000,000 inputs",
        ),
        (lambda: responses(CausalModel({"x": range(2)}, {"y": lambda x: x}, ("y",)), {"x": 0}, {"x": 1}), "nothing to"),
    ],
)
def test_what_a_causal_model_refuses(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


# ------------------------------------------------------------------------------------------- interchange equivalence


def all_pairs(model: CausalModel) -> tuple[dict[str, Any], dict[str, Any]]:
    every = model.every_input()
    n = len(next(iter(every.values())))
    base, source = (grid.ravel() for grid in np.meshgrid(np.arange(n), np.arange(n)))
    return {k: v[base] for k, v in every.items()}, {k: v[source] for k, v in every.items()}


def on_all_pairs(model: CausalModel) -> Responses:
    return responses(model, *all_pairs(model))


def test_renaming_and_copying_a_variable_is_the_same_class_and_another_route_is_not() -> None:
    inputs = {"a": range(2), "b": range(2), "c": range(2)}
    left = CausalModel(inputs, {"s": lambda a, b: a ^ b, "out": lambda s, c: s ^ c}, ("out",))
    renamed = CausalModel(inputs, {"t": lambda a, b: 1 - (a ^ b), "out": lambda t, c: (1 - t) ^ c}, ("out",))
    chained = CausalModel(inputs, {"s": lambda a, b: a ^ b, "u": lambda s: s, "out": lambda u, c: u ^ c}, ("out",))
    right = CausalModel(inputs, {"s": lambda b, c: b ^ c, "out": lambda s, a: s ^ a}, ("out",))
    found = [on_all_pairs(model) for model in (left, renamed, chained, right)]
    labels, table = classes(found)
    assert labels == [0, 0, 0, 1]
    # a ^ b and b ^ c change the output on half of the pairs each, independently: differ on 1/2, either on 3/4
    assert table[0, 3] == pytest.approx(2 / 3) and (table == table.T).all() and not table[0, :3].any()
    assert classes(found, tolerance=0.7)[0] == [0, 0, 0, 0]


def test_disagreement_counts_only_where_a_response_changes_something() -> None:
    inputs = {"a": range(2), "b": range(2)}
    one = CausalModel(inputs, {"p": lambda a: a, "q": lambda b: b, "out": lambda p, q: p & q}, ("out",))
    two = CausalModel(inputs, {"p": lambda a: a, "idle": lambda b: b, "out": lambda p, b: p & b}, ("out",))
    found, other = on_all_pairs(one), on_all_pairs(two)
    assert found.names == ("p", "q") and disagreement(found, other)[0].tolist() == [0.0, 1.0]
    assert distance(found, other) == 1.0, "q changes outputs, and nothing in the other model does so"


def test_domains_keep_their_type_and_may_be_arrays() -> None:
    flag = CausalModel({"x": [False, True]}, {"y": lambda x: ~x}, ("y",))
    assert flag.solve({"x": [0, 1]})["y"].tolist() == [True, False], "truth values, and not -1 and -2"
    numbers = CausalModel({"x": np.arange(3)}, {"y": lambda x: x + 1}, ("y",))  # type: ignore[dict-item]
    assert numbers.every_input()["x"].tolist() == [0, 1, 2]
    words = CausalModel({"x": ["a", "b"]}, {"y": lambda x: x == "b"}, ("y",))
    assert words.solve(words.every_input())["y"].tolist() == [False, True]


def test_responses_to_other_queries_are_not_compared() -> None:
    base, source = all_pairs(SUM)
    turned = responses(SUM, base, {name: values[::-1] for name, values in source.items()})
    with pytest.raises(InputError, match="different base or source inputs"):
        distance(responses(SUM, base, source), turned)


def test_models_of_two_functions_are_not_compared() -> None:
    inputs = {"a": range(2)}
    same, other = (
        CausalModel(inputs, {"p": lambda a: a, "out": out}, ("out",)) for out in (lambda p: p, lambda p: 1 - p)
    )
    with pytest.raises(InputError, match="differ without any intervention"):
        disagreement(on_all_pairs(same), on_all_pairs(other))
