"""Stages in isolation: the split, section search for a circuit, and Gram matrices from recorded layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import congruity as cg
import synthetic
from congruity._base.progress import silent
from congruity.errors import NotApplicableError
from congruity.interventions import Resample
from congruity.sampling import circuit, prepare
from congruity.sampling.representation import represent
from congruity.values import Edit, Gates, Outputs, Queries, Scores, Site


@dataclasses.dataclass(frozen=True)
class Declared:
    """A finder of the user's own: the embedding first, which no registry knows."""

    name: str = "declared"
    parameters: Any = dataclasses.field(default_factory=dict)

    def scores(self, model: Any, bound: Any, rows: Any = None) -> Scores:
        n = len(model.sites)
        return Scores(self.name, model.sites, np.arange(n, 0, -1.0), np.zeros(n), len(rows))


# ----------------------------------------------------------------------------------------------------- circuits


@given(n=st.integers(8, 400), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_the_split_is_a_disjoint_partition(n: int, seed: int) -> None:
    ids = [f"p{i}" for i in range(n)]
    parts = prepare.split(ids, seed)
    assert sorted(np.concatenate([parts.rank, parts.choose, parts.report]).tolist()) == list(range(n))
    assert abs(len(parts.rank) - n / 2) <= 1 and min(len(parts.choose), len(parts.report)) >= n // 4
    order = np.random.default_rng(seed).permutation(n)
    moved = prepare.split([ids[i] for i in order], seed)
    assert sorted(order[moved.rank].tolist()) == parts.rank.tolist(), "a prompt's part does not depend on the order"
    assert sorted(order[moved.report].tolist()) == parts.report.tolist()


@dataclasses.dataclass
class Fake:
    """A bound model of 40 sites whose behaviour is a function of how many sites are kept."""

    kl: Callable[[int], float]
    total: int = 40
    flops: float = 0.0

    @property
    def sites(self) -> tuple[Site, ...]:
        return tuple(Site(i, "module", f"m{i}") for i in range(self.total))

    def run(self, edits: Sequence[Edit | None], *, rows: Any = None, read: bool = False) -> Iterator[Outputs]:
        for edit in edits:
            kept = self.total - (len(edit.sites) if edit else 0)
            yield Outputs(np.full(8, 3.0), np.full(8, self.kl(kept) if edit else 0.0))

    def find(self) -> cg.Circuit:
        parts = prepare.split([f"p{i}" for i in range(32)], 0)
        model: Any = dataclasses.make_dataclass("M", ["sites", "card"])(self.sites, synthetic.fingerprint("fake").model)
        unedited = Outputs(np.full(32, 3.0), np.zeros(32))
        prepared = prepare.PreparedModel(model, None, self, (), parts, unedited)  # type: ignore[arg-type]
        return circuit.find_circuit(
            prepared, finder=Declared(), intervention=Resample(), gates=Gates(), progress=silent
        )


@pytest.mark.parametrize("needed", [0, 1, 2, 5, 6, 7, 19, 34, 35, 36])
def test_section_search_finds_what_a_linear_scan_finds(needed: int) -> None:
    found = Fake(lambda kept: 0.05 if kept >= needed else 0.5).find()
    scan = next(k for k in range(41) if k >= needed)
    assert len(found.sites) == scan == needed
    passing = [k for k, b in found.curve if b.kl <= 0.1]
    assert min(passing) == needed and len(found.curve) <= 6 * 3
    assert [s.layer for s in found.pool] == list(range(needed, 40)), "the pool is the tail of the ranking"


def test_section_search_on_a_curve_with_a_bump_returns_a_size_that_passed_and_shows_every_size_tried() -> None:
    found = Fake(lambda kept: 0.05 if kept >= 20 or kept in (6, 7) else 0.5).find()
    tried = {k: b.kl <= 0.1 for k, b in found.curve}
    assert tried[len(found.sites)]
    assert all(ok for k, ok in tried.items() if k >= len(found.sites))


@pytest.mark.parametrize("needed", [37, 40])
def test_no_pool_left_is_not_applicable(needed: int) -> None:
    with pytest.raises(NotApplicableError, match="no component outside the circuit is left to edit"):
        Fake(lambda kept: 0.05 if kept >= needed else 0.5).find()


# ----------------------------------------------------------------------------------------------- representations


def layers(seed: int = 0, m: int = 7) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [scale * rng.normal(size=(m, width)) + 2 for width, scale in ((3, 1.0), (11, 50.0), (5, 1e-3))]


def gram_of(hidden: list[np.ndarray]) -> np.ndarray:
    queries = Queries("t", "", tuple(f"q{i}" for i in range(len(hidden[0]))))
    outputs = Outputs(
        np.zeros(len(hidden[0])), np.zeros(len(hidden[0])), tuple((f"l{i}", h) for i, h in enumerate(hidden))
    )
    return represent(outputs, queries, model="tiny").gram


def test_the_gram_matrix_is_that_of_all_layers_side_by_side_at_unit_norm() -> None:
    centred = [h - h.mean(axis=0) for h in layers()]
    together = np.concatenate([h / np.linalg.norm(h) for h in centred], axis=1) / np.sqrt(3)
    gram = gram_of(layers())
    assert np.allclose(gram, together @ together.T, rtol=1e-12, atol=1e-15)
    assert np.trace(gram) == pytest.approx(1.0) and np.array_equal(gram, gram.T)
    assert np.linalg.eigvalsh(gram)[0] > -1e-12 and np.allclose(gram.sum(axis=0), 0)


def test_the_gram_matrix_ignores_rotation_scale_and_shift_of_a_layer_but_not_its_content() -> None:
    rng, base = np.random.default_rng(1), gram_of(layers())
    for which in range(3):
        moved = layers()
        width = moved[which].shape[1]
        moved[which] = 7.5 * moved[which] @ np.linalg.qr(rng.normal(size=(width, width))).Q + rng.normal(size=width)
        assert np.allclose(gram_of(moved), base, atol=1e-12)
        moved[which] = moved[which] * np.linspace(1, 3, width)
        assert not np.allclose(gram_of(moved), base, atol=1e-3)


def test_a_constant_layer_represents_nothing() -> None:
    hidden = layers()
    hidden[1] = np.full_like(hidden[1], 3.7)
    with pytest.raises(NotApplicableError, match="tiny: layer l1 is constant over the 7 queries"):
        gram_of(hidden)
