"""The ground-truth benchmark: its statistics against other implementations, its rules, and entries from outside."""

from __future__ import annotations

import dataclasses
import functools
import json
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from congruity import cli
from congruity._base.progress import silent
from congruity.bench.ground_truth import benchmark as ground_truth
from congruity.bench.ground_truth import causal, compiled, measures, plugins, scoring, trained
from congruity.bench.ground_truth.measures import Entry
from congruity.bench.ground_truth.scoring import congruities
from congruity.errors import InputError, StoreError
from congruity.inference.described import described
from congruity.inference.ranks import mann_whitney
from congruity.known import inputs as known_inputs
from congruity.known import response_distance, shipped
from congruity.known.recorded import RECIPE, Network


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
        assert mann_whitney(values[same], values[~same]) == pytest.approx(expected)
        expected = metrics.roc_auc_score(same, -values, sample_weight=weights)
        both = weights[same], weights[~same]
        assert mann_whitney(values[same], values[~same], weights=both) == pytest.approx(expected)


def test_a_family_that_lies_farther_apart_says_nothing() -> None:
    found = [
        Network(f"{f}{a}{i}", f, a, np.ones((1, 1, 1, 1)))
        for f in "fg"
        for a in "abc"[: 3 if f == "f" else 2]
        for i in range(4)
    ]
    table = np.array([[2.0 if one.family == "f" else 1.0 for _ in found] for one in found])
    assert scoring.pair_auroc(table, found) == 0.5


def test_the_reading_is_chosen_on_other_networks_than_it_is_reported_on() -> None:
    """Two readings, each perfect on one half and blind on the other: the one that is right for the choice is taken."""
    choose, report = networks(12, seed=0), networks(12, seed=1)
    own = {id(network.states) for network in choose}

    def table(given: Any, reading: tuple[str, str]) -> Any:
        good = (id(given[0].states) in own) == (reading == RECIPE)
        labels = np.array([n.algorithm == "one" for n in given])
        return (labels[:, None] != labels).astype(float) if good else np.zeros((len(given), len(given)))

    row = scoring.scored(Entry(table), choose, report, False)
    assert row["reading"] == "all layers / mean" and row["chosen_at"] == 1.0 and row["pair_auroc"] == 0.5


@pytest.mark.parametrize("apart", [0.9, 2.6], ids=["overlapping", "nearly apart"])
def test_intervals_hold_what_they_say(apart: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nominal 95 % over 60 samples of two six-network groups an algorithm; the truth is the mean of 120 others."""

    undecided = types.SimpleNamespace(verdict="undecided")  # verdicts are not at stake here and take longest
    monkeypatch.setattr(scoring, "estimate", lambda *arguments, **options: undecided)

    def row(seed: int) -> dict[str, Any]:
        random = np.random.default_rng(seed)
        points = np.concatenate([random.normal(size=(12, 2)) + apart * shift for shift in range(3)])
        found = [Network(f"{a}{i}", "f", a, np.zeros((1, 1, 1, 1))) for a in "abc" for i in range(12)]
        return scoring.figures(np.linalg.norm(points[:, None] - points[None], axis=-1), found, True, groups_of=6)

    rows, others = [row(seed) for seed in range(60)], [row(seed) for seed in range(1000, 1120)]
    for key, prefix in (("group_auroc", ""), ("pair_auroc", "pair_"), ("mean_auroc", "mean_")):
        truth = np.mean([r[key] for r in others])
        inside = np.mean([r[f"{prefix}low"] <= truth <= r[f"{prefix}high"] for r in rows])
        assert inside >= 0.88, (key, inside)  # 60 draws of .95 lie beneath this once in a hundred times
        assert all(r[f"{prefix}low"] <= r[key] <= r[f"{prefix}high"] for r in rows)
        assert all(r[f"{prefix}low"] < r[f"{prefix}high"] for r in rows), "no interval without width"


def test_a_row_separates_what_is_separate_and_not_what_is_not() -> None:
    def row(apart: float) -> dict[str, Any]:
        found = networks(12, apart=apart)
        table = scoring.tabled(Entry(measures.built_in("procrustes")), found, RECIPE)
        assert np.isnan(table[0, -1]) and not np.isnan(table[0, 1]), "families are never compared"
        return scoring.figures(table, found, True, groups_of=6)

    clear, none = row(3.0), row(0.0)
    assert clear["group_auroc"] == clear["pair_auroc"] == clear["mean_auroc"] == 1.0
    assert clear["missed"] == 0.0 and clear["groups"] == [4, 8]
    assert none["pair_low"] < 0.5 < none["pair_high"] and none["missed"] > 0.5


def test_mimics_count_with_their_algorithm_and_their_target_alone() -> None:
    """A measure that sees nothing but the target is wrong every time, in pairs and in groups; one that is not fooled
    is right every time."""
    plain = [Network(f"{a}{i}", "f", a, np.zeros((1, 1, 1, 1))) for a in "ab" for i in range(6)]
    mimics = [
        Network(f"mimic-{a}{i}", "f", a, np.zeros((1, 1, 1, 1)), target=f"{'ba'['ab'.index(a)]}{i}")
        for a in "ab"
        for i in range(6)
    ]
    found = [*plain, *mimics]
    compared = scoring.compared_pairs(found)
    assert compared.sum() == 2 * (12 * 6 + 12), "each with six of its algorithm, and with its target"
    random = np.random.default_rng(0)
    noise = random.uniform(0.4, 0.6, size=(24, 24))
    seen = np.array([n.target or n.name for n in found])
    fooled = np.where(seen[:, None] == seen, 0.1, noise) + noise.T * 0.01
    algorithm = np.array([n.algorithm for n in found])
    right = np.where(algorithm[:, None] == algorithm, 0.1, 1.0) * noise
    of_target = np.array([n.target[0] if n.target else n.algorithm for n in found])
    wrong = np.where(of_target[:, None] == of_target, 0.1, 1.0) * noise
    rows = {
        name: scoring.figures(table, found, True, groups_of=6)
        for name, table in (("fooled", fooled), ("right", right), ("wrong", wrong))
    }
    assert rows["fooled"]["pair_auroc"] == 0.0 and rows["right"]["pair_auroc"] == rows["right"]["group_auroc"] == 1.0
    assert rows["wrong"]["group_auroc"] == rows["wrong"]["pair_auroc"] == 0.0 and rows["right"]["groups"] == [2, 2]


def test_networks_of_one_job_are_not_compared() -> None:
    found = [Network(f"a{i}", "f", "a", np.zeros((1, 1, 1, 1)), job=f"job{i // 2}") for i in range(4)]
    assert scoring.compared_pairs(found).sum() == 8
    assert scoring.compared_pairs([dataclasses.replace(n, job="") for n in found]).all()


def test_hard_pairs_are_those_whose_layouts_say_the_contrary() -> None:
    """A measure that reads the layout is right on easy pairs and wrong on every hard one."""
    found, random = [], np.random.default_rng(0)
    for a in "ab":
        for i in range(12):
            usual = (a == "a") == (i < 8)
            layout = np.array([4.0, 1.0, 0.0] if usual else [1.0, 4.0, 0.0])
            layout[:2] += random.uniform(-0.1, 0.1, 2)
            found.append(Network(f"{a}{i}", "f", a, np.zeros((1, 1, 1, 1)), layout=layout))
    where = np.stack([np.asarray(n.layout) for n in found])
    by_layout = np.linalg.norm(where[:, None] - where[None], axis=-1)
    algorithm = np.array([n.algorithm for n in found])
    truth = (algorithm[:, None] != algorithm) + 0.01 * by_layout
    layout, right = (scoring.figures(table, found, True, groups_of=6) for table in (by_layout, truth))
    assert layout["hard_auroc"] < 0.05 < 0.4 < layout["pair_auroc"] and right["hard_auroc"] == 1.0


def test_an_algorithm_with_too_few_networks_is_named_and_not_judged() -> None:
    few = [n for n in networks(12) if n.algorithm == "one" or n.name.endswith(("0", "1", "2"))]
    assert scoring.lacking(few, few, False) == ("f/two", "g/two")
    assert not scoring.lacking(networks(12), networks(12), False)


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

    table = measures.from_function("mine", far)
    found = networks(3)
    values = table(found, RECIPE)
    x, y = (np.concatenate(list(n.read(*RECIPE)), axis=1) for n in found[:2])
    x, y = ((z - z.mean(axis=0)) / np.linalg.norm(z - z.mean(axis=0)) for z in (x, y))
    assert values[0, 1] == pytest.approx(far(x, y)) and not values.diagonal().any()
    shifted = measures.from_function("mine", lambda x, y: far(x, y) - 1e6)(found, RECIPE)
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
        measures.from_function("mine", entry)(networks(2), RECIPE)


# -------------------------------------------------------------------------------------------- compiled and disguised


def test_inputs_are_half_of_the_commonest_answer_and_none_twice() -> None:
    from congruity.known import algorithms

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
    from congruity.known import algorithms
    from congruity.known.networks import compiled_reading

    family = algorithms.by_name("mode")
    weights = compiled._compiled("mode", "frequency", 5)
    tokens = known_inputs.inputs(family, 0, "choose")
    make = {"seed": 1, "blocks": 2, "extra": 9, "padding": 3}
    quiet, loud = (
        compiled._variance(compiled_reading.states(compiled._disguise(weights, make, loudness, tokens), tokens))
        for loudness in (1e-6, 2.0)
    )
    assert loud / quiet == pytest.approx(5.0, rel=1e-3), "1 + loudness squared"
    deafening = list(compiled._made(1e4, 0, True, "choose", silent))
    for name in ("procrustes", "cka"):
        table = scoring.tabled(Entry(measures.built_in(name)), deafening, RECIPE)
        area = scoring.pair_auroc(table, deafening)
        assert abs(area - 0.5) < 0.25, "noise knows no algorithm"
    table = response_distance.distances([network.responses["parts"] for network in deafening])
    assert scoring.pair_auroc(table, deafening) == 1.0, "what is inert answers no swap"
    assert len({network.name for network in deafening}) == len(deafening) == 12


# ---------------------------------------------------------------------------------------------- other regimes, pages


def test_a_layer_that_is_bent_with_power_one_is_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    state = np.random.default_rng(0).normal(size=(40, 3, 6)) @ np.diag([3.0, 1.0, 1.0, 0.3, 0.01, 0.0]) + 5.0
    curved = trained.bent(state, np.random.default_rng(1))
    assert curved.shape == state.shape and not np.allclose(curved, state, atol=0.3)
    assert len(np.unique(curved.reshape(120, 6).round(5), axis=0)) == 120, "invertible: no two inputs fall together"
    monkeypatch.setattr(trained, "_POWER", 1.0)
    assert np.allclose(trained.bent(state, np.random.default_rng(1)), state, atol=1e-5)


@pytest.mark.parametrize("count", [4, 15])
def test_clock_and_pizza_add_right_on_every_input(count: int) -> None:
    draw = functools.partial(causal._frequencies, count=count)
    for build in causal._turning(draw).values():
        for seed in range(3):
            model = build(np.random.default_rng(seed))
            solved = model.solve(model.every_input())
            assert (solved["sum"] == (solved["a"] + solved["b"]) % 31).all()


def test_chain_and_fork_differ_for_who_swaps_and_for_nobody_else() -> None:
    makes = causal.regimes(0, False)["chain and fork"]
    found = list(makes("report", silent))
    areas = {
        name: scoring.pair_auroc(scoring.tabled(entry, found, entry.readings[0]), found)
        for name, entry in measures.applicable(found, {}, fast=True).items()
    }
    assert areas["swaps"] == 1.0
    assert all(abs(areas[name] - 0.5) < 0.1 for name in ("ridge", "procrustes", "cka", "rsa", "svcca")), areas


def test_the_small_benchmark_runs_and_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tracr", reason="congruity[rasp]")
    pytest.importorskip("torch")
    monkeypatch.setenv("CONGRUITY_CACHE", str(tmp_path))
    regimes = ["compiled, loudness 1", "trained, values", "trained, bent", "chain and fork"]
    found = ground_truth.run(0, True, silent, plugins={"constant": lambda x, y: 1.0}, only=regimes)
    assert list(found["regimes"]) == regimes
    for regime, rows in found["regimes"].items():
        assert {"ridge", "ridge, the paper's recipe", "constant", "nuisance: depth"} <= set(rows), regime
        assert rows["constant"]["pair_auroc"] == rows["constant"]["group_auroc"] == 0.5, "ties are no evidence"
        for row in rows.values():
            assert all(0 <= row[key] <= 1 for key in ("group_auroc", "low", "high", "false_alarm", "missed"))
    bent, values = (found["regimes"][f"trained, {way}"]["swaps"] for way in ("bent", "values"))
    assert bent["pair_auroc"] == values["pair_auroc"], "to who intervenes they are the same networks"
    assert found["networks"]["trained, values"]["report"] == {"permutation/repeat": 6, "permutation/count": 6}
    pages = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "tables.py"))
    whole = found | {"command": "congruity bench ground-truth --small", "seed": 0}
    page, board = pages["PAGES"]["ground_truth"](whole), pages["DOCS"]["leaderboard"][1](whole)
    assert "## Chain and fork" in page and "nan" not in page and "| constant |" in board
    rows = ground_truth.rows(found)
    assert {row["measure"] for row in rows} >= {"swaps", "constant"} and all(row["regime"] for row in rows)


# ---------------------------------------------------------------------------- what comes with the package, and entries


def whole(i: int) -> Network:
    random = np.random.default_rng(i)
    base = np.random.default_rng(i % 2).normal(size=(2, 96, 3, 5))
    responses = random.normal(size=(50, 192 * 2)) * np.linspace(1, 0, 50)[:, None]
    return Network(
        f"n{i}",
        "f",
        "ab"[i % 2],
        base + 0.3 * random.normal(size=base.shape),
        answers=random.random((96, 2)),
        responses={"nodes": responses},
        layout=np.arange(3.0),
    )


def test_what_is_packed_gives_the_distances_of_what_it_was_made_from() -> None:
    networks = [whole(i) for i in range(8)]
    content = shipped.pack(networks[:4], networks[4:])
    found = list(shipped.unpack(content, "report"))
    assert [n.name for n in found] == ["n4", "n5", "n6", "n7"] and len(list(shipped.unpack(content, "choose"))) == 4
    for plain, packed in zip(networks[4:], found, strict=True):
        assert (packed.depth, packed.width, packed.readings) == (2, 5, shipped.READINGS)
        assert packed.layout is not None and packed.layout.tolist() == [0, 1, 2]
        assert np.allclose(packed.answers, np.asarray(plain.answers)[::2], atol=1e-3)
        sizes = np.linalg.norm(packed.responses["nodes"], axis=1)
        assert packed.responses["nodes"].shape == (40, 64 * 2) and (np.diff(sizes) <= 1e-3).all()
    for reading in shipped.READINGS:
        halved = [dataclasses.replace(n, states=n.states[:, ::2]) for n in networks[4:]]
        for name in ("procrustes", "cka", "ridge"):
            table = measures.built_in(name)
            if reading[1] != "tokens":  # one token an input: which one goes by the input's number
                assert np.allclose(table(found, reading), table(halved, reading), atol=3e-3), (name, reading)
        x, y = (next(iter(n.read(*reading))) for n in found[:2])
        assert x.shape == (48, 48) and not np.allclose(x, y)


def test_a_damaged_file_of_the_package_is_named() -> None:
    content = shipped.pack([whole(0)], [whole(1)])
    for broken in (b"", content[:300], b"no zip"):
        with pytest.raises(StoreError, match=r"default_zoo.npz: not the whole file"):
            list(shipped.unpack(broken, "report"))


def test_the_quick_benchmark_takes_a_measure_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "def far(x, y):\n    return float(np.linalg.norm(x @ x.T - y @ y.T))\n"
        "def near(x, y):\n    return -far(x, y)\n"
        "def broken(x, y):\n    return float('nan')\n"
        "constant = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    undecided = types.SimpleNamespace(verdict="undecided")  # verdicts are not at stake here and take longest
    monkeypatch.setattr(scoring, "estimate", lambda *arguments, **options: undecided)
    assert run(monkeypatch, "bench", "ground-truth", "--quick", "--json", "--measure", "mine.py:far") == 0
    (rows,) = json.loads(capsys.readouterr().out)["regimes"].values()
    assert rows["swaps"]["group_auroc"] > 0.9 and rows["nuisance: depth"]["pair_auroc"] < 0.7
    assert rows["mine.py:far"]["pair_auroc"] > 0.5 and set(rows["swaps"]["congruity"]) == {"same", "different"}
    both = plugins.by_spec(["mine.py:far", "-mine.py:near"])
    x, y = np.eye(3), np.ones((3, 3))
    assert both["mine.py:far"](x, y) == both["-mine.py:near"](x, y) > 0
    for arguments, message in (
        (["--measure", "mine.py:broken"], "measure 'mine.py:broken' gave nan for"),
        (["--measure", "mine.py:nothing"], "measure 'mine.py:nothing': there is no function nothing in mine.py"),
        (["--measure", "mine.py:constant"], "there is no function constant in mine.py"),
        (["--measure", "your.py:far"], "measure 'your.py:far': there is no file your.py"),
        (["--measure", "no.such.module:far"], "no.such.module cannot be imported: ModuleNotFoundError"),
        (["--measure", "far"], "measure 'far': give FILE.py:FUNCTION"),
    ):
        assert run(monkeypatch, "bench", "ground-truth", "--quick", *arguments) == 2
        assert message in capsys.readouterr().err
    assert run(monkeypatch, "bench", "ground-truth", "--quick", "--seed", "5") == 2
    assert "the networks that come with the package are of seed 0" in capsys.readouterr().err
    assert run(monkeypatch, "bench", "ground-truth", "--only", "trained, value") == 2
    assert "no regime is named 'trained, value'; did you mean 'trained, values'" in capsys.readouterr().err
    assert run(monkeypatch, "bench", "inference", "--quick") == 2
    assert "benchmark inference does not take quick; ground-truth does" in capsys.readouterr().err
    assert run(monkeypatch, "bench", "ground-truth", "--quick", "--measure", "similarity:measure/a/cka") == 4
    assert "measure 'similarity:measure/a/cka' needs similarity" in capsys.readouterr().err


def test_a_measure_of_the_similarity_repository_is_taken_by_its_identifier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository = types.ModuleType("similarity")
    repository.make = lambda identifier: lambda x, y: 2.0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "similarity", repository)
    names = ["-similarity:measure/rsatoolbox/cka", "similarity:measure/netrep/procrustes-distance=angular"]
    score, distance = plugins.by_spec(names).values()
    assert score(np.eye(2), np.eye(2)) == -2.0 and distance(np.eye(2), np.eye(2)) == 2.0
    repository.make = lambda identifier: {}[identifier]  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="measure 'similarity:a/b': the repository does not make a/b"):
        plugins.by_spec(["similarity:a/b"])


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["congruity", *arguments])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0
