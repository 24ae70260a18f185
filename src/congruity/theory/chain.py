"""Frontier chain of a causal model: layer t holds the variables that are computed by t and needed after t.

docs/theorems.md, D7 and P2. A network is read as a chain x -> H_1 -> ... -> Y; this is the same reading of a causal
model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from congruity.errors import InputError
from congruity.theory.bounds import Link
from congruity.theory.causal import Array, CausalModel

Floats = NDArray[np.float64]


def column_norm(residual: Floats) -> float:
    """Return N(M) = sqrt(mean over queries of |column|^2) of (rows, queries) numbers, the default column norm (D6)."""
    return float(np.sqrt(np.square(residual).sum(axis=0).mean()))


@dataclass(frozen=True)
class Chain:
    """The frontier chain of a causal model.

    Attributes:
        model: the causal model.
        layers: for each layer t the variables of level at most t that are outputs or have a child of a higher level.

    >>> model = CausalModel({"x": range(2)}, {"a": lambda x: x, "b": lambda a: 1 - a, "y": lambda a, b: a + b}, ("y",))
    >>> Chain.of(model).layers
    (('a',), ('a', 'b'), ('y',))
    """

    model: CausalModel
    layers: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, model: CausalModel) -> Chain:
        """Return the chain of a model; its outputs must be no inputs.

        Raises:
            InputError: an output is an input.
        """
        if inputs := [name for name in model.outputs if name in model.inputs]:
            raise InputError(f"chain: the output {inputs[0]} is an input; give it a variable of its own")
        level: dict[str, int] = {}
        for name in model.variables:
            level[name] = 1 + max((level[p] for p in model.parents(name) if p in level), default=0)
        read_at = {
            name: max((level[c] for c in model.variables if name in model.parents(c)), default=0) for name in level
        }
        last = max(level.values())
        return cls(
            model,
            tuple(
                tuple(n for n in model.variables if level[n] <= t and (n in model.outputs or read_at[n] > t))
                for t in range(1, last + 1)
            ),
        )

    def step(self, t: int, inputs: Mapping[str, Array], layer: Mapping[str, Array]) -> dict[str, Array]:
        """Return layer t + 1 from the inputs and layer t, counted from 0; layer -1 is empty."""
        have = {**inputs, **layer}
        n = len(next(iter(inputs.values())))
        return {
            name: have[name]
            if name in layer
            else self.model.mechanism(name, [have[parent] for parent in self.model.parents(name)], n)
            for name in self.layers[t + 1]
        }

    def signature(self, values: Mapping[str, Array]) -> Floats:
        """Return V, (variables, queries): each variable once, as a number."""
        return np.stack([_numbers(name, values[name]) for name in self.model.variables])

    def trajectory(self, values: Mapping[str, Array]) -> Floats:
        """Return H, (sum of layer sizes, queries): each variable in every layer that holds it, over sqrt(how many)."""
        return self.signal @ self.signature(values)

    @property
    def signal(self) -> Floats:
        """e, (rows of H, rows of V): an isometry on the variables that any layer holds."""
        rows = [name for layer in self.layers for name in layer]
        matrix = np.array([[float(row == name) for name in self.model.variables] for row in rows])
        times = np.maximum(matrix.sum(axis=0), 1.0)
        return np.asarray(matrix / np.sqrt(times))

    @property
    def noise(self) -> Floats:
        """g, (rows of V, rows of H): its transpose, which gives every variable back that any layer holds."""
        return self.signal.T

    @property
    def lost(self) -> tuple[str, ...]:
        """Variables that no layer holds: nothing reads them, and no representation of the chain gives them back."""
        held = {name for layer in self.layers for name in layer}
        return tuple(name for name in self.model.variables if name not in held)


def link(signature: Floats, trajectory: Floats, signal: Floats, noise: Floats) -> Link:
    """Return alpha = N(e V - H), beta = N(g H - V) and the operator norms of e and g.

    Args:
        signature: V, (D, queries). trajectory: H, (d, queries).
        signal: e, (d, D). noise: g, (D, d).

    Raises:
        InputError: shapes that do not fit, NaN or infinity.
    """
    shapes = [part.shape for part in (signature, trajectory, signal, noise)]
    wide, long = len(signature), len(trajectory)
    if shapes[0][1:] != shapes[1][1:] or shapes[2] != (long, wide) or shapes[3] != (wide, long):
        raise InputError(f"link: V, H, e and g have shapes {shapes}; with V (D, m) and H (d, m), e is (d, D), g (D, d)")
    if not all(np.isfinite(part).all() for part in (signature, trajectory, signal, noise)):
        raise InputError("link: V, H, e or g holds NaN or infinity")
    return Link(
        column_norm(signal @ signature - trajectory),
        column_norm(noise @ trajectory - signature),
        float(np.linalg.norm(signal, 2)),
        float(np.linalg.norm(noise, 2)),
    )


def _numbers(name: str, values: Array) -> Floats:
    if values.dtype.kind not in "biuf":
        raise InputError(f"chain: {name} takes words; code them as numbers to measure distances")
    return values.astype(np.float64)
