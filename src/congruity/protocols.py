"""The extension points: a user's own object that has these members works without any registration.

`Task` says what is computed, `Model` and `BoundModel` which network computes it, `Intervention` what replacing a site
writes, `Finder` which sites matter, `Distance` how far apart two representations are. The parameters of the last three
are the fields of a dataclass; reports and the command line call each by its ``name``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from congruity._base.arrays import Floats
from congruity._base.progress import Progress
from congruity.values import (
    DistanceTable,
    Edit,
    Examples,
    Interchange,
    Location,
    ModelCard,
    Outputs,
    Scores,
    Site,
    Traits,
)


class Task(Protocol):
    """Makes pairs of prompts with their answers, from words that ``single_token`` accepts."""

    @property
    def name(self) -> str: ...
    def examples(self, single_token: Callable[[str], bool] | None = None) -> Examples: ...


class Model(Protocol):
    """A network with named sites. ``bind`` tokenises, checks and groups the examples."""

    @property
    def card(self) -> ModelCard: ...
    @property
    def sites(self) -> tuple[Site, ...]: ...
    def single_token(self, word: str) -> bool: ...
    def probe_error(self) -> float: ...
    def bind(self, examples: Examples, intervention: Intervention, *, pad: bool = False) -> BoundModel: ...


class BoundModel(Protocol):
    """A model on one set of examples. Outputs come in the order of the edits; ``rows`` selects examples.

    An interchange intervention is a run too: bind pairs of base and source inputs with `Resample`, and run an
    `Interchange` (locations that differ from row to row) or an `Edit` (whole sites). What comes back is the metric, or,
    with ``answers``, class probabilities: of all classes (True) or of the words given.
    """

    @property
    def flops(self) -> float: ...  # counted so far, of the matrix products that had to happen

    def run(
        self,
        edits: Sequence[Edit | Interchange | None],
        *,
        rows: NDArray[np.intp] | None = None,
        scored: NDArray[np.intp] | None = None,
        read: bool = False,
        answers: bool | Sequence[str] = False,
    ) -> Iterator[Outputs]: ...  # layers of ``rows``, behaviour of those ``scored`` (all of ``rows``, if None)

    @property
    def locations(self) -> tuple[Location, ...]: ...  # every site at each token position that all examples have

    def log_probs(self) -> Any: ...  # tensor (n, vocabulary), unedited, at the answer position
    def attributions(self, rows: NDArray[np.intp] | None = None, *, steps: int = 1) -> Floats: ...  # (rows, sites)
    def effects(self, sites: Sequence[Site], rows: NDArray[np.intp] | None = None) -> Floats: ...  # (rows, len(sites))


class Background(Protocol):
    """Activations of a site on other prompts, (prompts, positions, width); positions are counted from the last."""

    def mean(self) -> Any: ...  # of counterfactual runs, at each distance from the last position
    def deviation(self) -> Any: ...  # (width,): standard deviation over counterfactual prompts and positions
    def normal(self, seed: int) -> Any: ...  # standard normal numbers that depend on prompt, site and seed only


class Intervention(Protocol):
    """What is written at a site, from the first token on where the clean and the counterfactual input differ."""

    name: ClassVar[str]

    def replacement(self, clean: Any, counterfactual: Any, background: Background) -> Any: ...  # as `Background`


class Finder(Protocol):
    """Gives every site of a bound model a score, measured on the examples ``rows`` (all, if None)."""

    name: ClassVar[str]

    def scores(self, model: Model, bound: BoundModel, rows: NDArray[np.intp] | None = None) -> Scores: ...


class Distance(Protocol):
    """Distances of all ordered pairs of N Gram matrices (N, m, m) at once.

    ``traits`` declare symmetry, range, the triangle inequality and invariances. Hyper-parameters are the fields of a
    dataclass. A distance that solves a problem a pair may have a method ``remembering``: it returns the same distance
    with a memory of solved pairs, which `congruity.compare` asks for once a call.
    """

    name: ClassVar[str]
    traits: ClassVar[Traits]

    def table(self, grams: Floats, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable: ...
