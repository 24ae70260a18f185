"""Equivalence of causal models under interchange interventions: responses, disagreement, equivalence classes.

Two programs with different names may be one algorithm, as far as any interchange can show. Here a model is the set of
its single-variable responses. The response of an inner variable v is the outputs on a base input when v takes the value
that it has on a source input. Two models are equivalent on a set of (base, source) pairs if each response of one is a
response of the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity._base.digest import digest
from congruity.errors import InputError
from congruity.theory.causal import Array, CausalModel

_Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Responses:
    """Outputs of a causal model under an interchange of each inner variable.

    Attributes:
        names: the inner variables.
        queries: digest of the base and source inputs; responses to other queries are not compared.
        unedited: outputs on the base inputs, (queries, outputs).
        edited: outputs with that variable alone interchanged, (variables, queries, outputs).
    """

    names: tuple[str, ...]
    queries: str
    unedited: Array
    edited: Array


def responses(model: CausalModel, base: _Inputs, source: _Inputs) -> Responses:
    """Return the single-variable responses of a model on pairs of inputs, (queries,) values an input.

    Raises:
        InputError: a model without inner variables, or inputs that do not fit it.
    """
    if not model.inner:
        raise InputError(
            "causal model: no variable lies between inputs and outputs, so there is nothing to interchange"
        )
    there, here = model.solve(source), model.solve(base)
    queries = digest(*(part[name] for part in (here, there) for name in sorted(model.inputs)))
    edited = [model.answers(model.solve(base, do={name: there[name]})) for name in model.inner]
    return Responses(model.inner, queries, model.answers(here), np.stack(edited))


def disagreement(a: Responses, b: Responses) -> NDArray[np.float64]:
    """Return (variables of a, variables of b): how differently two responses change the outputs, in [0, 1].

    |queries where the edited outputs differ| / |queries where either differs from the unedited|: a Jaccard distance,
    so that the many interchanges that change nothing do not make all models look alike. 0 where neither changes any.

    Raises:
        InputError: responses to different queries, or models that differ without any intervention.
    """
    if a.queries != b.queries:
        raise InputError("the responses are to different base or source inputs; use the same for all models")
    if a.unedited.shape != b.unedited.shape or (a.unedited != b.unedited).any():
        raise InputError("the causal models differ without any intervention; compare models of one function")
    changed = [(r.edited != r.unedited).any(axis=2) for r in (a, b)]
    result = np.zeros((len(a.names), len(b.names)))
    for i, row in enumerate(a.edited):
        differ = (row != b.edited).any(axis=2).sum(axis=1)
        either = (changed[0][i] | changed[1]).sum(axis=1)
        result[i] = np.divide(differ, either, out=np.zeros(len(either)), where=either > 0)
    return result


def distance(a: Responses, b: Responses) -> float:
    """Return the Hausdorff distance between two sets of responses: the worst response that the other model lacks.

    0 if and only if the models are equivalent on these queries.
    """
    table = disagreement(a, b)
    return float(max(table.min(axis=1).max(), table.min(axis=0).max()))


def classes(found: Sequence[Responses], *, tolerance: float = 0.0) -> tuple[list[int], NDArray[np.float64]]:
    """Return a class for each model, numbered by first occurrence, and the (models, models) distances behind it.

    Models at most ``tolerance`` apart are one class, and so is what they are chained to.
    """
    n = len(found)
    table = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            table[i, j] = table[j, i] = distance(found[i], found[j])
    labels = [-1] * n
    for start in range(n):
        if labels[start] >= 0:
            continue
        waiting, label = [start], max(labels) + 1
        while waiting:
            at = waiting.pop()
            if labels[at] < 0:
                labels[at] = label
                waiting += [j for j in range(n) if labels[j] < 0 and table[at, j] <= tolerance]
    return labels, table
