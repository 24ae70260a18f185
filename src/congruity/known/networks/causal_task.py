"""The function of a finite causal model as a task: inputs, counterfactual inputs, and the answers of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from congruity._base.streams import stream
from congruity.errors import TaskError
from congruity.theory import CausalModel
from congruity.theory.tables import codes, domains
from congruity.values import Examples


@dataclass(frozen=True)
class Causal:
    """Draws of a causal model's inputs, as places among their values, and of others that it answers otherwise.

    Attributes:
        model: finite, with one output.
        n: examples.
        seed: of the draws.
        name: of the task.

    >>> model = CausalModel({"a": (0, 1), "b": (0, 1)}, {"both": lambda a, b: a & b}, ("both",))
    >>> examples = Causal(model, n=8).examples()
    >>> bool((examples.answers != examples.foils).all())
    True
    """

    model: CausalModel
    n: int = 64
    seed: int = 0
    name: str = "causal"

    def examples(self, single_token: Callable[[str], bool] | None = None) -> Examples:
        """Return the examples; codes have no words to split.

        Raises:
            TaskError: several outputs, or one answer to all inputs.
        """
        if len(self.model.outputs) != 1:
            raise TaskError(f"{self.name}: a causal task needs one output; the model has {len(self.model.outputs)}")
        solved = self.model.solve(self.model.every_input())
        listed = domains(self.model)
        inputs = np.stack([codes(listed[name], solved[name]) for name in self.model.inputs], axis=1)
        answers = codes(listed[self.model.outputs[0]], solved[self.model.outputs[0]])
        if len(np.unique(answers)) < 2:
            raise TaskError(
                f"{self.name}: the model gives one answer to all {len(inputs)} inputs, so nothing can change it"
            )
        random = stream(self.seed, "causal task", self.name)
        clean = random.integers(len(inputs), size=self.n)
        other = np.array([random.choice(np.flatnonzero(answers != answers[row])) for row in clean])
        ids = tuple(f"{self.name}-{i:04d}" for i in range(self.n))
        return Examples(self.name, inputs[clean], inputs[other], answers[clean], answers[other], ids)
