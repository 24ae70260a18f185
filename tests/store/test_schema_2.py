"""Fingerprints of schema 2, written by the version before the record of sampling was typed, are still read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import congruity as cg
from congruity._base.artifact import contents
from congruity.comparison.alike import pair_of
from congruity.errors import StoreError
from congruity.values import Method, Stratum

OLD = Path(__file__).parent / "schema_2"


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Return a copy of the full file whose header went through ``change``."""
    text, arrays = contents(OLD / "full.safetensors")
    header = json.loads(text)
    change(header)
    save_file(arrays, path, metadata={"congruity": json.dumps(header)})
    return path


def test_everything_that_schema_2_recorded_is_read() -> None:
    old = cg.Fingerprint.load(OLD / "full.safetensors")
    assert old.n == 8 and len(old.implementations) == 8 and old.grams.shape == (8, 12, 12)
    assert old.strata == tuple(Stratum(how, kl) for how in ("resample", "mean") for kl in (0.005, 0.001))
    assert [str(site) for site in old.circuit.sites] == ["embed"] and old.circuit.evidence is not None
    assert old.circuit.evidence.curve == ((0, 0.0), (9, 1.0)) and len(old.checks) == 7
    how = old.sampling
    assert how.finder == Method("attribution", {}) and how.interventions == (Method("resample", {}), Method("mean", {}))
    assert how.budget == cg.Budget(kl=(0.005, 0.001, 50.0), by="scale") and how.gates == cg.Gates()
    assert (how.source, how.n, how.seed, how.min_accuracy) == ("edits", 2, 0, 0.75)
    assert (how.circuit, how.edits_of) == ("1" * 64, "0" * 64)
    assert how.skipped == {"resample at KL 0.005": {"1": ("embed",)}} and len(how.unreached) == 2
    assert how.given is None, "not recorded"


def test_what_schema_2_did_not_record_is_none_and_changes_no_verdict() -> None:
    sparse, copies = (cg.Fingerprint.load(OLD / f"{name}.safetensors") for name in ("sparse", "copies"))
    assert sparse.sampling.finder == Method("attribution", None) and sparse.sampling.budget is None
    assert copies.sampling.source == "weights" and copies.sampling.gates is None
    assert copies.sampling.strength_rule == {"tolerance": 0.1, "by": "scale"}
    assert not pair_of(copies, copies).mismatches and not pair_of(sparse, sparse).mismatches
    assert any("admitted through different gates" in line for line in pair_of(sparse, copies).mismatches)


@pytest.mark.parametrize("name", ["full", "sparse", "copies"])
def test_an_old_fingerprint_saved_again_is_a_new_file_of_the_same_fingerprint(name: str, tmp_path: Path) -> None:
    old = cg.Fingerprint.load(OLD / f"{name}.safetensors")
    again = cg.Fingerprint.load(old.save(tmp_path / "new.safetensors"))
    assert again.digest == old.digest and again.implementations == old.implementations
    assert again.sampling == old.sampling and np.array_equal(again.grams, old.grams)
    assert json.loads(contents(tmp_path / "new.safetensors")[0])["schema"] == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.update(accuracy=0.5),
        lambda h: h["settings"].update(seed=1),
        lambda h: h["settings"].update(note="unknown settings counted too"),
        lambda h: h["circuit"]["evidence"].update(cpr=0.0),
        lambda h: h["implementations"][0].update(scale=0.5),
        lambda h: h["sites"][0].update(layer=7),
        lambda h: h.pop("digest"),
    ],
)
def test_an_edited_old_file_is_refused_by_the_digest_of_its_schema(change: Any, tmp_path: Path) -> None:
    path = edited(tmp_path / "x.safetensors", change)
    with pytest.raises(StoreError, match="does not match its own digest, so it was edited"):
        cg.Fingerprint.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.pop("queries"), r"the fingerprint is damaged \('queries'\); make it again"),
        (lambda h: h["circuit"].update(pool=[99]), "the fingerprint is damaged"),
        (lambda h: h["settings"].update(budget={"kl": -1}), "must be a positive number of nats"),
        (lambda h: h.update(schema=1), "schema 1, this congruity reads schema 2 and 3; make the fingerprint again, or"),
        (lambda h: h.update(schema=4), "schema 4, this congruity reads schema 2 and 3; make the fingerprint again, or"),
        (lambda h: h.update(schema=3), "the fingerprint is damaged"),
    ],
)
def test_a_damaged_old_file_is_one_sentence(change: Any, message: str, tmp_path: Path) -> None:
    path = edited(tmp_path / "x.safetensors", change)
    with pytest.raises(StoreError, match=message) as error:
        cg.Fingerprint.load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
