"""Mean ablation: write what the site computes on average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from congruity.protocols import Background


@dataclass(frozen=True)
class Mean:
    """Replace an activation by its mean over the counterfactual prompts, at the same distance from the last token.

    Takes away what the site says about the prompt and keeps what it says on all of them. The mean itself is no
    activation that the model ever has.
    Source: Wang et al. 2022, arXiv 2211.00593, section 2 (there per template; here over all prompts).
    """

    name: ClassVar[str] = "mean"

    def replacement(self, clean: Any, counterfactual: Any, background: Background) -> Any:
        """Return the mean, as a tensor (prompts, positions, width)."""
        return background.mean()
