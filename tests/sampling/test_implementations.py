"""The sampler at matched strength, on a bound model whose KL is a known function of the edit, and on real ones."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import congruity as cg
import synthetic
from congruity.errors import InputError, NotApplicableError
from congruity.interventions import Mean, Resample
from congruity.sampling import strength as tuning
from congruity.sampling.implementations import Sampler
from congruity.sampling.prepare import PreparedModel, Split
from congruity.sampling.recipe import SamplingRecipe
from congruity.values import Behaviour, Circuit, Edit, Gates, Outputs, Scores, Site, Stratum

SITES = tuple(Site(i, "module", f"m{i}") for i in range(40))
TUNED, MEASURED = np.arange(4), np.arange(4, 8)


@dataclasses.dataclass
class Additive:
    """A bound model of 40 sites, each of which costs KL of its own; ``held_out`` times as much where it is measured."""

    costs: np.ndarray
    held_out: float = 1.0
    difference: float = 3.0
    runs: int = 0
    flops: float = 0.0

    def run(
        self, edits: Sequence[Edit | None], *, rows: Any = None, scored: Any = None, read: bool = False
    ) -> Iterator[Outputs]:
        for edit in edits:
            self.runs += 1
            kl = 0.0 if edit is None else edit.scale**2 * sum(self.costs[site.layer] for site in edit.sites)
            n = len(TUNED) if scored is None else len(scored)
            yield Outputs(np.full(n, self.difference), np.full(n, kl * (1.0 if scored is None else self.held_out)))


MODEL: Any = dataclasses.make_dataclass("M", ["sites", "card"])(SITES, synthetic.fingerprint("additive").model)


def circuit(pool: Sequence[Site] = SITES) -> Circuit:
    scores = Scores("declared", SITES, np.arange(40, 0, -1.0), np.zeros(40), 4)
    return Circuit((), tuple(pool), scores, 0.0, Behaviour(1.0, 3.0, 0.0, 4), ())


def sampler(bound: Any, pool: Sequence[Site] = SITES, **options: Any) -> Sampler:
    unedited = Outputs(np.full(8, 3.0), np.zeros(8))
    prepared = PreparedModel(MODEL, None, bound, (), Split(np.arange(0), TUNED, MEASURED), unedited)  # type: ignore[arg-type]
    return Sampler(prepared, circuit(pool), SamplingRecipe(**options), Resample())


def sample(
    bound: Additive, kl: float = 0.01, n: int = 8, *, known: Sequence[cg.Implementation] = (), skipped: Any = None,
    **options: Any,
) -> list[cg.Implementation]:  # fmt: skip
    one = sampler(bound, **({"n": n, "budget": cg.Budget(kl=kl)} | options))
    return [item for item, _ in one.draw(kl, known, skipped)]


def even(each: float = 0.0005) -> Additive:
    return Additive(np.full(40, each))


# ------------------------------------------------------------------------------------------------ one search


@given(
    costs=st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=60),
    target=st.floats(1e-3, 10.0),
    tolerance=st.floats(0.01, 0.3),
)
@settings(deadline=None, max_examples=300, derandomize=True)
def test_a_search_by_number_ends_within_the_tolerance_or_could_not(
    costs: list[float], target: float, tolerance: float
) -> None:
    sites = [Site(i, "module", f"m{i}") for i in range(len(costs))]
    search = tuning.ByNumber(sites, "resample", kl=target, tolerance=tolerance)
    for _ in range(50):
        if search.finished:
            break
        search.tell(Behaviour(1.0, 1.0, sum(costs[s.layer] for s in search.ask().sites), 4))
    assert search.finished
    if not search.trouble:
        reached = sum(costs[s.layer] for s in search.ask().sites)
        assert abs(reached - target) <= tolerance * target * (1 + 1e-9)
        # a brute force over this order: every site before the last that was left out jumps over the target
        kept = []
        for site in sites:
            if site in search.skipped:
                continue
            kept.append(site)
            if len(kept) == len(search.ask().sites):
                break
        assert tuple(kept) == search.ask().sites
    elif "below what one edit costs" in search.trouble:
        assert min(costs) > target
    elif "jumps over" in search.trouble:
        low = sum(c for i, c in enumerate(costs) if sites[i] not in search.skipped)
        assert low < target and all(low + costs[s.layer] > target for s in search.skipped[-1:])


@given(target=st.floats(1e-6, 0.99), power=st.floats(0.5, 4.0), tolerance=st.floats(0.001, 0.3))
@settings(deadline=None, max_examples=200, derandomize=True)
def test_a_search_by_scale_reaches_every_strength_up_to_the_whole(
    target: float, power: float, tolerance: float
) -> None:
    search = tuning.ByScale(SITES[:3], "resample", kl=target, tolerance=tolerance)
    small = tuning.ByScale((), "weight-noise", kl=target, tolerance=tolerance, start=0.01)
    for one in (search, small):
        while not one.finished:
            one.tell(Behaviour(1.0, 1.0, one.ask().scale ** power, 4))
        assert not one.trouble and abs(one.ask().scale ** power - target) <= tolerance * target
    too_much = tuning.ByScale(SITES[:3], "resample", kl=1.5, tolerance=tolerance)
    too_much.tell(Behaviour(1.0, 1.0, 1.0, 4))
    assert too_much.trouble == "KL 1.5 was not reached: all the way gives 1"


def test_a_site_that_jumps_over_the_target_is_skipped_and_named() -> None:
    costs = np.full(40, 0.001)
    costs[[3, 17]] = 0.5
    for item in sample(Additive(costs), 0.01, n=12):
        assert (
            item.admitted and not {SITES[3], SITES[17]} & set(item.edit.sites) and len(item.edit.sites) in (9, 10, 11)
        )


def test_sites_that_are_skipped_are_reported_by_draw() -> None:
    costs = np.full(40, 0.001)
    costs[[3, 17]] = 0.5
    skipped: dict[int, list[str]] = {}
    sample(Additive(costs), 0.01, n=12, skipped=skipped)
    assert skipped and {site for sites in skipped.values() for site in sites} <= {"m3", "m17"}


def test_many_sites_that_jump_do_not_end_a_search() -> None:
    """Half of 270 sites are too heavy: each is skipped in turn, however many there are."""
    sites = [Site(i, "module", f"m{i}") for i in range(270)]
    for seed in range(20):
        order = [sites[i] for i in np.random.default_rng(seed).permutation(270)]
        search = tuning.ByNumber(order, "resample", kl=0.01, tolerance=0.1)
        while not search.finished:
            search.tell(Behaviour(1.0, 1.0, sum(0.5 if s.layer % 2 else 0.0005 for s in search.ask().sites), 4))
        assert not search.trouble and all(s.layer % 2 for s in search.skipped)


def test_two_parts_of_a_pool_are_drawn_independently() -> None:
    drawn = []
    for part in (SITES[0::2], SITES[1::2]):
        made = sample(even(0.001), 0.01, n=6, pool=part)
        drawn.append([tuple(site.layer // 2 for site in item.edit.sites) for item in made])
    assert not set(drawn[0]) & set(drawn[1]), "the same places in both parts"


def test_draws_by_scale_count_a_set_of_sites_once_whatever_the_rounding() -> None:
    @dataclasses.dataclass
    class Rounding(Additive):
        def run(self, edits: Any, **options: Any) -> Any:
            for out in super().run(edits, **options):
                yield Outputs(out.logit_difference, out.kl * (1 + 1e-7 * self.runs), out.layers)

    budget = cg.Budget(kl=0.001, by="scale", share=0.9, max_draws=10)
    made = sample(Rounding(np.full(40, 0.001)), 0.001, n=8, pool=SITES[:10], budget=budget)
    assert len({item.edit.sites for item in made}) == len(made) == 8


def test_a_search_takes_few_tries() -> None:
    bound = even()
    sample(bound, 0.01, n=20)
    assert bound.runs <= 1 + 20 * (4 + 1), "one for the reach, then at most four tries and one measurement a draw"


# ------------------------------------------------------------------------------------------------ a set of draws


@pytest.mark.parametrize("by", ["number", "scale"])
@pytest.mark.parametrize("kl", [0.003, 0.01, 0.015])
def test_every_draw_has_the_strength_that_was_asked_for(by: Any, kl: float) -> None:
    rng = np.random.default_rng(0)
    bound = Additive(rng.uniform(1e-4, 1e-3, size=40), held_out=1.2)
    budget = cg.Budget(kl=kl, by=by, tolerance=0.2, share=0.9)
    made = sample(bound, kl, n=10, budget=budget)
    assert sum(item.admitted for item in made) == 10 and len({item.edit for item in made}) == len(made)
    for item in made:
        assert item.stratum == Stratum("resample", kl) and item.tuned_kl is not None
        assert not item.admitted or abs(item.tuned_kl - kl) <= 0.2 * kl
        assert not item.admitted or item.behaviour.kl == pytest.approx(1.2 * item.tuned_kl), "measured on other prompts"
        assert (len(item.edit.sites) == 36) == (by == "scale") and (item.edit.scale == 1.0) == (by == "number")


def test_draws_are_independent_uniform_orders_of_the_pool() -> None:
    made = sample(even(), 0.01, n=400, budget=cg.Budget(kl=0.01, tolerance=0.01))
    assert all(len(item.edit.sites) == 20 for item in made)
    counts = np.array([sum(site in item.edit.sites for item in made) for site in SITES])
    assert np.abs(counts - 200).max() <= 4.5 * np.sqrt(400 / 4), "each site in half of the draws"
    overlaps = [len(set(a.edit.sites) & set(b.edit.sites)) for a, b in itertools.pairwise(made)]
    assert np.mean(overlaps) == pytest.approx(10, abs=4 * np.sqrt(2.56 / 399) + 0.1), "hypergeometric: 20 * 20 / 40"


def test_draws_at_several_strengths_follow_one_random_path() -> None:
    weak, strong = sample(even(), 0.005), sample(even(), 0.015)
    for a, b in zip(weak, strong, strict=True):
        assert set(a.edit.sites) < set(b.edit.sites) and a.index == b.index


def test_another_seed_or_model_draws_others_and_known_draws_are_not_run_again() -> None:
    eight = sample(even())
    assert [i.edit for i in sample(even(), seed=1)] != [i.edit for i in eight]
    bound = even()
    rest = sample(bound, known=eight[:5])
    assert [(i.edit, i.index) for i in rest] == [(i.edit, i.index) for i in eight[5:]]
    assert bound.runs < 20


def test_refused_draws_are_kept_with_their_reason_and_number() -> None:
    rng = np.random.default_rng(3)
    bound = Additive(rng.uniform(2e-4, 8e-4, size=40))
    everything = sample(bound, 0.01, n=12)
    middle = float(np.median([i.behaviour.kl for i in everything]))
    made = sample(bound, 0.01, n=6, gates=Gates(max_kl=middle))
    refused = [item for item in made if not item.admitted]
    assert refused and sum(i.admitted for i in made) == 6 and [i.index for i in made] == list(range(len(made)))
    assert all(i.reason == f"KL {i.behaviour.kl:.3f} > {middle:g}" for i in refused)
    with pytest.raises(
        NotApplicableError, match=r"only 0 of 24 draws have KL 0.01 and keep .* \(last refusal: KL 0.01"
    ):
        sample(bound, 0.01, gates=Gates(max_kl=1e-9))


# --------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: sample(even(0.01), 0.001),
            NotApplicableError,
            "KL 0.001 is below what one edit costs: the cheapest of",
        ),
        (lambda: sample(even(1e-5), 0.01), NotApplicableError, "40 sites give 0.0004, and each of the other 0 jumps"),
        (lambda: sample(even(), pool=SITES[:1], kl=5e-4, n=2), NotApplicableError, "all others were repeats"),
        (lambda: cg.Budget(kl=0), InputError, "kl = 0 must be a positive number of nats"),
        (lambda: cg.Budget(kl=float("nan")), InputError, "kl = nan must be"),
        (lambda: cg.Budget(kl=()), InputError, "pass one KL, or several different ones"),
        (lambda: cg.Budget(kl=(0.1, 0.1)), InputError, "pass one KL, or several different ones"),
        (lambda: cg.Budget(tolerance=2), InputError, "tolerance = 2 must be a relative error between"),
        (lambda: cg.Budget(by="luck"), InputError, "by = 'luck' must be 'number' or 'scale'"),  # type: ignore[arg-type]
        (lambda: cg.Budget(share=0), InputError, "share = 0 must be in"),
        (lambda: cg.Budget(max_draws=0), InputError, "max_draws = 0 must be at least 1"),
        (lambda: circuit(SITES[:5]).narrowed(SITES[4:6]), InputError, "m5 is not in the pool"),
    ],
)
def test_what_the_sampler_refuses(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


# -------------------------------------------------------------------------------------------------- real models


def test_a_fingerprint_holds_several_strengths_and_interventions_and_gives_each_alone() -> None:
    tiny = pytest.importorskip("tiny", reason="needs the models extra")
    task, model = tiny.LastToken(), tiny.module_model(tiny.net(strength=0.3), name="net-0")
    budget = cg.Budget(kl=(0.005, 0.001), by="scale")
    both = [Resample(), Mean()]
    made = cg.fingerprint(task, model, n=5, budget=budget, intervention=both)
    assert [str(s) for s in made.strata] == [
        "resample at KL 0.005", "resample at KL 0.001", "mean at KL 0.005", "mean at KL 0.001",
    ]  # fmt: skip
    alone = cg.fingerprint(task, model, n=5, budget=cg.Budget(kl=0.005, by="scale"))
    reference = made.reference
    assert reference.n == 5 and np.allclose(reference.grams, alone.grams, atol=1e-7)
    assert [i.edit for i in reference.admitted] == [i.edit for i in alone.admitted]
    means = made.at(Stratum("mean", 0.001))
    assert {i.edit.intervention for i in means.implementations} == {"mean"} and len(means.grams) == 5
    with pytest.raises(InputError, match=r"no implementations by zero at KL 1; there are resample at KL 0\.005, "):
        made.at(Stratum("zero", 1.0))
    far = cg.fingerprint(task, model, n=3, budget=cg.Budget(kl=(0.005, 50.0), by="scale"))
    assert [str(s) for s in far.strata] == ["resample at KL 0.005"]
    assert far.sampling.unreached[0].startswith("resample at KL 50: a KL of 50 nats is above what all edits")
    with pytest.raises(NotApplicableError, match="a KL of 50 nats is above what all edits together reach"):
        cg.fingerprint(task, model, n=3, budget=cg.Budget(kl=50.0, by="scale"))
    few = cg.fingerprint(task, model, n=3, budget=budget, intervention=both)
    longer = cg.fingerprint(task, model, n=5, budget=budget, intervention=both, extend=few)
    for stratum in made.strata:
        assert [i.edit for i in longer.at(stratum).admitted] == [i.edit for i in made.at(stratum).admitted]
        assert np.allclose(longer.at(stratum).grams, made.at(stratum).grams, atol=1e-7)


def test_a_circuit_given_is_used_and_another_models_edits_are_repeated() -> None:
    tiny = pytest.importorskip("tiny", reason="needs the models extra")
    task, budget = tiny.LastToken(), cg.Budget(kl=0.003, by="scale")
    models = [tiny.module_model(tiny.net(k, strength=0.3), name=f"net-{k}") for k in (0, 1)]
    first = cg.fingerprint(task, models[0], n=4, budget=budget)
    half = first.circuit.narrowed(first.circuit.pool[:4])
    small = cg.fingerprint(task, models[0], n=3, budget=cg.Budget(kl=0.002, by="scale"), circuit=half)
    assert small.circuit == half and all(set(i.edit.sites) <= set(half.pool) for i in small.implementations)
    paired = cg.fingerprint(task, models[1], edits_of=first)
    assert [i.edit for i in paired.admitted] == [i.edit for i in first.admitted]
    assert paired.sampling.edits_of == first.digest and paired.admitted[0].target_kl is None
    plain = cg.fingerprint(task, models[0], edits_of=first)
    assert np.allclose(plain.grams, first.grams, atol=1e-7), "its own edits give its own implementations"
    other: Any = tiny.TorchModule(
        tiny.net(), edits={"blocks.0": 2, "blocks.1": 2, "embed": 1}, reads=["stream.0"], name="x"
    )
    with pytest.raises(InputError, match=r"x: lacks 9 of the sites to edit, such as embed, "):
        cg.fingerprint(task, other, edits_of=first, circuit=first.circuit)
