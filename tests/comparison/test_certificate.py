"""Certificates: each number against its own definition, silence where a theorem's hypothesis fails, and the report."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist, directed_hausdorff

import congruity as cg
import synthetic
from congruity.comparison.certificate import NEVER, guarantees, over_prompts
from congruity.comparison.relative_distance import relative_distance
from congruity.errors import InputError
from congruity.report import html
from congruity.theory import bounds
from congruity.values import DistanceTable, Guarantee

FEW: dict[str, Any] = {"n_bootstrap": 199, "n_permutations": 199}


PROCRUSTES = cg.distances.Procrustes().traits
TRAITS = {"procrustes": PROCRUSTES, "ridge": cg.distances.Ridge().traits, "cka": cg.distances.CKA().traits}


def of(result: cg.Congruity) -> dict[str, Guarantee]:
    return {one.number: one for one in result.certificate() if one.number}


def again(result: cg.Congruity, **parts: Any) -> dict[str, Guarantee]:
    """Return what is guaranteed of the parts of a result, some of them others."""
    found: dict[str, Any] = {"table": result.table, "side": result.side, "relative": result.closeness} | parts
    estimate = dataclasses.replace(result.estimate, **found.pop("estimate", {}))
    return {one.number: one for one in guarantees(estimate, found.pop("table"), found.pop("side"), **found)}


def places(shift: float, n: int = 15, *, measure: str = "procrustes", seed: int = 0) -> tuple[Any, cg.Congruity]:
    """Points in the plane on two sides, and what `estimate` says of their distances."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(2 * n, 2)) + np.repeat([[0.0, 0.0], [shift, 0.0]], n, axis=0)
    table = DistanceTable(measure, cdist(found, found), tuple(map(str, range(2 * n))), traits=TRAITS.get(measure))
    return found, cg.estimate(table, ["a"] * n + ["b"] * n, **FEW)


def test_overlapping_sides_bound_d_interp_by_the_compression_seen() -> None:
    found, result = places(1.0)
    one = of(result)["S2"]
    sides = found[:15], found[15:]
    nearest = float(cdist(*sides).min())
    widest = [float(cdist(side, side).max()) for side in sides]
    assert one.kind == "certain" and one.value == (0.0, pytest.approx(1 + nearest / max(widest)))
    assert f"{widest[0]:.3g} and {widest[1]:.3g}" in one.says
    assert again(result, table=None)["S2"].kind == "silent"
    # The sets sampled are implementation sets too, of interpretations that have no others: it must hold of them.
    between = max(directed_hausdorff(*sides)[0], directed_hausdorff(*sides[::-1])[0])
    assert between <= one.value[1] * max(widest)


def test_separated_sides_bound_nothing_from_above() -> None:
    _, result = places(50.0)
    one = of(result)["S2"]
    assert result.score == 0.0 and one.kind == "silent" and "nothing bounds d_interp from above" in one.says


def test_a_reversal_within_the_brackets_of_the_distances_certifies_nothing() -> None:
    values = np.array([[0, 1.0, 1.05, 2], [1.0, 0, 2, 2], [1.05, 2, 0, 1.0], [2, 2, 1.0, 0]])
    exact = DistanceTable("spectral", values - 0.1 * (values == 1.05), tuple("abcd"), traits=PROCRUSTES)
    rough = dataclasses.replace(exact, lower=exact.values * 0.9, upper=exact.values * 1.1)
    sides = ["a", "a", "b", "b"]
    assert of(cg.estimate(exact, sides, **FEW))["S2"].kind == "certain"
    silent = of(cg.estimate(rough, sides, **FEW))["S2"]
    assert silent.kind == "silent" and "certainly" in silent.says


def test_a_bound_in_units_of_kappa_holds_however_much_larger_kappa_is() -> None:
    points = np.array([0.0, 1.0, 100.0, 0.5])  # {0, 1, 100} sampled as {0, 1}, and {0.5} twice
    sample = np.array([0.0, 1.0, 0.5, 0.5])
    table = DistanceTable("procrustes", np.abs(sample[:, None] - sample), tuple("abcd"))
    one = of(cg.estimate(table, ["a", "a", "b", "b"], **FEW))["S2"]
    assert isinstance(one.value, tuple) and one.value[1] * (points.max() - points.min()) >= 99.5


@pytest.mark.parametrize("measure", ["ridge", "cka"])
def test_a_measure_without_triangle_inequality_has_no_certificate_of_distance(measure: str) -> None:
    one = of(places(1.0, measure=measure)[1])["S2"]
    assert one.kind == "silent" and f"triangle inequality, which {measure} lacks" in one.says


def test_a_table_of_ones_own_is_never_certain_and_says_what_it_assumes() -> None:
    for given in (places(1.0, measure="given")[1], cg.estimate(places(1.0)[1].table.values, ["a"] * 15 + ["b"] * 15)):
        one = of(given)["S2"]
        assert one.kind == "assumed" and "obey the triangle inequality, which is not known" in one.needs


@pytest.mark.parametrize("door", ["arrays", "fingerprints"])
@pytest.mark.parametrize(
    ("like", "metric", "kind"),
    [(cg.distances.CKA, False, "silent"), (cg.distances.Procrustes, True, "certain")],
)
def test_what_a_distance_declares_reaches_the_certificate(door: str, like: type, metric: bool, kind: str) -> None:
    """Earlier, a distance of the user's own that declares metric=False was certified as a metric."""
    declared = dataclasses.replace(like.traits, metric=metric)
    mine = type("Mine", (like,), {"name": "mine", "traits": declared})()
    if door == "arrays":
        rng = np.random.default_rng(0)
        table = cg.pairwise(list(rng.normal(size=(12, 20, 5))), mine)
        result = cg.estimate(table, ["a"] * 6 + ["b"] * 6, **FEW)
    else:
        sides = [synthetic.fingerprint(name, 6, seed=k) for k, name in enumerate("ab")]
        result = cg.compare(*sides, distance=mine)
    assert of(result)["S2"].kind == kind
    assert ("triangle inequality, which mine lacks" in of(result)["S2"].says) == (kind == "silent")


def test_total_variation_and_the_error_for_all_laws_are_those_of_the_result_and_of_t5() -> None:
    _, result = places(3.0, n=40)
    found = of(result)
    assert found["T4(d)"].value == result.tv_lower > 0
    error = bounds.score_error((40, 40), 0.05)
    assert found["T5(b)"].value == (max(0.0, result.score - error), min(1.0, result.score + error))
    assert "no difference" in of(places(0.0)[1])["T4(d)"].says


@pytest.fixture(scope="module")
def comparison() -> Any:
    return synthetic.comparison()


def made(n: int = 12) -> cg.Congruity:
    """Two models in the plane and their implementations."""
    rng = np.random.default_rng(1)
    models = np.array([[0.0, 0.0], [1.0, 0.0]])
    near = np.concatenate([models, *(model + 0.7 * rng.normal(size=(n, 2)) for model in models)])
    table = DistanceTable("procrustes", cdist(near, near), tuple(map(str, range(2 + 2 * n))), traits=PROCRUSTES)
    inner = dataclasses.replace(table, values=table.values[2:, 2:], labels=table.labels[2:])
    result = cg.estimate(inner, ["a"] * n + ["b"] * n, base=["a"] * n + ["b"] * n, **FEW)
    near_models = relative_distance(table, (n, n), kl=0.01, intervention="resample")
    given = guarantees(result.estimate, inner, result.side, relative=near_models)
    return dataclasses.replace(result, closeness=near_models, guarantees=given)


def test_the_pac_statement_has_the_radii_of_the_samples_and_the_epsilon_of_their_number() -> None:
    result = made()
    one = of(result)["H2"]
    near = result.closeness
    assert near is not None and near.reach is not None and isinstance(one.value, tuple)
    assert one.value == bounds.hausdorff_interval(1.0, near.reach) and one.kind == "95 %"
    epsilon = 1 - (0.05 / 2) ** (1 / 12)
    assert f"epsilon {epsilon:.3g}, delta 0.05" in one.says and bounds.pac_confidence(12, epsilon) == pytest.approx(
        0.95
    )


def test_laws_count_implementations_of_two_networks_and_networks_of_two_populations() -> None:
    result = made()
    assert result.scope == "these two networks" and "12 and 12 implementations" in of(result)["T4(d)"].needs
    table, base = places(1.0)[1].table, [f"net {i // 3}" for i in range(30)]
    populations = cg.estimate(table, ["a"] * 15 + ["b"] * 15, base=base, **FEW)
    assert "5 and 5 networks" in of(populations)["T4(d)"].needs
    single = cg.estimate(table, ["a"] * 15 + ["b"] * 15, base=["x"] * 15 + [f"y{i}" for i in range(15)], **FEW)
    assert of(single)["T5(b)"].kind == "silent"


def test_what_needs_independent_or_equally_many_draws_is_silent_without() -> None:
    paired = again(made(), estimate={"independent": False})
    assert [paired[name].kind for name in ("H2", "T4(d)")] == ["silent", "silent"] and "T5(b)" not in paired
    table = places(1.0)[1].table
    uneven = [f"{side}{0 if i < 6 else i}" for side in "ab" for i in range(15)]
    found = cg.estimate(table, ["a"] * 15 + ["b"] * 15, base=uneven, **FEW)
    assert not found.balanced and of(found)["T4(d)"].kind == "silent" and "T5(b)" not in of(found)


def test_a_model_that_is_constant_on_half_of_the_prompts_has_no_bracket_and_is_compared_all_the_same() -> None:
    left, right = synthetic.comparison().a, synthetic.comparison().b
    for prompt in np.eye(len(left.queries.ids)):  # one that is in the half on which maps are not fitted
        flat = np.outer(prompt - prompt.mean(), prompt - prompt.mean())
        flat /= np.trace(flat)
        try:
            over_prompts(flat, right.clean_gram)
        except InputError:
            break
    result = cg.compare(dataclasses.replace(left, clean_gram=flat), right, distance="spectral")
    assert result.population is None and of(result)["T6(b)"].kind == "silent"


def test_pac_is_silent_on_populations() -> None:
    result = made()
    several = again(result, relative=None)["H2"]
    assert several.kind == "silent" and "one network a side" in several.says


def test_the_bracket_over_prompts_holds_the_distance_over_many_more() -> None:
    rng = np.random.default_rng(0)
    turn = rng.normal(size=(6, 6)) * 0.4

    def grams(m: int) -> list[Any]:
        x = rng.normal(size=(m, 6))
        sides = [part - part.mean(axis=0) for part in (x, x @ turn + 0.5 * rng.normal(size=(m, 6)))]
        return [side @ side.T / np.square(side).sum() for side in sides]

    many = [np.linalg.eigh(gram) for gram in grams(1200)]
    roots = [vectors[:, -6:] * np.sqrt(values[-6:]) for values, vectors in many]
    truth = float(cg.d_repr(*roots))
    found = over_prompts(*grams(200))
    assert found.lower <= truth <= found.upper and found.n_train == found.n_test == 100
    assert found.train == pytest.approx(truth, rel=0.1) and found.test == pytest.approx(truth, rel=0.1)


def test_a_bracket_over_prompts_that_says_nothing_says_so(comparison: Any) -> None:
    found = over_prompts(*(np.diag(np.r_[1.0, 2.0, np.ones(18) * k]) for k in (1.0, 3.0)))
    one = again(comparison.result, population=found)["T6(b)"]
    assert one.value == (0.0, 1.0) and "too few" in one.says


def test_a_comparison_of_fingerprints_carries_it_and_its_json_too(comparison: Any) -> None:
    result = comparison.result
    stored = json.loads(json.dumps(result.to_dict(), allow_nan=False))["certificate"]
    assert [one["number"] for one in stored] == ["S2", "H2", "T4(d)", "T5(b)", "T6(b)"] + [""] * len(NEVER)
    for one in stored:
        values = one["value"] if isinstance(one["value"], list) else [one["value"]]
        assert all(value is None or math.isfinite(value) for value in values)


def test_the_report_says_what_is_guaranteed_and_what_no_sample_can_show(comparison: Any) -> None:
    page = html.page([comparison], title="t")
    section = page.partition("What is guaranteed")[2].partition("</section>")[0]
    for one in comparison.result.certificate():
        assert html.printable(one.says).replace("&", "&amp;").replace("'", "&#39;")[:60] in section
    assert "What no sample can show" in section
