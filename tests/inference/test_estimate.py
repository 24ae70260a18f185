"""`estimate` against brute force, exact enumeration, SciPy's own bootstrap and permutations, and closed forms."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats

from congruity.comparison.estimate import estimate
from congruity.errors import InputError
from congruity.inference.bootstrap import acceleration, bca, clopper_pearson, edge_guard, weighted_p
from congruity.inference.design import design
from congruity.inference.estimation import estimated
from congruity.inference.permutation import permutation_test
from congruity.values import Congruity, DistanceTable

Array = NDArray[np.float64]
QUICK: dict[str, Any] = {"n_permutations": 199, "n_bootstrap": 199}


# ------------------------------------------------------------------------------------------- the same, written slowly


def half(a: float, b: float) -> float:
    return float(a < b) + 0.5 * float(a == b)


def brute_p(table: Array, mine: list[int], other: list[int], unit: list[Any], weight: Any = None) -> float:
    """P of one side over all triples (anchor, own, other) at a fixed target; ``weight`` of a unit, default 1."""
    wins = triples = 0.0
    for j, i, k in itertools.product(mine, mine, other):
        if unit[i] == unit[j]:
            continue
        w = 1.0 if weight is None else weight[unit[i]] * weight[unit[j]] * weight[unit[k]]
        wins += w * half(table[i, j], table[k, j])
        triples += w
    return wins / triples if triples else math.nan


def brute_statistics(table: Array, first: list[int], second: list[int], unit: list[Any]) -> Array:
    """Energy, T, abs(S), 3-NN and separability of a labelling, by loops."""
    p1, p2 = brute_p(table, first, second, unit), brute_p(table, second, first, unit)
    side = dict.fromkeys(first, 0) | dict.fromkeys(second, 1)

    def mean(pairs: Any) -> float:
        return float(np.mean([table[i, j] for i, j in pairs if unit[i] != unit[j]]))

    pair = itertools.product
    between = mean([*pair(first, second), *pair(second, first)])
    energy = 2 * between - mean(pair(first, first)) - mean(pair(second, second))
    own = []
    for j in side:
        others = sorted((i for i in side if unit[i] != unit[j]), key=lambda i: table[i, j])
        cut = table[others[min(3, len(others)) - 1], j]
        sure = [i for i in others if table[i, j] < cut]
        tied = [side[i] == side[j] for i in others if table[i, j] == cut]
        own.append(sum(side[i] == side[j] for i in sure) + (3 - len(sure)) * np.mean(tied))
    score = {z: mean((i, z) for i in second) - mean((i, z) for i in first) for z in side}
    auc = np.mean([half(round(score[y], 9), round(score[x], 9)) for x, y in pair(first, second)])
    return np.array([energy, p1 + p2 - 1, abs(p1 - p2), np.mean(own) / 3, auc])


def random_table(seed: int, n: int, *, ties: bool = True, symmetric: bool = False) -> Array:
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 4, (n, n)).astype(float) if ties else rng.random((n, n))
    if symmetric:
        table = table + table.T
    np.fill_diagonal(table, 0)
    return table


def cloud(
    seed: int, n1: int, n2: int, *, shift: float = 0.0, scale: float = 1.0, dim: int = 3
) -> tuple[Array, list[str]]:
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.normal(size=(n1, dim)), scale * rng.normal(size=(n2, dim)) + shift / math.sqrt(dim)])
    return np.linalg.norm(points[:, None] - points, axis=2), ["a"] * n1 + ["b"] * n2


CASES = [  # side sizes, bases of each side (None: independent)
    (2, 2, None),
    (3, 5, None),
    (6, 4, None),
    (4, 4, (["u", "u", "v", "v"], ["w", "w", "x", "x"])),
    (5, 6, (["u", "u", "u", "v", "x"], ["w", "y", "y", "z", "z", "z"])),
]


@pytest.mark.parametrize(("n1", "n2", "bases"), CASES)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("symmetric", [False, True])
def test_scores_equal_brute_force_over_triples(n1: int, n2: int, bases: Any, seed: int, symmetric: bool) -> None:
    table = random_table(seed, n1 + n2, ties=seed % 2 == 0, symmetric=symmetric)
    order = np.random.default_rng(seed).permutation(n1 + n2)  # sides interleaved
    side = np.array(["a"] * n1 + ["b"] * n2)[order]
    base = None if bases is None else np.array(bases[0] + bases[1])[order]
    unit = list(range(n1 + n2)) if base is None else list(base)
    lead = side[0]
    mine, other = [i for i, s in enumerate(side) if s == lead], [i for i, s in enumerate(side) if s != lead]
    found = estimate(table, side, base=base, **QUICK)
    p1, p2 = brute_p(table, mine, other, unit), brute_p(table, other, mine, unit)
    assert found.p_within == pytest.approx((p1, p2), abs=1e-12)
    assert found.separation == pytest.approx(p1 + p2 - 1, abs=1e-12)
    assert found.asymmetry == pytest.approx(p1 - p2, abs=1e-12)
    assert found.score == pytest.approx(1 - abs(p1 + p2 - 1), abs=1e-12)
    assert found.score_min == pytest.approx(1 - max(abs(2 * p1 - 1), abs(2 * p2 - 1)), abs=1e-12)
    assert found.score_min == pytest.approx(found.score - abs(found.asymmetry), abs=1e-12)
    assert found.separability == pytest.approx(brute_statistics(table, mine, other, unit)[4], abs=1e-12)
    assert found.n == (len(mine), len(other))


@pytest.mark.parametrize(("n1", "n2", "bases"), CASES[1:])
def test_weights_form_equals_brute_force_with_weights(n1: int, n2: int, bases: Any) -> None:
    table = random_table(11, n1 + n2)
    side = ["a"] * n1 + ["b"] * n2
    layout = design(table, side, None if bases is None else bases[0] + bases[1])
    weights = np.random.default_rng(0).multinomial(6, np.full(sum(layout.units), 1 / sum(layout.units)), 20)
    found = weighted_p(layout, weights.astype(float))
    canonical = layout.toward.T
    first, second = np.flatnonzero(layout.first).tolist(), np.flatnonzero(~layout.first).tolist()
    for row, weight in zip(found, weights, strict=True):
        expected = [
            brute_p(canonical, first, second, layout.unit.tolist(), weight),
            brute_p(canonical, second, first, layout.unit.tolist(), weight),
        ]
        np.testing.assert_allclose(row, expected, atol=1e-12)


# ------------------------------------------------------------------------------------------------ permutation test


@pytest.mark.parametrize(
    ("n1", "n2", "bases"),
    [
        (4, 5, None),
        (4, 4, None),
        (8, 9, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 7, 7]),
    ],
)
def test_exact_p_values_equal_enumeration(n1: int, n2: int, bases: list[int] | None) -> None:
    table = random_table(5, n1 + n2, ties=bases is None)
    table[:n1, n1:] += np.random.default_rng(3).integers(0, 2, (n1, n2))  # a little separation, with ties
    found = estimate(table, ["a"] * n1 + ["b"] * n2, base=bases, n_permutations=999, n_bootstrap=99)
    unit = bases or list(range(n1 + n2))
    names = sorted(set(unit))
    lead = len(set(unit[:n1]))
    rows = []
    for chosen in itertools.combinations(names, lead):  # the first is the observed labelling
        first = [i for i, u in enumerate(unit) if u in chosen]
        rows.append(brute_statistics(table, first, [i for i in range(n1 + n2) if i not in first], unit))
    values = np.array(rows)
    scaled = (values - values.mean(0)) / values.std(0)
    combined = scaled[:, :4].max(1)
    assert found.provenance["exact"] and found.provenance["labellings"] == len(rows)
    assert found.p_value == pytest.approx(np.mean(combined >= combined[0] - 1e-9))
    for k, name in enumerate(("energy", "T", "S", "3-NN", "separability")):
        assert found.p_values[name] == pytest.approx(np.mean(values[:, k] >= values[0, k] - 1e-9)), name


def test_p_value_of_separation_equals_scipy() -> None:
    table, side = cloud(1, 5, 5, shift=1.5)

    def separation(x: Array, y: Array) -> float:
        first, second, unit = x.astype(int).tolist(), y.astype(int).tolist(), list(range(10))
        return brute_p(table, first, second, unit) + brute_p(table, second, first, unit) - 1

    oracle = stats.permutation_test(
        (np.arange(5.0), np.arange(5.0, 10.0)), separation, alternative="greater", n_resamples=999, vectorized=False
    )
    found = estimate(table, side, **QUICK | {"n_permutations": 252})
    assert found.separation == pytest.approx(oracle.statistic)
    assert found.p_values["T"] == pytest.approx(oracle.pvalue)


def permanova_p(table: Array, n: int) -> float:
    """Anderson's (2001) pseudo-F on the roots of distances, over every labelling of 2 n points, by definition."""

    def f(first: Iterable[int]) -> float:
        groups = [list(first), [k for k in range(2 * n) if k not in first]]
        total = table[np.triu_indices(2 * n, 1)].sum() / (2 * n)
        within = sum(table[np.ix_(g, g)][np.triu_indices(n, 1)].sum() / n for g in groups)
        return float((total - within) / (within / (2 * n - 2)))

    values = np.array([f(first) for first in itertools.combinations(range(2 * n), n)])
    return float((values >= values[0] - 1e-9).mean())


@pytest.mark.parametrize("seed", range(4))
def test_p_value_of_energy_equals_permanova(seed: int) -> None:
    """With as many on either side, energy rises with pseudo-F where squared dissimilarities are the distances."""
    table, side = cloud(seed, 5, 5, shift=1.2)
    found = estimate(table, side, **QUICK | {"n_permutations": 252})
    assert found.p_values["energy"] == pytest.approx(permanova_p(table, 5))


def test_p_values_of_energy_and_ranks_beside_scikit_bio() -> None:
    bio = pytest.importorskip("skbio.stats.distance", reason="a cross-check where scikit-bio is installed")
    for shift, limit in ((0.0, 1.0), (1.0, 0.4), (3.0, 0.002)):
        table, side = cloud(3, 12, 12, shift=shift)
        found = estimate(table, side)
        f = bio.permanova(bio.DistanceMatrix(np.sqrt(table)), side, permutations=9999, seed=0)["p-value"]
        assert abs(found.p_values["energy"] - f) <= 4 * np.sqrt(2 * max(f * (1 - f), 1e-4) / 9999)
        r = bio.anosim(bio.DistanceMatrix(table), side, permutations=9999, seed=0)["p-value"]
        assert max(f, r, found.p_values["T"]) <= limit or shift == 0.0


def test_random_permutations_agree_with_enumeration() -> None:
    table, side = cloud(2, 6, 6, shift=1.0)
    exact = estimate(table, side, n_permutations=924, n_bootstrap=99)
    drawn = estimate(table, side, n_permutations=923, n_bootstrap=99)
    assert exact.provenance["exact"] and not drawn.provenance["exact"]
    assert exact.p_value is not None and drawn.p_value is not None
    assert abs(exact.p_value - drawn.p_value) < 4 * math.sqrt(exact.p_value / 923)


def test_p_value_never_below_its_resolution() -> None:
    table, side = cloud(3, 12, 12, shift=30)
    assert estimate(table, side, **QUICK).p_value == pytest.approx(1 / 200)
    assert estimate(table, side, n_bootstrap=99).p_value == pytest.approx(1 / 10000)
    table, side = cloud(3, 4, 4, shift=30)
    assert estimate(table, side, **QUICK).p_value == pytest.approx(2 / 70)


def size(make: Callable[[np.random.Generator], Array], base: list[int] | None, n: int, repeats: int) -> int:
    rng = np.random.default_rng(7)
    rejected = 0
    for _ in range(repeats):
        points = make(rng)
        layout = design(np.linalg.norm(points[:, None] - points, axis=2), ["a"] * n + ["b"] * (len(points) - n), base)
        rejected += permutation_test(layout, 199, rng).p_value <= 0.05
    return rejected


def test_size_under_equality() -> None:
    rejected = size(lambda rng: rng.standard_t(3, size=(15, 4)), None, 7, 200)
    assert rejected <= stats.binom.ppf(0.999, 200, 0.05)


def test_size_under_equality_with_networks_as_units() -> None:
    base = np.repeat(np.arange(10), 4).tolist()

    def make(rng: np.random.Generator) -> Array:
        return rng.normal(size=(10, 2))[base] + 0.2 * rng.normal(size=(40, 2))

    limit = stats.binom.ppf(0.999, 200, 0.05)
    assert size(make, base, 20, 200) <= limit
    assert size(make, None, 20, 200) > 5 * limit  # what the bases are for


# ------------------------------------------------------------------------------------------------------- intervals


def test_bca_equals_scipy() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.exponential(size=12), rng.exponential(size=19) ** 2

    def contrast(x: Array, y: Array, axis: int = -1) -> Any:
        return x.mean(axis=axis) / y.mean(axis=axis)

    oracle = stats.bootstrap((x, y), contrast, method="BCa", n_resamples=999, confidence_level=0.9, rng=rng)
    left_out = [contrast(np.delete(x, i), y) for i in range(len(x))]
    left_out += [contrast(x, np.delete(y, i)) for i in range(len(y))]
    a = acceleration(np.array(left_out), (len(x), len(y)))
    found = bca(contrast(x, y), oracle.bootstrap_distribution, a, 0.1)
    np.testing.assert_allclose(found, oracle.confidence_interval, rtol=1e-6)


@pytest.mark.parametrize(("k", "n", "alpha"), [(0, 10, 0.05), (1, 10, 0.1), (2, 7, 0.05), (7, 7, 0.05)])
def test_clopper_pearson_equals_scipy(k: int, n: int, alpha: float) -> None:
    oracle = stats.binomtest(k, n).proportion_ci(1 - alpha, method="exact")
    assert clopper_pearson(k, n, alpha) == pytest.approx((oracle.low, oracle.high))


@pytest.mark.parametrize(("m", "bound"), [(5, 0.48), (10, 0.69), (20, 0.83), (50, 0.93)])
def test_perfect_separation_certifies_the_rule_of_three(m: int, bound: float) -> None:
    table, side = cloud(4, m, m + 3, shift=100)
    found = estimate(table, side, **QUICK)
    assert found.score == 0 and found.p_within == (1, 1) and found.separability == 1
    low, high = found.intervals["separation"]
    assert low == pytest.approx(0.025 ** (1 / m)) and low == pytest.approx(bound, abs=0.005) and high == 1
    assert found.intervals["p1"] == found.intervals["p2"] == (low, high)
    assert found.interval[0] == 0 and found.interval[1] == pytest.approx(1 - low)


def test_edge_guard_acts_only_near_a_bound() -> None:
    assert edge_guard(0.79, (0.0, 1.0), 10, 0.05) == ()
    assert edge_guard(0.9, (0.0, 1.0), 10, 0.05) == pytest.approx((1 - 0.0025286, 1 - 0.4450161), abs=1e-6)
    assert edge_guard(-0.9, (-1.0, 1.0), 10, 0.05) == pytest.approx((-1 + 0.0025286, -1 + 0.4450161), abs=1e-6)


@pytest.mark.parametrize("shift", [0.0, 1.5, 4.0])
@pytest.mark.parametrize("n", [3, 5, 12])
def test_intervals_hold_their_estimates_and_map_to_the_score(n: int, shift: float) -> None:
    table, side = cloud(9, n, n + 2, shift=shift)
    found = estimate(table, side, **QUICK)
    low, high = found.intervals["separation"]
    assert -1 <= low <= found.separation <= high <= 1
    assert 0 <= found.interval[0] <= found.score <= found.interval[1] <= 1
    for name, p in zip(("p1", "p2"), found.p_within, strict=True):
        assert found.intervals[name][0] <= p <= found.intervals[name][1]
    if low <= 0 <= high:
        assert found.interval == (1 - max(-low, high), 1)
    else:
        ends = sorted((1 - abs(low), 1 - abs(high)))
        np.testing.assert_allclose(found.interval, ends)
    assert 0 <= found.tv_lower <= 1 and found.unshared == pytest.approx(math.sqrt(abs(found.separation)))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_intervals_cover_where_the_truth_is_known(share: float) -> None:
    """A share b of side 2 is far from everyone: T = b^2 and S = b (1 - b). Simulated coverage at N = 10: .92 to 1."""
    rng = np.random.default_rng(1)
    t, s = share**2, share * (1 - share)
    truth = {"separation": t, "p1": (1 + t + s) / 2, "p2": (1 + t - s) / 2}
    missed = dict.fromkeys(truth, 0)
    for seed in range(100):
        points = rng.normal(size=(20, 3))
        points[10:][rng.random(10) < share] += 1000
        table = np.linalg.norm(points[:, None] - points, axis=2)
        found = estimate(table, ["a"] * 10 + ["b"] * 10, seed=seed, n_permutations=99, n_bootstrap=199)
        for name, value in truth.items():
            missed[name] += not found.intervals[name][0] <= value <= found.intervals[name][1]
    assert max(missed.values()) <= stats.binom.ppf(0.999, 100, 0.08)


def test_two_units_a_side_give_no_interval() -> None:
    found = estimate(random_table(0, 4, ties=False), [0, 0, 1, 1], **QUICK)
    assert found.interval is found.smallest_margin is found.p_equivalence is found.tv_lower is None
    assert found.intervals == {} and found.verdict == "undecided" and found.p_value is not None
    assert "no interval can be given of fewer than 3 independent units" in found.reason
    assert "1 independent" not in found.reason and found.warnings


# ------------------------------------------------------------------------------------------- bounds on the variation


@pytest.mark.parametrize("seed", range(40))
def test_variation_bounds_hold_in_populations(seed: int) -> None:
    """abs(T) <= t^2 (2 - t) and abs(2 P - 1) <= 1 - (1 - t)^2 for laws on 5 points and any function of two points."""
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.full(5, 0.3), 2)
    table = rng.integers(0, 4, (5, 5))
    closer = np.where(table[:, None] < table, 1.0, np.where(table[:, None] == table, 0.5, 0.0))  # i, k, target j
    p1, p2 = (float(np.einsum("i,k,j,ikj", a, b, a, closer)) for a, b in ((p, q), (q, p)))
    t = float(abs(p - q).sum() / 2)
    assert abs(p1 + p2 - 1) <= t * t * (2 - t) + 1e-12
    assert max(abs(2 * p1 - 1), abs(2 * p2 - 1)) <= 1 - (1 - t) ** 2 + 1e-12


def test_variation_bound_is_reached_and_halves_the_older_one() -> None:
    t, spots = 0.4, np.array([0.0, -1.0, 1.0])  # shared mass at 0, private masses at -1 and 1
    p, q = np.array([1 - t, t, 0]), np.array([1 - t, 0, t])
    table = abs(spots[:, None] - spots)
    closer = np.where(table[:, None] < table, 1.0, np.where(table[:, None] == table, 0.5, 0.0))
    p1, p2 = (float(np.einsum("i,k,j,ikj", a, b, a, closer)) for a, b in ((p, q), (q, p)))
    assert p1 + p2 - 1 == pytest.approx(t * t * (2 - t)) == pytest.approx((4 * t**2 - 2 * t**3) / 2)


def test_variation_is_a_lower_confidence_bound() -> None:
    table, side = cloud(0, 20, 20)
    assert estimate(table, side, **QUICK).tv_lower == 0
    table, side = cloud(0, 20, 20, shift=100)
    limit = (0.05 / 3) ** (1 / 20)  # perfect separation: of T, P1 and P2 alike; the three share the 5 %
    found = estimate(table, side, **QUICK).tv_lower
    root = optimize.brentq(lambda t: t * t * (2 - t) - limit, 0, 1)
    assert found == pytest.approx(max(root, 1 - math.sqrt(2 - 2 * limit))) and 0.8 < found < 1


# ------------------------------------------------------------------------------------------------------ invariances


def numbers(found: Congruity) -> dict[str, Any]:
    """All but where it came from, and the certificate: that is in the units of the table and names its measure."""
    return {k: v for k, v in found.to_dict().items() if k not in ("provenance", "certificate")}


def without_warnings(found: Congruity) -> dict[str, Any]:
    return {k: v for k, v in numbers(found).items() if k != "warnings"}


def test_same_seed_same_result_other_seed_other_interval() -> None:
    table, side = cloud(6, 9, 11, shift=1)
    assert estimate(table, side, seed=3).to_dict() == estimate(table, side, seed=3).to_dict()
    assert estimate(table, side, seed=3).intervals != estimate(table, side, seed=4).intervals


@pytest.mark.parametrize("bases", [None, [0, 0, 1, 2, 2, 3, 3, 3, 4, 5, 6, 7, 8, 8, 9, 10]])
def test_row_order_changes_nothing(bases: list[int] | None) -> None:
    table = random_table(8, 16, ties=False)
    side = np.array(["a"] * 9 + ["b"] * 7)
    found = estimate(table, side, base=bases, **QUICK)
    order = np.r_[0, 1 + np.random.default_rng(2).permutation(15)]  # the first row keeps side 1 side 1
    base = None if bases is None else np.array(bases)[order]
    assert numbers(estimate(table[np.ix_(order, order)], side[order], base=base, **QUICK)) == numbers(found)


@pytest.mark.parametrize(("n1", "n2"), [(8, 8), (7, 10)])
def test_swapping_sides_swaps_p1_and_p2_and_nothing_else(n1: int, n2: int) -> None:
    table, side = cloud(5, n1, n2, shift=1, scale=0.7)
    one = estimate(table, side, **QUICK)
    order = np.r_[n1 : n1 + n2, 0:n1]
    two = estimate(table[np.ix_(order, order)], np.array(side)[order], **QUICK)
    assert two.p_within == one.p_within[::-1] and two.n == one.n[::-1] and two.names == one.names[::-1]
    assert two.asymmetry == -one.asymmetry
    assert [two.intervals[k] for k in ("separation", "p2", "p1")] == list(one.intervals.values())
    for name in ("score", "interval", "separability", "p_value", "p_values", "smallest_margin", "verdict"):
        assert getattr(two, name) == getattr(one, name), name


@pytest.mark.parametrize("transform", [np.square, np.sqrt, np.expm1, lambda d: 1e6 * d])
def test_increasing_transforms_change_no_rank_statistic(transform: Callable[[Array], Array]) -> None:
    table, side = cloud(5, 9, 8, shift=1)
    one, two = estimate(table, side, **QUICK), estimate(transform(table), side, **QUICK)
    for name in ("score", "score_min", "p_within", "interval", "intervals", "smallest_margin", "tv_lower"):
        assert getattr(two, name) == getattr(one, name), name
    assert all(two.p_values[k] == one.p_values[k] for k in ("T", "S", "3-NN"))


def test_target_is_fixed() -> None:
    """A target that is hard for every source moves nothing; a source that is poor at every target would."""
    table, side = cloud(5, 8, 8, shift=1)
    difficulty = np.linspace(0, 50, 16)
    harder = table + difficulty
    np.fill_diagonal(harder, 0)
    found, plain = estimate(harder, side, **QUICK), estimate(table, side, **QUICK)
    assert found.p_within == plain.p_within and found.separation == plain.separation
    assert estimate(harder.T, side, **QUICK).p_within != plain.p_within


def test_diagonal_is_never_used() -> None:
    table, side = cloud(5, 8, 8, shift=1)
    other = table + np.diag(np.arange(16.0))
    one, two = estimate(other, side, **QUICK), estimate(table, side, **QUICK)
    assert without_warnings(one) == without_warnings(two) and one.certificate() == two.certificate()


# ------------------------------------------------------------------------------------------------ verdicts and bases


def test_equal_sides_are_equivalent_and_far_sides_different() -> None:
    table, side = cloud(1, 25, 25)
    same = estimate(table, side, names=("left model", "right model"))
    assert same.verdict == "equivalent" and same.smallest_margin < 0.5 and same.scope == "populations"
    assert "left model" in same.reason and same.names == ("left model", "right model") and same.n_bases is None
    assert same.expected_equal == pytest.approx(1 - 0.54 / 25)
    assert estimate(table, side, margin=0.05).verdict == "undecided"
    table, side = cloud(1, 12, 12, shift=6)
    assert estimate(table, side).verdict == "different"


def test_default_margin_narrows_from_forty() -> None:
    for n, margin in ((39, 0.5), (40, 0.3)):
        table, side = cloud(1, n, 45)
        assert estimate(table, side, **QUICK).provenance["settings"]["margin"] == margin


def test_fewer_than_ten_are_never_equivalent() -> None:
    table, side = cloud(9, 9, 30)
    found = estimate(table, side, margin=1.0)
    assert found.smallest_margin < 1 and found.verdict == "undecided" and "'equivalent' needs 10" in found.reason
    assert estimate(*cloud(9, 10, 30), margin=1.0).verdict == "equivalent"


def test_too_few_for_a_p_value_below_5_percent_is_said() -> None:
    table, side = cloud(0, 3, 3, shift=50)
    found = estimate(table, side)
    assert found.verdict == "undecided" and found.p_value == pytest.approx(0.1)
    assert "smallest p-value possible with so few is 0.1" in found.reason


def crossed_modes(n: int) -> tuple[Array, list[str]]:
    """Disjoint supports with P1 = P2 = 1/2: modes at +-e1 against modes at +-e2."""
    rng = np.random.default_rng(0)
    signs = np.where(np.arange(n) % 2, 1.0, -1.0)[:, None] * 8
    points = np.concatenate([signs * [1, 0], signs * [0, 1]]) + 0.5 * rng.normal(size=(2 * n, 2))
    return np.linalg.norm(points[:, None] - points, axis=2), ["a"] * n + ["b"] * n


def test_within_margin_but_distinguishable_is_undecided() -> None:
    found = estimate(*crossed_modes(30))
    assert found.score > 0.9 and found.separability > 0.9 and found.smallest_margin < 0.5
    assert found.verdict == "undecided" and "within margin but distinguishable" in found.reason


def test_opposite_deviations_do_not_cancel_in_the_verdict() -> None:
    table, side = cloud(0, 15, 15, scale=0.3, dim=10)
    found = estimate(table, side)
    assert found.score > 0.8 > found.score_min + 0.3 and found.verdict == "different"
    assert found.p_values["S"] < 0.01


@pytest.mark.parametrize("base", [["g"] * 12 + ["h"] * 12, ["g"] * 24])
def test_one_network_a_side_is_never_different(base: list[str]) -> None:
    table, side = cloud(1, 12, 12, shift=50)
    found = estimate(table, side, base=base, names=("GPT", "noisy GPT"))
    assert found.scope == "these two networks" and found.n_bases == (1, 1) and found.p_value == pytest.approx(1e-4)
    assert found.score == 0 and found.verdict == "undecided"
    assert "detectability" in found.reason and "controls" in found.reason
    table, side = cloud(5, 12, 12)
    found = estimate(table, side, base=base, margin=0.9)
    assert found.verdict == "equivalent" and "these two networks only" in found.reason
    found = estimate(*crossed_modes(30), base=["g"] * 30 + ["h"] * 30)
    assert found.verdict == "undecided" and "within margin but distinguishable" in found.reason


def test_networks_are_the_units() -> None:
    base = np.repeat(np.arange(24), 3)
    rng = np.random.default_rng(5)
    points = rng.normal(size=(24, 3))[base] + 0.01 * rng.normal(size=(72, 3))
    table = np.linalg.norm(points[:, None] - points, axis=2)
    side = base < 12
    found = estimate(table, side, base=base)
    assert found.n == (36, 36) and found.n_bases == (12, 12) and found.scope == "populations"
    assert found.score > 0.85 and found.verdict == "equivalent"
    naive = estimate(table, side)
    assert naive.verdict != "equivalent" and naive.score < found.score


def test_one_implementation_a_network_is_no_base_at_all() -> None:
    table, side = cloud(3, 8, 9, shift=1)
    plain, based = estimate(table, side, **QUICK), estimate(table, side, base=range(17), **QUICK)
    assert numbers(based) | {"n_bases": None} == numbers(plain)


@pytest.mark.parametrize("bases", [(2, 2), (3, 3), (3, 6), (1, 4)])
def test_fewer_than_four_networks_give_no_p_value(bases: tuple[int, int]) -> None:
    table, side = cloud(3, 12, 12, shift=50)
    base = [k % bases[0] for k in range(12)] + [100 + k % bases[1] for k in range(12)]
    found = estimate(table, side, base=base)
    assert found.p_value is None and found.p_values == {} and found.n_bases == bases
    assert found.verdict == "undecided" and "at least 4 networks a side" in found.reason
    assert found.score == 0 and found.p_within == (1, 1)
    assert any("is one network" in w for w in found.warnings) is (min(bases) == 1)
    assert (found.interval is None) == (found.smallest_margin is None) == (min(bases) < 3)
    json.dumps(found.to_dict(), allow_nan=False)


def test_four_networks_a_side_give_a_p_value() -> None:
    table, side = cloud(3, 8, 8, shift=50)
    found = estimate(table, side, base=[k // 2 for k in range(16)])
    assert found.p_value == pytest.approx(2 / 70) and found.verdict == "different"


def test_negative_separation_warns() -> None:
    """The same ten networks on both sides, said to be independent: every nearest neighbour is on the other side."""
    rng = np.random.default_rng(0)
    places = rng.normal(size=(10, 3))
    points = np.concatenate([places, places]) + 0.01 * rng.normal(size=(20, 3))
    found = estimate(np.linalg.norm(points[:, None] - points, axis=2), ["a"] * 10 + ["b"] * 10)
    assert found.separation < 0 and found.verdict != "different"
    assert any("below 0" in warning and "crossed" in warning for warning in found.warnings)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1])
@pytest.mark.parametrize("base", [None, ["g"] * 12 + ["h"] * 11, [*np.arange(12) // 2, *range(50, 61)]])
def test_all_ties_are_undecided(value: float, base: Any) -> None:
    found = estimate(value * (1 - np.eye(23)), ["a"] * 12 + ["b"] * 11, base=base, **QUICK)
    assert found.verdict == "undecided" and "equal" in found.reason and found.warnings == ()
    assert found.p_within == (0.5, 0.5) and found.score == 1 and found.separability == 0.5
    # With networks of unequal size the share of own neighbours varies with the labelling even so.
    assert found.p_value == 1 and all(p == 1 for name, p in found.p_values.items() if name != "3-NN" or base is None)
    assert found.interval is found.smallest_margin is found.tv_lower is None and found.intervals == {}


def test_draws_that_are_not_independent_have_no_test_and_no_interval_but_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, side = cloud(3, 12, 12, shift=1)
    drawn = estimated(table, side)
    for stage in ("permutation_test", "resample"):
        monkeypatch.setattr(f"congruity.inference.estimation.{stage}", None)  # a call would fail
    found = estimated(table, side, independent=False)
    assert found.interval is found.p_value is found.tv_lower is found.smallest_margin is found.p_equivalence is None
    assert found.intervals == {} and found.p_values == {} and found.test is None
    for name in ("score", "p_within", "separability", "expected_equal", "n", "balanced"):
        assert getattr(found, name) == getattr(drawn, name)


def test_a_distance_table_is_kept_with_its_measure() -> None:
    values, side = cloud(3, 5, 6)
    table = DistanceTable("spectral", values, tuple(map(str, range(11))), parameters={"tol": 1e-3})
    found = estimate(table, side, **QUICK)
    assert found.table is table and found.side == tuple(side)
    assert found.provenance["measure"] == "spectral" and found.provenance["parameters"] == {"tol": 1e-3}
    assert numbers(found) == numbers(estimate(values, side, **QUICK))
    assert estimate(values, side, **QUICK).provenance["inputs"] == found.provenance["inputs"]
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["n"] == [5, 6]


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_extreme_scales_do_not_matter(scale: float) -> None:
    table, side = cloud(3, 6, 6, shift=1)
    one, two = estimate(table, side, **QUICK), estimate(table / table.max() * scale, side, **QUICK)
    assert numbers(one) == numbers(two)


# ---------------------------------------------------------------------------------------------------------- bad input

TABLE, SIDE = cloud(0, 3, 3)
HOLE, MINUS = TABLE.copy(), TABLE.copy()
HOLE[1, 2] = np.nan
MINUS[1, 2] = -0.5


@pytest.mark.parametrize(
    ("table", "side", "more", "message"),
    [
        (TABLE, ["a"] + ["b"] * 5, {}, "side 'a' has one implementation"),
        (TABLE, ["a"] * 6, {}, r"exactly two distinct labels, not 1 \('a'\)"),
        (TABLE, list("aabbcc"), {}, "exactly two distinct labels, not 3"),
        (TABLE, SIDE[:5], {}, r"side has 5 labels for distances of shape \(6, 6\)"),
        (HOLE, SIDE, {}, "NaN or infin"),
        (np.full((6, 6), np.inf), SIDE, {}, "NaN or infin"),
        (MINUS, SIDE, {}, r"distances\[1, 2\] = -0.5 is negative"),
        (TABLE[:, :5], SIDE, {}, r"shape \(6, 5\); pass a square"),
        (TABLE[0], SIDE, {}, r"shape \(6,\)"),
        ([[0, 1], [1]], SIDE, {}, "distances"),
        (TABLE, SIDE, {"margin": 0.0}, r"margin is 0.0; pass a number in \(0, 1\]"),
        (TABLE, SIDE, {"margin": 1.01}, "margin is 1.01"),
        (TABLE, SIDE, {"margin": math.nan}, "margin is nan"),
        (TABLE, SIDE, {"margin": "wide"}, "margin is 'wide'"),
        (TABLE, SIDE, {"n_permutations": 98}, "n_permutations is 98; pass a whole number of at least 99"),
        (TABLE, SIDE, {"n_bootstrap": 1e3}, "n_bootstrap is 1000.0"),
        (TABLE, SIDE, {"seed": -1}, "seed is -1"),
        (TABLE, SIDE, {"names": ("one",)}, r"names is \('one',\); pass two names"),
        (TABLE, SIDE, {"base": [1, 2, 3]}, "base has 3 labels for 6 implementations"),
        (TABLE, SIDE, {"base": [1, 2, 3, 3, 4, 5]}, "base '3' is on both sides"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(table: Any, side: list[str], more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        estimate(table, side, **more)
    assert str(caught.value).startswith("estimate: ") and "\n" not in str(caught.value)


def test_rounding_below_zero_is_no_error() -> None:
    table = TABLE.copy()
    table[0, 1] = -1e-17
    assert estimate(table, SIDE, **QUICK).n == (3, 3)


def test_self_distances_that_are_not_zero_are_named_and_not_used() -> None:
    table, side = cloud(3, 10, 10)
    found = estimate(table + 0.25 * np.eye(20), side, **QUICK)
    assert any(
        "non-zero self-distances (up to 0.25) on the diagonal, which are never used" in w for w in found.warnings
    )
    assert numbers(found) == numbers(estimate(table, side, **QUICK)) | {"warnings": list(found.warnings)}
    names = tuple(map(str, range(20)))
    assert not estimate(DistanceTable("ridge", table + 0.25 * np.eye(20), names), side, **QUICK).warnings
