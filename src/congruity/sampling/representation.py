"""Represent an implementation: the Gram matrix of its recorded layers over the queries."""

from __future__ import annotations

import numpy as np

from congruity._base.arrays import Floats
from congruity.errors import NotApplicableError
from congruity.values import Outputs, Queries, Representation


def represent(outputs: Outputs, queries: Queries, *, model: str) -> Representation:
    """Return K = (1/L) sum_l H_l H_l^T / norm(H_l)_F^2 with every layer H_l (m, width) centred over the queries.

    This is the Gram matrix of all layers side by side, each scaled to unit Frobenius norm so that late layers, whose
    norms grow, do not drown the others; trace(K) = 1. It never depends on the width again.

    Raises:
        NotApplicableError: a layer gives every query the same activation, so it cannot be scaled.
    """
    m = len(queries.ids)
    gram: Floats = np.zeros((m, m))
    for name, values in outputs.layers:
        hidden = values.astype(np.float64)
        hidden -= hidden.mean(axis=0)
        kernel = hidden @ hidden.T
        size = np.trace(kernel)
        if not size > 1e-11 * float(np.square(values, dtype=np.float64).sum()):
            raise NotApplicableError(
                f"{model}: layer {name} is constant over the {m} queries, so it represents nothing"
            )
        gram += kernel / size
    gram /= len(outputs.layers)
    return Representation((gram + gram.T) / 2, queries, tuple(name for name, _ in outputs.layers))
