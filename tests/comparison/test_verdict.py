"""Every state in which a comparison can end: through `conclude`, a row each, and through the public door."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import congruity as cg
import synthetic
from congruity.comparison.verdict import Circumstances, Conclusion, Looks, conclude, decides, in_family
from congruity.values import Estimate, Fingerprint, Method, PermutationTest, PromptError, Remark, Status

A_B = ("left", "right")
APART = PermutationTest(0.001, {"separability": 0.001}, 1.0, 0.0001, 10000, False)
ALIKE = PermutationTest(0.4, {"separability": 0.4}, 0.6, 0.0001, 10000, False)
BASIS: dict[str, Any] = {
    "p_within": (0.55, 0.5), "separability": 0.6, "n": (12, 12), "n_bases": None, "kind": "independent", "units": 12,
    "lonely": (), "informative": True, "independent": True, "balanced": True, "expected_equal": 0.95, "margin": 0.5,
    "alpha": 0.05, "intervals": {"separation": (-0.1, 0.2)}, "smallest_margin": 0.7, "p_equivalence": 0.2,
    "tv_lower": 0.0, "test": ALIKE,
}  # fmt: skip
WITHIN = {"smallest_margin": 0.3}
TWO = {"kind": "two networks", "n_bases": (1, 1)}
NOISY = {"prompts": PromptError(100, 0.5, 0.0, 0.1)}
ROWS: list[tuple[Status, str, dict[str, Any], dict[str, Any], str]] = [
    (Status.INCAPABLE, "not applicable", {"test": APART}, {"incapable": "right cannot do it", "mismatches": ("x",)},
     "right cannot do it"),
    (Status.PAIRED, "undecided", {"independent": False, "test": None}, {"edits": 9}, "carry the same 9 edits"),
    (Status.PAIRED_UNLIKE, "undecided", {"independent": False, "test": None}, {"edits": 9, "readable": False},
     "is given. For a verdict"),
    (Status.ALL_EQUAL, "undecided", {"informative": False}, {}, "All distances that are compared are equal"),
    (Status.TOO_FEW_NETWORKS, "undecided", {"kind": "clustered", "n_bases": (1, 3), "units": 1, "test": None}, {},
     "1 independent network against 3"),
    (Status.DIFFERENT, "different", {"test": APART}, {}, "left and right can be told apart (p = 0.001"),
    (Status.UNMATCHED, "undecided", {"test": APART}, {"mismatches": ("other gates", "other KLs")},
     "(other gates; other KLs), which alone can separate two sets: match them for a verdict."),
    (Status.WITHIN_MARGIN_BUT_TOLD_APART, "undecided", {"test": APART} | WITHIN, {}, "within margin but distinguishab"),
    (Status.TWO_NETWORKS_TOLD_APART, "undecided", {"test": APART} | TWO, {}, "are distinguishable (p = 0.001"),
    (Status.TWO_NETWORKS_WITHIN_MARGIN, "undecided", {"test": APART} | TWO | WITHIN, {}, "within margin but disting"),
    (Status.EQUIVALENT, "equivalent", WITHIN, {}, "with 95 % confidence the chance"),
    (Status.EQUIVALENT, "equivalent", WITHIN, {"mismatches": ("other gates",)}, "This is although the sides were not"),
    (Status.TWO_NETWORKS_EQUIVALENT, "equivalent", WITHIN | TWO, {}, "speaks of these two networks only."),
    (Status.PROMPTS_UNCHECKED, "undecided", WITHIN, {"require_prompts": True}, "could not be checked"),
    (Status.PROMPTS_UNRELIABLE, "undecided", WITHIN | NOISY, {}, "split-half reliability 0.50, at least 0.70 is"),
    (Status.TOO_FEW_UNITS, "undecided", WITHIN | {"units": 9}, {}, "9 independent implementations on a side"),
    (Status.NOT_SHOWN, "undecided", {}, {}, "neither told apart (p = 0.4) nor shown"),
    (Status.NOT_SHOWN, "undecided", {"smallest_margin": None}, {}, "no interval can be given of fewer than 3"),
    (Status.NOT_SHOWN, "undecided", {"test": dataclasses.replace(ALIKE, smallest=0.1)}, {}, "possible with so few is"),
    (Status.NOT_SHOWN, "undecided", {}, {"mismatches": ("other gates",)}, "Besides, the sides were not made alike"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "verdict", "numbers", "made", "part"), ROWS)
def test_every_state_follows_from_its_values(
    status: Status, verdict: str, numbers: dict[str, Any], made: dict[str, Any], part: str
) -> None:
    found = conclude(Estimate(**(BASIS | numbers)), A_B, Circumstances(**made))
    assert (found.status, found.verdict) == (status, verdict) and part in found.reason
    assert "{" not in found.reason and "None" not in found.reason and "  " not in found.reason


def test_the_table_has_every_state() -> None:
    assert {row[0] for row in ROWS} == set(Status) - {Status.NOT_IN_FAMILY}
    for part in (*Status, *Remark):
        assert part.value and part.value == part.value.strip()


def test_what_is_added_to_the_sentence() -> None:
    estimate = Estimate(**BASIS)
    changes = conclude(estimate, A_B, changes="It depends.")
    assert changes.reason == f"{conclude(estimate, A_B).reason} It depends." and changes.status is Status.NOT_SHOWN
    unable = Circumstances(incapable="right cannot do it")
    assert conclude(estimate, A_B, unable, changes="It depends.").reason == "right cannot do it"
    for reached, decided, end in ((16, False, "the plan goes to 16"), (8, False, "goes to 16 a side.)"), (8, True, "")):
        reason = conclude(estimate, A_B, looks=Looks((8, 16), 0.025, reached, decided)).reason
        assert f"{'decided' if decided else 'not decided'} with {reached} a side of looks at 8, 16" in reason
        assert (end in reason) == (end != "the plan goes to 16"), "nothing ran out where the last look was reached"
    assert decides(Conclusion(Status.EQUIVALENT, ""), estimate, 0.01) and decides(changes, estimate, 0.4)
    assert not decides(changes, estimate, 0.3) and decides(Conclusion(Status.INCAPABLE, ""), estimate, 0.01)


@pytest.mark.parametrize(
    ("status", "p", "q", "verdict"),
    [
        (Status.DIFFERENT, 0.04, 1.0, "different"),
        (Status.DIFFERENT, 0.06, 0.01, "undecided"),
        (Status.EQUIVALENT, 1.0, 0.05, "equivalent"),
        (Status.EQUIVALENT, 0.01, 0.2, "undecided"),
        (Status.INCAPABLE, None, None, "not applicable"),
        (Status.NOT_SHOWN, 0.01, 0.01, "undecided"),
    ],
)
def test_of_a_family_only_what_stands_adjusted_stands(status: Status, p: float, q: float, verdict: str) -> None:
    alone = Conclusion(status, "alone")
    found = in_family(alone, p, q, 0.05)
    assert found.verdict == verdict and (found == alone) == (alone.verdict == verdict)
    assert found == alone or f"Alone this pair would be {alone.verdict}, but not at level 0.05" in found.reason


# ---------------------------------------------------------------------------------------------- through the public door


def side(
    name: str, n: int = 12, *, m: int = 30, shift: float = 0.0, networks: bool = False, **more: Any
) -> Fingerprint:
    """Return implementations of one network, or each of a network of its own."""
    found = synthetic.fingerprint(name, n, m, shift, seed={"a": 1, "b": 2}[name], refused=0)
    if networks:
        own = tuple(dataclasses.replace(x, base=f"{name}{i}") for i, x in enumerate(found.implementations))
        found = dataclasses.replace(found, implementations=own)
    return dataclasses.replace(found, **more)


def compared(a: Fingerprint, b: Fingerprint, **options: Any) -> cg.Congruity:
    return cg.compare(a, b, distance="procrustes", **options)


def unlike(b: Fingerprint) -> Fingerprint:
    return dataclasses.replace(b, sampling=dataclasses.replace(b.sampling, gates=cg.Gates(max_kl=0.5)))


def of_points(*clouds: Any, **options: Any) -> cg.Congruity:
    points = np.concatenate(clouds)
    table = np.linalg.norm(points[:, None] - points[None], axis=2)
    return cg.estimate(table, [k for k, cloud in enumerate(clouds) for _ in cloud], n_bootstrap=499, **options)


def cloud(n: int, at: float = 0.0, seed: int = 0) -> Any:
    return np.random.default_rng([seed, n]).normal(size=(n, 3)) + at


def modes(axis: int) -> Any:
    points = 0.5 * np.random.default_rng(axis).normal(size=(30, 2))
    points[:, axis] += np.where(np.arange(30) % 2, 8.0, -8.0)
    return points


KINDS = (("resample", 0.01),)
DOORS: dict[Status, Callable[[], cg.Congruity]] = {
    Status.INCAPABLE: lambda: compared(side("a"), side("b", capable=False, accuracy=0.5)),
    Status.PAIRED: lambda: compared(one := synthetic.stratified("a", kinds=KINDS), synthetic.repeated(one, "c")),
    Status.PAIRED_UNLIKE: lambda: compared(one := synthetic.stratified("a", kinds=KINDS), other_parameters(one)),
    Status.ALL_EQUAL: lambda: cg.estimate(1 - np.eye(12), [0] * 6 + [1] * 6),
    Status.TOO_FEW_NETWORKS: lambda: of_points(cloud(6), cloud(6, 3.0, 1), base=[k // 2 for k in range(12)]),
    Status.DIFFERENT: lambda: compared(side("a", networks=True), side("b", shift=1.0, networks=True)),
    Status.UNMATCHED: lambda: compared(side("a", networks=True), unlike(side("b", shift=1.0, networks=True))),
    Status.WITHIN_MARGIN_BUT_TOLD_APART: lambda: of_points(modes(0), modes(1)),
    Status.TWO_NETWORKS_TOLD_APART: lambda: compared(side("a"), side("b", shift=1.0)),
    Status.TWO_NETWORKS_WITHIN_MARGIN: lambda: of_points(modes(0), modes(1), base=[0] * 30 + [1] * 30),
    Status.EQUIVALENT: lambda: of_points(cloud(25), cloud(25, seed=1)),
    Status.TWO_NETWORKS_EQUIVALENT: lambda: of_points(cloud(25), cloud(25, seed=1), base=[0] * 25 + [1] * 25),
    Status.PROMPTS_UNCHECKED: lambda: of_points(cloud(25), cloud(25, seed=1), require_prompts=True),
    Status.PROMPTS_UNRELIABLE: lambda: of_points(cloud(25), cloud(25, seed=1), **NOISY),
    Status.TOO_FEW_UNITS: lambda: of_points(cloud(9), cloud(9, seed=1), margin=1.0),
    Status.NOT_SHOWN: lambda: of_points(cloud(12), cloud(12, seed=1), margin=0.05),
}


def other_parameters(one: Fingerprint) -> Fingerprint:
    same = synthetic.repeated(one, "c")
    other = dataclasses.replace(same.sampling, interventions=(Method("resample", {"donors": 2}),))
    return dataclasses.replace(same, sampling=other)


@pytest.mark.parametrize("status", DOORS, ids=lambda status: status.label)
def test_every_state_is_reached_through_the_public_door(status: Status) -> None:
    found = DOORS[status]()
    assert found.status is status and found.verdict == status.verdict
    assert found.to_dict()["status"] == status.label and found.to_dict()["verdict"] == status.verdict


def test_the_doors_are_all_states_and_a_matrix_reaches_the_last() -> None:
    assert set(DOORS) == set(Status) - {Status.NOT_IN_FAMILY}
    third = synthetic.fingerprint("c", 6, shift=6.0, seed=5, refused=0)
    own = tuple(dataclasses.replace(x, base=f"c{i}") for i, x in enumerate(third.implementations))
    third = dataclasses.replace(third, implementations=own)
    sides = [side("a", 6, networks=True), side("b", 6, shift=3.0, networks=True), third]
    found = cg.matrix(sides, distance="procrustes", alpha=0.003)  # the smallest p of 6 and 6 is .0022
    alone = [entry for entry in found.pairs.values() if entry.result.verdict == "different"]
    assert alone and all(entry.status is Status.NOT_IN_FAMILY and entry.verdict == "undecided" for entry in alone)


# ------------------------------------------------------------------------------------------------------- built once


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every `Congruity` that is made, by a constructor or by ``dataclasses.replace``."""
    made: list[int] = []
    original = cg.Congruity.__init__

    def counted(self: Any, *args: Any, **more: Any) -> None:
        made.append(id(self))
        original(self, *args, **more)

    monkeypatch.setattr(cg.Congruity, "__init__", counted)
    return made


BUILT: dict[str, tuple[Callable[[], Any], int]] = {
    "estimate": (lambda: of_points(cloud(9), cloud(9, seed=1)), 1),
    "compare": (lambda: compared(side("a"), side("b")), 1),
    "mismatched and incapable": (lambda: compared(side("a"), unlike(side("b", capable=False))), 1),
    "paired": (DOORS[Status.PAIRED], 1),
    "sensitivity": (lambda: compared(synthetic.stratified("a", 6, seed=1), synthetic.stratified("b", 6, seed=2)), 1),
    "sequential": (lambda: compared(side("a"), side("b"), looks=(5, 8, 12), margin=0.05), 1),
    "matrix": (lambda: cg.matrix([side("a", 5), side("b", 5), side("a", 6)], distance="cka"), 3),
}


@pytest.mark.parametrize("how", BUILT)
def test_a_result_is_built_once(how: str, built: list[int]) -> None:
    make, count = BUILT[how]
    made = make()
    assert made is not None and len(built) == count


def test_the_driver_fits_on_a_screen() -> None:
    from congruity.comparison import compare

    body = inspect.getsource(compare.compare_fingerprints).rpartition('"""')[2].strip().splitlines()
    assert len(body) <= 20 and len(inspect.getsource(compare).splitlines()) <= 60
