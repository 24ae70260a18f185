"""Theorems as functions of plain numbers; each checks its own hypothesis.

The numbers of the statements (T1, S2, ...) are those of docs/theory.md, which has their proofs; ``STATEMENTS`` says
which function is which. C is congruity, kappa a compression (largest distance within an implementation set), ecc an
eccentricity (largest distance from one implementation), d_interp the distance of two interpretations.
"""

from __future__ import annotations

from congruity.theory.bounds.apart import (
    Link,
    behavioural_compression,
    behavioural_interval,
    circuit_distance_bound,
    composed_error,
    hausdorff_from_nearest,
    hausdorff_interval,
    interpretation_distance_floor,
    normalised_ceiling,
    representation_distance_bound,
    representation_interval,
    spectral_from_procrustes,
    transferred,
)
from congruity.theory.bounds.laws import (
    distance_from_overlap,
    least_ball_divergence,
    least_score,
    least_score_min,
    least_total_variation,
    literal_score,
    score_ceiling,
    score_floor,
    separated_score,
    shifted_chance,
    smallest_p_value,
    total_variation_from_chance,
)
from congruity.theory.bounds.samples import (
    pac_confidence,
    pac_epsilon,
    pac_samples,
    population_bracket,
    quadruples_needed,
    score_error,
    separation_variance,
    uniform_error,
)
from congruity.theory.bounds.statement import STATEMENTS

__all__ = [
    "STATEMENTS",
    "Link",
    "behavioural_compression",
    "behavioural_interval",
    "circuit_distance_bound",
    "composed_error",
    "distance_from_overlap",
    "hausdorff_from_nearest",
    "hausdorff_interval",
    "interpretation_distance_floor",
    "least_ball_divergence",
    "least_score",
    "least_score_min",
    "least_total_variation",
    "literal_score",
    "normalised_ceiling",
    "pac_confidence",
    "pac_epsilon",
    "pac_samples",
    "population_bracket",
    "quadruples_needed",
    "representation_distance_bound",
    "representation_interval",
    "score_ceiling",
    "score_error",
    "score_floor",
    "separated_score",
    "separation_variance",
    "shifted_chance",
    "smallest_p_value",
    "spectral_from_procrustes",
    "total_variation_from_chance",
    "transferred",
    "uniform_error",
]
