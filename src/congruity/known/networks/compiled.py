"""Small transformers from given weights, without normalisation: compiled RASP programs, and disguises of them.

A disguise computes the same function with other weights: the residual stream is widened and rotated, heads and neurons
change places, and a network of inert heads and neurons runs beside the real one, in dimensions of its own, from random
embeddings of its own. Its size is a parameter: a measure that follows the largest variance follows the inert network.
The inert parts read nothing of the real ones, and their law is the same whatever these compute.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from congruity._base.streams import stream
from congruity.errors import InputError
from congruity.models.torch_module import TorchModule

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Layer:
    """One block. ``d`` is the residual width, ``h`` heads of width ``k``, ``m`` neurons.

    Attributes:
        query, key, value: (h, d + 1, k), a bias in the last row of each.
        out: (h, k, d); out_bias: (d,).
        before, after: (d + 1, m) and (m + 1, d), a bias in the last row of each.
    """

    query: Matrix
    key: Matrix
    value: Matrix
    out: Matrix
    out_bias: Matrix
    before: Matrix
    after: Matrix


@dataclass(frozen=True)
class Weights:
    """A whole network: tokens (v, d), positions (n + 1, d), layers, and what reads the answer, (d, classes).

    Position 0 holds a token of its own, ``bos``, that attention can rest on.
    """

    tokens: Matrix
    positions: Matrix
    layers: tuple[Layer, ...]
    answer: Matrix
    bos: int

    @property
    def width(self) -> int:
        """Residual width d."""
        return self.tokens.shape[1]


class Compiled(torch.nn.Module):
    """The network as a module: tokens (batch, n) of 0, 1, ... -> (batch, n, classes), in double precision.

    Submodules for `congruity.TorchModule`: ``blocks.0.attn.z`` (all heads side by side, before they are projected),
    ``blocks.0.mlp`` (its output) and ``blocks.0`` (the residual stream after it).
    """

    bos: Tensor

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.register_buffer("bos", torch.tensor(weights.bos))
        self.tokens, self.positions = _parameter(weights.tokens), _parameter(weights.positions)
        self.blocks = torch.nn.ModuleList(_Block(layer) for layer in weights.layers)
        self.answer = _parameter(weights.answer)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the answers, (batch, n, classes), for tokens (batch, n)."""
        residual = self.embedded(tokens)
        for block in self.blocks:
            residual = block(residual)
        return self.answered(residual)

    @property
    def layers(self) -> list[_Block]:
        """The blocks, in order."""
        return [block for block in self.blocks if isinstance(block, _Block)]

    def embedded(self, tokens: Tensor) -> Tensor:
        """Return the residual stream before the first block, (batch, n + 1, d)."""
        first = self.bos.expand(len(tokens), 1)
        return self.tokens[torch.cat([first, tokens.long()], dim=1)] + self.positions[: tokens.shape[1] + 1]

    def answered(self, residual: Tensor) -> Tensor:
        """Return the answers that the last residual stream gives, (batch, n, classes)."""
        return residual[:, 1:] @ self.answer


def compiled_network(weights: Weights, name: str) -> TorchModule:
    """Return a compiled network as a `Model`: heads and MLPs can be edited, residual streams are read."""
    net = Compiled(weights)
    heads = {f"blocks.{i}.attn.z": len(block.attn.query) for i, block in enumerate(net.layers)}
    mlps = {f"blocks.{i}.mlp": 1 for i in range(len(net.layers))}
    return TorchModule(net, edits=heads | mlps, reads=[f"blocks.{i}" for i in range(len(net.layers))], name=name)


class _Block(torch.nn.Module):
    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.attn, self.mlp = _Attention(layer), _MLP(layer)

    def forward(self, residual: Tensor) -> Tensor:
        residual = residual + self.attn(residual)
        return residual + self.mlp(residual)


class _Attention(torch.nn.Module):
    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.query, self.key, self.value = map(_parameter, (layer.query, layer.key, layer.value))
        self.out, self.out_bias = _parameter(layer.out), _parameter(layer.out_bias)
        self.z = torch.nn.Identity()

    def forward(self, residual: Tensor) -> Tensor:
        return self.projected(self.mixed(residual))

    def mixed(self, residual: Tensor) -> Tensor:
        """Return what each head takes, (batch, positions, heads, head width), before it is projected."""
        query, key, value = (_affine(residual[:, None], matrix) for matrix in (self.query, self.key, self.value))
        pattern = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)
        return (pattern @ value).transpose(1, 2)

    def projected(self, z: Tensor) -> Tensor:
        """Return what all heads together add to the residual stream."""
        return self.z(z.flatten(2)) @ self.out.flatten(0, 1) + self.out_bias


class _MLP(torch.nn.Module):
    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.before, self.after = _parameter(layer.before), _parameter(layer.after)

    def forward(self, residual: Tensor) -> Tensor:
        return _affine(_affine(residual, self.before).relu(), self.after)


def _affine(x: Tensor, matrix: Tensor) -> Tensor:
    return x @ matrix[..., :-1, :] + matrix[..., -1:, :]


def _parameter(array: Matrix) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(array, dtype=torch.float64), requires_grad=False)


# ------------------------------------------------------------------------------------------------------- disguises

_INERT = 8  # width of inert heads, whatever that of real ones


def disguised(
    weights: Weights,
    *,
    seed: int,
    scale: float,
    extra: int = 16,
    padding: int = 0,
    heads: int = 2,
    neurons: int = 16,
    blocks: int = 0,
) -> Weights:
    """Return a network of the same function: wider, rotated, reordered, with inert parts.

    Args:
        weights: of the network.
        seed: of everything random.
        scale: size of the inert embeddings in each extra dimension, to which everything inert is proportional; 0
            leaves the extra dimensions silent.
        extra: dimensions added to the residual stream, which inert parts alone read and write.
        padding: dimensions added that nothing uses.
        heads, neurons: inert ones added to each layer.
        blocks: layers of inert parts alone, added at random places, so that depth says nothing either.

    Raises:
        InputError: a negative number, or NaN.

    >>> import numpy as np
    >>> plain = Weights(np.eye(2), np.zeros((3, 2)), (), np.eye(2), bos=0)
    >>> disguised(plain, seed=0, scale=1.0).width
    18
    """
    counts = {"extra": extra, "padding": padding, "heads": heads, "neurons": neurons, "blocks": blocks}
    if min(counts.values()) < 0 or not (np.isfinite(scale) and scale >= 0):
        given = ", ".join(f"{name} = {value}" for name, value in ({"scale": scale} | counts).items())
        raise InputError(f"disguised: {given}; pass finite numbers from 0")
    random = stream(seed, "compiled", "disguise")
    wide = _widened(weights, padding + extra)
    inert = np.arange(wide.width - extra, wide.width)
    for embedding in (wide.tokens, wide.positions):
        embedding[:, inert] = random.normal(size=(len(embedding), extra)) * scale
    real = [*wide.layers]
    for where in sorted(random.integers(0, len(real) + 1, size=blocks), reverse=True):
        real.insert(int(where), _nothing(wide.width))
    layers = tuple(_with_inert(layer, random, scale, extra, heads, neurons) for layer in real)
    reordered = tuple(_reordered(layer, random) for layer in layers)
    return _rotated(dataclasses.replace(wide, layers=reordered), _rotation(wide.width, random))


def _widened(weights: Weights, extra: int) -> Weights:
    def columns(matrix: Matrix) -> Matrix:
        return np.concatenate([matrix, np.zeros((*matrix.shape[:-1], extra))], axis=-1)

    def rows(matrix: Matrix, *, bias: bool = True) -> Matrix:
        at = matrix.shape[-2] - bias
        return np.concatenate(
            [matrix[..., :at, :], np.zeros((*matrix.shape[:-2], extra, matrix.shape[-1])), matrix[..., at:, :]], axis=-2
        )

    layers = tuple(
        Layer(rows(one.query), rows(one.key), rows(one.value), columns(one.out), columns(one.out_bias),
              rows(one.before), columns(one.after))
        for one in weights.layers
    )  # fmt: skip
    answer = rows(weights.answer, bias=False)
    return Weights(columns(weights.tokens), columns(weights.positions), layers, answer, weights.bos)


def _nothing(d: int) -> Layer:
    """Return a block without heads or neurons."""
    empty = np.zeros((0, d + 1, _INERT))
    return Layer(empty, empty, empty, np.zeros((0, _INERT, d)), np.zeros(d), np.zeros((d + 1, 0)), np.zeros((1, d)))


def _with_inert(layer: Layer, random: np.random.Generator, scale: float, extra: int, heads: int, neurons: int) -> Layer:
    """Add heads and neurons that read and write the last dimensions alone, and are linear in ``scale``."""
    _, rows, k = layer.query.shape
    d, used = rows - 1, min(k, _INERT)
    at = slice(d - extra, d)

    def reading(*shape: int, columns: int) -> Matrix:
        found = np.zeros((*shape[:-1], d + 1, shape[-1]))
        values = random.normal(size=(*shape[:-1], extra, columns)) / np.sqrt(max(1, extra))
        found[..., at, :columns] = values / scale if scale else 0.0  # what is read is as large as ``scale``
        return found

    def writing(*shape: int, rows: int) -> Matrix:
        found = np.zeros((*shape, d))
        found[..., :rows, at] = (
            random.normal(size=(*shape[:-1], rows, extra)) * scale / np.sqrt(max(1, shape[0] * rows))
        )
        return found

    query = reading(heads, k, columns=used) * np.sqrt(k / used)  # attention divides by the root of the head's width
    return Layer(
        query=np.concatenate([layer.query, query]),
        key=np.concatenate([layer.key, reading(heads, k, columns=used)]),
        value=np.concatenate([layer.value, reading(heads, k, columns=used)]),
        out=np.concatenate([layer.out, writing(heads, k, rows=used)]),
        out_bias=layer.out_bias,
        before=np.concatenate([layer.before, reading(neurons, columns=neurons)], axis=1),
        after=np.concatenate([layer.after[:-1], writing(neurons, rows=neurons), layer.after[-1:]]),
    )


def _reordered(layer: Layer, random: np.random.Generator) -> Layer:
    h, m = random.permutation(len(layer.query)), random.permutation(layer.before.shape[1])
    after = np.concatenate([layer.after[:-1][m], layer.after[-1:]])
    return Layer(layer.query[h], layer.key[h], layer.value[h], layer.out[h], layer.out_bias, layer.before[:, m], after)


def _rotated(weights: Weights, turn: Matrix) -> Weights:
    """Return the network whose residual stream is the old one times ``turn``, (d, d) orthogonal."""

    def reads(matrix: Matrix) -> Matrix:
        return np.concatenate([turn.T @ matrix[..., :-1, :], matrix[..., -1:, :]], axis=-2)

    layers = tuple(
        Layer(reads(one.query), reads(one.key), reads(one.value), one.out @ turn, one.out_bias @ turn,
              reads(one.before), one.after @ turn)
        for one in weights.layers
    )  # fmt: skip
    return Weights(weights.tokens @ turn, weights.positions @ turn, layers, turn.T @ weights.answer, weights.bos)


def _rotation(d: int, random: np.random.Generator) -> Matrix:
    """Return a random orthogonal matrix, uniform in the Haar measure."""
    q, r = np.linalg.qr(random.normal(size=(d, d)))
    return np.asarray(q * np.sign(np.diag(r)))
