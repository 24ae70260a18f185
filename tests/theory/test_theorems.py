"""Theorems: never violated, tight, their false neighbours caught; their hypotheses checked; the counterexamples."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from congruity.bench.theorems import benchmark as theory
from congruity.bench.theorems.claims import Claim
from congruity.errors import HypothesisError
from congruity.theory import bounds
from congruity.theory.bounds import Link
from congruity.theory.equivalence import congruity, d_interp, procrustes

# Enough for every false neighbour: the rarest is caught by one instance in a hundred.
INSTANCES = 500


@pytest.mark.parametrize("claim", theory.CLAIMS, ids=lambda claim: claim.name)
def test_a_theorem_holds_on_random_instances_and_its_false_neighbours_do_not(claim: Claim) -> None:
    slow = claim.name in ("T1 and T2, full matrices", "T5(b), (c) estimate")
    found = theory.tested(claim, 100 if slow else INSTANCES, seed=1)
    assert found["violations"] == 0
    assert found["false"] and all(found["false"].values()), found["false"]


def test_a_claim_that_is_violated_is_counted() -> None:
    wrong = Claim("wrong", "1 <= 0", lambda random: theory.Drawn({"": (1.0, 0.0)}, {"true after all": (0.0, 1.0)}))
    found = theory.tested(wrong, 10, seed=0)
    assert found["violations"] == 10 and found["false"] == {"true after all": 0}


NONE = Link(0.0, 0.0)
WIDE = Link(0.0, 0.0, signal_gain=2.0)


@pytest.mark.parametrize(
    ("number", "call", "message"),
    [
        ("L1", lambda: bounds.composed_error(-0.1, 0.2), "first to be finite and not negative; here it is -0.1"),
        ("T0", lambda: bounds.behavioural_interval(math.nan, 0.1), "behaviour to be finite"),
        ("H1", lambda: bounds.hausdorff_interval(1.0, (math.inf, 0.0)), "ecc_1 to be finite"),
        ("T1", lambda: bounds.circuit_distance_bound((0.1, 0.1), (WIDE, NONE)), "Lambda <= 1.* here it is 2"),
        ("T2", lambda: bounds.representation_distance_bound(0.1, (WIDE, NONE)), "rho <= 1.* here it is 2"),
        ("T2", lambda: bounds.representation_distance_bound(0.1, (WIDE, NONE), norms=(-5.0, 1.0)), "norm_1 to be fin"),
        (
            "T1",
            lambda: bounds.circuit_distance_bound((0.1, 0.1), (WIDE, NONE), signature_norms=(1.0, math.nan)),
            "norm_2",
        ),
        ("T5", lambda: bounds.quadruples_needed(1e-200, 0.05), "an error that can be squared"),
        ("T2", lambda: bounds.interpretation_distance_floor(0.5, (WIDE, NONE), (0.0, 0.0)), "signal gain <= 1"),
        ("T2'", lambda: bounds.transferred(0.1, -1.0, 0.0), "signal_error to be finite and not negative"),
        ("H2", lambda: bounds.pac_confidence(0, 0.1), "at least one sampled implementation; here it is 0"),
        ("H2", lambda: bounds.pac_samples(0.0, 0.1), "epsilon to lie strictly between 0 and 1"),
        ("S1", lambda: bounds.separated_score(1.0, (1.0, 0.5)), r"a gap larger than max\(kappa\)"),
        ("S2", lambda: bounds.distance_from_overlap(0.0, (1.0, 1.0)), "C > 0; here it is 0.0"),
        ("S3", lambda: bounds.score_ceiling(1.2, (0.0, 0.0)), r"near to lie in \[0, 1\]"),
        ("S4", lambda: bounds.score_floor((0.1, 2.0)), "tau_2 to lie in"),
        ("S5", lambda: bounds.shifted_chance(0.5, -0.1), "near_ties to lie in"),
        ("T3", lambda: bounds.normalised_ceiling(0.1, (0.0, 1.0)), "norms above 0; here it is 0.0"),
        ("T4", lambda: bounds.least_score(1.5), "total_variation to lie in"),
        ("T4", lambda: bounds.smallest_p_value(0), "at least one implementation a side"),
        ("T5", lambda: bounds.score_error((1, 9), 0.05), "at least two implementations a side; here it is 1"),
        ("T5", lambda: bounds.separation_variance([[0.0] * 3] * 2, (3, 3)), "3 x 3 components; here it is 6"),
        ("T6", lambda: bounds.population_bracket(0.1, 0.2, 4.0, (0, 9)), "inputs to train and to test on"),
        ("T6", lambda: bounds.uniform_error((1.0, 1.0), 0, 9), "a width and inputs"),
    ],
)
def test_a_bound_refuses_where_its_hypothesis_fails(number: str, call: Any, message: str) -> None:
    with pytest.raises(HypothesisError, match=f"^{number}.*{message}.*so it says nothing$"):
        call()


ONE, TWO = Link(0.1, 0.2, 1.5, 1.2), Link(0.3, 0.05, 0.5, 2.0)


@pytest.mark.parametrize(
    ("value", "by_hand"),
    [
        (bounds.composed_error(0.1, 0.2, 3.0), 0.5),
        (bounds.behavioural_compression(0.2), 0.4),
        (bounds.behavioural_interval(0.5, 0.2, exact_members=True), (0.3, 0.7)),
        (bounds.behavioural_interval(0.1, 0.2), (0.0, 0.5)),
        (bounds.hausdorff_interval(1.0, (0.2, 0.3)), (0.8, 1.3)),
        (bounds.hausdorff_from_nearest(1.0, (0.2, 0.3)), 1.3),
        # T1: Lambda = max(2 * 1.5, 1.2 * .5) = 3; b_12 = 2 (.4 + .1) + .05 = 1.05, b_21 = 1.2 (.2 + .3) + .2 = .8;
        # (2 - 1/3) 1.05 + (1 - 1/3) 7 and (2 - 1/3) .8 + (1 - 1/3) 5
        (bounds.circuit_distance_bound((0.4, 0.2), (ONE, TWO), signature_norms=(5.0, 7.0)), 1.75 + 14 / 3),
        (bounds.circuit_distance_bound((0.4, 0.2), (ONE, TWO), signature_norms=(9.0, 1.0)), 4 / 3 + 6.0),
        (bounds.circuit_distance_bound((0.1, 0.1), (NONE, NONE), behaviour=0.5, weight=3.0), 1.5),
        # T2: rho = max(.5 * 1.2, 1.5 * 2) = 3; .5 (.4 + .2) + .3 = .6 for side 2, 1.5 (.4 + .05) + .1 = .775 for side 1
        (bounds.representation_distance_bound(0.4, (ONE, TWO), norms=(2.0, 9.0)), 1.0 + 6.0),
        (bounds.representation_distance_bound(0.4, (ONE, TWO), norms=(9.0, 2.0)), 0.775 * 5 / 3 + 6.0),
        (bounds.interpretation_distance_floor(0.9, (Link(0.1, 0.2), Link(0.05, 0.3)), (0.1, 0.2)), 0.4),
        (bounds.transferred(0.3, 0.2, 0.2), (0.0, 0.7)),
        (bounds.pac_confidence(10, 0.5), 1 - 2 / 1024),
        (bounds.pac_epsilon(2, 0.5), 0.5),
        (bounds.pac_samples(0.5, 0.5), 2),
        (bounds.separated_score(2.0, (1.0, 1.5)), 0.0),
        (bounds.distance_from_overlap(0.1, (1.0, 1.5)), 3.0),
        (bounds.score_ceiling(0.1, (0.2, 0.3)), 0.7),
        (bounds.score_floor((0.2, 0.4)), (0.7, 0.6)),
        (bounds.shifted_chance(0.9, 0.2), (0.7, 1.0)),
        (bounds.representation_interval((3.0, 5.0)), (2.0, 5.0)),
        (bounds.normalised_ceiling(1.0, (2.0, 4.0)), 0.5),
        (bounds.spectral_from_procrustes(2.0), (math.sqrt(2), 2.0)),
        (bounds.literal_score(0.2), 0.8),
        (bounds.least_score(0.5), 0.625),
        (bounds.least_total_variation(0.625), 0.5),
        (bounds.least_score_min(0.5), 0.25),
        (bounds.total_variation_from_chance(0.875), 0.5),
        (bounds.least_ball_divergence(1.0, 0.25), 0.3125),
        (bounds.smallest_p_value(3), 0.1),
        (bounds.quadruples_needed(0.5, 2 / math.e), 8),
        (bounds.score_error((9, 8), 2 / math.e**2), 1.0),
        (bounds.score_error((65, 64), 2 / math.e**2), math.sqrt(4 / 32)),
        (bounds.population_bracket(0.5, 0.6, 1.0, (2, 8), 2 / math.e), (0.0, 0.85)),
        (bounds.population_bracket(0.9, 0.6, 1.0, (8, 8), 2 / math.e), (0.65, 0.85)),
        (bounds.uniform_error((1.0, 2.0), 9, 100, 1 / math.e**2), 2 * 3 * 5 * 3 / 10),
    ],
)
def test_a_bound_is_what_its_formula_gives_by_hand(value: Any, by_hand: Any) -> None:
    assert value == pytest.approx(by_hand, abs=1e-12)


def test_every_statement_has_its_function_and_its_number_in_the_docstring() -> None:
    for number, functions in bounds.STATEMENTS.items():
        for function in functions:
            assert str(function.__doc__).startswith(number), function
    exported = {name for name in bounds.__all__ if name not in ("STATEMENTS", "Link")}
    assert exported == {f.__name__ for functions in bounds.STATEMENTS.values() for f in functions}


def test_inverse_bounds_undo_each_other() -> None:
    for score in np.linspace(0, 1, 21):
        assert bounds.least_score(bounds.least_total_variation(float(score))) == pytest.approx(score, abs=1e-9)
    for epsilon, delta in itertools.product((0.05, 0.2), (0.01, 0.1)):
        n = bounds.pac_samples(epsilon, delta)
        assert bounds.pac_confidence(n, epsilon) >= 1 - delta > bounds.pac_confidence(n - 1, epsilon)
        assert bounds.pac_epsilon(n, delta) <= epsilon < bounds.pac_epsilon(n - 1, delta)


# The counterexamples: what congruity can and cannot show, on sets whose distance is known.


def diagonal(places: Any) -> Any:
    """Procrustes distances of diagonal representations diag(place), times sqrt(m): Euclidean for these."""
    rows = np.asarray(places, dtype=float)
    return procrustes(np.stack([np.diag(row) for row in rows])) * math.sqrt(rows.shape[1])


@pytest.mark.parametrize("n", [3, 5, 8])
def test_ce1_a_tight_set_inside_a_wide_one_has_a_congruity_near_one(n: int) -> None:
    corners = np.eye(n) + 1.0
    table = diagonal([*corners, corners.mean(axis=0)])
    wide, tight = np.r_[np.full(n, 1 / n), 0.0], np.r_[np.zeros(n), 1.0]
    found = congruity(table, tight, wide)
    assert found.p_within == pytest.approx((1.0, 1 / n)) and found.score == pytest.approx(1 - 1 / n)
    assert found.score_min == pytest.approx(1 - max(1.0, abs(2 / n - 1))) == 0.0
    assert found.total_variation == 1.0 and found.ball_divergence > 0.3
    assert d_interp(table, np.arange(n + 1) < n).d_interp > 0.7


def test_ce2_no_function_of_p1_and_p2_sees_a_square() -> None:
    table = diagonal(np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]) + 3.0)
    found = congruity(table, [0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5])
    assert found.p_within == pytest.approx((0.5, 0.5)) and found.score == found.score_min == pytest.approx(1.0)
    assert found.total_variation == 1.0 and found.ball_divergence > 0.1
    assert d_interp(table, [True, True, False, False]).d_interp == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("n", [3, 6])
def test_ce3_sets_closer_to_each_other_than_to_themselves_are_separated_too(n: int) -> None:
    centred = np.eye(n) - 1 / n
    places = np.block([[centred, np.zeros((n, n))], [np.zeros((n, n)), centred]]) * 0.5 + 1.0
    table = diagonal(places)
    first = np.r_[np.full(n, 1 / n), np.zeros(n)]
    found = congruity(table, first, first[::-1])
    # An implementation is nearer to its own side only where that is itself.
    assert found.p_within == pytest.approx((1 / n, 1 / n)) and found.score == pytest.approx(2 / n)


def test_ce7_equal_sets_sampled_unlike_have_no_congruity() -> None:
    table = np.array([[0.0, 1.0], [1.0, 0.0]])
    found = congruity(table, [0.99, 0.01], [0.01, 0.99])
    both = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]], dtype=float)
    assert d_interp(both, [True, True, False, False]).d_interp == 0.0
    # An X at 0 (.99) is nearer to X' with .99 * .99, and as near with 2 * .99 * .01; at 1, with .01 * .01 and as often.
    p1 = 0.99**3 + 0.01**3 + 0.99 * 0.01
    assert found.p_within == pytest.approx((p1, p1))
    assert found.score == pytest.approx(2 - 2 * p1) and found.score < 0.04


def test_ce8_one_interpretation_sampled_close_to_each_model_has_no_congruity() -> None:
    rng = np.random.default_rng(0)
    every = rng.normal(size=(40, 3)) + 4.0  # the implementation set of both
    models = every[0], every[0] + [3.0, 0.0, 0.0]
    near = np.concatenate([model + 0.1 * rng.normal(size=(20, 3)) for model in models])
    table = diagonal(near)
    first = np.repeat([0.05, 0.0], 20)
    assert congruity(table, first, first[::-1]).score < 0.01


def test_with_one_anchor_a_side_congruity_is_no_estimate_even_of_equality() -> None:
    angles = np.arange(400) * 2 * np.pi / 400
    ring = np.abs(np.exp(1j * angles)[:, None] - np.exp(1j * angles)).round(9)
    shares = np.array([(np.sum(ring[0] < d) + np.sum(ring[0] == d) / 2) / 400 for d in ring[0]])
    anchored = 1 - np.abs(2 * shares - 1)  # C with the pair (0, j) as the only anchors
    for level in (0.1, 0.5, 0.9):
        assert np.mean(anchored <= level) == pytest.approx(level, abs=0.02), "uniform on [0, 1]"
