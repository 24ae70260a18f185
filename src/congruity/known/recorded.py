"""Recorded networks: the residual streams, answers and responses that measures of the benchmark are given."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from congruity._base.arrays import Floats
from congruity._base.progress import Progress

Reading = tuple[str, ...]
READINGS: tuple[Reading, ...] = tuple(
    itertools.product(("all layers", "middle layer", "last layer"), ("tokens", "mean", "last token"))
)
RECIPE: Reading = ("all layers", "mean")  # the paper's


@dataclass(frozen=True)
class Network:
    """A network and what it does on the shared inputs.

    Attributes:
        name: unique.
        family, algorithm: its label; networks of different families are never compared.
        states: residual stream after every block, (layers, inputs, positions, width).
        answers: probabilities on the inputs, flattened to (inputs, answers * classes); None where not recorded.
        responses: by what was interchanged, "nodes" or "parts": changes of the answers, (interchanges, pairs * answers
            * classes).
        layout: how many variables each layer's heads and MLP carry, over depth, (bins,), and last where the answers
            begin; None for networks without a layout.
        job: networks of one job were trained on the same batches, and are never compared; "" where that is nothing.
        target: of an impostor, the name of the network of another algorithm whose representations it matches.
    """

    name: str
    family: str
    algorithm: str
    states: Floats
    answers: Floats | None = None
    responses: Mapping[str, Floats] = field(default_factory=dict)
    layout: Floats | None = None
    job: str = ""
    target: str = ""

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.states)

    @property
    def width(self) -> int:
        """Width of the residual stream."""
        return int(self.states.shape[-1])

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The ways in which it can be read."""
        return READINGS

    def read(self, layers: str, pooling: str) -> Iterable[Floats]:
        """Yield (samples, features) of each layer that a reading takes."""
        chosen = {"all layers": slice(None), "middle layer": slice((self.depth - 1) // 2, (self.depth + 1) // 2)}
        for state in self.states[chosen.get(layers, slice(-1, None))]:
            yield pooled(state, pooling)


def pooled(state: Floats, pooling: str) -> Floats:
    """Return (inputs, features) of a layer (inputs, positions, width): of each input one token, their mean, or one.

    "tokens": one position of each input, in turn. "mean": over positions. "last token": the last position.
    """
    if pooling == "tokens":
        rows = range(state.shape[0])
        found: Floats = state[rows, [row % state.shape[1] for row in rows]]
        return found
    return state.mean(axis=1) if pooling == "mean" else state[:, -1]


Make = Callable[[str, Progress], Iterator[Network]]  # "choose" or "report" -> these networks of a regime
