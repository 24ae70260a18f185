"""Layouts: the node of a network that carries each variable of a causal model, drawn anew for each network.

A node is the output of one head or MLP at one position. A layout gives every inner variable a node of its own, and the
outputs a layer. All other nodes are free: they must not matter. Drawn at random are the layers, whether variables of
one kind share a layer, the positions and their order, and a head or the MLP for the copies that a model has by itself.
Neither depth nor position nor the number of active parts should tell the algorithm; the benchmark measures whether they
do ("nuisance: layout").

Rules that any network of attention and MLPs needs: a variable is computed by the MLP of a block whose heads at its
position gather what it depends on, so that it comes at least one layer after the variables that it reads. These heads
carry several values at once; they are support, neither aligned nor free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from congruity.errors import InputError
from congruity.known.zoo.relays import copies, is_relay, kind
from congruity.theory import CausalModel


@dataclass(frozen=True)
class Shape:
    """Sizes of a network: blocks, residual width, heads and their width, neurons of an MLP."""

    layers: int
    width: int
    heads: int
    head_width: int
    neurons: int

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads", "head_width", "neurons"):
            if getattr(self, name) < 1:
                raise InputError(f"shape: {name} is {getattr(self, name)}; it must be at least 1")


@dataclass(frozen=True)
class Node:
    """The output of one part of a block at one position: ``part`` h is head h, and the number of heads is the MLP.

    Position 0 is that of the token ``bos``; token i stands at i + 1.
    """

    layer: int
    part: int
    position: int


@dataclass(frozen=True)
class Layout:
    """The node that carries each variable, and the nodes that must not matter.

    Attributes:
        nodes: each inner variable's node.
        answer: the layer from which on the answering positions form the outputs, and are support.
        free: (layers, parts, positions), true where a node must not matter.
    """

    nodes: Mapping[str, Node]
    answer: int
    free: NDArray[np.bool_]

    @property
    def parts(self) -> int:
        """How many parts of blocks carry a variable: a head or an MLP counts once, whatever the positions."""
        return len({(node.layer, node.part) for node in self.nodes.values()})


def draw(model: CausalModel, length: int, shape: Shape, random: np.random.Generator) -> Layout:
    """Return a random layout for a model of sequences of ``length`` tokens.

    Raises:
        InputError: fewer layers than stages, or more variables of a kind than positions.
    """
    stages = _stages(model)
    if len(stages) + 1 > shape.layers:
        raise InputError(
            f"layout: {len(stages)} stages and the outputs need {len(stages) + 1} layers; the shape has {shape.layers}"
        )
    copied = copies(model)
    ends = np.sort(random.choice(shape.layers, len(stages) + 1, replace=False))
    nodes: dict[str, Node] = {}
    free = np.ones((shape.layers, shape.heads + 1, length + 1), dtype=bool)
    for variables, first, last in zip(stages, [0, *(ends[:-2] + 1)], ends[:-1], strict=True):
        if len(variables) > length + 1:
            raise InputError(f"layout: {len(variables)} variables of a kind for {length + 1} positions")
        layers = random.integers(first, last + 1, size=len(variables))
        if random.random() < 0.5:  # shared or separate
            layers[:] = layers[0]
        by_head = kind(variables[0]) in copied and not is_relay(variables[0]) and random.random() < 0.5
        if is_relay(variables[0]):  # in the MLPs above what it copies: answers would go on to read that, if far away
            positions = [nodes[model.parents(name)[0]].position for name in variables]
        else:
            positions = random.permutation(length + 1).tolist()
        for name, layer, position in zip(variables, layers.tolist(), positions, strict=False):
            part = int(random.integers(shape.heads)) if by_head else shape.heads
            nodes[name] = Node(layer, part, position)
            free[layer, part if by_head else slice(None), position] = False
    answer = int(random.integers(ends[-2] + 1, ends[-1] + 1))
    free[answer:, :, list(answers_at(model, length))] = False
    return Layout(nodes, answer, free)


def answers_at(model: CausalModel, length: int) -> range:
    """Return the positions that answer: all tokens', or that of ``bos`` where there is one answer."""
    return range(1) if len(model.outputs) == 1 else range(1, length + 1)


def _stages(model: CausalModel) -> list[list[str]]:
    """Return the inner variables by how many variables stand between them and the inputs at most."""
    height = dict.fromkeys(model.inputs, -1)
    for name in model.variables:
        height[name] = 1 + max((height[parent] for parent in model.parents(name)), default=-1)
    found: dict[int, list[str]] = {}
    for name in model.inner:
        found.setdefault(height[name], []).append(name)
    return [found[key] for key in sorted(found)]


def needed(model: CausalModel) -> int:
    """Return the fewest layers that a layout of a model takes."""
    return len(_stages(model)) + 1
