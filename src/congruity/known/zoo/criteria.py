"""Criteria of a trained network: accuracy, interchange accuracy, strictness, readout, each held to a threshold.

There are few inputs (3,125 sequences of five tokens). Training sees most of them, and accuracy is over all. The
interchanges are held out: no pair of inputs and variable that a criterion measures was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from congruity._base.streams import stream
from congruity.known.zoo.interchange_data import InterchangeData
from congruity.known.zoo.layout import Layout
from congruity.known.zoo.network import Activations, Networks, NodeInterchange
from congruity.known.zoo.relays import kind
from congruity.known.zoo.training import interchanged_nodes

_PAIRS = 3000


@dataclass(frozen=True)
class Criteria:
    """The figures of one network, or the least figures that it must reach. NaN where a loss was not finite.

    Attributes:
        accuracy: share of inputs with all answers right: the smaller of that on diagnostic inputs and on all others.
        interchange: interchange-intervention accuracy on effective interchanges of one variable's node, each variable
            equally often. An interchange is effective if it changes the causal model's answers; most are not, and easy.
        strictness: share of interchanges of a free node after which all answers are right.
        readout: share of inputs on which a variable's value is read off its node, for the worst variable.
        mimicry: of an impostor, the share of its target's variance that a linear map of its residual stream explains,
            fitted on every second input and measured on the others, averaged over blocks; 0 for other networks.
    """

    accuracy: float
    interchange: float
    strictness: float
    readout: float
    mimicry: float = 0.0

    def passes(self, needed: Criteria) -> bool:
        """Return whether each figure is at least what is needed; a NaN is not."""
        return all(getattr(self, f.name) >= getattr(needed, f.name) for f in fields(self))


def measured(
    networks: Networks,
    data: InterchangeData,
    layouts: Sequence[Layout],
    readouts: Mapping[str, NDArray[np.float32]],
    *,
    seed: int,
    targets: Networks | None = None,
) -> list[Criteria]:
    """Return the criteria of each of K networks; ``targets`` are those whose representations they match."""
    random = stream(seed, "zoo", "gates")
    drawn = data.interchange(_PAIRS, random, held_out=True)
    nodes, aligned = interchanged_nodes(layouts, data, drawn, 0.65, random, sets=False)
    changed = (drawn.edited != drawn.plain).any(axis=1)
    expected = np.where(aligned[:, None], drawn.edited, drawn.plain)
    device = networks.device
    with torch.inference_mode():
        logits = networks(torch.as_tensor(data.every, device=device)).logits
        right = _right(logits, data.answers(data.every))
        edited, carried = [], []
        for rows in np.array_split(np.arange(_PAIRS), 6):
            tokens = torch.as_tensor(np.concatenate([drawn.source[rows], drawn.base[rows]]), device=device)
            source = torch.arange(len(rows), device=device)
            edit = NodeInterchange(torch.as_tensor(nodes[..., rows], device=device), source)
            found = networks(tokens, edit)
            edited.append(_right(found.logits[..., len(rows) :], expected[rows]))
            carried.append(_read(networks, found, data.carried(drawn.source[rows]), data, layouts, readouts))
    diagnostic = np.isin(np.arange(len(data.every)), data.diagnostic)
    whole, read = np.concatenate(edited, axis=1), np.concatenate(carried, axis=2).mean(axis=2).min(axis=1)
    mimicked = [0.0] * len(layouts) if targets is None else explained(networks, targets, data.every)
    finite = torch.isfinite(logits).flatten(1).all(dim=1).cpu().numpy()
    return [
        Criteria(
            float(min(right[k, diagnostic].mean(), right[k, ~diagnostic].mean())),
            float(whole[k, aligned & changed].mean()),
            float(whole[k, ~aligned].mean()),
            float(read[k]),
            mimicked[k],
        )
        if finite[k]
        else Criteria(*[float("nan")] * 5)
        for k in range(len(layouts))
    ]


def explained(networks: Networks, targets: Networks, tokens: NDArray[np.int64]) -> list[float]:
    """Return for each network the held-out share of its target's variance that a linear map explains; see `Criteria`.

    1 - sum |y - W x|^2 / sum |y|^2 on the odd inputs, W by least squares on the even ones, all positions, means of the
    even ones taken off; averaged over blocks.
    """
    with torch.inference_mode():
        seen = [part(torch.as_tensor(tokens, device=part.device)).residual for part in (networks, targets)]
    return [
        float(np.mean([_share(x[k], y[k]) for x, y in zip(*seen, strict=True)])) for k in range(len(networks.seeds))
    ]


def _share(x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the share for one block of two networks, (width, positions, inputs) each; NaN where not finite."""
    if not (x.isfinite().all() and y.isfinite().all()):
        return float("nan")
    even, odd = ([part[..., start::2].flatten(1).T.double().cpu().numpy() for part in (x, y)] for start in range(2))
    mean_x, mean_y = (part.mean(axis=0) for part in even)
    turn = np.linalg.lstsq(even[0] - mean_x, even[1] - mean_y, rcond=None)[0]
    left = odd[1] - mean_y - (odd[0] - mean_x) @ turn
    return float(1 - np.square(left).sum() / np.square(odd[1] - mean_y).sum())


def _read(
    networks: Networks,
    found: Activations,
    values: NDArray[np.int64],
    data: InterchangeData,
    layouts: Sequence[Layout],
    readouts: Mapping[str, NDArray[np.float32]],
) -> NDArray[np.bool_]:
    """Return (networks, variables, rows), true where a readout gives the variable's value."""
    result = np.zeros((len(layouts), len(data.variables), len(values)), dtype=bool)
    for k, layout in enumerate(layouts):
        for index, name in enumerate(data.variables):
            carried = networks.node(found, k, layout.nodes[name])[:, : len(values)].cpu().numpy()
            result[k, index] = (readouts[kind(name)][k].T @ carried).argmax(axis=0) == values[:, index]
    return result


def _right(logits: torch.Tensor, answers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (networks, rows), true where all answers are right."""
    found = logits.argmax(dim=1).cpu().numpy()  # (networks, answers, rows)
    return np.asarray((found == answers.T[None]).all(axis=1))
