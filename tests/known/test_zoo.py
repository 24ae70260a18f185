"""Networks whose algorithm is known: layouts, data, interchanges, training and its criteria, and storage on disk."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="congruity[models]")

from congruity import cli  # noqa: E402
from congruity._base.streams import stream  # noqa: E402
from congruity.errors import InputError, StoreError, UnknownNameError  # noqa: E402
from congruity.known import algorithms, zoo  # noqa: E402
from congruity.known.algorithms.family import inputs  # noqa: E402
from congruity.known.zoo import (  # noqa: E402
    criteria,
    impostors,
    interchange_data,
    layout,
    presets,
    reading,
    storage,
    training,
)
from congruity.known.zoo.criteria import Criteria  # noqa: E402
from congruity.known.zoo.layout import Node, Shape  # noqa: E402
from congruity.known.zoo.network import Networks, NodeInterchange  # noqa: E402
from congruity.known.zoo.relays import copies, kind, with_relays  # noqa: E402
from congruity.theory import interchange  # noqa: E402

EVERY = [(family, one) for family in algorithms.REGISTRY for one in family.algorithms]
every_algorithm = pytest.mark.parametrize(("family", "one"), EVERY, ids=[f"{f.name}-{a.name}" for f, a in EVERY])
SHAPE = Shape(3, 12, 2, 4, 16)


def small(**changes: Any) -> zoo.Job:
    """Two networks of one algorithm, trained for a moment."""
    job = next(iter(zoo.by_preset("smoke").jobs("values", 0)))
    recipe = dataclasses.replace(job.recipe, steps=3, batch=16)
    return dataclasses.replace(job, count=2, recipe=recipe, **changes)


# ---------------------------------------------------------------------------------------------------- causal models


@every_algorithm
def test_relays_change_no_response_to_an_interchange(family: Any, one: Any) -> None:
    n = family.length
    model = one.causal(n)
    tokens = family.every(n)
    random = stream(0, "test")
    here, there = (inputs(tokens[random.integers(len(tokens), size=600)]) for _ in range(2))
    whole = interchange.responses(model, here, there)
    counts = set()
    for kinds in (2, 3):
        for seed in range(4):
            other = with_relays(model, kinds, np.random.default_rng(seed))
            assert interchange.distance(whole, interchange.responses(other, here, there)) == 0.0
            counts.add(len({kind(name) for name in other.inner}))
    if one.name == "minimum":  # each minimum depends on the one before: a copy of each would be a stage of its own
        assert counts == {1}
    else:
        assert counts >= {2, 3}, "both numbers can be had, so that neither tells the algorithm"


def test_copies_are_found_by_their_values() -> None:
    named = {one.name: copies(one.causal(4)) for one in algorithms.by_name("permutation").algorithms}
    assert named["index"] == {"reversed"} and named["interleave"] == {"interleaved"} and not named["count"]


# ----------------------------------------------------------------------------------------------------------- layouts


@every_algorithm
def test_a_layout_lets_every_variable_be_computed_from_those_before_it(family: Any, one: Any) -> None:
    n = family.length
    shape = Shape(6, 8, 4, 2, 8)
    drawn = []
    for seed in range(30):
        model = with_relays(one.causal(n), 2 + seed % 2, np.random.default_rng(seed))
        if layout.needed(model) > shape.layers:
            continue
        found = layout.draw(model, n, shape, np.random.default_rng(seed))
        drawn.append(found)
        assert set(found.nodes) == set(model.inner)
        assert len(set(found.nodes.values())) == len(found.nodes), "no node carries two variables"
        for name, node in found.nodes.items():
            assert all(found.nodes[p].layer < node.layer for p in model.parents(name) if p in found.nodes)
            assert node.layer < found.answer
            assert not found.free[node.layer, node.part, node.position]
            if node.part == shape.heads:  # what a head at its place gathers for it must be allowed to matter
                assert not found.free[node.layer, :, node.position].any()
        places = list(layout.answers_at(model, n))
        assert not found.free[found.answer :, :, places].any() and found.free[: found.answer].any()
    assert len({tuple(sorted((k, dataclasses.astuple(v)) for k, v in one.nodes.items())) for one in drawn}) == len(
        drawn
    )


def test_a_layout_that_cannot_be_is_refused() -> None:
    model = algorithms.by_name("permutation").algorithms[0].causal(4)
    with pytest.raises(InputError, match=r"layout: 3 stages and the outputs need 4 layers; the shape has 3"):
        layout.draw(model, 4, SHAPE, np.random.default_rng(0))
    with pytest.raises(InputError, match="shape: heads is 0; it must be at least 1"):
        Shape(1, 1, 0, 1, 1)


# -------------------------------------------------------------------------------------------------- interchange data


@pytest.fixture(scope="module")
def taught() -> interchange_data.InterchangeData:
    family = algorithms.by_name("permutation")
    return interchange_data.InterchangeData(family, family.algorithms[3], kinds=2)  # parity


def test_interchanges_are_those_of_the_causal_model_and_many_change_the_answer(
    taught: interchange_data.InterchangeData,
) -> None:
    drawn = taught.interchange(600, np.random.default_rng(0))
    for row in range(0, 600, 23):
        base, source = (inputs(part[row : row + 1]) for part in (drawn.base, drawn.source))
        there = taught.model.solve(source)
        do = {name: there[name][0] for name, on in zip(taught.variables, drawn.variables[row], strict=True) if on}
        assert taught.model.answers(taught.model.solve(base, do=do))[0].tolist() == drawn.edited[row].tolist()
        assert taught.model.answers(taught.model.solve(base))[0].tolist() == drawn.plain[row].tolist()
    changed = (drawn.edited != drawn.plain).any(axis=1)
    assert 0.55 < changed.mean() < 0.75
    assert 0.4 < drawn.edited[changed].mean() < 0.6, "half of the changes are to yes"
    single = drawn.variables.sum(axis=1) == 1
    assert 0.35 < single.mean() < 0.65 and (drawn.variables[single].sum(axis=0) > 10).all()


def test_held_out_interchanges_are_not_those_of_the_training(taught: interchange_data.InterchangeData) -> None:
    mine, others = (
        {
            (tuple(b), tuple(s), tuple(v))
            for b, s, v in zip(part.base.tolist(), part.source.tolist(), part.variables.tolist(), strict=True)
        }
        for part in (taught._pool[0], taught._held_out[0])
    )
    assert len(others) > 10_000 and not mine & others


def test_inputs_are_half_diagnostic(taught: interchange_data.InterchangeData) -> None:
    tokens = taught.inputs(4000, np.random.default_rng(1))
    assert 0.48 < np.isin(taught.rows(tokens), taught.diagnostic).mean() < 0.56
    assert (taught.every[taught.rows(tokens)] == tokens).all()
    assert (taught.answers(tokens)[:, 0] == (np.sort(tokens, axis=1) == np.arange(5)).all(axis=1)).all()


def test_an_algorithm_that_is_not_the_familys_is_refused() -> None:
    family = algorithms.by_name("permutation")
    wider = dataclasses.replace(family, vocabulary=lambda n: n + 1)
    with pytest.raises(InputError, match=r"causal model: x\[.\] = 5 is outside its 5 values"):
        interchange_data.InterchangeData(wider, family.algorithms[3])
    other = dataclasses.replace(family, truth=lambda tokens: 1 - family.truth(tokens))
    with pytest.raises(InputError, match="permutation/parity: the causal model is not right on every input"):
        interchange_data.InterchangeData(other, family.algorithms[3])
    blind = dataclasses.replace(family, diagnostic=lambda tokens: np.ones(len(tokens), dtype=bool))
    with pytest.raises(InputError, match="diagnostic inputs must be some of all 3125"):
        interchange_data.InterchangeData(blind, family.algorithms[3])


# ---------------------------------------------------------------------------------------------------------- networks


def networks(count: int = 3) -> Networks:
    return Networks(list(range(count)), SHAPE, vocabulary=4, length=4, classes=5, answers=[1, 2, 3, 4])


def plainly(net: Networks, k: int, tokens: Any, edits: dict[Node, Any] | None = None) -> tuple[Any, dict[Node, Any]]:
    """One network on one input, position by position and head by head: (logits, what each node writes)."""
    w = {name: value.detach()[k].double().numpy() for name, value in net.weights.items()}
    shape, edits = net.shape, edits or {}

    def norm(x: Any, gain: Any) -> Any:
        return x / np.sqrt(np.mean(x**2) + 1e-6) * gain

    x = [w["tokens"][:, t] + w["positions"][:, i] for i, t in enumerate([4, *tokens])]
    wrote = {}
    for layer in range(shape.layers):
        h = [norm(one, w[f"norms_{layer}"][0]) for one in x]
        wide, size = shape.heads * shape.head_width, shape.head_width
        q, key, v = (
            [(w[f"qkv_{layer}"][part * wide : (part + 1) * wide] @ one).reshape(shape.heads, size) for one in h]
            for part in range(3)
        )
        new = [one.copy() for one in x]
        for head in range(shape.heads):
            for place in range(len(x)):
                score = np.array([q[place][head] @ other[head] for other in key]) / np.sqrt(size)
                weight = np.exp(score - score.max())
                z = sum(a * other[head] for a, other in zip(weight / weight.sum(), v, strict=True))
                node = Node(layer, head, place)
                wrote[node] = w[f"out_{layer}"][:, head * size : (head + 1) * size] @ z
                new[place] += edits.get(node, wrote[node])
        for place in range(len(x)):
            hidden = w[f"in_{layer}"] @ norm(new[place], w[f"norms_{layer}"][1]) + w[f"bias_{layer}"][:, 0]
            node = Node(layer, shape.heads, place)
            wrote[node] = w[f"after_{layer}"] @ np.maximum(hidden, 0)
            new[place] = new[place] + edits.get(node, wrote[node])
        x = new
    return np.stack([w["read"] @ norm(x[place], w["norm"]) for place in net.answers]), wrote


def test_networks_and_swaps_are_those_of_a_plain_loop() -> None:
    net = networks()
    random = np.random.default_rng(3)
    tokens = random.integers(4, size=(6, 4))
    nodes = random.random((3, SHAPE.layers, SHAPE.heads + 1, 5, 3)) < 0.1
    with torch.inference_mode():
        found = net(torch.as_tensor(tokens), NodeInterchange(torch.as_tensor(nodes), torch.tensor([0, 1, 2])))
    for k in range(3):
        for row in range(6):
            _, source = plainly(net, k, tokens[row - 3]) if row >= 3 else (None, {})
            chosen = nodes[k, ..., row - 3] if row >= 3 else np.zeros(nodes.shape[1:4], dtype=bool)
            edits = {node: value for node, value in source.items() if chosen[node.layer, node.part, node.position]}
            logits, wrote = plainly(net, k, tokens[row], edits)
            assert np.allclose(found.logits[k, :, :, row].T, logits, atol=1e-4)
            if row < 3:
                for node in (Node(0, 1, 2), Node(2, 2, 4)):
                    with torch.inference_mode():
                        assert np.allclose(net.node(found, k, node)[:, row], wrote[node], atol=1e-4)


def test_networks_that_run_together_are_as_if_alone() -> None:
    together = networks(3)
    alone = Networks([1], SHAPE, vocabulary=4, length=4, classes=5, answers=[1, 2, 3, 4])
    tokens = torch.as_tensor(np.random.default_rng(0).integers(4, size=(5, 4)))
    with torch.inference_mode():
        assert torch.allclose(together(tokens).logits[1], alone(tokens).logits[0], atol=1e-6)
        some = together.only([2, 1])
        assert some.seeds == (2, 1) and torch.allclose(some(tokens).logits, together(tokens).logits[[2, 1]], atol=1e-6)


def test_responses_are_changes_of_the_answers_under_single_interchanges() -> None:
    net = networks(2)
    random = np.random.default_rng(5)
    base, source = random.integers(4, size=(2, 3, 4))
    nodes = reading.responses(net, base, source, whole_parts=False)
    parts = reading.responses(net, base, source, whole_parts=True)
    assert nodes.shape == (2, 3 * 3 * 5, 3 * 4 * 5) and parts.shape == (2, 9, 3 * 4 * 5)

    def probabilities(logits: Any) -> Any:
        whole = np.exp(logits - logits.max(axis=1, keepdims=True))
        return whole / whole.sum(axis=1, keepdims=True)

    for pair in range(3):
        plain, _ = plainly(net, 1, base[pair])
        _, there = plainly(net, 1, source[pair])
        one, whole = Node(1, 0, 3), [Node(1, 0, place) for place in range(5)]
        for edits, got in (({one: there[one]}, nodes[1, 15 + 3]), ({n: there[n] for n in whole}, parts[1, 3])):
            edited, _ = plainly(net, 1, base[pair], edits)
            expected = probabilities(edited) - probabilities(plain)
            assert np.allclose(got.reshape(3, 4, 5)[pair], expected, atol=1e-4)


# ------------------------------------------------------------------------------------------ training and its criteria


def test_interchanges_are_of_a_variables_node_or_of_free_ones(taught: interchange_data.InterchangeData) -> None:
    shape = Shape(4, 12, 2, 4, 16)
    layouts = [layout.draw(taught.model, 5, shape, np.random.default_rng(seed)) for seed in range(3)]
    drawn = taught.interchange(400, np.random.default_rng(0))
    nodes, aligned = training.interchanged_nodes(layouts, taught, drawn, 0.6, np.random.default_rng(1), sets=True)
    assert 0.5 < aligned.mean() < 0.7
    for k, one in enumerate(layouts):
        for row in np.flatnonzero(aligned):
            mine = {
                dataclasses.astuple(one.nodes[name])
                for name, on in zip(taught.variables, drawn.variables[row], strict=True)
                if on
            }
            assert {tuple(at) for at in np.argwhere(nodes[k, ..., row]).tolist()} == mine
        others = nodes[k][..., ~aligned]
        assert not others[~one.free].any() and (others.sum(axis=(0, 1, 2)) >= 1).all()
        assert (others.sum(axis=(0, 1, 2)) > 1).mean() > 0.3, "some rows swap many"
    single, aligned = training.interchanged_nodes(layouts, taught, drawn, 0.6, np.random.default_rng(1), sets=False)
    assert (single[..., ~aligned].sum(axis=(1, 2, 3)) == 1).all()


def test_criteria_of_a_network_that_answers_no_whatever_it_sees(taught: interchange_data.InterchangeData) -> None:
    """Its figures are known without running it: right on every no, no interchange to yes, and no swap matters."""
    shape = Shape(4, 12, 2, 4, 16)
    net = Networks([0, 1], shape, vocabulary=5, length=5, classes=2, answers=[0])
    with torch.no_grad():
        net.weights["read"].zero_()
        net.weights["norm"].zero_()
    layouts = [layout.draw(taught.model, 5, shape, np.random.default_rng(seed)) for seed in range(2)]
    readouts = {name: np.zeros((2, 12, size), dtype=np.float32) for name, size in taught.kinds.items()}
    found = criteria.measured(net, taught, layouts, readouts, seed=0)
    for one in found:
        assert one.accuracy == 0.0, "the worse of diagnostic inputs (all yes) and others (all no)"
        assert 0.5 < one.strictness < 0.65, "right wherever the base is a no"
        assert 0.4 < one.interchange < 0.6, "of those that change, half are to no"
        assert not one.passes(zoo.needed("plain"))


def test_a_gate_with_nan_is_not_passed() -> None:
    nothing = Criteria(0.0, 0.0, 0.0, 0.0)
    assert nothing.passes(nothing) and not Criteria(1.0, float("nan"), 1.0, 1.0).passes(nothing)


def test_training_teaches_what_it_says_it_teaches() -> None:
    """A minute would pass the criteria; twelve seconds bring each loss far below what an untrained network has."""
    job = next(job for job in zoo.by_preset("default").jobs("values", 0) if job.algorithm == "index")
    job = dataclasses.replace(job, count=1, recipe=dataclasses.replace(job.recipe, steps=250))
    before = storage.trained(dataclasses.replace(job, recipe=dataclasses.replace(job.recipe, steps=0))).criteria[0]
    after = storage.trained(job).criteria[0]
    assert before.readout < 0.6 and after.readout > 0.85
    assert after.accuracy > 0.95 and before.accuracy < 0.5
    assert after.interchange > before.interchange + 0.2


def test_one_network_that_diverges_spoils_no_other_and_fails() -> None:
    job = small()
    expected = storage.trained(job)
    net, layouts, taught = storage._fresh(job)
    with torch.no_grad():
        net.weights["qkv_0"][0] = float("nan")
    readouts = training.train(net, taught, layouts, job.recipe, seed=job.seed)
    for name, value in net.weights.items():
        assert torch.equal(value[1], expected.networks.weights[name][1]), name
        assert value[0].isnan().all(), "it is marked, even where it would have gone on"
    broken, whole = criteria.measured(net, taught, layouts, readouts, seed=job.seed + 1)
    assert np.isnan(dataclasses.astuple(broken)).all() and not broken.passes(Criteria(0, 0, 0, 0))
    assert whole == expected.criteria[1]


def test_a_mimic_learns_to_be_mapped_and_only_a_mimic() -> None:
    """Residual streams that are a linear map of the targets' reach a loss of 0, and others do not."""
    targets = networks(2)
    tokens = torch.as_tensor(np.random.default_rng(0).integers(4, size=(64, 4)))
    loss = impostors.ImpostorLoss(targets)
    with torch.no_grad():
        seen = targets(tokens).residual
        turn = torch.linalg.qr(torch.randn(2, 12, 12, generator=torch.Generator().manual_seed(0)))[0]
        turned = [torch.einsum("kij,kj...->ki...", turn, part) for part in seen]
        noise = [torch.randn(part.shape, generator=torch.Generator().manual_seed(1)) for part in seen]
    assert torch.allclose(loss(turned, tokens), torch.ones(2)), "the maps begin at zero"
    for one in loss.maps:
        one.data = turn.mT.clone()
    assert loss(turned, tokens).max() < 1e-9 and loss(noise, tokens).min() > 1.0


# ----------------------------------------------------------------------------------------------------------- storage


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> zoo.Preset:
    monkeypatch.setenv("CONGRUITY_CACHE", str(tmp_path))
    preset = zoo.by_preset("smoke")
    recipe = dataclasses.replace(preset.recipe, steps=2, batch=16)
    preset = dataclasses.replace(preset, name="tiny", together=2, rounds=1, recipe=recipe)
    for module in (presets, zoo):
        monkeypatch.setattr(module, "REGISTRY", (*presets.REGISTRY, preset))
    return preset


def same(a: zoo.TrainedNetworks, b: zoo.TrainedNetworks) -> bool:
    return all(torch.equal(v, b.networks.weights[n]) for n, v in a.networks.weights.items()) and all(
        np.array_equal(v, b.readouts[n]) for n, v in a.readouts.items()
    )


def test_an_interrupted_training_resumes_to_the_same_networks(
    tiny: zoo.Preset, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    train = storage.trained

    def interrupted(job: zoo.Job, *args: Any, **more: Any) -> zoo.TrainedNetworks:
        calls.append(job.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(job, *args, **more)

    monkeypatch.setattr(storage, "trained", interrupted)
    with pytest.raises(KeyboardInterrupt):
        zoo.train_zoo(tiny, "values")
    first = list(zoo.load_zoo(tiny, "values"))
    assert len(first) == 1 and zoo.count(tiny, "values") == 2
    seen: list[tuple[int, int]] = []
    place = zoo.train_zoo(tiny, "values", progress=lambda stage, done, total: seen.append((done, total)))
    assert calls == [calls[0], calls[1], calls[1]], "what was there is not trained again"
    assert seen == [(2, 4), (4, 4)]
    whole = list(zoo.load_zoo(tiny, "values"))
    assert [batch.job.name for batch in whole] == [job.name for job in tiny.jobs("values", 0)]
    for batch in whole:
        anew = train(batch.job)
        assert same(anew, batch)
        assert np.allclose(*([dataclasses.astuple(one) for one in part.criteria] for part in (anew, batch)), atol=1e-6)
    assert not list(place.glob("*tmp*")), "nothing half-written is left"


def test_two_processes_give_the_networks_of_one(
    tiny: zoo.Preset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    zoo.train_zoo(tiny, "values", processes=2)
    two = list(zoo.load_zoo(tiny, "values"))
    monkeypatch.setenv("CONGRUITY_CACHE", str(tmp_path / "other"))
    zoo.train_zoo(tiny, "values", processes=1)
    assert all(same(a, b) for a, b in zip(two, zoo.load_zoo(tiny, "values"), strict=True))


def test_mimics_follow_networks_of_the_next_algorithm(tiny: zoo.Preset) -> None:
    jobs = list(zoo.by_preset("default").jobs("mimics", 0))
    assert len(jobs) == 12, "half as many"
    for job in jobs:
        assert job.target is not None and job.target.algorithm != job.algorithm and job.target.shape == job.shape
        assert job.target in list(zoo.by_preset("default").jobs("values", 0)) and job.seed != job.target.seed
    tiny = dataclasses.replace(tiny, rounds=2)
    zoo.train_zoo(tiny, "mimics")
    assert zoo.count(tiny, "mimics") == 4 and zoo.count(tiny, "values") == 8, "their targets are trained first"


def test_what_a_linear_map_explains() -> None:
    """A network explains itself and no other; twins whose streams are turned explain each other."""
    net = Networks([0, 1], SHAPE, vocabulary=4, length=4, classes=5, answers=[1])
    other = Networks([5, 1], SHAPE, vocabulary=4, length=4, classes=5, answers=[1])
    tokens = algorithms.by_name("sorting").every(4)
    itself, stranger = criteria.explained(net, net, tokens), criteria.explained(net, other, tokens)
    assert min(itself) > 1 - 1e-6 and stranger[1] > 1 - 1e-6 and 0 < stranger[0] < 0.98
    with torch.no_grad():
        net.weights["positions"][0] = float("nan")
    assert np.isnan(criteria.explained(net, other, tokens)[0]) and criteria.explained(net, other, tokens)[1] > 1 - 1e-6


def test_plain_training_knows_nothing_of_the_algorithm(tiny: zoo.Preset) -> None:
    """Two algorithms of one function: the same initial weights and the same draws give the same network."""
    job = next(iter(tiny.jobs("plain", 0)))
    made = []
    for name in ("repeat", "count"):
        _, layouts, taught = storage._fresh(dataclasses.replace(job, algorithm=name))
        net = Networks([3, 4], job.shape, vocabulary=5, length=5, classes=2, answers=taught.positions)
        training.train(net, taught, layouts, job.recipe, seed=0)
        made.append(net)
    assert all(torch.equal(value, made[1].weights[name]) for name, value in made[0].weights.items())


def test_a_device_or_a_zoo_that_is_not_there(tiny: zoo.Preset) -> None:
    for device in ("nonsense", *(() if torch.cuda.is_available() else ("cuda",))):
        with pytest.raises(InputError, match=rf"device '{device}' cannot be used"):
            zoo.train_zoo(tiny, "values", device=device)
    with pytest.raises(InputError, match="zoo tiny has no networks trained as mimics; take a larger one"):
        zoo.train_zoo(tiny, "mimics")


def test_a_damaged_file_is_named(tiny: zoo.Preset) -> None:
    place = zoo.train_zoo(tiny, "plain")
    path = sorted(place.glob("*.safetensors"))[0]
    content = path.read_bytes()
    flipped = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    for broken in (content[: len(content) // 2], b"", content.replace(b"plain", b"plane"), flipped):
        path.write_bytes(broken)
        with pytest.raises(StoreError, match=r"not a whole file of a zoo .*; remove it and train the zoo again"):
            list(zoo.load_zoo(tiny, "plain"))


def test_ways_and_presets() -> None:
    with pytest.raises(UnknownNameError, match="no way to train is named 'value'; did you mean 'values'"):
        list(zoo.by_preset("default").jobs("value", 0))
    with pytest.raises(UnknownNameError, match="no zoo is named 'defalt'"):
        zoo.by_preset("defalt")
    jobs = list(zoo.by_preset("default").jobs("values", 0))
    assert sum(job.count for job in jobs) == 120 and len({job.name for job in jobs}) == len(jobs)
    for algorithm in {job.algorithm for job in jobs}:  # nothing but the algorithm differs between them
        mine = sorted((dataclasses.astuple(j.shape), j.kinds, j.count) for j in jobs if j.algorithm == algorithm)
        assert mine == sorted((dataclasses.astuple(j.shape), j.kinds, j.count) for j in jobs if j.algorithm == "count")
    for way in ("values", "labels", "plain", "mimics"):
        assert len({job.recipe for job in zoo.by_preset("default").jobs(way, 0)}) == 1, "trained alike, as long"
    for way in ("labels", "plain"):
        recipes = {job.recipe for job in zoo.by_preset("default").jobs(way, 0)}
        assert all(one.readout == 0 and (one.interchange == 0) == (way == "plain") for one in recipes)
        assert all(one.mimicry == 0 for one in recipes)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["congruity", *arguments])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_commands(tiny: zoo.Preset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "zoo", "check", "tiny") == 2
    assert "no network of tiny, values, seed 0 is trained" in capsys.readouterr().err
    assert run(monkeypatch, "zoo", "train", "tiny", "--processes", "1", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert len(made["networks"]) == 4 and Path(made["path"]).is_dir()
    assert run(monkeypatch, "zoo", "train", "tiny", "-q") == 0
    text = capsys.readouterr().out
    assert "permutation/count" in text and "0 of 4 networks pass the criteria of 'values'" in text
    assert run(monkeypatch, "zoo", "list", "--json") == 0
    listed = {(row["zoo"], row["way"]): row for row in json.loads(capsys.readouterr().out)}
    assert listed["tiny", "values"]["trained"] == 4 and listed["default", "values"]["networks"] == 120
    assert run(monkeypatch, "zoo", "check", "tiny", "--json") == 2
    out = capsys.readouterr()
    assert json.loads(out.out)["passed"] == 0 and "0 of 4 networks pass their criteria, fewer than 90%" in out.err
    assert run(monkeypatch, "zoo", "train", "tiny", "--way", "label") == 2
    assert "no way to train is named 'label'; did you mean 'labels'" in capsys.readouterr().err


def test_without_pytorch_the_error_is_the_command_that_installs_it() -> None:
    light = "import sys; sys.modules['torch'] = None; sys.argv[1:] = ['zoo', 'list']"
    program = f"{light}\nfrom congruity.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 4
    assert done.stderr == "congruity: the zoo needs torch; install it with: pip install 'congruity[models]'\n"
