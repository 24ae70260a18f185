"""Implementations from changed weights, on a tiny trained language model in a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from congruity._base.streams import stream
from congruity.errors import InputError
from congruity.interventions import Resample
from congruity.sampling import weight_copies as copies
from congruity.sampling.prepare import split
from congruity.sampling.weight_copies import fingerprint_of_copies
from congruity.values import Fingerprint, Stratum

torch = pytest.importorskip("torch", reason="the light layer runs without PyTorch")
tiny = pytest.importorskip("tiny", reason="needs transformers, of the models extra")
TASK, RESAMPLE = tiny.Words(32), Resample()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("models") / "words"
    tiny.trained().save_pretrained(path)
    tiny.tokenizer().save_pretrained(path)
    return str(path)


@pytest.fixture(scope="module")
def made(folder: str) -> Fingerprint:
    return fingerprint_of_copies(TASK, folder, intervention=RESAMPLE, n=3, kl=0.005)


def test_noisy_copies_have_the_strength_that_was_asked_for(folder: str, made: Fingerprint) -> None:
    assert made.strata == (Stratum("weight-noise", 0.005),) and made.n == 3
    for item in made.admitted:
        assert item.tuned_kl == pytest.approx(0.005, rel=0.1) and 0 < item.edit.scale < 1
    assert len({item.edit.scale for item in made.admitted}) == 3, "each copy has a noise of its own"
    again = fingerprint_of_copies(TASK, folder, intervention=RESAMPLE, n=2, kl=0.005)
    assert [i.edit for i in again.admitted] == [i.edit for i in made.admitted[:2]]
    assert np.allclose(again.grams, made.grams[:2], atol=1e-7)
    assert np.abs(made.grams - made.clean_gram).max(axis=(1, 2)).min() > 1e-6
    first = made.admitted[0]
    number = int(stream(0, "copies", made.model.digest, "noise", 0).integers(1, 2**31))
    model: Any = tiny.load_model(f"{folder}+noise={first.edit.scale!r}:{number}", device="cpu")
    plain = next(model.bind(TASK.examples(), RESAMPLE).run([None]))
    rows = split(TASK.examples().ids, 0).report
    assert plain.logit_difference[rows].mean() == pytest.approx(first.behaviour.logit_difference, rel=1e-6)


def test_copies_of_another_seed_have_another_noise(folder: str, made: Fingerprint) -> None:
    other = fingerprint_of_copies(TASK, folder, intervention=RESAMPLE, n=2, kl=0.005, seed=1)
    moved = [(gram - side.clean_gram).ravel() for side in (made, other) for gram in side.grams]
    assert np.abs(np.corrcoef(moved) - np.eye(5)).max() < 0.9


@pytest.mark.parametrize("kind", ["permute", "rotate"])
def test_reparametrised_copies_are_the_model_itself(folder: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded_digests: list[str] = []
    original = copies.loaded

    def spied(source: Any) -> Any:
        model = original(source)
        weights = [p.detach().double().cpu().numpy().tobytes() for p in model._module.parameters()]
        loaded_digests.append(hashlib.sha256(b"".join(weights)).hexdigest())  # a permutation of few heads may be none
        return model

    monkeypatch.setattr(copies, "loaded", spied)
    made = fingerprint_of_copies(TASK, folder, intervention=RESAMPLE, kind=kind, n=2)
    assert all(item.behaviour.kl < 1e-6 for item in made.admitted) and made.strata == (Stratum(f"weight-{kind}", None),)
    assert np.abs(made.grams - made.clean_gram).max() < 1e-5 * np.abs(made.clean_gram).max()
    assert len({digest for digest in loaded_digests}) >= 3, "the model and two copies, all of other weights"


def test_what_copies_refuse(folder: str) -> None:
    with pytest.raises(InputError, match="kind is 'luck'; choose from noise, permute, rotate"):
        fingerprint_of_copies(TASK, folder, intervention=RESAMPLE, kind="luck")
    with pytest.raises(InputError, match="kl = -1 must be"):
        fingerprint_of_copies(TASK, folder, intervention=RESAMPLE, kl=-1)
    with pytest.raises(InputError, match="is a changed copy already"):
        fingerprint_of_copies(TASK, f"{folder}+rtn=8", intervention=RESAMPLE)
    with pytest.raises(InputError, match="n = 1 implementations"):
        fingerprint_of_copies(TASK, folder, intervention=RESAMPLE, n=1)
