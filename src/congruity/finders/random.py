"""Random scores of sites: a control for the other finders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from congruity._base.streams import stream
from congruity.errors import InputError
from congruity.protocols import BoundModel, Model
from congruity.values import Scores


@dataclass(frozen=True)
class Random:
    """Scores drawn uniformly from (0, 1], by seed and model: a control.

    With ``size`` the circuit is that many sites at random; without it, as many as it takes to keep the behaviour,
    which is most of them.
    Source: Shi et al. 2024, arXiv 2410.13032 (circuits drawn at random as the null hypothesis).

    >>> Random(seed=1, size=12)
    Random(seed=1, size=12)
    """

    name: ClassVar[str] = "random"
    seed: int = 0
    size: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise InputError(f"Random: size = {self.size} sites are no circuit; ask for at least 1, or None")

    def scores(self, model: Model, bound: BoundModel, rows: NDArray[np.intp] | None = None) -> Scores:
        """Return the scores; no prompt is run.

        Raises:
            InputError: ``size`` is more than the model has sites.
        """
        total = len(model.sites)
        if self.size is not None and self.size > total:
            raise InputError(f"Random: size = {self.size}, but {model.card.name} has {total} sites")
        values = 1.0 - stream(self.seed, "finder", "random", model.card.digest).random(total)
        return Scores(self.name, model.sites, values, np.zeros(total), 0, self.size)
