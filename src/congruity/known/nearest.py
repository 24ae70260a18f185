"""A network beside implementations of known algorithms, those that come with the package: to which is it closest?"""

from __future__ import annotations

from typing import Any

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.evaluation import Swappable
from congruity.inference.ranks import mann_whitney
from congruity.known import inputs as known_inputs
from congruity.known import response_distance as swaps
from congruity.known import shipped
from congruity.known.algorithms import by_name

_MOST = 400  # places swapped, drawn at random where there are more


def beside(
    network: Swappable, family: str, *, seed: int = 0, progress: Progress = silent
) -> list[dict[str, Any]] | None:
    """Return for each algorithm the mean distance to its networks, and how often these are closer than others.

    Distances are those of responses to swaps (`congruity.known.response_distance`), on the inputs that the package's
    networks were asked. "closer" is P[d(network, one of this algorithm) < d(network, one of another)], ties counted
    half: the share A of docs/theorems.md, T4(c), with this network as the only anchor. One anchor is not a congruity,
    T4(j): so "least" and "most" are what the algorithm's own networks reach, each against the others, and "at most" is
    how many of them, this one included, reach as little. Small: this network is none of them, as far as swaps show.

    Args:
        network: that takes the family's tokens and gives its answers.
        family: of which networks come with the package.
        seed: of the places, where there are more than 400.

    Returns:
        A row for each algorithm, the closest first; None for a family of which no networks come with the package, or a
        network with other classes than its.
    """
    made = [one for one in shipped.regimes()["trained, values"]("report", silent) if one.family == family]
    if not made:
        return None
    base, source = known_inputs.pairs(by_name(family), 0, "report")
    rows = np.arange(len(base))[shipped.PAIRS]
    plain = network.probabilities(base[rows])
    theirs = [np.asarray(one.responses["nodes"], dtype=np.float64) for one in made]
    if plain[..., 0].size * plain.shape[2] != theirs[0].shape[1]:
        return None
    chosen = np.arange(len(network.places))
    if len(chosen) > _MOST:
        chosen = np.sort(stream(seed, "beside", "places").choice(chosen, _MOST, replace=False))
    responses = []
    for done, place in enumerate(chosen):
        progress("responses", done, len(chosen))
        swapped = np.zeros((len(rows), len(network.places)), dtype=bool)
        swapped[:, place] = True
        responses.append((network.probabilities(base[rows], source[rows], swapped) - plain).reshape(-1))
    progress("responses", len(chosen), len(chosen))
    own: Floats = np.stack(responses)
    table = swaps.distances([own, *theirs])
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
