"""Noise: add random numbers as large as the site's own variation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from congruity.errors import InputError
from congruity.protocols import Background


@dataclass(frozen=True)
class Noise:
    """Add ``amount`` times a site's standard deviation, by feature, times independent standard normal numbers.

    The numbers depend on the prompt, the site and the seed only, so that an edit does the same wherever it is run.
    Source: Meng et al. 2022, arXiv 2202.05262 (noise in place of the embeddings; here at any site).
    """

    name: ClassVar[str] = "noise"
    amount: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.amount) and self.amount > 0):
            raise InputError(f"Noise: amount = {self.amount} must be a positive number of standard deviations")

    def replacement(self, clean: Any, counterfactual: Any, background: Background) -> Any:
        """Return the noisy activation, a tensor (prompts, positions, width)."""
        return clean + self.amount * background.deviation() * background.normal(self.seed)
