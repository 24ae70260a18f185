"""Every registered distance against what it declares, and each against an independent computation."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import inv, orthogonal_procrustes, sqrtm, subspace_angles
from scipy.spatial.distance import cosine, pdist
from scipy.stats import pearsonr, spearmanr

import congruity as cg
import synthetic
from congruity import d_repr, pairwise
from congruity._base.arrays import Floats
from congruity._base.gram import standard_gram
from congruity._base.progress import silent
from congruity._base.registry import parameters_of
from congruity.distances import (
    CCA,
    CKA,
    REGISTRY,
    RSA,
    SVCCA,
    CKADebiased,
    Kernel,
    Procrustes,
    Ridge,
    Spectral,
    by_name,
    chosen,
)
from congruity.distances.gram import square_roots
from congruity.distances.spectral_ball import SpectralBall
from congruity.distances.spectral_pairs import Pairs, solve
from congruity.errors import InputError, UnknownNameError
from congruity.protocols import Distance
from congruity.values import DistanceTable, Traits

Map = Callable[[Floats, np.random.Generator], Floats]
EVERY = pytest.mark.parametrize("distance", [one() for one in REGISTRY], ids=lambda distance: distance.name)


def orthogonal(size: int, rng: np.random.Generator) -> Floats:
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


MAPS: dict[str, Map] = {
    "orthogonal": lambda h, rng: h @ orthogonal(h.shape[1], rng),
    "permutation": lambda h, rng: h[:, rng.permutation(h.shape[1])] * rng.choice([-1.0, 1.0], h.shape[1]),
    "padding": lambda h, rng: np.hstack([h, np.zeros((len(h), 3))]),
    "scaling": lambda h, rng: 3.0 * h,
    "translation": lambda h, rng: h + 2.0 * rng.standard_normal(h.shape[1]),
    "invertible": lambda h, rng: h @ (orthogonal(h.shape[1], rng) * 8.0 ** np.linspace(-1, 1, h.shape[1])),
}


def table(distance: Distance, *representations: Floats) -> DistanceTable:
    """The distance on the Gram matrices as they are: neither centred nor normalised."""
    names = tuple(f"r{k}" for k in range(len(representations)))
    return distance.table(np.stack([h @ h.T for h in representations]), names, progress=silent)


def width(result: DistanceTable) -> Floats:
    """How far a value may be from the exact one."""
    if result.lower is None or result.upper is None:
        return np.full_like(result.values, 1e-9)
    return result.upper - result.lower + 1e-9


def pair(seed: int, samples: int = 31) -> tuple[Floats, Floats]:
    """Two correlated representations of different widths and uneven scales."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((samples, 7)) * 2.0 ** np.arange(7)[::-1] / 30
    return x, x @ rng.standard_normal((7, 4)) / 2 + 0.3 * rng.standard_normal((samples, 4))


# ------------------------------------------------------------------------------------------------ contract


@EVERY
def test_declared_invariances_hold_and_undeclared_ones_have_a_witness(distance: Distance) -> None:
    assert distance.traits.invariances <= set(MAPS), "a word that no map stands for is held to nothing"
    for invariance, change in MAPS.items():
        changes = []
        for seed in range(3):
            x, y = pair(seed)
            moved = change(y, np.random.default_rng(100 + seed))
            before, after = table(distance, x, y), table(distance, x, moved)
            if invariance in distance.traits.invariances:
                slack = 1e-7 + (width(before) + width(after)).max()
                assert np.abs(before.values - after.values).max() <= slack, invariance
            changes.append(np.abs(before.values - after.values).max())
        assert invariance in distance.traits.invariances or max(changes) > 0.02, invariance


@EVERY
def test_symmetry_is_as_declared(distance: Distance) -> None:
    values = table(distance, *pair(0)).values
    assert (abs(values[0, 1] - values[1, 0]) == 0.0) == distance.traits.symmetric


@EVERY
def test_distance_to_itself_is_zero_where_declared(distance: Distance) -> None:
    x, _ = pair(0)
    values = table(distance, x, x.copy(), x @ orthogonal(7, np.random.default_rng(5))).values
    assert values.max() <= 1e-6 if distance.traits.symmetric else values.min() > 0.0


@EVERY
def test_triangle_inequality_is_as_declared(distance: Distance) -> None:
    a, b = np.eye(5)[:, :1] - np.eye(5)[:, 1:2], np.eye(5)[:, 2:3] - np.eye(5)[:, 3:4]
    triples = [(a, np.hstack([a, b]), b)] if not isinstance(distance, Ridge) else []
    for seed in range(4):
        x, y = pair(seed, 13)
        triples.append((x, y, np.random.default_rng(seed).standard_normal((13, 2))))
    excesses = []
    for triple in triples:
        result = table(distance, *triple)
        d, slack = result.values, 3 * width(result).max()
        excesses.append(max(d[i, k] - d[i, j] - d[j, k] - slack for i, j, k in itertools.permutations(range(3))))
    if distance.traits.metric:
        assert max(excesses) <= 0.0
    elif distance.traits.symmetric:
        assert max(excesses) > 0.1


@EVERY
def test_values_are_finite_and_non_negative_on_rank_one_and_full_rank(distance: Distance) -> None:
    rng = np.random.default_rng(3)
    shapes = [rng.standard_normal((9, 1)), rng.standard_normal((9, 40)), np.ones((9, 1)) * np.arange(9.0)[:, None]]
    values = table(distance, *shapes).values
    assert np.isfinite(values).all() and values.min() >= 0.0


@EVERY
def test_order_of_the_samples_matters_only_to_the_split_of_ridge(distance: Distance) -> None:
    x, y = pair(1)
    order = np.random.default_rng(0).permutation(len(x))
    before, after = table(distance, x, y), table(distance, x[order], y[order])
    same = np.abs(before.values - after.values).max() <= 1e-7 + width(before).max()
    assert same == (distance.name != "ridge")


@EVERY
def test_progress_ends_complete_and_labels_travel(distance: Distance) -> None:
    seen: list[tuple[str, int, int]] = []
    grams = np.stack([h @ h.T for h in pair(0)])
    result = distance.table(grams, ("x", "y"), progress=lambda *told: seen.append(told))
    assert seen[-1][1] == seen[-1][2] and {stage for stage, _, _ in seen} == {distance.name}
    assert (result.labels, result.measure, result.traits) == (("x", "y"), distance.name, distance.traits)
    assert parameters_of(distance).items() <= result.parameters.items()


@EVERY
def test_values_of_prepared_representations_lie_in_the_declared_range(distance: Distance) -> None:
    for width in (1, 5, 60):
        rng = np.random.default_rng(width)
        reprs = [rng.standard_normal((12, width)), rng.exponential(1.0, (12, 3)) ** 3, rng.standard_normal((12, 2))]
        low, high = distance.traits.range
        values = pairwise(reprs, distance).values
        assert low <= values.min() and values.max() <= high + 1e-12, width
    assert not distance.traits.larger_is_closer


# --------------------------------------------------------------------------------------- any namespace, any device


@EVERY
def test_tensors_give_the_numbers_of_arrays(distance: Distance) -> None:
    rng = np.random.default_rng(0)
    base = rng.standard_normal((31, 40)) * np.arange(1, 41) ** -0.7
    for widths in ((7, 4, 4, 30), (3, 3, 3, 3)):
        reprs = [base[:, :w] + 0.3 * rng.standard_normal((31, w)) for w in widths]
        arrays = pairwise(reprs, distance)
        tensors = pairwise([torch.from_numpy(h) for h in reprs], distance)
        slack = width(arrays) + width(tensors) if arrays.lower is not None else 1e-7
        assert (np.abs(arrays.values - tensors.values) <= slack).all(), widths
        if arrays.lower is not None and arrays.upper is not None and tensors.lower is not None:
            assert (tensors.lower <= arrays.upper + 1e-12).all() and (arrays.lower <= tensors.upper + 1e-12).all()
            assert tensors.parameters["unfinished"] == 0


def test_a_batch_of_pairs_solves_each_as_alone() -> None:
    roots = square_roots(np.stack([standard_gram(h @ h.T) for h in groups(4)]))
    first, second = roots[[0, 0, 1, 3, 0]], roots[[1, 7, 8, 4, 0]]
    together = solve(first, second, 1e-5)
    for a, b, found in zip(first, second, together, strict=True):
        alone = solve(a[None], b[None], 1e-5)[0]
        assert found.finished and found.iterations == alone.iterations
        assert found[:3] == pytest.approx(alone[:3], rel=1e-9, abs=1e-12)
    assert together[4].value == 0.0 and together[4].iterations == 0


def test_what_is_not_one_kind_of_array_is_refused() -> None:
    x = torch.ones(5, 2, dtype=torch.float64) * torch.arange(5.0)[:, None]
    with pytest.raises(InputError, match=r"reprs\[0\] is in numpy on cpu and reprs\[1\] in torch on cpu; bring all"):
        pairwise([x.numpy(), x], "cka")
    with pytest.raises(InputError, match=r"reprs\[0\] is complex \(torch.complex64\); pass real and imaginary parts"):
        pairwise([x.to(torch.complex64)], "cka")
    broken = x.clone()
    broken[4, 0] = torch.nan
    with pytest.raises(InputError, match=r"reprs\[0\] holds 1 NaN or infinite values of 10"):
        pairwise([broken], "cka")


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.int64])
def test_tensors_of_other_kinds_and_with_gradients_are_taken(kind: torch.dtype) -> None:
    x = (torch.arange(24.0).reshape(8, 3) ** 2 % 7).to(kind)
    y = x.clone().requires_grad_() if kind.is_floating_point else x.clone()
    assert pairwise([x, y], "procrustes").values[0, 1] == 0.0
    assert float(d_repr(x, y)) == 0.0


# ------------------------------------------------------------------------------------------------ the registry


def test_the_registry_holds_classes_and_a_name_makes_an_object() -> None:
    assert [type(by_name(one.name)) for one in REGISTRY] == list(REGISTRY)
    assert by_name("spectral") is not by_name("spectral") and by_name("spectral") == Spectral()
    with pytest.raises(UnknownNameError, match=r"no distance is named 'procrust'; did you mean 'procrustes'\?"):
        by_name("procrust")


# ------------------------------------------------------------------------------------- distances of a user's own


class Mine:
    """Absolute differences of the first entries of two Gram matrices, changed by the tests."""

    name = "mine"
    traits = Traits(metric=True, symmetric=True, invariances=frozenset(), range=(0.0, 1.0), reference="here")

    def __init__(self, change: Callable[[Floats], Floats] = lambda values: values) -> None:
        self._change = change

    def table(self, grams: Floats, labels: tuple[str, ...], *, progress: Any) -> DistanceTable:
        first = grams[:, 0, 0]
        return DistanceTable(self.name, self._change(np.abs(first[:, None] - first)), labels)


def test_a_distance_of_ones_own_needs_no_registration_and_its_traits_reach_the_table() -> None:
    result = pairwise(groups(0, n=2), Mine())
    assert result.measure == "mine" and result.traits is Mine.traits


def test_a_distance_without_what_it_owes_is_refused_at_the_door() -> None:
    class Nameless:
        def table(self, grams: Floats, labels: tuple[str, ...], *, progress: Any) -> DistanceTable:
            raise AssertionError("asked before it was refused")

    sides = [synthetic.fingerprint("a", 6, seed=0), synthetic.fingerprint("b", 6, seed=1)]
    for ask in (lambda one: pairwise(groups(0), one), lambda one: cg.compare(*sides, distance=one)):
        with pytest.raises(InputError, match=r"distance Nameless has no name and no traits; give its class name = "):
            ask(Nameless())
        with pytest.raises(InputError, match=r"distance Spectral is a class; pass an object, Spectral\(\)"):
            ask(Spectral)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (np.triu, r"'mine' declares symmetric=True, but is [0-9.e-]+ from '\d' to '\d' and 0 back; correct its traits"),
        (
            lambda values: values + 1.5,
            r"'mine' declares range=\(0, 1\), but is [0-9.]+ for centred representations",
        ),
        (np.square, r"'mine' declares metric=True, but is farther from '\d' to '\d' than by way of '\d'; correct"),
    ],
    ids=["symmetric", "range", "metric"],
)
def test_a_table_that_contradicts_the_traits_is_refused(change: Callable[[Floats], Floats], message: str) -> None:
    with pytest.raises(InputError, match=f"distance {message}"):
        pairwise(groups(0, n=2), Mine(change))


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        (lambda made: made.values, "'mine' gave ndarray and no DistanceTable"),
        (lambda made: None, "'mine' gave NoneType and no DistanceTable"),
        (lambda made: dataclasses.replace(made, labels=made.labels[::-1]), "'mine' gave a table of other labels"),
        (lambda made: dataclasses.replace(made, traits=CKA.traits), "'mine' gave a table of other traits"),
    ],
    ids=["array", "nothing", "labels", "traits"],
)
def test_a_table_that_is_none_of_the_distances_own_is_refused(gives: Callable[[Any], Any], message: str) -> None:
    class Strange(Mine):
        def table(self, grams: Floats, labels: tuple[str, ...], *, progress: Any) -> Any:
            return gives(super().table(grams, labels, progress=progress))

    with pytest.raises(InputError, match=f"distance {message}"):
        pairwise(groups(0, n=2), Strange())


# ----------------------------------------------------------------------------------------------- procrustes, cka


@pytest.mark.parametrize("widths", [(3, 8), (8, 3), (5, 5), (1, 12), (40, 30)])
def test_procrustes_against_scipy_with_padding(widths: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(widths))
    x, y = (rng.standard_normal((11, w)) for w in widths)
    padded = [np.hstack([h, np.zeros((11, max(widths) - h.shape[1]))]) for h in (x, y)]
    rotation, _ = orthogonal_procrustes(*padded)
    expected = np.linalg.norm(padded[0] @ rotation - padded[1])
    assert table(Procrustes(), x, y).values[0, 1] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("widths", [(3, 8), (1, 5), (30, 20)])
def test_cka_against_feature_space(widths: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(widths))
    x, y = (rng.standard_normal((11, w)) + 3.0 for w in widths)
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    similarity = np.linalg.norm(a.T @ b) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
    assert table(CKA(), x, y).values[0, 1] == pytest.approx(1 - similarity, abs=1e-12)


def related(seed: int, samples: int = 14, widths: tuple[int, int] = (4, 3)) -> tuple[Floats, Floats]:
    """Correlated representations with means, of which neither is constant."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((samples, widths[0])) + 2.0
    return x, x @ rng.standard_normal(widths) + 0.7 * rng.standard_normal((samples, widths[1]))


def unbiased_hsic(k: Floats, m: Floats) -> float:
    """Song et al. 2012, equation 5, by its traces and sums."""
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    n, one = len(k), np.ones(len(k))
    pairs = np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    return float((pairs - 2 / (n - 2) * one @ k @ m @ one) / (n * (n - 3)))


@pytest.mark.parametrize("widths", [(3, 8), (1, 5), (30, 20)])
def test_debiased_cka_against_the_unbiased_estimator(widths: tuple[int, int]) -> None:
    x, y = related(sum(widths), widths=widths)
    k, m = x @ x.T, y @ y.T
    similarity = unbiased_hsic(k, m) / np.sqrt(unbiased_hsic(k, k) * unbiased_hsic(m, m))
    assert table(CKADebiased(), x, y).values[0, 1] == pytest.approx(1 - similarity, abs=1e-10)


def test_debiased_cka_of_unrelated_wide_representations_is_one_where_cka_is_far_below() -> None:
    rng = np.random.default_rng(0)
    draws = [table(CKADebiased(), *rng.standard_normal((2, 20, 200))).values[0, 1] for _ in range(60)]
    standard_error = np.std(draws) / np.sqrt(60)
    assert abs(np.mean(draws) - 1.0) < 4 * standard_error
    assert table(CKA(), *rng.standard_normal((2, 20, 200))).values[0, 1] < 0.3


def test_plain_cca_against_the_angles_between_subspaces() -> None:
    x, y = related(2, widths=(3, 3))
    angles = subspace_angles(x - x.mean(axis=0), y - y.mean(axis=0))
    assert table(CCA(regularization=0), x, y).values[0, 1] == pytest.approx(1 - np.cos(angles).mean(), abs=1e-9)
    moved = y @ np.array([[2.0, 1.0, 0.0], [0.0, 0.1, 0.0], [1.0, 0.0, 5.0]])
    assert table(CCA(regularization=0), x, moved).values[0, 1] == pytest.approx(1 - np.cos(angles).mean(), abs=1e-9)
    assert "invertible" in CCA(regularization=0).traits.invariances


@pytest.mark.parametrize("widths", [(3, 5), (20, 2)])
def test_regularised_cca_against_covariances_in_feature_space(widths: tuple[int, int]) -> None:
    x, y = (h - h.mean(axis=0) for h in related(3, widths=widths))

    def whitener(h: Floats) -> Floats:
        penalty = 0.3 * np.square(h).sum() / len(h)
        return np.asarray(inv(sqrtm(h.T @ h + penalty * np.eye(h.shape[1])).real))

    correlations = np.linalg.svd(whitener(x) @ x.T @ y @ whitener(y), compute_uv=False)
    sizes = [np.linalg.norm(h @ whitener(h)) for h in (x, y)]
    expected = 1 - correlations.sum() / (sizes[0] * sizes[1])
    assert table(CCA(regularization=0.3), x, y).values[0, 1] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("variance", [0.7, 0.95, 1.0])
def test_svcca_against_scikit_learn_and_scipy(variance: float) -> None:
    from sklearn.decomposition import PCA

    x, y = related(4, samples=30, widths=(6, 5))
    kept = [PCA(n_components=variance if variance < 1 else None, svd_solver="full").fit_transform(h) for h in (x, y)]
    result = table(SVCCA(variance=variance), x, y)
    assert result.parameters["kept"] == [h.shape[1] for h in kept]
    assert result.values[0, 1] == pytest.approx(1 - np.cos(subspace_angles(*kept)).mean(), abs=1e-9)


@pytest.mark.parametrize(("comparison", "reference"), [("spearman", spearmanr), ("pearson", pearsonr)])
def test_rsa_against_scipy(comparison: Any, reference: Any) -> None:
    x, y = related(5)
    x[3] = x[0]  # equal samples tie distances
    expected = 1 - reference(pdist(x, "sqeuclidean"), pdist(y, "sqeuclidean"))[0]
    assert table(RSA(comparison=comparison), x, y).values[0, 1] == pytest.approx(expected, abs=1e-9)


def test_rsa_by_cosine_against_scipy() -> None:
    x, y = related(6)
    expected = cosine(pdist(x, "sqeuclidean"), pdist(y, "sqeuclidean"))
    assert table(RSA(comparison="cosine"), x, y).values[0, 1] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("bandwidth", [0.4, 1.0])
def test_kernel_against_scikit_learn(bandwidth: float) -> None:
    from sklearn.metrics.pairwise import rbf_kernel

    reprs = related(7)
    center = np.eye(14) - 1 / 14
    kernels = []
    for h in reprs:
        width = bandwidth * np.median(pdist(h))
        kernels.append(center @ rbf_kernel(h, gamma=1 / (2 * width**2)) @ center)
    similarity = np.vdot(*kernels) / np.prod([np.linalg.norm(k) for k in kernels])
    assert table(Kernel(bandwidth=bandwidth), *reprs).values[0, 1] == pytest.approx(1 - similarity, abs=1e-12)


def test_a_wide_kernel_is_linear_cka() -> None:
    x, y = related(8)
    assert table(Kernel(bandwidth=1e3), x, y).values[0, 1] == pytest.approx(table(CKA(), x, y).values[0, 1], abs=1e-5)


def test_what_these_distances_refuse() -> None:
    corners, point = np.eye(4), np.array([[0.0], [0.0], [0.0], [0.0], [1.0]])
    with pytest.raises(InputError, match="CKADebiased: 3 samples; the unbiased estimator needs at least 4"):
        table(CKADebiased(), np.eye(3))
    with pytest.raises(InputError, match=r"CKADebiased: of 'r0' nothing is left without the diagonal"):
        table(CKADebiased(), corners, np.arange(4.0)[:, None])
    with pytest.raises(InputError, match=r"RSA: the samples of 'r1' are all equally far apart"):
        table(RSA(comparison="pearson"), np.arange(4.0)[:, None], corners)
    with pytest.raises(InputError, match=r"Kernel: more than half of the pairs of samples of 'r0' are the same point"):
        table(Kernel(), point)
    with pytest.raises(InputError, match=r"CCA: regularization is -1; pass 0 or a positive share"):
        CCA(regularization=-1)
    with pytest.raises(InputError, match=r"SVCCA: variance is 0; pass a share in \(0, 1\]"):
        SVCCA(variance=0)
    with pytest.raises(InputError, match=r"Kernel: bandwidth is 0; pass a multiple of the median"):
        Kernel(bandwidth=0)
    with pytest.raises(UnknownNameError, match=r"no RSA comparison is named 'kendall'"):
        RSA(comparison="kendall")  # type: ignore[arg-type]


def test_rsa_and_cka_ignore_scale_at_any_scale() -> None:
    x, y = related(9)
    for distance in (RSA(), CKA()):
        expected = pairwise([x, y], distance).values
        for scale in (1e7, 1e70):
            found = pairwise([x * scale, y], distance, normalize=False).values
            assert found == pytest.approx(expected, abs=1e-9)


def test_a_wide_kernel_keeps_its_digits_to_the_limit() -> None:
    x, y = related(8)
    assert table(Kernel(bandwidth=1e6), x, y).values[0, 1] == pytest.approx(table(CKA(), x, y).values[0, 1], abs=1e-6)
    with pytest.raises(InputError, match="Kernel: bandwidth is 1e-200; pass a multiple"):
        Kernel(bandwidth=1e-200)


@pytest.mark.parametrize("distance", [CKA(), CCA(), SVCCA()], ids=lambda distance: distance.name)
def test_what_is_constant_but_for_rounding_is_refused(distance: Distance) -> None:
    x, _ = related(9)
    with pytest.raises(InputError, match=r"'0' is the same for every sample, so nothing is left once it is centred"):
        pairwise([np.full((14, 3), 0.1), x], distance, center=False)


def test_ridge_from_a_source_that_is_constant_in_training_predicts_the_mean() -> None:
    _, test = Ridge().split(40)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = np.full((40, 3), 0.3)
        x[test] += rng.standard_normal((len(test), 3))
        values = table(Ridge(), x, rng.standard_normal((40, 2))).values
        assert values[0].tolist() == [1.0, 1.0] and np.isfinite(values).all()


# -------------------------------------------------------------------------------------------------------- ridge


def sklearn_errors(x: Floats, y: Floats, train: Any, test: Any, alpha: float) -> tuple[float, float]:
    """Held-out 1 - R^2, and leave-one-out error on the training rows, from scikit-learn in feature space."""
    from sklearn.linear_model import Ridge as Reference

    fit = Reference(alpha=alpha, solver="svd").fit(x[train], y[train])
    total = np.square(y[test] - y[train].mean(axis=0)).sum()
    held_out = float(np.square(fit.predict(x[test]) - y[test]).sum() / total)
    left_out = 0.0
    for row in train:
        others = train[train != row]
        # The penalty is held while a row is left out.
        prediction = Reference(alpha=alpha, solver="svd").fit(x[others], y[others]).predict(x[[row]])
        left_out += float(np.square(prediction - y[[row]]).sum())
    return held_out, left_out


@pytest.mark.parametrize(("widths", "samples"), [((4, 3), 25), ((40, 2), 19), ((1, 30), 21)])
def test_ridge_against_scikit_learn(widths: tuple[int, int], samples: int) -> None:
    rng = np.random.default_rng(samples)
    x = rng.standard_normal((samples, widths[0])) + 1.0
    y = x[:, :1] @ rng.standard_normal((1, widths[1])) + 0.5 * rng.standard_normal((samples, widths[1]))
    shares = (1e-3, 0.3, 30.0)
    train, test = Ridge().split(samples)
    centred = x[train] - x[train].mean(axis=0)
    scale = np.square(centred).sum() / len(train)
    reference = [sklearn_errors(x, y, train, test, share * scale) for share in shares]
    for share, (held_out, _) in zip(shares, reference, strict=True):
        assert table(Ridge(alphas=(share,)), x, y).values[0, 1] == pytest.approx(held_out, rel=1e-7)
    best = min(reference, key=lambda errors: errors[1])[0]
    assert table(Ridge(alphas=shares), x, y).values[0, 1] == pytest.approx(best, rel=1e-7)


def test_ridge_has_a_floor_that_falls_with_more_queries() -> None:
    rng = np.random.default_rng(0)
    h = rng.standard_normal((400, 60))
    floors = [float(table(Ridge(), h[:m]).values[0, 0]) for m in (70, 150, 400)]
    assert floors[0] > floors[1] > floors[2] > 0.0


def test_ridge_refuses_what_it_cannot_do() -> None:
    with pytest.raises(InputError, match=r"Ridge: alphas is \(0\.0,\); pass at least one penalty"):
        Ridge(alphas=(0.0,))
    with pytest.raises(InputError, match=r"Ridge: test_fraction is 0\.9; pass a share between"):
        Ridge(test_fraction=0.9)
    _, test = Ridge().split(20)
    constant = np.random.default_rng(0).standard_normal((20, 1))
    constant[test] = constant[np.setdiff1d(np.arange(20), test)].mean()
    with pytest.raises(InputError, match=r"Ridge: 'r1' does not vary on the 4 held-out queries; pass another seed"):
        table(Ridge(), np.random.default_rng(1).standard_normal((20, 2)), constant)


# ------------------------------------------------------------------------------------------------------ spectral


def groups(seed: int, samples: int = 24, n: int = 5) -> list[Floats]:
    rng = np.random.default_rng(seed)
    scales = np.arange(1, 41) ** -0.7
    bases = [rng.standard_normal((samples, 40)) * scales for _ in range(2)]
    noisy = [base + 0.2 * rng.standard_normal((samples, 40)) * scales for base in bases for _ in range(n)]
    return [h / np.linalg.norm(h) for h in noisy]


@pytest.mark.parametrize("tol", [1e-2, 1e-4])
def test_spectral_brackets_hold_a_much_finer_solution_and_are_as_narrow_as_asked(tol: float) -> None:
    reprs = groups(0)
    fine = table(Spectral(tol=1e-7), *reprs)
    coarse = table(Spectral(tol=tol), *reprs)
    assert coarse.lower is not None and coarse.upper is not None and fine.lower is not None and fine.upper is not None
    assert (coarse.lower <= fine.upper).all() and (fine.lower <= coarse.upper).all()
    assert (coarse.upper - coarse.lower <= tol * coarse.upper + 1e-6).all()
    assert coarse.parameters["unfinished"] == 0 and coarse.parameters["pairs"] == 45


def test_solved_pairs_are_remembered_by_who_asks_for_it_and_by_nobody_else() -> None:
    reprs = groups(1)
    grams = np.stack([x @ x.T for x in reprs])
    names = tuple(str(k) for k in range(len(reprs)))
    told: list[int] = []
    measure = Spectral().remembering()
    whole = measure.table(grams, names, progress=silent)
    part = measure.table(grams[2:6], names[2:6], progress=lambda stage, done, total: told.append(total))
    assert max(told) == 0  # nothing was left to solve
    assert (part.values == whole.values[2:6, 2:6]).all()
    assert measure.remembering() is measure and chosen(measure) is measure
    assert measure == Spectral() and parameters_of(measure) == {"tol": 1e-2}  # memory is no part of what it is
    for forgetful in ("spectral", Spectral()):
        for _ in range(2):
            told.clear()
            pairwise(reprs[:4], forgetful, progress=lambda stage, done, total: told.append(total))
            assert max(told) == 6  # all pairs: nothing is left behind by the call before


def test_processes_change_no_bit() -> None:
    reprs = groups(2)
    names = tuple(str(k) for k in range(len(reprs)))
    grams = np.stack([x @ x.T for x in reprs])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("congruity.distances.spectral_pairs._HEAVY_PAIRS", 0)
        several = Spectral().table(grams, names, progress=silent)
    one = Spectral().table(grams, names, progress=silent)
    assert (several.values == one.values).all() and (several.lower == one.lower).all()
    assert several.parameters == one.parameters


matrices = st.tuples(st.integers(3, 9), st.integers(1, 11), st.integers(1, 11), st.integers(0, 2**31))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(matrices, st.sampled_from([0.0, 1.0, 2.5]))
def test_sandwich_by_procrustes(shape: tuple[int, int, int, int], spread: float) -> None:
    m, p, q, seed = shape
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((m, p)) * np.exp(spread * rng.standard_normal(p))
    y = rng.standard_normal((m, q))
    bures = table(Procrustes(), x, y).values[0, 1]
    result = table(Spectral(), x, y)
    assert result.lower is not None and result.upper is not None
    slack = 1e-6 * (np.linalg.norm(x) + np.linalg.norm(y))
    assert bures / np.sqrt(2) <= result.upper[0, 1] + slack and result.lower[0, 1] <= bures + slack
    assert result.lower[0, 1] <= result.values[0, 1] <= result.upper[0, 1]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(3, 8), st.integers(0, 2**31))
def test_triangle_inequality_of_spectral(m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    reprs = [rng.standard_normal((m, w)) * rng.exponential(1.0, w) for w in rng.integers(1, 10, 3)]
    result = table(Spectral(tol=1e-5), *reprs)
    assert result.lower is not None and result.upper is not None
    for i, j, k in itertools.permutations(range(3)):
        assert result.lower[i, k] <= result.upper[i, j] + result.upper[j, k]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=3, max_size=7))
def test_diagonal_representations_have_a_closed_form(entries: list[tuple[float, float]]) -> None:
    a, b = np.array(entries).T
    forth, back = np.linalg.norm(np.maximum(b - a, 0.0)), np.linalg.norm(np.maximum(a - b, 0.0))
    result = table(Spectral(tol=1e-5), np.diag(a), np.diag(b))
    assert result.lower is not None and result.upper is not None
    slack = 1e-6 * (1e-9 + np.linalg.norm(a) + np.linalg.norm(b))
    assert result.lower[0, 1] - slack <= max(forth, back) <= result.upper[0, 1] + slack


@pytest.mark.parametrize("spread", [0.0, 2.0, 4.0])
def test_bounds_are_those_of_feasible_points_at_every_iteration(spread: float) -> None:
    rng = np.random.default_rng(7)
    h1 = np.linalg.qr(rng.standard_normal((15, 9)))[0].T * np.exp(spread * rng.standard_normal(9))[:, None]
    h2 = rng.standard_normal((4, 15))
    first, second = SpectralBall(*(problem := ball(h1, h2))), SpectralBall(*problem)
    _, singular_values, right = np.linalg.svd(first.cross)
    first.start(singular_values, right)
    for _ in range(400):
        first.step(np.arange(1))
    assert first.upper - first.lower <= 1e-5 * first.target
    for _ in range(40):  # from zero, not from the good start
        second.step(np.arange(1))
        assert second.lower <= first.upper and first.lower <= second.upper


def ball(h1: Floats, h2: Floats) -> tuple[Floats, ...]:
    squares = np.square(h1).sum(axis=1)[None]
    return squares, (h2 @ h1.T)[None], np.array([np.square(h2).sum()]), np.array([1e-13]), np.array([np.inf])


def test_a_representation_that_never_varies_is_at_the_norm_of_the_other() -> None:
    x = pair(0)[0]
    for distance in (Spectral(), Procrustes()):
        result = table(distance, np.zeros((31, 2)), x, np.zeros((31, 1)))
        assert result.values[0, 1] == pytest.approx(np.linalg.norm(x), rel=1e-9)
        assert result.values[0, 2] == 0.0


def test_similar_representations_need_few_iterations() -> None:
    """The speed claim, in iterations, which do not depend on the machine."""
    reprs = groups(2, samples=60, n=2)
    roots = [np.linalg.svd(h.T, full_matrices=False) for h in reprs]
    halves = [size[:, None] * right for _, size, right in roots]
    for i, j in itertools.combinations(range(4), 2):
        both = Pairs(halves[i][None], halves[j][None])
        both.refine_both(1e-3)
        assert both.iterations[0] <= 40


def test_spectral_refuses_a_bad_tolerance() -> None:
    with pytest.raises(InputError, match="Spectral: tol is 0; pass a relative tolerance between"):
        Spectral(tol=0)


def test_no_warning_escapes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for one in REGISTRY:
            table(one(), *groups(3, n=2))
