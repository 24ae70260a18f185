"""Adapter of any PyTorch module: the user names the submodules that can be edited and those that are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from congruity._base.digest import digest
from congruity.errors import CongruityError, InputError, ModelError, TaskError
from congruity.models.bound import Bound
from congruity.models.group import Batch, Group
from congruity.models.shortcuts import Start
from congruity.protocols import Intervention
from congruity.values import Examples, ModelCard, Site


class TorchModule:
    """Wrap ``module(inputs) -> logits``: (n, classes), or (n, positions, vocabulary) read at the last position.

    Args:
        module: called with one tensor of the examples' inputs.
        edits: submodule paths whose output may be replaced, with the number of heads that it holds side by side in its
            last dimension (1 for a whole layer).
        reads: submodule paths whose output is the representation (the last position of it, where there are positions).
        name, base: display name; name of the independently trained network (default: ``name``).

    Raises:
        InputError: an unknown path, or no edits or reads.

    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> [str(site) for site in TorchModule(net, edits={"0": 2}, reads=["1"], name="tiny").sites]
    ['0[0]', '0[1]']
    """

    adapter = "torch-module"

    def __init__(
        self,
        module: torch.nn.Module,
        *,
        edits: Mapping[str, int],
        reads: Sequence[str],
        name: str,
        base: str | None = None,
    ) -> None:
        self._modules = dict(module.named_modules())
        for path in (*edits, *reads):
            if path not in self._modules:
                known = ", ".join(key for key in self._modules if key)
                raise InputError(f"TorchModule {name}: no submodule is called {path!r}; there are {known}")
        if not edits or not reads:
            raise InputError(f"TorchModule {name}: name at least one submodule to edit and one to read")
        self._module = module.eval().requires_grad_(False)
        self.reads = tuple(reads)
        self.sites = tuple(
            Site(layer, "module" if heads == 1 else "head", path, None if heads == 1 else head)
            for layer, (path, heads) in enumerate(edits.items())
            for head in range(heads)
        )
        parameter = next(iter(module.parameters()), torch.zeros(0))
        self.device = parameter.device
        state = {key: value.detach().cpu().numpy() for key, value in module.state_dict().items()}
        self.card = ModelCard(
            name=name,
            digest=digest(repr(module), *(part for item in state.items() for part in item)),
            base=base or name,
            adapter=self.adapter,
            n_layers=len(self.reads),
            n_heads=max(edits.values()),
            d_model=0,
            dtype=str(parameter.dtype).removeprefix("torch."),
        )
        self._parameters = sum(p.numel() for p in module.parameters() if p.ndim == 2)

    def single_token(self, word: str) -> bool:
        """True: arrays have no words to split."""
        return True

    def probe_error(self) -> float:
        """Zero: the module runs as it came, nothing is wrapped around it."""
        return 0.0

    def hook_module(self, hook: str) -> torch.nn.Module:
        """The submodule at path ``hook``."""
        return self._modules[hook]

    def bind(self, examples: Examples, intervention: Intervention, *, pad: bool = False) -> Bound:
        """Put all examples, which are arrays (n, ...), in one group. ``pad`` changes nothing: arrays are one length."""
        columns = (examples.clean, examples.counterfactual, examples.answers, examples.foils)
        if not all(isinstance(column, np.ndarray) for column in columns):
            raise TaskError(
                f"{self.card.name}: a plain PyTorch module needs arrays of inputs and class indices, not text"
            )
        clean, other, answers, foils = (torch.as_tensor(np.array(column), device=self.device) for column in columns)
        if clean.shape != other.shape:
            raise TaskError(
                f"{examples.task}: clean inputs are {tuple(clean.shape)}, counterfactuals {tuple(other.shape)}"
            )
        if clean.is_floating_point():
            dtype = getattr(torch, self.card.dtype)
            clean, other = clean.to(dtype), other.to(dtype)
        group = Group(np.arange(len(examples)), clean, other, answers.long(), foils.long())
        return Bound(self, (group,), intervention, examples.ids)

    def prefix(self, tokens: Tensor) -> Any:
        """Never called: groups here share no prefix."""
        raise ModelError(f"{self.card.name}: a plain PyTorch module has no prefix cache")

    def computing_module(self, hook: str) -> torch.nn.Module | None:
        """None: nothing is known about how the module computes it, so nothing can be left out."""
        return None

    def matrix_parameters(self, module: torch.nn.Module) -> int:
        """Weights of the matrices in ``module``."""
        return sum(p.numel() for p in module.parameters() if p.ndim == 2)

    def logits(self, batch: Batch) -> Tensor:
        """Return (rows wanted, classes), or only the classes ``words`` (rows wanted, k)."""
        logits = self._called(batch.tokens)[:, -1]
        logits = logits if batch.wanted is None else logits[batch.wanted]
        return logits if batch.words is None else logits.gather(1, batch.words)

    def answers(self, batch: Batch) -> Tensor:
        """Return (rows wanted, outputs, classes): logits at every position, or of the one answer."""
        logits = self._called(batch.tokens)
        return logits if batch.wanted is None else logits[batch.wanted]

    def _called(self, tokens: Tensor) -> Tensor:
        """Return what the module gives, (rows, outputs, classes)."""
        try:
            result = self._module(tokens)
        except (CongruityError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # whatever a module of the user's raises
            raise ModelError(
                f"{self.card.name}: the module does not run on {_described(tokens)}: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(result, Tensor):
            raise ModelError(
                f"{self.card.name}: the module returned {type(result).__name__}; it must return a tensor of logits"
            )
        if result.ndim not in (2, 3) or len(result) != len(tokens):
            raise ModelError(
                f"{self.card.name}: the module returned {tuple(result.shape)} for {len(tokens)} rows; it must "
                "return logits (n, classes) or (n, positions, classes)"
            )
        return result[:, None] if result.ndim == 2 else result

    def class_numbers(self, words: Sequence[str]) -> list[int]:
        """Raise `TaskError`: classes of a plain module are numbers."""
        raise TaskError(f"{self.card.name}: a plain PyTorch module has classes, and no words such as {words[0]!r}")

    def embedding_module(self) -> torch.nn.Module | None:
        """None: which submodule embeds the inputs is not known."""
        return None

    def start_hook(self, layer: int) -> str | None:
        """None: nothing is known about the order of the submodules, so every run is a whole one."""
        return None

    def starting(self, start: Start) -> AbstractContextManager[None]:
        """Never called: runs start at the input."""
        raise ModelError(f"{self.card.name}: a plain PyTorch module has no blocks to start from")

    def forward_flops(self, positions: int, rows: int, *, start: int | None = None, words: int | None = None) -> float:
        """Two a weight and position."""
        return 2.0 * positions * self._parameters


def _described(tokens: Tensor) -> str:
    return f"{'numbers' if tokens.is_floating_point() else 'integers'} {tuple(tokens.shape)}"
