"""Examples that run together, the inputs of one run, and what was computed once for all edits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_LARGE_CHANGE = 20.0  # of a logit; beyond it float32 exponentials lose digits and soon overflow


@dataclass(frozen=True)
class Group:
    """Examples that run together: tensors over ``g`` rows, whose clean and counterfactual prefixes are equal."""

    rows: NDArray[np.intp]  # (g,) row numbers in the examples
    clean: Tensor  # (g, ...) inputs
    counterfactual: Tensor  # (g, ...)
    answers: Tensor  # (g,)
    foils: Tensor  # (g,)
    prefix: int = 0
    padding: Tensor | None = None  # (g, positions) True where a real token is
    first: Tensor | None = None  # (g,) positions before this one hold the same input in both, so no edit touches them

    @property
    def positions(self) -> int:
        """Positions computed per row: what follows the shared prefix; 1 for inputs without positions."""
        tokens = self.clean.ndim == 2 and not self.clean.is_floating_point()
        return int(self.clean.shape[1] - self.prefix) if tokens else 1

    @property
    def shortest(self) -> int:
        """Positions of the row that has fewest, the shared prefix included."""
        return self.positions + self.prefix if self.padding is None else int(self.padding.sum(dim=1).min())

    def columns(self, position: int, computed: int) -> Tensor:
        """Return where each row holds a token position among the ``computed`` ones, (g,) or (1,) if all hold it there.

        Negative numbers are positions of the shared prefix, which is not computed.
        """
        if position < 0:
            return torch.tensor([computed + position])
        padded = torch.zeros(1) if self.padding is None else (~self.padding).sum(dim=1).cpu()
        return padded.long() + position - self.prefix


@dataclass(frozen=True)
class Batch:
    """The inputs of one forward pass.

    Attributes:
        tokens: (rows, positions) after the prefix, or inputs (rows, ...) without positions.
        prefix: cached keys and values of the tokens before, for the first 1 / ``copies`` of the rows; None: no prefix.
        copies: how many times the rows of the prefix come.
        padding: (rows, positions), True where a real token is; None: nothing is padded.
        wanted: numbers of the rows whose logits are computed; None: all.
        words: (rows wanted, k), the only classes whose logits are computed; None: all.
    """

    tokens: Tensor
    prefix: Any = None
    copies: int = 1
    padding: Tensor | None = None
    wanted: Tensor | None = None
    words: Tensor | None = None


@dataclass
class Captured:
    """Captured runs of a group, unedited and counterfactual: activations (g, positions, width) by hook."""

    prefix: Any
    clean: dict[str, Tensor]
    other: dict[str, Tensor]
    logits: Tensor  # (g, vocabulary), unedited
    reads: dict[str, Tensor]  # name -> (g, width), unedited


@dataclass
class Prepared:
    """Inputs of every edit of a group: the prefix's cache, replacements by hook, and the unedited run."""

    prefix: Any
    replacements: dict[str, Tensor]  # hook -> (g, positions, width)
    logits: Tensor  # (g, vocabulary), unedited
    reads: dict[str, Tensor]  # name -> (g, width), unedited
    _probabilities: dict[int, Tensor] = field(default_factory=dict)  # by row

    def kl(self, row: int, edited: Tensor) -> float:
        """Return KL(unedited || edited) in nats at ``row``, from edited logits (vocabulary,)."""
        if row not in self._probabilities:
            self._probabilities[row] = torch.softmax(self.logits[row], dim=-1)
        return _kl(self._probabilities[row], self.logits[row], edited)


def take(values: Tensor, index: Tensor) -> Tensor:
    """Return the rows ``index``, in ascending order, without a copy if these are all."""
    return values if len(index) == len(values) else values[index]


def _kl(probabilities: Tensor, clean: Tensor, edited: Tensor) -> float:
    """Return KL(clean || edited) in nats of one prompt, from clean probabilities and both logits (vocabulary,).

    With d = edited - clean logits and E the mean under the clean model, KL = log E exp(d - E d), written with expm1 and
    log1p. Unlike a difference of two log-softmaxes it is exactly zero for no change and keeps its digits near zero.
    One prompt at a time: a vocabulary fits into the processor's cache, a batch of them does not.
    """
    change = edited.float() - clean
    change -= torch.dot(probabilities, change)
    if float(change.max()) > _LARGE_CHANGE:
        log_probabilities = torch.log_softmax(clean.double(), dim=-1)  # float32 probabilities may be 0 where it matters
        return max(float(torch.logsumexp(log_probabilities + change.double(), dim=-1)), 0.0)
    return max(math.log1p(float(torch.dot(probabilities, change.expm1_()))), 0.0)
