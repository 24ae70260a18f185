"""rho with its interval, the equivalent KL, and what it takes for two sides to count as made alike."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import isotonic_regression
from scipy.stats import t as student

import congruity as cg
import synthetic
from congruity._base.arrays import Floats
from congruity.comparison import tables
from congruity.comparison.alike import pair_of
from congruity.comparison.parts import parts_of, result_of
from congruity.comparison.relative_distance import _rising, equivalent_kl, ratio, relative_distance
from congruity.errors import InputError
from congruity.inference import EstimateSettings, lower_limit, mean_interval
from congruity.report import wording
from congruity.values import DistanceTable, Fingerprint, Method, RelativeDistance, Stratum, keynumbers

PROCRUSTES = cg.distances.Procrustes()


def table(values: Floats) -> DistanceTable:
    return DistanceTable("given", values, tuple(str(k) for k in range(len(values))))


def random_table(n: tuple[int, int], seed: int = 0, scale: float = 1.0) -> DistanceTable:
    values = scale * np.random.default_rng(seed).gamma(9.0, 1 / 9, (2 + sum(n),) * 2)
    np.fill_diagonal(values, 0.0)
    return table(values)


def compared(a: Fingerprint, b: Fingerprint, *, folds: int = 0, **settings: Any) -> cg.Congruity:
    pair = pair_of(a, b)
    return result_of(parts_of(pair, tables.measured(pair, PROCRUSTES, folds=folds), EstimateSettings(**settings)))


def mismatches(a: Fingerprint, b: Fingerprint) -> tuple[str, ...]:
    return pair_of(a, b).mismatches


# ------------------------------------------------------------------------------------------------------------- rho


def test_rho_is_the_distance_over_the_mean_of_both_radii_by_loops() -> None:
    found, values = relative_distance(random_table((5, 7)), (5, 7)), random_table((5, 7)).values
    assert found is not None
    radii = [0.0, 0.0]
    for side, rows in enumerate((range(2, 7), range(7, 14))):
        for i in rows:
            radii[side] += (values[side, i] + values[i, side]) / 2 / len(rows)
    expected = (values[0, 1] + values[1, 0]) / 2 / ((radii[0] + radii[1]) / 2)
    assert found.rho == pytest.approx(expected) and found.radii == pytest.approx(tuple(radii))
    assert ratio(random_table((5, 7)), 5) == pytest.approx(expected)
    assert found.interval[0] < found.rho < found.upper < found.interval[1]
    assert found.kl is None and found.over_prompts is None


def test_the_interval_is_welchs_on_the_log_scale() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.gamma(4, 1, 6), rng.gamma(4, 2, 15)
    va, vb = x.var(ddof=1) / 6 / 4, y.var(ddof=1) / 15 / 4
    mean = (x.mean() + y.mean()) / 2
    df = (va + vb) ** 2 / (va**2 / 5 + vb**2 / 14)
    half = student.ppf(0.975, df) * np.sqrt(va + vb) / mean
    assert mean_interval(x, y) == pytest.approx((mean * np.exp(-half), mean * np.exp(half)))
    one = student.ppf(0.975, 5) * x.std(ddof=1) / np.sqrt(6) / x.mean()
    assert mean_interval(x) == pytest.approx((x.mean() * np.exp(-one), x.mean() * np.exp(one)))
    assert mean_interval(np.ones(3), np.ones(2)) == (1.0, 1.0)
    with pytest.raises(InputError, match="mean_interval: a sample of one has no spread; give at least 2 distances"):
        mean_interval(x, y[:1])


def test_rho_has_no_unit_of_its_own_and_treats_both_sides_alike() -> None:
    n = (6, 9)
    found, scaled = (relative_distance(random_table(n, scale=scale), n) for scale in (1.0, 1e-3))
    order = np.r_[1, 0, 8:17, 2:8]
    swapped = relative_distance(table(random_table(n).values[np.ix_(order, order)]), (9, 6))
    assert found and scaled and swapped
    assert scaled.interval == pytest.approx(found.interval) and swapped.interval == pytest.approx(found.interval)
    assert swapped.radii == pytest.approx(found.radii[::-1]) and scaled.upper == pytest.approx(found.upper)


@pytest.mark.parametrize("clean", [0.5, 0.8, 0.97, 1.0, 1.3])
def test_within_is_said_where_the_one_sided_limit_is_below_one(clean: float) -> None:
    found = relative_distance(of_radii(clean, 0.9 + 0.02 * np.arange(10)), (10, 10), kl=0.01, intervention="resample")
    assert found is not None and found.upper is not None and found.within == (found.upper < 1) == (clean < 0.95)
    assert found.upper < found.interval[1], "one-sided"


def of_radii(apart: float, first: Floats, second: Floats | None = None) -> DistanceTable:
    """Distances of two models, and of each to its implementations; those between implementations are 0."""
    second = first if second is None else second
    values = np.zeros((2 + len(first) + len(second),) * 2)
    values[0, 1] = values[1, 0] = apart
    values[0, 2 : 2 + len(first)] = values[2 : 2 + len(first), 0] = first
    values[1, 2 + len(first) :] = values[2 + len(first) :, 1] = second
    return table(values)


def test_nothing_is_claimed_of_few_implementations_or_without_a_shared_kl_and_intervention() -> None:
    made: dict[str, Any] = {"kl": 0.01, "intervention": "resample"}
    for n, how, within in ((10, made, True), (9, made, None), (10, made | {"kl": None}, None),
                           (10, made | {"intervention": None}, None)):  # fmt: skip
        found = relative_distance(of_radii(0.5, np.linspace(0.9, 1.1, n)), (n, n), **how)
        assert found is not None and found.within is within and found.upper is not None and found.upper < 0.6


def test_the_claim_is_over_prompts_too_where_folds_were_measured() -> None:
    radii = 1 + 0.05 * np.random.default_rng(0).random(20)
    rng, made = np.random.default_rng(1), {"kl": 0.01, "intervention": "resample"}
    folds = [of_radii(0.9 * np.exp(0.08 * z), radii) for z in rng.standard_normal(10)]
    without, found = (relative_distance(of_radii(0.9, radii), (20, 20), folds=f, **made) for f in ((), folds))  # type: ignore[arg-type]
    assert without is not None and without.within is True and without.upper is not None and without.upper < 1
    assert found is not None and found.within is False and found.upper is not None and found.over_prompts is not None
    logs = np.log([ratio(fold, 20) or 0.0 for fold in folds])
    error = np.sqrt(9 / 10 * np.square(logs - logs.mean()).sum())
    half = np.hypot(np.log(without.upper / found.rho), student.ppf(0.95, 9) * error)
    assert found.upper == pytest.approx(found.rho * np.exp(half)) and 1 < found.upper < found.over_prompts[1]
    nothing = relative_distance(of_radii(0.9, radii), (20, 20), folds=[*folds, of_radii(0.0, radii)], **made)  # type: ignore[arg-type]
    assert nothing is not None and (nothing.over_prompts, nothing.upper, nothing.within) == (None, None, False)


def test_radii_of_the_same_edits_vary_together_and_the_interval_says_so() -> None:
    rng, covered = np.random.default_rng(2), {True: 0, False: 0}
    for _ in range(400):
        radii = rng.gamma(4, 0.25, 20)
        values = of_radii(0.7, radii, radii * (1 + 0.02 * rng.standard_normal(20)))
        for paired in covered:
            found = relative_distance(values, (20, 20), paired=paired)
            assert found is not None
            covered[paired] += found.interval[0] <= 0.7 <= found.interval[1]
    assert covered[True] >= 0.91 * 400 > covered[False] + 20
    with pytest.raises(InputError, match="relative_distance: 5 and 7 implementations are no pairs"):
        relative_distance(random_table((5, 7)), (5, 7), paired=True)


def test_a_model_and_itself_are_exactly_zero_apart() -> None:
    values = random_table((10, 10)).values.copy()
    values[0, 1] = values[1, 0] = 0.0
    found = relative_distance(table(values), (10, 10), kl=0.01, intervention="resample", folds=[table(values)] * 3)
    assert found is not None and (found.rho, found.interval, found.upper) == (0.0, (0.0, 0.0), 0.0)
    assert found.within and found.over_prompts == (0.0, 0.0)
    nothing = equivalent_kl([found])
    assert nothing is not None and (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, 0.0)


def test_prompts_widen_the_interval_by_the_jackknife_of_log_rho() -> None:
    n, whole = (5, 6), random_table((5, 6))
    parts = [random_table(n, seed) for seed in range(1, 8)]
    found = relative_distance(whole, n, folds=parts)
    assert found is not None and found.over_prompts is not None
    logs = np.log([ratio(part, 5) or 0.0 for part in parts])
    error = np.sqrt(6 / 7 * sum((x - np.mean(logs)) ** 2 for x in logs))
    half = np.hypot(np.log(found.interval[1] / found.rho), student.ppf(0.975, 6) * error)
    assert found.over_prompts == pytest.approx((found.rho * np.exp(-half), found.rho * np.exp(half)))


def test_rho_without_a_unit_is_none_and_bad_tables_are_refused() -> None:
    values = np.zeros((6, 6))
    values[0, 1] = 1.0
    assert relative_distance(table(values), (2, 2)) is None and ratio(table(values), 2) is None
    with pytest.raises(InputError, match="3 and 2 implementations need tables of 7 rows, and no fold or at"):
        relative_distance(table(values), (3, 2))
    with pytest.raises(InputError, match="got 6 rows and 1 folds"):
        relative_distance(table(values), (2, 2), folds=[table(values)])


LAWS: dict[str, tuple[Callable[[np.random.Generator, int], Floats], float]] = {
    "gamma, cv .2": (lambda rng, n: rng.gamma(25, 1 / 25, n), 1.0),
    "gamma, cv .5": (lambda rng, n: rng.gamma(4, 1 / 4, n), 1.0),
    "log-normal": (lambda rng, n: rng.lognormal(0, 0.5, n), float(np.exp(0.125))),
    "exponential": (lambda rng, n: rng.exponential(1, n), 1.0),
    "one in five three times as far": (lambda rng, n: rng.normal(1, 0.1, n) + 2 * (rng.random(n) < 0.2), 1.4),
}


def near(share: float, part: float) -> tuple[Callable[[np.random.Generator, int], Floats], float]:
    """A law with a left tail: a share of the implementations lies at a part of the others' distance."""
    return (
        lambda rng, n: np.where(rng.random(n) < share, part, 1.0) * rng.normal(1, 0.05, n),
        1 - share + share * part,
    )


# how often the upper limit is right at 10 + 10 and at 20 + 20, measured, less three standard errors
LEFT: dict[str, tuple[float, float]] = {
    "one in five at a third": (0.91, 0.935),
    "one in ten at a fifth": (0.855, 0.92),
    "one in twenty at a tenth": (0.615, 0.85),
}
LAWS |= {"one in five at a third": near(0.2, 1 / 3), "one in ten at a fifth": near(0.1, 0.2),
         "one in twenty at a tenth": near(0.05, 0.1)}  # fmt: skip


def coverage(law: str, n: tuple[int, int], trials: int) -> tuple[float, float]:
    """Return how often the interval of rho, and its upper limit, are right."""
    draw, mean = LAWS[law]
    rng, both, upper = np.random.default_rng(5), 0, 0
    values = np.zeros((2 + sum(n),) * 2)
    values[0, 1] = values[1, 0] = 0.7
    for _ in range(trials):
        values[0, 2 : 2 + n[0]] = values[2 : 2 + n[0], 0] = draw(rng, n[0])
        values[1, 2 + n[0] :] = values[2 + n[0] :, 1] = 0.6 * draw(rng, n[1])
        found = relative_distance(table(values), n)
        assert found is not None
        truth = 0.7 / (0.8 * mean)
        both += found.interval[0] <= truth <= found.interval[1]
        upper += found.upper is None or truth <= found.upper
    return both / trials, upper / trials


def test_the_interval_covers_about_as_often_as_it_says() -> None:
    both, upper = coverage("gamma, cv .5", (10, 10), 400)
    assert 0.92 <= both <= 0.98 and 0.92 <= upper <= 0.985


@pytest.mark.slow
@pytest.mark.parametrize("law", [law for law in LAWS if law not in LEFT])
@pytest.mark.parametrize(("n", "least"), [((5, 5), 0.87), ((10, 10), 0.9), ((20, 20), 0.925), ((8, 20), 0.82)])
def test_coverage_by_simulation(law: str, n: tuple[int, int], least: float) -> None:
    """Measured, 2000 data sets: see `congruity.inference.means`. The upper limit errs on the safe side under skew."""
    both, upper = coverage(law, n, 2000)
    print(f"{law} {n}: interval {both:.3f}, upper limit {upper:.3f}")
    assert both >= least and upper >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("law", LEFT)
def test_the_upper_limit_where_some_implementations_lie_close(law: str) -> None:
    for n, least in zip((10, 20), LEFT[law], strict=True):
        both, upper = coverage(law, (n, n), 2000)
        print(f"{law} {n} + {n}: interval {both:.3f}, upper limit {upper:.3f}")
        assert upper >= least


def test_the_lower_limit_is_below_those_of_the_log_and_the_raw_scale() -> None:
    for seed, law in enumerate(LAWS):
        x, y = (LAWS[law][0](np.random.default_rng(9 * seed + k), 12) for k in range(2))
        v = [s.var(ddof=1) / 12 / 4 for s in (x, y)]
        t = student.ppf(0.95, sum(v) ** 2 / sum(u**2 / 11 for u in v))
        raw = (x.mean() + y.mean()) / 2 - t * np.sqrt(sum(v))
        third = sum(((s - s.mean()) ** 3).mean() / 144 / 8 for s in (x, y))
        found = lower_limit(x, y)
        assert found <= raw <= mean_interval(x, y, alpha=0.1)[0]
        assert found == pytest.approx(raw + min(0.0, third * (1 + 2 * t**2) / 6 / sum(v)))
    assert lower_limit(np.ones(3), np.ones(2)) == 1.0 and lower_limit(np.array([0.1, 9.0]), np.array([1.0, 1.0])) < 0
    found_none = relative_distance(of_radii(0.5, np.array([0.1, 9.0]), np.array([1.0, 1.0])), (2, 2))
    assert found_none is not None and found_none.upper is None


# --------------------------------------------------------------------------------------------------- equivalent KL


def at(kl: float | None, rho: float, spread: float = 1.2, by: str | None = "resample") -> RelativeDistance:
    ends = (rho / spread, rho * spread)
    return RelativeDistance(rho, ends, ends[1], ends[1] < 1, 1.0, (1 / rho, 1 / rho), (ends, ends), kl, by)


@pytest.mark.parametrize("power", [0.3, 0.5, 1.0])
def test_the_equivalent_kl_of_a_power_law_is_exact(power: float) -> None:
    """Radius c KL^p and distance c .02^p: rho is 1 at .02, and 1 times the spread at .02 spread^(1/p)."""
    found = equivalent_kl([at(kl, (0.02 / kl) ** power, 1.1) for kl in (0.1, 0.01, 0.001, 0.03)])
    assert found is not None and found.kls == (0.001, 0.01, 0.03, 0.1) and found.intervention == "resample"
    assert found.value == pytest.approx(0.02)
    if power > 0.3:
        assert (found.low, found.high) == pytest.approx((0.02 * 1.1 ** (-1 / power), 0.02 * 1.1 ** (1 / power)))


def test_where_rho_rises_with_the_kl_it_is_pooled() -> None:
    found = equivalent_kl([at(0.001, 4.0), at(0.01, 0.9), at(0.02, 1.0 / 0.9), at(0.1, 0.25)])
    assert found is not None and found.value == pytest.approx(0.02), "of the two that are pooled, at rho = 1, the last"
    for seed in range(20):
        y = np.random.default_rng(seed).standard_normal(9)
        assert _rising(y) == pytest.approx(isotonic_regression(y).x)


def test_outside_the_kls_measured_only_the_bound_is_said() -> None:
    near, far = [at(0.01, 0.5), at(0.03, 0.3)], [at(0.01, 5.0), at(0.03, 3.0)]
    unsure = [at(0.01, 1.1), at(0.03, 1.05)]
    ends = [(f.value, f.low, f.high) for f in map(equivalent_kl, (near, far, unsure, near[:1], unsure[:1])) if f]
    assert ends == [
        (None, None, 0.01),
        (None, 0.03, None),
        (None, None, None),
        (None, None, 0.01),
        (None, None, None),
    ]


def test_on_which_side_it_lies_is_said_of_the_pooled_values() -> None:
    for rhos, where in (((0.9, 1.3), "above"), ((1.1, 0.8), "between"), ((0.9, 1.0), "below"), ((0.9,), "below")):
        found = equivalent_kl([at(kl, rho, 1.05) for kl, rho in zip((0.003, 0.01), rhos, strict=False)])
        assert found is not None and found.where == where and (found.value is None) == (where != "between")
        assert keynumbers.kl_range(found)[0][0] == {"above": ">", "between": "0", "below": "<"}[where]
    above = equivalent_kl([at(0.003, 0.9, 1.05), at(0.01, 1.3, 1.05)])
    assert above is not None and keynumbers.kl_range(above) == ("> 0.010", "[0.010, \N{INFINITY}]")
    either = equivalent_kl([at(0.01, 0.9, 1.4)])
    assert either is not None and keynumbers.kl_range(either) == ("-", "[0.00, \N{INFINITY}]"), "neither side is shown"


def test_the_equivalent_kl_needs_known_kls_of_one_intervention() -> None:
    assert equivalent_kl([at(None, 0.5)]) is None and equivalent_kl([at(0.01, 0.5, by=None)]) is None
    for found in ([], [at(0.01, 0.5), at(0.02, 0.5, by="mean")], [at(0.01, 0.5), at(0.01, 0.6)]):
        with pytest.raises(InputError, match="equivalent_kl: pass rho at different KLs of one intervention"):
            equivalent_kl(found)


# ----------------------------------------------------------------------------------------------- from fingerprints


def test_a_comparison_holds_rho_with_interval_and_what_it_is_relative_to() -> None:
    a, b = synthetic.stratified("a", seed=1), synthetic.stratified("b", seed=2, shift=0.08)
    found = compared(a, b, folds=5)
    near = found.closeness
    assert near is not None and found.rho == near.rho and (near.kl, near.intervention) == (0.01, "resample")
    assert near.over_prompts is not None and near.over_prompts[1] > near.interval[1]
    assert found.equivalent_kl is not None and found.equivalent_kl.kls == (0.01,)
    whole = tables.distance_table(a.at(a.strata[0]), b.at(b.strata[0]), PROCRUSTES)
    assert near.rho == ratio(whole, 12) and found.n == (12, 12)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["closeness"]["interval"] == list(near.interval) and data["equivalent_kl"]["kls"] == [0.01]
    assert found.provenance["a"] == a.digest and found.provenance["strata"] == ["resample at KL 0.01"] * 2


def test_of_several_networks_a_side_only_rho_is_given() -> None:
    found = compared(*networks())
    assert found.rho is not None and found.closeness is None and found.n_bases == (12, 12)


# ----------------------------------------------------------------------------------------------- matched strength


def networks(shift: float = 0.0) -> tuple[Fingerprint, Fingerprint]:
    """Two sides whose implementations are one network each, so that "different" may be said."""
    sides = []
    for name, seed, at_ in (("a", 1, 0.0), ("b", 2, shift)):
        side = synthetic.stratified(name, seed=seed, shift=at_, kinds=(("resample", 0.01),))
        own = tuple(dataclasses.replace(item, base=f"{name}{i}") for i, item in enumerate(side.implementations))
        sides.append(dataclasses.replace(side, implementations=own))
    return sides[0], sides[1]


def changed(side: Fingerprint, *, intervention: str | None = None, kl: float | None = None, stronger: float = 1.0,
            **sampling: Any) -> Fingerprint:  # fmt: skip
    """Return the same implementations, said to have been made otherwise."""
    rows = []
    for item in side.implementations:
        edit = dataclasses.replace(item.edit, intervention=intervention or item.edit.intervention)
        behaviour = dataclasses.replace(item.behaviour, kl=stronger * item.behaviour.kl)
        rows.append(dataclasses.replace(item, edit=edit, target_kl=kl or item.target_kl, behaviour=behaviour))
    record = dataclasses.replace(side.sampling, **sampling)
    return dataclasses.replace(side, implementations=tuple(rows), sampling=record)


RULES: list[tuple[dict[str, Any], str]] = [
    ({"intervention": "mean"}, "the sides were made with different interventions: resample and mean"),
    ({"kl": 0.02}, r"the sides were drawn to different KLs: 0\.01 nats and 0\.02 nats"),
    ({"stronger": 1.7}, r"not sampled at matched strength \(mean KL 0\.0\d+ and 0\.0\d+ nats, more than a fac"),
    ({"budget": cg.Budget(by="scale")}, "the strength of the sides was set by different"),
    (
        {"interventions": (Method("resample", {"donors": 2}),)},
        r"the sides were made with different parameters of resample: None and \{'donors': 2\}",
    ),
    ({"gates": cg.Gates(max_kl=0.02)}, r"admitted through different gates: \{'max_kl': .*\} and \{'max_kl': 0\.02,"),
]  # fmt: skip


@pytest.mark.parametrize(("how", "message"), RULES)
def test_sides_that_were_not_made_alike_are_never_different_and_the_reason_says_why(
    how: dict[str, Any], message: str
) -> None:
    a, b = networks(shift=0.5)
    same, unlike = compared(a, b), compared(a, changed(b, **how))
    assert same.verdict == "different" and not mismatches(a, b)
    assert unlike.verdict == "undecided" and unlike.p_value == same.p_value
    (said,) = mismatches(a, changed(b, **how))
    assert re.search(message, said)
    assert said in unlike.warnings and said in unlike.reason and "match them for a verdict" in unlike.reason


def test_nothing_is_claimed_from_rho_of_sides_that_were_not_made_alike_or_cannot_do_the_task() -> None:
    a, b = (synthetic.stratified(x, 20, seed=k, kinds=(("resample", 0.01),)) for k, x in enumerate("ab", start=1))
    like = compared(a, b)
    assert like.closeness is not None and like.closeness.within is True and like.equivalent_kl is not None
    (said, _) = wording.details(like)
    assert said.endswith("closer to each other than models are to their implementations on average over both sides.")
    stronger, mean = changed(b, kl=0.1, stronger=9.0), changed(b, intervention="mean")
    for other, why, of in (
        (stronger, "the sides were not drawn to one KL", "(resample at KL 0.01 and resample at KL 0.1, mean KL 0.0"),
        (mean, "not drawn to one KL by one intervention", "(resample at KL 0.01 and mean at KL 0.01, mean KL 0.0"),
        (changed(b, gates=None), "the sides were not made alike", "(resample at KL 0.01)"),
        (dataclasses.replace(b, capable=False), "a side cannot do the task", "(resample at KL 0.01)"),
        (b.take(np.arange(9), "few"), "fewer than 10 implementations on a side", "(resample at KL 0.01)"),
    ):
        found = compared(a, other)
        assert found.closeness is not None and found.closeness.within is None, why
        (line, *more) = wording.details(found)
        assert "no claim follows, as " in line and why in line and of in line and "each other" not in line
        assert bool(more) == (other.n == 9), "no equivalent KL either, but for few implementations alike"


def test_equivalent_stands_with_the_flag_and_small_differences_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("congruity.comparison.verdict.MIN_RELIABILITY", 0.0)
    sides = [synthetic.stratified(name, 20, seed=seed, kinds=(("resample", 0.01),), noise=0.3) for name, seed in
             (("a", 1), ("b", 2))]  # fmt: skip
    assert compared(*sides, margin=0.9).verdict == "equivalent"
    flagged = compared(sides[0], changed(sides[1], stronger=2.0), margin=0.9)
    assert flagged.verdict == "equivalent" and "This is although the sides were not made alike" in flagged.reason
    assert not mismatches(sides[0], changed(sides[1], stronger=1.3))
    budget = cg.Budget(kl=(0.01, 0.5), max_draws=9, share=0.2)
    assert not mismatches(sides[0], changed(sides[1], budget=budget))


def test_one_network_with_another_pool_is_a_mismatch_and_the_overlap_is_kept() -> None:
    a = synthetic.stratified("a", seed=1, kinds=(("resample", 0.01),))
    pool = a.circuit.pool
    own = [a.take(np.arange(k, 12, 2), f"half {k}") for k in (0, 1)]
    halves = [dataclasses.replace(side, circuit=a.circuit.narrowed(pool[k::2])) for k, side in enumerate(own)]
    same, other = compared(*own), compared(*halves)
    assert same.provenance["pool_overlap"] == 1.0 and other.provenance["pool_overlap"] == 0.0
    assert not mismatches(*own)
    assert any("edit different pools of its sites (overlap 0.00)" in w for w in other.warnings)
    assert "pool_overlap" not in compared(a, synthetic.stratified("b", seed=2)).provenance


def test_the_first_kind_of_a_that_b_has_too_is_compared() -> None:
    kinds = (("mean", 0.01), ("resample", 0.03), ("resample", 0.01))
    a, b = synthetic.stratified("a", seed=1, kinds=kinds), synthetic.stratified("b", seed=2, kinds=kinds[:0:-1])
    pair = pair_of(a, b)
    assert pair.kinds == (Stratum("resample", 0.03), Stratum("resample", 0.01))
    assert pair.strata == (Stratum("resample", 0.03),) * 2 and pair.whole == (a, b)
    again = pair_of(pair.a, pair.b)
    assert (again.a, again.b) == (pair.a, pair.b)
    lonely = synthetic.stratified("c", seed=3, kinds=(("resample", 0.5),))
    assert pair_of(a, lonely).strata == (Stratum("mean", 0.01), *lonely.strata)
    found = compared(a, lonely)
    assert found.closeness is not None and found.closeness.kl is found.closeness.intervention is None
    assert found.equivalent_kl is None and len([w for w in found.warnings if "different" in w]) >= 2


def test_a_matrix_rests_on_one_kind_that_all_models_have() -> None:
    kinds: tuple[tuple[str, float | None], ...] = (("mean", 0.01), ("resample", 0.01))
    models = [synthetic.stratified(name, 6, seed=k, kinds=kinds[k % 2 :]) for k, name in enumerate("abc")]
    found = cg.matrix(models, distance="procrustes")
    assert found.kind == Stratum("resample", 0.01) and found.to_dict()["kind"] == "resample at KL 0.01"
    assert all(pair.result.provenance["strata"] == ["resample at KL 0.01"] * 2 for pair in found.pairs.values())
    assert found.pairs[0, 2].result.provenance["b"] == models[2].digest
    none = cg.matrix([*models, synthetic.stratified("d", 6, seed=9, kinds=(("zero", 0.01),))], distance="procrustes")
    assert none.kind is None and none.pairs[0, 1].result.provenance["strata"] == ["resample at KL 0.01"] * 2
    assert any("different interventions" in w for w in none.pairs[0, 3].result.warnings)
