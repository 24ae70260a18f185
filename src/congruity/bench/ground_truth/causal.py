"""Written networks of the ground-truth benchmark: causal models in random directions of a residual stream.

Each value of a variable has a random direction (a real number has one), and each variable the same share of the
variance. The stream after layer l is the sum over the variables up to l. The number of layers and the scale are random.
Responses are recorded of interchanges of single variables ("nodes") and of all variables of a kind ("parts").

    copies   chain x -> a -> b, fork x -> a and x -> b, and chain x -> b -> a, with outputs a, b and x: every variable
             has the same value on every input. No measure of representations can tell these algorithms apart.
    clock    (a + b) mod 31 by turning: the products of the sines and cosines of a and b, frequency by frequency
    pizza    the same by averaging: (cos wa + cos wb) / 2, (sin wa + sin wb) / 2, times |cos(w (a - b) / 2)|
             With few random frequencies of 15, linear similarity follows the frequencies and not the algorithm.

Sources: Zhong et al. 2023, arXiv 2306.17844 (clock and pizza); docs/theorems.md, T3(n) (chain and fork).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.progress import Progress
from congruity._base.streams import stream
from congruity.known.recorded import Make, Network
from congruity.theory import CausalModel

_P = 31
_INPUTS = 96
_PAIRS = 192
_LAYERS = (4, 7)
_WIDTH = 64


def regimes(seed: int, small: bool) -> dict[str, Make]:
    """Return the regimes by name; each yields its networks by ``make("choose" or "report", progress)``."""
    few, every = functools.partial(_frequencies, count=4), functools.partial(_frequencies, count=15)
    found: dict[str, Make] = {
        "chain and fork": functools.partial(_made, "copies", _COPIES, seed, small),
        "clock and pizza, 4 of 15 frequencies": functools.partial(_made, "sum mod 31", _turning(few), seed, small),
        "clock and pizza, all frequencies": functools.partial(_made, "sum mod 31", _turning(every), seed, small),
    }
    return found


Build = Callable[[np.random.Generator], CausalModel]


def _made(
    family: str, builds: Mapping[str, Build], seed: int, small: bool, half: str, progress: Progress
) -> Iterator[Network]:
    count = 4 if small else {"choose": 6, "report": 12}[half]
    for name, build in builds.items():
        for number in range(count):
            progress(f"networks, {family}, to {half}", number, count)
            random = stream(seed, "bench ground truth", family, name, half, number)
            inputs = stream(seed, "bench ground truth", family, half)  # the same for all networks
            yield _written(f"{family}/{name}/{half}-{number}", family, name, build(random), inputs, random)
    progress(f"networks, {family}, to {half}", count, count)


def _written(
    name: str,
    family: str,
    algorithm: str,
    model: CausalModel,
    inputs: np.random.Generator,
    random: np.random.Generator,
) -> Network:
    """Return a causal model as a network: its variables in random directions, in topological order, a few a layer."""
    drawn = {x: inputs.integers(len(allowed or ()), size=_INPUTS + _PAIRS) for x, allowed in model.inputs.items()}
    solved = model.solve({x: v[:_INPUTS] for x, v in drawn.items()})
    source = model.solve({x: v[_INPUTS:] for x, v in drawn.items()})
    base = {x: np.tile(v[:_INPUTS], _PAIRS // _INPUTS) for x, v in drawn.items()}
    kinds: dict[str, list[str]] = {}
    for variable in model.inner:
        kinds.setdefault(variable.partition("_")[0], []).append(variable)
    swapped = {"nodes": [[variable] for variable in model.inner], "parts": list(kinds.values())}
    stream_, layers, size = np.zeros((_INPUTS, _WIDTH)), [], random.lognormal()
    order = [*model.inputs, *model.variables]
    for part in np.array_split(np.arange(len(order)), int(random.integers(*_LAYERS, endpoint=True))):
        for variable in (order[i] for i in part):
            written = _features(solved[variable]) @ random.normal(size=(_P + 1, _WIDTH))
            stream_ = stream_ + size * written / max(float(np.linalg.norm(written - written.mean(axis=0))), 1e-9)
        layers.append(stream_[:, None])
    return Network(
        name,
        family,
        algorithm,
        np.stack(layers),
        answers=_one_hot(model, solved).reshape(_INPUTS, -1),
        responses={key: np.stack([_moved(model, base, source, one) for one in sets]) for key, sets in swapped.items()},
    )


def _moved(model: CausalModel, base: Mapping[str, Any], source: Mapping[str, Any], variables: Sequence[str]) -> Floats:
    """Return the response to an interchange of ``variables``: change of the answers (pairs * outputs * values,)."""
    edited = _one_hot(model, model.solve(base, do={name: source[name] for name in variables}))
    return np.asarray(edited - _one_hot(model, model.solve(base))).reshape(-1)


def _features(values: Any) -> Floats:
    """Return (queries, 32): a value among 0, ..., 30 as one of 31 directions, a real number along the last."""
    found = np.zeros((len(values), _P + 1))
    if values.dtype.kind in "iub":
        found[np.arange(len(values)), values.astype(int)] = 1.0
    else:
        found[:, _P] = values
    return found


def _one_hot(model: CausalModel, values: Mapping[str, Any]) -> Floats:
    answers = model.answers(values).astype(int)  # (queries, outputs)
    return np.asarray(np.eye(_P)[answers])


# ------------------------------------------------------------------------------------------------ the causal models


def _copy(parents: Mapping[str, str]) -> Build:
    def build(random: np.random.Generator) -> CausalModel:
        mechanisms = {name: ((parent,), lambda value: value) for name, parent in parents.items()}
        outputs = {f"says_{name}": ((name,), lambda value: value) for name in ("a", "b")}
        return CausalModel({"x": range(8)}, mechanisms | outputs, tuple(outputs))

    return build


_COPIES: dict[str, Build] = {
    "chain": _copy({"a": "x", "b": "a"}),
    "fork": _copy({"a": "x", "b": "x"}),
    "chain back": _copy({"b": "x", "a": "b"}),
}


def _frequencies(random: np.random.Generator, count: int) -> list[float]:
    return [2 * np.pi * int(k) / _P for k in sorted(random.choice(np.arange(1, 16), count, replace=False))]


def _turning(draw: Callable[[np.random.Generator], list[float]]) -> dict[str, Build]:
    def build(model: Callable[[float], dict[str, Any]]) -> Build:
        def built(random: np.random.Generator) -> CausalModel:
            chosen = draw(random)
            mechanisms = {f"{name}_{k}": part for k, w in enumerate(chosen) for name, part in _at(model(w), k).items()}
            last = [f"{name}_{k}" for k in range(len(chosen)) for name in ("u", "v")]
            mechanisms["sum"] = (last, functools.partial(_nearest, chosen))
            return CausalModel({"a": range(_P), "b": range(_P)}, mechanisms, ("sum",))

        return built

    return {"clock": build(_clock), "pizza": build(_pizza)}


def _at(parts: dict[str, Any], k: int) -> dict[str, Any]:
    """Return mechanisms whose parents, other than the inputs, are those of frequency k."""
    return {
        name: ([p if p in ("a", "b") else f"{p}_{k}" for p in parents], function)
        for name, (parents, function) in parts.items()
    }


def _nearest(frequencies: Sequence[float], *uv: Any) -> Any:
    """Return the c whose directions agree best with (u, v): argmax_c sum_k u_k cos(w_k c) + v_k sin(w_k c)."""
    c = np.arange(_P)
    logits = sum(
        np.multiply.outer(u, np.cos(w * c)) + np.multiply.outer(v, np.sin(w * c))
        for w, u, v in zip(frequencies, uv[::2], uv[1::2], strict=True)
    )
    return np.asarray(logits).argmax(axis=-1)


def _clock(w: float) -> dict[str, Any]:
    return {
        "ca": (("a",), lambda a: np.cos(w * a)),
        "sa": (("a",), lambda a: np.sin(w * a)),
        "cb": (("b",), lambda b: np.cos(w * b)),
        "sb": (("b",), lambda b: np.sin(w * b)),
        "u": (("ca", "cb", "sa", "sb"), lambda ca, cb, sa, sb: ca * cb - sa * sb),
        "v": (("ca", "cb", "sa", "sb"), lambda ca, cb, sa, sb: sa * cb + ca * sb),
    }


def _pizza(w: float) -> dict[str, Any]:
    # (cos wa + cos wb) / 2 = cos(w (a + b) / 2) cos(w (a - b) / 2): a point on the ray that halves the angle. Doubling
    # its angle gives the sum; both |.| below are of the averages alone, and so is the length that weighs it.
    return {
        "mc": (("a", "b"), lambda a, b: (np.cos(w * a) + np.cos(w * b)) / 2),
        "ms": (("a", "b"), lambda a, b: (np.sin(w * a) + np.sin(w * b)) / 2),
        "length": (("mc", "ms"), lambda mc, ms: np.hypot(mc, ms)),
        "u": (("mc", "ms", "length"), lambda mc, ms, r: (mc**2 - ms**2) / np.maximum(r, 1e-9)),
        "v": (("mc", "ms", "length"), lambda mc, ms, r: 2 * mc * ms / np.maximum(r, 1e-9)),
    }
