"""How well a network implements an interpretation: shares of swaps that come out as the causal model says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.errors import InputError
from congruity.evaluation.counterfactuals import Swappable, Swaps, Truth
from congruity.evaluation.interpretation import Cells, Interpretation
from congruity.theory import CausalModel
from congruity.theory.alignment import require_disjoint


@dataclass(frozen=True)
class Share:
    """A share of ``of`` trials with its 95 % Clopper-Pearson interval; None where nothing was tried.

    Where all there is was tried, the interval is the share itself.
    """

    of: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Evaluation:
    """How well a network implements an interpretation.

    Attributes:
        network, interpretation: names.
        accuracy: share of inputs with the interpretation's answers, without any swap.
        interchange: share of swaps of one variable, on independent pairs of uniform inputs, with the causal model's
            answers: the interchange-intervention accuracy. Most of these change no answer.
        changing: the same on pairs that are drawn until the swap changes the causal model's answer.
        joint: the same for random sets of at least two variables, the answer changing.
        by_variable: ``changing`` for each variable alone.
        random: ``changing`` for alignments that were drawn at random, with as many places for each variable.
        p_random: share of these, the alignment itself included, with at least its accuracy. None for an alignment that
            was searched for: the best of many places beats random ones whether or not the network implements anything.
        cells: the alignment; ``found``: whether it was searched for, on other pairs than those reported.
        unchanging: variables of which no swap was seen to change an answer, and of which nothing is known therefore.
    """

    network: str
    interpretation: str
    accuracy: Share
    interchange: Share
    changing: Share
    joint: Share
    by_variable: Mapping[str, Share]
    random: tuple[float, ...]
    p_random: float | None
    cells: Cells
    found: bool
    unchanging: tuple[str, ...]


def evaluate(
    network: Swappable,
    interpretation: Interpretation,
    *,
    pairs: int = 1000,
    n_random: int = 99,
    seed: int = 0,
    progress: Progress = silent,
) -> Evaluation:
    """Measure how well a network implements an interpretation.

    Args:
        network: see `Swappable`.
        interpretation: with cells, or without: then each variable gets the place that gives the causal model's answers
            on most swaps of other pairs, no two the same one.
        pairs: swaps for each of the reported shares, as many of each variable.
        n_random: random alignments.
        seed: of everything random.
        progress: told how many alignments have been measured.

    Returns:
        An `Evaluation`; its intervals are exact for independent pairs.

    Raises:
        InputError: a model without inner variables or whose answers the network does not have; cells that leave a
            variable out, overlap or name no place; fewer places than variables; too few pairs.

    Source: Geiger et al. 2021, arXiv 2106.02997 (interchange-intervention accuracy).
    """
    model = interpretation.model
    if not model.inner:
        raise InputError(f"evaluate: {interpretation.name} has no variable between inputs and outputs to swap")
    if pairs < (least := max(10, len(model.inner))) or n_random < 0:
        raise InputError(f"evaluate: {pairs} pairs and {n_random} random alignments; ask for at least {least} and 0")
    truth = Truth(model, network)
    found = interpretation.cells is None
    cells = _searched(network, truth, pairs, seed, progress) if interpretation.cells is None else interpretation.cells
    _check(cells, model, network)
    single = truth.swaps(pairs, seed, "changing", changing=True)
    shares = {
        "interchange": truth.swaps(pairs, seed, "any", changing=False),
        "changing": single,
        "joint": truth.swaps(pairs, seed, "joint", changing=True, sets=True),
    }
    cells = {name: tuple(cells[name]) for name in model.inner}  # in the order in which swaps name them
    right = {name: _right(network, swaps, cells) for name, swaps in shares.items()}
    order = stream(seed, "evaluate", "random")
    random = []
    for done in range(n_random):
        progress("random alignments", done, n_random)
        random.append(float(_right(network, single, _drawn(cells, network.places, order)).mean()))
    progress("random alignments", n_random, n_random)
    plain, whole = truth.plain(seed)
    reached = float(right["changing"].mean())
    return Evaluation(
        network=network.name,
        interpretation=interpretation.name,
        accuracy=_share(plain, whole=whole),
        interchange=_share(right["interchange"]),
        changing=_share(right["changing"]),
        joint=_share(right["joint"]),
        by_variable={name: _share(right["changing"][single.names[:, i]]) for i, name in enumerate(model.inner)},
        random=tuple(random),
        p_random=None if found else (1 + sum(value >= reached for value in random)) / (1 + n_random),
        cells=cells,
        found=found,
        unchanging=truth.unchanging,
    )


def _right(network: Swappable, swaps: Swaps, cells: Cells) -> NDArray[np.bool_]:
    """Return for each swap whether the network gives the expected answers."""
    if not len(swaps):
        return np.zeros(0, dtype=bool)
    place = {name: i for i, name in enumerate(network.places)}
    member = np.zeros((swaps.names.shape[1], len(place)), dtype=bool)
    for row, cell in zip(member, cells.values(), strict=True):
        row[[place[name] for name in cell]] = True
    swapped = np.asarray((swaps.names[:, :, None] & member).any(axis=1), dtype=bool)
    found = network.probabilities(swaps.base, swaps.source, swapped).argmax(axis=2)
    return np.asarray((found == swaps.expected).all(axis=1))


def _searched(network: Swappable, truth: Truth, pairs: int, seed: int, progress: Progress) -> Cells:
    """Return for each variable the place that answers most of its swaps rightly, no place twice (an assignment)."""
    from scipy.optimize import linear_sum_assignment

    inner = truth.model.inner
    if len(network.places) < len(inner):
        raise InputError(f"evaluate: {network.name} has {len(network.places)} places for {len(inner)} variables")
    swaps = truth.swaps(pairs, seed, "search", changing=True)
    score = np.zeros((len(inner), len(network.places)))
    for at in range(len(network.places)):
        progress("places", at, len(network.places))
        swapped = np.zeros((len(swaps), len(network.places)), dtype=bool)
        swapped[:, at] = True
        found = network.probabilities(swaps.base, swaps.source, swapped).argmax(axis=2)
        right = (found == swaps.expected).all(axis=1)
        score[:, at] = [right[swaps.names[:, k]].sum() for k in range(len(inner))]
    progress("places", len(network.places), len(network.places))
    rows, columns = linear_sum_assignment(-score)
    return {inner[row]: (network.places[column],) for row, column in zip(rows, columns, strict=True)}


def _drawn(cells: Cells, places: Sequence[str], random: np.random.Generator) -> Cells:
    """Return an alignment with as many places for each variable, drawn at random."""
    order = [places[i] for i in random.permutation(len(places))]
    starts = np.cumsum([0, *(len(cell) for cell in cells.values())])
    return {name: tuple(order[start : start + len(cells[name])]) for name, start in zip(cells, starts, strict=False)}


def _check(cells: Cells, model: CausalModel, network: Swappable) -> None:
    require_disjoint(cells)
    if unlike := sorted(set(cells) ^ set(model.inner)):
        raise InputError(f"evaluate: the alignment and the inner variables differ in {unlike[0]}")
    known = set(network.places)
    if odd := [place for cell in cells.values() for place in cell if place not in known]:
        raise InputError(
            f"evaluate: {network.name} has no place {odd[0]!r}; it has {len(known)}, such as "
            f"{', '.join(network.places[:3])}"
        )


def _share(right: NDArray[np.bool_], *, whole: bool = False) -> Share:
    from scipy.stats import beta

    n, k = len(right), int(right.sum())
    if not n:
        return Share(0, None, None, None)
    if whole:
        return Share(n, k / n, k / n, k / n)
    low = float(beta.ppf(0.025, k, n - k + 1)) if k else 0.0
    high = float(beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0
    return Share(n, k / n, low, high)
