"""The cache of fingerprints and tables: a key changes when anything changes that it stands for, and else not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import congruity as cg
import synthetic
from congruity import cached, finders, interventions
from congruity.cached import Runner
from congruity.protocols import Task
from congruity.values import DistanceTable, Edit, Site

SIDES = synthetic.fingerprint("a", seed=1), synthetic.fingerprint("b", seed=2)
EDITS = [Edit((Site(0, "module", f"m{i}"),), "resample", scale) for i, scale in enumerate((1.0, 0.5, 0.25))]


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return the key of a fingerprint without making it."""

    def of(name: str = "m", *, task: Task | None = None, seed: int = 0, weights: str = "w", **options: Any) -> str:
        monkeypatch.setattr(Runner, "source_digest", lambda runner, name: weights)
        monkeypatch.setattr(Runner, "cached", lambda runner, kind, key, *rest: key)
        found: Any = Runner(task or cg.tasks.ioi(n=8), seed).fingerprint(name, **options)
        return str(found)

    return of


def test_every_option_of_a_fingerprint_is_in_its_key(key: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    noise, mean = interventions.Noise(), interventions.Mean()
    cases: list[dict[str, Any]] = [
        {}, {"name": "n"}, {"weights": "x"}, {"task": cg.tasks.ioi(n=9)}, {"task": cg.tasks.ioi(n=8, seed=1)},
        {"seed": 1}, {"n": 9}, {"finder": finders.Hybrid()}, {"finder": finders.Hybrid(keep=0.3)},
        {"finder": finders.Random()}, {"intervention": noise}, {"intervention": interventions.Noise(amount=2.0)},
        {"intervention": interventions.Noise(seed=1)}, {"intervention": [noise, mean]},
        {"intervention": [mean, noise]}, {"budget": cg.Budget(kl=0.02)}, {"budget": cg.Budget(kl=(0.01, 0.02))},
        {"budget": cg.Budget(by="scale")}, {"budget": cg.Budget(by="scale", share=0.4)},
        {"budget": cg.Budget(max_draws=4)}, {"budget": cg.Budget(tolerance=0.2)}, {"gates": cg.Gates(max_kl=0.2)},
        {"circuit": SIDES[0].circuit}, {"circuit": SIDES[1].circuit}, {"edits_of": SIDES[0]}, {"edits_of": EDITS},
        {"edits_of": EDITS[:2]}, {"edits_of": EDITS[::-1]}, {"edits_of": EDITS, "circuit": SIDES[0].circuit},
    ]  # fmt: skip
    keys = [key(**case) for case in cases]
    repeated = [case for place, case in enumerate(cases) if keys.index(keys[place]) != place]
    assert not repeated and keys == [key(**case) for case in cases]
    assert key(finder="attribution", intervention="resample", n=20, gates=None, budget=cg.Budget()) == keys[0]
    monkeypatch.setattr(cached, "versions", lambda: {"torch": "0"})
    assert key() != keys[0]
    monkeypatch.undo()
    monkeypatch.setattr(cached, "SCHEMA_VERSION", 99)
    assert key() != keys[0]


class Power:
    """Distances by one number, raised to a power that is stated and no field."""

    name = "power"
    traits = dataclasses.replace(cg.distances.Procrustes.traits, metric=False)

    def __init__(self, power: float) -> None:
        self.parameters = {"power": power}

    def table(self, grams: Any, labels: tuple[str, ...], *, progress: Any) -> DistanceTable:
        first = grams[:, 0, 0]
        return DistanceTable(self.name, np.abs(first[:, None] - first) ** self.parameters["power"], labels)


class Metric(Power):
    """The same, with other traits."""

    traits = cg.distances.Procrustes.traits


def test_everything_that_a_table_depends_on_is_in_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runner, "cached", lambda runner, kind, key, *rest: key)
    (a, b), runner = SIDES, Runner(cg.tasks.ioi(n=8))
    c, half = synthetic.fingerprint("a", seed=3), np.arange(15)
    asked: list[tuple[Any, ...]] = [
        (a, b, cg.distances.Ridge(), None), (b, a, cg.distances.Ridge(), None), (a, c, cg.distances.Ridge(), None),
        (a, b, cg.distances.Ridge(test_fraction=0.125), None), (a, b, cg.distances.Ridge(), half),
        (a, b, cg.distances.Ridge(), half + 1), (a, b, cg.distances.CKA(), None), (a, b, Power(1.0), None),
        (a, b, Power(2.0), None), (a, b, Metric(1.0), None),
    ]  # fmt: skip
    keys = [runner.table(*one, lambda *_: None) for one in asked]
    assert len(set(map(str, keys))) == len(keys)
    assert keys == [runner.table(*one, lambda *_: None) for one in asked]


def test_what_is_cached_is_read_and_damage_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONGRUITY_CACHE", str(tmp_path))
    made: list[DistanceTable] = []
    real = cached.distance_table

    def counted(*arguments: Any) -> DistanceTable:
        made.append(real(*arguments))
        return made[-1]

    monkeypatch.setattr(cached, "distance_table", counted)

    def ask(**options: Any) -> DistanceTable:
        runner = Runner(cg.tasks.ioi(n=8), **options)
        return runner.table(*SIDES, cg.distances.Procrustes(), None, lambda *_: None)

    first, again = ask(), ask()
    assert len(made) == 1 and np.array_equal(first.values, again.values) and again.traits == first.traits
    (path,) = (tmp_path / "tables").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-9])
    assert np.array_equal(ask().values, first.values) and len(made) == 2
    ask(use_cache=False)
    assert len(made) == 3
