"""A network of a zoo whose nodes can be swapped: heads and MLPs at each position."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from congruity.errors import InputError
from congruity.known.zoo.network import Networks, Swap

_AT_ONCE = 4096


class SwappableNetwork:
    """Wrap one network. Places are ``blocks.L.head.H@P`` and ``blocks.L.mlp@P``; position 0 is that of ``bos``.

    Raises:
        InputError: several networks at once.
    """

    def __init__(self, networks: Networks, name: str) -> None:
        if len(networks.seeds) != 1:
            raise InputError(f"{name}: {len(networks.seeds)} networks at once; take one")
        self.name, self._networks = name, networks
        shape = networks.shape
        parts = [f"head.{i}" for i in range(shape.heads)] + ["mlp"]
        self.places = tuple(
            f"blocks.{layer}.{part}@{position}"
            for layer in range(shape.layers)
            for part in parts
            for position in range(networks.length + 1)
        )
        self._shape = (shape.layers, len(parts), networks.length + 1)

    def probabilities(
        self, base: NDArray[np.int64], source: NDArray[np.int64] | None = None, swapped: Any = None
    ) -> NDArray[np.float64]:
        """Return (n, outputs, classes) on base (n, tokens), with places ``swapped`` (n, places) as on the source."""
        found = []
        for rows in np.array_split(np.arange(len(base)), max(1, -(-len(base) // _AT_ONCE))):
            with torch.inference_mode():
                if source is None:
                    logits = self._networks(torch.as_tensor(base[rows])).logits
                else:
                    n = len(rows)
                    nodes = torch.as_tensor(np.asarray(swapped)[rows].T.reshape(1, *self._shape, n).copy())
                    tokens = torch.as_tensor(np.concatenate([source[rows], base[rows]]))
                    logits = self._networks(tokens, Swap(nodes, torch.arange(n))).logits[..., n:]
            found.append(logits[0].permute(2, 1, 0).double().softmax(dim=-1).numpy())
        return np.concatenate(found)
