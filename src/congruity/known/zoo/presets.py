"""Which networks a zoo has: algorithms, how many of each, in which shapes, trained how. A zoo is a list of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from congruity._base.registry import lookup
from congruity.known.algorithms import by_name
from congruity.known.zoo.criteria import Criteria
from congruity.known.zoo.layout import Shape
from congruity.known.zoo.training import TrainingRecipe

SHAPES = (Shape(4, 36, 4, 8, 64), Shape(5, 32, 4, 8, 64), Shape(5, 36, 4, 8, 80), Shape(6, 32, 4, 8, 64))
KINDS = (2, 3)  # kinds of variables, in turn: as many networks of each algorithm have either


@dataclass(frozen=True)
class Way:
    """A way to train: the losses beside the task's, and the criteria that networks so trained are held to."""

    name: str
    summary: str
    losses: tuple[str, ...]
    needed: Criteria


WAYS: tuple[Way, ...] = (
    Way(
        "values",
        "interchanges, and values read off their nodes",
        ("interchange", "readout"),
        Criteria(0.99, 0.9, 0.98, 0.95),
    ),
    Way(
        "labels",
        "interchanges alone: nothing forces the values themselves",
        ("interchange",),
        Criteria(0.99, 0.9, 0.98, 0.0),
    ),
    Way("plain", "answers alone: whatever a network learns by itself", (), Criteria(0.99, 0.0, 0.0, 0.0)),
    Way(
        "mimics",
        "as values, and its residual stream gives that of a network of the next algorithm by a linear map",
        ("interchange", "readout", "mimicry"),
        Criteria(0.99, 0.9, 0.98, 0.95, mimicry=0.8),
    ),
)
LOSSES = ("interchange", "readout", "mimicry")  # weights in a recipe; a way without one has it at 0


@dataclass(frozen=True)
class Job:
    """Networks that are trained together: one algorithm, shape and number of kinds of variables; layouts differ.

    Attributes:
        target: the job of the networks that these are to mimic, one each, or None.
    """

    family: str
    algorithm: str
    shape: Shape
    kinds: int
    count: int
    seed: int
    way: str
    recipe: TrainingRecipe
    target: Job | None = None

    @property
    def name(self) -> str:
        """Unique in its zoo, other than that of its target, and fit for a file's name."""
        size = f"{self.shape.layers}x{self.shape.width}-{self.kinds}"
        return f"{'mimic-' if self.target else ''}{self.family}-{self.algorithm}-{size}-{self.seed}"


@dataclass(frozen=True)
class Preset:
    """A zoo by name.

    Attributes:
        algorithms: family and algorithm of each part.
        shapes: each algorithm has networks of each of them, so that no shape tells an algorithm.
        together: how many networks a job has.
        rounds: how many jobs each algorithm and shape has.
        recipe: how they are trained.
    """

    name: str
    summary: str
    algorithms: tuple[tuple[str, str], ...]
    shapes: tuple[Shape, ...]
    together: int
    rounds: int
    recipe: TrainingRecipe

    def jobs(self, way: str, seed: int) -> Iterator[Job]:
        """Yield the jobs of a zoo trained ``way``.

        Raises:
            UnknownNameError: no such way.
        """
        many = self.rounds * len(self.shapes)
        for of in self.algorithms:
            for index in range(many // 2 if "mimicry" in _way(way).losses else many):
                yield self._job(way, seed, of, index)

    def _job(self, way: str, seed: int, of: tuple[str, str], index: int) -> Job:
        losses = _way(way).losses
        absent: dict[str, Any] = {name: 0.0 for name in LOSSES if name not in losses}
        recipe = replace(self.recipe, **absent)
        target = self._job("values", seed, self._next(of), index) if "mimicry" in losses else None
        shape, kinds = self.shapes[index % len(self.shapes)], KINDS[index % len(KINDS)]
        # a mimic must be no twin of the network that is trained like it, but for the mimicry
        own = seed * 1000 + index + (500 if target else 0)
        return Job(*of, shape, kinds, self.together, own, way, recipe, target)

    def _next(self, of: tuple[str, str]) -> tuple[str, str]:
        """Return the algorithm after one, in its family and this zoo."""
        family = [one for one in self.algorithms if one[0] == of[0]]
        return family[(family.index(of) + 1) % len(family)]


_PERMUTATION = tuple(("permutation", one.name) for one in by_name("permutation").algorithms)
_ALL = _PERMUTATION + tuple((f, one.name) for f in ("sorting", "mode") for one in by_name(f).algorithms)
REGISTRY: tuple[Preset, ...] = (
    Preset(
        "smoke",
        "two algorithms, eight networks each, hardly trained: does it run?",
        _PERMUTATION[-2:],
        SHAPES[:1],
        4,
        2,
        TrainingRecipe(steps=40),
    ),
    Preset(
        "default",
        "six algorithms, 20 networks each: a quarter of an hour",
        _PERMUTATION,
        SHAPES,
        5,
        1,
        TrainingRecipe(),
    ),
    Preset(
        "thorough",
        "all families, 40 networks an algorithm, longer training: hours",
        _ALL,
        (SHAPES[3], Shape(6, 40, 4, 8, 80)),
        5,
        4,
        TrainingRecipe(steps=1200, batch=96),
    ),
)


def by_preset(name: str) -> Preset:
    """Return the preset of that name; raise `UnknownNameError` if there is none."""
    return lookup("zoo", name, REGISTRY)


def needed(way: str) -> Criteria:
    """Return the criteria that networks trained ``way`` are held to."""
    return _way(way).needed


def _way(name: str) -> Way:
    return lookup("way to train", name, WAYS)
