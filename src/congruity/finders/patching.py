"""Exact activation patching: the change of the metric when one site alone is replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from congruity.protocols import BoundModel, Model
from congruity.values import Scores


@dataclass(frozen=True)
class Patching:
    """Score of a site = mean over prompts of logit difference with that site alone replaced - unedited one.

    Every site is run on every prompt. The other finders approximate these scores.
    Source: Vig et al. 2020, arXiv 2004.12265; Meng et al. 2022, arXiv 2202.05262 (activation patching).
    """

    name: ClassVar[str] = "patching"

    def scores(self, model: Model, bound: BoundModel, rows: NDArray[np.intp] | None = None) -> Scores:
        """Return the scores on the prompts ``rows`` (all, if None), with standard errors over prompts."""
        effects = bound.effects(model.sites, rows)
        n = len(effects)
        return Scores(self.name, model.sites, effects.mean(axis=0), effects.std(axis=0, ddof=1) / np.sqrt(n), n)
