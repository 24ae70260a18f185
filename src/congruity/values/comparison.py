"""What a comparison finds: estimates, intervals, verdict, and what they rest on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from congruity.values.distance import DistanceTable, HeldOut
from congruity.values.fingerprint import Fingerprint

Verdict = Literal["equivalent", "different", "undecided", "not applicable"]


MIN_CLAIM = 10  # implementations a side below which nothing is claimed from rho: its limit is then too rough


@dataclass(frozen=True)
class PromptError:
    """How far a comparison depends on the prompts that its distances were measured on.

    Attributes:
        n: prompts.
        reliability: of the distances: their order around each target on one half of the prompts against that on the
            other (Spearman, averaged over targets), stepped up to all prompts (Spearman and Brown).
        half_separation: mean T of the two halves.
        extrapolated: 2 T - T of half the prompts: what T would be if it erred by 1 / prompts; within [-1, 1].
        standard_error: of T over prompts, leaving out one of ``folds`` groups of them at a time; None if not done.
        folds: groups of prompts, 0 if not done.
    """

    n: int
    reliability: float
    half_separation: float
    extrapolated: float
    standard_error: float | None = None
    folds: int = 0


@dataclass(frozen=True)
class Standing:
    """Where a comparison stands among known ones.

    Attributes:
        by: the number that was compared; ``value``: that of the comparison.
        equivalent, different: those of the known ones.
        p_equivalent: share, itself included, of known-equivalent ones that are at least as far apart; small: unlike
            them. ``p_different``: of known-different ones that are at most as far apart.
        sentence: in words.
    """

    by: str
    value: float
    equivalent: tuple[float, ...]
    different: tuple[float, ...]
    p_equivalent: float
    p_different: float
    sentence: str


@dataclass(frozen=True)
class Closeness:
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
    interval: tuple[float, float]
    upper: float | None
    within: bool | None
    distance: float
    radii: tuple[float, float]
    radius_intervals: tuple[tuple[float, float], tuple[float, float]]
    kl: float | None = None
    intervention: str | None = None
    over_prompts: tuple[float, float] | None = None
    kinds: tuple[str, str] | None = None
    mean_kls: tuple[float, float] | None = None
    reach: tuple[float, float] | None = None
    bounds: tuple[float, float] | None = None


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
        interval, p_value, verdict, closeness: the same; None where not matched.
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
    closeness: Closeness | None = None


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
    interval: tuple[float, float]
    fisher: tuple[float, float]
    null: tuple[float, float]
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
    distance_interval: tuple[float, float]
    ratio: float | None
    ratio_interval: tuple[float, float] | None
    retrieval: tuple[float, float]
    retrieval_intervals: tuple[tuple[float, float], tuple[float, float]]
    chance: float
    log_kl: Agreement | None
    metric: Agreement | None


@dataclass(frozen=True)
class Congruity:
    """Whether two sets of implementations can be told apart, with its uncertainty and what it does and does not mean.

    Attributes:
        score: C = 1 - |P1 + P2 - 1|, the paper's congruity; 1 = indistinguishable, 0 = always distinguishable.
        score_min: C_min = 1 - max(|2 P1 - 1|, |2 P2 - 1|); never above C, falls when one side is merely wider.
        p_within: (P1, P2), the chance that an implementation is closer to one of its own side than to one of the other.
        separation: T = P1 + P2 - 1, signed.
        asymmetry: S = P1 - P2.
        separability: leave-one-out AUC of telling the sides apart; 0.5 = none, 1 = perfect.
        interval: 95 % interval of ``score``; ``intervals`` has those of "separation", "p1", "p2" and, where folds of
            prompts were measured, of "separation over prompts".
        p_value: permutation test of "both sides have one law", or None where no such test is valid;
            ``p_values`` has its components and the permutation p of the separability.
        smallest_margin: the smallest margin at which the two sides would pass as equivalent; ``p_equivalence``: the
            smallest level at which they would pass at the margin asked for.
        verdict, reason: the decision and one sentence for it.
        n: implementations (N1, N2); ``n_bases``: independent networks a side, or None where not stated.
        scope: "populations" (units are independent networks) or "these two networks" (one network a side).
        expected_equal: mean of C under equality at this N; C does not reach 1.
        unshared: u = sqrt(|T|); ``tv_lower``: 95 % lower confidence bound on total variation.
        prompts: what another set of prompts might change; None where that was not measured.
        rho: clean-to-clean distance over the mean distance from a model to its own implementations; None where unknown.
        closeness: the same with its uncertainty and what it is relative to; None where unknown, or where a side is
            several networks.
        equivalent_kl: the strength at which rho is 1, as far as the strengths measured show.
        sensitivity: what other implementations would give; None where there are none of another kind on both sides.
        paired: the same edits in both models, edit by edit; None where the edits are not the same. Where they are,
            what needs independent draws is without content: no p-values and ``intervals``, and [0, 1], 0 and 1 for
            ``interval``, ``tv_lower`` and ``smallest_margin``.
        independent: whether the draws of the two sides are independent of each other; not where they share their edits.
        balanced: whether the units of each side have equally many implementations.
        population: what d_repr of the two unedited models on these prompts says of all prompts like them; None where
            the distance is another one, a side is several networks, or there are too few prompts.
        table, side: the distances and the labels behind all this, for reports.
        provenance: digests, seed, settings and versions.
    """

    score: float
    score_min: float
    p_within: tuple[float, float]
    separation: float
    asymmetry: float
    separability: float
    interval: tuple[float, float]
    intervals: Mapping[str, tuple[float, float]]
    p_value: float | None
    p_values: Mapping[str, float]
    smallest_margin: float
    p_equivalence: float
    verdict: Verdict
    reason: str
    n: tuple[int, int]
    n_bases: tuple[int, int] | None
    scope: str
    names: tuple[str, str]
    expected_equal: float
    unshared: float
    tv_lower: float
    prompts: PromptError | None = None
    rho: float | None = None
    closeness: Closeness | None = None
    equivalent_kl: EquivalentKL | None = None
    sensitivity: Sensitivity | None = None
    paired: Paired | None = None
    independent: bool = True
    balanced: bool = True
    population: HeldOut | None = None
    warnings: tuple[str, ...] = ()
    table: DistanceTable | None = None
    side: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def certificate(self) -> tuple[Guarantee, ...]:
        """Return what theorems guarantee of this comparison, each with what it needs, and what no sample can show.

        S2 bounds d_interp in units of the compression seen; H2 says what the balls around the two models that hold the
        samples hold of their laws (epsilon, delta); T4(d) bounds the total variation of these laws, T5(b) congruity for
        any laws; T6(b) brackets d_repr over all prompts. Where one says nothing here, it says why.
        """
        from congruity.comparison.certificate import certificate

        return certificate(self)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields but the table, and the `certificate`, as JSON data."""
        from congruity._base.digest import plain

        return {
            f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self) if f.name not in ("table", "side")
        } | {"certificate": plain(self.certificate())}

    def to_dataframe(self) -> Any:
        """Return one pandas row; needs pandas."""
        from congruity._base.optional import pandas

        row = {k: v for k, v in self.to_dict().items() if not isinstance(v, (dict, list))}
        row["p1"], row["p2"] = self.p_within
        row["low"], row["high"] = self.interval
        row["rho_low"], row["rho_high"] = self.closeness.interval if self.closeness else (None, None)
        row["a"], row["b"] = self.names
        return pandas().DataFrame([row])

    def save(self, path: str | Path) -> Path:
        """Write `to_dict` as JSON, atomically; return the path."""
        from congruity._base import files

        return files.write_json(self.to_dict(), Path(path))

    def _repr_html_(self) -> str:
        from congruity.report.html import fragment

        return fragment(self)


@dataclass(frozen=True)
class Comparison:
    """One line of a report: two fingerprints, what came out, and the role that it plays there."""

    a: Fingerprint
    b: Fingerprint
    result: Congruity
    role: Literal["main", "control"] = "main"
    note: str = ""


@dataclass(frozen=True)
class Guarantee:
    """One statement about a comparison.

    Attributes:
        number: of the theorem in docs/theory.md, "" where the statement is that nothing can be said.
        says: the statement.
        needs: what it assumes.
        kind: "certain" given what it needs, "95 %" where chance is left, "silent" where the theorem says nothing
            here, "never" for what no sample can show.
        value: its number or interval, where it has one; of S2 in units of kappa.
    """

    number: str
    says: str
    needs: str
    kind: Literal["certain", "95 %", "silent", "never"]
    value: float | tuple[float, float] | None = None
