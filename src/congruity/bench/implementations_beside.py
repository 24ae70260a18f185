"""A network beside implementations of known algorithms, those that come with the package: to which is it closest?"""

from __future__ import annotations

from typing import Any

import numpy as np

from congruity._random import stream
from congruity.algorithms import by_name
from congruity.bench import known_inputs, shipped, swaps
from congruity.evaluation import Swappable
from congruity.protocols import Progress, silent
from congruity.values import Floats

_MOST = 400  # places swapped, drawn at random where there are more


def beside(network: Swappable, family: str, *, seed: int = 0, progress: Progress = silent) -> list[dict[str, Any]]:
    """Return for each algorithm the mean distance to its networks, and how often these are closer than others.

    Distances are those of responses to swaps (`congruity.bench.swaps`), on the inputs that the package's networks were
    asked. "closer" is P[d(network, one of this algorithm) < d(network, one of another)], ties counted half: the
    share A of docs/theorems.md, T4(c), with this network as the only anchor. It is 1 for an implementation of an
    algorithm that is nearer to all others of it than to any of another.

    Args:
        network: that takes the family's tokens and gives its answers, or its first one.
        family: of which networks come with the package.
        seed: of the places, where there are more than 400.
    """
    half = "report"
    made = list(shipped.regimes()["trained, values"](half, silent))
    base, source = known_inputs.pairs(by_name(family), 0, half)
    rows = np.arange(len(base))[shipped.PAIRS]
    chosen = np.arange(len(network.places))
    if len(chosen) > _MOST:
        chosen = np.sort(stream(seed, "beside", "places").choice(chosen, _MOST, replace=False))
    plain = network.probabilities(base[rows])
    responses = []
    for done, place in enumerate(chosen):
        progress("responses", done, len(chosen))
        swapped = np.zeros((len(rows), len(network.places)), dtype=bool)
        swapped[:, place] = True
        responses.append((network.probabilities(base[rows], source[rows], swapped) - plain).reshape(-1))
    progress("responses", len(chosen), len(chosen))
    own: Floats = np.stack(responses)
    table = swaps.distances([own, *(np.asarray(one.responses["nodes"], dtype=np.float64) for one in made)])[0, 1:]
    found = []
    for algorithm in dict.fromkeys(one.algorithm for one in made):
        mine = np.array([one.algorithm == algorithm for one in made])
        closer = table[mine][:, None] < table[~mine]
        level = table[mine][:, None] == table[~mine]
        found.append(
            {
                "algorithm": algorithm,
                "networks": int(mine.sum()),
                "distance": round(float(table[mine].mean()), 4),
                "closer": round(float((closer + level / 2).mean()), 4),
            }
        )
    return sorted(found, key=lambda row: -float(row["closer"]))
