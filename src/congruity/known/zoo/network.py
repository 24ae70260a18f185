"""Several small transformers in one set of tensors, so that they run and train together; interchanges of their nodes.

All tensors have a leading axis of K networks. A block is RMS norm, bidirectional attention, RMS norm, MLP (ReLU), both
added to the residual stream; a last norm and a matrix read the answers. The sum of the K losses trains K networks as if
each were alone: no number of one reaches another, and a network that diverges spoils no other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from congruity.known.zoo.layout import Node, Shape

Through = Callable[[int, "int | slice", Tensor], Tensor]  # layer, part, its activations -> what takes their place


@dataclass(frozen=True)
class NodeInterchange:
    """An interchange intervention inside one batch: nodes of the last rows take their values from rows in front.

    Gradients flow through both runs, which training by interchanges needs.

    Attributes:
        nodes: (networks, layers, parts, positions, edited rows), True where a node is replaced.
        source: (edited rows,) index of each one's source among the rows in front.
    """

    nodes: Tensor
    source: Tensor

    def __call__(self, layer: int, part: int | slice, values: Tensor) -> Tensor:
        """Return the activations of a part (networks, ..., positions, rows) with the interchange made."""
        free = values.shape[-1] - len(self.source)
        nodes = self.nodes[:, layer, part, None]
        edited = torch.where(nodes, values[..., self.source], values[..., free:])
        return torch.cat([values[..., :free], edited], dim=-1)


@dataclass(frozen=True)
class Activations:
    """Activations and logits of a run.

    Rows come last, so that products of small matrices run over them (2.4 times as fast on a CPU).

    Attributes:
        logits: (networks, classes, answering positions, rows).
        residual: (networks, width, positions, rows) after each block.
        heads: (networks, heads, head width, positions, rows) of each block, before they are projected.
        mlps: (networks, width, positions, rows) of each block.
    """

    logits: Tensor
    residual: Sequence[Tensor]
    heads: Sequence[Tensor]
    mlps: Sequence[Tensor]


class Networks(torch.nn.Module):
    """K networks of one shape for sequences of ``length`` tokens out of ``vocabulary``.

    Attributes:
        weights: all parameters by name, each with a leading axis of K networks.
    """

    bos: Tensor

    def __init__(
        self, seeds: Sequence[int], shape: Shape, *, vocabulary: int, length: int, classes: int, answers: Sequence[int]
    ) -> None:
        super().__init__()
        self.seeds, self.shape, self.length, self.answers = tuple(seeds), shape, length, list(answers)
        wide, k = shape.heads * shape.head_width, len(seeds)
        d, m = shape.width, shape.neurons
        sizes: dict[str, tuple[tuple[int, ...], float]] = {
            "tokens": ((d, vocabulary + 1), 1.0),
            "positions": ((d, length + 1), 1.0),
            "read": ((classes, d), 1 / math.sqrt(d)),
        }
        for layer in range(shape.layers):
            sizes |= {
                f"qkv_{layer}": ((3 * wide, d), 1 / math.sqrt(d)),
                f"out_{layer}": ((d, wide), 1 / math.sqrt(wide)),
                f"in_{layer}": ((m, d), math.sqrt(2 / d)),
                f"after_{layer}": ((d, m), 1 / math.sqrt(m)),
            }
        self.weights = torch.nn.ParameterDict()
        generators = [np.random.default_rng(seed) for seed in seeds]
        for name, (size, scale) in sizes.items():
            drawn = np.stack([generator.normal(scale=scale, size=size) for generator in generators])
            self.weights[name] = torch.tensor(drawn, dtype=torch.float32)
        for layer in range(shape.layers):
            self.weights[f"bias_{layer}"] = torch.zeros(k, m, 1)
            self.weights[f"norms_{layer}"] = torch.ones(k, 2, d)
        self.weights["norm"] = torch.ones(k, d)
        self.register_buffer("bos", torch.tensor(vocabulary), persistent=False)

    def forward(self, tokens: Tensor, through: Through | None = None) -> Activations:
        """Return what K networks give for tokens (rows, length).

        Args:
            tokens: inputs.
            through: is given what the heads of a layer (all as a slice) and its MLP (by number) compute, and returns
                what takes its place, such as a `NodeInterchange`; None changes nothing.
        """
        k, rows, shape, places = len(self.seeds), len(tokens), self.shape, self.length + 1
        tokens = torch.cat([self.bos.expand(1, rows), tokens.T])  # (positions, rows)
        residual = (
            self.weights["tokens"][:, :, tokens] + self.weights["positions"][..., None]
        )  # (K, width, positions, rows)
        residuals, heads, mlps = [], [], []
        for layer in range(shape.layers):
            get = {name: self.weights[f"{name}_{layer}"] for name in ("qkv", "out", "in", "after", "bias", "norms")}
            flat = _normed(residual, get["norms"][:, 0]).flatten(2)  # (K, width, positions * rows)
            qkv = (get["qkv"] @ flat).view(k, 3, shape.heads, shape.head_width, places, rows)
            z = _attention(*qkv.unbind(1))  # (K, heads, head width, positions, rows)
            if through is not None:
                z = through(layer, slice(shape.heads), z)
            residual = residual + (get["out"] @ z.flatten(1, 2).flatten(2)).view(residual.shape)
            flat = _normed(residual, get["norms"][:, 1]).flatten(2)
            hidden = functional.relu(get["in"] @ flat + get["bias"])
            mlp = (get["after"] @ hidden).view(residual.shape)
            if through is not None:
                mlp = through(layer, shape.heads, mlp)
            residual = residual + mlp
            residuals.append(residual)
            heads.append(z)
            mlps.append(mlp)
        last = _normed(residual[:, :, self.answers], self.weights["norm"]).flatten(2)
        return Activations((self.weights["read"] @ last).view(k, -1, len(self.answers), rows), residuals, heads, mlps)

    def only(self, rows: Sequence[int]) -> Networks:
        """Return some of the networks, with copies of their weights."""
        found = Networks(
            [self.seeds[row] for row in rows],
            self.shape,
            vocabulary=int(self.bos),
            length=self.length,
            classes=self.weights["read"].shape[1],
            answers=self.answers,
        )
        for name, part in self.weights.items():
            found.weights[name].data = part.detach()[list(rows)]
        return found

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.bos.device

    def node(self, found: Activations, network: int, node: Node) -> Tensor:
        """Return what one node of one network adds to the residual stream, (width, rows)."""
        if node.part == self.shape.heads:
            return found.mlps[node.layer][network, :, node.position]
        start = node.part * self.shape.head_width
        out: Tensor = self.weights[f"out_{node.layer}"][network, :, start : start + self.shape.head_width]
        return out @ found.heads[node.layer][network, node.part, :, node.position]


def _attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    scores = (query[..., None, :] * key[..., None, :, :]).sum(dim=2) / math.sqrt(query.shape[2])
    return (scores.softmax(dim=3)[:, :, None] * value[..., None, :, :]).sum(dim=4)


def _normed(residual: Tensor, gain: Tensor) -> Tensor:
    size = residual.square().mean(dim=1, keepdim=True)
    return residual * torch.rsqrt(size + 1e-6) * gain[:, :, None, None]
