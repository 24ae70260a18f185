"""Which networks a zoo has: algorithms, how many of each, in which shapes, trained how. A zoo is a list of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from congruity.algorithms import by_name
from congruity.errors import InputError, UnknownNameError
from congruity.zoo.gates import Gates
from congruity.zoo.layout import Shape
from congruity.zoo.training import Recipe

SHAPES = (Shape(4, 32, 4, 8, 64), Shape(5, 32, 4, 8, 64), Shape(5, 28, 4, 8, 80), Shape(6, 28, 4, 8, 64))
KINDS = (2, 3)  # kinds of variables, in turn: as many networks of each algorithm have either


@dataclass(frozen=True)
class Way:
    """A way to train: the recipe's changes, and the gates that networks so trained are held to."""

    name: str
    summary: str
    interchange: bool
    readout: bool
    needed: Gates


WAYS: tuple[Way, ...] = (
    Way("values", "interchanges, and values read off their nodes", True, True, Gates(0.99, 0.9, 0.98, 0.95)),
    Way("labels", "interchanges alone: nothing forces the values themselves", True, False, Gates(0.99, 0.9, 0.98, 0.0)),
    Way("plain", "answers alone: whatever a network learns by itself", False, False, Gates(0.99, 0.0, 0.0, 0.0)),
)


@dataclass(frozen=True)
class Job:
    """Networks that are trained together: one algorithm, shape and number of kinds of variables; layouts differ."""

    family: str
    algorithm: str
    shape: Shape
    kinds: int
    count: int
    seed: int
    way: str
    recipe: Recipe

    @property
    def name(self) -> str:
        """Unique in its zoo, and fit for a file's name."""
        return f"{self.family}-{self.algorithm}-{self.shape.layers}x{self.shape.width}-{self.kinds}-{self.seed}"


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
    recipe: Recipe

    def jobs(self, way: str, seed: int) -> Iterator[Job]:
        """Yield the jobs of a zoo trained ``way``.

        Raises:
            UnknownNameError: no such way.
        """
        how = {one.name: one for one in WAYS}
        if way not in how:
            raise UnknownNameError("way to train", way, how)
        chosen = how[way]
        recipe = replace(
            self.recipe,
            interchange=self.recipe.interchange if chosen.interchange else 0.0,
            readout=self.recipe.readout if chosen.readout else 0.0,
        )
        for family, algorithm in self.algorithms:
            for index in range(self.rounds * len(self.shapes)):
                shape, kinds = self.shapes[index % len(self.shapes)], KINDS[index % len(KINDS)]
                yield Job(family, algorithm, shape, kinds, self.together, seed * 1000 + index, way, recipe)


_PERMUTATION = tuple(("permutation", one.name) for one in by_name("permutation").algorithms)
_ALL = _PERMUTATION + tuple((f, one.name) for f in ("sorting", "mode") for one in by_name(f).algorithms)
REGISTRY: tuple[Preset, ...] = (
    Preset(
        "smoke",
        "two algorithms, two networks each: does it run?",
        _PERMUTATION[-2:],
        SHAPES[:1],
        2,
        1,
        Recipe(steps=40),
    ),
    Preset("default", "six algorithms, 20 networks each: a quarter of an hour", _PERMUTATION, SHAPES, 5, 1, Recipe()),
    Preset(
        "thorough",
        "all families, 40 networks an algorithm, longer training: hours",
        _ALL,
        (SHAPES[3], Shape(6, 32, 4, 8, 64)),
        5,
        4,
        Recipe(steps=1200, batch=96),
    ),
)


def by_preset(name: str) -> Preset:
    """Return the preset of that name; raise `UnknownNameError` if there is none."""
    found = {one.name: one for one in REGISTRY}
    if name not in found:
        raise UnknownNameError("zoo", name, found)
    return found[name]


def needed(way: str) -> Gates:
    """Return the gates that networks trained ``way`` are held to."""
    found = {one.name: one.needed for one in WAYS}
    if way not in found:
        raise InputError(f"no way to train is named {way!r}; known: {', '.join(found)}")
    return found[way]
