"""Several models, and several looks: error rates over all claims, not over each."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import congruity as cg
import synthetic
from congruity.comparison.matrix import adjusted
from congruity.comparison.reference import rank_among
from congruity.comparison.sequential import LOOKS
from congruity.errors import InputError, NotComparableError, UnknownNameError


def holm_by_definition(p: list[float], alpha: float) -> set[int]:
    """Reject from the smallest on, each at alpha / (number left), until one fails."""
    rejected: set[int] = set()
    for rank, k in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[k] > alpha / (len(p) - rank):
            break
        rejected.add(k)
    return rejected


@pytest.mark.parametrize("seed", range(20))
def test_holm_rejects_as_its_definition_does(seed: int) -> None:
    p = np.random.default_rng(seed).random(7) ** 3
    for alpha in (0.01, 0.05, 0.2):
        assert set(np.flatnonzero(adjusted(p, "holm") <= alpha)) == holm_by_definition(p.tolist(), alpha)


@pytest.mark.parametrize("seed", range(20))
def test_bh_rejects_as_its_definition_does(seed: int) -> None:
    p = np.random.default_rng(seed).random(7) ** 3
    order = np.sort(p)
    below = np.flatnonzero(order <= 0.1 * np.arange(1, 8) / 7)
    limit = order[below[-1]] if len(below) else -1.0
    assert set(np.flatnonzero(adjusted(p, "bh") <= 0.1)) == set(np.flatnonzero(p <= limit))


def test_holm_keeps_the_family_error_under_all_nulls_and_none_corrected_does_not() -> None:
    p = np.random.default_rng(0).random((2000, 10))
    family = np.mean([(adjusted(row, "holm") <= 0.05).any() for row in p])
    assert family <= 0.05 + 3 * 0.005 and (p <= 0.05).any(axis=1).mean() > 0.3
    assert len(adjusted(np.array([]), "holm")) == 0


@pytest.fixture(scope="module")
def models() -> list[cg.Fingerprint]:
    """Three that are alike, and one that is far from them."""
    return [synthetic.fingerprint(name, 12, seed=k, shift=3.0 * (name == "far")) for k, name in
            enumerate(("one", "two", "three", "far"))]  # fmt: skip


def test_matrix_adjusts_over_pairs_and_keeps_what_compare_says_of_each(models: list[cg.Fingerprint]) -> None:
    found = cg.matrix(models, distance="procrustes", seed=3)
    assert list(found.pairs) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    alone = {ij: cg.compare(models[ij[0]], models[ij[1]], distance="procrustes", seed=3) for ij in found.pairs}
    raw = np.array([alone[ij].p_value for ij in found.pairs])
    for (ij, pair), p in zip(found.pairs.items(), adjusted(raw, "holm"), strict=True):
        assert pair.result.to_dict() == alone[ij].to_dict() and pair.p_different == pytest.approx(p)
        assert pair.distinguishable == (3 in ij) and pair.p_equivalent >= pair.result.p_equivalence
        assert pair.verdict in (alone[ij].verdict, "undecided")
        assert (pair.verdict == "equivalent") == (pair.p_equivalent <= 0.05)
    frame = found.to_dataframe()
    assert len(frame) == 6 and {"p_different_adjusted", "p_equivalent_adjusted", "verdict"} <= set(frame)
    screened = cg.matrix(models, distance="procrustes", correction="bh", seed=3)
    assert all(screened.pairs[ij].p_different <= found.pairs[ij].p_different for ij in found.pairs)  # type: ignore[operator]


def test_what_matrix_refuses(models: list[cg.Fingerprint]) -> None:
    with pytest.raises(InputError, match="matrix: 2 sides; pass at least three, or use compare for two"):
        cg.matrix(models[:2])
    with pytest.raises(InputError, match="matrix: the same fingerprint is there twice; pass each once"):
        cg.matrix([models[0], models[0], models[1]])
    with pytest.raises(UnknownNameError, match="no correction is named 'bonferroni'"):
        cg.matrix(models, correction="bonferroni")  # type: ignore[arg-type]
    with pytest.raises(NotComparableError, match="numbers of queries"):
        cg.matrix([*models[:2], synthetic.fingerprint("short", 12, m=20)])


def test_matrix_from_the_command_line(models: list[cg.Fingerprint], tmp_path: Path, run: Any) -> None:
    paths = [str(model.save(tmp_path / f"{model.model.name}.safetensors")) for model in models]
    code, out, _ = run("matrix", *paths, "--distance", "cka", "--json", "--quiet")
    assert code == 0 and len(json.loads(out)["pairs"]) == 6
    code, out, _ = run("matrix", *paths[1:], "--distance", "cka", "--screen", "--quiet")
    assert code == 0 and "p-values adjusted over 3 pairs (bh)" in out and "told apart" in out
    for k, model in enumerate(models[:3]):
        cg.Fingerprint.save(
            dataclasses.replace(model, model=dataclasses.replace(model.model, name="m")), tmp_path / f"m{k}.safetensors"
        )
    code, out, _ = run("matrix", *(tmp_path / f"m{k}.safetensors" for k in range(3)), "--distance", "cka", "--json")
    assert code == 0 and next((p["a"], p["b"]) for p in json.loads(out)["pairs"]) == ("m (1)", "m (2)")
    code, _, err = run("matrix", paths[0], "gpt2", paths[1])
    assert code == 2 and err.startswith("congruity: matrix: gpt2 is no fingerprint; make one with")


# ---------------------------------------------------------------------------------------------------- sequential looks


def test_far_sides_are_told_apart_at_the_first_look_and_its_p_counts_all_looks() -> None:
    a, b = synthetic.fingerprint("a", 64, seed=1), synthetic.fingerprint("b", 64, seed=2, shift=3.0)
    found = cg.compare(a, b, distance="cka", looks=LOOKS)
    first = cg.compare(a.take(np.arange(8), "a"), b.take(np.arange(8), "b"), distance="cka", alpha=0.05 / 4)
    assert found.provenance["looks"] == {"plan": [8, 16, 32, 64], "reached": 8, "level": 0.0125, "ended": "decided"}
    assert found.n == (8, 8) and found.p_value == pytest.approx(4 * first.p_value)  # type: ignore[operator]
    assert found.score == first.score and "looks at 8, 16, 32, 64; each look spent 0.0125" in found.reason


def test_looks_are_refused_for_several_kinds_of_implementations() -> None:
    sides = [synthetic.stratified(x, 8, seed=k) for k, x in enumerate("ab")]
    with pytest.raises(
        InputError, match=r"compare: looks decide on one kind .* both sides have 4 \(resample at KL 0.01"
    ):
        cg.compare(*sides, distance="cka", looks=(5, 8))
    assert cg.compare(sides[0], sides[1].reference, distance="cka", looks=(5, 8)).provenance["looks"]["plan"] == [5, 8]


def test_like_sides_are_equivalent_from_sixteen_on_and_no_earlier() -> None:
    a, b = synthetic.fingerprint("a", 64, seed=1), synthetic.fingerprint("b", 64, seed=2)
    found = cg.compare(a, b, distance="procrustes", looks=LOOKS, margin=0.7)
    assert found.provenance["looks"]["reached"] >= 16
    assert found.p_equivalence <= 0.05 or found.verdict != "equivalent"


def test_looks_end_where_fingerprints_do_and_say_so() -> None:
    a, b = synthetic.fingerprint("a", 20, seed=1), synthetic.fingerprint("b", 64, seed=2)
    found = cg.compare(a, b, distance="cka", looks=(8, 16, 32), margin=0.05)
    assert found.provenance["looks"]["reached"] == 16 and found.provenance["looks"]["ended"] == "not decided"
    assert "No more implementations were there: the plan goes to 32 a side." in found.reason


def test_what_looks_refuse() -> None:
    a, b = synthetic.fingerprint("a", 6, seed=1), synthetic.fingerprint("b", 64, seed=2)
    with pytest.raises(InputError, match="a fingerprint has 6 implementations and the first look needs 8; make it"):
        cg.compare(a, b, distance="cka", looks=LOOKS)
    bad_looks: list[Any] = [(8,), (4, 8), (8, 8), (16, 8), 8, ("a", "b"), (8.5, 16)]
    for bad in bad_looks:
        with pytest.raises(InputError, match="pass 2 to 10 increasing whole numbers from 5 on"):
            cg.compare(a, b, distance="cka", looks=bad)
    with pytest.raises(InputError, match=r"alpha is 0\.0005; pass a level for all looks between 0\.001 and 0\.2"):
        cg.compare(a, b, distance="cka", looks=LOOKS, alpha=0.0005)
    with pytest.raises(InputError, match="looks decide on one kind of implementations; pass one KL and one interv"):
        cg.compare("smollm2-135m", b, distance="cka", looks=LOOKS, budget=cg.Budget(kl=(0.01, 0.02)))
    with pytest.raises(InputError, match="looks set which implementations are used, and do not go with n, folds or"):
        cg.compare(a, b, distance="cka", looks=LOOKS, folds=2)


def test_all_looks_make_one_claim() -> None:
    a, b = synthetic.fingerprint("a", 64, seed=1), synthetic.fingerprint("b", 64, seed=2)
    found = cg.compare(a, b, distance="procrustes", looks=(40, 64))
    assert found.provenance["settings"]["margin"] == 0.5


def test_settings_are_refused_before_anything_is_measured() -> None:
    class Never(cg.distances.CKA):
        def table(self, grams: Any, labels: Any, *, progress: Any) -> Any:
            raise AssertionError("measured first")

    a, b = synthetic.fingerprint("a", 8, seed=1), synthetic.fingerprint("b", 8, seed=2)
    for bad in ({"alpha": 5.0}, {"margin": 9.0}, {"seed": -1}, {"folds": 100}, {"n": 50}):
        with pytest.raises(InputError):
            cg.compare(a, b, distance=Never(), **bad)  # type: ignore[arg-type]


def test_looks_add_no_errors() -> None:
    """Equal sides at four looks: 4 of 100 replicates may be told apart; looking at level .05 each time doubles it."""
    rng = np.random.default_rng(0)
    wrong = peeking = 0
    for _ in range(100):
        points = rng.standard_normal((2, 40, 3))
        ps = []
        for n in (5, 10, 20, 40):
            x = np.concatenate(points[:, :n])
            d = np.linalg.norm(x[:, None] - x[None], axis=2)
            ps.append(cg.estimate(d, [0] * n + [1] * n, n_permutations=199, n_bootstrap=99).p_value)
        wrong += min(ps) <= 0.05 / 4
        peeking += min(ps) <= 0.05
    assert wrong <= 10 and peeking > wrong


# ------------------------------------------------------------------------------------------------- known comparisons


def test_rank_among_counts_known_comparisons_beyond_and_short() -> None:
    near, far = [{"rho": 0.1}, {"rho": 0.5}, {"rho": 2.0}], [{"rho": 1.0}, {"rho": 6.0}]
    found = rank_among({"rho": 1.0}, equivalent=near, different=far)
    assert (found.p_equivalent, found.p_different) == (2 / 4, 2 / 3)
    assert found.sentence == (
        "rho = 1.00 lies beyond 2 of 3 known-equivalent comparisons (at most 2.00), and short of 1 of 2 "
        "known-different comparisons (at least 1.00)."
    )
    result = cg.compare(synthetic.fingerprint("a", 6, seed=1), synthetic.fingerprint("b", 6, seed=2), distance="cka")
    of_score = rank_among(result, equivalent=[result], different=[{"score": 0.1}], by="score")
    assert (of_score.p_equivalent, of_score.p_different) == (1.0, 0.5) and of_score.sentence.startswith("C = ")


def test_comparisons_in_other_units_have_no_order() -> None:
    def known(kl: float | None, by: str = "resample", distance: str = "cka") -> dict[str, Any]:
        near = None if kl is None else {"kl": kl, "intervention": by}
        return {"rho": 1.0, "closeness": near, "provenance": {"measure": distance}}

    a, b = (synthetic.stratified(x, 6, seed=k, kinds=(("resample", 0.01),)) for k, x in enumerate("ab"))
    result = cg.compare(a, b, distance="cka")
    for other, message in (
        (known(0.02), "the comparison has the kl 0.01 and a known one 0.02"),
        (known(0.01, "mean"), "the intervention resample and a known one mean"),
        (known(0.01, distance="procrustes"), "the distance cka and a known one procrustes"),
    ):
        for one in (result, json.loads(json.dumps(result.to_dict()))):
            with pytest.raises(InputError, match=message):
                rank_among(one, equivalent=[known(0.01)], different=[other])
    for other in (known(0.01), known(None), {"rho": 1.0}):
        assert rank_among(result, equivalent=[other], different=[]).equivalent == (1.0,)


def test_rank_p_values_among_exchangeable_comparisons_are_uniform_or_larger() -> None:
    rng = np.random.default_rng(0)
    p = [rank_among({"rho": x[0]}, equivalent=[{"rho": v} for v in x[1:]], different=[]).p_equivalent
         for x in rng.random((2000, 10))]  # fmt: skip
    for level in (0.1, 0.3, 0.5):
        assert np.mean(np.array(p) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 2000)


def test_what_rank_among_refuses() -> None:
    with pytest.raises(InputError, match="rank_among: no known comparison is given; pass at least one"):
        rank_among({"rho": 1.0}, equivalent=[], different=[])
    with pytest.raises(InputError, match="rank_among: a comparison has rho = None; pass results in which it is a n"):
        rank_among({"rho": 1.0}, equivalent=[{"score": 1.0}], different=[])
    for junk in ("x", [1], 3, None):  # whatever a JSON file holds
        with pytest.raises(InputError, match="rank_among: a comparison has rho = None"):
            rank_among(junk, equivalent=[junk], different=[])  # type: ignore[arg-type, list-item]
    with pytest.raises(UnknownNameError, match="no statistic is named 'p'"):
        rank_among({"rho": 1.0}, equivalent=[{"rho": 1.0}], different=[], by="p")  # type: ignore[arg-type]


def test_known_comparisons_from_the_command_line(tmp_path: Path, run: Any) -> None:
    a, b = (synthetic.fingerprint(x, 6, seed=k).save(tmp_path / f"{x}.safetensors") for k, x in enumerate("ab"))
    known = tmp_path / "known"
    assert run("compare", a, b, "--distance", "cka", "--out", known, "--quiet")[0] == 0
    code, out, _ = run("compare", a, b, "--distance", "cka", "--equivalent", known / "result.json", "--quiet")
    assert (
        code == 0 and "Among known comparisons: rho = " in out and "0 of 1 known-equivalent comparison (at most" in out
    )
    code, out, _ = run("compare", a, b, "--distance", "cka", "--different", known / "result.json", "--json", "--quiet")
    assert json.loads(out)["standing"]["p_different"] == 1.0
    code, _, err = run("compare", a, b, "--different", tmp_path / "none.json")
    assert code != 0 and err.endswith("none.json: no such file\n")
    code, _, err = run("compare", a, b, "--different", tmp_path)
    assert code != 0 and "cannot be read (Is a directory)" in err and "Traceback" not in err
    code, _, err = run("compare", a, b, "-n", 50)
    assert code == 2 and "n applies to models only, and both sides are fingerprints already" in err
