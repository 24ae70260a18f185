"""The permutation test of "both sides have one law": relabel whole units, compare four statistics on one scale."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from congruity.inference.design import Design
from congruity.inference.ranks import anchor_ranks, energy, neighbours, own_neighbours, p_within, separability
from congruity.values import PermutationTest

Array = NDArray[np.float64]
NAMES = ("energy", "T", "S", "3-NN", "separability")
_CHUNK = 500  # labellings evaluated at once: bounds the memory at some (500, n) arrays
_SAME = 1e-9  # two standardised statistics closer than this are equal: rounding must not decide a p-value


def permutation_test(design: Design, n_permutations: int, rng: np.random.Generator) -> PermutationTest:
    """Compare the observed labelling with all others, or with ``n_permutations`` random ones.

    p = #{statistic >= observed} / #labellings, the observed one included. The statistic of the test is the largest of
    energy, T, abs(S) and 3-NN, each standardised over all these labellings: exact, whatever the distance.
    """
    units = sum(design.units)
    total = math.comb(units, design.units[0])
    exact = total <= n_permutations
    values = np.concatenate(list(_statistics(design, _labellings(design.units, n_permutations, exact, rng))))
    scaled = _standardised(values)
    combined = scaled[:, :4].max(axis=1)
    twins = 2 if design.units[0] == design.units[1] else 1  # the mirror image of a labelling has the same statistic
    return PermutationTest(
        p_value=_tail(combined),
        p_values={name: _tail(scaled[:, k]) for k, name in enumerate(NAMES)},
        below=_tail(-scaled[:, 1]),
        smallest=twins / total if exact else 1 / (n_permutations + 1),
        labellings=len(values),
        exact=exact,
    )


def _labellings(
    units: tuple[int, int], n_permutations: int, exact: bool, rng: np.random.Generator
) -> Iterator[NDArray[np.bool_]]:
    """Yield (chunk, units) labellings of the units, the observed one first and, when exact, each exactly once."""
    first, total = units[0], sum(units)
    if exact:
        sets = combinations(range(total), first)  # begins with 0 .. first - 1, which is the observed one
        while chunk := list(islice(sets, _CHUNK)):
            labels = np.zeros((len(chunk), total), dtype=bool)
            np.put_along_axis(labels, np.array(chunk), True, axis=1)
            yield labels
        return
    yield (np.arange(total) < first)[None]
    for start in range(0, n_permutations, _CHUNK):
        draws = rng.random((min(_CHUNK, n_permutations - start), total))
        yield draws.argsort(axis=1).argsort(axis=1) < first


def _statistics(design: Design, labellings: Iterator[NDArray[np.bool_]]) -> Iterator[Array]:
    """Yield (chunk, 5) values of `NAMES`."""
    allowed, sizes = design.allowed, design.sizes.astype(np.float64)
    scaled = np.where(allowed, design.toward / (design.toward.max() or 1.0), 0.0)
    symmetric = (scaled + scaled.T) / 2  # energy is about the pair; the other statistics keep the fixed target
    ranks, near = anchor_ranks(design.toward, allowed), neighbours(design.toward, allowed)
    for labels in labellings:
        first = labels[:, design.unit].astype(np.float64)
        p1, p2 = p_within(ranks, first, sizes)
        columns = (
            energy(symmetric, first, sizes),
            p1 + p2 - 1,
            np.abs(p1 - p2),
            own_neighbours(near, first),
            separability(scaled, first, sizes),
        )
        yield np.stack(columns, axis=1)


def _standardised(values: Array) -> Array:
    """Return each column minus its mean over its standard deviation; zero where a statistic cannot vary."""
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    varies = spread > 1e-12 * np.abs(values).max(axis=0)
    return np.asarray(np.where(varies, centred / np.where(varies, spread, 1.0), 0.0), dtype=np.float64)


def _tail(statistic: Array) -> float:
    return float(np.mean(statistic >= statistic[0] - _SAME))
