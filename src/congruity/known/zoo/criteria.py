"""Does a network do what it was trained to? Measured for each, and held to thresholds.

There are few inputs (3,125 sequences of five tokens), and training sees most of them; accuracy is over all. What is
held out are interchanges: no pair of inputs and variable that a gate measures was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from congruity._base.streams import stream
from congruity.known.zoo.interchange_data import Lessons
from congruity.known.zoo.layout import Layout
from congruity.known.zoo.network import Activations, Networks, NodeInterchange
from congruity.known.zoo.relays import kind
from congruity.known.zoo.training import swaps

_PAIRS = 3000


@dataclass(frozen=True)
class Gates:
    """What one network reaches; as `Needed`, what it must reach. NaN where a loss was not finite.

    Attributes:
        accuracy: share of inputs with all answers right: the smaller of that on telling inputs and on all others.
        interchange: share of swaps of one variable's node that give the causal model's answers, of those swaps that
            change the answers, each variable equally often. (Those that change none are easy, and most.)
        strictness: share of swaps of a free node after which all answers are right.
        readout: share of inputs on which a variable's value is read off its node, for the worst variable.
        mimicry: of a mimic, the share of its target's variance that a linear map of its residual stream explains,
            fitted on every second input and measured on the others, averaged over blocks; 0 for others.
    """

    accuracy: float
    interchange: float
    strictness: float
    readout: float
    mimicry: float = 0.0

    def passes(self, needed: Gates) -> bool:
        """Return whether each figure is at least what is needed; a NaN is not."""
        return all(getattr(self, f.name) >= getattr(needed, f.name) for f in fields(self))


def measured(
    networks: Networks,
    lessons: Lessons,
    layouts: Sequence[Layout],
    readouts: Mapping[str, NDArray[np.float32]],
    *,
    seed: int,
    targets: Networks | None = None,
) -> list[Gates]:
    """Return the gates of each of K networks, ``targets`` being those that they mimic."""
    random = stream(seed, "zoo", "gates")
    drawn = lessons.interchange(_PAIRS, random, held_out=True)
    nodes, aligned = swaps(layouts, lessons, drawn, 0.65, random, sets=False)
    changed = (drawn.edited != drawn.plain).any(axis=1)
    expected = np.where(aligned[:, None], drawn.edited, drawn.plain)
    device = networks.device
    with torch.inference_mode():
        logits = networks(torch.as_tensor(lessons.every, device=device)).logits
        right = _right(logits, lessons.answers(lessons.every))
        swapped, carried = [], []
        for rows in np.array_split(np.arange(_PAIRS), 6):
            tokens = torch.as_tensor(np.concatenate([drawn.source[rows], drawn.base[rows]]), device=device)
            source = torch.arange(len(rows), device=device)
            swap = NodeInterchange(torch.as_tensor(nodes[..., rows], device=device), source)
            found = networks(tokens, swap)
            swapped.append(_right(found.logits[..., len(rows) :], expected[rows]))
            carried.append(_read(networks, found, lessons.carried(drawn.source[rows]), lessons, layouts, readouts))
    telling = np.isin(np.arange(len(lessons.every)), lessons.telling)
    whole, read = np.concatenate(swapped, axis=1), np.concatenate(carried, axis=2).mean(axis=2).min(axis=1)
    mimicked = [0.0] * len(layouts) if targets is None else explained(networks, targets, lessons.every)
    finite = torch.isfinite(logits).flatten(1).all(dim=1).cpu().numpy()
    return [
        Gates(
            float(min(right[k, telling].mean(), right[k, ~telling].mean())),
            float(whole[k, aligned & changed].mean()),
            float(whole[k, ~aligned].mean()),
            float(read[k]),
            mimicked[k],
        )
        if finite[k]
        else Gates(*[float("nan")] * 5)
        for k in range(len(layouts))
    ]


def explained(networks: Networks, targets: Networks, tokens: NDArray[np.int64]) -> list[float]:
    """Return for each network the held-out share of its target's variance that a linear map explains; see `Gates`.

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
    lessons: Lessons,
    layouts: Sequence[Layout],
    readouts: Mapping[str, NDArray[np.float32]],
) -> NDArray[np.bool_]:
    """Return (networks, variables, rows), true where a readout gives the variable's value."""
    result = np.zeros((len(layouts), len(lessons.variables), len(values)), dtype=bool)
    for k, layout in enumerate(layouts):
        for index, name in enumerate(lessons.variables):
            carried = networks.node(found, k, layout.nodes[name])[:, : len(values)].cpu().numpy()
            result[k, index] = (readouts[kind(name)][k].T @ carried).argmax(axis=0) == values[:, index]
    return result


def _right(logits: torch.Tensor, answers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (networks, rows), true where all answers are right."""
    found = logits.argmax(dim=1).cpu().numpy()  # (networks, answers, rows)
    return np.asarray((found == answers.T[None]).all(axis=1))
