"""The theorems about d_repr, each beside a false neighbour that the same draws refute, and its optimum by cvxpy.

A claim draws representations (samples, features) and returns pairs (left, right): certified bounds in the direction in
which left <= right must hold if the theorem does, and left > c * right only if the theorem with the constant c fails.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import NamedTuple

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from congruity import d_repr, pairwise
from congruity._base.arrays import Floats
from congruity.distances import Spectral

KINDS = ("normal", "skewed", "diagonal", "scaled", "nested", "near")
#: Of norms, products and Procrustes residuals computed here; all representations of a draw have norm <= 1.
ROUNDING = 1e-12
#: A certified distance that is zero is known to the square root of rounding.
ZERO = 1e-6

Claim = Callable[[str, np.random.Generator], list[tuple[float, float]]]
over_draws = given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1))
examples = settings(max_examples=40, deadline=None, derandomize=True)


class Bracket(NamedTuple):
    lower: float
    upper: float


def orthogonal(size: int, rng: np.random.Generator) -> Floats:
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


def contraction(rows: int, columns: int, rng: np.random.Generator) -> Floats:
    """Singular values in [0, 1], the largest 1, and some of them often equal to it."""
    left, sizes, right = np.linalg.svd(rng.standard_normal((rows, columns)), full_matrices=False)
    return np.asarray((left * np.minimum(1.0, rng.uniform(1.0, 3.0) * sizes / sizes[0])) @ right)


def family(kind: str, rng: np.random.Generator, count: int) -> list[Floats]:
    """Representations of the same 4 to 9 samples, in no order, the largest of norm 1."""
    m = int(rng.integers(4, 10))
    widths = [int(w) for w in rng.integers(1, 12, count)]
    base = rng.standard_normal((m, 11))
    match kind:
        case "normal":
            made = [rng.standard_normal((m, w)) for w in widths]
        case "skewed":
            made = [rng.standard_normal((m, w)) * np.exp(2.0 * rng.standard_normal(w)) for w in widths]
        case "diagonal":
            basis = orthogonal(m, rng)
            entries = rng.choice([0.0, 0.0, 1.0, 2.0], (count, m))
            entries[:, rng.integers(m)] += 0.5
            made = [basis * row for row in entries]
        case "scaled":
            made = [base @ orthogonal(11, rng) * size for size in rng.uniform(0.2, 3.0, count)]
        case "nested":
            made = [base[:, :w] for w in widths]
        case _:
            made = [base + 0.1 * rng.standard_normal(base.shape) for _ in range(count)]
    largest = max(float(np.linalg.norm(h)) for h in made)
    return [h / largest for h in made]


def brackets(x: Floats, y: Floats) -> tuple[Bracket, Bracket, Bracket]:
    """Bounds on the directed distances x -> y and y -> x and on the larger."""
    result = d_repr(x, y, tol=1e-5, center=False, normalize=False)
    forth, back = (Bracket(lower, upper) for _, lower, upper in result.directions)
    return forth, back, Bracket(result.lower, result.upper)


def procrustes(x: Floats, y: Floats) -> float:
    width = max(x.shape[1], y.shape[1])
    a, b = (np.pad(h, ((0, 0), (0, width - h.shape[1]))) for h in (x, y))
    rotation, _ = orthogonal_procrustes(a, b)
    return norm(a @ rotation - b)


def norm(h: Floats) -> float:
    return float(np.linalg.norm(h))


def check(claim: Claim, kind: str, seed: int) -> None:
    for left, right in claim(kind, np.random.default_rng(seed)):
        assert left <= right + ROUNDING


def tightest(claim: Claim) -> float:
    """The largest left / right over 30 seeded draws, where right is not small."""
    draws = (claim(kind, np.random.default_rng(seed)) for kind in KINDS for seed in range(5))
    return max(left / right for left, right in itertools.chain.from_iterable(draws) if right > 1e-3)


# ----------------------------------------------------------------------------------------- (h) Procrustes sandwich


def each_direction_squared_is_below_procrustes_squared(
    kind: str, rng: np.random.Generator
) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    forth, back, _ = brackets(x, y)
    return [(direction.lower**2, procrustes(x, y) ** 2) for direction in (forth, back)]


def procrustes_squared_is_below_the_sum_of_squares(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    forth, back, _ = brackets(x, y)
    return [(procrustes(x, y) ** 2, forth.upper**2 + back.upper**2)]


def procrustes_is_below_root_two_distances(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    return [(procrustes(x, y), np.sqrt(2.0) * brackets(x, y)[2].upper)]


@examples
@over_draws
def test_procrustes_squared_lies_between_the_larger_squared_direction_and_their_sum(kind: str, seed: int) -> None:
    check(each_direction_squared_is_below_procrustes_squared, kind, seed)
    check(procrustes_squared_is_below_the_sum_of_squares, kind, seed)


@examples
@over_draws
def test_procrustes_is_at_most_root_two_times_the_distance(kind: str, seed: int) -> None:
    check(procrustes_is_below_root_two_distances, kind, seed)


# ----------------------------------------------------------------------------------------- (a) triangle inequality


def directed_triangle(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x, y, z = family(kind, rng, 3)
    xy, yz, xz = brackets(x, y), brackets(y, z), brackets(x, z)
    return [(xz[0].lower, xy[0].upper + yz[0].upper), (xz[1].lower, yz[1].upper + xy[1].upper)]


def directed_triangle_without_its_second_leg(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x, y, z = family(kind, rng, 3)
    return [(brackets(x, z)[0].lower, brackets(x, y)[0].upper)]


def triangles_of_a_table(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    table = pairwise(family(kind, rng, 4), Spectral(tol=1e-5), center=False, normalize=False)
    lower, upper = table.lower, table.upper
    assert lower is not None and upper is not None
    return [(lower[i, k], upper[i, j] + upper[j, k]) for i, j, k in itertools.permutations(range(4), 3)]


@examples
@over_draws
def test_each_direction_obeys_the_triangle_inequality(kind: str, seed: int) -> None:
    check(directed_triangle, kind, seed)


@examples
@over_draws
def test_the_distance_obeys_the_triangle_inequality(kind: str, seed: int) -> None:
    check(triangles_of_a_table, kind, seed)


# ----------------------------------------------------------------------------------------------------- (b) zero set


def row_space(x: Floats) -> Floats:
    """An orthonormal basis (rank, features) of the span of the rows."""
    _, sizes, right = np.linalg.svd(x, full_matrices=False)
    return np.asarray(right[sizes > 1e-10 * sizes[0]])


def excess(x: Floats, y: Floats) -> float:
    """Return norm(Y^T v) - norm(X^T v), v the top eigenvector of Y Y^T - X X^T: at most the distance x -> y."""
    v = np.linalg.eigh(y @ y.T - x @ x.T)[1][:, -1]
    return norm(y.T @ v) - norm(x.T @ v)


@examples
@over_draws
def test_a_direction_is_zero_for_a_contracted_image_and_for_no_image_enlarged_anywhere(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = family(kind, rng, 1)[0]
    seen = row_space(x)
    inside = x @ seen.T @ contraction(len(seen), int(rng.integers(1, 12)), rng)
    forth = brackets(x, inside)[0]
    assert forth.lower <= ROUNDING and forth.upper <= ZERO
    for growth in (1.02, 1.5):
        outside = growth * inside
        forth = brackets(x, outside)[0]
        assert 0.0 < excess(x, outside) <= forth.upper + ROUNDING
        assert forth.lower > 0.0


@examples
@over_draws
def test_the_distance_is_zero_for_equal_gram_matrices_and_only_for_them(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = family(kind, rng, 1)[0]
    seen = row_space(x)
    partial_isometry = seen.T @ orthogonal(len(seen) + 3, rng)[: len(seen)]
    for same in (x @ partial_isometry, np.hstack([x, x]) / np.sqrt(2.0), np.pad(x, ((0, 0), (2, 1)))):
        both = brackets(x, same)[2]
        assert both.lower <= ROUNDING and both.upper <= ZERO
    for other in (
        1.02 * x,
        x @ seen.T @ np.diag([0.9] + [1.0] * (len(seen) - 1)),
        np.hstack([x, 0.1 * x @ seen.T[:, :1]]),
    ):
        assert brackets(x, other)[2].lower > 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_zero_one_way_or_an_equal_spectrum_is_not_yet_zero(kind: str) -> None:
    rng = np.random.default_rng(0)
    x = family(kind, rng, 1)[0]
    forth, back, _ = brackets(x, 0.5 * x)
    assert forth.upper <= ZERO and back.lower > 0.1
    assert brackets(x, orthogonal(len(x), rng) @ x)[2].lower > 0.1


# --------------------------------------------------------------------------------- (c), (d), (e) scale and norms


def scaled_together(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    c = float(rng.choice([-1.0, 1.0]) * np.exp(rng.uniform(-2.0, 0.0)))
    plain, scaled = brackets(x, y)[2], brackets(c * x, c * y)[2]
    return [(scaled.lower, abs(c) * plain.upper), (abs(c) * plain.lower, scaled.upper)]


def scaled_together_without_effect(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    return [(brackets(x, y)[2].lower, brackets(x / 2.0, y / 2.0)[2].upper)]


def scaled_copy(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x = family(kind, rng, 1)[0]
    c = float(rng.uniform(-1.5, 1.5))
    exact, found = abs(1.0 - abs(c)) * norm(x), brackets(c * x, x)[2]
    return [(exact, found.upper), (found.lower, exact)]


def copy_scaled_with_its_sign(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x = family(kind, rng, 1)[0]
    c = float(rng.uniform(-1.5, 1.5))
    return [(abs(1.0 - c) * norm(x), brackets(c * x, x)[2].upper)]


def difference_of_norms_is_below(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    return [(abs(norm(x) - norm(y)), brackets(x, y)[2].upper)]


def larger_norm_is_above(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    return [(brackets(x, y)[2].lower, max(norm(x), norm(y)))]


def normalised_is_below_twice_relative(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    normalised = d_repr(x, y, tol=1e-5, center=False)
    return [(normalised.lower, 2.0 * brackets(x, y)[2].upper / max(norm(x), norm(y)))]


def normalised_is_below_one(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    return [(d_repr(*family(kind, rng, 2), tol=1e-5, center=False).lower, 1.0)]


@examples
@over_draws
def test_the_distance_scales_with_both_and_a_copy_is_as_far_as_its_norm_changed(kind: str, seed: int) -> None:
    check(scaled_together, kind, seed)
    check(scaled_copy, kind, seed)


@examples
@over_draws
def test_the_distance_lies_between_the_difference_of_norms_and_the_larger_norm(kind: str, seed: int) -> None:
    check(difference_of_norms_is_below, kind, seed)
    check(larger_norm_is_above, kind, seed)


@examples
@over_draws
def test_the_normalised_distance_is_at_most_one_and_twice_the_relative_one(kind: str, seed: int) -> None:
    check(normalised_is_below_twice_relative, kind, seed)
    check(normalised_is_below_one, kind, seed)


# --------------------------------------------------------------------------------------------- (f) order ideals


def best_guess(x: Floats, y: Floats) -> Floats:
    """A contraction that often is the optimal one: least squares with its singular values clipped at 1."""
    left, sizes, right = np.linalg.svd(np.linalg.pinv(x, rcond=1e-10) @ y, full_matrices=False)
    return np.asarray((left * np.minimum(sizes, 1.0)) @ right)


def a_direction_is_below_procrustes_to_each_member_of_the_ideal(
    kind: str, rng: np.random.Generator
) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    width = x.shape[1]
    lower = brackets(x, y)[0].lower
    some = [contraction(width, int(rng.integers(1, 12)), rng), orthogonal(width, rng), best_guess(x, y)]
    return [(lower, procrustes(x @ c, y)) for c in some]


def members_of_each_ideal_are_near_the_other(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    """For contractions B and C, norm(Y B C - X C) <= norm(Y B - X): y -> X C is no farther than y -> x."""
    x, y = family(kind, rng, 2)
    forth, back, both = brackets(x, y)
    pairs = []
    for source, target, bound in ((y, x, back), (x, y, forth)):
        c = contraction(target.shape[1], target.shape[1], rng)
        distance = brackets(source, target @ c)[0].lower
        pairs += [(distance, bound.upper), (distance, both.upper)]
    return pairs


def members_enlarged_by_a_tenth_are_near_the_other_ideal(
    kind: str, rng: np.random.Generator
) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    return [(brackets(y, 1.1 * x @ orthogonal(x.shape[1], rng))[0].lower, brackets(x, y)[1].upper)]


def a_direction_is_below_procrustes_to_members_enlarged_by_a_tenth(
    kind: str, rng: np.random.Generator
) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    return [(brackets(x, y)[0].lower, procrustes(1.1 * x, y))]


@examples
@over_draws
def test_no_contracted_image_is_closer_in_procrustes_than_the_direction_says(kind: str, seed: int) -> None:
    check(a_direction_is_below_procrustes_to_each_member_of_the_ideal, kind, seed)


@examples
@given(st.integers(0, 2**32 - 1))
def test_of_diagonal_representations_the_clipped_least_squares_image_is_as_close_as_the_direction_says(
    seed: int,
) -> None:
    x, y = family("diagonal", np.random.default_rng(seed), 2)
    forth = brackets(x, y)[0]
    assert forth.lower - ROUNDING <= procrustes(x @ best_guess(x, y), y) <= forth.upper + ROUNDING


@examples
@over_draws
def test_every_contracted_image_of_one_is_within_the_distance_of_those_of_the_other(kind: str, seed: int) -> None:
    check(members_of_each_ideal_are_near_the_other, kind, seed)


# ------------------------------------------------------------------------ (j), (k), (l) parts of a representation


def truncation(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    width = x.shape[1]
    axes = orthogonal(width, rng) if rng.random() < 0.5 else np.eye(width)[rng.permutation(width)]
    kept = axes[:, : int(rng.integers(1, width + 1))]
    cut = x @ kept @ kept.T
    pairs = []
    if norm(cut) > ZERO:
        for other in (y, x):
            after, before = brackets(cut, other)[2], brackets(x, other)[2]
            pairs += [(after.lower - before.upper, norm(x - cut)), (before.lower - after.upper, norm(x - cut))]
    return pairs


def concatenation(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Two layers each; half of the time they are active on different samples."""
    x1, y1, x2, y2 = family(kind, rng, 4)
    if rng.random() < 0.5:
        x1, y1 = (np.vstack([h, np.zeros_like(h)]) for h in (x1, y1))
        x2, y2 = (np.vstack([np.zeros_like(h), h]) for h in (x2, y2))
    whole, first, second = (
        brackets(*both) for both in ((np.hstack([x1, x2]), np.hstack([y1, y2])), (x1, y1), (x2, y2))
    )
    return [(w.lower**2, a.upper**2 + b.upper**2) for w, a, b in zip(whole, first, second, strict=True)]


def concatenation_by_its_worst_layer(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x1, y1, x2, y2 = family(kind, rng, 4)
    whole = brackets(np.hstack([x1, x2]), np.hstack([y1, y2]))[0]
    return [(whole.lower, max(brackets(x1, y1)[0].upper, brackets(x2, y2)[0].upper))]


def sum_of_layers_is_below_their_concatenation(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x1, y1, x2, y2 = family(kind, rng, 4)
    whole = brackets(np.hstack([x1, x2]), np.hstack([y1, y2]))[0]
    return [(brackets(x1, y1)[0].lower ** 2 + brackets(x2, y2)[0].lower ** 2, whole.upper**2)]


def fewer_queries(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    rows = rng.permutation(len(x))[: int(rng.integers(3, len(x)))]
    return [(few.lower, every.upper) for few, every in zip(brackets(x[rows], y[rows]), brackets(x, y), strict=True)]


def fewer_queries_normalised(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    x, y = family(kind, rng, 2)
    return [(d_repr(x[:3], y[:3], tol=1e-5, center=False).lower, d_repr(x, y, tol=1e-5, center=False).upper)]


@examples
@over_draws
def test_dropping_directions_moves_the_distance_by_at_most_what_was_dropped(kind: str, seed: int) -> None:
    check(truncation, kind, seed)


@examples
@over_draws
def test_the_squared_distance_of_concatenated_layers_is_at_most_the_sum_over_layers(kind: str, seed: int) -> None:
    check(concatenation, kind, seed)


@examples
@over_draws
def test_fewer_queries_never_enlarge_the_distance(kind: str, seed: int) -> None:
    check(fewer_queries, kind, seed)


# --------------------------------------------------------------------------------------------- false neighbours

SMALLER_CONSTANTS: dict[Claim, float] = {
    each_direction_squared_is_below_procrustes_squared: 0.99,
    procrustes_squared_is_below_the_sum_of_squares: 0.99,
    procrustes_is_below_root_two_distances: 1.3 / np.sqrt(2.0),
    directed_triangle: 0.99,
    triangles_of_a_table: 0.99,
    scaled_together: 0.99,
    scaled_copy: 0.99,
    difference_of_norms_is_below: 0.99,
    larger_norm_is_above: 0.95,
    normalised_is_below_twice_relative: 0.5,
    normalised_is_below_one: 0.95,
    a_direction_is_below_procrustes_to_each_member_of_the_ideal: 0.99,
    members_of_each_ideal_are_near_the_other: 0.99,
    truncation: 0.99,
    concatenation: 0.99,
    fewer_queries: 0.9,
}
FALSE_CLAIMS: tuple[Claim, ...] = (
    directed_triangle_without_its_second_leg,
    scaled_together_without_effect,
    copy_scaled_with_its_sign,
    members_enlarged_by_a_tenth_are_near_the_other_ideal,
    a_direction_is_below_procrustes_to_members_enlarged_by_a_tenth,
    concatenation_by_its_worst_layer,
    sum_of_layers_is_below_their_concatenation,
    fewer_queries_normalised,
)


@pytest.mark.parametrize("claim", SMALLER_CONSTANTS, ids=lambda claim: claim.__name__)
def test_with_a_smaller_constant_the_inequality_is_refuted(claim: Claim) -> None:
    assert tightest(claim) > SMALLER_CONSTANTS[claim]


@pytest.mark.parametrize("claim", FALSE_CLAIMS, ids=lambda claim: claim.__name__)
def test_a_false_neighbour_is_refuted(claim: Claim) -> None:
    assert tightest(claim) > 1.05


# ------------------------------------------------------------------------------------------ against a convex solver

SHAPES = (
    "more features than samples",
    "more samples than features",
    "rank deficient",
    "repeated columns",
    "nested",
    "one feature",
    "anisotropic",
    "all of it",
)
#: How far apart the reference's own bounds on an optimum may be.
REFERENCE_SLACK = 1e-8


def problem(shape: str, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Two representations of 4 to 12 samples, 1 to 14 features wide."""
    m, p, q = (int(rng.integers(low, high)) for low, high in ((4, 13), (1, 15), (1, 15)))
    normal = rng.standard_normal

    def uneven(width: int) -> Floats:
        return normal((m, width)) * 10.0 ** rng.uniform(-4.0, 0.0, width)

    match shape:
        case "more features than samples":
            return normal((min(m, 8), 14)), normal((min(m, 8), int(rng.integers(9, 15))))
        case "more samples than features":
            return normal((12, int(rng.integers(1, 6)))), normal((12, int(rng.integers(1, 6))))
        case "rank deficient":
            return normal((m, 2)) @ normal((2, p)), normal((m, 3)) @ normal((3, q))
        case "repeated columns":
            x = normal((m, 1 + p // 3))
            return np.hstack([x, x, x[:, :1]]), normal((m, q))
        case "nested":
            x = uneven(p)
            return x, x[:, : 1 + p // 2] @ normal((1 + p // 2, q))
        case "one feature":
            return normal((m, 1)), uneven(q)
        case "anisotropic":
            return uneven(p), uneven(q)
        case _:
            shared = uneven(p)
            return np.hstack([shared, shared[:, :1]])[:, :14], shared @ orthogonal(p, rng) + 1e-3 * uneven(p)


def prepared(h: Floats) -> Floats:
    centred = h - h.mean(axis=0)
    return np.asarray(centred / norm(centred))


def reference(x: Floats, y: Floats) -> Bracket:
    """Bounds on min over norm(A)_op <= 1 of norm(x A - y)_F from an interior-point solution, by weak duality.

    In x = U S V^T and B = V^T A this is min over norm(B)_op <= 1 of norm(S B - U^T y)_F, and what of y is outside U.
    The solver's B, scaled to be feasible, gives the upper bound. Any W of norm 1 gives a lower one, namely
    tr W^T U^T y - norm(S W)_nuclear; the best is the solver's multiplier of the residual.
    """
    left, sizes, _ = np.linalg.svd(x, full_matrices=False)
    kept = sizes > 1e-13 * sizes[0]
    left, scale = left[:, kept], sizes[kept, None]
    narrow = np.linalg.qr(y.T, mode="r").T  # the same Gram matrix, no wider than the samples
    target = left.T @ narrow
    outside = norm(narrow - left @ target)
    b, residual, size = cp.Variable(target.shape), cp.Variable(target.shape), cp.Variable()
    meaning = residual == target - cp.multiply(scale, b)
    task = cp.Problem(cp.Minimize(size), [meaning, cp.norm(residual, "fro") <= size, cp.sigma_max(b) <= 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the tolerance was not reached; the bounds say by how much
        task.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    assert b.value is not None and meaning.dual_value is not None
    w = -meaning.dual_value / norm(meaning.dual_value)
    above = norm(target - scale * b.value / max(1.0, np.linalg.norm(b.value, 2)))
    below = max(float(np.vdot(w, target) - np.linalg.norm(scale * w, "nuc")), 0.0)
    return Bracket(float(np.hypot(below, outside)), float(np.hypot(above, outside)))


def agrees_with_the_reference(number: int) -> str:
    """Check one problem at a tolerance of 1e-6; return the status, as a few may stop short of that."""
    x, y = problem(SHAPES[number % len(SHAPES)], np.random.default_rng(number))
    result = d_repr(x, y, tol=1e-6)
    forth, back = (reference(prepared(x), prepared(y)), reference(prepared(y), prepared(x)))
    both = Bracket(max(forth.lower, back.lower), max(forth.upper, back.upper))
    found = (*result.directions, (float(result), result.lower, result.upper))
    for (value, lower, upper), optimum in zip(found, (forth, back, both), strict=True):
        assert optimum.upper - optimum.lower <= REFERENCE_SLACK, number
        assert abs(value - optimum.lower) <= 1e-5 and abs(value - optimum.upper) <= 1e-5, number
        assert lower <= value <= upper, number
        assert lower <= optimum.upper and optimum.lower <= upper, number
    return result.status


@pytest.mark.parametrize("number", range(32))
def test_values_and_brackets_agree_with_a_convex_solver(number: int) -> None:
    assert agrees_with_the_reference(number) == "converged"


@pytest.mark.slow
def test_values_and_brackets_agree_with_a_convex_solver_on_many_problems() -> None:
    statuses = [agrees_with_the_reference(number) for number in range(32, 332)]
    assert statuses.count("converged") >= 290
