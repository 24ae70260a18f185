"""Several models against each other: all pairs, with the error rate controlled over the whole family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from congruity import distances
from congruity._base.progress import Progress, silent
from congruity.comparison.alike import pair_of
from congruity.comparison.parts import Parts, parts_of, result_of
from congruity.comparison.tables import measured
from congruity.comparison.verdict import in_family
from congruity.errors import InputError, UnknownNameError
from congruity.inference import EstimateSettings
from congruity.protocols import Distance
from congruity.values import Congruity, Fingerprint, Status, Stratum, Verdict

Correction = Literal["holm", "bh"]


@dataclass(frozen=True)
class MatrixEntry:
    """The comparison of two models, as one of a family.

    Attributes:
        result: what `compare` says of the two alone.
        p_different: adjusted p-value of "both have one law"; None where no test is valid.
        p_equivalent: adjusted p-value of "the difference is beyond the margin"; 1 where a gate bars "equivalent", None
            where no test is valid.
        distinguishable: whether the first is at most the level.
        status, reason: the state with both adjusted, and its sentence.
    """

    result: Congruity
    p_different: float | None
    p_equivalent: float | None
    distinguishable: bool
    status: Status
    reason: str

    @property
    def verdict(self) -> Verdict:
        """The verdict with both p-values adjusted."""
        return self.status.verdict


@dataclass(frozen=True)
class CongruityMatrix:
    """All pairs of several models.

    Attributes:
        names: the models.
        pairs: (first, second) by place in ``names`` -> `MatrixEntry`.
        correction: "holm" or "bh"; ``alpha``: the level, for each family of claims.
        kind: the implementations that all pairs rest on; None if no kind is common to all models, and each pair rests
            on the first that both have.
    """

    names: tuple[str, ...]
    pairs: dict[tuple[int, int], MatrixEntry]
    correction: Correction
    alpha: float
    kind: Stratum | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all that matters as JSON data."""
        rows = []
        for (i, j), pair in self.pairs.items():
            full = pair.result.to_dict()
            rows.append(
                {"a": self.names[i], "b": self.names[j]}
                | {key: full[key] for key in ("score", "interval", "score_min", "rho", "p_value", "p_equivalence")}
                | {
                    "p_different_adjusted": pair.p_different,
                    "p_equivalent_adjusted": pair.p_equivalent,
                    "distinguishable": pair.distinguishable,
                    "verdict": pair.verdict,
                    "status": pair.status.label,
                    "verdict_alone": pair.result.verdict,
                    "warnings": full["warnings"],
                }
            )
        return {
            "names": list(self.names),
            "correction": self.correction,
            "alpha": self.alpha,
            "kind": None if self.kind is None else str(self.kind),
            "pairs": rows,
        }

    def to_dataframe(self) -> Any:
        """Return one pandas row a pair; needs pandas."""
        from congruity._base.optional import pandas

        return pandas().DataFrame(self.to_dict()["pairs"]).drop(columns="warnings")


def matrix(
    sides: Sequence[Any],
    *,
    distance: Distance | str | None = None,
    margin: float | None = None,
    alpha: float = 0.05,
    correction: Correction = "holm",
    seed: int = 0,
    progress: Progress = silent,
) -> CongruityMatrix:
    """Compare all pairs of models, as one family of differences and one of equivalences.

    Each family is corrected by itself: the chance of any false "different" is at most ``alpha``, and so is that of any
    false "equivalent" (Holm); with "bh" it is the expected share of false ones among those declared, for screening.
    "Equivalent within the margin" is not transitive: never merge models into classes by chaining. All pairs rest on the
    first kind of implementations of the first model that all others have, too.

    Args:
        sides: at least three `Fingerprint` objects, or paths of them, on the same prompts.
        distance, seed, progress: as for `compare`.
        margin: the same for all pairs; by default .5 if a side has fewer than 40 implementations, else .3.
        alpha: level of each family.
        correction: "holm" or "bh".

    Raises:
        InputError: fewer than three sides, or the same one twice.
        NotComparableError: sides that answer different queries.
        UnknownNameError: no such distance or correction.

    >>> import congruity as cg
    >>> cg.matrix(["a.safetensors", "b.safetensors", "c.safetensors"]).to_dataframe()  # doctest: +SKIP

    Source: Holm (1979); Benjamini and Hochberg (1995).
    """
    if correction not in get_args(Correction):
        raise UnknownNameError("correction", correction, get_args(Correction))
    EstimateSettings(margin, alpha, seed)
    measure = distances.chosen(distance)
    models = [side if isinstance(side, Fingerprint) else Fingerprint.load(side) for side in sides]
    if len(models) < 3:
        raise InputError(f"matrix: {len(models)} sides; pass at least three, or use compare for two")
    if len({model.digest for model in models}) < len(models):
        raise InputError("matrix: the same fingerprint is there twice; pass each once")
    kind = next((kind for kind in models[0].strata if all(kind in model.strata for model in models)), None)
    pairs = {(i, j): pair_of(models[i], models[j], kind=kind) for i, j in combinations(range(len(models)), 2)}
    settings = EstimateSettings(_margin(models, kind) if margin is None else margin, alpha, seed)
    results = []
    for done, pair in enumerate(pairs.values()):
        progress("pairs", done, len(pairs))
        results.append(parts_of(pair, measured(pair, measure), settings))
    progress("pairs", len(pairs), len(pairs))
    return CongruityMatrix(
        names=_distinct([model.model.name for model in models]),
        pairs=dict(zip(pairs, _entries(results, correction, alpha), strict=True)),
        correction=correction,
        alpha=alpha,
        kind=kind,
    )


def _margin(models: Sequence[Fingerprint], kind: Stratum | None) -> float:
    """Return the margin by default, one for all pairs."""
    smallest = min((model.reference if kind is None else model.at(kind)).n for model in models)
    return EstimateSettings().margin_of(smallest)


def _distinct(names: list[str]) -> tuple[str, ...]:
    """Number the names that occur more than once."""
    return tuple(
        f"{name} ({names[: k + 1].count(name)})" if names.count(name) > 1 else name for k, name in enumerate(names)
    )


def _entries(family: list[Parts], correction: Correction, alpha: float) -> list[MatrixEntry]:
    """Adjust over the pairs for which there is a test; the others belong to no family."""
    alone = [parts.conclusion() for parts in family]
    tested = [k for k, parts in enumerate(family) if parts.estimate.test and alone[k].verdict != "not applicable"]
    raw = np.array([family[k].estimate.p_value for k in tested], dtype=np.float64)
    margins = np.array([
        family[k].estimate.p_equivalence if alone[k].verdict == "equivalent" else 1.0 for k in tested
    ], dtype=np.float64)  # fmt: skip
    different: dict[int, float] = dict(zip(tested, adjusted(raw, correction).tolist(), strict=True))
    equivalent: dict[int, float] = dict(zip(tested, adjusted(margins, correction).tolist(), strict=True))
    entries = []
    for k, parts in enumerate(family):
        p, q = different.get(k), equivalent.get(k)
        status, reason = in_family(alone[k], p, q, alpha)
        entries.append(MatrixEntry(result_of(parts), p, q, p is not None and p <= alpha, status, reason))
    return entries


def adjusted(p: NDArray[np.float64], correction: Correction) -> NDArray[np.float64]:
    """Return p-values adjusted for their number: each is at most the level where its claim may be made at that level.

    >>> adjusted(np.array([0.01, 0.04, 0.03]), "holm").round(3).tolist()
    [0.03, 0.06, 0.06]
    >>> adjusted(np.array([0.01, 0.04, 0.03]), "bh").round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    if len(p) == 0:
        return p
    if correction == "bh":
        from scipy.stats import false_discovery_control

        return np.asarray(false_discovery_control(p))
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty_like(p)
    result[order] = np.minimum(steps, 1.0)
    return result
