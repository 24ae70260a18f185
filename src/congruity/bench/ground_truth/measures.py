"""The measures that face the ground-truth benchmark: of representations, of swaps, from outside, and nuisances."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from congruity import distances
from congruity._base.arrays import Floats
from congruity.comparison import arrays as measure
from congruity.errors import InputError
from congruity.known import response_distance as swaps
from congruity.known.recorded import READINGS, Network, Reading

Measure = Callable[[Floats, Floats], float]
RECIPE_ROW = "ridge, the paper's recipe"
Table = Callable[[Sequence[Network], Reading], Floats]
_ONCE: tuple[Reading, ...] = (("whole network",),)


@dataclass(frozen=True)
class Entry:
    """A measure: (networks, reading) -> their distances, and the readings among which it chooses."""

    table: Table
    readings: tuple[Reading, ...] = READINGS


def facing(networks: Sequence[Network], entries: Mapping[str, Measure], *, fast: bool) -> dict[str, Entry]:
    """Return the measures that these networks have what it takes for; ``fast`` leaves out what takes minutes.

    Raises:
        InputError: an entry has the name of a measure that is there.
    """
    names = ("ridge", "procrustes", "cka", "rsa", "svcca", "spectral")[: -1 if fast else None]
    readings = networks[0].readings
    for name in entries:
        if name in {*names, "swaps", RECIPE_ROW} or name.startswith("nuisance: "):
            raise InputError(f"a measure is named {name!r} already; give yours another name")
    found = {name: Entry(entered(name, fn), readings) for name, fn in entries.items()}  # first: they are what may fail
    found |= {name: Entry(built_in(name), readings) for name in names}
    if "spectral" in found and len(readings) > 3:
        found["spectral"] = Entry(built_in("spectral"), readings[::4])  # minutes each
    swapped = tuple(name for name in ("nodes", "parts") if all(name in network.responses for network in networks))
    by_swaps = tuple((name,) for name in swapped)
    if swapped:
        found["swaps"] = Entry(
            lambda those, reading: swaps.distances([n.responses[reading[0]] for n in those]), by_swaps
        )
    found |= {f"nuisance: {name}": Entry(nuisance(read), readings) for name, read in NUISANCES.items()}
    if not all(len(network.states) for network in networks):
        del found["nuisance: variance over depth"]
    if swapped:
        found["nuisance: sizes of effects"] = Entry(
            nuisance(lambda n, at: swaps.sizes(n.responses[at[0]], 24)), by_swaps
        )
        found["nuisance: active parts"] = Entry(nuisance(lambda n, at: swaps.active(n.responses[at[0]])), by_swaps)
    if all(network.answers is not None for network in networks):
        found["nuisance: answers"] = Entry(nuisance(lambda n, at: np.asarray(n.answers).ravel()), _ONCE)
    if all(network.layout is not None for network in networks):
        found["nuisance: layout"] = Entry(nuisance(lambda n, at: np.asarray(n.layout)), _ONCE)
    return found


def built_in(name: str) -> Table:
    """Return one of our distances as a measure of representations."""
    distance = distances.chosen(distances.Spectral(tol=0.05) if name == "spectral" else name)  # finer takes hours

    def table(networks: Sequence[Network], reading: Reading) -> Floats:
        found = measure.pairwise((_gram(network, reading) for network in networks), distance, gram=True)
        return np.asarray(found.values)

    return table


def _gram(network: Network, reading: Reading) -> Floats:
    return np.asarray(sum(part @ part.T for part in _centred(network, reading)))


def _centred(network: Network, reading: Reading) -> list[Floats]:
    return [part - part.mean(axis=0) for part in network.read(reading[0], reading[1])]


def entered(name: str, fn: Measure) -> Table:
    """Return a measure made of a dissimilarity of two representations, (samples, features) each."""

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
    """Return the share of the variance in the layers up to each fifth of the depth."""
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
    """Return the distance between some numbers read from each network."""

    def table(networks: Sequence[Network], reading: Reading) -> Floats:
        values = np.stack([read(network, reading) for network in networks])
        return np.asarray(np.linalg.norm(values[:, None] - values[None], axis=-1))

    return table
