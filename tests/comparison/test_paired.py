"""Paired masks: the same edits in two models, and why they are no independent draws."""

from __future__ import annotations

import dataclasses
import json
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import pearsonr

import congruity as cg
import synthetic
from congruity.comparison import tables
from congruity.comparison.alike import pair_of, paired_rows
from congruity.comparison.compare import compare_fingerprints
from congruity.comparison.paired import agreement, paired, paired_in
from congruity.errors import InputError, NotComparableError
from congruity.inference import mean_interval
from congruity.values import Fingerprint, Method, Site, Status

PROCRUSTES = cg.distances.Procrustes()


@pytest.fixture(scope="module")
def sides() -> tuple[Fingerprint, Fingerprint]:
    a = synthetic.stratified("a", seed=1)
    return a, synthetic.repeated(a, "copy")


def test_the_numbers_are_those_of_loops_over_edits(sides: tuple[Fingerprint, Fingerprint]) -> None:
    a, b = sides
    found = paired(a, b, PROCRUSTES)
    n = a.reference.n
    grams = np.concatenate([a.clean_gram[None], b.clean_gram[None], a.reference.grams, b.grams[:n]])
    d = PROCRUSTES.table(grams, tuple(map(str, range(2 * n + 2))), progress=lambda *_: None).values
    own = [d[2 + i, 2 + n + i] for i in range(n)]
    assert found.n == n and found.distance == pytest.approx(np.mean(own))
    assert found.ratio == pytest.approx(np.mean(own) / d[0, 1]) and found.ratio_interval is not None
    assert found.ratio_interval[0] < 1 < found.ratio_interval[1] and found.ratio == pytest.approx(1, abs=0.01)
    hits = sum(int(np.argmin(d[2 + i, 2 + n :])) == i for i in range(n))
    assert found.retrieval[0] == hits / n == 1.0 and found.chance == 1 / n
    assert found.retrieval_intervals[0][0] == pytest.approx(0.025 ** (1 / n)), "Clopper and Pearson, all of n"
    kl = [np.log([i.behaviour.kl for i in side.admitted[:n]]) for side in (a, b)]
    change = [
        [i.behaviour.logit_difference - side.unedited.logit_difference for i in side.admitted[:n]] for side in sides
    ]
    assert found.log_kl is not None and found.log_kl.correlation == pytest.approx(pearsonr(*kl)[0])
    assert found.metric is not None and found.metric.correlation == pytest.approx(pearsonr(*change)[0])
    json.dumps(dataclasses.asdict(found), allow_nan=False)


def test_only_edits_of_the_reference_kind_are_paired(sides: tuple[Fingerprint, Fingerprint]) -> None:
    a, b = sides
    first, second = paired_rows(a, b)
    assert a.n == b.n == 48 and first.tolist() == second.tolist() == list(range(12))
    assert paired(a, b, PROCRUSTES).left_out == (0, 36)
    some = b.take(np.r_[5:12, 30:40], "some")
    assert [rows.tolist() for rows in paired_rows(a, some)] == [list(range(5, 12)), list(range(7))]
    assert paired(a, some, PROCRUSTES).left_out == (5, 10)


def test_a_table_that_is_there_gives_the_same(sides: tuple[Fingerprint, Fingerprint]) -> None:
    pair = pair_of(*sides)
    a, b = pair.a, pair.b
    found, again = paired(a, b, PROCRUSTES, seed=3), paired_in(pair, tables.distance_table(a, b, PROCRUSTES), seed=3)
    assert found.distance == pytest.approx(again.distance) and found.retrieval == again.retrieval
    assert found.log_kl == again.log_kl and b.n == 12


def test_models_that_have_nothing_to_do_with_each_other_are_at_chance() -> None:
    a = synthetic.stratified("a", 20, seed=1, kinds=(("resample", 0.01),))
    b = synthetic.repeated(a, "other", tied=0.0)
    b = dataclasses.replace(b, grams=synthetic.stratified("c", 20, seed=5, kinds=(("resample", 0.01),)).grams)
    found = paired(a, b, PROCRUSTES)
    assert max(found.retrieval) <= 0.2 and found.retrieval_intervals[0][0] <= found.chance
    assert found.log_kl is not None and found.log_kl.p_value > 0.01
    assert found.log_kl.interval[0] < 0 < found.log_kl.interval[1]


def test_agreement_is_pearsons_with_a_bootstrap_near_fishers_interval() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(40)
    y = 0.8 * x + 0.6 * rng.standard_normal(40)
    found = agreement(x, y)
    assert found is not None and found.correlation == pytest.approx(pearsonr(x, y)[0])
    ends = pearsonr(x, y).confidence_interval()
    assert found.fisher == pytest.approx((ends.low, ends.high))
    assert np.abs(np.subtract(found.interval, found.fisher)).max() < 0.12
    assert found.null[0] == pytest.approx(-found.null[1], abs=0.05) and found.null[1] == pytest.approx(0.31, abs=0.04)
    assert found == agreement(x, y) and found.spread == (x.std(ddof=1), y.std(ddof=1))
    assert agreement(x, np.full(40, 3.0)) is None


def test_the_shuffles_are_a_valid_test_and_the_interval_covers() -> None:
    rng = np.random.default_rng(1)
    p, covered = [], 0
    for _ in range(100):
        x = rng.standard_normal((2, 12))
        null = agreement(x[0], x[1])
        tied = agreement(x[0], 0.7 * x[0] + np.sqrt(0.51) * x[1])
        assert null is not None and tied is not None
        p.append(null.p_value)
        covered += tied.interval[0] <= 0.7 <= tied.interval[1]
    assert np.mean(np.array(p) <= 0.1) <= 0.2 and 0.3 < np.mean(p) < 0.7 and covered >= 85


def test_other_edits_are_refused_with_how_many_agree(sides: tuple[Fingerprint, Fingerprint]) -> None:
    a, other = sides[0], synthetic.stratified("b", seed=2)
    with pytest.raises(
        InputError, match="paired: 0 of the 12 edits of a are among the 48 of b, at least 4 are needed; "
    ):
        paired(a, other, PROCRUSTES)
    with pytest.raises(InputError, match=r"3 of the 12 edits of a are among the 3 of few.*edits_of=the first"):
        paired(a, sides[1].take(np.arange(3), "few"), PROCRUSTES)
    with pytest.raises(NotComparableError, match="a and short answer different queries"):
        paired(a, synthetic.stratified("short", m=20, seed=1), PROCRUSTES)


def test_a_comparison_of_paired_draws_has_no_p_value_and_no_verdict(sides: tuple[Fingerprint, Fingerprint]) -> None:
    a, b = sides
    found = cg.compare(a, b, distance="procrustes")
    assert found.verdict == "undecided" and found.status is Status.PAIRED
    assert found.p_value is found.p_equivalence is None and found.p_values == {}
    assert found.reason.startswith("Both sides carry the same 12 edits") and found.n == (12, 12)
    assert any("the draws are paired (12 edits are on both sides)" in w for w in found.warnings)
    assert not any("drawn to different KLs" in w for w in found.warnings)
    assert found.paired == paired_in(pair_of(a, b), found_table(a, b))
    assert found.rho is not None and found.sensitivity is None
    assert cg.compare(a, synthetic.stratified("b", seed=2), distance="procrustes").paired is None


def found_table(a: Fingerprint, b: Fingerprint) -> cg.DistanceTable:
    pair = pair_of(a, b)
    return tables.distance_table(pair.a, pair.b, PROCRUSTES)


def test_independent_draws_from_a_small_pool_are_not_called_paired(sides: tuple[Fingerprint, Fingerprint]) -> None:
    a, b = sides
    assert are_paired(a, b) and are_paired(a, a) and are_paired(a, b.take(np.arange(2, 9), "part"))
    order = np.random.default_rng(0).permutation(12)
    assert are_paired(a, b.take(order, "shuffled"))
    assert not are_paired(a, synthetic.stratified("b", seed=2))
    pool = list(combinations(a.circuit.pool[:5], 2))
    called, common = 0, 0
    for seed in range(60):
        drawn = [with_edits(a, np.random.default_rng([seed, k]).integers(len(pool), size=12), pool) for k in range(2)]
        common += len(set(edits_of(drawn[0])) & set(edits_of(drawn[1])))
        called += are_paired(*drawn)
    assert common > 60 * 4 and called <= 6, (
        "of ten possible edits both sides have most, and each repeats as many within itself"
    )


def are_paired(a: Fingerprint, b: Fingerprint) -> bool:
    return pair_of(a, b).edits is not None


def edits_of(side: Fingerprint) -> list[tuple[Site, ...]]:
    return [item.edit.sites for item in side.reference.admitted]


def with_edits(side: Fingerprint, rows: np.ndarray, pool: list[tuple[Site, ...]]) -> Fingerprint:
    """Return the reference implementations, said to be edits of these sites."""
    own = side.reference
    items = [
        dataclasses.replace(item, edit=dataclasses.replace(item.edit, sites=pool[row]))
        for item, row in zip(own.admitted, rows, strict=True)
    ]
    return dataclasses.replace(own, implementations=tuple(items))


def undesigned(side: Fingerprint) -> Fingerprint:
    """Return a side that does not say whose edits it carries."""
    return dataclasses.replace(side, sampling=dataclasses.replace(side.sampling, edits_of=None))


def test_the_same_edits_are_pairs_in_any_order_and_with_repeats() -> None:
    a = synthetic.stratified("a", 20, 30, seed=1, kinds=(("resample", None),))
    b = undesigned(synthetic.repeated(a, "copy", moved=0.1))
    order = np.random.default_rng(0).permutation(20)
    twice = np.r_[0:20, 0]
    other = synthetic.stratified("o", 20, 30, seed=5, kinds=(("resample", None),))
    half = {n: with_parts(b, other, n) for n in (3, 9, 10)}
    for left, right, expected in (
        (a, b, True), (a, b.take(order, "shuffled"), True), (a, b.take(order[::-1], "reversed"), True),
        (a.take(twice, "a"), b.take(twice, "b"), True), (a, half[10], True), (a, half[3], False), (a, other, False),
        (a, half[9], True), (a, half[9].take(order, "shuffled"), False),
    ):  # fmt: skip
        assert are_paired(left, right) is are_paired(right, left) is expected
    told = dataclasses.replace(b.sampling, edits_of=a.digest)
    assert are_paired(a, dataclasses.replace(half[9].take(order, "s"), sampling=told))
    first, second = paired_rows(a.take(twice, "a"), b.take(twice, "b"))
    assert first.tolist() == second.tolist() == list(range(20)), "an edit has one partner"


def with_parts(first: Fingerprint, second: Fingerprint, n: int) -> Fingerprint:
    """Return the first ``n`` implementations of one side and the others of another."""
    return dataclasses.replace(first, implementations=first.implementations[:n] + second.implementations[n:],
                               grams=np.concatenate([first.grams[:n], second.grams[n:]]))  # fmt: skip


def test_a_shuffled_paired_design_of_networks_is_never_different() -> None:
    a = synthetic.stratified("a", 20, 60, seed=1, kinds=(("resample", None),), noise=0.3)
    b = undesigned(synthetic.repeated(a, "copy", moved=0.3)).take(np.random.default_rng(0).permutation(20), "b")
    sides = [dataclasses.replace(side, implementations=tuple(
        dataclasses.replace(item, base=f"{k}{i}") for i, item in enumerate(side.implementations)))
        for k, side in enumerate((a, b))]  # fmt: skip
    found = compare_fingerprints(*sides, PROCRUSTES)
    assert found.verdict == "undecided" and found.p_value is None and found.paired is not None
    assert found.paired.retrieval == (1.0, 1.0)


def test_what_needs_independent_draws_is_not_given(sides: tuple[Fingerprint, Fingerprint]) -> None:
    pair = pair_of(*sides)
    a, b = pair.a, pair.b
    found = compare_fingerprints(*sides, PROCRUSTES, folds=4)
    assert found.interval is found.tv_lower is found.smallest_margin is None and found.intervals == {}
    near = found.closeness
    assert near is not None and (near.kl, near.intervention) == (0.01, "resample") and near.over_prompts is not None
    d = found_table(*sides).values
    radii = (d[0, 2:14] + d[1, 14:]) / 2
    assert near.interval == pytest.approx([d[0, 1] / end for end in mean_interval(radii)[::-1]])
    part = b.take(np.arange(3, 12)[::-1], "part")  # what has no partner does not count, and order does not matter
    some = compare_fingerprints(a, part, PROCRUSTES).closeness
    assert some is not None and some.radii[0] == pytest.approx(d[0, 5:14].mean())


def test_edits_with_other_parameters_are_no_pairs_and_no_independent_draws(
    sides: tuple[Fingerprint, Fingerprint],
) -> None:
    a, b = sides
    unlike = dataclasses.replace(b.sampling, interventions=(Method("resample", {"donors": 2}),))
    other = dataclasses.replace(b, sampling=unlike)
    with pytest.raises(
        InputError, match=r"paired: the edits of a and copy were made with different parameters of resa"
    ):
        paired(a, other, PROCRUSTES)
    found = compare_fingerprints(a, other, PROCRUSTES)
    assert found.paired is None and found.p_value is None and found.verdict == "undecided"
    assert "Both sides carry the same 12 edits" in found.reason
    assert "the sides were not made alike (the sides were made with different parameters of resample" in found.reason


def test_edits_that_do_nothing_make_no_agreement_of_log_kl() -> None:
    a = synthetic.stratified("a", 20, seed=1, kinds=(("resample", 0.01),))
    b = synthetic.repeated(a, "other", tied=0.0)
    still = [dataclasses.replace(side, implementations=tuple(
        dataclasses.replace(item, behaviour=dataclasses.replace(item.behaviour, kl=0.0 if i < 2 else item.behaviour.kl))
        for i, item in enumerate(side.implementations))) for side in (a, b)]  # fmt: skip
    found = paired(still[0], still[1], PROCRUSTES)
    kl = [np.log([item.behaviour.kl for item in side.implementations[2:]]) for side in still]
    assert found.n == 20 and found.log_kl is not None and found.metric is not None
    assert found.log_kl.correlation == pytest.approx(pearsonr(*kl)[0]) and abs(found.log_kl.correlation) < 0.6


def test_agreement_needs_four_edits() -> None:
    for n in (0, 2, 3):
        with pytest.raises(InputError, match=f"agreement: {n} and {n} responses; give both for the same 4 edits or m"):
            agreement(np.arange(n) * 1.0, np.arange(n) ** 2.0)
    with pytest.raises(InputError, match="agreement: 5 and 4 responses"):
        agreement(np.arange(5.0), np.arange(4.0))


def test_paired_sides_run_no_permutation_and_no_bootstrap(
    sides: tuple[Fingerprint, Fingerprint], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    for stage in ("permutation_test", "resample"):
        monkeypatch.setattr(f"congruity.inference.estimation.{stage}", lambda *_, name=stage: called.append(name))
    found = cg.compare(*sides, distance="procrustes")
    assert found.paired is not None and called == []
    cg.compare(sides[0].reference, synthetic.stratified("b", seed=2).reference, distance="procrustes")
    assert sorted(called) == ["permutation_test", "resample"], "independent sides run both"
