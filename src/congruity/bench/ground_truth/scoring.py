"""Scores of a measure on networks whose algorithm is known: AUROCs with intervals, errors, mean distances.

`congruity.bench.ground_truth.benchmark` defines every figure, and how a reading is chosen.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from congruity._base.arrays import Floats
from congruity._base.streams import stream
from congruity.bench.ground_truth.measures import Entry
from congruity.comparison.estimate import estimate
from congruity.inference import edge_guard
from congruity.inference.bootstrap import weighted_p
from congruity.inference.design import Design
from congruity.inference.ranks import mann_whitney
from congruity.known.recorded import Network, Reading

_GROUP = 6
_DIVISIONS = 10


def lacking(choose: Sequence[Network], report: Sequence[Network], small: bool) -> tuple[str, ...]:
    """Return the algorithms with too few networks: fewer than two to choose, or fewer than two groups to report."""
    least = 2 if small else _GROUP - 1
    found = []
    for one in dict.fromkeys(map(label, (*choose, *report))):
        chosen, reported = (sum(label(n) == one for n in part) for part in (choose, report))
        if chosen < 2 or reported < 2 * least:
            found.append(one)
    return tuple(found)


def label(network: Network) -> str:
    """Return the label of a network, FAMILY/ALGORITHM."""
    return f"{network.family}/{network.algorithm}"


def scored(entry: Entry, choose: Sequence[Network], report: Sequence[Network], small: bool) -> dict[str, Any]:
    """Return the figures of a measure at the reading with the best pair AUROC on the networks that choose."""
    found = {}
    for reading in entry.readings[:: 4 if small else 1]:
        found[reading] = pair_auroc(tabled(entry, choose, reading), choose)
    best = max(found, key=lambda reading: found[reading])
    return scored_at(best, entry, choose, report, small)


def scored_at(
    reading: Reading, entry: Entry, choose: Sequence[Network], report: Sequence[Network], small: bool
) -> dict[str, Any]:
    """Return the figures of a measure at one reading, and its pair AUROC on the networks that choose."""
    chosen_at = pair_auroc(tabled(entry, choose, reading), choose)
    row = figures(tabled(entry, report, reading), report, small)
    return {"reading": " / ".join(reading), "chosen_at": chosen_at} | row


def tabled(entry: Entry, networks: Sequence[Network], reading: Reading) -> Floats:
    """Return the distances (N, N) within each family; NaN across families, which no figure reads."""
    result = np.full((len(networks), len(networks)), np.nan)
    for family in dict.fromkeys(network.family for network in networks):
        rows = [i for i, network in enumerate(networks) if network.family == family]
        result[np.ix_(rows, rows)] = entry.table([networks[i] for i in rows], reading)
    return result


class _Pairs(NamedTuple):
    """Pairs of networks, or of groups.

    Attributes:
        family: of each pair.
        same: whether both are of one algorithm.
        rows, columns: indices of both networks.
    """

    family: NDArray[Any]
    same: NDArray[np.bool_]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]


def figures(table: Floats, networks: Sequence[Network], small: bool, *, groups_of: int | None = None) -> dict[str, Any]:
    """Return all figures of one table (N, N) of distances."""
    size = groups_of or group_size(small)
    groups = _groups(networks, size)
    compared = compared_pairs(networks)
    both = [(a, b) for a, b in itertools.combinations(groups, 2) if compared[np.ix_(a, b)].any()]
    family = np.array([networks[a[0]].family for a, _ in both])
    same = np.array([networks[a[0]].algorithm == networks[b[0]].algorithm for a, b in both])
    of_groups = _Pairs(family, same, *np.zeros((2, len(both)), dtype=np.intp))
    draws = np.concatenate([np.ones((1, len(networks))), 1 - np.eye(len(networks))])  # all, then each left out
    scores = np.stack([congruities(table, a, b, draws) for a, b in both])  # (pairs, 1 + networks)
    between = np.stack([_mean_between(table, a, b, draws) for a, b in both])
    values, pairs = _listed(table, networks)
    kept = draws[:, pairs.rows] * draws[:, pairs.columns]
    missed = [not _different(table, networks, a, b) for (a, b), alike in zip(both, same, strict=True) if not alike]
    return {
        **_figure("group_auroc", "", [_auroc(-column, of_groups) for column in scores.T], groups),
        **_figure("pair_auroc", "pair_", [_auroc(values, pairs, w) for w in kept], groups),
        **_figure("mean_auroc", "mean_", [_auroc(column, of_groups) for column in between.T], groups),
        "false_alarm": _false_alarms(table, networks, size, 1 if small else _DIVISIONS),
        "missed": float(np.mean(missed)),
        "groups": [int(same.sum()), int((~same).sum())],
        "congruity": {
            "same": np.round(scores[same, 0], 4).tolist(),
            "different": np.round(scores[~same, 0], 4).tolist(),
        },
        **_hard(values, pairs, kept, networks, groups),
        "structure": _structure(table, networks),
    }


def _false_alarms(table: Floats, networks: Sequence[Network], size: int, divisions: int) -> float:
    """Return the share of pairs of groups of one algorithm called "different", over random divisions into groups."""
    found: dict[tuple[int, ...], bool] = {}  # by the networks of both groups: the same two are estimated once
    compared = compared_pairs(networks)
    for number in range(divisions):
        order = stream(number, "bench ground truth", "divisions").permutation(len(networks))
        for a, b in itertools.combinations(_groups([networks[i] for i in order], size), 2):
            a, b = sorted(sorted(order[part].tolist()) for part in (a, b))
            if networks[a[0]].algorithm == networks[b[0]].algorithm and compared[np.ix_(a, b)].any():
                key = (*a, -1, *b)
                found[key] = found[key] if key in found else _different(table, networks, a, b)
    return float(np.mean(list(found.values())))


def compared_pairs(networks: Sequence[Network]) -> NDArray[np.bool_]:
    """Return (N, N) truth values: which pairs are compared.

    Both networks are of one family and were not trained together (``job``). Where there are mimics, only their pairs
    with plain networks are compared: with networks of the mimic's algorithm, and with its target.
    """
    family, algorithm, job, name, target = (
        np.array([getattr(n, key) for n in networks]) for key in ("family", "algorithm", "job", "name", "target")
    )
    found = (family[:, None] == family) & ((job[:, None] != job) | (job == ""))
    mimic = target != ""
    if mimic.any():
        to_target = (target[:, None] == name) | (name[:, None] == target)
        found &= (mimic[:, None] != mimic) & ((algorithm[:, None] == algorithm) | to_target)
    return np.asarray(found)


def _hard(
    values: Floats, pairs: _Pairs, weights: Floats, networks: Sequence[Network], groups: Sequence[Sequence[int]]
) -> dict[str, float]:
    """Return the AUROC of the hard pairs, of which layouts and algorithms disagree; nothing without layouts.

    A pair of one algorithm is hard where its layouts are at least as far apart as in three quarters of such pairs. A
    pair of two algorithms is hard where its layouts are at most as far apart as in a quarter of such pairs. The numbers
    of variables in the layouts of a pair differ by one at most.
    """
    layouts = [network.layout for network in networks]
    if any(layout is None for layout in layouts):
        return {}
    where = np.stack([np.asarray(layout) for layout in layouts])
    count = where[:, :-1].sum(axis=1)
    apart = np.linalg.norm(where[pairs.rows] - where[pairs.columns], axis=1)
    matched = np.abs(count[pairs.rows] - count[pairs.columns]) <= 1
    hard = np.zeros(len(apart), dtype=bool)
    for one in np.unique(pairs.family):
        same, different = (matched & (pairs.family == one) & part for part in (pairs.same, ~pairs.same))
        if not same.any() or not different.any():
            return {}
        hard |= same & (apart >= np.quantile(apart[same], 0.75))
        hard |= different & (apart <= np.quantile(apart[different], 0.25))
    part = _Pairs(pairs.family[hard], pairs.same[hard], pairs.rows[hard], pairs.columns[hard])
    return _figure("hard_auroc", "hard_", [_auroc(values[hard], part, w[hard]) for w in weights], groups)


def _structure(table: Floats, networks: Sequence[Network]) -> dict[str, Any]:
    """Return the mean distance between networks of each two algorithms of a family, without a network and itself."""
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
    """Return an area with its 95 % interval by the jackknife over networks.

    ``values`` has the area of all networks first, and then the area with each network left out.

    se^2 = sum over groups of (n - 1) / n * sum over its n networks of (left out - their mean)^2. Near 0 and 1, where
    leaving out changes nothing, the interval is at least that of Clopper and Pearson with networks as units.
    Source: Efron and Stein 1981, Annals of Statistics 9 (3), for several independent samples; the edge is ours.
    """
    left_out = np.array(values[1:])
    error = np.sqrt(sum((len(g) - 1) * float(np.var(left_out[list(g)])) for g in groups))
    ends = [float(np.clip(values[0] + sign * 1.96 * error, 0, 1)) for sign in (-1, 1)]
    ends += edge_guard(values[0], (0.0, 1.0), sum(map(len, groups)), 0.05)
    return {name: values[0], f"{prefix}low": min(ends), f"{prefix}high": max(ends)}


def group_size(small: bool) -> int:
    """Return about how many networks a group has."""
    return 2 if small else _GROUP


def _groups(networks: Sequence[Network], size: int) -> list[list[int]]:
    """Return groups of networks of one algorithm, at least two an algorithm, of about ``size`` networks each.

    Networks are dealt to the groups in turn. Where there are mimics, the mimics of an algorithm are one group and its
    plain networks another.
    """
    attack = any(network.target for network in networks)
    labels = [(network.family, network.algorithm, bool(network.target)) for network in networks]
    members = [[i for i, label in enumerate(labels) if label == one] for one in dict.fromkeys(labels)]
    found = []
    for rows in members:
        count = 1 if attack else max(2, round(len(rows) / size))
        found += [rows[start::count] for start in range(count)]
    return [rows for rows in found if len(rows) > 1]


def congruities(table: Floats, a: Sequence[int], b: Sequence[int], draws: NDArray[np.float64]) -> Floats:
    """Return (B,) congruity C = 1 - |P1 + P2 - 1| between two groups of networks, in B weighted samples.

    Args:
        table: (N, N) distances.
        a, b: indices of the networks of both groups.
        draws: (B, N) weights of the networks, whole numbers. P1 or P2 is 1/2 where all of its triples weigh 0.
    """
    rows = [*a, *b]
    n = (len(a), len(b))
    groups = Design(
        toward=np.ascontiguousarray(table[np.ix_(rows, rows)].T),
        first=np.arange(len(rows)) < len(a),
        unit=np.arange(len(rows)),
        units=n,
        swapped=False,
        kind="independent",
        sides=("a", "b"),
        n=n,
        n_bases=None,
    )
    p = weighted_p(groups, draws[:, rows])
    return np.asarray(1 - np.abs(np.where(np.isnan(p), 0.5, p).sum(axis=1) - 1))


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
    """Return the distances of all pairs that are compared, each the mean of both directions, and the pairs."""
    rows, columns = np.nonzero(np.triu(compared_pairs(networks), 1))
    family, algorithm = (np.array([getattr(n, key) for n in networks]) for key in ("family", "algorithm"))
    same = algorithm[rows] == algorithm[columns]
    return (table[rows, columns] + table[columns, rows]) / 2, _Pairs(family[rows], same, rows, columns)


def pair_auroc(table: Floats, networks: Sequence[Network]) -> float:
    """Return the pair AUROC: the chance that two networks of one algorithm are closer than two of different ones.

    The chance is the mean over families, with ties counted half, over the pairs of `compared_pairs`.
    """
    return _auroc(*_listed(table, networks))


def _auroc(distance: Floats, pairs: _Pairs, weights: Floats | None = None) -> float:
    """Return the mean over families of P[a pair of one algorithm is closer than one of two], ties counted half."""
    weights = np.ones(len(distance)) if weights is None else weights
    shares = []
    for family in dict.fromkeys(pairs.family.tolist()):
        same, different = (part & (pairs.family == family) for part in (pairs.same, ~pairs.same))
        of_both = (weights[same], weights[different])
        shares.append(mann_whitney(distance[same], distance[different], weights=of_both))
    return float(np.mean(shares))
