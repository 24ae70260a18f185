"""A model on one set of examples: what every PyTorch adapter shares.

Speed comes from three exact savings. Prompts of equal length and equal shared prefix form a group, so nothing is
padded. Clean and counterfactual prompts agree before the token where they differ, so the prefix's keys and values are
computed once. Several edits are stacked in one batch, each row with its own mask of replaced sites.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from congruity.errors import ModelError
from congruity.protocols import Intervention
from congruity.values import Edit, Floats, Outputs, Site

# Rows times positions of one batch: large enough for full matrix-product speed on a CPU, small enough for memory.
BATCH_TOKENS = 768
_LARGE_CHANGE = 20.0  # of a logit; beyond it float32 exponentials lose digits and soon overflow


@dataclass(frozen=True)
class Group:
    """Prompts that run together: tensors over ``g`` rows, the first ``prefix`` positions equal in clean and other."""

    rows: NDArray[np.intp]  # (g,) row numbers in the examples
    clean: Tensor  # (g, ...) inputs
    counterfactual: Tensor  # (g, ...)
    answers: Tensor  # (g,)
    foils: Tensor  # (g,)
    prefix: int = 0
    padding: Tensor | None = None  # (g, positions) True where a real token is


class Backend(Protocol):
    """What an adapter tells `Bound`: where hooks go and how to run a batch up to the logits of the answer position."""

    sites: tuple[Site, ...]
    reads: tuple[str, ...]
    device: torch.device

    def hook_module(self, hook: str) -> torch.nn.Module: ...
    def prefix(self, tokens: Tensor) -> Any: ...
    def logits(self, tokens: Tensor, prefix: Any, copies: int, padding: Tensor | None) -> Tensor: ...
    def forward_flops(self, positions: int, rows: int) -> float: ...


@dataclass
class _Prepared:
    """What a group needs for any edit: the prefix's cache, replacements by hook, and the unedited run."""

    prefix: Any
    replacements: dict[str, Tensor]  # hook -> (g, positions, width)
    logits: Tensor  # (g, vocabulary), unedited
    probabilities: Tensor  # (g, vocabulary), unedited
    reads: dict[str, Tensor]  # name -> (g, width), unedited


@dataclass
class Bound:
    """The `BoundModel` of every PyTorch adapter."""

    backend: Backend
    groups: tuple[Group, ...]
    intervention: Intervention
    n: int
    flops: float = 0.0
    _prepared: dict[int, _Prepared] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sites = self.backend.sites
        self._hooks = tuple(dict.fromkeys(site.hook for site in sites))
        self._heads = {hook: sum(site.hook == hook for site in sites) for hook in self._hooks}

    def run(
        self, edits: Sequence[Edit | None], *, rows: NDArray[np.intp] | None = None, read: bool = False
    ) -> Iterator[Outputs]:
        """Yield one `Outputs` an edit, in order; ``None`` is the unedited model.

        Args:
            edits: what to replace; each edit's sites must be sites of this model.
            rows: which prompts to run (all, if None); outputs are in the order of ``rows``.
            read: whether to record the layers' residual streams at the answer position.
        """
        rows = np.arange(self.n) if rows is None else np.asarray(rows)
        smallest = min(len(group.rows) * _positions(group) for group in self.groups)
        step = max(1, min(len(edits), BATCH_TOKENS // max(1, smallest), 16))
        for start in range(0, len(edits), step):
            yield from self._run_stack(edits[start : start + step], rows, read)

    def _run_stack(self, edits: Sequence[Edit | None], rows: NDArray[np.intp], read: bool) -> list[Outputs]:
        place = {int(row): i for i, row in enumerate(rows)}
        difference, kl = np.full((2, len(edits), len(rows)), np.nan)
        layers: dict[str, NDArray[Any]] = {}
        for number, group in enumerate(self.groups):
            chosen = np.flatnonzero(np.isin(group.rows, rows))
            if len(chosen) == 0:
                continue
            per_batch = max(1, BATCH_TOKENS // (len(chosen) * _positions(group)))
            for start in range(0, len(edits), per_batch):
                part = edits[start : start + per_batch]
                where = [place[int(group.rows[i])] for i in chosen]
                d, k, recorded = self._forward(number, group, chosen, part, read)
                difference[start : start + len(part), where] = d
                kl[start : start + len(part), where] = k
                for name, values in recorded.items():  # (edits, g, width)
                    store = layers.setdefault(name, np.empty((len(edits), len(rows), values.shape[-1]), np.float32))
                    store[start : start + len(part), where] = values
        self._require_finite(difference, kl, layers)
        return [
            Outputs(difference[e], kl[e], tuple((name, layers[name][e]) for name in self.backend.reads if read))
            for e in range(len(edits))
        ]

    def _forward(
        self, number: int, group: Group, chosen: NDArray[np.intp], edits: Sequence[Edit | None], read: bool
    ) -> tuple[Floats, Floats, dict[str, NDArray[Any]]]:
        ready = self._prepare(number, group)
        if list(edits) == [None]:
            return _unedited(group, ready, chosen, read)
        with torch.inference_mode():
            index = torch.as_tensor(chosen, device=self.backend.device)
            masks = self._masks(edits)
            reads: dict[str, Tensor] = {}
            replacers = {hook: _replacer(ready.replacements[hook][index], mask) for hook, mask in masks.items()}
            readers = {name: _reader(name, reads) for name in self.backend.reads if read}
            with self._hooked(replacers), self._hooked(readers):  # in this order: a place may be edited and read
                logits = self._logits(group, ready.prefix, index, len(edits))
            logits = logits.unflatten(0, (len(edits), len(chosen)))
            difference = _logit_difference(logits, group.answers[index], group.foils[index])
            clean, probabilities = ready.logits[index], ready.probabilities[index]
            kl = torch.stack([_kl(probabilities, clean, row) for row in logits])  # one by one: vocabularies are large
            recorded = {name: value.unflatten(0, (len(edits), len(chosen))) for name, value in reads.items()}
        return (
            difference.double().cpu().numpy(),
            kl.double().cpu().numpy(),
            {name: value.float().cpu().numpy() for name, value in recorded.items()},
        )

    def attributions(self, rows: NDArray[np.intp] | None = None) -> Floats:
        """Return (rows, sites): sum over positions of (replacement - clean) * d logit difference / d site.

        One forward and one backward pass: the first-order estimate of patching each site alone.
        Source: Nanda 2023, "Attribution patching"; Syed et al. 2023, arXiv 2310.10348.
        """
        rows = np.arange(self.n) if rows is None else np.asarray(rows)
        place = {int(row): i for i, row in enumerate(rows)}
        result = np.full((len(rows), len(self.backend.sites)), np.nan)
        for number, group in enumerate(self.groups):
            chosen = np.flatnonzero(np.isin(group.rows, rows))
            size = max(1, BATCH_TOKENS // (2 * _positions(group)))
            for start in range(0, len(chosen), size):
                part = chosen[start : start + size]
                result[[place[int(group.rows[i])] for i in part]] = self._attribute(number, group, part)
        if not np.isfinite(result).all():
            raise ModelError("attribution gave NaN or infinity: the model's gradients overflow; try dtype='float32'")
        return result

    def _attribute(self, number: int, group: Group, chosen: NDArray[np.intp]) -> Floats:
        ready = self._prepare(number, group)
        index = torch.as_tensor(chosen, device=self.backend.device)
        kept: dict[str, Tensor] = {}
        with torch.enable_grad(), self._hooked({hook: _retainer(hook, kept) for hook in self._hooks}):
            logits = self._logits(group, ready.prefix, index, 1)
            _logit_difference(logits[None], group.answers[index], group.foils[index]).sum().backward()
        self.flops += self.backend.forward_flops(len(chosen) * _positions(group), len(chosen))  # the backward pass
        columns = []
        with torch.no_grad():
            for hook in self._hooks:
                activation = kept[hook]
                if activation.grad is None:
                    raise ModelError(f"site {hook} does not reach the output, so it has no gradient")
                effect = (ready.replacements[hook][index] - activation) * activation.grad
                columns.append(effect.unflatten(-1, (self._heads[hook], -1)).sum(dim=(1, 3)))
        return torch.cat(columns, dim=1).double().cpu().numpy()

    def log_probs(self) -> Tensor:
        """Return (n, vocabulary): the unedited next-token log-probabilities at the answer position, on the CPU."""
        parts = [torch.log_softmax(self._prepare(i, group).logits, dim=-1) for i, group in enumerate(self.groups)]
        order = np.argsort(np.concatenate([group.rows for group in self.groups]))
        return torch.cat(parts)[torch.as_tensor(order)].cpu()

    # ------------------------------------------------------------------------------------------------------ inside

    def _prepare(self, number: int, group: Group) -> _Prepared:
        if number not in self._prepared:
            with torch.no_grad():
                prefix = self.backend.prefix(group.clean[:, : group.prefix]) if group.prefix else None
                self.flops += self.backend.forward_flops(len(group.rows) * group.prefix, 0)
                everything = torch.arange(len(group.rows), device=self.backend.device)
                other: dict[str, Tensor] = {}
                clean: dict[str, Tensor] = {}
                reads: dict[str, Tensor] = {}
                with self._hooked({hook: _recorder(hook, other) for hook in self._hooks}):
                    self._logits(group, prefix, everything, 1, group.counterfactual)
                recorders = [(hook, _recorder(hook, clean)) for hook in self._hooks]
                readers = [(name, _reader(name, reads)) for name in self.backend.reads]
                with self._hooked(dict(recorders)), self._hooked(dict(readers)):
                    logits = self._logits(group, prefix, everything, 1).float()
                self._check_capture(clean)
                replacements = {h: self.intervention.replacement(clean[h], other[h]) for h in self._hooks}
                self._prepared[number] = _Prepared(prefix, replacements, logits, torch.softmax(logits, dim=-1), reads)
        return self._prepared[number]

    def _logits(self, group: Group, prefix: Any, index: Tensor, copies: int, tokens: Tensor | None = None) -> Tensor:
        """Run the rows ``index`` ``copies`` times (copy-major) and return the answer position's logits."""
        tokens = group.clean if tokens is None else tokens
        batch = tokens[index, group.prefix :] if group.prefix else tokens[index]
        batch = batch.repeat(copies, *[1] * (batch.ndim - 1))
        padding = None if group.padding is None else group.padding[index].repeat(copies, 1)
        cache = None if prefix is None else [tuple(part[index] for part in layer) for layer in prefix]
        self.flops += self.backend.forward_flops(len(batch) * _positions(group), len(batch))
        return self.backend.logits(batch, cache, copies, padding)

    def _masks(self, edits: Sequence[Edit | None]) -> dict[str, Tensor]:
        """Return, for hooks that some edit touches, (edits, heads) booleans: where to write the replacement."""
        masks: dict[str, Tensor] = {}
        for e, edit in enumerate(edits):
            for site in edit.sites if edit is not None else ():
                if site.hook not in self._heads:
                    raise ModelError(f"the model has no site {site}; see its sites with model.sites")
                mask = masks.setdefault(site.hook, torch.zeros(len(edits), self._heads[site.hook], dtype=torch.bool))
                mask[e, site.index or 0] = True
        return {hook: mask.to(self.backend.device) for hook, mask in masks.items()}

    @contextmanager
    def _hooked(self, hooks: dict[str, Callable[[Any, Any, Any], Any]]) -> Iterator[None]:
        handles = [self.backend.hook_module(name).register_forward_hook(hook) for name, hook in hooks.items()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _check_capture(self, captured: dict[str, Tensor]) -> None:
        missing = [hook for hook in self._hooks if hook not in captured]
        if missing:
            raise ModelError(f"the model ran without passing through its sites {', '.join(missing[:3])}")
        for hook, value in captured.items():
            if value.shape[-1] % self._heads[hook]:
                raise ModelError(f"{hook} has width {value.shape[-1]}, which {self._heads[hook]} heads do not divide")
        bad = [hook for hook, value in captured.items() if not torch.isfinite(value).all()]
        if bad:
            raise ModelError(f"NaN or infinite activations at {bad[0]}; try dtype='float32' or check the weights")

    @staticmethod
    def _require_finite(difference: Floats, kl: Floats, layers: dict[str, NDArray[Any]]) -> None:
        if not (np.isfinite(difference).all() and np.isfinite(kl).all()):
            raise ModelError("the model's logits hold NaN or infinity; try dtype='float32' or check the weights")
        for name, values in layers.items():
            if not np.isfinite(values).all():
                raise ModelError(f"NaN or infinite activations at {name}; try dtype='float32' or check the weights")


def _positions(group: Group) -> int:
    """Positions computed per row: what follows the shared prefix; 1 for inputs without positions."""
    return (
        int(group.clean.shape[1] - group.prefix) if group.clean.ndim == 2 and not group.clean.is_floating_point() else 1
    )


def _logit_difference(logits: Tensor, answers: Tensor, foils: Tensor) -> Tensor:
    """Return (edits, g): logit(answer) - logit(foil) from (edits, g, vocabulary)."""
    pair = torch.stack([answers, foils], dim=-1).expand(*logits.shape[:-1], 2)
    both = logits.gather(-1, pair)
    return both[..., 0] - both[..., 1]


def _kl(probabilities: Tensor, clean: Tensor, edited: Tensor) -> Tensor:
    """Return (g,): KL(clean || edited) in nats, from clean probabilities and both logits (g, vocabulary).

    With d = edited - clean logits and E the mean under the clean model, KL = log E exp(d - E d), written with expm1 and
    log1p. Unlike a difference of two log-softmaxes it is exactly zero for no change and keeps its digits near zero.
    """
    change = edited.float() - clean
    change -= torch.linalg.vecdot(probabilities, change)[:, None]
    if float(change.max()) > _LARGE_CHANGE:
        log_probabilities = torch.log_softmax(clean.double(), dim=-1)  # float32 probabilities may be 0 where it matters
        return torch.logsumexp(log_probabilities + change.double(), dim=-1).clamp_min(0.0).float()
    return torch.log1p(torch.linalg.vecdot(probabilities, change.expm1_())).clamp_min(0.0)


def _unedited(
    group: Group, ready: _Prepared, chosen: NDArray[np.intp], read: bool
) -> tuple[Floats, Floats, dict[str, NDArray[Any]]]:
    """What `Bound._forward` returns for the unedited model, which ran when the group was prepared."""
    index = torch.as_tensor(chosen, device=ready.logits.device)
    difference = _logit_difference(ready.logits[index][None], group.answers[index], group.foils[index])
    reads = {name: value[index][None].float().cpu().numpy() for name, value in ready.reads.items() if read}
    return difference.double().cpu().numpy(), np.zeros((1, len(chosen))), reads


def _tensor(output: Any) -> Tensor:
    """A module's activation: blocks of some architectures return it first in a tuple."""
    return output[0] if isinstance(output, tuple) else output


def _three(value: Tensor) -> Tensor:
    """View (g, ..., width) as (g, positions, width)."""
    return value.flatten(1, -2) if value.ndim > 2 else value[:, None, :]


def _recorder(hook: str, captured: dict[str, Tensor]) -> Callable[[Any, Any, Any], None]:
    def record(module: Any, inputs: Any, output: Any) -> None:
        captured[hook] = _three(_tensor(output).detach())

    return record


def _reader(name: str, reads: dict[str, Tensor]) -> Callable[[Any, Any, Any], None]:
    def read(module: Any, inputs: Any, output: Any) -> None:
        reads[name] = _three(_tensor(output))[:, -1]

    return read


def _retainer(hook: str, kept: dict[str, Tensor]) -> Callable[[Any, Any, Any], Any]:
    def retain(module: Any, inputs: Any, output: Any) -> Any:
        original = _tensor(output)
        value = original if original.requires_grad else original.detach().requires_grad_(True)
        view = _three(value)
        view.retain_grad()
        kept[hook] = view
        value = view.view_as(original)
        return (value, *output[1:]) if isinstance(output, tuple) else value

    return retain


def _replacer(replacement: Tensor, mask: Tensor) -> Callable[[Any, Any, Any], Any]:
    edits, heads = mask.shape

    def replace(module: Any, inputs: Any, output: Any) -> Any:
        original = _tensor(output)
        value = _three(original).unflatten(0, (edits, -1)).unflatten(-1, (heads, -1))  # (edits, g, positions, heads, d)
        new = replacement.unflatten(-1, (heads, -1))[None]
        value = torch.where(mask[:, None, None, :, None], new, value).view_as(original)
        return (value, *output[1:]) if isinstance(output, tuple) else value

    return replace
