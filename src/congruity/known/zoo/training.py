"""Strict interchange intervention training: networks that carry a causal model's variables where their layout says.

Four losses are summed; the first three are cross-entropies.

    task         the answers
    interchange  a node with its value on a source input gives the answers of the causal model under that interchange
                 (80 % of the interchanges); free nodes change nothing (20 %: strictness)
    readout      a linear map of each node gives its variable's value. Without it, a yes-or-no answer never forces the
                 values themselves to be carried
    mimicry      representation matching, an attack on measures: a linear map of the residual stream after each block
                 gives that of another network, as a share of its variance that is left

Sources: Geiger et al. 2022, arXiv 2112.00826 (interchange intervention training); Gupta et al. 2024, arXiv 2407.14494
(strictness).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from congruity._base.streams import stream
from congruity.known.zoo.impostors import ImpostorLoss
from congruity.known.zoo.interchange_data import InterchangeData, TrainingInterchanges
from congruity.known.zoo.layout import Layout
from congruity.known.zoo.network import Activations, Networks, NodeInterchange
from congruity.known.zoo.relays import kind


@dataclass(frozen=True)
class TrainingRecipe:
    """How networks are trained.

    Attributes:
        steps, batch: optimiser steps, and pairs of inputs a step.
        interchange, readout, mimicry: weights of these losses; the task's is 1. Without interchange, plain training.
        learning_rate, warm_up, decay: of Adam: linear rise over so many steps, linear fall over the last share.
        aligned: share of the interchanges that are of nodes with a variable.
        clip: largest norm of one network's gradient.
    """

    steps: int = 700
    batch: int = 64
    interchange: float = 2.0
    readout: float = 12.0
    mimicry: float = 4.0
    learning_rate: float = 5e-3
    warm_up: int = 50
    decay: float = 0.4
    aligned: float = 0.8
    clip: float = 10.0


def train(
    networks: Networks,
    data: InterchangeData,
    layouts: Sequence[Layout],
    recipe: TrainingRecipe,
    *,
    seed: int,
    targets: Networks | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Train networks in place; return the readout of each kind of variable, (networks, width, values).

    ``targets`` are the networks whose representations are matched, one for each and of the same shape; None where the
    recipe has no mimicry.

    All networks of a set see the same inputs and variables, each under its own layout. A network whose loss is not
    finite at any step has failed: it ends with NaN for weights, and so fails its criteria; the others go on.
    """
    device = networks.device
    readouts = _Readouts(networks, data)
    readouts.to(device)
    mimicry = None if targets is None else ImpostorLoss(targets)
    mapped = [] if mimicry is None else list(mimicry.to(device).maps.parameters())
    parameters = [*networks.parameters(), *readouts.parameters(), *mapped]
    adam = torch.optim.Adam(parameters, lr=recipe.learning_rate, foreach=device.type == "cuda")
    schedule = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: _rate(step, recipe))
    random = stream(seed, "zoo", "training")
    failed = torch.zeros(len(layouts), dtype=torch.bool, device=device)
    for _ in range(recipe.steps):
        adam.zero_grad(set_to_none=True)
        loss = _loss(networks, readouts, mimicry, data, layouts, recipe, random)
        failed |= ~loss.detach().isfinite()
        loss.sum().backward()  # type: ignore[no-untyped-call]
        _clip(parameters, recipe.clip)
        adam.step()
        schedule.step()
    with torch.no_grad():
        for part in networks.parameters():
            part[failed] = float("nan")
    return readouts.arrays()


class _Readouts(torch.nn.Module):
    """A linear map for each kind of variable and network: one code for all variables of a kind."""

    def __init__(self, networks: Networks, data: InterchangeData) -> None:
        super().__init__()
        k, d = len(networks.seeds), networks.shape.width
        self.maps = torch.nn.ParameterDict({name: torch.zeros(k, d, size) for name, size in data.kinds.items()})

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        return {name: part.detach().cpu().numpy() for name, part in self.maps.items()}


def _loss(
    networks: Networks,
    readouts: _Readouts,
    mimicry: ImpostorLoss | None,
    data: InterchangeData,
    layouts: Sequence[Layout],
    recipe: TrainingRecipe,
    random: np.random.Generator,
) -> Tensor:
    """Return the loss of each network on a new batch, (networks,)."""
    device = networks.device
    if not recipe.interchange:
        tokens = data.inputs(recipe.batch, random)  # nothing here may depend on the algorithm
        answers = torch.as_tensor(data.answers(tokens), device=device)
        return _cross_entropy(networks(torch.as_tensor(tokens, device=device)).logits, answers)
    drawn = data.interchange(recipe.batch, random)
    answers = torch.as_tensor(data.answers(drawn.source), device=device)
    nodes, aligned = interchanged_nodes(layouts, data, drawn, recipe.aligned, random, sets=True)
    edit = NodeInterchange(torch.as_tensor(nodes, device=device), torch.arange(len(drawn.source), device=device))
    rows = torch.as_tensor(np.concatenate([drawn.source, drawn.base]), device=device)
    found = networks(rows, edit)
    n = len(drawn.source)
    target = torch.as_tensor(np.where(aligned[:, None], drawn.edited, drawn.plain), device=device)
    loss = _cross_entropy(found.logits[..., :n], answers)
    loss = loss + recipe.interchange * _cross_entropy(found.logits[..., n:], target)
    if recipe.readout:
        values = torch.as_tensor(data.carried(drawn.source), device=device)
        loss = loss + recipe.readout * _readout_loss(networks, readouts, data, layouts, found, values)
    if mimicry is not None:
        loss = loss + recipe.mimicry * mimicry(found.residual, rows[:n])
    return loss


def interchanged_nodes(
    layouts: Sequence[Layout],
    data: InterchangeData,
    drawn: TrainingInterchanges,
    aligned: float,
    random: np.random.Generator,
    *,
    sets: bool,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which nodes of each network each row interchanges, and which rows are aligned.

    A row is aligned in all networks or in none. An aligned row interchanges its variables' nodes. Another row
    interchanges a random free node or, with ``sets``, half of the time, many.

    Returns:
        (networks, layers, parts, positions, rows), and (rows,).
    """
    rows = len(drawn.base)
    by_variable = random.random(rows) < aligned
    nodes = np.zeros((len(layouts), *layouts[0].free.shape, rows), dtype=bool)
    for k, layout in enumerate(layouts):
        for index, name in enumerate(data.variables):
            at = layout.nodes[name]
            nodes[k, at.layer, at.part, at.position] = by_variable & drawn.variables[:, index]
        others = np.flatnonzero(~by_variable)
        free = np.argwhere(layout.free)
        layer, part, position = free[random.integers(len(free), size=len(others))].T
        nodes[k, layer, part, position, others] = True
        if sets:
            many = others[::2]
            taken = random.random((len(free), len(many))) < random.uniform(0, 0.5, size=len(many))
            nodes[(k, *free.T[..., None], many)] |= taken
    return nodes, by_variable


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean over rows and answers for each network: (K, classes, answers, rows) and (rows, answers)."""
    losses = functional.cross_entropy(logits, target.T.expand(len(logits), -1, -1), reduction="none")
    return losses.flatten(1).mean(dim=1)


def _readout_loss(
    networks: Networks,
    readouts: _Readouts,
    data: InterchangeData,
    layouts: Sequence[Layout],
    found: Activations,
    values: Tensor,
) -> Tensor:
    total = torch.zeros(len(layouts), device=values.device)
    for index, name in enumerate(data.variables):
        carried = torch.stack(
            [networks.node(found, k, layout.nodes[name])[:, : len(values)] for k, layout in enumerate(layouts)]
        )
        total = total + _cross_entropy((readouts.maps[kind(name)].mT @ carried)[:, :, None], values[:, index, None])
    return total / len(data.variables)


def _rate(step: int, recipe: TrainingRecipe) -> float:
    left = (recipe.steps - step) / max(1.0, recipe.decay * recipe.steps)
    return min(1.0, (step + 1) / max(1, recipe.warm_up), left)


def _clip(parameters: Sequence[torch.nn.Parameter], most: float) -> None:
    """Clip each network's gradient alone; what is not finite becomes zero, in its own network."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    squares = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0)
    scale = torch.where(squares.isfinite(), most / squares.sqrt().clamp(min=most), torch.zeros_like(squares))
    for gradient in gradients:
        gradient.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
        gradient.mul_(scale.view(-1, *[1] * (gradient.ndim - 1)))
