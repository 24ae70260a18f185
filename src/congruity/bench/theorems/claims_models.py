"""Claims about causal models themselves: L1, P2, T0."""

from __future__ import annotations

from typing import Any

import numpy as np

from congruity.bench.theorems.claims import Claim, Drawn
from congruity.theory import CausalModel, bounds, equivalence
from congruity.theory.abstraction import abstraction_error, largest_difference
from congruity.theory.alignment import Alignment
from congruity.theory.chain import Chain, link
from congruity.theory.equivalence import Floats
from congruity.theory.queries import Interchanges


def _table(random: np.random.Generator, scale: float = 1.0) -> Any:
    values = random.normal(size=64) * scale

    def mechanism(*parents: Any) -> Any:
        place = np.zeros(len(np.asarray(parents[0])), dtype=np.int64)
        for parent in parents:
            place = place * 7 + np.floor(np.asarray(parent) * 3).astype(np.int64)
        return values[place % 64]

    return mechanism


def _composed(random: np.random.Generator) -> Drawn:
    """Three models over one input, each a rough copy of what the one below computes."""
    inputs: dict[str, Any] = {"x": range(4)}
    low = CausalModel(
        inputs,
        {"l1": (("x",), _table(random)), "l2": (("x",), _table(random)), "l3": (("l1", "l2"), _table(random))},
        ("l3",),
    )
    a, b = random.normal(size=2) * random.choice([0.3, 1.0, 3.0])
    first = Alignment({"m1": ("l1",), "m2": ("l2", "l3")}, {"m2": lambda two, three: (two + three) / 2})
    second = Alignment({"h": ("m1", "m2")}, {"h": lambda one, two: a * one + b * two})
    rough = float(random.choice([0.0, 0.1, 1.0]))
    alone = low.solve({"x": np.arange(4)})
    read = {name: values + rough * random.normal(size=4) for name, values in first.read(alone).items()}
    added = random.normal(size=(3, 4))
    if random.random() < 0.3:  # errors that add up
        added = -np.sign([[a], [b], [-1.0]]) * np.ones(4)
    read = {name: read + rough * added[k] for k, (name, read) in enumerate(first.read(alone).items())}
    middle = _by_table(inputs, read)
    (seen,) = second.read(middle.solve({"x": np.arange(4)})).values()
    high = _by_table(inputs, {"h": seen - rough * added[2]})
    queries = Interchanges.every(high)
    names = {name: queries.swapped["h"] for name in ("m1", "m2")}
    inner = Interchanges(queries.base, queries.source, names)
    errors = [
        abstraction_error(*pair, metric=largest_difference)
        for pair in (
            (low, middle, first, inner),
            (middle, high, second, queries),
            (low, high, first.then(second), queries),
        )
    ]
    lipschitz = abs(float(a)) + abs(float(b))
    left = [(errors[2].sup, errors[0].sup, errors[1].sup), (errors[2].mean, errors[0].mean, errors[1].mean)]
    worst = max(left, key=lambda e: e[0] - bounds.composed_error(e[1], e[2], lipschitz))
    return Drawn(
        {
            "": (worst[0], bounds.composed_error(worst[1], worst[2], lipschitz)),
        },
        {
            "without the Lipschitz constant": (worst[0], worst[1] + worst[2]),
            "the larger error alone": (worst[0], max(worst[2], lipschitz * worst[1])),
        },
    )


def _by_table(inputs: dict[str, Any], values: dict[str, Floats]) -> CausalModel:
    def looked_up(column: Floats) -> Any:
        return lambda x: column[x]

    names = tuple(values)
    return CausalModel(inputs, {name: (("x",), looked_up(values[name])) for name in names}, names[-1:])


def _chained(random: np.random.Generator) -> Drawn:
    names, mechanisms = ["x", "z"], {}
    for i in range(int(random.integers(1, 7))):
        parents = list(random.choice(names, size=min(len(names), int(random.integers(1, 4))), replace=False))
        weights, shift = random.integers(-2, 3, size=len(parents)), int(random.integers(0, 3))
        mechanisms[f"v{i}"] = (tuple(map(str, parents)), _linear(weights, shift))
        names.append(f"v{i}")
    outputs = tuple(sorted({str(name) for name in random.choice(names[2:], size=2)}))
    model = CausalModel({"x": range(3), "z": range(2)}, mechanisms, outputs)
    chain, inputs = Chain.of(model), model.every_input()
    solved = model.solve(inputs)
    wrong = 0
    layer: dict[str, Any] = {}
    for t in range(-1, len(chain.layers) - 1):
        layer = chain.step(t, inputs, layer)
        wrong += sum(int((layer[name] != solved[name]).any()) for name in layer)
    wrong += sum(name not in chain.layers[-1] for name in outputs)
    made = link(chain.signature(solved), chain.trajectory(solved), chain.signal, chain.noise)
    held = not any(solved[name].any() for name in chain.lost)
    plain = np.where(chain.signal > 0, 1.0, 0.0)
    return Drawn(
        {
            "": (
                wrong + made.signal_error + (made.noise_error if held else 0.0) + max(0.0, made.signal_gain - 1),
                1e-12,
            ),
        },
        {
            "without the weights of repeats": (float(np.linalg.norm(plain, 2)), 1.0),
            "it gives every variable back": (made.noise_error, 0.0),
        },
    )


def _linear(weights: Any, shift: int) -> Any:
    return lambda *values: (sum(w * v for w, v in zip(weights, values, strict=True)) + shift) % 3


def _behaviour(random: np.random.Generator) -> Drawn:
    """Responses of implementations are any within the tolerance of their interpretation's; the largest difference."""
    n, m = (int(size) for size in random.integers(1, 5, size=2))
    tolerance = float(random.uniform(0.05, 1.0))
    truth = np.round(random.normal(size=(2, m)), 1)
    exact = random.random() < 0.3
    off = random.choice([-1.0, 0.0, 1.0], size=(2, n, m)) * tolerance
    if exact:
        off[:, 0] = 0.0
    found = (truth[:, None] + off).reshape(2 * n, m)
    table = np.abs(found[:, None] - found).max(axis=-1)
    sets = equivalence.d_interp(table, np.arange(2 * n) < n)
    between = float(np.abs(truth[0] - truth[1]).max())
    wide = max(sets.compressions)
    away = abs(sets.d_interp - between)
    return Drawn(
        {
            "d_interp": (away, bounds.behavioural_interval(0.0, tolerance, exact_members=exact)[1]),
            "kappa": (wide, bounds.behavioural_compression(tolerance)),
        },
        {
            "kappa <= 1.9 tolerances": (wide, 1.9 * tolerance),
            "one tolerance without exact members": (away, tolerance),
            "half a tolerance with exact members": (away if exact else 0.0, tolerance / 2),
        },
    )


CLAIMS = (
    Claim("L1 composition", "error of two steps <= second + Lip * first", _composed, 1000),
    Claim("P2 chain", "layers follow from each other; alpha = 0, beta = 0 where held, e an isometry", _chained, 2000),
    Claim("T0 behaviour", "kappa <= 2 eta; |d_interp - D| <= 2 eta, or eta", _behaviour),
)
