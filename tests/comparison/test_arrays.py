"""The public verbs of the numeric layer: d_repr against a convex solver, pairwise, and every message for bad input."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from congruity._base.arrays import Floats
from congruity._base.gram import standard_gram
from congruity._base.progress import silent
from congruity.comparison.arrays import d_repr, pairwise
from congruity.distances import REGISTRY, Procrustes, Ridge, Spectral
from congruity.errors import InputError, UnknownNameError


def prepared(h: Floats) -> Floats:
    centred = h - h.mean(axis=0)
    return centred / np.linalg.norm(centred)


def oracle(x: Floats, y: Floats) -> float:
    """min over norm(A)_op <= 1 of norm(x A - y)_F by an interior-point solver."""
    a = cp.Variable((x.shape[1], y.shape[1]))
    problem = cp.Problem(cp.Minimize(cp.norm(x @ a - y, "fro")), [cp.sigma_max(a) <= 1])
    return float(problem.solve(solver=cp.CLARABEL))


def problems() -> list[Any]:
    """About 25 small problems of every shape, named."""
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        normal = rng.standard_normal
        m = int(rng.integers(4, 9))
        x = normal((m, 3))
        found += [
            ("more features than samples", normal((m, m + 3)), normal((m, m + 1))),
            ("more samples than features", normal((12, 3)), normal((12, 2))),
            ("rank deficient", normal((m, 2)) @ normal((2, 5)), normal((m, 4))),
            ("nested", x, x @ normal((3, 2))),
            ("repeated columns", np.hstack([x, x]), normal((m, 3))),
            ("one feature", normal((m, 1)), normal((m, 1))),
            ("anisotropic", normal((m, 5)) * np.exp(2.0 * normal(5)), normal((m, 4)) * np.exp(normal(4))),
        ]
    return [pytest.param(x, y, id=f"{name} {k}") for k, (name, x, y) in enumerate(found)]


@pytest.mark.parametrize(("x", "y"), problems())
def test_d_repr_against_a_convex_solver(x: Floats, y: Floats) -> None:
    result = d_repr(x, y, tol=1e-6)
    exact = (oracle(prepared(x), prepared(y)), oracle(prepared(y), prepared(x)))
    for (value, lower, upper), optimum in zip(result.directions, exact, strict=True):
        assert abs(value - optimum) <= 1e-5
        assert lower - 1e-8 <= optimum <= upper + 1e-8
    assert result.status == "converged"
    assert result.lower == max(result.lower, *(lower for _, lower, _ in result.directions))
    assert result.lower <= float(result) <= result.upper == max(upper for _, _, upper in result.directions)


def test_d_repr_without_centring_or_scaling_is_the_plain_definition() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((7, 3)) + 2.0, 5.0 * rng.standard_normal((7, 4))
    result = d_repr(x, y, tol=1e-6, center=False, normalize=False)
    assert float(result) == pytest.approx(max(oracle(x, y), oracle(y, x)), rel=1e-5)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(3, 9), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31))
def test_d_repr_is_in_the_unit_interval_and_symmetric(m: int, p: int, q: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((m, p)), rng.standard_normal((m, q))
    forth, back = d_repr(x, y), d_repr(y, x)
    assert 0.0 <= float(forth) <= 1.0
    assert forth.lower <= back.upper and back.lower <= forth.upper


def test_zero_set() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((9, 4))
    rotation = np.linalg.qr(rng.standard_normal((6, 6)))[0][:4]
    assert float(d_repr(x, x)) == 0.0
    assert float(d_repr(x, 7.0 * x @ rotation + 3.0)) <= 1e-6  # rotated into 6 dimensions, scaled, shifted
    assert float(d_repr(x, x[:, :3])) > 0.05
    nested = d_repr(x, x[:, :3], center=False, normalize=False)
    assert nested.directions[0][0] <= 1e-6 < 0.1 < nested.directions[1][0]  # G2 below G1: one direction is zero


def test_d_repr_and_the_spectral_table_agree() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((14, 5)), rng.standard_normal((14, 30))
    one, many = d_repr(x, y, tol=1e-5), pairwise([x, y], Spectral(tol=1e-5))
    assert float(one) == pytest.approx(many.values[0, 1], rel=2e-5)


def test_an_unfinished_search_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("congruity.distances.spectral_pairs.MAX_ITERATIONS", 2)
    rng = np.random.default_rng(3)
    result = d_repr(
        rng.standard_normal((30, 30)) * np.exp(rng.standard_normal(30)), rng.standard_normal((30, 9)), tol=1e-8
    )
    assert result.status.startswith("stopped after 4 iterations at a width of ")
    assert result.lower < result.upper


@pytest.mark.parametrize("distance", [one() for one in REGISTRY], ids=lambda distance: distance.name)
def test_pairwise_ignores_width_float_type_constants_and_form(distance: Any) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((25, 3)), rng.standard_normal((25, 40))
    plain = pairwise([x, y], distance).values
    same = {
        "constant column": pairwise([np.hstack([x, np.full((25, 1), 9.0)]), y], distance),
        "lists": pairwise([x.tolist(), y.tolist()], distance.name),
        "gram": pairwise([x @ x.T, y @ y.T], distance, gram=True),
        "float32": pairwise([x.astype(np.float32), y.astype(np.float32)], distance),
        "float32 gram": pairwise([(h @ h.T).astype(np.float32) for h in (x, y)], distance, gram=True),
        "huge and tiny": pairwise([x * 1e180, y * 1e-180], distance),
    }
    for name, result in same.items():
        assert np.abs(result.values - plain).max() <= 2e-3, name
    for name in ("constant column", "lists", "gram", "huge and tiny"):
        assert np.abs(same[name].values - plain).max() <= 1e-7, name


def test_pairwise_takes_any_object_with_a_table_and_labels() -> None:
    x = np.random.default_rng(5).standard_normal((6, 2))
    result = pairwise([x, -x, x[:, :1]], Procrustes(), labels=["a", "b", "c"])
    assert result.labels == ("a", "b", "c") and result.values.shape == (3, 3)
    assert pairwise([x, -x, x[:, :1]], "spectral").labels == ("0", "1", "2")


def test_standard_gram_is_that_of_the_prepared_representation() -> None:
    x = np.random.default_rng(6).standard_normal((8, 3)) + 4.0
    assert np.allclose(standard_gram(x @ x.T), prepared(x) @ prepared(x).T, atol=1e-12)
    assert np.array_equal(standard_gram(x @ x.T, center=False, normalize=False), x @ x.T)


GOOD = np.arange(12.0).reshape(4, 3) ** 1.5
BAD_ARRAYS = {
    "shapes": (
        np.ones((5, 3)),
        r"d_repr: X has shape \(4, 3\) and Y has shape \(5, 3\); rows must be the",
    ),
    "few": (np.eye(2), r"d_repr: Y has 2 samples \(shape \(2, 2\)\); pass at least 3"),
    "constant": (
        np.full((4, 2), 0.1),
        r"d_repr: Y is the same for every sample, so no distance is defined; leave",
    ),
    "zero": (np.zeros((4, 2)), r"d_repr: Y is the same for every sample"),
    "empty": (np.ones((4, 0)), r"d_repr: Y has no features \(shape \(4, 0\)\); pass at least one column"),
    "nan": (np.where(GOOD > 3, np.nan, GOOD), r"d_repr: Y holds \d+ NaN or infinite values of 12; drop these samples"),
    "infinite": (np.where(GOOD > 35, np.inf, GOOD), r"d_repr: Y holds 1 NaN or infinite values of 12"),
    "text": (np.array([["a"] * 3] * 4), r"d_repr: Y has dtype <U1, which is not numeric; pass an array of numbers"),
    "objects": (np.full((4, 3), None), r"d_repr: Y has dtype object, which is not numeric"),
    "complex": (GOOD + 1j, r"d_repr: Y is complex \(complex128\); pass real and imaginary parts as features"),
    "ragged": ([[1.0], [1.0, 2.0], [3.0]], r"d_repr: Y has rows of unequal length; pass a rectangular array"),
    "axes": (np.arange(4.0), r"d_repr: Y has shape \(4,\); pass an array with 2 axes"),
}


@pytest.mark.parametrize(("bad", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_bad_arrays(bad: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        d_repr(GOOD, bad)


BAD_GRAMS = {
    "not square": (
        np.ones((4, 3)),
        r"pairwise: reprs\[1\] has shape \(4, 3\) but a Gram matrix is square; pass",
    ),
    "not symmetric": (
        np.triu(np.ones((4, 4))),
        r"pairwise: reprs\[1\] is not symmetric \(entries differ by 1",
    ),
    "not semi-definite": (
        np.diag([1.0, 1, 1, -0.5]),
        r"pairwise: reprs\[1\] is not positive semi-definite \(eigen",
    ),
    "negative": (-np.eye(4), r"pairwise: reprs\[1\] is not positive semi-definite"),
    "few": (np.eye(2), r"pairwise: reprs\[1\] has 2 samples"),
    "constant": (np.ones((4, 4)), r"pairwise: reprs\[1\] is the same for every sample"),
    "shapes": (np.eye(5), r"pairwise: reprs\[0\] has shape \(4, 4\) and reprs\[1\] has shape \(5, 5\); rows must be"),
}


@pytest.mark.parametrize(("bad", "message"), BAD_GRAMS.values(), ids=BAD_GRAMS)
def test_bad_grams(bad: Floats, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pairwise([np.eye(4), bad], "cka", gram=True)


def test_zero_is_named_where_nothing_is_centred() -> None:
    with pytest.raises(InputError, match="d_repr: Y is zero everywhere, so no distance is defined"):
        d_repr(GOOD, np.zeros((4, 2)), center=False)


@pytest.mark.parametrize("tol", [0.0, -1.0, 0.9, float("nan"), "tight", None])
def test_bad_tolerances(tol: Any) -> None:
    with pytest.raises(InputError, match=r"d_repr: tol is .*; pass a relative tolerance between 1e-8 and 0\.5"):
        d_repr(GOOD, GOOD, tol=tol)


def test_bad_calls_of_pairwise() -> None:
    with pytest.raises(UnknownNameError, match="no distance is named 'spectrum'; did you mean 'spectral'"):
        pairwise([GOOD, GOOD], "spectrum")
    with pytest.raises(InputError, match="pairwise: reprs is empty; pass at least one representation"):
        pairwise([], "cka")
    with pytest.raises(InputError, match="pairwise: labels has 1 names for 2 reprs; pass one name for each"):
        pairwise([GOOD, GOOD], "cka", labels=["one"])


def test_features_in_blocks_and_representations_one_by_one_change_no_number() -> None:
    rng = np.random.default_rng(0)
    reprs = [rng.standard_normal((15, width)) * scale for width, scale in ((30, 1.0), (7, 1e160), (12, 1e-160))]
    whole = pairwise(reprs, "cka")
    in_blocks = (iter(np.array_split(x.astype(np.longdouble).astype(float), 3, axis=1)) for x in reprs)
    assert pairwise(in_blocks, "cka").values == pytest.approx(whole.values, abs=1e-12)
    rising = iter([reprs[0][:, :10] * 1e-3, reprs[0][:, 10:20] * 1e160])  # the scale is set anew at the second block
    both = np.hstack([reprs[0][:, :10] * 1e-3, reprs[0][:, 10:20] * 1e160])
    assert pairwise([rising, reprs[1]], "procrustes").values == pytest.approx(
        pairwise([both, reprs[1]], "procrustes").values, abs=1e-9
    )


def test_what_pairwise_refuses_of_blocks_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((9, 4))
    with pytest.raises(InputError, match=r"reprs\[0\], block 1 has 8 samples and block 0 has 9; blocks hold"):
        pairwise([iter([x, x[:8]])], "cka")
    with pytest.raises(InputError, match=r"reprs\[0\] is an iterator that gave no block"):
        pairwise([iter([])], "cka")
    monkeypatch.setattr("congruity._base.checks._free_bytes", lambda: 1000.0)
    with pytest.raises(InputError, match=r"2 Gram matrices of 9 samples need about 0\.0 GB, and 0\.0 GB are free"):
        pairwise([x, x], "cka")


# ---------------------------------------------------------------------------------------------------- held out


def test_held_out_distances_bracket_a_population_whose_distance_is_known() -> None:
    """x = a z and y = b z with independent, bounded z: the squared distance from x to y is the sum of (b - a)_+^2."""
    a, b = np.array([2.0, 1.0, 1.0, 0.5]), np.array([1.0, 1.0, 0.2, 1.5])
    exact = max(np.square(np.maximum(b - a, 0.0)).sum(), np.square(np.maximum(a - b, 0.0)).sum())
    found = []
    for seed in range(60):
        z = np.random.default_rng(seed).uniform(-1.0, 1.0, (80, 4)) * np.sqrt(3.0)
        found.append(d_repr(z * a, z * b, held_out=0.5, shuffles=0, normalize=False, seed=seed).held_out)
    numbers = np.array([[h.train, h.test, h.lower, h.upper] for h in found if h is not None]) ** 2 / 80
    means, errors = numbers.mean(axis=0), numbers.std(axis=0) / np.sqrt(60)
    assert means[0] + 3 * errors[0] < exact < means[1] - 3 * errors[1]
    assert (numbers[:, 2] <= exact).all() and (exact <= numbers[:, 3]).all()


@pytest.mark.parametrize(("m", "plug_in"), [(20, 0.06), (80, 0.27), (320, 0.76)])
def test_unrelated_representations_look_related_where_samples_are_few_and_the_null_shows_it(
    m: int, plug_in: float
) -> None:
    """docs/theorems.md T6(d): independent normal representations of 40 dimensions, half of the samples in training."""
    x, y = np.random.default_rng(0).standard_normal((2, m, 40))
    result = d_repr(x, y, held_out=0.5).held_out
    assert result is not None and (result.n_train, result.n_test) == (m // 2, m // 2)
    assert result.train**2 == pytest.approx(plug_in, abs=0.03) and result.test > 1.0 and result.upper > 1.0
    assert np.mean(result.null_train) == pytest.approx(result.train, abs=0.05)
    assert np.mean(result.null_test) == pytest.approx(result.test, abs=0.1)


def test_what_holds_on_all_samples_holds_on_others() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((60, 5))
    same = d_repr(x, 3.0 * x @ np.linalg.qr(rng.standard_normal((9, 9)))[0][:5] + 1.0, held_out=0.3).held_out
    assert same is not None and same.train <= 1e-6 and same.test <= 1e-6 and min(same.null_train) > 0.5
    assert (same.n_train, same.n_test) == (42, 18)
    again = d_repr(x, 3.0 * x, held_out=0.3, seed=1).held_out
    assert again is not None and again.null_train != same.null_train
    assert d_repr(x, x).held_out is None


def test_shuffles_that_leave_a_side_constant_are_left_out() -> None:
    rare = np.zeros((20, 2))
    rare[3], rare[5] = 1.0, 2.0
    found = d_repr(np.random.default_rng(0).standard_normal((20, 3)), rare, held_out=0.5, shuffles=12, seed=1).held_out
    assert found is not None and 0 < len(found.null_train) <= 12 and len(found.null_train) == len(found.null_test)


@pytest.mark.parametrize("scale", [1e160, 1e-165])
def test_squares_that_float64_does_not_hold_are_refused_where_nothing_is_scaled(scale: float) -> None:
    x = np.random.default_rng(0).standard_normal((8, 3))
    with pytest.raises(InputError, match=r"d_repr: X reaches .*, whose square float64 does not hold; pass normalize=T"):
        d_repr(x * scale, x * scale, normalize=False)
    with pytest.raises(InputError, match=r"pairwise: reprs\[0\] reaches .*, whose square float64 does not hold"):
        pairwise([x * scale, x], "procrustes", normalize=False)
    assert float(d_repr(x * scale, x)) == 0.0


def test_a_tolerance_below_rounding_is_either_reached_or_denied() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 12, 4))
    for tol in (1e-6, 1e-8):
        found = d_repr(x, 0.7 * x + y, tol=tol)
        for _, lower, upper in found.directions:
            assert (upper - lower) / upper <= 1.01 * tol or found.status != "converged"


def test_what_held_out_refuses() -> None:
    x = np.random.default_rng(0).standard_normal((5, 2))
    with pytest.raises(InputError, match=r"d_repr: held_out is 1; pass a number between 0\.05 and 0\.95"):
        d_repr(x, x, held_out=1)
    with pytest.raises(InputError, match=r"d_repr: confidence is 0\.1; pass a number between 0\.5 and 0\.9999"):
        d_repr(x, x, held_out=0.5, confidence=0.1)
    with pytest.raises(InputError, match=r"held_out needs at least 6 samples to split and shuffles >= 0; here are 5"):
        d_repr(x, x, held_out=0.5)
    spike = np.zeros((8, 1))
    spike[7] = 1.0
    with pytest.raises(InputError, match=r"d_repr: Y on the training samples is the same for every sample"):
        for seed in range(20):
            d_repr(np.arange(8.0)[:, None], spike, held_out=0.5, seed=seed)


# ----------------------------------------------------------------------------------------------- uniform R^2


def test_uniform_ridge_is_the_uniform_average_of_scikit_learn() -> None:
    from sklearn.linear_model import Ridge as Reference
    from sklearn.metrics import r2_score

    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 6))
    y = x @ rng.standard_normal((6, 3)) * [1.0, 100.0, 1e-3] + rng.standard_normal((60, 3)) * [0.1, 100.0, 5e-3]
    padded = np.hstack([y, np.full((60, 1), 7.0)])  # a constant feature has no R^2
    train, test = Ridge().split(60)
    penalty = 1e-2 * np.square(x[train] - x[train].mean(axis=0)).sum() / len(train)
    predicted = Reference(alpha=penalty, solver="svd").fit(x[train], y[train]).predict(x[test])
    deviation = np.square(y[test] - y[train].mean(axis=0)).mean(axis=0)  # around the training mean, as ours
    uniform = (np.square(predicted - y[test]).mean(axis=0) / deviation).mean()
    for target in (padded, iter([padded[:, :2], padded[:, 2:]]), torch.from_numpy(padded)):
        source = torch.from_numpy(x) if isinstance(target, torch.Tensor) else x
        found = pairwise([source, target], Ridge(alphas=(1e-2,), r2="uniform")).values[0, 1]
        assert found == pytest.approx(uniform, rel=1e-9)
    assert found == pytest.approx(1.0 - r2_score(y[test], predicted, multioutput="uniform_average"), abs=0.02)
    assert abs(found - pairwise([x, padded], Ridge(alphas=(1e-2,))).values[0, 1]) > 0.1


def test_what_uniform_ridge_refuses() -> None:
    grams = np.stack([np.eye(6), np.eye(6)])
    with pytest.raises(InputError, match=r"r2='uniform'\) weighs features, and a Gram matrix has none; pass repres"):
        pairwise(grams, Ridge(r2="uniform"), gram=True)
    with pytest.raises(InputError, match=r"Ridge: r2='uniform' and target Gram matrices do not go together; use"):
        Ridge(r2="uniform").table(grams, ("a", "b"), progress=silent)
    with pytest.raises(UnknownNameError, match="no Ridge r2 is named 'mean'"):
        Ridge(r2="mean")  # type: ignore[arg-type]
