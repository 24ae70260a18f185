"""The codec: whatever a value holds comes back equal, in the same bytes, and nothing else is read."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from congruity import distances
from congruity._base.artifact import Format
from congruity._base.codec import decode, encode
from congruity.errors import StoreError
from congruity.store import fingerprints as store
from congruity.values import Budget, DistanceTable, Examples, Gates, Method, Sampling


@dataclasses.dataclass(frozen=True)
class Leaf:
    name: str
    index: int | None = None


@dataclasses.dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    pair: tuple[int, Leaf]
    share: float
    kind: Literal["a", "b"]
    ends: float | tuple[float, ...] = 1.0
    names: frozenset[str] = frozenset()
    known: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    free: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    column: tuple[str, ...] | NDArray[Any] = ()


SHARED = {"leaves of all": Leaf}
leaves = st.builds(Leaf, st.text(max_size=3), st.none() | st.integers(-3, 3))
numbers = st.floats(allow_nan=False)
trees = st.builds(
    Tree,
    st.lists(leaves, max_size=4).map(tuple),
    st.tuples(st.integers(), leaves),
    numbers,
    st.sampled_from(["a", "b"]),
    numbers | st.lists(numbers, max_size=3).map(tuple),
    st.frozensets(st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.lists(st.integers(), max_size=2).map(tuple), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none() | st.booleans() | st.integers() | st.text(max_size=3), max_size=2),
    st.lists(st.text(max_size=3), max_size=2).map(tuple),
)


@given(trees, st.booleans())
def test_what_is_encoded_is_decoded_and_equal_values_give_equal_text(tree: Tree, shared: bool) -> None:
    tables = SHARED if shared else {}
    data, arrays = encode(tree, tables)
    text = json.dumps(data, sort_keys=True, allow_nan=False)
    assert decode(Tree, json.loads(text), arrays, tables) == tree
    again, _ = encode(dataclasses.replace(tree), tables)
    assert json.dumps(again, sort_keys=True, allow_nan=False) == text


def test_a_shared_value_is_written_once() -> None:
    one, other = Leaf("x", 1), Leaf("y")
    data, _ = encode(Tree((one, other, one), (7, one), 0.5, "a"), SHARED)
    assert data["leaves"] == [0, 1, 0] and data["pair"] == [7, 0]
    assert data["leaves of all"] == [{"name": "x", "index": 1}, {"name": "y", "index": None}]


def test_arrays_are_put_aside_by_the_path_of_their_field() -> None:
    examples = Examples("t", ("a", "b"), ("c", "d"), np.array([1, 2]), np.array([3, 4]), ("x", "y"))
    data, arrays = encode(examples, {})
    assert data["answers"] == "answers" and sorted(arrays) == ["answers", "foils"]
    back = decode(Examples, json.loads(json.dumps(data)), arrays, {})
    assert back.digest == examples.digest and not isinstance(back.clean, np.ndarray)
    with pytest.raises(StoreError, match=r"free\.x is ndarray, which cannot be stored"):
        encode(Tree((), (0, Leaf("")), 0.0, "a", free={"x": np.zeros(2)}), {})
    with pytest.raises(StoreError, match=r"free\.x is object, which cannot be stored"):
        encode(Tree((), (0, Leaf("")), 0.0, "a", free={"x": object()}), {})


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_lacks_are_kept(number: float) -> None:
    data, _ = encode(Tree((), (0, Leaf("")), number, "a"), {})
    back = decode(Tree, json.loads(json.dumps(data, allow_nan=False)), {}, {}).share
    assert back == number or (math.isnan(back) and math.isnan(number))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leaves": [{"name": 3}]}, r"leaves\[0\]\.name is 3; expected text"),
        ({"leaves": [{}]}, r"leaves\[0\]\.name is missing"),
        ({"leaves": [{"name": "", "age": 1}]}, r"leaves\[0\]\.age is no field of Leaf"),
        ({"leaves": "no"}, "leaves is 'no'; expected a list"),
        ({"leaves": [[]]}, r"leaves\[0\] is \[\]; expected an object"),
        ({"pair": [1]}, r"pair is \[1\]; expected a list of 2"),
        ({"pair": [True, {"name": ""}]}, r"pair\[0\] is True; expected a whole number"),
        ({"pair": [1.0, {"name": ""}]}, r"pair\[0\] is 1\.0; expected a whole number"),
        ({"share": "1"}, "share is '1'; expected a number"),
        ({"share": None}, "share is None; expected a number"),
        ({"kind": "c"}, "kind is 'c'; expected one of 'a', 'b'"),
        ({"kind": []}, r"kind is \[\]; expected one of"),
        ({"ends": "x"}, "ends is 'x'; expected a list"),
        ({"known": []}, r"known is \[\]; expected an object"),
        ({"known": {"k": [1, "x"]}}, r"known\.k\[1\] is 'x'; expected a whole number"),
        ({"column": "missing"}, "column is 'missing'; expected the name of an array"),
        ({"column": {}}, r"column is \{\}; expected the name of an array"),
    ],
)
def test_what_no_value_was_encoded_as_is_one_sentence_with_its_path(change: dict[str, Any], message: str) -> None:
    data, arrays = encode(Tree((), (0, Leaf("")), 0.5, "a"), {})
    with pytest.raises(StoreError, match=message) as error:
        decode(Tree, data | change, arrays, {})
    assert "\n" not in str(error.value)


def test_a_missing_field_takes_its_default() -> None:
    data, arrays = encode(Tree((), (0, Leaf("")), 0.5, "a"), {})
    del data["ends"], data["free"]
    assert decode(Tree, data, arrays, {}) == Tree((), (0, Leaf("")), 0.5, "a")


@given(
    st.builds(Budget, st.sampled_from([0.01, (0.01, 0.1)]), by=st.sampled_from(["number", "scale"])),
    st.none() | st.builds(Gates, st.floats(0.01, 1.0), st.none() | st.floats(0.01, 1.0)),
    st.none() | st.lists(st.sampled_from(["n", "gates"]), max_size=2).map(tuple),
)
def test_records_of_sampling_read_back_equal(budget: Budget, gates: Gates | None, given: Any) -> None:
    finder, noise = Method("hybrid", {"keep": 0.2}), Method("noise", {"amount": 1.0})
    skipped = {"resample at KL 0.01": {"3": ("m1", "m2")}}
    made = Sampling("edits", finder, (noise,), 9, 0, budget, gates, 0.75, None, "0" * 64, ("x",), skipped, given)
    data, arrays = encode(made, {})
    back = decode(Sampling, json.loads(json.dumps(data)), arrays, {})
    assert back == made and back.given == made.given and back.facts() == made.facts()


@pytest.mark.parametrize("distance", distances.REGISTRY, ids=lambda one: one.name)
def test_a_table_keeps_the_traits_of_its_distance(distance: Any, tmp_path: Path) -> None:
    distance = distance() if isinstance(distance, type) else distance
    table = DistanceTable(distance.name, np.zeros((2, 2)), ("a", "b"), traits=distance.traits)
    back = store.load_table(store.save_table(table, tmp_path / "t.safetensors"))
    assert back.traits == distance.traits and isinstance(back.traits.invariances, frozenset)


def test_a_file_of_one_kind_is_not_read_as_another(tmp_path: Path) -> None:
    path = store.save_table(DistanceTable("x", np.zeros((2, 2)), ("a", "b")), tmp_path / "t.safetensors")
    with pytest.raises(StoreError, match="the fingerprint is damaged"):
        store.load(path)
    other = Format("tree", Tree, schema=1, remedy="make {} again")
    with pytest.raises(StoreError, match="written under tree schema 3, this congruity reads schema 1; make the tree"):
        other.read(path)
