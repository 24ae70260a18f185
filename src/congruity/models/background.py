"""A site on other prompts: mean, standard deviation and random numbers, for interventions that need them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from congruity._base.streams import stream
from congruity.models.group import Group


@dataclass(frozen=True)
class Moments:
    """Mean (positions, width), the last position last, and standard deviation (width,) of a site's activation."""

    mean: Tensor
    deviation: Tensor


def moments(values: Sequence[Tensor], groups: Sequence[Group]) -> Moments:
    """Return the moments of activations (g, positions, width) a group, over prompts and where inputs differ.

    Positions are aligned at the last one, where the answer is read. Positions before the first token that differs hold
    what every edit leaves alone, and the first of all, where models park large activations, would drown the others.
    """
    longest = max(value.shape[1] for value in values)
    width = values[0].shape[2]
    total, count = values[0].new_zeros(longest, width), values[0].new_zeros(longest, 1)
    every = []
    for value, group in zip(values, groups, strict=True):
        length = value.shape[1]
        used = value.new_ones(value.shape[:2], dtype=torch.bool)
        if group.first is not None:
            position = torch.arange(group.prefix, group.prefix + length, device=value.device)
            used = position >= group.first[:, None]
        total[longest - length :] += (value * used[:, :, None]).sum(dim=0)
        count[longest - length :] += used.sum(dim=0)[:, None]
        every.append(value[used])
    return Moments(total / count.clamp_min(1), torch.cat(every).std(dim=0, unbiased=False))


@dataclass(frozen=True)
class SiteBackground:
    """The `congruity.protocols.Background` of one site and one group of prompts."""

    hook: str
    ids: Sequence[str]  # of the prompts
    like: Tensor  # (g, positions, width)
    moments: Callable[[], Moments]

    def mean(self) -> Tensor:
        """Return (g, positions, width): the mean of counterfactual runs at the same distance from the last position."""
        return self.moments().mean[-self.like.shape[1] :].expand_as(self.like)

    def deviation(self) -> Tensor:
        """Return (width,): the standard deviation over counterfactual prompts and positions."""
        return self.moments().deviation

    def normal(self, seed: int) -> Tensor:
        """Return (g, positions, width) standard normal numbers; those of a prompt do not depend on its batch."""
        _, positions, width = self.like.shape
        drawn = [stream(seed, "noise", self.hook, name).standard_normal((positions, width))[::-1] for name in self.ids]
        return torch.as_tensor(np.stack(drawn)).to(self.like)
