"""Benchmark of the theorems: violations and tightness on random instances, false neighbours caught, seconds.

A claim draws an instance and returns pairs (left, right); the theorem states left <= right. A false neighbour is a
similar statement that is false. It must fail on some instance: only then do the instances test the theorem. The
theorems of d_repr alone (T3) are in the package's tests, with false neighbours of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from congruity._base.clock import Clock
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.bench.theorems import claims_apart, claims_laws, claims_models, claims_samples, enumeration
from congruity.bench.theorems.claims import ROUNDING, Claim, Drawn
from congruity.theory.equivalence import Floats

CLAIMS: tuple[Claim, ...] = (*claims_models.CLAIMS, *claims_apart.CLAIMS, *claims_laws.CLAIMS, *claims_samples.CLAIMS)


def run(seed: int = 0, small: bool = False, progress: Progress = silent) -> dict[str, Any]:
    """Return the record of each claim (`tested`), the totals, and the cost of enumeration."""
    found, clock = {}, Clock()
    for done, claim in enumerate(CLAIMS):
        progress("theorems", done, len(CLAIMS))
        with clock("theorems"):
            found[claim.name] = tested(claim, claim.instances // (20 if small else 1), seed)
    progress("theorems", len(CLAIMS), len(CLAIMS))
    return {
        "claims": found,
        "violated": sum(one["violations"] for one in found.values()),
        "false": sum(len(one["false"]) for one in found.values()),
        "false_caught": sum(count > 0 for one in found.values() for count in one["false"].values()),
        "seconds": round(clock.seconds["theorems"], 1),
        "enumeration": enumeration.measured(seed, small, progress),
    }


def tested(claim: Claim, instances: int, seed: int) -> dict[str, Any]:
    """Return the record of one claim on ``instances`` random instances, at least ten."""
    random = stream(seed, "bench theorems", claim.name)
    drawn = [claim.draw(random) for _ in range(max(10, instances))]
    holds, false = ({name: _column(drawn, part, name) for name in _names(drawn, part)} for part in range(2))
    return {
        "says": claim.says,
        "instances": len(drawn),
        "violations": sum(map(_violations, holds.values())),
        "left_over_right": {name: _tightness(pairs) for name, pairs in holds.items()},
        "false": {name: _violations(pairs) for name, pairs in false.items()},
    }


def _names(drawn: list[Drawn], part: int) -> list[str]:
    return list(dict.fromkeys(name for one in drawn for name in one[part]))


def _column(drawn: list[Drawn], part: int, name: str) -> Floats:
    return np.array([one[part][name] for one in drawn if name in one[part]], dtype=np.float64)


def _tightness(pairs: Floats) -> dict[str, float] | None:
    """Return the largest and the median left / right; None for equalities, whose right side is 0."""
    held = pairs[pairs[:, 1] > ROUNDING]
    if not len(held):
        return None
    ratios = held[:, 0] / held[:, 1]
    return {"largest": float(ratios.max()), "median": float(np.median(ratios))}


def _violations(pairs: Floats) -> int:
    return int((pairs[:, 0] > pairs[:, 1] + ROUNDING).sum())


def rows(found: dict[str, Any]) -> list[dict[str, str]]:
    """Return a row to print for each claim."""
    return [
        {
            "claim": name,
            "instances": f"{one['instances']:,}",
            "violated": str(one["violations"]),
            "largest left / right": ", ".join(
                f"{part} {ratio['largest']:.3f}".strip() if ratio else f"{part} equality".strip()
                for part, ratio in one["left_over_right"].items()
            ),
            "false ones caught": f"{sum(map(bool, one['false'].values()))} of {len(one['false'])}",
        }
        for name, one in found["claims"].items()
    ]
