"""The flow from task and model to a verdict, on a module with a known circuit and on a tiny trained language model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import congruity as cg
from congruity.errors import InputError, NotApplicableError, NotComparableError
from congruity.interventions import Resample
from congruity.sampling import implementations as implement
from congruity.sampling import prepare
from congruity.values import Behaviour, Edit, Gates, Method

torch = pytest.importorskip("torch", reason="the light layer runs without PyTorch")
tiny = pytest.importorskip("tiny", reason="needs transformers, of the models extra")

TASK = tiny.LastToken()


#: A module of nine sites cannot hit a strength by their number; the language model's ten others do next to nothing.
BUDGET = cg.Budget(kl=0.005, by="scale")
FAINT = cg.Budget(kl=2e-4, by="scale")


def make(seed: int = 0, *, strength: float = 0.3, n: int = 6, net: int = 0, **options: Any) -> cg.Fingerprint:
    model = tiny.module_model(tiny.net(net, strength=strength), name=f"net-{net}")
    return cg.fingerprint(TASK, model, **({"n": n, "seed": seed, "budget": BUDGET} | options))


@pytest.fixture(scope="module")
def side() -> cg.Fingerprint:
    return make()


@pytest.fixture(scope="module")
def words() -> Any:
    """The adapter around a language model that was trained on the task."""
    return tiny.wrap(tiny.trained())


@pytest.fixture(scope="module")
def language(words: Any) -> cg.Fingerprint:
    return cg.fingerprint(tiny.Words(48), words, n=4, budget=FAINT)


# ------------------------------------------------------------------------------------------------- fingerprints


def test_the_known_circuit_is_found(side: cg.Fingerprint) -> None:
    assert [str(s) for s in side.circuit.sites] == ["embed"]
    assert (side.accuracy, side.capable, side.n, len(side.queries.ids)) == (1.0, True, 6, 48)
    assert side.circuit.faithfulness.accuracy == 1.0 and 0 < side.circuit.faithfulness.kl <= Gates().max_kl
    assert all(check.passed for check in side.checks) and len(side.checks) == 7
    assert side.circuit.scores.n_prompts == 24 and side.unedited.n == side.circuit.faithfulness.n == 12


def test_a_trained_language_model_gives_a_fingerprint(language: cg.Fingerprint) -> None:
    assert language.accuracy >= 0.95 and language.n == 4
    assert 0 < len(language.circuit.sites) < len(language.circuit.scores.sites) == 15
    assert language.layers == tuple(f"blocks.{i}.hook_resid_post" for i in range(3))
    kept = {
        k: not Gates().refusal(b, Behaviour(1.0, language.unedited.logit_difference, 0, 0))
        for k, b in language.circuit.curve
    }
    assert kept[len(language.circuit.sites)]


@pytest.mark.parametrize("kind", ["module", "language model"])
def test_the_same_seed_gives_the_same_bytes(kind: str, tmp_path: Path, words: Any) -> None:
    task, model = (TASK, tiny.module_model()) if kind == "module" else (tiny.Words(16), words)
    gates = Gates(max_kl=5, max_accuracy_drop=1, max_metric_change=5)
    paths = [
        cg.fingerprint(task, model, n=3, seed=s, gates=gates, budget=FAINT).save(tmp_path / f"{i}.safetensors")
        for i, s in enumerate((4, 4, 5))
    ]
    first, again, other = (path.read_bytes() for path in paths)
    assert first == again != other
    loaded = cg.Fingerprint.load(paths[0])
    assert loaded.digest == cg.Fingerprint.load(paths[1]).digest
    assert loaded.sampling.seed == 4 and loaded.save(tmp_path / "copy.safetensors").read_bytes() == first


def test_sites_and_pool_partition_the_sites_and_edits_stay_in_the_pool(
    side: cg.Fingerprint, language: cg.Fingerprint
) -> None:
    for made in (side, language):
        inside, pool, every = set(made.circuit.sites), set(made.circuit.pool), set(made.circuit.scores.sites)
        assert inside | pool == every and not inside & pool
        for item in made.implementations:
            assert set(item.edit.sites) <= pool and len(set(item.edit.sites)) == len(item.edit.sites)
            assert len(item.edit.sites) == max(1, round(0.5 * len(pool)))
            assert item.admitted == (not item.reason) and item.base == made.model.base
            assert not item.admitted or not Gates().refusal(item.behaviour, made.unedited)
        weakest = min(
            abs(v) for s, v in zip(made.circuit.scores.sites, made.circuit.scores.values, strict=True) if s in inside
        )
        assert made.circuit.threshold == weakest


def test_two_networks_draw_independently() -> None:
    edits = [[i.edit for i in make(net=net).implementations] for net in (0, 1)]
    assert edits[0] != edits[1]


def test_draws_do_not_depend_on_how_many_are_asked_for() -> None:
    five, eight = make(n=5), make(n=8)
    assert [i.edit for i in five.implementations] == [i.edit for i in eight.implementations[:5]]
    assert np.allclose(five.grams, eight.grams[:5], atol=1e-6)
    assert [i.edit for i in make(seed=1, n=5).implementations] != [i.edit for i in five.implementations]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: make(n=1), InputError, "n = 1 implementations"),
        (lambda: Gates(max_kl=-1), InputError, "max_kl must be a positive number"),
        (lambda: make(gates=Gates(max_kl=1e-12)), NotApplicableError, "no component outside the circuit is left"),
        (lambda: cg.fingerprint(TASK, incapable_model()), NotApplicableError, "accuracy 0.00, at least 0.75"),
        (lambda: cg.fingerprint(tiny.Words(16), tiny.module_model()), cg.CongruityError, "needs arrays"),
        (lambda: make(intervention=[]), InputError, "interventions are none; pass one, or several different"),
        (lambda: make(intervention="men"), cg.CongruityError, "'mean'"),
        (lambda: make(edits_of=[]), InputError, "edits_of needs at least two edits"),
        (lambda: make(n=2.5), InputError, "n = 2.5 implementations"),
        (lambda: cg.fingerprint(tiny.LastToken(5), tiny.module_model()), InputError, "5 prompts cannot be split"),
        (lambda: make(intervention=[Resample(), Resample()]), InputError, "resample, resample; pass one"),
    ],
)
def test_what_a_fingerprint_refuses(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def incapable_model() -> Any:
    module = tiny.net()
    with torch.no_grad():
        module.unembed.weight.neg_()
    return tiny.module_model(module, name="backwards")


def test_the_faithfulness_of_a_circuit_is_that_of_the_whole_pool_replaced(side: cg.Fingerprint) -> None:
    model, parts = tiny.module_model(tiny.net(strength=0.3)), prepare.split(TASK.examples().ids, 0)
    bound = model.bind(TASK.examples(), Resample())
    whole = next(bound.run([Edit(side.circuit.pool, "resample")], rows=parts.report))
    assert side.circuit.faithfulness == whole.behaviour()
    clean = next(bound.run([None])).behaviour(parts.choose)
    sizes = range(len(model.sites) + 1)
    ranked = side.circuit.scores.ranked()
    scan = [
        k for k in sizes
        if not Gates().refusal(next(bound.run([Edit(ranked[k:], "resample")], rows=parts.choose)).behaviour(), clean)
    ]  # fmt: skip
    assert len(side.circuit.sites) == min(scan)


# ----------------------------------------------------------------------------------------------------- comparing


def test_identical_sides_have_rho_zero_and_full_score(side: cg.Fingerprint) -> None:
    result = cg.compare(side, side, distance="procrustes")
    assert result.rho == pytest.approx(0.0, abs=1e-6) and result.score > 0.5 and result.verdict != "different"
    assert result.provenance["a"] == result.provenance["b"] == side.digest


def test_halves_of_one_side_are_closer_than_another_network() -> None:
    whole, other = make(n=16), make(n=16, net=3)
    halves = [whole.take(np.arange(i, 16, 2), f"half {i}") for i in (0, 1)]
    assert [h.n for h in halves] == [8, 8] and np.array_equal(halves[1].grams, whole.grams[1::2])
    same = cg.compare(*halves, distance="procrustes")
    different = cg.compare(whole, other, distance="procrustes")
    assert same.rho == pytest.approx(0.0, abs=1e-6) and different.rho > 0.5
    assert same.score > different.score and same.verdict in ("equivalent", "undecided")
    assert same.names == ("half 0", "half 1") and same.scope == "these two networks"


def test_comparing_files_equals_comparing_values_and_swapping_sides_keeps_the_score(
    side: cg.Fingerprint, tmp_path: Path
) -> None:
    other = make(net=2)
    paths = [f.save(tmp_path / f"{i}.safetensors") for i, f in enumerate((side, other))]
    result = cg.compare(*map(str, paths), distance="cka")
    assert result.to_dict() == cg.compare(side, other, distance="cka").to_dict()
    swapped = cg.compare(other, side, distance="cka")
    assert (swapped.score, swapped.rho) == pytest.approx((result.score, result.rho))


def test_models_are_fingerprinted_by_compare_and_need_a_task(side: cg.Fingerprint) -> None:
    model = tiny.module_model(tiny.net(strength=0.3), name="net-0")
    result = cg.compare(model, side, task=TASK, n=6, distance="procrustes", budget=BUDGET)
    assert result.provenance["a"] == side.digest and result.rho == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(InputError, match="a side that is a model needs a task"):
        cg.compare(model, side)


def test_a_control_is_edited_as_strongly_as_it_goes_and_says_so() -> None:
    budget = cg.Budget(kl=500.0, by="scale", share=0.9)
    control = cg.fingerprint(TASK, incapable_model(), n=3, require_task=False, gates=Gates(max_kl=50), budget=budget)
    assert len(control.strata) == 1 and 0 < (control.strata[0].kl or 0) < 500
    assert control.sampling.unreached[0].startswith("resample at KL 500: a KL of 500 nats is above what all edits")


def test_an_incapable_side_is_not_applicable(side: cg.Fingerprint) -> None:
    unable = cg.fingerprint(TASK, incapable_model(), n=6, require_task=False, gates=Gates(max_kl=50), budget=BUDGET)
    assert not unable.capable and unable.accuracy == 0.0
    result = cg.compare(side, unable, distance="procrustes")
    assert result.verdict == "not applicable" and result.reason.startswith("backwards cannot do the task last-token")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": {"task": "other"}}, "different tasks, last-token and other"),
        ({"queries": {"examples_digest": "0" * 64}}, "different queries"),
        ({"queries": {"position": "all"}}, "different token positions, last and all"),
        ({"queries": {"intervention": "interchange"}}, "different query interventions, none and interchange"),
        ({"scaling": "none"}, "different layer scalings, unit-layer and none"),
    ],
)
def test_other_questions_are_not_comparable(side: cg.Fingerprint, change: dict[str, Any], message: str) -> None:
    queries = dataclasses.replace(side.queries, **change.get("queries", {}))
    other = dataclasses.replace(side, queries=queries, scaling=change.get("scaling", side.scaling))
    with pytest.raises(NotComparableError, match=message):
        cg.compare(side, other, distance="procrustes")
    short = cg.fingerprint(tiny.LastToken(20), tiny.module_model(tiny.net(strength=0.3)), n=2, budget=BUDGET)
    with pytest.raises(NotComparableError, match="different numbers of queries, 48 and 20"):
        cg.compare(side, short, distance="procrustes")


def test_unmatched_strength_and_settings_are_warned_of(side: cg.Fingerprint) -> None:
    draws = make(seed=1)

    def at(kl: float, finder: str) -> cg.Fingerprint:
        reached = [
            dataclasses.replace(i, behaviour=dataclasses.replace(i.behaviour, kl=kl)) for i in draws.implementations
        ]
        sampling = dataclasses.replace(side.sampling, finder=Method(finder))
        return dataclasses.replace(draws, implementations=tuple(reached), sampling=sampling)

    result = cg.compare(side, at(3 * side.mean_kl, "declared"), distance="procrustes")
    assert any("not sampled at matched strength" in w for w in result.warnings)
    assert "the sides were made with different finders: attribution and declared" in result.warnings
    assert "matched strength" in result.reason
    alike = cg.compare(side, at(1.2 * side.mean_kl, "attribution"), distance="procrustes")
    assert not any("strength" in w or "finders" in w for w in alike.warnings)


def test_a_misspelt_option_is_refused(side: cg.Fingerprint) -> None:
    with pytest.raises((TypeError, InputError)):
        cg.compare(side, side, distance="procrustes", margn=0.1)


# ------------------------------------------------------------------------------------------- more implementations


def test_an_extended_fingerprint_is_the_one_that_would_have_been_made_at_once(side: cg.Fingerprint) -> None:
    model = tiny.module_model(tiny.net(0, strength=0.3), name="net-0")
    few = cg.fingerprint(TASK, model, n=3, budget=BUDGET)
    longer = cg.fingerprint(TASK, model, n=6, budget=BUDGET, extend=few)
    assert longer.implementations[: len(few.implementations)] == few.implementations
    assert [i.edit for i in longer.implementations] == [i.edit for i in side.implementations]
    assert np.abs(longer.grams - side.grams).max() <= 1e-6 and longer.sampling == side.sampling
    assert longer.circuit == few.circuit and longer.checks == few.checks


def test_only_the_same_model_and_settings_extend_a_fingerprint(side: cg.Fingerprint) -> None:
    model = tiny.module_model(tiny.net(0, strength=0.3), name="net-0")
    with pytest.raises(InputError, match="the fingerprint to extend has 6 implementations, not fewer than n"):
        cg.fingerprint(TASK, model, n=6, budget=BUDGET, extend=side)
    with pytest.raises(InputError, match="the fingerprint to extend was made with seed 0 and not 1; make a new one"):
        cg.fingerprint(TASK, model, n=8, seed=1, budget=BUDGET, extend=side)
    with pytest.raises(InputError, match="the fingerprint to extend was made with model "):
        cg.fingerprint(
            TASK, tiny.module_model(tiny.net(1, strength=0.3), name="net-1"), n=8, budget=BUDGET, extend=side
        )


def test_models_are_compared_until_decided_and_no_implementation_is_made_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [tiny.module_model(tiny.net(k, strength=0.3), name=f"net-{k}") for k in (0, 1)]
    drawn: list[tuple[str, int]] = []
    original = implement.site_order

    def counted(circuit: Any, index: int, *, model: str, **rest: Any) -> Any:
        drawn.append((model, index))
        return original(circuit, index, model=model, **rest)

    monkeypatch.setattr(implement, "site_order", counted)
    found = cg.compare(*models, task=TASK, looks=(5, 7), distance="cka", margin=0.01, budget=BUDGET)
    plan = found.provenance["looks"]
    assert plan["plan"] == [5, 7] and found.n[0] == plan["reached"]
    assert len(drawn) == len(set(drawn)) >= 2 * plan["reached"], "every draw was tuned and run once"
