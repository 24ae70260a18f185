"""A family of algorithms: one function of a short sequence of tokens, and several ways to compute it."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity._base.registry import lookup
from congruity.theory import CausalModel

Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class Algorithm:
    """One way to compute a family's function.

    Attributes:
        name: short and unique in the family, such as ``parity``.
        summary: the algorithm in one line.
        causal: sequence length -> the algorithm as a causal model, from inputs ``x[0]``, ``x[1]``, ... to outputs.
        program: sequence length -> the same algorithm as a RASP program (needs ``congruity[rasp]``), whose output at
            a position is the family's.
    """

    name: str
    summary: str
    causal: Callable[[int], CausalModel]
    program: Callable[[int], Any]


@dataclass(frozen=True)
class Family:
    """A function with several algorithms.

    Attributes:
        name: such as ``permutation``.
        question: what is computed, in one line.
        length: of the sequences on which networks of the family are made and compared.
        vocabulary: sequence length -> how many tokens there are; they are 0, 1, 2, ...
        truth: tokens (queries, length) -> the answer at each position, (queries, length), written as plainly as can be.
        diagnostic: tokens (queries, length) -> (queries,) true for inputs on which a wrong algorithm would be caught;
            training and tests see more than their share of these.
        classes: sequence length -> how many answers a position has.
        algorithms: in order.
    """

    name: str
    question: str
    length: int
    vocabulary: Callable[[int], int]
    truth: Callable[[Tokens], Tokens]
    diagnostic: Callable[[Tokens], NDArray[np.bool_]]
    classes: Callable[[int], int]
    algorithms: tuple[Algorithm, ...]

    def algorithm(self, name: str) -> Algorithm:
        """Return the algorithm called ``name``; raise `UnknownNameError` if there is none."""
        return lookup(f"algorithm of {self.name}", name, self.algorithms)

    def every(self, n: int) -> Tokens:
        """Return all sequences of n tokens, (vocabulary ** n, n), the last token fastest."""
        return np.array(list(itertools.product(range(self.vocabulary(n)), repeat=n)), dtype=np.int64)


def inputs(tokens: Tokens) -> dict[str, Tokens]:
    """Return tokens (queries, n) as the inputs of a causal model."""
    return {place("x", i): tokens[:, i] for i in range(tokens.shape[1])}


def place(name: str, i: int) -> str:
    """Return the name of a variable that exists at each position, such as ``sorted[2]``."""
    return f"{name}[{i}]"


def places(name: str, n: int) -> tuple[str, ...]:
    """Return such names for positions 0 to n - 1."""
    return tuple(place(name, i) for i in range(n))


def program(family: str, name: str) -> Callable[[int], Any]:
    """Return what builds a program of ``FAMILY_rasp.py``, which is imported, and Tracr with it, when it is called."""

    def build(n: int) -> Any:
        return importlib.import_module(f"congruity.known.algorithms.{family}_rasp").PROGRAMS[name](n)

    return build
