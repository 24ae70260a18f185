"""Compiled networks of the ground-truth benchmark: RASP programs, compiled by Tracr and disguised.

A disguise keeps the function and changes the weights: a rotation of the residual stream, an order of heads and neurons,
and inert heads, neurons and blocks, which read nothing of the program. Every network has a disguise of its own. Depth
and width are drawn from one range for all algorithms of a family.

The loudness l is the standard deviation of what inert parts write over that of the rest: inert parts carry l^2 times
the variance of the rest, over inputs, layers and positions together (at a single layer the share differs between
algorithms). The regimes are l = 1, 3 and 10.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity._base.optional import require
from congruity._base.progress import Progress
from congruity._base.streams import stream
from congruity.known.algorithms import REGISTRY
from congruity.known.inputs import inputs, pairs
from congruity.known.recorded import Make, Network

LOUDNESS = (1.0, 3.0, 10.0)
_SPARE = 4  # depth is drawn from the deepest program's to this much more
_EXTRA = 16  # dimensions of inert parts
_PAIRS = 32  # base and source inputs of the interchanges
_PADDING = 16  # width is drawn from the widest program's, inert parts included, to this much more


def regimes(seed: int, small: bool) -> dict[str, Make]:
    """Return the regimes by name; each yields its networks by ``make("choose" or "report", progress)``."""
    return {
        f"compiled, loudness {loudness:g}": functools.partial(_made, loudness, seed, small)
        for loudness in (LOUDNESS[:1] if small else LOUDNESS)
    }


def _made(loudness: float, seed: int, small: bool, half: str, progress: Progress) -> Iterator[Network]:
    count = {"choose": 4, "report": 4} if small else {"choose": 3, "report": 12}
    families = [family for family in REGISTRY if not small or family.name == "mode"]
    total, done = sum(len(family.algorithms) for family in families) * count[half], 0
    for family in families:
        n, tokens, swapped = family.length, inputs(family, seed, half), _thinned(*pairs(family, seed, half))
        plain = [_compiled(family.name, one.name, n) for one in family.algorithms]
        deepest, widest = max(len(w.layers) for w in plain), max(w.width for w in plain)
        for one, weights in zip(family.algorithms, plain, strict=True):
            for number in range(count[half]):
                progress(f"networks, loudness {loudness:g}, to {half}", done, total)
                done += 1
                name = f"{family.name}/{one.name}/{half}-{number}"
                random = stream(seed, "bench ground truth", name, loudness)
                make = {
                    "seed": int(random.integers(2**31)),
                    "blocks": deepest + int(random.integers(_SPARE + 1)) - len(weights.layers),
                    "extra": _EXTRA,
                    "padding": widest + int(random.integers(_PADDING + 1)) - weights.width,
                }
                yield _read((name, family.name, one.name), _disguise(weights, make, loudness, tokens), tokens, swapped)
    progress(f"networks, loudness {loudness:g}, to {half}", total, total)


@functools.cache
def _compiled(family: str, algorithm: str, n: int) -> Any:
    return require("congruity.known.networks.tracr", "congruity[models,rasp]", "compiled networks").compiled(
        family, algorithm, n
    )


def _disguise(weights: Any, make: dict[str, int], loudness: float, tokens: NDArray[np.int64]) -> Any:
    """Return a disguise whose inert parts carry ``loudness`` squared times the variance of the others.

    Inert parts write in proportion to their scale, orthogonally to everything else. Two runs, at scales 0 and 1, give
    both variances, and so the scale.
    """
    module = require("congruity.known.networks.compiled", "congruity[models]", "compiled networks")

    def made(scale: float) -> Any:
        return module.Compiled(module.disguised(weights, scale=scale, **make))

    silent, loud = (_variance(_reading().states(made(scale), tokens)) for scale in (0.0, 1.0))
    return made(loudness * float(np.sqrt(silent / (loud - silent))))


def _read(
    label: tuple[str, str, str],
    network: Any,
    tokens: NDArray[np.int64],
    swapped: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Network:
    reading = _reading()
    answers = reading.answers(network, tokens).reshape(len(tokens), -1)
    responses = {"parts": reading.responses(network, *swapped)}
    return Network(*label, reading.states(network, tokens), answers=answers, responses=responses)


def _reading() -> Any:
    return require("congruity.known.networks.compiled_reading", "congruity[models]", "compiled networks")


def _thinned(base: NDArray[np.int64], source: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows = np.linspace(0, len(base) - 1, _PAIRS).astype(int)
    return base[rows], source[rows]


def _variance(states: NDArray[np.float64]) -> float:
    centred = states - states.mean(axis=1, keepdims=True)
    return float(np.square(centred, dtype=np.float64).sum())
