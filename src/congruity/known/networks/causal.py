"""A finite causal model as a network with a site for every variable: a network whose algorithm is known exactly.

A variable's activation is the one-hot vector of its value, and a mechanism is its table, read multilinearly: exact on
values, and differentiable in between, as attribution needs. The answer's logits are its one-hot vector, times a gain.
A network also leaks: every other variable adds a little to the logits, through weights of its own. Without a leak a
variable either decides the answer or does nothing, and no edit could reach a given strength.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from congruity._base.streams import stream
from congruity.errors import InputError, ModelError
from congruity.models.torch_module import TorchModule
from congruity.theory import CausalModel
from congruity.theory.tables import Table, codes, tabulated


class CausalNetwork(torch.nn.Module):
    """``forward(codes (n, inputs)) -> logits (n, values of the output)``, in double precision.

    Args:
        model: finite, with one output; inputs come as places among their values, in the order of ``model.inputs``.
        gain: logit of the answer.
        leak: standard deviation of what any other variable adds to a logit.
        seed: of the weights that leak.

    Attributes:
        places: variable -> its submodule of ``nodes``: its name, but for what PyTorch does not allow in one.

    Raises:
        InputError: several outputs, an output that is an input, a real input, tables that are too large.

    >>> model = CausalModel({"a": (0, 1), "b": (0, 1)}, {"both": lambda a, b: a & b}, ("both",))
    >>> CausalNetwork(model, leak=0.0)(torch.tensor([[1, 0], [1, 1]])).argmax(dim=1)
    tensor([0, 1])
    """

    def __init__(self, model: CausalModel, *, gain: float = 4.0, leak: float = 0.1, seed: int = 0) -> None:
        super().__init__()
        if len(model.outputs) != 1 or model.outputs[0] not in model.variables:
            raise InputError("causal network: give a causal model with one output that is no input")
        self.model = tabulated(model)
        self.output, self._gain = model.outputs[0], gain
        self._sizes = [len(values or ()) for values in self.model.inputs.values()]
        self.places = _places(self.model.variables)
        self.nodes = torch.nn.ModuleDict({place: torch.nn.Identity() for place in self.places.values()})
        random = stream(seed, "causal network", "leak")
        classes = len(self.model.domains[self.output])
        for name in self.model.variables:
            _, table = self.model.mechanisms[name]  # type: ignore[misc]
            if not isinstance(table, Table):
                raise ModelError(f"causal network: {name} has no table")
            size = len(self.model.domains[name])
            places = codes(self.model.domains[name], np.asarray(table.entries))
            self.register_buffer(f"table_{self.places[name]}", torch.as_tensor(np.eye(size)[places]))
            out = np.zeros((size, classes)) if name == self.output else leak * random.normal(size=(size, classes))
            self.register_buffer(f"leak_{self.places[name]}", torch.as_tensor(out))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits, (n, values of the output)."""
        values = {
            name: torch.nn.functional.one_hot(inputs[:, place].long(), size).double()
            for place, (name, size) in enumerate(zip(self.model.inputs, self._sizes, strict=True))
        }
        logits: Tensor = torch.zeros((), dtype=torch.float64)
        for name in self.model.variables:
            weights = torch.ones(len(inputs), 1, dtype=torch.float64, device=inputs.device)
            for parent in self.model.parents(name):
                weights = (weights[:, :, None] * values[parent][:, None, :]).flatten(1)
            place = self.places[name]
            values[name] = self.nodes[place](weights @ self.get_buffer(f"table_{place}"))
            logits = logits + values[name] @ self.get_buffer(f"leak_{place}")
        return logits + self._gain * values[self.output]


def _places(variables: tuple[str, ...]) -> dict[str, str]:
    """Return for each variable a name that a submodule may have: its own, or, where PyTorch forbids that, another."""
    found: dict[str, str] = {}
    for name in variables:
        place = name.replace(".", "_") or "_"
        while place in found.values() or hasattr(torch.nn.ModuleDict, place) or (place != name and place in variables):
            place += "_"
        found[name] = place
    return found


def causal_network(
    model: CausalModel, *, name: str, base: str | None = None, gain: float = 4.0, leak: float = 0.1, seed: int = 0
) -> TorchModule:
    """Return a causal model as a `Model` of the pipeline: all variables but the output can be edited, all are read.

    A Gram matrix of it is then that of the one-hot values of all variables, which `congruity.theory` gives exactly.

    Args:
        model, gain, leak, seed: as for `CausalNetwork`.
        name, base: as for `TorchModule`.

    Raises:
        InputError: as `CausalNetwork`, or no variable between inputs and output.
    """
    network = CausalNetwork(model, gain=gain, leak=leak, seed=seed)
    if not model.inner or not all(math.isfinite(part) for part in (gain, leak)):
        raise InputError(
            "causal network: give a causal model with a variable between inputs and output, and finite gains"
        )
    return TorchModule(
        network,
        edits={f"nodes.{network.places[variable]}": 1 for variable in model.inner},
        reads=[f"nodes.{place}" for place in network.places.values()],
        name=name,
        base=base,
    )
