"""A model's answers to an interpretation's inputs, unedited and under interchange interventions.

Codes are places of values among their domains: inputs come as codes (n, inputs), answers as codes (n, outputs). A
language model gets the prompts that the interpretation writes, and is asked for the words of its output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from congruity._base.progress import Progress, silent
from congruity.errors import InputError, TaskError
from congruity.evaluation.interpretation import Interpretation
from congruity.interventions import Resample
from congruity.protocols import BoundModel, Model
from congruity.theory.tables import domains
from congruity.values import Examples, Interchange, Location

_ROWS = 256  # bound at once: the activations of as many base and source inputs are kept

Codes = NDArray[np.int64]


class CodedModel:
    """A `Model` that answers codes with codes.

    Args:
        model: anything that `congruity.load_model` gives.
        interpretation: says inputs, outputs and, for language models, prompts.
        probe: (1, inputs) codes to find the model's locations with.

    Attributes:
        locations: by name, each site at each position.

    Raises:
        InputError: a language model without prompts, or answers that are not those of the interpretation.
    """

    def __init__(self, model: Model, interpretation: Interpretation, probe: Codes) -> None:
        self.name, self._model = model.card.name, model
        self._of, self._prompts = interpretation.model, interpretation.prompts
        self._sizes = [len(domains(self._of)[name]) for name in self._of.inputs]
        if self._prompts is not None:
            self._prompts.check(self._of)
        try:
            bound, _ = self._bound(probe, probe)
        except TaskError as error:
            if self._prompts is not None:
                raise
            raise InputError(
                f'evaluate: {error}; give the interpretation prompts ("prompts" in its JSON file: a template and words)'
            ) from None
        (found,) = self._given(bound, [None])
        self.locations = {str(location): location for location in bound.locations}
        outputs, classes = found.shape[1:]
        wanted = [len(domains(self._of)[name]) for name in self._of.outputs]
        if outputs != len(wanted) or max(wanted) > classes:
            raise InputError(
                f"evaluate: {self.name} gives {outputs} answers of {classes} classes; the interpretation has "
                f"{len(wanted)} outputs of up to {max(wanted)} values"
            )

    def plain(self, inputs: Codes) -> Codes:
        """Return the answers of the unedited model, (n, outputs)."""
        found = []
        for rows in _chunks(len(inputs)):
            bound, _ = self._bound(inputs[rows], inputs[rows])
            found += [given.argmax(axis=2) for given in self._given(bound, [None])]
        return np.concatenate(found)

    def interchanged(
        self,
        base: Codes,
        source: Codes,
        interchanges: Sequence[Interchange],
        *,
        progress: Progress = silent,
        stage: str = "",
    ) -> Codes:
        """Return the answers on base inputs with locations as they are on source inputs.

        Args:
            base, source: (n, inputs) codes, pair by pair.
            interchanges: which locations of which pairs.
            progress: is told how many answers there are, in units of whole interchanges.
            stage: what progress calls it.

        Returns:
            (interchanges, n, outputs) codes.
        """
        result = np.zeros((len(interchanges), len(base), len(self._of.outputs)), dtype=np.int64)
        done = 0
        for rows in _chunks(len(base)):
            bound, same = self._bound(base[rows], source[rows])
            edits = [Interchange(one.locations, one.where[rows] & ~same[:, None]) for one in interchanges]
            for k, given in enumerate(self._given(bound, edits)):
                progress(stage, int(done / len(base)), len(interchanges))
                result[k, rows] = given.argmax(axis=2)
                done += len(rows)
        progress(stage, len(interchanges), len(interchanges))
        return result

    def _bound(self, base: Codes, source: Codes) -> tuple[BoundModel, NDArray[np.bool_]]:
        """Bind pairs of inputs; also return which of them must stay unedited, as their prompts could not be equal."""
        n, ids = len(base), tuple(f"pair-{i}" for i in range(len(base)))
        if self._prompts is None:
            nothing = np.zeros(n, dtype=np.int64)
            examples = Examples("evaluate", base, source, nothing, nothing, ids)
            return self._model.bind(examples, Resample()), np.zeros(n, dtype=bool)
        same = (base == source).all(axis=1)
        other = base.copy()  # an edited source prompt must differ: here nothing of it is ever written
        column = int(np.argmax(self._sizes))
        other[:, column] = (other[:, column] + 1) % self._sizes[column]
        words = self._prompts.answers(self._of)
        clean, changed = (
            self._prompts.texts(self._of, part) for part in (base, np.where(same[:, None], other, source))
        )
        examples = Examples("evaluate", clean, changed, (words[0],) * n, (words[-1],) * n, ids)
        return self._model.bind(examples, Resample()), same

    def _given(self, bound: BoundModel, edits: Sequence[Interchange | None]) -> Iterator[NDArray[np.float64]]:
        """Yield class probabilities (rows, outputs, classes) of each edit; one output is that at the last position."""
        asked = True if self._prompts is None else self._prompts.answers(self._of)
        for out in bound.run(edits, answers=asked):
            if out.answers is None:
                raise InputError(f"evaluate: {self.name} gives no class probabilities; its run must take answers=")
            yield out.answers[:, -1:] if len(self._of.outputs) == 1 else out.answers


def _chunks(n: int) -> Iterator[NDArray[np.intp]]:
    for start in range(0, n, _ROWS):
        yield np.arange(start, min(n, start + _ROWS))


def marked(locations: Sequence[Location], where: NDArray[np.bool_]) -> Interchange:
    """Return the interchange of the locations that some pair has, where (pairs, locations)."""
    used = np.flatnonzero(where.any(axis=0))
    return Interchange(tuple(locations[i] for i in used.tolist()), where[:, used])
