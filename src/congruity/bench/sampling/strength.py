"""Effect of strength and pool on a model's congruity with itself, and changed copies at matched strength.

The plan was fixed before any of these numbers was seen: KL .01 (the reference), .003 and .03, seed 0, certified
spectral distances on 200 prompts, 20 implementations a side. Cut for time, still before any result: the copies have
10, and so have the last two kinds below, which cost new draws. (The second model was first cut to 10 a side and the
reference KL; it was measured in full after that one row had been seen.) For a model against itself:

- same-pool: two disjoint halves of 40 independent draws from the whole pool, at one KL;
- unmatched: the same halves, one at one KL and one at another;
- disjoint-pools: the pool is split at random, each side draws from its own part, at the reference;
- resample-mean: one side resamples, the other writes means, same pool, at the reference.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import Any

import numpy as np

from congruity import distances
from congruity._base.digest import plain
from congruity._base.streams import stream
from congruity.cached import Runner, titled
from congruity.comparison.alike import pair_of
from congruity.comparison.paired import paired
from congruity.comparison.parts import parts_of, result_of
from congruity.comparison.reference import rank_among
from congruity.comparison.tables import Measured, measured
from congruity.inference import EstimateSettings
from congruity.interventions import Mean, Resample
from congruity.sampling.implementations import masks
from congruity.values import Budget, Congruity, Fingerprint, Stratum

REFERENCE = 0.01
KLS = (REFERENCE, 0.003, 0.03)
_MASKS = 8
#: Copies of the first model, from closest to farthest as we expected; the first few have its circuit and pool.
_WITH_CIRCUIT = 3
COPIES = ("+noise=0.01", "+rtn=8", "+rtn=4", "+drop=1", "+random")


def self_congruity(runner: Runner, name: str, *, n: int) -> list[dict[str, Any]]:
    """Return a row for each pair of sides of one model, as the module lists them."""
    whole = runner.fingerprint(name, n=2 * n, budget=Budget(kl=KLS))
    halves = {kl: _halves(whole.at(Stratum("resample", kl)), n) for kl in KLS}
    rows = [_row(runner, *halves[kl], how="same-pool") for kl in sorted(KLS)]
    for low, high in itertools.combinations(sorted(KLS), 2):
        rows.append(_row(runner, halves[low][0], halves[high][1], how="unmatched"))
    order = stream(runner.seed, "bench pools", name).permutation(len(whole.circuit.pool))
    parts = [[whole.circuit.pool[i] for i in order[k::2]] for k in (0, 1)]
    budget = Budget(kl=REFERENCE)
    few = n // 2
    sides = [runner.fingerprint(name, n=few, budget=budget, circuit=whole.circuit.narrowed(part)) for part in parts]
    rows.append(_row(runner, sides[0], sides[1], how="disjoint-pools"))
    mean = runner.fingerprint(name, n=few, budget=budget, circuit=whole.circuit, intervention=(Mean(),))
    other = halves[REFERENCE][1]  # draws 20 to 29 against 0 to 9: equal draws take equal paths through the sites
    rows.append(_row(runner, other.take(np.arange(few), other.model.name), mean, how="resample-mean"))
    return rows


def copies(runner: Runner, name: str, other: str, *, n: int, few: int) -> dict[str, Any]:
    """Return the comparisons of a model with changed copies of it and with another model.

    The model has ``n`` implementations and the others ``few``. Each row has its rank among the reference comparisons
    ("standing"), and copies with the model's circuit have the agreement under the same edits ("paired").
    """
    kind = Stratum("resample", REFERENCE)
    whole = runner.fingerprint(name, n=2 * n, budget=Budget(kl=KLS)).at(kind)
    first, second = _halves(whole, n)
    itself = _judged(runner, first, second)
    found = [(f"{name} (other draws)", itself, None, second)]
    for place, change in enumerate(COPIES):
        alike, changed = place < _WITH_CIRCUIT, f"{name}{change}"
        circuit = first.circuit if alike else None
        size = 2 * few if change == COPIES[-1] else few  # as many as the demo makes of its control
        side = runner.fingerprint(changed, n=size, budget=Budget(kl=REFERENCE), circuit=circuit)
        same = _masks(runner, first, changed) if alike else None
        found.append((changed, _judged(runner, first, side, halves=False), same, side))
    side = runner.fingerprint(other, n=2 * few, budget=Budget(kl=REFERENCE))  # there already
    found.append((other, _judged(runner, first, side), None, side))
    by_name = {b: result for b, result, _, _ in found}
    reference = {
        "equivalent": [itself, by_name[f"{name}{COPIES[0]}"]],
        "different": [by_name[f"{name}{COPIES[-1]}"]],
    }
    return {
        "against": name,
        "kl": REFERENCE,
        "rows": [
            _numbers(result)
            | {
                "b": b,
                "accuracy": side.accuracy,
                "paired": masks,
                "standing": _standing(result, reference),
            }
            for b, result, masks, side in found
        ],
    }


def _standing(result: Congruity, reference: dict[str, list[Congruity]]) -> Any:
    """Return the rank among the reference comparisons without itself; None where a group of them is then empty."""
    known = {sort: [other for other in some if other is not result] for sort, some in reference.items()}
    if result.rho is None or not all(known.values()):
        return None
    return plain(asdict(rank_among(result, equivalent=known["equivalent"], different=known["different"])))


def _masks(runner: Runner, first: Fingerprint, changed: str) -> Any:
    """Return the agreement of both models under the same edits, whose strength was not tuned."""
    edits = masks(first.circuit, min(_MASKS, first.n), intervention=Resample(), seed=runner.seed)
    own, its = (
        runner.fingerprint(name, n=len(edits), edits_of=edits, circuit=first.circuit)
        for name in (first.model.name.partition(" ")[0], changed)
    )
    return plain(asdict(paired(own, its, distances.Spectral(), seed=runner.seed)))


def _halves(side: Fingerprint, n: int) -> tuple[Fingerprint, Fingerprint]:
    name = side.model.name
    return side.take(np.arange(n), f"{name} (1st half)"), side.take(np.arange(n, 2 * n), f"{name} (2nd half)")


def _judged(runner: Runner, a: Fingerprint, b: Fingerprint, *, halves: bool = True) -> Congruity:
    """Return the congruity of a pair; without ``halves``, its reliability over prompts is left to other rows."""
    title, distance = titled(runner.progress, f"{a.model.name} / {b.model.name}"), distances.Spectral()
    pair = pair_of(a, b)
    if halves:
        tables = measured(pair, distance, progress=title, make=runner.table)
    else:
        tables = Measured(runner.table(a, b, distance, None, title))
    return result_of(parts_of(pair, tables, EstimateSettings(seed=runner.seed), require_prompts=halves))


def _row(runner: Runner, a: Fingerprint, b: Fingerprint, *, how: str) -> dict[str, Any]:
    result = _judged(runner, a, b, halves=how == "same-pool" and a.strata[0].kl == REFERENCE)
    return {
        "model": a.model.name.partition(" ")[0],
        "kl_a": a.strata[0].kl,
        "kl_b": b.strata[0].kl,
        "how": how,
    } | _numbers(result)


def _numbers(result: Congruity) -> dict[str, Any]:
    close = result.closeness
    return {
        "score": result.score,
        "low": None if result.interval is None else result.interval[0],
        "high": None if result.interval is None else result.interval[1],
        "p_within": list(result.p_within),
        "separability": result.separability,
        "p_value": result.p_value,
        "rho": result.rho,
        "closeness": None if close is None else plain(asdict(close)),
        "mean_kl": result.provenance["mean_kl"],
        "reliability": None if result.prompts is None else result.prompts.reliability,
        "verdict": result.verdict,
        "reason": result.reason,
        "warnings": list(result.warnings),
        "n": list(result.n),
    }
