"""Distance of responses to interchanges: how the answers change when one part takes its value on another input.

Each network gives a set of responses, one a node: change of the answers' probabilities on shared pairs of inputs, when
this node's output on the base is replaced by that on the source. Two sets are compared without order, since a network
may put its parts anywhere:

    d(A, B) = sum_a w_a min(1, min_b |r_a - r_b|^2 / (|r_a|^2 + |r_b|^2)) / sum_a w_a,   w_a = |r_a|^2

averaged over both directions. The 1 is what an inert node gives, so that parts without effect neither help nor hurt.
It is the network's own version of `congruity.theory.interchange.distance` on causal models. Networks that were trained
to pass interchanges are a positive control for it, and no evidence about networks that were not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from congruity._base.arrays import Floats

_ALIVE = 0.02  # of the largest |r|: beneath it a node counts as inert in the nuisance measures


def distances(sets: Sequence[Floats]) -> Floats:
    """Return (N, N) distances between sets of responses, (nodes, queries) each; a set without effect is 1 from others.

    >>> import numpy as np
    >>> bool(distances([np.eye(2), np.eye(2)[::-1], np.zeros((1, 2))])[0, 1] == 0)
    True
    """
    alive = [part[np.square(part).sum(axis=1) > 0] for part in (np.asarray(one, dtype=np.float64) for one in sets)]
    result = np.zeros((len(sets), len(sets)))
    for i in range(len(sets)):
        for j in range(i):
            result[i, j] = result[j, i] = _between(alive[i], alive[j])
    return result


def _between(a: Floats, b: Floats) -> float:
    if not len(a) or not len(b):
        return float(len(a) != len(b))
    wa, wb = np.square(a).sum(axis=1), np.square(b).sum(axis=1)
    apart = 1 - 2 * (a @ b.T) / (wa[:, None] + wb)  # |r_a - r_b|^2 / (|r_a|^2 + |r_b|^2)
    apart = apart.clip(0, 1)
    return float((wa @ apart.min(axis=1) / wa.sum() + wb @ apart.min(axis=0) / wb.sum()) / 2)


def sizes(responses: Floats, count: int) -> Floats:
    """Return the ``count`` largest sizes of effects, in order, over the largest: what knows nothing of what changes."""
    found = np.sort(np.linalg.norm(responses, axis=1))[::-1]
    found = np.pad(found, (0, max(0, count - len(found))))[:count]
    return np.asarray(found / max(float(found[0]), 1e-12))


def active(responses: Floats) -> Floats:
    """Return the number of nodes with an effect, as an array of one."""
    found = np.linalg.norm(responses, axis=1)
    return np.array([float((found > _ALIVE * found.max()).sum())]) if len(found) else np.zeros(1)
