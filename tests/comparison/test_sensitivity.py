"""What a comparison would give with other implementations, and what mixtures of them pretend."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

import congruity as cg
import synthetic
from congruity.comparison import tables
from congruity.comparison.alike import pair_of
from congruity.comparison.compare import compare_fingerprints
from congruity.comparison.estimate import estimate
from congruity.comparison.parts import parts_of
from congruity.comparison.sensitivity import SHARES, sensitivity
from congruity.distances import spectral
from congruity.errors import InputError
from congruity.inference import EstimateSettings, described
from congruity.values import Fingerprint, SensitivityPoint, Stratum

PROCRUSTES = cg.distances.Procrustes()


@pytest.fixture(scope="module")
def sides() -> tuple[Fingerprint, Fingerprint]:
    return synthetic.stratified("a", seed=1), synthetic.stratified("b", seed=2, shift=0.08)


@pytest.fixture(scope="module")
def result(sides: tuple[Fingerprint, Fingerprint]) -> cg.Congruity:
    return compare_fingerprints(*sides, PROCRUSTES, EstimateSettings(seed=4))


def others(a: Fingerprint, b: Fingerprint) -> Any:
    """Return the sensitivity of a comparison, which is refused where there is only one kind."""
    pair = pair_of(a, b)
    parts = parts_of(pair, tables.measured(pair, PROCRUSTES), EstimateSettings())
    return sensitivity(pair, parts, PROCRUSTES, EstimateSettings())


def of(result: cg.Congruity, kind: str) -> list[SensitivityPoint]:
    assert result.sensitivity is not None
    return [point for point in result.sensitivity.points if point.kind == kind]


def test_the_reference_point_is_the_headline(result: cg.Congruity) -> None:
    first = of(result, "matched")[0]
    for name in ("score", "p_within", "separability", "p_value", "verdict", "interval", "closeness", "n"):
        assert getattr(first, name) == getattr(result, name), name
    assert first.a == first.b == "resample at KL 0.01"


def test_every_matched_point_is_what_a_comparison_of_that_kind_alone_says(
    sides: tuple[Fingerprint, Fingerprint], result: cg.Congruity
) -> None:
    points = of(result, "matched")
    assert [p.a for p in points] == [str(kind) for kind in sides[0].strata]
    for point, kind in zip(points, sides[0].strata, strict=True):
        alone = compare_fingerprints(
            sides[0].at(kind), sides[1].at(kind), PROCRUSTES, EstimateSettings(margin=0.5, seed=4)
        )
        assert (point.score, point.p_within, point.p_value) == (alone.score, alone.p_within, alone.p_value)
        assert point.closeness == alone.closeness and point.separability == alone.separability
        assert point.mean_kl == (sides[0].at(kind).mean_kl, sides[1].at(kind).mean_kl)


def brute(a: Any, b: Any) -> tuple[float, float]:
    """P1 and P2 from Gram matrices, by the definition."""
    grams = np.concatenate([a, b])
    d = PROCRUSTES.table(grams, tuple(map(str, range(len(grams)))), progress=lambda *_: None).values
    one, two = np.arange(len(a)), np.arange(len(a), len(grams))
    return synthetic.p_within(d.T, one, two), synthetic.p_within(d.T, two, one)


def test_unmatched_points_and_mixes_are_of_the_implementations_that_they_name(
    sides: tuple[Fingerprint, Fingerprint], result: cg.Congruity
) -> None:
    a, b = sides
    at = {kind: (a.at(kind).grams, b.at(kind).grams) for kind in a.strata}
    strengths = of(result, "strength")
    assert len(strengths) == 6 and all(p.interventions == ("resample", "resample") for p in strengths)
    for point in strengths:
        left, right = (Stratum("resample", kl) for kl in point.kls)
        assert left != right and point.verdict is point.p_value is point.closeness is None
        assert point.p_within == pytest.approx(brute(at[left][0], at[right][1]))
    main, second = Stratum("resample", 0.01), Stratum("mean", 0.01)
    mixes = of(result, "mix")
    assert [p.shares for p in mixes] == [(0.0, q) for q in SHARES] + [(q, q) for q in SHARES]
    for point in mixes:
        k = [round(12 * q) for q in point.shares]
        left, right = (
            np.concatenate([at[main][side][: 12 - k[side]], at[second][side][12 - k[side] :]]) for side in (0, 1)
        )
        assert point.p_within == pytest.approx(brute(left, right)) and point.n == (12, 12) and point.second == "mean"
    assert mixes[0].score == mixes[5].score == pytest.approx(result.score)
    assert mixes[4].b == "mean at KL 0.01" and mixes[1].b == "resample at KL 0.01, 25 % of it mean"
    assert mixes[9].score == pytest.approx(of(result, "matched")[3].score)


def test_a_mix_on_one_side_separates_a_model_from_itself_and_on_both_does_not() -> None:
    whole = synthetic.stratified("a", 24, seed=1, kinds=(("resample", 0.01), ("mean", 0.01)))
    halves = [whole.take(np.r_[k:24:2, 24 + k : 48 : 2], f"half {k}") for k in (0, 1)]
    points = of(compare_fingerprints(*halves, PROCRUSTES), "mix")
    one, both = points[:5], points[5:]
    assert one[0].score > 0.9 and one[4].score < 0.1 and one[4].separability == 1.0
    assert all(p.score > 0.85 for p in both)


def test_what_changes_is_said_with_where(result: cg.Congruity) -> None:
    found = result.sensitivity
    assert found is not None and not found.changes
    assert found.sentence.startswith(
        "With all 4 kinds of implementations alike (resample at KL 0.01, resample at KL 0.0"
    )
    assert found.sentence.endswith("undecided and told apart.")
    kinds = (("resample", 0.01), ("resample", 0.0001))
    close = [synthetic.stratified(n, seed=s, shift=x, kinds=kinds) for n, s, x in (("a", 1, 0.0), ("b", 2, 0.01))]
    other = compare_fingerprints(*close, PROCRUSTES, controls=False)
    assert other.sensitivity is not None and other.sensitivity.changes and other.p_value is not None
    assert other.p_value > 0.05 >= (other.sensitivity.points[1].p_value or 1)
    assert "with resample at KL 0.01, the reference, undecided and not told apart" in other.sensitivity.sentence
    assert "undecided and told apart with resample at KL 0.0001 (1 of 2 kinds" in other.sensitivity.sentence
    assert len(other.sensitivity.points) == 2
    assert other.reason.endswith(other.sensitivity.sentence) and other.sensitivity.sentence in other.warnings
    assert result.sensitivity is not None and result.sensitivity.sentence not in result.reason
    incapable = compare_fingerprints(dataclasses.replace(close[0], capable=False), close[1], PROCRUSTES, controls=False)
    assert "depends on how" not in incapable.reason


def test_kinds_with_few_implementations_are_left_out_and_named() -> None:
    kinds = (("resample", 0.01), ("mean", 0.01), ("resample", 0.003))
    sides = [synthetic.stratified(x, 10, seed=k, kinds=kinds) for k, x in enumerate("ab", start=1)]
    few = [side.take(np.r_[0:10, 10, 20:30], side.model.name) for side in sides]
    found = compare_fingerprints(few[0], sides[1], PROCRUSTES).sensitivity
    assert found is not None and [p.a for p in found.matched()] == ["resample at KL 0.01", "resample at KL 0.003"]
    assert found.sentence.endswith("Left out, with fewer than 5 implementations on a side: mean at KL 0.01.")
    one = [side.take(np.r_[0:10, 10], side.model.name) for side in sides]
    alone = compare_fingerprints(*one, PROCRUSTES)
    assert alone.sensitivity is None and any(w.startswith("Left out, with fewer than 5 impl") for w in alone.warnings)
    with pytest.raises(InputError, match=r"two are needed; .*\(Left out, .*: mean at KL 0\.01\.\)"):
        others(*one)


def test_a_mix_holds_the_share_that_was_drawn() -> None:
    sides = [
        synthetic.stratified(x, 10, seed=k, kinds=(("resample", 0.01), ("mean", 0.01))) for k, x in enumerate("ab")
    ]
    points = of(compare_fingerprints(*sides, PROCRUSTES), "mix")
    assert [p.shares[1] for p in points[:5]] == [0.0, 0.2, 0.5, 0.8, 1.0] and points[6].shares == (0.2, 0.2)
    assert points[1].b == "resample at KL 0.01, 20 % of it mean"


def test_no_equivalent_kl_is_claimed_of_sides_that_were_not_made_alike(sides: tuple[Fingerprint, Fingerprint]) -> None:
    other = dataclasses.replace(sides[1], sampling=dataclasses.replace(sides[1].sampling, gates=cg.Gates(max_kl=0.5)))
    found = compare_fingerprints(sides[0], other, PROCRUSTES, controls=False)
    assert found.sensitivity is not None and found.equivalent_kl is found.sensitivity.equivalent_kl is None
    assert found.closeness is not None and found.closeness.within is None


def test_the_equivalent_kl_is_that_of_the_reference_intervention_over_all_strengths(result: cg.Congruity) -> None:
    assert result.sensitivity is not None and result.equivalent_kl == result.sensitivity.equivalent_kl
    found = result.equivalent_kl
    assert found is not None and found.kls == (0.003, 0.01, 0.03) and found.intervention == "resample"
    assert found.value is not None and found.low is not None and found.high is not None
    assert 0.003 < found.low < found.value < found.high < 0.01
    assert found.rhos == tuple(p.closeness.rho for p in sorted(of(result, "matched")[:3], key=lambda p: p.kls[0] or 0)
                               if p.closeness)  # fmt: skip


def test_no_pair_is_solved_twice_and_the_cost_is_as_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of n a side at two KLs and a second intervention: 3 matched, 2 ordered pairs of strengths, 1 mix."""
    n, solved = 5, []
    kinds = (("resample", 0.01), ("resample", 0.003), ("mean", 0.01))
    a, b = (synthetic.stratified(name, n, 6, seed=k, kinds=kinds) for k, name in enumerate("ab"))
    original = cg.distances.Spectral._one_by_one

    def counted(self: Any, roots: Any, pairs: Any, progress: Any) -> Any:
        solved.extend(map(tuple, pairs))
        return original(self, roots, pairs, progress)

    monkeypatch.setattr(spectral.Spectral, "_one_by_one", counted)
    measure = cg.distances.Spectral().remembering()
    pair, settings = pair_of(a, b), EstimateSettings()
    of_pair = tables.Measured(tables.distance_table(pair.a, pair.b, measure))
    before = len(solved)
    sensitivity(pair, parts_of(pair, of_pair, settings), measure, settings)
    inside = n * (n - 1)  # of two sides
    clean = 2 * 2 * n  # clean a and clean b to all of a new kind
    expected = 2 * (inside + n * n + clean) + 2 * n * n + 4 * n * n
    assert before == inside + n * n + clean + 1 and len(solved) - before == expected
    solved.clear()
    cg.compare(a, b, distance=cg.distances.Spectral())
    assert len(solved) == before + expected  # one call shares what it has solved, whatever object it was given


def test_compare_like_callers_get_json_and_what_is_missing_is_said(
    sides: tuple[Fingerprint, Fingerprint], result: cg.Congruity
) -> None:
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert len(data["sensitivity"]["points"]) == 20 and data["sensitivity"]["changes"] is False
    one = synthetic.stratified("c", seed=3, kinds=(("resample", 0.01),))
    assert compare_fingerprints(sides[0], one, PROCRUSTES).sensitivity is None
    with pytest.raises(InputError, match="sensitivity: a and c have 1 kinds of implementations in common and two are"):
        others(sides[0], one)


def test_reliability_is_taken_over_from_the_reference(sides: tuple[Fingerprint, Fingerprint]) -> None:
    asked: list[bool] = []

    def recorded(*args: Any, require_prompts: bool = True) -> Any:
        asked.append(require_prompts)
        return parts_of(*args, require_prompts=require_prompts)

    pair, settings = pair_of(*sides), EstimateSettings()
    reference = parts_of(pair, tables.measured(pair, PROCRUSTES), settings)
    known = reference.estimate.prompts
    assert known is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("congruity.comparison.sensitivity.parts_of", recorded)
        for value in (0.9, 0.5):
            estimate = dataclasses.replace(reference.estimate, prompts=dataclasses.replace(known, reliability=value))
            other = dataclasses.replace(reference, estimate=estimate)
            sensitivity(pair, other, PROCRUSTES, settings, controls=False)
    assert asked == [False] * 3 + [True] * 3


def test_described_is_what_estimate_says() -> None:
    values = np.random.default_rng(0).gamma(3, 1, (11, 11))
    np.fill_diagonal(values, 0)
    for side in (["x"] * 4 + ["y"] * 7, ["x"] * 7 + ["y"] * 4):
        full, short = estimate(values, side), described(values, side)
        assert (short.p1, short.p2) == full.p_within and short.separability == full.separability
        assert short.score == full.score
