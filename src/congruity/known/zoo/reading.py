"""Readings of trained networks: residual streams, answers, and responses to interchanges of single nodes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from congruity.known.zoo.network import Networks, NodeInterchange

Floats32 = NDArray[np.float32]
_AT_ONCE = 4  # nodes interchanged in one run: as many copies of all pairs


def states(networks: Networks, tokens: NDArray[np.int64]) -> tuple[Floats32, Floats32]:
    """Return residual streams and answers of K networks.

    Returns:
        (networks, layers, inputs, positions, width) after each block, and (networks, inputs, answers, classes)
        probabilities.
    """
    with torch.inference_mode():
        found = networks(torch.as_tensor(tokens))
        layers = torch.stack(list(found.residual), dim=1)  # (K, layers, width, positions, inputs)
        probabilities = found.logits.softmax(dim=1)  # (K, classes, answers, inputs)
    return layers.permute(0, 1, 4, 3, 2).numpy(), probabilities.permute(0, 3, 2, 1).numpy()


def responses(networks: Networks, base: NDArray[np.int64], source: NDArray[np.int64], *, whole_parts: bool) -> Floats32:
    """Return (networks, nodes, pairs * answers * classes): change of the answers' probabilities, by interchange.

    Nodes are heads and MLPs at one position, or, as ``whole_parts``, at all positions together.
    """
    n, k = len(base), len(networks.seeds)
    with torch.inference_mode():
        plain = networks(torch.as_tensor(base)).logits.softmax(dim=1)
        found = []
        for chunk in _chunks(networks, whole_parts):
            size = len(chunk)
            tokens = torch.as_tensor(np.concatenate([source, *[base] * size]))
            nodes = torch.as_tensor(np.repeat(np.moveaxis(chunk, 0, -1), n, axis=-1))[None].expand(k, -1, -1, -1, -1)
            run = networks(tokens, NodeInterchange(nodes, torch.arange(n).repeat(size)))
            change = run.logits[..., n:].softmax(dim=1).unflatten(-1, (size, n)) - plain[..., None, :]
            found.append(change.permute(0, 3, 4, 2, 1).flatten(2).numpy())
    return np.concatenate(found, axis=1)


def _chunks(networks: Networks, whole_parts: bool) -> Iterator[NDArray[np.bool_]]:
    """Yield (at most four, layers, parts, positions) sets of nodes to interchange, each once."""
    size = (networks.shape.layers, networks.shape.heads + 1, networks.length + 1)
    of = np.arange(int(np.prod(size))).reshape(size)
    if whole_parts:
        of = np.broadcast_to((of[:, :, :1]) // size[2], size)
    names = np.unique(of)
    for start in range(0, len(names), _AT_ONCE):
        yield np.stack([of == name for name in names[start : start + _AT_ONCE]])
