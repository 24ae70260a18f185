"""Networks whose algorithm is known: does a measure tell same from other, and better than what knows nothing of it?

Every measure faces the same networks, the same inputs and the same rules, fixed before any result was seen:

- **Choice and report are kept apart.** Each measure may be read in nine ways (all layers side by side, the middle one
  or the last one; of each input one token, positions in turn, or the mean over tokens, or the last token). The way with
  the best pair AUROC on one set of networks is the one that is reported, on other networks. "the paper's recipe" is
  ridge on all layers, mean over tokens.
- **Pair AUROC**: are two networks of one algorithm closer than two of different ones? **Group AUROC**: the same for
  groups of six networks, by congruity (C), and by the mean distance between the groups for comparison. Pairs are only
  made within a family, whose algorithms all compute one function.
- **Intervals** are 95 % percentiles over 500 resamples of networks, within algorithm and group.
- **False alarms**: same-algorithm groups that `congruity.estimate` calls "different"; **missed**: different ones that
  it does not. Networks are the units.
- **Nuisance measures** see depth, width, or the sizes of principal components, and nothing of which inputs are alike. A
  measure counts as mechanistic only where it beats all of them.

Labels are interchange-equivalence classes (`congruity.theory.interchange`), which here are the programs.

A measure of your own: ``run(0, False, silent, entries={"mine": fn})`` with ``fn(X, Y) -> float``, a dissimilarity of
two representations (samples, features) of the same samples.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity import distances, measure
from congruity._random import stream
from congruity.bench import compiled_networks
from congruity.errors import InputError
from congruity.inference import estimate
from congruity.protocols import Progress
from congruity.values import Floats

Measure = Callable[[Floats, Floats], float]
READINGS = tuple(itertools.product(("all layers", "middle layer", "last layer"), ("tokens", "mean", "last token")))
RECIPE = ("all layers", "mean")
_RESAMPLES = 500
_GROUP = 6


@dataclass(frozen=True)
class Network:
    """A network and what it does on the shared inputs.

    Attributes:
        name: unique.
        family, algorithm: its label; networks of different families are never compared.
        states: residual stream after every block, (layers, inputs, positions, width).
    """

    name: str
    family: str
    algorithm: str
    states: Floats

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.states)

    def read(self, layers: str, pooling: str) -> Iterable[Floats]:
        """Yield (samples, features) of each layer that a reading takes."""
        chosen = {"all layers": slice(None), "middle layer": slice((self.depth - 1) // 2, (self.depth + 1) // 2)}
        for state in self.states[chosen.get(layers, slice(-1, None))]:
            if pooling == "tokens":
                inputs = np.arange(state.shape[0])
                yield state[inputs, inputs % state.shape[1]]
            else:
                yield state.mean(axis=1) if pooling == "mean" else state[:, -1]


def run(seed: int, small: bool, progress: Progress, *, entries: Mapping[str, Measure] | None = None) -> dict[str, Any]:
    """Return, for each regime and measure, how well it tells algorithms apart; see the module.

    Args:
        seed: of networks, inputs and resamples.
        small: two algorithms and few networks, for tests; the numbers mean nothing.
        progress: told how far it is.
        entries: further measures by name, functions of two representations.

    Raises:
        InputError: an entry that raises, or returns something else than a finite number.
    """
    result: dict[str, Any] = {}
    for regime, make in compiled_networks.regimes(seed, small).items():
        choose, report = ([Network(*parts) for parts in make(half, progress)] for half in ("choose", "report"))
        measures = _measures(small, entries or {})
        result[regime] = {}
        for done, (name, table) in enumerate(measures.items()):
            progress(f"{regime}: measures", done, len(measures))
            result[regime][name] = _judged(table, choose, report, seed, small)
            if name == "ridge":
                result[regime]["ridge, the paper's recipe"] = _at(RECIPE, table, report, seed, small)
        progress(f"{regime}: measures", len(measures), len(measures))
        result[regime] |= _nuisances(report, seed, small)
    return {"regimes": result, "networks": {"group": _group(small), "resamples": _RESAMPLES}}


# ------------------------------------------------------------------------------------------------------- measures

Table = Callable[[Sequence[Network], tuple[str, str]], Floats]


def _measures(small: bool, entries: Mapping[str, Measure]) -> dict[str, Table]:
    names = ("ridge", "procrustes", "cka", "rsa", "svcca", "spectral")[: 2 if small else None]
    return {name: _built_in(name) for name in names} | {name: entered(name, fn) for name, fn in entries.items()}


def _built_in(name: str) -> Table:
    distance = distances.Spectral(tol=0.05) if name == "spectral" else distances.chosen(name)  # as fine takes hours

    def table(networks: Sequence[Network], reading: tuple[str, str]) -> Floats:
        found = measure.pairwise((_gram(network, reading) for network in networks), distance, gram=True)
        return np.asarray(found.values)

    return table


def _gram(network: Network, reading: tuple[str, str]) -> Floats:
    centred = (part - part.mean(axis=0) for part in network.read(*reading))
    return np.asarray(sum(part @ part.T for part in centred))


def entered(name: str, fn: Measure) -> Table:
    """Return a measure made of a dissimilarity of two representations, (samples, features) each."""

    def table(networks: Sequence[Network], reading: tuple[str, str]) -> Floats:
        reprs = [np.concatenate(list(network.read(*reading)), axis=1) for network in networks]
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


def _nuisances(networks: Sequence[Network], seed: int, small: bool) -> dict[str, Any]:
    """Return what measures reach that see depth, width, or the sizes of principal components alone."""

    def sizes(network: Network) -> Floats:
        values = np.linalg.eigvalsh(_gram(network, RECIPE))[::-1].clip(min=0)
        return np.asarray(np.sqrt(values / values.sum()))

    seen: dict[str, list[Any]] = {
        "nuisance: depth": [np.array([float(n.depth)]) for n in networks],
        "nuisance: width": [np.array([float(n.states.shape[-1])]) for n in networks],
        "nuisance: sizes of principal components": [sizes(n) for n in networks],
    }

    def gaps(values: Sequence[Floats], rows: Sequence[int]) -> Floats:
        stacked = np.stack([values[i] for i in rows])
        return np.asarray(np.linalg.norm(stacked[:, None] - stacked[None], axis=-1))

    return {
        name: _row(_by_family(networks, functools.partial(gaps, values)), networks, seed, small)
        for name, values in seen.items()
    }


# ------------------------------------------------------------------------------------------------------- judging


def _judged(
    table: Table, choose: Sequence[Network], report: Sequence[Network], seed: int, small: bool
) -> dict[str, Any]:
    """Choose the reading on some networks, and report on others."""
    readings = READINGS[:: 4 if small else 1]
    found = {reading: _auroc(*_pairs(_tabled(table, choose, reading), choose)) for reading in readings}
    best = max(found, key=lambda reading: found[reading])
    return {"chosen_at": found[best]} | _at(best, table, report, seed, small)


def _at(reading: tuple[str, str], table: Table, networks: Sequence[Network], seed: int, small: bool) -> dict[str, Any]:
    return {"reading": " / ".join(reading)} | _row(_tabled(table, networks, reading), networks, seed, small)


def _tabled(table: Table, networks: Sequence[Network], reading: tuple[str, str]) -> Floats:
    return _by_family(networks, lambda rows: table([networks[i] for i in rows], reading))


def _by_family(networks: Sequence[Network], table: Callable[[list[int]], Floats]) -> Floats:
    """Fill (N, N) family by family; pairs across families are NaN and never used."""
    result = np.full((len(networks), len(networks)), np.nan)
    for family in dict.fromkeys(network.family for network in networks):
        rows = [i for i, network in enumerate(networks) if network.family == family]
        result[np.ix_(rows, rows)] = table(rows)
    return result


def _row(table: Floats, networks: Sequence[Network], seed: int, small: bool) -> dict[str, Any]:
    """Return all figures of one table, each with its interval over networks."""
    groups = _groups(networks, _group(small))
    both = [
        (a, b, networks[a[0]].algorithm == networks[b[0]].algorithm)
        for a, b in itertools.combinations(groups, 2)
        if networks[a[0]].family == networks[b[0]].family
    ]
    draws = _draws(groups, len(networks), seed)
    closeness = np.stack([congruities(table, a, b, draws) for a, b, _ in both])  # (pairs, 1 + resamples)
    same = np.array([alike for _, _, alike in both])
    between = np.stack([_mean_between(table, a, b, draws) for a, b, _ in both])
    values, alike, rows, columns = _listed(table, networks)
    weights = draws[:, rows] * draws[:, columns]
    verdicts = [_different(table, networks, a, b) for a, b, _ in both]
    return {
        "group_auroc": _auroc(-closeness[:, 0], same),
        **_ends("", [_auroc(-column, same) for column in closeness[:, 1:].T]),
        "pair_auroc": _auroc(values, alike),
        **_ends("pair_", [_auroc(values, alike, w) for w in weights[1:]]),
        "mean_auroc": _auroc(between[:, 0], same),
        **_ends("mean_", [_auroc(column, same) for column in between[:, 1:].T]),
        "false_alarm": float(np.mean([v for v, (_, _, alike) in zip(verdicts, both, strict=True) if alike])),
        "missed": float(np.mean([not v for v, (_, _, alike) in zip(verdicts, both, strict=True) if not alike])),
        "groups": [int(same.sum()), int((~same).sum())],
    }


def _group(small: bool) -> int:
    return 2 if small else _GROUP


def _groups(networks: Sequence[Network], size: int) -> list[list[int]]:
    """Return groups of networks of one algorithm, in order."""
    labels = [(network.family, network.algorithm) for network in networks]
    members = [[i for i, label in enumerate(labels) if label == one] for one in dict.fromkeys(labels)]
    return [rows[start : start + size] for rows in members for start in range(0, len(rows) - size + 1, size)]


def _draws(groups: Sequence[Sequence[int]], n: int, seed: int) -> NDArray[np.float64]:
    """Return (1 + resamples, N) how often each network is drawn: once first, then with replacement in each group."""
    random = stream(seed, "bench ground truth", "resamples")
    draws = np.ones((1 + _RESAMPLES, n))
    for rows in groups:
        draws[1:, rows] = random.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=_RESAMPLES)
    return draws


def congruities(table: Floats, a: Sequence[int], b: Sequence[int], draws: NDArray[np.float64]) -> Floats:
    """Return (B,) congruity between two groups, each network counted as often as its column of ``draws`` says.

    A triple of a network with itself is left out. NaN-free: where no triple is left, congruity is that of a coin, 1.
    """
    total = np.zeros(len(draws))
    for mine, other in ((a, b), (b, a)):
        within, between = table[np.ix_(mine, mine)], table[np.ix_(other, mine)]  # [source, target]
        closer = (within[:, None] < between[None]) + 0.5 * (within[:, None] == between[None])  # source, other, target
        closer[np.arange(len(mine)), :, np.arange(len(mine))] = 0.0
        own, others = draws[:, mine], draws[:, other]
        wins = np.einsum("ri,rk,rj,ikj->r", own, others, own, closer, optimize=True)
        triples = (own.sum(axis=1) ** 2 - (own**2).sum(axis=1)) * others.sum(axis=1)
        total += np.divide(wins, triples, out=np.full(len(draws), 0.5), where=triples > 0)
    return np.asarray(1 - np.abs(total - 1))


def _mean_between(table: Floats, a: Sequence[int], b: Sequence[int], draws: NDArray[np.float64]) -> Floats:
    both = (table[np.ix_(a, b)] + table[np.ix_(b, a)].T) / 2
    weight = draws[:, a].sum(axis=1) * draws[:, b].sum(axis=1)
    return np.asarray(np.einsum("ri,rj,ij->r", draws[:, a], draws[:, b], both, optimize=True) / weight)


def _different(table: Floats, networks: Sequence[Network], a: list[int], b: list[int]) -> bool:
    rows = [*a, *b]
    side = ["a"] * len(a) + ["b"] * len(b)
    found = estimate(table[np.ix_(rows, rows)], side, base=[networks[i].name for i in rows], n_bootstrap=99)
    return found.verdict == "different"


def _pairs(table: Floats, networks: Sequence[Network]) -> tuple[Floats, NDArray[np.bool_]]:
    return _listed(table, networks)[:2]


def _listed(table: Floats, networks: Sequence[Network]) -> tuple[Floats, NDArray[np.bool_], Any, Any]:
    """Return the distances of all pairs within a family, whether each is of one algorithm, and its two networks."""
    rows, columns = np.triu_indices(len(networks), 1)
    family, algorithm = (np.array([getattr(n, key) for n in networks]) for key in ("family", "algorithm"))
    kept = family[rows] == family[columns]
    rows, columns = rows[kept], columns[kept]
    return (table[rows, columns] + table[columns, rows]) / 2, algorithm[rows] == algorithm[columns], rows, columns


def _auroc(distance: Floats, same: NDArray[np.bool_], weights: Floats | None = None) -> float:
    """Return the probability that a pair of one algorithm is closer than another; ties count half."""
    from scipy.stats import rankdata

    if weights is None:
        ranks, n = rankdata(distance), int(same.sum())
        return float(1 - (ranks[same].sum() - n * (n + 1) / 2) / (n * (len(same) - n)))
    order = np.argsort(distance, kind="stable")
    values, alike, w = distance[order], same[order], weights[order]
    other = np.where(alike, 0.0, w)
    _, first, index = np.unique(values, return_index=True, return_inverse=True)
    at = np.add.reduceat(other, first)
    farther = other.sum() - np.cumsum(at) + at / 2  # different pairs farther than each value, ties half
    own = np.where(alike, w, 0.0)
    return float((own * farther[index]).sum() / (own.sum() * other.sum()))


def _ends(prefix: str, values: Sequence[float]) -> dict[str, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return {f"{prefix}low": float(low), f"{prefix}high": float(high)}
