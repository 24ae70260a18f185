"""Mean ablation: write what the site computes on average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from congruity.protocols import Background


@dataclass(frozen=True)
class Mean:
    """Replace an activation by its mean over the counterfactual prompts, at the same distance from the last token.

    Takes away what the site says about the prompt and keeps what it says on all of them. The mean itself is no
    activation that the model ever has.
    Source: Wang et al. 2022, arXiv 2211.00593, section 2 (there per template; here over all prompts).
    """

    @property
    def name(self) -> str:
        """Registry name."""
        return "mean"

    @property
    def parameters(self) -> dict[str, Any]:
        """None."""
        return {}

    def replacement(self, clean: Any, counterfactual: Any, background: Background) -> Any:
        """Return the mean, as a tensor (prompts, positions, width)."""
        return background.mean()
