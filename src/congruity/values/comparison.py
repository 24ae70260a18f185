"""What a comparison finds: the verdict with its sentence, and the parts that it rests on, in the order of their birth.

`congruity.values.estimate` has the numbers of a distance table, `congruity.values.relative` what stands beside them,
`congruity.values.status` the states in which a comparison can end. Here they become a `Congruity`, which is built once
and holds them; its flat names (``score``, ``interval``, ...) read the parts.

The point that most readers get wrong: None and an empty mapping say "not computed here", never "no information found".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from congruity._base import files
from congruity._base.digest import plain
from congruity._base.optional import pandas
from congruity._base.wording import printable
from congruity.values import keynumbers
from congruity.values.distance import DistanceTable, HeldOut
from congruity.values.estimate import Estimate, Interval, PromptError
from congruity.values.fingerprint import Fingerprint
from congruity.values.keynumbers import KeyNumber
from congruity.values.relative import EquivalentKL, Paired, RelativeDistance, Sensitivity
from congruity.values.status import Status, Verdict

_FLAT = (
    "score score_min p_within separation asymmetry separability interval p_value p_values smallest_margin "
    "p_equivalence verdict reason n n_bases scope names expected_equal unshared tv_lower prompts rho closeness "
    "equivalent_kl sensitivity paired independent balanced population warnings provenance"
).split()  # of `Congruity.to_dict`, with "intervals", "status" and "certificate"


@dataclass(frozen=True)
class Guarantee:
    """One statement about a comparison.

    Attributes:
        number: of the theorem in docs/theory.md, "" where the statement is that nothing can be said.
        says: the statement.
        needs: what it assumes.
        kind: "certain" given what it needs, "assumed" where it needs a trait of the distance that nobody declared,
            "95 %" where chance is left, "silent" where the theorem says nothing here, "never" for what no sample shows.
        value: its number or interval, where it has one; of S2 in units of kappa.
    """

    number: str
    says: str
    needs: str
    kind: Literal["certain", "assumed", "95 %", "silent", "never"]
    value: float | tuple[float, float] | None = None


@dataclass(frozen=True)
class Congruity:
    """Whether two sets of implementations can be told apart, with its uncertainty and what it does and does not mean.

    Attributes:
        estimate: the numbers; the names of its fields can be read here as well.
        status: the state in which the comparison ended; it has the verdict.
        reason: the sentence for it.
        names: of the two sides.
        rho: clean-to-clean distance over the mean distance from a model to its own implementations; None where unknown.
        closeness: the same with its uncertainty and what it is relative to; None where unknown, or where a side is
            several networks.
        equivalent_kl: the strength at which rho is 1, as far as the strengths measured show.
        sensitivity: what other implementations would give; None where there are none of another kind on both sides.
        paired: the same edits in both models, edit by edit; None where the edits are not the same.
        population: what d_repr of the two unedited models on these prompts says of all prompts like them; None where
            the distance is another one, a side is several networks, or there are too few prompts.
        warnings: what a reader must know besides.
        guarantees: what theorems say of it; see `certificate`.
        table, side: the distances and the labels behind all this, for reports.
        looks: how often the data were looked at; the p-values here are those of the estimate times this number.
        provenance: digests, seed, settings and versions.
    """

    estimate: Estimate
    status: Status
    reason: str
    names: tuple[str, str]
    rho: float | None = None
    closeness: RelativeDistance | None = None
    equivalent_kl: EquivalentKL | None = None
    sensitivity: Sensitivity | None = None
    paired: Paired | None = None
    population: HeldOut | None = None
    warnings: tuple[str, ...] = ()
    guarantees: tuple[Guarantee, ...] = ()
    table: DistanceTable | None = None
    side: tuple[str, ...] = ()
    looks: int = 1
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The decision."""
        return self.status.verdict

    @property
    def score(self) -> float:
        """C = 1 - |P1 + P2 - 1|, the paper's congruity; 1 = indistinguishable, 0 = always distinguishable."""
        return self.estimate.score

    @property
    def score_min(self) -> float:
        """C_min = 1 - max(|2 P1 - 1|, |2 P2 - 1|); never above C, falls when one side is merely wider."""
        return self.estimate.score_min

    @property
    def p_within(self) -> tuple[float, float]:
        """(P1, P2), the chance that an implementation is closer to one of its own side than to one of the other."""
        return self.estimate.p_within

    @property
    def separation(self) -> float:
        """T = P1 + P2 - 1, signed."""
        return self.estimate.separation

    @property
    def asymmetry(self) -> float:
        """S = P1 - P2."""
        return self.estimate.asymmetry

    @property
    def separability(self) -> float:
        """Leave-one-out AUC of telling the sides apart; 0.5 = none, 1 = perfect."""
        return self.estimate.separability

    @property
    def interval(self) -> Interval | None:
        """95 % interval of ``score``; None where the draws are paired or the data allow none."""
        return self.estimate.interval

    @property
    def intervals(self) -> Mapping[str, Interval]:
        """95 % intervals of "separation", "p1", "p2" and, with folds, "separation over prompts"; empty without."""
        return self.estimate.intervals

    @property
    def p_value(self) -> float | None:
        """Permutation test of "both sides have one law", over all looks; None where no such test is valid."""
        return self._over_looks(self.estimate.p_value)

    @property
    def p_values(self) -> Mapping[str, float]:
        """p of its components and of the separability, over all looks."""
        return {name: min(1.0, self.looks * p) for name, p in self.estimate.p_values.items()}

    @property
    def p_equivalence(self) -> float | None:
        """The smallest level at which the sides pass as equivalent at the margin asked for, over all looks."""
        return self._over_looks(self.estimate.p_equivalence)

    @property
    def smallest_margin(self) -> float | None:
        """The smallest margin at which the two sides would pass as equivalent; None where there is no interval."""
        return self.estimate.smallest_margin

    @property
    def n(self) -> tuple[int, int]:
        """Implementations (N1, N2)."""
        return self.estimate.n

    @property
    def n_bases(self) -> tuple[int, int] | None:
        """Independent networks a side; None where not stated."""
        return self.estimate.n_bases

    @property
    def scope(self) -> str:
        """ "populations" (units are independent networks) or "these two networks" (one network a side)."""
        return self.estimate.scope

    @property
    def expected_equal(self) -> float:
        """Mean of C under equality at this N; C does not reach 1."""
        return self.estimate.expected_equal

    @property
    def unshared(self) -> float:
        """u = sqrt(|T|)."""
        return self.estimate.unshared

    @property
    def tv_lower(self) -> float | None:
        """95 % lower confidence bound on total variation; None where there is no interval."""
        return self.estimate.tv_lower

    @property
    def prompts(self) -> PromptError | None:
        """What another set of prompts might change; None where that was not measured."""
        return self.estimate.prompts

    @property
    def independent(self) -> bool:
        """Whether the draws of the two sides are independent of each other; not where they share their edits."""
        return self.estimate.independent

    @property
    def balanced(self) -> bool:
        """Whether the units of each side have equally many implementations."""
        return self.estimate.balanced

    def _over_looks(self, p: float | None) -> float | None:
        return None if p is None else min(1.0, self.looks * p)

    def certificate(self) -> tuple[Guarantee, ...]:
        """Return what theorems guarantee of this comparison, each with what it needs, and what no sample can show.

        S2 bounds d_interp in units of the compression seen; H2 says what the balls around the two models that hold the
        samples hold of their laws (epsilon, delta); T4(d) bounds the total variation of these laws, T5(b) congruity for
        any laws; T6(b) brackets d_repr over all prompts. Where one says nothing here, it says why.
        """
        return self.guarantees

    def key_numbers(self) -> list[KeyNumber]:
        """Return the key numbers in the order in which to read them; only those that are known."""
        found = keynumbers.of_estimate(self.estimate, self.names, self._over_looks)
        if self.prompts is not None:
            found.append(keynumbers.of_prompts(self.prompts))
        if self.rho is not None:
            found.append(keynumbers.of_rho(self.rho, self.closeness))
        if self.equivalent_kl is not None:
            found.append(keynumbers.of_equivalent_kl(self.equivalent_kl))
        if self.paired is not None:
            found.append(keynumbers.of_paired(self.paired))
        return found

    def sentence(self) -> tuple[str, str, str]:
        """Return the verdict in three parts: "A and B", the verdict, and the reason as a sentence."""
        a, b = map(printable, self.names)
        reason = printable(self.reason).strip()
        if not reason.startswith((a, b)):  # a name keeps its own case
            reason = reason[:1].upper() + reason[1:]
        return f"{a} and {b}", self.verdict, reason if not reason or reason[-1] in ".!?)" else f"{reason}."

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers, sentences and parts, but not the table, as JSON data; keys are added, never renamed."""
        always = dict.fromkeys(("separation", "p1", "p2"))  # None where not given
        flat = {name: plain(getattr(self, name)) for name in _FLAT}
        return flat | {
            "intervals": always | plain(self.intervals),
            "status": self.status.label,
            "certificate": plain(self.guarantees),
        }

    def to_dataframe(self) -> Any:
        """Return one pandas row; needs pandas."""
        row = {k: v for k, v in self.to_dict().items() if not isinstance(v, (dict, list))}
        row["p1"], row["p2"] = self.p_within
        row["low"], row["high"] = self.interval or (None, None)
        row["rho_low"], row["rho_high"] = self.closeness.interval if self.closeness else (None, None)
        row["a"], row["b"] = self.names
        return pandas().DataFrame([row])

    def save(self, path: str | Path) -> Path:
        """Write `to_dict` as JSON, atomically; return the path."""
        return files.write_json(self.to_dict(), Path(path))

    def _repr_html_(self) -> str:
        return keynumbers.as_html(self.sentence(), self.key_numbers(), self.warnings)


@dataclass(frozen=True)
class Comparison:
    """One line of a report: two fingerprints, what came out, and the role that it plays there."""

    a: Fingerprint
    b: Fingerprint
    result: Congruity
    role: Literal["main", "control"] = "main"
    note: str = ""


@dataclass(frozen=True)
class RankAmong:
    """The rank of a comparison among reference comparisons, whose answer is known.

    Attributes:
        by: the number that was ranked; ``value``: that of the comparison.
        equivalent, different: the same number of the reference comparisons of either kind.
        p_equivalent: share, the comparison included, of known-equivalent ones that are at least as far apart; small:
            unlike them. ``p_different``: of known-different ones that are at most as far apart.
        sentence: in words.
    """

    by: str
    value: float
    equivalent: tuple[float, ...]
    different: tuple[float, ...]
    p_equivalent: float
    p_different: float
    sentence: str
