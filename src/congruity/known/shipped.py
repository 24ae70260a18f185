"""The default zoo's networks as they come with the package: recorded readings and responses, without weights.

For each network the file holds two things: for three readings, the principal components of every second input in half
precision, which are the representation up to a rotation; and the changes of the answers under interchanges of the nodes
of largest effect, for a third of the pairs. Each half of the networks is seen on its own inputs, as in the whole
benchmark. Any function of two representations can be tried on them in seconds. Numbers for a paper are those of the
whole benchmark.

The file is made by ``python benchmarks/ship.py`` from a trained zoo.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.progress import Progress
from congruity.errors import StoreError
from congruity.known.recorded import RECIPE, Make, Network, Reading

READINGS: tuple[Reading, ...] = (("all layers", "tokens"), RECIPE, ("last layer", "last token"))
_NAME = "default_zoo.npz"
_NODES = 40
_INPUTS = slice(None, None, 2)
PAIRS = slice(None, None, 3)  # of `known_inputs.pairs`, on which responses are kept


@dataclass(frozen=True)
class Packed(Network):
    """A network of which some readings were kept, each up to a rotation of its features.

    Attributes:
        kept: for each of ``READINGS`` an array (inputs, features).
        blocks, dimensions: depth and width.
    """

    kept: tuple[Floats, ...] = ()
    blocks: int = 0
    dimensions: int = 0
    states: Floats = field(default_factory=lambda: np.zeros((0, 0, 0, 0)))

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return self.blocks

    @property
    def width(self) -> int:
        """Width of the residual stream."""
        return self.dimensions

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The ways in which it can be read."""
        return READINGS

    def read(self, layers: str, pooling: str) -> Iterable[Floats]:
        """Yield (samples, features) of a reading, all its layers in one."""
        yield self.kept[READINGS.index((layers, pooling))]


def pack(choose: Sequence[Network], report: Sequence[Network]) -> bytes:
    """Return the file for networks of both halves."""
    networks = [*choose, *report]
    header = [
        {
            "name": n.name,
            "family": n.family,
            "algorithm": n.algorithm,
            "half": "choose" if i < len(choose) else "report",
            "depth": n.depth,
            "width": n.width,
            "layout": None if n.layout is None else np.asarray(n.layout).tolist(),
        }
        for i, n in enumerate(networks)
    ]
    reprs = np.stack([_components(n) for n in networks])  # (networks, readings, inputs, components)
    scales = np.abs(reprs).max(axis=2).clip(min=1e-30)
    arrays = {
        "reprs": (reprs / scales[:, :, None]).astype(np.float16),
        "scales": scales.astype(np.float32),
        "responses": np.stack([_largest(n) for n in networks]).astype(np.float16),
        "answers": np.stack([np.asarray(n.answers)[_INPUTS] for n in networks]).astype(np.float16),
        "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def unpack(content: bytes, half: str) -> Iterator[Packed]:
    """Yield the networks of a half, "choose" or "report".

    Raises:
        StoreError: a file that is damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            arrays = {name: found[name] for name in ("reprs", "scales", "responses", "answers", "header")}
        header: list[dict[str, Any]] = json.loads(arrays["header"].tobytes())
    except Exception as error:  # zip, zlib, NumPy and JSON each have their own
        raise StoreError(f"{_NAME}: not the whole file ({error}); install the package again") from None
    for i, of in enumerate(header):
        if of["half"] != half:
            continue
        reprs = arrays["reprs"][i].astype(np.float64) * arrays["scales"][i][:, None]
        responses = arrays["responses"][i].astype(np.float32)
        yield Packed(
            of["name"],
            of["family"],
            of["algorithm"],
            answers=arrays["answers"][i].astype(np.float64),
            responses={"nodes": responses},
            layout=None if of["layout"] is None else np.array(of["layout"]),
            kept=tuple(reprs),
            blocks=of["depth"],
            dimensions=of["width"],
        )


def regimes() -> dict[str, Make]:
    """Return what makes the networks that come with the package."""
    return {"trained, values": _made}


def _made(half: str, progress: Progress) -> Iterator[Network]:
    path = files("congruity.known") / _NAME
    if not path.is_file():
        raise StoreError(f"{_NAME} is not there; install the package again, or make it: python benchmarks/ship.py")
    yield from unpack(path.read_bytes(), half)


def _components(network: Network) -> Floats:
    """Return (readings, inputs kept, components): the centred representation of each reading, turned to its axes."""
    found = []
    for reading in READINGS:
        x = np.concatenate([np.asarray(part, dtype=np.float64)[_INPUTS] for part in network.read(*reading)], axis=1)
        left, sizes, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
        turned = left * np.where(sizes > 1e-6 * sizes[0], sizes, 0.0)
        found.append(np.pad(turned, ((0, 0), (0, len(x) - turned.shape[1]))))
    return np.stack(found)


def _largest(network: Network) -> Floats:
    """Return (nodes, pairs kept * answers * classes) of the largest effects."""
    changes = np.asarray(network.responses["nodes"])
    pairs = len(np.asarray(network.answers)) * 2  # each input twice, once with any other and once with a near one
    thinned = changes.reshape(len(changes), pairs, -1)[:, PAIRS].reshape(len(changes), -1)
    order = np.argsort(-np.linalg.norm(thinned, axis=1), kind="stable")[:_NODES]
    return np.asarray(thinned[order])
