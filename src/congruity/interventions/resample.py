"""Resampling (interchange) ablation: write what the site computes on the counterfactual input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from congruity.protocols import Background


@dataclass(frozen=True)
class Resample:
    """Replace an activation by its value in the counterfactual run, at every position.

    Keeps activations on the distribution that the model produces itself, unlike zero or mean ablation.
    Source: Chan et al. 2022, "Causal scrubbing"; Geiger et al. 2021, arXiv 2106.02997 (interchange interventions).
    """

    name: ClassVar[str] = "resample"

    def replacement(self, clean: Any, counterfactual: Any, background: Background) -> Any:
        """Return ``counterfactual``; both are tensors (prompts, positions, width)."""
        return counterfactual
