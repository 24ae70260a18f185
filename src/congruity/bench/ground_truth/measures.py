"""Measures of the ground-truth benchmark.

Distances of representations, distances of responses to interchanges ("swaps"), plug-ins, and nuisance measures.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from congruity import distances
from congruity._base.arrays import Floats
from congruity.comparison.arrays import pairwise
from congruity.errors import InputError
from congruity.known import response_distance
from congruity.known.recorded import READINGS, Network, Reading

Measure = Callable[[Floats, Floats], float]
RECIPE_ROW = "ridge, the paper's recipe"
Table = Callable[[Sequence[Network], Reading], Floats]
_ONCE: tuple[Reading, ...] = (("whole network",),)


@dataclass(frozen=True)
class Entry:
    """A measure of the benchmark.

    Attributes:
        table: (networks, reading) -> distances (N, N).
        readings: among which the measure chooses.
    """

    table: Table
    readings: tuple[Reading, ...] = READINGS


def applicable(networks: Sequence[Network], plugins: Mapping[str, Measure], *, fast: bool) -> dict[str, Entry]:
    """Return the measures whose inputs were all recorded of the networks, plug-ins first.

    Args:
        networks: that choose and that report.
        plugins: measures of a user's own, by name.
        fast: leave out the measures that take minutes.

    Raises:
        InputError: a plug-in has the name of another measure.
    """
    names = ("ridge", "procrustes", "cka", "rsa", "svcca", "spectral")[: -1 if fast else None]
    readings = networks[0].readings
    for name in plugins:
        if name in {*names, "swaps", RECIPE_ROW} or name.startswith("nuisance: "):
            raise InputError(f"a measure is named {name!r} already; give yours another name")
    found = {name: Entry(from_function(name, fn), readings) for name, fn in plugins.items()}  # first, as they may fail
    found |= {name: Entry(built_in(name), readings) for name in names}
    if "spectral" in found and len(readings) > 3:
        found["spectral"] = Entry(built_in("spectral"), readings[::4])  # minutes each
    recorded = tuple((name,) for name in ("nodes", "parts") if all(name in one.responses for one in networks))
    if recorded:
        found["swaps"] = Entry(_between_responses, recorded)
    found |= {f"nuisance: {name}": Entry(nuisance(read), readings) for name, read in NUISANCES.items()}
    if not all(len(network.states) for network in networks):
        del found["nuisance: variance over depth"]
    if recorded:
        sizes, active = (nuisance(read) for read in (_sizes_of_effects, _active_parts))
        found |= {
            "nuisance: sizes of effects": Entry(sizes, recorded),
            "nuisance: active parts": Entry(active, recorded),
        }
    if all(network.answers is not None for network in networks):
        found["nuisance: answers"] = Entry(nuisance(lambda n, at: np.asarray(n.answers).ravel()), _ONCE)
    if all(network.layout is not None for network in networks):
        found["nuisance: layout"] = Entry(nuisance(lambda n, at: np.asarray(n.layout)), _ONCE)
    return found


def _between_responses(networks: Sequence[Network], reading: Reading) -> Floats:
    return response_distance.distances([network.responses[reading[0]] for network in networks])


def _sizes_of_effects(network: Network, reading: Reading) -> Floats:
    return response_distance.sizes(network.responses[reading[0]], 24)


def _active_parts(network: Network, reading: Reading) -> Floats:
    return response_distance.active(network.responses[reading[0]])


def built_in(name: str) -> Table:
    """Return a registered distance as a measure of representations."""
    distance = distances.chosen(distances.Spectral(tol=0.05) if name == "spectral" else name)  # finer takes hours

    def table(networks: Sequence[Network], reading: Reading) -> Floats:
        found = pairwise((_gram(network, reading) for network in networks), distance, gram=True)
        return np.asarray(found.values)

    return table


def _gram(network: Network, reading: Reading) -> Floats:
    return np.asarray(sum(part @ part.T for part in _centred(network, reading)))


def _centred(network: Network, reading: Reading) -> list[Floats]:
    return [part - part.mean(axis=0) for part in network.read(reading[0], reading[1])]


def from_function(name: str, fn: Measure) -> Table:
    """Return a plug-in, a dissimilarity of two representations (samples, features), as a measure."""

    def table(networks: Sequence[Network], reading: Reading) -> Floats:
        reprs = [np.concatenate(_centred(network, reading), axis=1) for network in networks]
        if constant := [n.name for n, x in zip(networks, reprs, strict=True) if not x.any()]:
            raise InputError(f"{constant[0]} is the same on every input at {' / '.join(reading)}; leave it out")
        reprs = [x / np.linalg.norm(x) for x in reprs]
        values = np.zeros((len(reprs), len(reprs)))
        for i, j in itertools.permutations(range(len(reprs)), 2):
            try:
                values[i, j] = float(fn(reprs[i], reprs[j]))
            except Exception as error:
                raise InputError(
                    f"measure {name!r} raised {type(error).__name__} for shapes {reprs[i].shape} and "
                    f"{reprs[j].shape}: {error}"
                ) from error
            if not np.isfinite(values[i, j]):
                raise InputError(
                    f"measure {name!r} gave {values[i, j]} for {networks[i].name} and {networks[j].name}; it must be "
                    "a finite number"
                )
        values -= min(0.0, float(values.min()))  # only the order counts
        np.fill_diagonal(values, 0.0)
        return values

    return table


def _sizes(network: Network, reading: Reading) -> Floats:
    values = np.linalg.eigvalsh(_gram(network, reading))[::-1].clip(min=0)
    return np.asarray(np.sqrt(values / values.sum()))


def _over_depth(network: Network, reading: Reading) -> Floats:
    """Return the share (4,) of the variance in the layers up to each fifth of the depth."""
    found = [float(np.square(part).sum()) for part in _centred(network, ("all layers", reading[1]))]
    share = np.cumsum(found) / np.sum(found)
    return np.asarray(np.interp(np.linspace(0.2, 0.8, 4), np.linspace(0, 1, len(share)), share))


NUISANCES: dict[str, Callable[[Network, Reading], Floats]] = {
    "depth": lambda network, reading: np.array([float(network.depth)]),
    "width": lambda network, reading: np.array([float(network.width)]),
    "size": lambda network, reading: np.log([float(np.trace(_gram(network, reading)))]),
    "variance over depth": _over_depth,
    "sizes of principal components": _sizes,
}


def nuisance(read: Callable[[Network, Reading], Floats]) -> Table:
    """Return the Euclidean distance between the numbers that ``read`` gives of each network, as a measure."""

    def table(networks: Sequence[Network], reading: Reading) -> Floats:
        values = np.stack([read(network, reading) for network in networks])
        return np.asarray(np.linalg.norm(values[:, None] - values[None], axis=-1))

    return table
