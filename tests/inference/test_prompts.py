"""Prompts as a source of error: reliability, trend with their number, jackknife, and what a verdict makes of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

import congruity as cg
import synthetic
from congruity._base.arrays import Floats
from congruity.comparison import tables
from congruity.comparison.alike import pair_of
from congruity.comparison.arrays import pairwise
from congruity.comparison.estimate import estimate
from congruity.comparison.parts import parts_of, result_of
from congruity.errors import InputError
from congruity.inference import EstimateSettings, prompt_error
from congruity.inference.prompts import reliability, separation
from congruity.values import DistanceTable, PromptError

SIDE = ["a"] * 12 + ["b"] * 12


def table(values: Floats) -> DistanceTable:
    return DistanceTable("given", values, tuple(str(k) for k in range(len(values))))


def clouds(shift: float, seed: int = 0, p: int = 4) -> Floats:
    points = np.random.default_rng(seed).standard_normal((24, p))
    points[12:, 0] += shift
    return np.asarray(np.linalg.norm(points[:, None] - points[None], axis=2))


def noisy(values: Floats, scale: float, seed: int) -> Floats:
    noise = np.random.default_rng(seed).standard_normal(values.shape) * scale
    result = np.abs(values + (noise + noise.T) / 2)
    np.fill_diagonal(result, 0.0)
    return np.asarray(result)


def of_prompts(value: float, half: float = 0.1) -> PromptError:
    return PromptError(100, value, half, 0.1)


def test_reliability_is_the_mean_spearman_correlation_to_each_target_stepped_up() -> None:
    first, second = noisy(clouds(1.0), 0.5, 1), noisy(clouds(1.0), 0.5, 2)
    second[3, :] *= 2.0  # not symmetric: targets are columns
    others = ~np.eye(24, dtype=bool)
    r = np.mean([spearmanr(first[others[:, j], j], second[others[:, j], j])[0] for j in range(24)])
    assert reliability(first, second) == pytest.approx(2 * r / (1 + r), abs=1e-12)


def test_reliability_of_noise_is_near_zero_and_of_constants_zero() -> None:
    rng = np.random.default_rng(0)
    assert reliability(*rng.random((2, 40, 40))) < 0.15
    assert reliability(np.ones((5, 5)), np.ones((5, 5))) == 0.0


def test_the_jackknife_is_the_textbook_formula_and_the_trend_is_extrapolated() -> None:
    whole, parts = table(clouds(1.5)), [table(noisy(clouds(1.5), 0.3, k)) for k in range(7)]
    found = prompt_error(whole, parts[:2], SIDE, n=90, folds=parts[2:])
    without = [separation(part, list(SIDE), None) for part in parts[2:]]
    assert found.standard_error == pytest.approx(np.sqrt(4 / 5 * np.sum((np.array(without) - np.mean(without)) ** 2)))
    halves = np.mean([separation(part, list(SIDE), None) for part in parts[:2]])
    whole_t = estimate(whole, SIDE).separation
    assert separation(whole, list(SIDE), None) == pytest.approx(whole_t, abs=1e-12)
    assert (found.half_separation, found.extrapolated) == pytest.approx((halves, 2 * whole_t - halves))
    assert (found.n, found.folds) == (90, 5)


def test_the_jackknife_agrees_with_the_spread_over_fresh_prompts() -> None:
    """T from 60 independent prompts, drawn anew 60 times: its spread is what the jackknife of one draw estimates."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((16, 1)) * 0.3 + np.repeat([0.0, 0.35], 8)[:, None]
    errors, values = [], []
    for _ in range(60):
        points = centres + rng.standard_normal((16, 60))

        def on(keep: Any, points: Floats = points) -> DistanceTable:
            return table(np.linalg.norm(points[:, None, keep] - points[None, :, keep], axis=2) / np.sqrt(len(keep)))

        order = rng.permutation(60)
        folds = [on(np.setdiff1d(order, order[k::10])) for k in range(10)]
        found = prompt_error(on(order), [on(order[:30]), on(order[30:])], [0] * 8 + [1] * 8, n=60, folds=folds)
        assert found.standard_error is not None
        errors.append(found.standard_error)
        values.append(separation(on(order), [0] * 8 + [1] * 8, None))
    assert 0.6 <= np.sqrt(np.mean(np.square(errors))) / np.std(values) <= 1.7


def test_noisy_distances_bar_the_verdict_equivalent_and_say_so() -> None:
    same = clouds(0.0, seed=3)
    assert estimate(same, SIDE).verdict == estimate(same, SIDE, prompts=of_prompts(0.9)).verdict == "equivalent"
    barred = estimate(same, SIDE, prompts=of_prompts(0.6))
    assert barred.verdict == "undecided"
    assert "the distances change too much with the prompts" in barred.reason and "reliability 0.60" in barred.reason
    assert any("are noisy over prompts (split-half reliability 0.60)" in w for w in barred.warnings)
    noise = estimate(same, SIDE, prompts=of_prompts(0.1))
    assert any("are mostly noise over prompts" in w for w in noise.warnings)
    far = estimate(clouds(5.0), SIDE, prompts=of_prompts(0.1))
    assert far.verdict == "different", "noise makes sides alike, so it cannot make a difference"


def test_a_separation_that_grows_with_the_prompts_is_a_warning() -> None:
    found = estimate(clouds(1.0), SIDE, prompts=PromptError(100, 0.95, 0.1, 0.9))
    assert any("still grows with the prompts (T = 0.10 on half of them" in w for w in found.warnings)
    assert not estimate(clouds(1.0), SIDE, prompts=PromptError(100, 0.95, 0.18, 0.2)).warnings


def test_the_interval_widens_by_the_error_over_prompts() -> None:
    plain = estimate(clouds(1.5), SIDE)
    wide = estimate(clouds(1.5), SIDE, prompts=dataclasses.replace(of_prompts(0.9), standard_error=0.2, folds=20))
    low, high = wide.intervals["separation over prompts"]
    t, (first, last) = plain.separation, plain.intervals["separation"]
    assert low == pytest.approx(max(-1, t - np.hypot(t - first, 1.96 * 0.2)))
    assert high == pytest.approx(min(1, t + np.hypot(last - t, 1.96 * 0.2)))
    assert wide.intervals["separation"] == (first, last) and "separation over prompts" not in plain.intervals


def test_the_level_moves_both_tests() -> None:
    distances = clouds(1.0, seed=5)
    p = estimate(distances, SIDE).p_value
    assert p is not None and 0.001 < p < 0.05
    assert estimate(distances, SIDE, alpha=p / 2).verdict != "different"
    strict, loose = (estimate(clouds(0.0, seed=3), SIDE, alpha=alpha) for alpha in (0.01, 0.1))
    assert strict.smallest_margin > loose.smallest_margin
    with pytest.raises(InputError, match=r"estimate: alpha is 0\.5; pass a level between 0\.0001 and 0\.2"):
        estimate(distances, SIDE, alpha=0.5)


@pytest.mark.parametrize("margin", [0.3, 0.5, 0.7])
def test_p_equivalence_is_where_the_test_begins_to_pass(margin: float) -> None:
    distances = clouds(0.6, seed=4)
    p = estimate(distances, SIDE, margin=margin).p_equivalence
    if p < 0.2:
        assert estimate(distances, SIDE, margin=margin, alpha=min(0.2, p + 0.001)).smallest_margin < margin
    if 0.0015 < p <= 0.2:
        assert estimate(distances, SIDE, margin=margin, alpha=p - 0.001).smallest_margin >= margin
    assert estimate(clouds(5.0), SIDE, margin=margin).p_equivalence == 1.0


def test_what_prompt_error_refuses() -> None:
    whole = table(clouds(1.0))
    with pytest.raises(InputError, match="prompt_error: 1 halves and 0 folds; pass two halves, and no fold or at"):
        prompt_error(whole, [whole], SIDE, n=9)
    with pytest.raises(InputError, match=r"a table of shape \(3, 3\) beside one of \(24, 24\); pass the same impl"):
        prompt_error(whole, [whole, table(np.ones((3, 3)))], SIDE, n=9)


# ------------------------------------------------------------------------------------------------- from fingerprints


def test_distances_on_some_prompts_are_those_of_the_representations_there() -> None:
    rng = np.random.default_rng(0)
    a, b = synthetic.fingerprint("a", 3, seed=1), synthetic.fingerprint("b", 3, seed=2)
    hidden = rng.standard_normal((8, 30, 5))
    grams = hidden @ hidden.transpose(0, 2, 1)
    a = dataclasses.replace(a, clean_gram=grams[0], grams=grams[2:5])
    b = dataclasses.replace(b, clean_gram=grams[1], grams=grams[5:])
    rows = np.array([0, 3, 4, 9, 20, 28])
    found = tables.distance_table(a, b, cg.distances.CKA(), rows)
    assert found.values == pytest.approx(pairwise(list(hidden[:, rows]), "cka").values, abs=1e-12)


def test_halves_and_folds_part_the_prompts_and_are_the_same_for_every_pair() -> None:
    a, b, c = (synthetic.fingerprint(name, 4, seed=k) for k, name in enumerate("abc"))
    asked: list[Any] = []

    def make(first: Any, second: Any, distance: Any, rows: Any, progress: Any) -> DistanceTable:
        asked.append(rows)
        return tables.distance_table(first, second, distance, rows)

    for other in (b, c):
        pair = pair_of(a, other)
        found = tables.measured(pair, cg.distances.CKA(), folds=5, make=make)
        assert (len(found.halves), len(found.folds), found.trouble) == (2, 5, "")
    everything, first, second, *folds = asked[:8]
    assert everything is None and sorted([*first, *second]) == list(range(30)) and len(first) == 15
    left_out = [set(range(30)) - set(fold) for fold in folds]
    assert set.union(*left_out) == set(range(30)) and [len(group) for group in left_out] == [6] * 5
    assert all(np.array_equal(x, y) for x, y in zip(asked[1:8], asked[9:], strict=True))
    result = result_of(parts_of(pair, found, EstimateSettings()))
    assert result.prompts is not None and result.prompts.folds == 5 and "separation over prompts" in result.intervals


def test_too_few_prompts_leave_the_reliability_unchecked_and_say_so() -> None:
    a, b = (synthetic.fingerprint(name, 4, m=12, seed=k) for k, name in enumerate("ab"))
    result = cg.compare(a, b, distance="cka")
    assert result.prompts is None and result.verdict != "equivalent"
    assert "reliability over prompts was not checked: 12 prompts are too few to measure on half of them" in (
        result.warnings
    )
    with pytest.raises(InputError, match="compare: 4 folds of 12 prompts; ask for 2 to 3, or 0 for none"):
        cg.compare(a, b, distance="cka", folds=4)


def test_unchecked_prompts_bar_equivalence_and_a_broken_fold_does_not_undo_the_check() -> None:
    """Noise that drowns all else makes any two sides alike: with 12 prompts nothing would notice."""
    rng = np.random.default_rng(0)
    sides = []
    for k, name in enumerate("ab"):
        hidden = 10.0 * rng.standard_normal((21, 12, 12))
        grams = hidden @ hidden.transpose(0, 2, 1)
        sides.append(
            dataclasses.replace(
                synthetic.fingerprint(name, 20, m=12, seed=k), clean_gram=grams[0], grams=grams[1:] / 1e3
            )
        )
    found = cg.compare(*sides, distance="cka")
    assert found.smallest_margin < 0.5 and found.verdict == "undecided"
    assert "whether the distances are reliable over prompts could not be checked" in found.reason

    class Fussy(cg.distances.CKA):
        def table(self, grams: Any, labels: Any, *, progress: Any) -> DistanceTable:
            if grams.shape[1] == 24:
                raise InputError("Fussy: not on 24 prompts")
            return super().table(grams, labels, progress=progress)

    a, b = (synthetic.fingerprint(name, 6, seed=k) for k, name in enumerate("ab"))
    with pytest.raises(InputError, match="Fussy: not on 24 prompts"):
        cg.compare(a, b, distance=Fussy(), folds=5)


def test_pairs_within_a_network_do_not_count_as_reliable() -> None:
    rng = np.random.default_rng(0)
    base = np.repeat(np.arange(10), 6)
    within = np.abs(base[:, None] != base[None]) * 5.0 + np.abs(np.subtract.outer(np.arange(60), np.arange(60))) * 0.01
    halves = [table(within + (base[:, None] != base[None]) * rng.random((60, 60))) for _ in range(2)]
    side = ["a"] * 30 + ["b"] * 30
    whole = table(within)
    assert prompt_error(whole, halves, side, n=40).reliability > 0.5
    assert prompt_error(whole, halves, side, base=base, n=40).reliability < 0.4
    tiny = [table(half.values * 1e-13) for half in halves]
    assert prompt_error(whole, tiny, side, n=40) == prompt_error(whole, halves, side, n=40)
