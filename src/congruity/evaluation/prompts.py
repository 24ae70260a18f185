"""How the inputs and the answer of an interpretation are written as text, for language models."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity.errors import InputError
from congruity.theory import CausalModel
from congruity.theory.tables import domains

_NAME = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Prompts:
    """A prompt template and the words of values.

    Attributes:
        template: the prompt, with each input's name in braces.
        words: for an input or the output, one word for each value in the order of its domain, the output's with its
            leading space. A variable that is left out is written as its values are.

    >>> model = CausalModel({"a": (0, 1), "b": (0, 1)}, {"both": lambda a, b: a & b}, ("both",))
    >>> prompts = Prompts("{a} and {b} is", {"both": (" false", " true")})
    >>> prompts.texts(model, np.array([[1, 0]])), prompts.answers(model)
    (('1 and 0 is',), (' false', ' true'))
    """

    template: str
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def check(self, model: CausalModel) -> None:
        """Raise `InputError` unless template and words fit a causal model with one output."""
        if len(model.outputs) != 1:
            raise InputError(f"prompts: a language model gives one answer; the model has {len(model.outputs)} outputs")
        named, listed = set(_NAME.findall(self.template)), domains(model)
        if unlike := sorted(named ^ set(model.inputs)):
            raise InputError(
                f"prompts: the template and the inputs differ in {unlike[0]!r}; name each of "
                f"{', '.join(model.inputs)} in braces"
            )
        if strange := sorted(set(self.words) - {*model.inputs, *model.outputs}):
            raise InputError(f"prompts: there are words for {strange[0]!r}, which is no input or output")
        for name in (*model.inputs, *model.outputs):
            words = self._of(name, listed[name], name in model.outputs)
            if len(words) != len(listed[name]) or len(set(words)) < len(words):
                raise InputError(
                    f"prompts: {name} has {len(listed[name])} values and the words {', '.join(map(repr, words[:6]))}; "
                    "give each value a word of its own"
                )

    def texts(self, model: CausalModel, inputs: NDArray[np.int64]) -> tuple[str, ...]:
        """Return the prompt of each row of codes (n, inputs)."""
        listed = domains(model)
        words = {name: self._of(name, listed[name], False) for name in model.inputs}
        found = []
        for row in inputs.tolist():
            here = {name: words[name][code] for name, code in zip(model.inputs, row, strict=True)}
            found.append(_NAME.sub(lambda match, here=here: here[match[1]], self.template))  # type: ignore[misc]
        return tuple(found)

    def answers(self, model: CausalModel) -> tuple[str, ...]:
        """Return the word of each value of the output."""
        return self._of(model.outputs[0], domains(model)[model.outputs[0]], True)

    def _of(self, name: str, values: Sequence[Any], answer: bool) -> tuple[str, ...]:
        return tuple(self.words.get(name, [f"{' ' if answer else ''}{value}" for value in values]))


def read_prompts(data: Any, name: str) -> Prompts:
    """Return prompts from their JSON object.

    Raises:
        InputError: no object with "template" and "words".
    """
    words = data.get("words", {}) if isinstance(data, dict) else {}
    good = (
        isinstance(data, dict)
        and isinstance(words, dict)
        and isinstance(data.get("template"), str)
        and all(isinstance(row, list) and all(isinstance(word, str) for word in row) for row in words.values())
    )
    if not good:
        raise InputError(f'{name}: "prompts" must be an object with a "template" and lists of "words"')
    return Prompts(data["template"], {key: tuple(row) for key, row in words.items()})
