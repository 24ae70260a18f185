"""The whole flow on networks whose every activation is known: causal models as models, against the theory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import congruity as cg
from congruity.errors import InputError, TaskError
from congruity.inference.described import described
from congruity.known.networks.causal import CausalNetwork, causal_network
from congruity.known.networks.causal_task import Causal
from congruity.theory import CausalModel, equivalence
from congruity.theory.abstraction import abstraction_error
from congruity.theory.alignment import Alignment
from congruity.theory.queries import Interchanges
from congruity.values import Budget

LETTERS = dict.fromkeys("abc", (0, 1, 2, 3))
BUDGET = Budget(kl=0.003, by="scale", share=0.5)


def adder(first: str, seed: int, idle: int = 16) -> CausalModel:
    """(a + b + c) mod 4, two inputs first, beside variables that nothing reads."""
    (last,) = set("abc") - set(first)
    rng = np.random.default_rng(seed)
    mechanisms: dict[str, Any] = {
        "sum": (tuple(first), lambda x, y: (x + y) % 4),
        "total": (("sum", last), lambda s, z: (s + z) % 4),
    }
    for i in range(idle):
        read = tuple(str(name) for name in rng.choice(list("abc"), size=2, replace=False))
        entries = rng.integers(0, 4, size=(4, 4))
        mechanisms[f"idle{i}"] = (read, lambda x, y, of=entries: of[x, y])
    return CausalModel(LETTERS, mechanisms, ("total",))


def side(first: str, net: int, **options: Any) -> cg.Fingerprint:
    model = adder(first, net)
    network = causal_network(model, name=f"{first}-{net}", seed=net)
    return cg.fingerprint(Causal(model), network, n=6, budget=BUDGET, **options)


@pytest.fixture(scope="module")
def one() -> cg.Fingerprint:
    return side("ab", 0)


@pytest.fixture(scope="module")
def two() -> cg.Fingerprint:
    return side("bc", 1)


def exact(model: CausalModel, made: cg.Fingerprint) -> Any:
    """(1 + n, rows, prompts): all one-hot values, centred and scaled by variable, without and with each edit."""
    examples = Causal(model).examples()
    clean, other = (
        model.solve(dict(zip(model.inputs, np.asarray(part).T, strict=True)))
        for part in (examples.clean, examples.counterfactual)
    )
    found = []
    for edit in [None, *(item.edit for item in made.admitted)]:
        edited = {} if edit is None else {site.hook.removeprefix("nodes."): edit.scale for site in edit.sites}
        rows = []
        for name in model.variables:
            size = 1 + int(max(clean[name].max(), other[name].max()))
            here, there = np.eye(size)[clean[name]], np.eye(size)[other[name]]
            part = here + edited.get(name, 0.0) * (there - here)
            part = part - part.mean(axis=0)
            rows.append(part.T / np.linalg.norm(part))
        found.append(np.concatenate(rows) / np.sqrt(len(rows)))
    return np.stack(found)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_a_network_answers_as_its_causal_model_on_every_input(seed: int) -> None:
    rng = np.random.default_rng(seed)
    entries = rng.integers(0, 3, size=(2, 4, 4))
    model = CausalModel(
        {"a": (0, 1, 2, 3), "b": ("x", "y")},
        {
            "inner": lambda a: entries[0, a, a],
            "said": lambda inner, b: np.where(b == "x", "yes", np.where(inner > 0, "no", "maybe")),
        },
        ("said",),
    )
    inputs = model.every_input()
    coded = torch.as_tensor(np.stack([inputs["a"], (inputs["b"] == "y").astype(int)], axis=1))
    network = CausalNetwork(model, leak=0.05, seed=seed % 1000)
    answers = np.asarray(network.model.domains["said"])[network(coded).argmax(dim=1).numpy()]
    assert (answers == model.solve(inputs)["said"]).all()


def test_the_circuit_found_is_the_variable_that_the_answer_depends_on(one: cg.Fingerprint) -> None:
    assert [site.hook for site in one.circuit.sites] == ["nodes.sum"] and one.accuracy == 1.0
    assert all(site.hook.startswith("nodes.idle") for item in one.admitted for site in item.edit.sites)


def test_every_gram_matrix_of_a_fingerprint_is_that_of_the_theory(one: cg.Fingerprint) -> None:
    known = exact(adder("ab", 0), one)
    for gram, rows in zip([one.clean_gram, *one.grams], known, strict=True):
        np.testing.assert_allclose(gram, rows.T @ rows, rtol=0, atol=1e-9)  # read in single precision


def test_distances_and_congruity_of_two_sides_are_those_of_the_theory(one: cg.Fingerprint, two: cg.Fingerprint) -> None:
    both = np.concatenate([exact(adder("ab", 0), one)[1:], exact(adder("bc", 1), two)[1:]])
    table = equivalence.procrustes(both) * np.sqrt(both.shape[2])
    found = cg.compare(one, two, distance="procrustes")
    np.testing.assert_allclose(found.table.values, table, atol=1e-7)
    expected = described(table, ["a"] * 6 + ["b"] * 6)
    assert found.p_within == pytest.approx((expected.p1, expected.p2)) and found.score == expected.score
    sets = equivalence.d_interp(table, np.arange(12) < 6)
    known = {one.number: one for one in found.certificate()}["S2"]
    if known.kind == "certain":
        assert sets.d_interp <= known.value[1]
    else:
        assert sets.nearest > min(sets.compressions) and found.score == 0.0


def test_spectral_distances_lie_between_their_bounds_by_procrustes(one: cg.Fingerprint, two: cg.Fingerprint) -> None:
    both = np.concatenate([exact(adder("ab", 0), one)[1:], exact(adder("bc", 1), two)[1:]])
    procrustes = equivalence.procrustes(both) * np.sqrt(both.shape[2])
    found = cg.compare(one, two, distance="spectral").table
    worse = np.maximum(found.values, found.values.T)
    assert (worse <= procrustes + 1e-3).all() and (worse >= procrustes / np.sqrt(2) - 1e-3).all()


def test_a_network_is_as_near_to_other_draws_of_itself_as_they_are(one: cg.Fingerprint) -> None:
    again = side("ab", 0, seed=1, circuit=one.circuit)
    found = cg.compare(one, again, distance="procrustes")
    assert found.rho == 0.0 and found.score > 0.5


def test_what_is_read_without_intervening_cannot_tell_a_chain_from_a_fork() -> None:
    def model(second: str) -> CausalModel:
        idle = adder("ab", 3).mechanisms
        mechanisms = {name: part for name, part in idle.items() if name.startswith("idle")}
        first = {"sum": (("a", "b"), lambda x, y: (x + y) % 4)}
        copied = (("sum",), lambda s: s) if second == "chain" else (("a", "b"), lambda x, y: (x + y) % 4)
        total = {"total": (("copy", "c"), lambda s, z: (s + z) % 4)}
        return CausalModel(LETTERS, first | {"copy": copied} | total | mechanisms, ("total",))

    sides = [
        cg.fingerprint(Causal(model(kind)), causal_network(model(kind), name=kind), n=4, budget=BUDGET)
        for kind in ("chain", "fork")
    ]
    assert cg.compare(*sides, distance="procrustes").rho == pytest.approx(0.0, abs=1e-6)
    small = [
        CausalModel({"x": (0, 1)}, {"v": lambda x: x, "w": second}, ("w",)) for second in (lambda v: v, lambda x: x)
    ]
    same = Alignment({"v": ("v",), "w": ("w",)})
    assert abstraction_error(small[0], small[1], same, Interchanges.plain(small[1])).exact
    assert not abstraction_error(small[0], small[1], same, Interchanges.every(small[1])).exact


def test_what_is_no_network_or_no_task_is_refused() -> None:
    bits = {"a": (0, 1)}
    with pytest.raises(InputError, match="one output that is no input"):
        CausalNetwork(CausalModel(bits, {"y": lambda a: a, "z": lambda a: a}, ("y", "z")))
    with pytest.raises(InputError, match="a variable between inputs and output"):
        causal_network(CausalModel(bits, {"y": lambda a: a}, ("y",)), name="empty")
    with pytest.raises(InputError, match="x is a real number"):
        CausalNetwork(CausalModel({"x": None}, {"y": lambda x: x > 0}, ("y",)))
    with pytest.raises(TaskError, match="one answer to all 2 inputs"):
        Causal(CausalModel(bits, {"y": lambda a: a * 0}, ("y",))).examples()
    with pytest.raises(TaskError, match="needs one output; the model has 2"):
        Causal(CausalModel(bits, {"y": lambda a: a, "z": lambda a: a}, ("y", "z"))).examples()
