"""Attribution with gradients averaged between the counterfactual and the clean input (EAP-IG, on nodes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from congruity.errors import InputError
from congruity.protocols import BoundModel, Model
from congruity.values import Scores


@dataclass(frozen=True)
class IntegratedGradients:
    """Score of a site = mean over prompts of sum over positions of (replacement - clean) . mean gradient of the metric.

    The gradient is averaged over the inputs x' + (k / steps) (x - x'), k = 1, ..., ``steps``, on the line from the
    counterfactual input embeddings x' to the clean ones x. It sees heads that are saturated at the clean input, where
    `Attribution`, which is the case of one step, finds no slope.
    Source: Hanna, Pezzelle, Belinkov 2024, "Have Faith in Faithfulness", arXiv 2403.17806 (EAP-IG, on nodes).

    >>> IntegratedGradients(steps=10)
    IntegratedGradients(steps=10)
    """

    name: ClassVar[str] = "integrated-gradients"
    steps: int = 5

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"IntegratedGradients: steps = {self.steps}; take at least 1 gradient")

    def scores(self, model: Model, bound: BoundModel, rows: NDArray[np.intp] | None = None) -> Scores:
        """Return the scores on the prompts ``rows`` (all, if None), with standard errors over prompts.

        Raises:
            ModelError: a plain PyTorch module with inputs of whole numbers, if more than one step is asked for.
        """
        effects = bound.attributions(rows, steps=self.steps)
        n = len(effects)
        return Scores(self.name, model.sites, effects.mean(axis=0), effects.std(axis=0, ddof=1) / np.sqrt(n), n)
