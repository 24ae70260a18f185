"""One network of a zoo as a `Model`: its heads and MLPs are sites, each at every position."""

from __future__ import annotations

import torch
from torch import Tensor

from congruity.errors import InputError
from congruity.known.zoo.network import Networks
from congruity.models.torch_module import TorchModule


class Nodes(torch.nn.Module):
    """A network of a zoo as a module: tokens (n, length) -> logits (n, answers, classes).

    The output of ``blocks.L.head.H``, (n, positions, head width), is what head H of block L takes before it is
    projected; that of ``blocks.L.mlp``, (n, positions, width), is what the MLP adds. Position 0 is that of ``bos``.
    """

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.networks = networks
        self._blocks = [_Block(networks.shape.heads) for _ in range(networks.shape.layers)]
        self.blocks = torch.nn.ModuleList(self._blocks)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits, (n, answers, classes)."""
        logits: Tensor = self.networks(tokens, self._through).logits
        return logits[0].permute(2, 1, 0)

    def _through(self, layer: int, part: int | slice, values: Tensor) -> Tensor:
        """Let a block's activations, rows last, go through its submodules, where rows come first."""
        block = self._blocks[layer]
        if isinstance(part, int):
            return _rows_last(block.mlp(_rows_first(values[0])))[None]
        heads = [_rows_last(head(_rows_first(z))) for head, z in zip(block.heads, values[0], strict=True)]
        return torch.stack(heads)[None]


class _Block(torch.nn.Module):
    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = [torch.nn.Identity() for _ in range(heads)]
        self.head = torch.nn.ModuleList(self.heads)
        self.mlp = torch.nn.Identity()


def _rows_first(values: Tensor) -> Tensor:
    return values.permute(2, 1, 0)  # (width, positions, rows) -> (rows, positions, width)


def _rows_last(values: Tensor) -> Tensor:
    return values.permute(2, 1, 0)


def zoo_network(networks: Networks, name: str) -> TorchModule:
    """Return one network of a zoo as a `Model`: heads and MLPs can be edited, and MLPs are read.

    Raises:
        InputError: several networks at once.
    """
    if len(networks.seeds) != 1:
        raise InputError(f"{name}: {len(networks.seeds)} networks at once; take one")
    parts = [[*(f"head.{i}" for i in range(networks.shape.heads)), "mlp"]] * networks.shape.layers
    return TorchModule(
        Nodes(networks),
        edits={f"blocks.{layer}.{part}": 1 for layer, some in enumerate(parts) for part in some},
        reads=[f"blocks.{layer}.mlp" for layer in range(networks.shape.layers)],
        name=name,
    )
