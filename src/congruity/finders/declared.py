"""A circuit from a file: found by another tool, described in a paper, or found here earlier."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from congruity._base.arrays import Floats
from congruity._base.digest import digest
from congruity.errors import InputError, StoreError
from congruity.protocols import BoundModel, Model
from congruity.store.circuits import ENDS, MAX_CHARACTERS, Declaration, available, node_name, parse
from congruity.values import Scores, Site


@dataclass(frozen=True)
class Declared:
    """The circuit that a JSON file names, in the format of MIB and EAP-IG or as a list of names.

    The file is read when the finder is made. Sites are named ``a9.h6`` and ``m0``, or as `Site` writes them. Those
    that the file does not score get 1 in the circuit and 0 outside. Where these scores do not put the circuit on top,
    as with a circuit of edges, its own become 1 + rank / size times the largest outside, with their sign: the order
    within it stays as it was, and all outside.

    Raises:
        StoreError: no such file, or no circuit in it.

    Example:
        ``cg.fingerprint(task, "gpt2", finder=cg.finders.Declared("ioi-circuit.json"))``
    """

    name: ClassVar[str] = "declared"
    path: Path | str

    def __post_init__(self) -> None:
        _ = self.declaration  # a file that cannot be used is refused before a model is loaded

    @property
    def parameters(self) -> dict[str, Any]:
        """Number of sites and digest of the circuit in the file; not the path, which differs between machines."""
        return {"sites": len(self.declaration.sites), "digest": digest(self.declaration)}

    @functools.cached_property
    def declaration(self) -> Declaration:
        """The circuit in the file."""
        path = Path(self.path)
        try:
            if path.stat().st_size > MAX_CHARACTERS:
                raise StoreError(f"{path}: {path.stat().st_size} bytes are no circuit file")
            return parse(path.read_text(encoding="utf-8"), str(path))
        except FileNotFoundError:
            raise StoreError(f"{path}: no such circuit file") from None
        except UnicodeDecodeError:
            raise StoreError(f"{path}: not the JSON of a circuit: it is no UTF-8 text") from None
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error.strerror})") from None

    def scores(self, model: Model, bound: BoundModel, rows: NDArray[np.intp] | None = None) -> Scores:
        """Return the declared scores, whose top ``size`` sites are the declared circuit. No prompt is run.

        Raises:
            InputError: the file names a site that the model lacks, one site by two names, or nothing but the ends
                of a graph and scores of 0, which rank nothing.
        """
        places = {name: i for i, site in enumerate(model.sites) for name in (node_name(site), str(site))}
        self._check(model, places)
        values, inside = np.zeros(len(model.sites)), np.zeros(len(model.sites), dtype=bool)
        inside[[places[name] for name in self.declaration.sites if name in places]] = True
        values[inside] = 1.0
        for name, score in self.declaration.scores.items():
            if name in places:
                values[places[name]] = score
        if not inside.any() and not values.any():
            raise InputError(
                f"{self.path}: no circuit: it has neither a site in the circuit ({' and '.join(ENDS)} are none) nor a "
                "score other than 0"
            )
        size = int(inside.sum()) or None  # a file of scores alone leaves the size to be chosen
        found = Scores(self.name, model.sites, values, np.zeros(len(values)), 0, size)
        if size is not None and set(found.ranked()[:size]) != _at(model.sites, inside):
            found = Scores(self.name, model.sites, _raised(values, inside), np.zeros(len(values)), 0, size)
        return found

    def _check(self, model: Model, places: dict[str, int]) -> None:
        named = dict.fromkeys((*self.declaration.sites, *self.declaration.scores))
        missing = [name for name in named if name not in places and name not in ENDS]
        if missing:
            more = f" and {len(missing) - 3} more sites" if len(missing) > 3 else ""
            raise InputError(
                f"{self.path}: {model.card.name} has no {', '.join(missing[:3])}{more}, which this circuit names; "
                f"it has {available(model.sites)}"
            )
        by_place: dict[int, str] = {}
        for name in named:
            other = by_place.setdefault(places[name], name) if name in places else name
            if other != name:
                raise InputError(f"{self.path}: {other!r} and {name!r} are one site; name it once")


def _at(sites: tuple[Site, ...], chosen: NDArray[np.bool_]) -> set[Site]:
    return {site for site, wanted in zip(sites, chosen, strict=True) if wanted}


def _raised(values: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Return the scores with those inside larger than any outside, each group in its order.

    By rank, as a sum would lose differences far smaller than the largest score outside.
    """
    floor = np.abs(values[~inside]).max(initial=0.0) or 1.0
    _, ranks = np.unique(np.abs(values[inside]), return_inverse=True)
    out = values.copy()
    out[inside] = np.where(values[inside] < 0, -1.0, 1.0) * floor * (1 + (1 + ranks) / len(ranks))
    return out
