"""Interchange interventions as data: which locations of which rows take their value from another run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from congruity._base.arrays import frozen
from congruity.errors import InputError
from congruity.values.model import Site


@dataclass(frozen=True)
class Location:
    """A site at one token position: the smallest thing that an interchange intervention replaces.

    Attributes:
        site: the site.
        position: token position, from 0, or from the end where negative; None: all positions together.

    >>> str(Location(Site(0, "mlp", "blocks.0.hook_mlp_out"), 2))
    'blocks.0.hook_mlp_out@2'
    """

    site: Site
    position: int | None = None

    def __str__(self) -> str:
        return str(self.site) if self.position is None else f"{self.site}@{self.position}"


@dataclass(frozen=True)
class Interchange:
    """An interchange intervention that may differ from row to row.

    Where an `Edit` replaces sites in all rows and at all positions, an interchange says for each row which locations
    are replaced. What is written is what the bound intervention makes of the counterfactual input: with `Resample`,
    the value that the location has in the run on it (the source run).

    Attributes:
        locations: k locations.
        where: (n, k), True where the location of that row of the examples is replaced.
    """

    locations: tuple[Location, ...]
    where: NDArray[np.bool_]

    def __post_init__(self) -> None:
        where = frozen(self.where, dtype=np.dtype(bool))
        if where.ndim != 2 or where.shape[1] != len(self.locations):
            raise InputError(
                f"Interchange: where has shape {where.shape}; expected (rows, {len(self.locations)}), one column a "
                "location"
            )
        object.__setattr__(self, "where", where)
