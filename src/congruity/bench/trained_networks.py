"""Networks of the ground-truth benchmark that were trained: those of `congruity.zoo`, and attacks on measures.

    values    interchanges, and values read off their nodes: the algorithm as a fact
    labels    interchanges alone
    plain     answers alone, with the same labels, which here mean nothing: every area should be one half
    bent      those of "values", each seen through an invertible map of its own of every layer, which is not linear:
              the same networks to whoever intervenes
    mimics    of two shapes, those of "values", and as many networks of the same algorithms that were also trained to
              be mapped linearly to the residual streams of networks of another algorithm

Of each job the first two fifths choose and the others report, so that both have each shape alike. Networks that fail
their gates are left out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity._optional import require
from congruity._random import stream
from congruity.algorithms import by_name
from congruity.bench.known_inputs import inputs, pairs
from congruity.bench.network import Make, Network
from congruity.engine import cores
from congruity.protocols import Progress
from congruity.values import Floats

_BINS = 4


def regimes(seed: int, small: bool) -> dict[str, Make]:
    """Return what makes the networks of each regime; training them first, where the cache does not have them."""
    ways = ("values",) if small else ("values", "labels", "plain")
    found: dict[str, Make] = {f"trained, {way}": functools.partial(_made, way, seed, small) for way in ways}
    found["trained, bent"] = functools.partial(_bent, seed, small)
    if not small:
        found["trained, mimics"] = functools.partial(_with_mimics, seed)
    return found


def _made(way: str, seed: int, small: bool, half: str, progress: Progress) -> Iterator[Network]:
    zoo, reading = (require(f"congruity.{name}", "congruity[models]", "the zoo") for name in ("zoo", "zoo.reading"))
    preset = zoo.by_preset("smoke" if small else "default")
    zoo.train_zoo(preset, way, seed=seed, processes=cores(), progress=progress)
    jobs = sum(1 for _ in preset.jobs(way, seed))
    for done, batch in enumerate(zoo.load_zoo(preset, way, seed=seed)):
        progress(f"networks, {way}, to {half}", done, jobs)
        yield from _read(batch, reading, seed, half, kept=[True] * batch.job.count if small else batch.passed)
    progress(f"networks, {way}, to {half}", jobs, jobs)


def _with_mimics(seed: int, half: str, progress: Progress) -> Iterator[Network]:
    mimics = list(_made("mimics", seed, False, half, progress))
    jobs = {network.name.rpartition("-")[0] for network in mimics}  # a mimic and its plain fellow differ in the way
    for network in _made("values", seed, False, half, progress):
        if network.name.rpartition("-")[0] in jobs:
            yield network
    yield from (replace(network, name=f"mimic-{network.name}") for network in mimics)


def _read(batch: Any, reading: Any, seed: int, half: str, *, kept: list[bool]) -> Iterator[Network]:
    job, family = batch.job, by_name(batch.job.family)
    split = 2 * job.count // 5
    mine = range(split) if half == "choose" else range(split, job.count)
    tokens, (base, source) = inputs(family, seed, half), pairs(family, seed, half)
    states, answers = reading.states(batch.networks, tokens)
    swapped = {
        name: reading.responses(batch.networks, base, source, whole_parts=name == "parts")
        for name in ("nodes", "parts")
    }
    for k in mine:
        if kept[k]:
            yield Network(
                f"{job.name}-{k}",
                job.family,
                job.algorithm,
                states[k],
                answers=answers[k].reshape(len(tokens), -1),
                responses={name: found[k] for name, found in swapped.items()},
                layout=_profile(batch.layouts[k], job.shape) if batch.job.recipe.interchange else None,
            )


def _profile(layout: Any, shape: Any) -> NDArray[np.float64]:
    """Return how many variables heads and MLPs carry over depth, in four bins each, and where the answers begin."""
    found = np.zeros((2, _BINS))
    for node in layout.nodes.values():
        found[int(node.part == shape.heads), node.layer * _BINS // shape.layers] += 1
    return np.append(found.ravel(), 4.0 * layout.answer / shape.layers)


def _bent(seed: int, small: bool, half: str, progress: Progress) -> Iterator[Network]:
    for network in _made("values", seed, small, half, progress):
        random = stream(seed, "bench ground truth", "bent", network.name)
        yield replace(network, states=np.stack([bent(state, random) for state in network.states]))


def bent(state: Floats, random: np.random.Generator) -> Floats:
    """Return a layer under a random invertible map that is not linear: turned, sign(z) |z|^p by axis, turned back.

    p is between 1/3 and 3 for each axis, and axes are those of the principal components, of unit variance.
    """
    flat = np.asarray(state, dtype=np.float64).reshape(-1, state.shape[-1])
    flat = flat - flat.mean(axis=0)
    _, sizes, axes = np.linalg.svd(flat, full_matrices=False)
    scale = np.maximum(sizes / np.sqrt(len(flat)), 1e-6 * sizes[0])
    turn, back = (np.linalg.qr(random.normal(size=(len(scale), len(scale))))[0] for _ in range(2))
    z = (flat @ axes.T / scale) @ turn
    power = 3.0 ** random.uniform(-1, 1, size=z.shape[1])
    curved = np.sign(z) * np.abs(z) ** power
    return np.asarray((curved @ back).reshape(*state.shape[:-1], -1), dtype=np.float32)
