"""The light half of the flow, in order: two fingerprints, their distances, the numbers, the verdict, the result."""

from __future__ import annotations

from congruity._base.progress import Progress, silent
from congruity.comparison.alike import pair_of
from congruity.comparison.parts import parts_of, result_of
from congruity.comparison.sensitivity import left_out, sensitivity, usable
from congruity.comparison.tables import Making, distance_table, measured
from congruity.inference import EstimateSettings
from congruity.protocols import Distance
from congruity.values import Congruity, Fingerprint


def compare_fingerprints(
    a: Fingerprint,
    b: Fingerprint,
    distance: Distance,
    settings: EstimateSettings | None = None,
    *,
    folds: int = 0,
    controls: bool = True,
    progress: Progress = silent,
    make: Making = distance_table,
) -> Congruity:
    """Compare two fingerprints on their reference implementations and, where both have others, say what these show.

    Sides that were not made alike never are "different", and nothing is claimed from their rho. Sides with the same
    edits get neither a test nor an interval nor a verdict: their implementations are pairs and no independent draws.

    Args:
        a, b: the sides.
        distance: between Gram matrices.
        settings: margin, level and seed of the estimate.
        folds: groups of prompts to leave out in turn; 0 for none.
        controls: False leaves the warning examples of the sensitivity out.
        make: makes a table, for callers that keep them.

    Raises:
        NotComparableError: the sides answer different queries, or were scaled differently.
        InputError: a number of folds that the prompts do not allow.
    """
    asked = settings or EstimateSettings()
    pair = pair_of(a, b)
    tables = measured(pair, distance, folds=folds, progress=progress, make=make)
    parts = parts_of(pair, tables, asked)
    if len(pair.kinds) < 2 or pair.edits is not None:
        return result_of(parts)
    kinds, small = usable(pair)
    if len(kinds) < 2:
        return result_of(parts, warnings=(left_out(small),))
    others = sensitivity(pair, parts, distance, asked, controls=controls, progress=progress, make=make)
    return result_of(parts, sensitivity=others)
