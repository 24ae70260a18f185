"""Interchange-intervention accuracy: how often a network under interchanges gives the causal model's answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.errors import InputError
from congruity.evaluation.answers import CodedModel, marked
from congruity.evaluation.counterfactuals import Counterfactuals, InterchangePairs
from congruity.evaluation.interpretation import Cells, Interpretation
from congruity.models import load_model
from congruity.theory import CausalModel
from congruity.theory.alignment import require_disjoint
from congruity.values import Interchange


@dataclass(frozen=True)
class Share:
    """A share of ``of`` trials with its 95 % Clopper-Pearson interval; None where nothing was tried.

    Where the trials are all that there are, the interval is the share itself.
    """

    of: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Evaluation:
    """How well a network implements an interpretation.

    An interchange is effective if it changes the causal model's answer. Most are not, so those are counted apart.

    Attributes:
        network, interpretation: names.
        accuracy: share of inputs with the interpretation's answers, without an interchange.
        interchange_accuracy: the interchange-intervention accuracy (IIA): share of interchanges of one variable, on
            independent pairs of uniform inputs, with the causal model's answers.
        effective: the same on effective interchanges.
        joint: the same on effective interchanges of random sets of at least two variables.
        by_variable: ``effective`` for each variable alone.
        random: ``effective`` for alignments that were drawn at random, with as many locations for each variable.
        p_random: share of these, the alignment itself included, with at least its accuracy. None for an alignment that
            was searched for: the best of many locations beats random ones whether or not the network implements
            anything.
        cells: the alignment, variable -> locations; ``found``: whether it was searched for, on other pairs than those
            reported.
        no_effect: variables without an effective interchange among those drawn. Nothing is known of them.
    """

    network: str
    interpretation: str
    accuracy: Share
    interchange_accuracy: Share
    effective: Share
    joint: Share
    by_variable: Mapping[str, Share]
    random: tuple[float, ...]
    p_random: float | None
    cells: Cells
    found: bool
    no_effect: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values, three of them also under the keys of earlier versions."""
        data = dataclasses.asdict(self)
        earlier = {"interchange": "interchange_accuracy", "changing": "effective", "unchanging": "no_effect"}
        return data | {old: data[new] for old, new in earlier.items()}


def evaluate(
    model: Any,
    interpretation: Interpretation,
    *,
    sites: Sequence[str] = (),
    pairs: int = 1000,
    n_random: int = 99,
    seed: int = 0,
    progress: Progress = silent,
) -> Evaluation:
    """Measure how well a network implements an interpretation.

    Args:
        model: anything that `congruity.load_model` takes. It gets the inputs as codes, (n, inputs) whole numbers, or,
            if it is a language model, as the prompts of the interpretation.
        interpretation: with cells, or without: then each variable gets the location that gives the causal model's
            answers on most interchanges of other pairs, no two the same one.
        sites: names of the sites that are searched and that random alignments are drawn from; all, if none is named.
        pairs: interchanges for each of the reported shares, as many of each variable.
        n_random: random alignments.
        seed: of everything random.
        progress: is told how many alignments have been measured.

    Returns:
        An `Evaluation`; its intervals are exact for independent pairs.

    Raises:
        InputError: a causal model without inner variables or whose answers the network does not have; cells that leave
            a variable out, overlap or name no location; fewer locations than variables; too few pairs; a language model
            without prompts.

    Source: Geiger et al. 2021, arXiv 2106.02997 (interchange-intervention accuracy).
    """
    high = interpretation.model
    if not high.inner:
        raise InputError(f"evaluate: {interpretation.name} has no variable between inputs and outputs to interchange")
    if pairs < (least := max(10, len(high.inner))) or n_random < 0:
        raise InputError(f"evaluate: {pairs} pairs and {n_random} random alignments; ask for at least {least} and 0")
    causal = Counterfactuals(high)
    network = CodedModel(load_model(model), interpretation, causal.probe())
    among = _among(network, sites)
    found = interpretation.cells is None
    cells = interpretation.cells
    if cells is None:
        cells = _searched(network, among, causal.effective(pairs, seed, "search"), high.inner, progress)
    _check(cells, high, network)
    cells = {name: tuple(cells[name]) for name in high.inner}  # in the order of the causal model
    single = causal.effective(pairs, seed, "changing")
    right = _right(network, single, [cells])[0]
    order = stream(seed, "evaluate", "random")
    others = [_at_random(cells, among, order) for _ in range(n_random)]
    random = [float(row.mean()) for row in _right(network, single, others, progress, "random alignments")]
    inputs, expected, whole = causal.plain(seed)
    of_variable = dict(zip(high.inner, single.variables.T, strict=True))
    return Evaluation(
        network=network.name,
        interpretation=interpretation.name,
        accuracy=_share((network.plain(inputs) == expected).all(axis=1), whole=whole),
        interchange_accuracy=_share(_right(network, causal.any(pairs, seed), [cells])[0]),
        effective=_share(right),
        joint=_share(_right(network, causal.joint(pairs, seed), [cells])[0]),
        by_variable={name: _share(right[rows]) for name, rows in of_variable.items()},
        random=tuple(random),
        p_random=None if found else (1 + sum(value >= right.mean() for value in random)) / (1 + n_random),
        cells=cells,
        found=found,
        no_effect=tuple(name for name, rows in of_variable.items() if not rows.any()),
    )


def _right(
    network: CodedModel,
    drawn: InterchangePairs,
    alignments: Sequence[Cells],
    progress: Progress = silent,
    stage: str = "",
) -> NDArray[np.bool_]:
    """Return (alignments, pairs): whether the network gives the expected answers."""
    if not len(drawn) or not len(alignments):
        return np.zeros((len(alignments), len(drawn)), dtype=bool)
    edits = [_edit(network, drawn, cells) for cells in alignments]
    given = network.interchanged(drawn.base, drawn.source, edits, progress=progress, stage=stage)
    return np.asarray((given == drawn.expected).all(axis=2))


def _edit(network: CodedModel, drawn: InterchangePairs, cells: Cells) -> Interchange:
    """Return the interchange of the locations of each pair's variables."""
    names = list(dict.fromkeys(name for cell in cells.values() for name in cell))
    member = np.array([[name in cell for name in names] for cell in cells.values()])
    where = np.asarray((drawn.variables[:, :, None] & member).any(axis=1), dtype=bool)
    return marked([network.locations[name] for name in names], where)


def _searched(
    network: CodedModel, among: Sequence[str], drawn: InterchangePairs, inner: Sequence[str], progress: Progress
) -> Cells:
    """Return for each variable the location that answers most of its interchanges, no location twice (an assignment).

    Args:
        network: what is evaluated.
        among: names of locations.
        drawn: effective interchanges of one variable.
        inner: names of the variables.
        progress: is told how many locations were tried.
    """
    from scipy.optimize import linear_sum_assignment

    if len(among) < len(inner):
        raise InputError(f"evaluate: {network.name} has {len(among)} locations for {len(inner)} variables")
    everywhere = np.ones((len(drawn), 1), dtype=bool)
    edits = [Interchange((network.locations[name],), everywhere) for name in among]
    given = network.interchanged(drawn.base, drawn.source, edits, progress=progress, stage="locations")
    right = (given == drawn.expected).all(axis=2)  # (locations, pairs)
    score = np.stack([right[:, drawn.variables[:, k]].sum(axis=1) for k in range(len(inner))])
    rows, columns = linear_sum_assignment(-score)
    return {inner[row]: (among[column],) for row, column in zip(rows.tolist(), columns.tolist(), strict=True)}


def _among(network: CodedModel, sites: Sequence[str]) -> list[str]:
    """Return the names of the locations of the sites that are named, of all if none is."""
    held = {str(location.site) for location in network.locations.values()}
    hooks = {location.site.hook for location in network.locations.values()}
    if odd := [name for name in sites if name not in held | hooks]:
        raise InputError(f"evaluate: {network.name} has no site {odd[0]!r}, but {', '.join(sorted(held)[:6])}")
    return [
        name
        for name, location in network.locations.items()
        if not sites or {str(location.site), location.site.hook} & set(sites)
    ]


def _at_random(cells: Cells, among: Sequence[str], random: np.random.Generator) -> Cells:
    """Return an alignment with as many locations for each variable, drawn at random."""
    order = [among[int(i)] for i in random.permutation(len(among))]
    starts = np.cumsum([0, *(len(cell) for cell in cells.values())])
    return {name: tuple(order[start : start + len(cells[name])]) for name, start in zip(cells, starts, strict=False)}


def _check(cells: Cells, model: CausalModel, network: CodedModel) -> None:
    require_disjoint(cells)
    if unlike := sorted(set(cells) ^ set(model.inner)):
        raise InputError(f"evaluate: the alignment and the inner variables differ in {unlike[0]}")
    if odd := [name for cell in cells.values() for name in cell if name not in network.locations]:
        raise InputError(
            f"evaluate: {network.name} has no location {odd[0]!r}; it has {len(network.locations)}, such as "
            f"{', '.join(list(network.locations)[:3])}"
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
