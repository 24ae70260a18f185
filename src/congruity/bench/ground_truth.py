"""Networks whose algorithm is known: does a measure tell same from other, and better than what knows nothing of it?

Every measure faces the same networks, the same inputs and the same rules, fixed before any result was seen:

- **Regimes**: compiled programs in disguise, trained networks and attacks on measures, causal models written down
  (`compiled_networks`, `trained_networks`, `causal_networks`).
- **Choice and report are kept apart.** Each measure may be read in several ways (what is recorded on inputs: all layers
  side by side, the middle one or the last one; of each input one token, positions in turn, or the mean over tokens, or
  the last token; swaps: of single nodes or whole parts). The way with the best pair AUROC on one set of networks is the
  one that is reported, on other networks. "the paper's recipe" is ridge on all layers, mean over tokens.
- **Pair AUROC**: are two networks of one algorithm closer than two of different ones? **Group AUROC**: the same for
  groups of about six networks, by congruity (C), and by the mean distance between the groups for comparison. Pairs are
  only made within a family, whose algorithms all compute one function.
- **Hard pairs**, where networks were laid out: only pairs of one algorithm in unlike layouts, and of different ones in
  like layouts (farther apart, or nearer, than the median pair).
- **Every family counts alike**: areas are means over families, whose distances are not compared.
- **Intervals** are 95 %, by the jackknife over networks (each left out once). They cover networks, and neither
  algorithms nor inputs.
- **False alarms**: same-algorithm groups that `congruity.estimate` calls "different", over 20 random divisions of each
  algorithm's networks into groups; **missed**: different ones that it does not. Networks are the units.
- **Nuisance measures** see depth, width, size, how variance grows over depth, the sizes of principal components, the
  answers, where the layout put what, how many parts are active or how large the effects of swaps are, and nothing of
  which inputs are alike. They choose their reading as the others do. A measure counts as mechanistic only where it
  beats all of them.

Labels are interchange-equivalence classes (`congruity.theory.interchange`), which here are the programs.

A measure of your own: ``run(0, False, silent, entries={"mine": fn})`` with ``fn(X, Y) -> float``, a dissimilarity of
two representations (samples, features) of the same samples, centred and of unit norm.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from congruity import engine
from congruity._random import stream
from congruity.bench import causal_networks, compiled_networks, measures, shipped, trained_networks
from congruity.bench.measures import Entry, Measure
from congruity.bench.network import RECIPE, Make, Network
from congruity.inference import estimate
from congruity.protocols import Progress
from congruity.values import Floats

_GROUP = 6
_DIVISIONS = 20


def run(
    seed: int,
    small: bool,
    progress: Progress,
    *,
    entries: Mapping[str, Measure] | None = None,
    quick: bool = False,
) -> dict[str, Any]:
    """Return, for each regime and measure, how well it tells algorithms apart; see the module.

    Args:
        seed: of networks and inputs.
        small: two algorithms and few networks, for tests; the numbers mean nothing.
        progress: told how far it is.
        entries: further measures by name, functions of two representations.
        quick: only the networks that come with the package (`shipped`), without the measures that take minutes.

    Raises:
        InputError: an entry that raises, or returns something else than a finite number.
    """
    result: dict[str, Any] = {}
    for regime, make in (shipped.regimes() if quick else _regimes(seed, small)).items():
        choose, report = (list(make(half, progress)) for half in ("choose", "report"))
        faced = measures.facing(choose + report, entries or {}, fast=small or quick)
        rows = engine.each(
            functools.partial(_judged, choose=choose, report=report, small=small),
            list(faced.values()),
            where="here" if small or quick else "processes",
            done=functools.partial(_told, progress, regime, len(faced)),
        )
        result[regime] = dict(zip(faced, rows, strict=True))
        result[regime]["ridge, the paper's recipe"] = _at(RECIPE, faced["ridge"], report, small)
    return {"regimes": result, "networks": {"group": _group(small)}}


def _told(progress: Progress, regime: str, total: int, done: int) -> None:
    progress(f"{regime}: measures", done, total)


def _regimes(seed: int, small: bool) -> dict[str, Make]:
    found: dict[str, Make] = {}
    for family in (compiled_networks, trained_networks, causal_networks):
        found |= family.regimes(seed, small)
    return found


def rows(found: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what `run` gave as rows to print: one a regime and measure."""
    return [
        {
            "regime": regime,
            "measure": name,
            "read at": row["reading"],
            "groups": f"{row['group_auroc']:.2f} [{row['low']:.2f}, {row['high']:.2f}]",
            "pairs": f"{row['pair_auroc']:.2f} [{row['pair_low']:.2f}, {row['pair_high']:.2f}]",
            "false alarms": f"{row['false_alarm']:.2f}",
            "missed": f"{row['missed']:.2f}",
        }
        for regime, measures_ in found["regimes"].items()
        for name, row in measures_.items()
    ]


# ------------------------------------------------------------------------------------------------------- judging


def _judged(entry: Entry, choose: Sequence[Network], report: Sequence[Network], small: bool) -> dict[str, Any]:
    """Choose the reading on some networks, and report on others."""
    found = {}
    for reading in entry.readings[:: 4 if small else 1]:
        values, pairs = _listed(_tabled(entry, choose, reading), choose)
        found[reading] = _auroc(values, pairs)
    best = max(found, key=lambda reading: found[reading])
    return {"chosen_at": found[best]} | _at(best, entry, report, small)


def _at(reading: tuple[str, ...], entry: Entry, networks: Sequence[Network], small: bool) -> dict[str, Any]:
    return {"reading": " / ".join(reading)} | _row(_tabled(entry, networks, reading), networks, small)


def _tabled(entry: Entry, networks: Sequence[Network], reading: tuple[str, ...]) -> Floats:
    """Fill (N, N) family by family; pairs across families are NaN and never used."""
    result = np.full((len(networks), len(networks)), np.nan)
    for family in dict.fromkeys(network.family for network in networks):
        rows = [i for i, network in enumerate(networks) if network.family == family]
        result[np.ix_(rows, rows)] = entry.table([networks[i] for i in rows], reading)
    return result


class _Pairs(NamedTuple):
    """Pairs of networks, or of groups: their family, and whether both are of one algorithm."""

    family: NDArray[Any]
    same: NDArray[np.bool_]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]


def _row(table: Floats, networks: Sequence[Network], small: bool) -> dict[str, Any]:
    """Return all figures of one table, each with its interval over networks."""
    groups = _groups(networks, _group(small))
    both = [(a, b) for a, b in itertools.combinations(groups, 2) if networks[a[0]].family == networks[b[0]].family]
    family = np.array([networks[a[0]].family for a, _ in both])
    same = np.array([networks[a[0]].algorithm == networks[b[0]].algorithm for a, b in both])
    of_groups = _Pairs(family, same, *np.zeros((2, len(both)), dtype=np.intp))
    draws = np.concatenate([np.ones((1, len(networks))), 1 - np.eye(len(networks))])  # all, then each left out
    closeness = np.stack([congruities(table, a, b, draws) for a, b in both])  # (pairs, 1 + networks)
    between = np.stack([_mean_between(table, a, b, draws) for a, b in both])
    values, pairs = _listed(table, networks)
    kept = draws[:, pairs.rows] * draws[:, pairs.columns]
    missed = [not _different(table, networks, a, b) for (a, b), alike in zip(both, same, strict=True) if not alike]
    return {
        **_figure("group_auroc", "", [_auroc(-column, of_groups) for column in closeness.T], groups),
        **_figure("pair_auroc", "pair_", [_auroc(values, pairs, w) for w in kept], groups),
        **_figure("mean_auroc", "mean_", [_auroc(column, of_groups) for column in between.T], groups),
        "false_alarm": _false_alarms(table, networks, _group(small), 1 if small else _DIVISIONS),
        "missed": float(np.mean(missed)),
        "groups": [int(same.sum()), int((~same).sum())],
        "congruity": {
            "same": np.round(closeness[same, 0], 4).tolist(),
            "different": np.round(closeness[~same, 0], 4).tolist(),
        },
        **_hard(values, pairs, kept, networks, groups),
        "structure": _structure(table, networks),
    }


def _false_alarms(table: Floats, networks: Sequence[Network], size: int, divisions: int) -> float:
    """Return how often groups of one algorithm are called different, over random divisions of its networks."""
    found = []
    for number in range(divisions):
        order = stream(number, "bench ground truth", "divisions").permutation(len(networks))
        for a, b in itertools.combinations(_groups([networks[i] for i in order], size), 2):
            a, b = (sorted(order[part].tolist()) for part in (a, b))
            if _label(networks[a[0]]) == _label(networks[b[0]]):
                found.append(_different(table, networks, a, b))
    return float(np.mean(found))


def _label(network: Network) -> tuple[str, str]:
    return network.family, network.algorithm


def _hard(
    values: Floats, pairs: _Pairs, weights: Floats, networks: Sequence[Network], groups: Sequence[Sequence[int]]
) -> dict[str, float]:
    """Return the pair AUROC of pairs whose layouts say the contrary of their algorithms; nothing without layouts."""
    layouts = [network.layout for network in networks]
    if any(layout is None for layout in layouts):
        return {}
    where = np.stack([np.asarray(layout) for layout in layouts])
    apart = np.linalg.norm(where[pairs.rows] - where[pairs.columns], axis=1)
    hard = np.where(pairs.same, apart >= np.median(apart), apart <= np.median(apart))
    if not (hard & pairs.same).any() or not (hard & ~pairs.same).any():
        return {}
    part = _Pairs(*(column[hard] for column in pairs))
    return _figure("hard_auroc", "hard_", [_auroc(values[hard], part, w[hard]) for w in weights], groups)


def _structure(table: Floats, networks: Sequence[Network]) -> dict[str, Any]:
    """Return the mean distance between networks of any two algorithms of a family, a network's with itself left out."""
    found = {}
    for family in dict.fromkeys(network.family for network in networks):
        rows: dict[str, list[int]] = {}
        for i, network in enumerate(networks):
            if network.family == family:
                rows.setdefault(network.algorithm, []).append(i)
        both = (table + table.T) / 2
        means = [
            [float(both[np.ix_(a, b)].sum() / (len(a) * len(b) - (len(a) if a is b else 0))) for b in rows.values()]
            for a in rows.values()
        ]
        found[family] = {"algorithms": list(rows), "distances": np.round(means, 6).tolist()}
    return found


def _figure(name: str, prefix: str, values: Sequence[float], groups: Sequence[Sequence[int]]) -> dict[str, float]:
    """Return an area with its 95 % interval by the jackknife; ``values`` is that of all networks, then each left out.

    se^2 = sum over groups of (n - 1) / n * sum over its n networks of (left out - their mean)^2.
    Source: Efron and Stein 1981, Annals of Statistics 9 (3), for several independent samples.
    """
    left_out = np.array(values[1:])
    error = np.sqrt(sum((len(g) - 1) * float(np.var(left_out[list(g)])) for g in groups))
    low, high = (float(np.clip(values[0] + sign * 1.96 * error, 0, 1)) for sign in (-1, 1))
    return {name: values[0], f"{prefix}low": low, f"{prefix}high": high}


def _group(small: bool) -> int:
    return 2 if small else _GROUP


def _groups(networks: Sequence[Network], size: int) -> list[list[int]]:
    """Return groups of networks of one algorithm, about ``size`` each; neighbours go to different groups."""
    labels = [_label(network) for network in networks]
    members = [[i for i, label in enumerate(labels) if label == one] for one in dict.fromkeys(labels)]
    found = []
    for rows in members:
        count = max(1, round(len(rows) / size))
        each = len(rows) // count
        found += [rows[start::count][:each] for start in range(count)]
    return [rows for rows in found if len(rows) > 1]


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


def _listed(table: Floats, networks: Sequence[Network]) -> tuple[Floats, _Pairs]:
    """Return the distances of all pairs within a family."""
    rows, columns = np.triu_indices(len(networks), 1)
    family, algorithm = (np.array([getattr(n, key) for n in networks]) for key in ("family", "algorithm"))
    kept = family[rows] == family[columns]
    rows, columns = rows[kept], columns[kept]
    same = algorithm[rows] == algorithm[columns]
    return (table[rows, columns] + table[columns, rows]) / 2, _Pairs(family[rows], same, rows, columns)


def _auroc(distance: Floats, pairs: _Pairs, weights: Floats | None = None) -> float:
    """Return the mean over families of `_area`."""
    weights = np.ones(len(distance)) if weights is None else weights
    parts = [pairs.family == family for family in dict.fromkeys(pairs.family.tolist())]
    return float(np.mean([_area(distance[part], pairs.same[part], weights[part]) for part in parts]))


def _area(distance: Floats, same: NDArray[np.bool_], weights: Floats) -> float:
    """Return the probability that a pair of one algorithm is closer than another; ties count half."""
    order = np.argsort(distance, kind="stable")
    values, alike, w = distance[order], same[order], weights[order]
    other = np.where(alike, 0.0, w)
    _, first, index = np.unique(values, return_index=True, return_inverse=True)
    at = np.add.reduceat(other, first)
    farther = other.sum() - np.cumsum(at) + at / 2  # different pairs farther than each value, ties half
    own = np.where(alike, w, 0.0)
    return float((own * farther[index]).sum() / (own.sum() * other.sum()))
