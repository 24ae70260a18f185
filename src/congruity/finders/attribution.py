"""Attribution patching: the first-order effect of replacing each site, from one forward and one backward pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from congruity.protocols import BoundModel, Model
from congruity.values import Scores


@dataclass(frozen=True)
class Attribution:
    """Score of a site = mean over prompts of sum over positions of (replacement - clean) . d metric / d site.

    It approximates the change of the logit difference when that site alone is patched. It underrates some upstream
    heads (saturated attention); exact patching is the check.
    Source: Nanda 2023, "Attribution patching"; Syed, Rager, Conmy 2023, arXiv 2310.10348.
    """

    name: ClassVar[str] = "attribution"

    def scores(self, model: Model, bound: BoundModel, rows: NDArray[np.intp] | None = None) -> Scores:
        """Return the scores on the prompts ``rows`` (all, if None), with standard errors over prompts."""
        effects = bound.attributions(rows)
        n = len(effects)
        return Scores(self.name, model.sites, effects.mean(axis=0), effects.std(axis=0, ddof=1) / np.sqrt(n), n)
