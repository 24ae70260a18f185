"""The extension points. A user's own object that has these members works without any registration."""

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
    """WHAT is computed: makes the examples, avoiding words that a model would split."""

    @property
    def name(self) -> str: ...

    def examples(self, single_token: Callable[[str], bool] | None = None) -> Examples: ...


class Model(Protocol):
    """WHO computes it: a network with named sites. ``bind`` tokenises, checks and groups the examples."""

    @property
    def card(self) -> ModelCard: ...
    @property
    def sites(self) -> tuple[Site, ...]: ...
    def single_token(self, word: str) -> bool: ...
    def probe_error(self) -> float: ...
    def bind(self, examples: Examples, intervention: Intervention, *, pad: bool = False) -> BoundModel: ...


class BoundModel(Protocol):
    """A model on one set of examples, or on some of its ``rows``. Outputs come in the order of the edits.

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


class Intervention(Protocol):
    """HOW a site is changed, from the first token on where the clean and the counterfactual input differ."""

    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> dict[str, Any]: ...

    def replacement(self, clean: Any, counterfactual: Any, background: Background) -> Any: ...  # as `Background`


class Background(Protocol):
    """What a site does on other prompts. Tensors are (prompts, positions, width), positions counted from the last."""

    def mean(self) -> Any: ...  # of counterfactual runs, at each distance from the last position
    def deviation(self) -> Any: ...  # (width,): standard deviation over counterfactual prompts and positions
    def normal(self, seed: int) -> Any: ...  # standard normal numbers that depend on prompt, site and seed only


class Finder(Protocol):
    """WHICH sites matter: a score for every site of the bound model."""

    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> dict[str, Any]: ...

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
