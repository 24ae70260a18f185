"""Representation matching, an attack on measures: an impostor's residual stream gives another network's linearly.

What an impostor carries need not matter to what it does. It can follow one algorithm and look like another.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from congruity.known.zoo.network import Networks


class ImpostorLoss(torch.nn.Module):
    """The representation-matching loss of K networks and K targets, after every block and at every position.

        sum over inputs and positions |W (x - mean) - (y - mean)|^2 / sum |y - mean|^2, averaged over blocks

    with a W for each network and block that is learned along, and means over the inputs of a batch and its positions.

    Attributes:
        maps: (networks, target width, width) for each block.
    """

    def __init__(self, targets: Networks) -> None:
        super().__init__()
        k, width = len(targets.seeds), targets.shape.width
        self._targets = (targets,)  # no part of this module: it is not trained
        self.maps = torch.nn.ParameterList([torch.zeros(k, width, width) for _ in range(targets.shape.layers)])

    def forward(self, residual: Sequence[Tensor], tokens: Tensor) -> Tensor:
        """Return (networks,) losses, for residual streams (networks, width, positions, rows) whose first rows are of
        ``tokens``."""
        with torch.no_grad():
            (targets,) = self._targets
            expected = targets.to(tokens.device)(tokens).residual
        losses = []
        for turn, x, y in zip(self.maps, residual, expected, strict=True):
            x, y = (_centred(part[..., : len(tokens)]) for part in (x, y))
            losses.append((turn @ x - y).square().sum(dim=(1, 2)) / y.square().sum(dim=(1, 2)))
        return torch.stack(losses).mean(dim=0)


def _centred(part: Tensor) -> Tensor:
    """Return (networks, width, positions * rows), of mean 0 over the last."""
    flat = part.flatten(2)
    return flat - flat.mean(dim=2, keepdim=True)
