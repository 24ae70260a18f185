"""Faithfulness of a circuit: a fake model in which everything has a closed form, tiny real ones, and brute force."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from congruity._base.arrays import Floats
from congruity.errors import InputError, NotApplicableError
from congruity.sampling.faithfulness import PROPORTIONS, RESAMPLES, area, curve_sizes, measure_faithfulness
from congruity.sampling.prepare import PreparedModel, Split
from congruity.values import Behaviour, Circuit, Edit, Faithfulness, ModelCard, Outputs, Scores, Site

SITES = tuple(Site(i, "module", f"m{i}") for i in range(40))
CARD = ModelCard("additive", "0" * 64, "additive", "none", 40, 0, 0)
ROWS = np.array([1, 4, 5, 9, 12, 13, 17, 20, 22, 23, 26, 29])


@dataclasses.dataclass
class Additive:
    """A bound model whose metric is a sum over the sites kept: ``parts[row, site]``, plus ``rest[row]``."""

    parts: Floats
    rest: Floats
    flops: float = 0.0
    calls: list[Sequence[Edit | None]] = dataclasses.field(default_factory=list)

    def metric(self, kept: set[Site] | frozenset[Site]) -> Floats:
        columns = [i for i, site in enumerate(SITES) if site in kept]
        return np.asarray(self.parts[:, columns].sum(axis=1) + self.rest)

    def run(self, edits: Sequence[Edit | None], *, rows: Any = None, **_: Any) -> Iterator[Outputs]:
        self.calls.append(edits)
        for edit in edits:
            kept = set(SITES) - set(edit.sites if edit else ())
            yield Outputs(self.metric(kept)[rows], np.zeros(len(rows)))


@dataclasses.dataclass(frozen=True)
class Name:
    name: str = "resample"


def additive(seed: int = 0, noise: float = 0.5) -> Additive:
    rng = np.random.default_rng(seed)
    each = np.sort(rng.gamma(0.5, 1.0, size=40))[::-1]
    return Additive(each + noise * rng.normal(size=(32, 40)) * each, rng.normal(size=32) - 2)


def circuit_of(bound: Additive, size: int = 6) -> Circuit:
    values = bound.parts.mean(axis=0)
    scores = Scores("exact", SITES, values, np.zeros(40), 20)
    ranked = scores.ranked()
    inside, pool = tuple(sorted(ranked[:size])), tuple(sorted(ranked[size:]))
    return Circuit(inside, pool, scores, 0.0, Behaviour(1.0, 1.0, 0.0, 8), ())


@dataclasses.dataclass(frozen=True)
class Sited:
    """A model of which only the sites matter."""

    sites: tuple[Site, ...]
    card: ModelCard = CARD


def measured(
    bound: Additive, circuit: Circuit, *, rows: Any = ROWS, sites: tuple[Site, ...] = SITES, **options: Any
) -> Faithfulness:
    unedited = Outputs(bound.metric(set(SITES)), np.zeros(len(bound.rest)))
    parts = Split(np.arange(0), np.arange(0), rows)
    prepared = PreparedModel(Sited(sites), None, bound, (), parts, unedited)  # type: ignore[arg-type]
    return measure_faithfulness(prepared, circuit, intervention=Name(), **options)  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------- closed form


def test_all_that_is_measured_has_the_closed_form_of_an_additive_model() -> None:
    bound = additive()
    circuit = circuit_of(bound)
    found = measured(bound, circuit)
    each = bound.parts[ROWS].mean(axis=0)  # of the reporting prompts only
    where = {site: i for i, site in enumerate(SITES)}

    def share(sites: Sequence[Site]) -> float:
        return float(each[[where[site] for site in sites]].sum() / each.sum())

    ranked = circuit.scores.ranked()
    assert found.clean == pytest.approx(each.sum() + bound.rest[ROWS].mean())
    assert found.corrupted == pytest.approx(bound.rest[ROWS].mean())
    assert found.faithfulness == pytest.approx(share(circuit.sites))
    assert found.completeness == pytest.approx(1 - found.faithfulness), "what is additive is split without rest"
    assert [k for k, _ in found.curve] == [0, 2, 4, 8, 20, 40]
    assert [f for _, f in found.curve] == pytest.approx([share(ranked[:k]) for k, _ in found.curve], abs=1e-12)
    x, f = np.array([k for k, _ in found.curve]) / 40, np.array([f for _, f in found.curve])
    assert found.cpr == pytest.approx(np.trapezoid(f, x)) and found.cmd == pytest.approx(np.trapezoid(abs(1 - f), x))
    assert len(found.random) == 20 and found.n_prompts == 12
    assert found.p_random == pytest.approx((1 + sum(r >= found.faithfulness for r in found.random)) / 21)
    assert np.mean(found.random) == pytest.approx(6 / 40, abs=0.1), "a random circuit recovers its share of the sites"


def test_sites_that_work_against_the_answer_lift_the_curve_above_one_and_cmd_counts_it() -> None:
    each = np.r_[np.full(10, 3.0), np.full(10, -1.0), np.full(20, 0.0)]
    bound = Additive(np.tile(each, (32, 1)), np.zeros(32))
    found = measured(bound, circuit_of(bound, size=10))
    assert found.faithfulness == pytest.approx(1.5) and found.completeness == pytest.approx(-0.5)
    x, f = np.array([0, 2, 4, 8, 20, 40]) / 40, np.array([0, 6, 12, 24, 20, 20]) / 20
    assert found.cmd == pytest.approx(np.trapezoid(abs(1 - f), x)) and found.cmd > 1 - found.cpr + 0.01


def test_one_call_runs_every_edit_once() -> None:
    bound, told = additive(), []
    circuit = circuit_of(bound, size=8)  # one of the curve's sizes: not run twice
    measured(bound, circuit, progress=lambda stage, done, total: told.append((stage, done, total)))
    assert len(bound.calls) == 1
    edits = bound.calls[0]
    assert len(edits) == len(set(edits)) == 1 + 1 + 1 + 20 + len([2, 4, 20])
    assert told == [("evidence", i, len(edits)) for i in range(1, len(edits) + 1)]


def test_the_whole_model_and_the_empty_circuit_are_the_ends() -> None:
    bound = additive()
    found = measured(bound, circuit_of(bound, size=40))
    assert (found.faithfulness, found.completeness) == (1.0, 0.0) and set(found.random) == {1.0}
    assert found.faithfulness_interval == (1.0, 1.0) and found.p_random == 1.0
    found = measured(bound, circuit_of(bound, size=0))
    assert (found.faithfulness, found.completeness) == (0.0, 1.0) and set(found.random) == {0.0}
    found = measured(bound, circuit_of(bound), n_random=0)
    assert found.random == () and found.p_random == 1.0


def test_random_circuits_have_their_own_streams() -> None:
    bound = additive()
    circuit = circuit_of(bound)
    few, many, other = (measured(bound, circuit, n_random=n, seed=s) for n, s in ((3, 0), (12, 0), (12, 1)))
    assert few.random == many.random[:3] and few.faithfulness_interval == many.faithfulness_interval
    assert not set(many.random) & set(other.random)
    assert len(set(many.random)) == 12, "drawn apart"


# ------------------------------------------------------------------------------------------------------- intervals


def test_a_ratio_that_is_the_same_on_every_prompt_has_no_width() -> None:
    rng = np.random.default_rng(1)
    bound = Additive(np.outer(rng.uniform(1, 5, size=32), rng.uniform(0.1, 1, size=40)), rng.normal(size=32))
    found = measured(bound, circuit_of(bound))
    assert found.faithfulness_interval == pytest.approx((found.faithfulness,) * 2, abs=1e-12)
    assert found.completeness_interval == pytest.approx((found.completeness,) * 2, abs=1e-12)


def test_the_interval_is_as_wide_as_the_delta_method_says() -> None:
    rng = np.random.default_rng(2)
    rows = np.arange(400)
    bound = Additive(rng.uniform(0.5, 1.5, size=40) + rng.normal(size=(400, 40)), rng.normal(size=400))
    circuit = circuit_of(bound, size=15)
    found = measured(bound, circuit, rows=rows)
    top, bottom = bound.metric(set(circuit.sites)) - bound.rest, bound.parts.sum(axis=1)
    error = np.std(top - found.faithfulness * bottom, ddof=1) / bottom.mean() / np.sqrt(400)
    low, high = found.faithfulness_interval
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.1)
    assert low < found.faithfulness < high and RESAMPLES >= 1000


# ---------------------------------------------------------------------------------------------------- curve, areas


@given(total=st.integers(1, 5000))
def test_curve_sizes_are_the_proportions_of_mib_rounded_down_each_once(total: int) -> None:
    from fractions import Fraction

    exact = sorted({int(Fraction(str(p)) * total) for p in PROPORTIONS})
    assert list(curve_sizes(total)) == exact and exact[0] == 0 and exact[-1] == total


@given(st.lists(st.tuples(st.floats(0.001, 1), st.floats(-3, 3)), min_size=2, max_size=12))
@settings(deadline=None)
def test_areas_are_those_of_numpy(points: list[tuple[float, float]]) -> None:
    steps, values = np.array(points).T
    shares = np.cumsum(steps)
    assert area(shares, values) == pytest.approx(float(np.trapezoid(values, shares)), abs=1e-12)


# ---------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("kind", ["constant", "lower", "noise", "rounding"])
def test_a_metric_with_nothing_to_recover_is_one_sentence_with_its_values(kind: str) -> None:
    rng = np.random.default_rng(3)
    parts = {
        "constant": np.zeros((32, 40)),
        "lower": -np.ones((32, 40)),
        "noise": rng.normal(size=(32, 40)),
        "rounding": np.full((32, 40), 1e-7),
    }[kind]
    if kind == "noise":  # a mean of one standard error
        parts += parts[ROWS].sum(axis=1).std() / np.sqrt(12) / 40 - parts[ROWS].mean()
    bound = Additive(parts, np.full(32, 3.0))
    with pytest.raises(NotApplicableError, match=r"leaves nothing to recover: .* is .* unedited"):
        measured(bound, circuit_of(bound))


def test_arguments_that_cannot_be_used() -> None:
    bound = additive()
    circuit = circuit_of(bound)
    for options, message in (
        ({"rows": ROWS[:1]}, "1 prompts have no interval"),
        ({"n_random": -1}, "-1 random circuits"),
        ({"sites": SITES[1:]}, r"m0 is in the circuit but not among the 39 sites"),
        ({"sites": (*SITES, Site(99, "module", "m99"))}, "ranks 40 sites, which are not the 41 given"),
    ):
        with pytest.raises(InputError, match=message):
            measured(bound, circuit, **options)


# ---------------------------------------------------------------------------------------------------- tiny networks


def test_a_trained_transformer_gives_what_editing_it_by_hand_gives() -> None:
    pytest.importorskip("transformer_lens", reason="of the models extra")
    import congruity as cg
    import tiny
    from congruity.interventions import Resample
    from congruity.sampling.prepare import split

    task, model = tiny.Words(n=48), tiny.wrap(tiny.trained())
    circuit = cg.discover(task, model, n_random=6)
    found = circuit.evidence
    assert found is not None and found == cg.discover(task, model, n_random=6).evidence, "same seed, same numbers"
    assert found.faithfulness > 0.9 > 0.5 > max(found.random) and found.p_random == pytest.approx(1 / 7)
    assert found.completeness < 0.1 and found.cpr + found.cmd == pytest.approx(1, abs=0.05)

    examples = task.examples()
    bound, rows = model.bind(examples, Resample()), split(examples.ids, 0).report

    def metric(kept: set[Site]) -> float:
        edit = Edit(tuple(site for site in model.sites if site not in kept), "resample")
        return float(next(bound.run([edit], rows=rows)).logit_difference.mean())

    clean, corrupted = metric(set(model.sites)), metric(set())
    inside = set(circuit.sites)
    for kept, value in ((inside, found.faithfulness), (set(model.sites) - inside, found.completeness)):
        assert (metric(kept) - corrupted) / (clean - corrupted) == pytest.approx(value, abs=1e-4)
    assert circuit.faithfulness.logit_difference == pytest.approx(metric(inside), abs=1e-4)
    assert (found.clean, found.corrupted) == pytest.approx((clean, corrupted), abs=1e-4) and found.n_prompts == 12
    kept = set(circuit.scores.ranked()[: found.curve[3][0]])
    assert (metric(kept) - corrupted) / (clean - corrupted) == pytest.approx(found.curve[3][1], abs=1e-4)


def test_a_network_whose_answer_comes_from_one_site_has_that_circuit() -> None:
    pytest.importorskip("torch", reason="the light layer runs without PyTorch")
    import congruity as cg
    import tiny

    circuit = cg.discover(tiny.LastToken(n=64), tiny.module_model(tiny.net(strength=0.0)), n_random=30)
    found = circuit.evidence
    assert found is not None and [str(site) for site in circuit.sites] == ["embed"]
    assert found.faithfulness == pytest.approx(1) and found.completeness == pytest.approx(0)
    assert set(np.round(found.random, 5)) <= {0.0, 1.0} and found.p_random == (1 + round(sum(found.random))) / 31
    assert dict(found.curve)[1] == pytest.approx(1) and found.cpr == pytest.approx(1 - 1 / 18)
    with pytest.raises(InputError, match="-1 random circuits"):
        cg.discover(tiny.LastToken(n=64), tiny.module_model(), n_random=-1)
    with pytest.raises(InputError, match="5 prompts cannot be split"):
        cg.discover(tiny.LastToken(n=5), tiny.module_model())
