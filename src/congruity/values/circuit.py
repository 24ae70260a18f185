"""Scores of sites, the circuit made from them, and the behaviour that it keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from congruity._base.arrays import Floats, frozen
from congruity.errors import InputError
from congruity.values.model import Site


@dataclass(frozen=True)
class Scores:
    """Scores of all sites by one finder: one number a site, and its standard error over prompts.

    ``size`` is the number of sites in the circuit, where the finder states it; None: the smallest that keeps behaviour.
    """

    finder: str
    sites: tuple[Site, ...]
    values: Floats  # (sites,)
    standard_errors: Floats  # (sites,)
    n_prompts: int
    size: int | None = None

    def __post_init__(self) -> None:
        for name in ("values", "standard_errors"):
            array = frozen(getattr(self, name))
            if array.shape != (len(self.sites),):
                raise InputError(f"Scores: {name} has shape {array.shape}, expected ({len(self.sites)},)")
            if not np.isfinite(array).all():
                raise InputError(f"Scores: {name} of finder {self.finder!r} holds NaN or infinity")
            object.__setattr__(self, name, array)

    def ranked(self) -> tuple[Site, ...]:
        """Sites by falling absolute score; ties in site order."""
        order = np.argsort(-np.abs(self.values), kind="stable")
        return tuple(self.sites[i] for i in order)


@dataclass(frozen=True)
class Behaviour:
    """What a (possibly edited) model does on ``n`` prompts.

    Attributes:
        accuracy: share of prompts with logit(answer) > logit(foil).
        logit_difference: mean of logit(answer) - logit(foil).
        kl: mean of KL(unedited || edited) between next-token distributions at the answer position, in nats.
        n: number of prompts measured.
    """

    accuracy: float
    logit_difference: float
    kl: float
    n: int


@dataclass(frozen=True)
class Faithfulness:
    """Faithfulness and completeness of a circuit, on prompts that neither ranked its sites nor chose its size.

    The metric M is the mean logit difference; M(clean) is the unedited model's, M(corrupted) with every site replaced,
    and the recovered fraction of a set of sites kept is (M(kept) - M(corrupted)) / (M(clean) - M(corrupted)).

    Attributes:
        clean, corrupted: the metric at both ends.
        faithfulness: recovered fraction with the circuit kept and everything else replaced; 1 is perfect.
        faithfulness_interval: 95 %, over prompts.
        completeness: recovered fraction with the circuit replaced and everything else kept; 0 if only the circuit
            does the task.
        completeness_interval: 95 %, over prompts.
        random: recovered fractions of circuits of the same size drawn at random.
        p_random: (1 + number of random circuits that recover as much or more) / (1 + number of them).
        curve: (number of sites kept, recovered fraction), tops of the ranking, by growing size.
        cpr, cmd: areas, over the share of sites kept from 0 to 1, under the recovered fraction f and under abs(1 - f):
            the circuit performance ratio (more is better) and the circuit-model distance (less is better).
            Source: Mueller et al. 2025, "MIB: A Mechanistic Interpretability Benchmark", arXiv 2504.13151.
        n_prompts: number of prompts measured on.
    """

    clean: float
    corrupted: float
    faithfulness: float
    faithfulness_interval: tuple[float, float]
    completeness: float
    completeness_interval: tuple[float, float]
    random: tuple[float, ...]
    p_random: float
    curve: tuple[tuple[int, float], ...]
    cpr: float
    cmd: float
    n_prompts: int


@dataclass(frozen=True)
class Circuit:
    """The sites that a task needs, the pool of all other sites, and the faithfulness of the circuit.

    Attributes:
        sites: the circuit; ``pool``: the sites that implementations may edit, all others unless it was narrowed.
        scores: the ranking that the circuit is the top of.
        threshold: smallest absolute score inside.
        faithfulness: behaviour with all sites but the circuit's replaced, on prompts that neither ranked sites nor
            chose the size.
        curve: (number of sites kept, behaviour with all others replaced) for each size tried, on the choosing prompts.
        evidence: further measures of faithfulness; None where these were not measured.
    """

    sites: tuple[Site, ...]
    pool: tuple[Site, ...]
    scores: Scores
    threshold: float
    faithfulness: Behaviour
    curve: tuple[tuple[int, Behaviour], ...]
    evidence: Faithfulness | None = None

    def narrowed(self, pool: Sequence[Site]) -> Circuit:
        """Return the circuit with a smaller pool, for example one half of it.

        Raises:
            InputError: a site that is not in the pool.
        """
        if strange := [site for site in pool if site not in self.pool]:
            raise InputError(f"Circuit: {strange[0]} is not in the pool, so the pool cannot be narrowed to it")
        return dataclasses.replace(self, pool=tuple(sorted(pool)))
