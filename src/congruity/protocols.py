"""The extension points: a user's own object that has these members works without any registration.

`Task` says what is computed, `Model` and `BoundModel` which network computes it, `Intervention` the value that replaces
a site's activation, `Finder` which sites matter, `Distance` how far apart two representations are. Interventions,
finders and distances are dataclasses if their parameters are to be recorded: their fields are the parameters.
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
    """Makes pairs of prompts with their answers, from words that ``single_token`` accepts (None: any words)."""

    @property
    def name(self) -> str: ...
    def examples(self, single_token: Callable[[str], bool] | None = None) -> Examples: ...


class Model(Protocol):
    """A network with named sites. ``bind`` tokenises and checks the examples, and groups those of equal length.

    ``probe_error`` is the largest relative difference between logits of the adapter and of the plain forward pass.
    """

    @property
    def card(self) -> ModelCard: ...
    @property
    def sites(self) -> tuple[Site, ...]: ...
    def single_token(self, word: str) -> bool: ...
    def probe_error(self) -> float: ...
    def bind(self, examples: Examples, intervention: Intervention, *, pad: bool = False) -> BoundModel: ...


class BoundModel(Protocol):
    """A model on one set of examples. ``run`` yields one `Outputs` an edit, in order; None is the unedited model.

    Representations are read on ``rows`` (all, if None), and behaviour on ``scored``, a part of them. An interchange
    intervention is a run too: bind pairs of clean (base) and counterfactual (source) inputs with `Resample`, and run an
    `Interchange` (locations that differ from row to row) or an `Edit` (whole sites). What comes back is the logit
    difference and the KL, or, with ``answers``, class probabilities: of all classes (True) or of the words given.
    """

    @property
    def flops(self) -> float: ...  # of the matrix products executed so far

    def run(
        self,
        edits: Sequence[Edit | Interchange | None],
        *,
        rows: NDArray[np.intp] | None = None,
        scored: NDArray[np.intp] | None = None,
        read: bool = False,
        answers: bool | Sequence[str] = False,
    ) -> Iterator[Outputs]: ...

    @property
    def locations(self) -> tuple[Location, ...]: ...  # every site at each token position that all examples have

    def log_probs(self) -> Any: ...  # tensor (n, vocabulary), unedited, at the answer position

    # Change of the logit difference when one site alone is replaced: estimated for all sites by attribution patching
    # (``steps`` above 1: integrated gradients), (rows, sites); and exact, by activation patching, (rows, len(sites)).
    def attributions(self, rows: NDArray[np.intp] | None = None, *, steps: int = 1) -> Floats: ...
    def effects(self, sites: Sequence[Site], rows: NDArray[np.intp] | None = None) -> Floats: ...


class Background(Protocol):
    """Activations of a site on other prompts, (prompts, positions, width), aligned at the last position."""

    def mean(self) -> Any: ...  # of counterfactual runs, at each distance from the last position
    def deviation(self) -> Any: ...  # (width,): standard deviation over counterfactual prompts and positions
    def normal(self, seed: int) -> Any: ...  # standard normal numbers that depend on prompt, site and seed only


class Intervention(Protocol):
    """The value that replaces a site's activation, from the first token on where clean and counterfactual differ."""

    name: ClassVar[str]

    def replacement(
        self, clean: Any, counterfactual: Any, background: Background
    ) -> Any: ...  # (prompts, positions, width)


class Finder(Protocol):
    """Gives every site a score on the examples ``rows`` (all, if None); sites are ranked by its absolute value."""

    name: ClassVar[str]

    def scores(self, model: Model, bound: BoundModel, rows: NDArray[np.intp] | None = None) -> Scores: ...


class Distance(Protocol):
    """Distances of all ordered pairs of N Gram matrices (N, m, m), row = from, column = to.

    ``traits`` declare symmetry, range, the triangle inequality and invariances. A distance that runs an optimisation
    per pair may offer ``remembering()``: a copy with a cache of solved pairs; `congruity.compare` takes one per call.
    """

    name: ClassVar[str]
    traits: ClassVar[Traits]

    def table(self, grams: Floats, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable: ...
