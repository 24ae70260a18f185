"""Distances of a network to the implementations of known algorithms that come with the package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.inference.ranks import mann_whitney
from congruity.interventions import Resample
from congruity.known import inputs as known_inputs
from congruity.known import response_distance, shipped
from congruity.known.algorithms import by_name
from congruity.protocols import BoundModel, Model
from congruity.values import Examples, Interchange

_MOST = 400  # locations interchanged, drawn at random where there are more
_AT_ONCE = 16  # interchanges asked for in one run


def distances_to_known(
    model: Model, family: str, *, seed: int = 0, progress: Progress = silent
) -> list[dict[str, Any]] | None:
    """Return for each algorithm the mean distance to its networks, and how often these are closer than others.

    Distances are those of responses to interchanges (`congruity.known.response_distance`), on the inputs of the
    package's networks. "closer" is P[d(network, one of this algorithm) < d(network, one of another)], ties counted
    half: the share A of docs/theorems.md, T4(c), with this network as the only anchor. One anchor is not a congruity,
    T4(j): so "least" and "most" are what the algorithm's own networks reach, each against the others, and "at most" is
    how many of them, this one included, reach as little. Small: this network is none of them, as far as interchanges
    show.

    Args:
        model: a network that takes the family's tokens and gives its answers.
        family: of which networks come with the package.
        seed: of the locations, where there are more than 400.

    Returns:
        A row for each algorithm, the closest first; None for a family of which no networks come with the package, or a
        network with other classes than its.
    """
    made = [one for one in shipped.regimes()["trained, values"]("report", silent) if one.family == family]
    if not made:
        return None
    base, source = known_inputs.pairs(by_name(family), 0, "report")
    rows = np.arange(len(base))[shipped.PAIRS]
    nothing, ids = np.zeros(len(rows), dtype=np.int64), tuple(map(str, rows))
    bound = model.bind(Examples(family, base[rows], source[rows], nothing, nothing, ids), Resample())
    theirs = [np.asarray(one.responses["nodes"], dtype=np.float64) for one in made]
    plain = _answers(bound, [None])[0]
    if theirs[0].shape[1] == len(rows) * plain.shape[2]:
        plain = plain[:, -1:]  # one answer, at the last position
    if plain.size != theirs[0].shape[1]:
        return None
    table = response_distance.distances([_responses(bound, plain, seed, progress), *theirs])
    found = []
    for algorithm in dict.fromkeys(one.algorithm for one in made):
        mine = np.array([one.algorithm == algorithm for one in made])
        reached = mann_whitney(table[0, 1:][mine], table[0, 1:][~mine])
        members = np.flatnonzero(mine)
        known = [
            mann_whitney(np.delete(table[1 + k, 1:], k)[np.delete(mine, k)], table[1 + k, 1:][~mine]) for k in members
        ]
        found.append(
            {
                "algorithm": algorithm,
                "networks": len(members),
                "distance": round(float(table[0, 1:][mine].mean()), 4),
                "closer": round(reached, 4),
                "least": round(min(known), 4),
                "most": round(max(known), 4),
                "at most": round((1 + sum(value <= reached for value in known)) / (1 + len(known)), 4),
            }
        )
    return sorted(found, key=lambda row: -float(row["closer"]))


def _responses(bound: BoundModel, plain: Floats, seed: int, progress: Progress) -> Floats:
    """Return (locations, pairs * answers * classes): changes of the answers when one location is interchanged."""
    locations = bound.locations
    chosen = np.arange(len(locations))
    if len(chosen) > _MOST:
        chosen = np.sort(stream(seed, "beside", "places").choice(chosen, _MOST, replace=False))
    everywhere = np.ones((len(plain), 1), dtype=bool)
    found = []
    for start in range(0, len(chosen), _AT_ONCE):
        progress("responses", start, len(chosen))
        edits = [Interchange((locations[i],), everywhere) for i in chosen[start : start + _AT_ONCE]]
        found += [(given[:, -plain.shape[1] :] - plain).reshape(-1) for given in _answers(bound, edits)]
    progress("responses", len(chosen), len(chosen))
    return np.stack(found)


def _answers(bound: BoundModel, edits: Sequence[Interchange | None]) -> list[Floats]:
    return [out.answers for out in bound.run(edits, answers=True) if out.answers is not None]
