"""What stands beside an estimate: rho, the equivalent KL, pairs of equal edits, and other kinds of implementations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from congruity.values.status import Verdict

MIN_CLAIM = 10  # implementations a side below which nothing is claimed from rho: its limit is then too rough

Interval = tuple[float, float]


@dataclass(frozen=True)
class RelativeDistance:
    """How far apart two models are, in units of how far each is from its own implementations.

    rho = d(clean a, clean b) / mean of the two radii, a model's radius being the mean distance from it to its
    implementations. It does not saturate. It is relative to how these were made: by which intervention, to which KL.
    Of paired draws the radii are those of the edits that both sides have, and the units are the edits.

    Attributes:
        rho: the ratio; 0 for a model and itself.
        interval: 95 %, over implementations; the distance between the two models is taken as it is.
        upper: one-sided 95 % limit: rho is below it, over implementations and, where folds of prompts were measured,
            over prompts; None if there is none.
        within: whether rho < 1 is shown (``upper`` < 1): the models are closer to each other than models are to their
            implementations on average over both sides. One of the two may be closer to its own all the same: see
            ``radii``. None where nothing may be claimed: sides that were not made alike, to one known KL by one known
            intervention; a side that cannot do the task; fewer than 10 implementations on one.
        distance: between the unedited models.
        radii: of a and of b; ``radius_intervals``: 95 % each.
        kl: the KL that the implementations of both sides were drawn to have, nats; None where none is shared.
        intervention: the one that made those of both sides; None where they differ.
        over_prompts: 95 %, over implementations and prompts; None where no folds of prompts were measured.
        kinds: what the implementations of a and of b are, in words; ``mean_kls``: what they reached, nats.
        reach: the largest distance from a, and from b, to one of its implementations; ``bounds``: of ``distance``. Both
            with the certified bounds of the distances, where these have any.
    """

    rho: float
    interval: Interval
    upper: float | None
    within: bool | None
    distance: float
    radii: tuple[float, float]
    radius_intervals: tuple[Interval, Interval]
    kl: float | None = None
    intervention: str | None = None
    over_prompts: Interval | None = None
    kinds: tuple[str, str] | None = None
    mean_kls: tuple[float, float] | None = None
    reach: tuple[float, float] | None = None
    bounds: Interval | None = None


@dataclass(frozen=True)
class EquivalentKL:
    """The strength of implementations at which they are as far from their model as the two models are from each other.

    Attributes:
        value: the KL at which rho = 1, nats; None where it lies outside the KLs measured.
        low, high: 95 %, over implementations; None is open: nothing below ``kls[0]`` or above ``kls[-1]`` was measured.
        kls: KLs measured, increasing; ``rhos``: rho at each.
        intervention: the one that made the implementations.
        where: on which side of the KLs measured it lies, as estimated: "below" or "above" all of them, or "between".
    """

    value: float | None
    low: float | None
    high: float | None
    kls: tuple[float, ...]
    rhos: tuple[float, ...]
    intervention: str
    where: Literal["below", "between", "above"] = "between"


@dataclass(frozen=True)
class Agreement:
    """Whether two models respond alike to the same edits: a Pearson correlation over edits.

    Attributes:
        correlation, interval: with its 95 % BCa bootstrap over edits; ``fisher``: the normal-theory one, as a check.
        null: the middle 95 % of the correlations with the edits of one model shuffled.
        p_value: share of the shuffles, the true order included, that correlate at least as much.
        spread: standard deviation of the response in each model. It is small where all edits were tuned to one
            strength, and the correlation then says little.
    """

    correlation: float
    interval: Interval
    fisher: Interval
    null: Interval
    p_value: float
    spread: tuple[float, float]


@dataclass(frozen=True)
class Paired:
    """Two models under the same edits, edit by edit.

    Attributes:
        n: edits; ``left_out``: implementations of a and of b without a partner.
        distance, distance_interval: mean of d(a_i, b_i), and 95 % over edits.
        ratio, ratio_interval: the same over the distance between the unedited models; None where that is 0. Near 1, the
            edits move both models alike.
        retrieval: share of edits i of a whose nearest implementation of b is b_i, and the other way round.
        retrieval_intervals: Clopper-Pearson, 95 %; ``chance``: 1 / n.
        log_kl, metric: agreement over edits of log KL, and of the change of the mean logit difference; None where one
            of the models does not respond differently to different edits. Edits that leave the KL of either model at 0
            are not in the first, as they alone would make it; None where fewer than 4 remain.
    """

    n: int
    left_out: tuple[int, int]
    distance: float
    distance_interval: Interval
    ratio: float | None
    ratio_interval: Interval | None
    retrieval: tuple[float, float]
    retrieval_intervals: tuple[Interval, Interval]
    chance: float
    log_kl: Agreement | None
    metric: Agreement | None


@dataclass(frozen=True)
class SensitivityPoint:
    """What a comparison gives with other implementations.

    Attributes:
        kind: "matched" (both sides of one kind: the claims), or a warning example: "strength" (the same intervention at
            unmatched strengths), "mix" (shares of two interventions at one strength).
        a, b: what each side consists of, in words.
        interventions, kls: of a and b; in a mix, of the first intervention.
        second: the other intervention of a mix; ``shares``: its part of each side, as drawn.
        n: implementations; ``mean_kl``: what they reached, nats.
        score, p_within, separability: as in `Congruity`.
        interval, p_value, verdict, closeness: the same; None where not matched, or not given there.
    """

    kind: Literal["matched", "strength", "mix"]
    a: str
    b: str
    interventions: tuple[str, str]
    kls: tuple[float | None, float | None]
    n: tuple[int, int]
    mean_kl: tuple[float, float]
    score: float
    p_within: tuple[float, float]
    separability: float
    second: str | None = None
    shares: tuple[float, float] = (0.0, 0.0)
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    verdict: Verdict | None = None
    closeness: RelativeDistance | None = None


@dataclass(frozen=True)
class Sensitivity:
    """How a comparison depends on the way its implementations were made.

    Attributes:
        points: the reference first, as in the result itself; then the other matched ones; then those that are not.
        equivalent_kl: of the reference intervention; None where implementations were not drawn to a KL.
        changes: whether the verdict, or whether the sides are told apart, differs between matched points.
        sentence: the same in words, with where.
    """

    points: tuple[SensitivityPoint, ...]
    equivalent_kl: EquivalentKL | None
    changes: bool
    sentence: str

    def matched(self) -> tuple[SensitivityPoint, ...]:
        """Return the points whose sides are of one kind."""
        return tuple(point for point in self.points if point.kind == "matched")
