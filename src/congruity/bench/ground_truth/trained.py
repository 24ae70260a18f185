"""Trained networks of the ground-truth benchmark: those of `congruity.known.zoo`, and attacks on measures.

    values    trained on interchanges and on variables that can be read off their nodes: the algorithm is a fact
    labels    trained on interchanges alone
    plain     trained on answers alone. The labels mean nothing, and every area should be 1/2
    bent      networks of "values" under a non-linear reparametrisation: a random invertible map of every layer. The
              responses to interchanges stay the same
    mimics    impostors by representation matching: networks of two shapes that were also trained to be mapped linearly
              to the residual streams of a network of "values" of another algorithm, their target. Is a mimic closer to
              networks of its algorithm than to its target? No other pairs are compared

The first two fifths of each job choose and the others report, so that both have each shape equally often. Networks that
fail their gates are left out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity._base.arrays import Floats
from congruity._base.engine import cores, each
from congruity._base.optional import require
from congruity._base.progress import Progress
from congruity._base.streams import stream
from congruity.known.algorithms import by_name
from congruity.known.inputs import inputs, pairs
from congruity.known.recorded import Make, Network

_BINS = 4
_POWER = 3.0


def regimes(seed: int, small: bool) -> dict[str, Make]:
    """Return the regimes by name; networks that are not in the cache are trained when a regime is made."""
    zoos = _Zoos(seed, small)
    ways = ("values",) if small else ("values", "labels", "plain")
    found: dict[str, Make] = {f"trained, {way}": functools.partial(zoos.made, way) for way in ways}
    found["trained, bent"] = zoos.bent
    if not small:
        found["trained, mimics"] = zoos.with_mimics
    return found


class _Zoos:
    """The zoos of one seed; each is read once."""

    def __init__(self, seed: int, small: bool) -> None:
        self._seed, self._small = seed, small
        self._read: dict[tuple[str, str], list[Network]] = {}

    def made(self, way: str, half: str, progress: Progress) -> Iterator[Network]:
        """Yield the networks of a half that were trained ``way`` and pass their gates; all networks, if small."""
        if (way, half) not in self._read:
            self._read[way, half] = self._made(way, half, progress)
        yield from self._read[way, half]

    def bent(self, half: str, progress: Progress) -> Iterator[Network]:
        """Yield the networks of "values" with every layer reparametrised."""
        for network in self.made("values", half, progress):
            random = stream(self._seed, "bench ground truth", "bent", network.name)
            yield replace(network, states=np.stack([bent(state, random) for state in network.states]))

    def with_mimics(self, half: str, progress: Progress) -> Iterator[Network]:
        """Yield the networks of "values" of the mimics' shapes, which include the targets, and then the mimics."""
        mimics = list(self.made("mimics", half, progress))
        jobs = {network.target.rpartition("-")[0] for network in mimics}
        yield from (network for network in self.made("values", half, progress) if network.job in jobs)
        yield from mimics

    def _made(self, way: str, half: str, progress: Progress) -> list[Network]:
        zoo = require("congruity.known.zoo", "congruity[models]", "the zoo")
        preset = zoo.by_preset("smoke" if self._small else "default")
        zoo.train_zoo(preset, way, seed=self._seed, processes=cores(), progress=progress)
        batches = list(zoo.load_zoo(preset, way, seed=self._seed))
        found = each(
            functools.partial(_read, seed=self._seed, half=half, every=self._small),
            batches,
            where="here" if self._small else "processes",
            done=lambda count: progress(f"networks, {way}, to {half}", count, len(batches)),
        )
        return [network for part in found for network in part]


def _read(batch: Any, *, seed: int, half: str, every: bool) -> list[Network]:
    """Return the networks of a job in this half that pass their gates; with ``every``, all networks in this half."""
    reading = require("congruity.known.zoo.reading", "congruity[models]", "the zoo")
    job, family = batch.job, by_name(batch.job.family)
    split = 2 * job.count // 5
    mine = [k for k in range(job.count) if (k < split) == (half == "choose") and (every or batch.passed[k])]
    if not mine:
        return []
    networks = batch.networks.only(mine)
    tokens, (base, source) = inputs(family, seed, half), pairs(family, seed, half)
    states, answers = reading.states(networks, tokens)
    swapped = {
        name: reading.responses(networks, base, source, whole_parts=name == "parts") for name in ("nodes", "parts")
    }
    return [
        Network(
            f"{job.name}-{k}",
            job.family,
            job.algorithm,
            states[row],
            answers=answers[row].reshape(len(tokens), -1),
            responses={name: found[row] for name, found in swapped.items()},
            layout=_profile(batch.layouts[k], job.shape) if job.recipe.interchange else None,
            job=job.name,
            target=f"{job.target.name}-{k}" if job.target else "",
        )
        for row, k in enumerate(mine)
    ]


def _profile(layout: Any, shape: Any) -> NDArray[np.float64]:
    """Return the layout (9,): variables in heads and in MLPs by quarters of the depth, and where the answers begin."""
    found = np.zeros((2, _BINS))
    for node in layout.nodes.values():
        found[int(node.part == shape.heads), node.layer * _BINS // shape.layers] += 1
    return np.append(found.ravel(), 4.0 * layout.answer / shape.layers)


def bent(state: Floats, random: np.random.Generator) -> Floats:
    """Return a layer under a random non-linear reparametrisation, which is invertible.

    z = principal components at unit variance, rotated; each axis becomes sign(z) |z|^p with p between 1/3 and 3; the
    result is rotated and scaled back. With p = 1 it is the layer itself.

    Args:
        state: (..., width).
        random: of the rotation and the exponents.
    """
    flat = np.asarray(state, dtype=np.float64).reshape(-1, state.shape[-1])
    mean = flat.mean(axis=0)
    _, sizes, axes = np.linalg.svd(flat - mean, full_matrices=False)
    scale = np.maximum(sizes / np.sqrt(len(flat)), 1e-6 * sizes[0])
    turn = np.linalg.qr(random.normal(size=(len(scale), len(scale))))[0]
    z = ((flat - mean) @ axes.T / scale) @ turn
    curved = np.sign(z) * np.abs(z) ** (_POWER ** random.uniform(-1, 1, size=z.shape[1]))
    back = (curved @ turn.T * scale) @ axes + mean
    return np.asarray(back.reshape(state.shape), dtype=np.float32)
