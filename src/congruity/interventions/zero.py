"""Zero ablation: write zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from congruity.protocols import Background


@dataclass(frozen=True)
class Zero:
    """Replace an activation by zeros.

    The strongest of the four and the farthest from what the model ever computes: zero is no neutral value of a site.
    Source: Olsson et al. 2022, arXiv 2209.11895 (ablations); for its faults Chan et al. 2022, "Causal scrubbing".
    """

    name: ClassVar[str] = "zero"

    def replacement(self, clean: Any, counterfactual: Any, background: Background) -> Any:
        """Return zeros, a tensor (prompts, positions, width)."""
        return clean * 0
