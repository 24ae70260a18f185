"""A model on one set of examples: what every PyTorch adapter shares.

Speed comes from exact savings only. Prompts of equal length and equal shared prefix form a group, so nothing is
padded. Clean and counterfactual prompts agree before the token where they differ, so the prefix's keys and values are
computed once. Several edits are stacked in one batch, each row with its own mask of replaced sites. What an edit
replaces whole (an MLP's output) is not computed for it. Logits are computed only where behaviour is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from congruity._base.arrays import Floats
from congruity.errors import ModelError
from congruity.models import exact, gradients
from congruity.models.background import Background, Moments, moments
from congruity.models.group import Captured, Group, Prepared, take
from congruity.models.hooks import Skipper, hooked, reader, recorder, replacer
from congruity.models.shortcuts import Runs, Start
from congruity.protocols import Intervention
from congruity.values import Edit, Outputs, Site

# Rows times positions of one batch: large enough for full matrix-product speed on a CPU, small enough for memory.
BATCH_TOKENS = 1536


class Backend(Runs, Protocol):
    """What an adapter tells `Bound`: where hooks go and how to run a batch up to the logits of the answer position."""

    sites: tuple[Site, ...]
    reads: tuple[str, ...]

    def computing_module(self, hook: str) -> torch.nn.Module | None: ...  # of an activation replaced only whole
    def matrix_parameters(self, module: torch.nn.Module) -> int: ...
    def embedding_module(self) -> torch.nn.Module | None: ...  # of whole-number inputs
    def start_hook(self, layer: int) -> str | None: ...  # the activation that a run may start from at this layer
    def starting(self, start: Start) -> AbstractContextManager[None]: ...  # edited at that layer only
    def forward_flops(
        self, positions: int, rows: int, *, start: int | None = None, words: int | None = None
    ) -> float: ...


@dataclass
class Bound:
    """The `BoundModel` of every PyTorch adapter."""

    backend: Backend
    groups: tuple[Group, ...]
    intervention: Intervention
    ids: tuple[str, ...]
    flops: float = 0.0
    _captured: dict[int, Captured] = field(default_factory=dict)
    _prepared: dict[int, Prepared] = field(default_factory=dict)
    _moments: dict[str, Moments] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.ids)

    def __post_init__(self) -> None:
        sites = self.backend.sites
        self._hooks = tuple(dict.fromkeys(site.hook for site in sites))
        self._heads = {hook: sum(site.hook == hook for site in sites) for hook in self._hooks}

    def run(
        self,
        edits: Sequence[Edit | None],
        *,
        rows: NDArray[np.intp] | None = None,
        scored: NDArray[np.intp] | None = None,
        read: bool = False,
    ) -> Iterator[Outputs]:
        """Yield one `Outputs` an edit, in order; ``None`` is the unedited model.

        Args:
            edits: what to replace; each edit's sites must be sites of this model.
            rows: which prompts to run (all, if None); layers are in their order.
            scored: which of ``rows`` to measure behaviour on (all of them, if None); it is in their order.
            read: whether to record the layers' residual streams at the answer position.
        """
        rows = np.arange(self.n) if rows is None else np.asarray(rows)
        scored = rows if scored is None else np.asarray(scored)
        if not np.isin(scored, rows).all() or not np.isin(rows, np.arange(self.n)).all():
            raise ModelError("rows to score must be among the rows to run, and those among the examples")
        if len(np.unique(rows)) < len(rows) or len(np.unique(scored)) < len(scored):
            raise ModelError("a row may be run only once; select repeated examples before binding")
        smallest = min(len(group.rows) * group.positions for group in self.groups)
        step = max(1, min(len(edits), BATCH_TOKENS // max(1, smallest), 16))
        for start in range(0, len(edits), step):
            yield from self._run_stack(edits[start : start + step], rows, scored, read)

    def _run_stack(
        self, edits: Sequence[Edit | None], rows: NDArray[np.intp], scored: NDArray[np.intp], read: bool
    ) -> list[Outputs]:
        place = {int(row): i for i, row in enumerate(rows)}
        score_place = {int(row): i for i, row in enumerate(scored)}
        difference, kl = np.full((2, len(edits), len(scored)), np.nan)
        layers: dict[str, NDArray[Any]] = {}
        for number, group in enumerate(self.groups):
            chosen = np.flatnonzero(np.isin(group.rows, rows))
            if len(chosen) == 0:
                continue
            measured = np.flatnonzero(np.isin(group.rows[chosen], scored))  # positions in chosen
            where = [place[int(row)] for row in group.rows[chosen]]
            score_where = [score_place[int(row)] for row in group.rows[chosen[measured]]]
            per_batch = max(1, BATCH_TOKENS // (len(chosen) * group.positions))
            for start in range(0, len(edits), per_batch):
                part = edits[start : start + per_batch]
                batch = slice(start, start + len(part))
                d, k, recorded = self._forward(number, group, chosen, measured, part, read)
                difference[batch, score_where] = d
                kl[batch, score_where] = k
                for name, values in recorded.items():  # (edits, g, width)
                    store = layers.setdefault(name, np.empty((len(edits), len(rows), values.shape[-1]), np.float32))
                    store[batch, where] = values
        self._require_finite(difference, kl, layers)
        return [
            Outputs(difference[e], kl[e], tuple((name, layers[name][e]) for name in self.backend.reads if read))
            for e in range(len(edits))
        ]

    def _forward(
        self,
        number: int,
        group: Group,
        chosen: NDArray[np.intp],
        measured: NDArray[np.intp],
        edits: Sequence[Edit | None],
        read: bool,
    ) -> tuple[Floats, Floats, dict[str, NDArray[Any]]]:
        ready = self._prepare(number, group)
        device = self.backend.device
        index = torch.as_tensor(chosen, device=device)
        scored = torch.as_tensor(chosen[measured], device=device)
        answers, foils = group.answers[scored], group.foils[scored]
        if list(edits) == [None]:  # ran when the group was prepared
            difference = _logit_difference(ready.logits[scored][None], answers, foils)
            reads = {name: value[index][None].float().cpu().numpy() for name, value in ready.reads.items() if read}
            return difference.double().cpu().numpy(), np.zeros((1, len(scored))), reads
        with torch.inference_mode():
            masks = self._masks(edits)
            recorded: dict[str, Tensor] = {}
            readers = {name: reader(name, recorded) for name in self.backend.reads if read}
            copies = torch.arange(len(edits), device=device)[:, None] * len(chosen)
            wanted = (copies + torch.as_tensor(measured, device=device)).flatten()
            with self._replaced(ready, index, masks), self._hooked(readers):  # a place may be edited, then read
                logits = self._logits(group, ready.prefix, index, len(edits), wanted=wanted)
            logits = logits.unflatten(0, (len(edits), len(measured)))
            difference = _logit_difference(logits, answers, foils)
            kl = np.array([[ready.kl(int(row), edited[i]) for i, row in enumerate(scored)] for edited in logits])
            stacked = {name: value.unflatten(0, (len(edits), len(chosen))) for name, value in recorded.items()}
        return (
            difference.double().cpu().numpy(),
            kl.reshape(len(edits), len(measured)),
            {name: value.float().cpu().numpy() for name, value in stacked.items()},
        )

    def effects(self, sites: Sequence[Site], rows: NDArray[np.intp] | None = None) -> Floats:
        """Return (rows, len(sites)): the exact change of the logit difference when that site alone is replaced."""
        return exact.effects(self, sites, rows)

    def attributions(self, rows: NDArray[np.intp] | None = None, *, steps: int = 1) -> Floats:
        """Return (rows, sites): first-order estimates of the same, all sites at once, from ``steps`` gradients."""
        return gradients.attributions(self, rows, steps)

    def log_probs(self) -> Tensor:
        """Return (n, vocabulary): the unedited next-token log-probabilities at the answer position, on the CPU."""
        parts = [torch.log_softmax(self._prepare(i, group).logits, dim=-1) for i, group in enumerate(self.groups)]
        order = np.argsort(np.concatenate([group.rows for group in self.groups]))
        return torch.cat(parts)[torch.as_tensor(order)].cpu()

    # ------------------------------------------------------------------------------------------------------ inside

    def _prepare(self, number: int, group: Group) -> Prepared:
        if number not in self._prepared:
            with torch.no_grad():
                raw = self._capture(number, group)
                replacements = {hook: self._replacement(hook, group, raw) for hook in self._hooks}
            self._prepared[number] = Prepared(raw.prefix, replacements, raw.logits, raw.reads)
            del self._captured[number]
        return self._prepared[number]

    def _replacement(self, hook: str, group: Group, raw: Captured) -> Tensor:
        """What the intervention writes at ``hook``; where both inputs agree so far, what is there already."""
        clean, other = raw.clean[hook], raw.other[hook]
        around = Background(hook, [self.ids[row] for row in group.rows], clean, lambda: self._moments_at(hook))
        new = self.intervention.replacement(clean, other, around)
        if new.shape != clean.shape:
            raise ModelError(
                f"intervention {self.intervention.name!r} gave shape {tuple(new.shape)} for an activation of shape "
                f"{tuple(clean.shape)}"
            )
        if group.first is None:
            return new.to(clean)
        position = torch.arange(group.prefix, group.prefix + clean.shape[1], device=clean.device)
        return torch.where((position >= group.first[:, None])[:, :, None], new.to(clean), clean)

    def _moments_at(self, hook: str) -> Moments:
        if not self._moments:
            captured = [self._capture(number, group) for number, group in enumerate(self.groups)]
            self._moments = {h: moments([raw.other[h] for raw in captured], self.groups) for h in self._hooks}
        return self._moments[hook]

    def _capture(self, number: int, group: Group) -> Captured:
        """Run the clean and the counterfactual inputs of a group; kept until the group is prepared."""
        if number not in self._captured:
            with torch.no_grad():
                prefix = self.backend.prefix(group.clean[:, : group.prefix]) if group.prefix else None
                self.flops += self.backend.forward_flops(len(group.rows) * group.prefix, 0)
                everything = torch.arange(len(group.rows), device=self.backend.device)
                other: dict[str, Tensor] = {}
                clean: dict[str, Tensor] = {}
                reads: dict[str, Tensor] = {}
                with self._hooked({hook: recorder(hook, other) for hook in self._hooks}):
                    self._logits(group, prefix, everything, 1, tokens=group.counterfactual, wanted=everything[:0])
                recorders = [(hook, recorder(hook, clean)) for hook in self._hooks]
                readers = [(name, reader(name, reads)) for name in self.backend.reads]
                with self._hooked(dict(recorders)), self._hooked(dict(readers)):
                    logits = self._logits(group, prefix, everything, 1).float()
                self._check_capture(clean)
                self._captured[number] = Captured(prefix, clean, other, logits, reads)
        return self._captured[number]

    def _logits(
        self,
        group: Group,
        prefix: Any,
        index: Tensor,
        copies: int,
        *,
        tokens: Tensor | None = None,
        wanted: Tensor | None = None,
        words: Tensor | None = None,
        start: Start | None = None,
    ) -> Tensor:
        """Run the rows ``index`` ``copies`` times (copy-major); return the answer position's logits, of rows wanted."""
        tokens = group.clean if tokens is None else tokens
        batch = tokens[index, group.prefix :] if group.prefix else tokens[index]
        batch = batch.repeat(copies, *[1] * (batch.ndim - 1))
        padding = None if group.padding is None else group.padding[index].repeat(copies, 1)
        cache = None if prefix is None else [tuple(take(part, index) for part in layer) for layer in prefix]
        self.flops += self.backend.forward_flops(
            len(batch) * group.positions,
            len(batch) if wanted is None else len(wanted),
            start=None if start is None else start.layer,
            words=None if words is None else words.shape[1],
        )
        if start is None:
            return self.backend.logits(batch, cache, copies, padding, wanted, words)
        with self.backend.starting(Start(start.layer, start.residual.repeat(copies, 1, 1))):
            return self.backend.logits(batch, cache, copies, padding, wanted, words)

    @contextmanager
    def _replaced(self, ready: Prepared, index: Tensor, masks: dict[str, Tensor]) -> Iterator[None]:
        """Replace as far as ``masks`` say, and leave out the computations that nothing else needs."""
        skips, replacers, selectors = {}, {}, []
        for hook, mask in masks.items():
            replacement = take(ready.replacements[hook], index)
            module = self.backend.computing_module(hook) if mask.shape[1] == 1 else None
            whole = mask == 1
            if module is None or not whole.any():
                replacers[hook] = replacer(replacement, mask)
                continue
            if (mask[~whole] > 0).any():
                replacers[hook] = replacer(replacement, mask.where(~whole, 0))
            skip = Skipper(replacement, whole[:, 0])
            skips[hook] = skip.restore
            selectors.append((module, skip.select))
            rows = int(whole.sum()) * len(index) * replacement.shape[1]
            self.flops -= 2.0 * rows * self.backend.matrix_parameters(module)
        with hooked(selectors, before=True), self._hooked(skips), self._hooked(replacers):
            yield

    def _masks(self, edits: Sequence[Edit | None]) -> dict[str, Tensor]:
        """Return, for hooks that some edit touches, (edits, heads): how far to go to the replacement, from 0 to 1."""
        masks: dict[str, Tensor] = {}
        for e, edit in enumerate(edits):
            for site in edit.sites if edit is not None else ():
                if site.hook not in self._heads:
                    raise ModelError(f"the model has no site {site}; see its sites with model.sites")
                mask = masks.setdefault(site.hook, torch.zeros(len(edits), self._heads[site.hook]))
                mask[e, site.index or 0] = edit.scale if edit is not None else 0.0
        return {hook: mask.to(self.backend.device) for hook, mask in masks.items()}

    def _hooked(self, hooks: dict[str, Callable[..., Any]]) -> AbstractContextManager[None]:
        return hooked((self.backend.hook_module(name), hook) for name, hook in hooks.items())

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


def _logit_difference(logits: Tensor, answers: Tensor, foils: Tensor) -> Tensor:
    """Return (edits, g): logit(answer) - logit(foil) from (edits, g, vocabulary)."""
    pair = torch.stack([answers, foils], dim=-1).expand(*logits.shape[:-1], 2)
    both = logits.gather(-1, pair)
    return both[..., 0] - both[..., 1]
