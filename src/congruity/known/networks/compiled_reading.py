"""Readings of compiled networks: residual streams, answers, and responses to interchanges of their parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from congruity.known.networks.compiled import Compiled

Tokens = NDArray[np.int64]


def states(network: Compiled, tokens: Tokens) -> NDArray[np.float32]:
    """Return the residual stream of the tokens after every block, (layers, inputs, positions, width)."""
    seen: list[Any] = []
    hooks = [
        block.register_forward_hook(lambda _, given, output: seen.append(output[:, 1:].float().numpy()))
        for block in network.blocks
    ]
    with torch.inference_mode():
        network(torch.tensor(tokens))
    for hook in hooks:
        hook.remove()
    return np.stack(seen)


def answers(network: Compiled, tokens: Tokens) -> NDArray[np.float32]:
    """Return the answers, (inputs, positions, classes): 1 for the class that is answered, 0 for the others."""
    with torch.inference_mode():
        return _chosen(network(torch.tensor(tokens))).numpy()


def responses(network: Compiled, base: Tokens, source: Tokens) -> NDArray[np.float32]:
    """Return (parts, pairs * positions * classes): change of the answers when a head or an MLP is as on the source.

    A part is interchanged at all positions. A run starts at the part's block; all parts of a block run as one batch.
    """
    n, found = len(base), []
    with torch.inference_mode():
        residual = network.embedded(torch.tensor(np.concatenate([base, source])))
        plain = _chosen(network(torch.tensor(base)))
        for index, block in enumerate(network.layers):
            z = block.attn.mixed(residual)  # (both, positions, heads, head width)
            after = residual + block.attn.projected(z)
            mlp = block.mlp(after)
            edited = []
            for head in range(z.shape[2]):
                mixed = z[:n].clone()
                mixed[:, :, head] = z[n:, :, head]
                row = residual[:n] + block.attn.projected(mixed)
                edited.append(row + block.mlp(row))
            edited.append(after[:n] + mlp[n:])
            residual = after + mlp
            rest = torch.cat(edited)
            for later in network.layers[index + 1 :]:
                rest = later(rest)
            change = _chosen(network.answered(rest)).unflatten(0, (len(edited), n)) - plain
            found.append(change.flatten(1).numpy())
    return np.concatenate(found)


def _chosen(logits: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(logits.argmax(dim=-1), logits.shape[-1]).float()
