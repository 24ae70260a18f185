"""The ground-truth benchmark: its statistics against other implementations, its rules, and entries from outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from congruity.bench import ground_truth, measures
from congruity.bench.ground_truth import congruities
from congruity.bench.measures import Entry
from congruity.bench.network import Network
from congruity.errors import InputError
from congruity.inference.described import described
from congruity.protocols import silent


def networks(count: int, *, seed: int = 0, apart: float = 3.0) -> list[Network]:
    """Networks of two algorithms of one family, and one family more: blobs around two centres."""
    random = np.random.default_rng(seed)
    centres = {"one": random.normal(size=(2, 8, 3, 4)), "two": random.normal(size=(2, 8, 3, 4))}
    return [
        Network(f"{family}/{name}/{i}", family, name, apart * centre + random.normal(size=centre.shape))
        for family in ("f", "g")
        for name, centre in centres.items()
        for i in range(count)
    ]


def test_weighted_congruity_is_that_of_the_estimate_and_leaves_a_network_out_of_its_own_triples() -> None:
    random = np.random.default_rng(1)
    points = random.normal(size=(9, 2))
    table = np.linalg.norm(points[:, None] - points[None], axis=-1) * random.uniform(0.9, 1.1, (9, 9))  # directed
    a, b = [0, 2, 4, 6], [1, 3, 5, 7, 8]
    draws = np.concatenate([np.ones((1, 9)), random.multinomial(9, np.full(9, 1 / 9), size=20).astype(float)])
    found = congruities(table, a, b, draws)
    rows = [*a, *b]
    whole = described(table[np.ix_(rows, rows)], [0] * 4 + [1] * 5)
    assert found[0] == pytest.approx(whole.score, abs=1e-12)
    compared = 0
    for value, weights in zip(found[1:], draws[1:], strict=True):
        copies = [i for i in rows for _ in range(int(weights[i]))]
        side = [int(i in b) for i in copies]
        if min(len({i for i in copies if i in part}) for part in (a, b)) < 2:
            continue
        expected = described(table[np.ix_(copies, copies)], side, base=[str(i) for i in copies])
        assert value == pytest.approx(expected.score, abs=1e-12)
        compared += 1
    assert compared > 10


def test_areas_are_those_of_scikit_learn_with_and_without_weights() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(2)
    for _ in range(20):
        values = random.integers(0, 6, size=30).astype(float)  # many ties
        same = random.random(30) < 0.4
        same[:2] = True, False
        weights = random.integers(0, 3, size=30).astype(float)
        weights[:2] = 1.0
        expected = metrics.roc_auc_score(same, -values)
        assert ground_truth._area(values, same, np.ones(30)) == pytest.approx(expected)
        expected = metrics.roc_auc_score(same, -values, sample_weight=weights)
        assert ground_truth._area(values, same, weights) == pytest.approx(expected)


def test_a_family_that_lies_farther_apart_says_nothing() -> None:
    found = [
        Network(f"{f}{a}{i}", f, a, np.ones((1, 1, 1, 1)))
        for f in "fg"
        for a in "abc"[: 3 if f == "f" else 2]
        for i in range(4)
    ]
    table = np.array([[2.0 if one.family == "f" else 1.0 for _ in found] for one in found])
    assert ground_truth._auroc(*ground_truth._listed(table, found)) == 0.5


def test_the_reading_is_chosen_on_other_networks_than_it_is_reported_on() -> None:
    """Two readings, each perfect on one half and blind on the other: the one that is right for the choice is taken."""
    choose, report = networks(12, seed=0), networks(12, seed=1)
    own = {id(network.states) for network in choose}

    def table(given: Any, reading: tuple[str, str]) -> Any:
        good = (id(given[0].states) in own) == (reading == ground_truth.RECIPE)
        labels = np.array([n.algorithm == "one" for n in given])
        return (labels[:, None] != labels).astype(float) if good else np.zeros((len(given), len(given)))

    row = ground_truth._judged(Entry(table), choose, report, False)
    assert row["reading"] == "all layers / mean" and row["chosen_at"] == 1.0 and row["pair_auroc"] == 0.5


def test_intervals_hold_what_they_say() -> None:
    """Nominal 95 % over 60 samples of six-network groups; the area of a very large sample stands for the truth."""

    def row(count: int, seed: int) -> dict[str, Any]:
        random = np.random.default_rng(seed)
        points = np.concatenate([random.normal(size=(count, 2)) + shift for shift in (0.0, 0.9, 1.8)])
        found = [Network(f"{a}{i}", "f", a, np.zeros((1, 1, 1, 1))) for a in "abc" for i in range(count)]
        table = np.linalg.norm(points[:, None] - points[None], axis=-1)
        return ground_truth._row(table, found, False)

    rows = [row(12, seed) for seed in range(60)]
    for key, prefix in (("group_auroc", ""), ("pair_auroc", "pair_"), ("mean_auroc", "mean_")):
        truth = np.mean([r[key] for r in rows])
        inside = np.mean([r[f"{prefix}low"] <= truth <= r[f"{prefix}high"] for r in rows])
        assert inside >= 0.85, (key, inside)
        assert all(r[f"{prefix}low"] <= r[key] <= r[f"{prefix}high"] for r in rows)


def test_a_row_separates_what_is_separate_and_not_what_is_not() -> None:
    def row(apart: float) -> dict[str, Any]:
        found = networks(12, apart=apart)
        table = ground_truth._tabled(Entry(measures.built_in("procrustes")), found, ground_truth.RECIPE)
        assert np.isnan(table[0, -1]) and not np.isnan(table[0, 1]), "families are never compared"
        return ground_truth._row(table, found, False)

    clear, none = row(3.0), row(0.0)
    assert clear["group_auroc"] == clear["pair_auroc"] == clear["mean_auroc"] == 1.0
    assert clear["missed"] == 0.0 and clear["groups"] == [4, 8]
    assert none["pair_low"] < 0.5 < none["pair_high"] and none["missed"] > 0.5


def test_readings_are_what_they_are_called() -> None:
    states = np.arange(3 * 4 * 2 * 1, dtype=float).reshape(3, 4, 2, 1)
    network = Network("n", "f", "a", states)
    (tokens,) = network.read("last layer", "tokens")
    assert tokens[:, 0].tolist() == [16.0, 19.0, 20.0, 23.0], "one token of each input, positions in turn"
    (mean,) = network.read("middle layer", "mean")
    assert mean[:, 0].tolist() == [8.5, 10.5, 12.5, 14.5]
    assert [part[0, 0] for part in network.read("all layers", "last token")] == [1.0, 9.0, 17.0]


def test_an_entry_from_outside_is_judged_like_the_others() -> None:
    def far(x: Any, y: Any) -> float:
        return float(np.linalg.norm(x @ x.T - y @ y.T))

    table = measures.entered("mine", far)
    found = networks(3)
    values = table(found, ground_truth.RECIPE)
    x, y = (np.concatenate(list(n.read(*ground_truth.RECIPE)), axis=1) for n in found[:2])
    x, y = ((z - z.mean(axis=0)) / np.linalg.norm(z - z.mean(axis=0)) for z in (x, y))
    assert values[0, 1] == pytest.approx(far(x, y)) and not values.diagonal().any()
    shifted = measures.entered("mine", lambda x, y: far(x, y) - 1e6)(found, ground_truth.RECIPE)
    assert shifted.min() == 0.0 and np.argmax(shifted[0]) == np.argmax(values[0])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (lambda x, y: float("nan"), r"measure 'mine' gave nan for f/one/0 and f/one/1; it must be a finite number"),
        (lambda x, y: 1 / 0, r"measure 'mine' raised ZeroDivisionError for shapes \(8, 8\) and \(8, 8\)"),
        (lambda x, y: "far", "measure 'mine' raised ValueError"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named(entry: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        measures.entered("mine", entry)(networks(2), ground_truth.RECIPE)


# -------------------------------------------------------------------------------------------- compiled and disguised


def test_inputs_are_half_of_the_commonest_answer_and_none_twice() -> None:
    from congruity import algorithms
    from congruity.bench import known_inputs

    for family in algorithms.REGISTRY:
        tokens = known_inputs.inputs(family, 0, "choose")
        first = family.truth(tokens)[:, 0]
        assert len(np.unique(tokens, axis=0)) == len(tokens) == 96
        assert 0.3 <= (first == np.bincount(first).argmax()).mean() <= 0.7
        assert (tokens == known_inputs.inputs(family, 0, "choose")).all()
        assert not (tokens == known_inputs.inputs(family, 0, "report")).all()
        base, source = known_inputs.pairs(family, 0, "choose")
        assert len(base) == 192 and ((base != source).sum(axis=1)[96:] == 1).all(), "half are one token apart"


def test_loudness_is_what_it_says_and_deafens() -> None:
    pytest.importorskip("tracr", reason="congruity[rasp]")
    pytest.importorskip("torch")
    from congruity import algorithms
    from congruity.bench import compiled_networks, known_inputs
    from congruity.models import compiled_reading

    family = algorithms.by_name("mode")
    weights = compiled_networks._compiled("mode", "frequency", 5)
    tokens = known_inputs.inputs(family, 0, "choose")
    make = {"seed": 1, "blocks": 2, "extra": 9, "padding": 3}
    quiet, loud = (
        compiled_networks._variance(
            compiled_reading.states(compiled_networks._disguise(weights, make, loudness, tokens), tokens)
        )
        for loudness in (1e-6, 2.0)
    )
    assert loud / quiet == pytest.approx(5.0, rel=1e-3), "1 + loudness squared"
    deafening = list(compiled_networks._made(1e4, 0, True, "choose", silent))
    for name in ("procrustes", "cka"):
        table = ground_truth._tabled(Entry(measures.built_in(name)), deafening, ground_truth.RECIPE)
        area = ground_truth._auroc(*ground_truth._listed(table, deafening))
        assert abs(area - 0.5) < 0.25, "noise knows no algorithm"
    table = measures.swaps.distances([network.responses["parts"] for network in deafening])
    assert ground_truth._auroc(*ground_truth._listed(table, deafening)) == 1.0, "what is inert answers no swap"
    names = [network.name for make in compiled_networks.regimes(0, True).values() for network in make("choose", silent)]
    assert len(set(names)) == len(names) == 12
