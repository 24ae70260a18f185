"""One batch of a model's examples under forward hooks: the unedited runs, what replaces them, and the logits.

`Session` is the only place that registers hooks on a bound model. Three things run through it: the edits of
`congruity.models.bound`, exact patching (`exact`) and attribution (`gradients`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from congruity.errors import ModelError
from congruity.models.background import Moments, SiteBackground, moments
from congruity.models.group import Batch, Captured, Group, Prepared, take
from congruity.models.hooks import Skipper, hooked, reader, recorder, replacer
from congruity.models.shortcuts import Runs, Start
from congruity.protocols import Intervention
from congruity.values import Edit, Interchange, Location, Site


class Backend(Runs, Protocol):
    """What an adapter tells `Session`: where hooks go, and how to run a batch to the logits of the answer position."""

    sites: tuple[Site, ...]
    reads: tuple[str, ...]

    def computing_module(self, hook: str) -> torch.nn.Module | None: ...  # of an activation replaced only whole
    def matrix_parameters(self, module: torch.nn.Module) -> int: ...
    def answers(self, batch: Batch) -> Tensor: ...  # (rows wanted, outputs, classes) logits of all that it answers
    def class_numbers(self, words: Sequence[str]) -> list[int]: ...  # classes of single words
    def embedding_module(self) -> torch.nn.Module | None: ...  # of whole-number inputs
    def start_hook(self, layer: int) -> str | None: ...  # the activation that a run may start from at this layer
    def starting(self, start: Start) -> AbstractContextManager[None]: ...  # edited at that layer only
    def forward_flops(
        self, positions: int, rows: int, *, start: int | None = None, words: int | None = None
    ) -> float: ...


@dataclass(frozen=True)
class Part:
    """Rows of one group that run together, ``copies`` times (copy-major): one copy an edit.

    Attributes:
        group: the examples.
        prefix: cached keys and values of the group's shared prefix, or None.
        index: (rows,) positions in the group.
        replacements: by hook, what edits write for all rows of the group, (g, positions, width).
        copies: how many times the rows run.
    """

    group: Group
    prefix: Any
    index: Tensor
    replacements: dict[str, Tensor]
    copies: int = 1


@dataclass
class Session:
    """A model on one set of examples, with the activations of its unedited runs and of what replaces them.

    Attributes:
        backend: the adapter.
        groups: the examples, in groups that run as one batch each.
        intervention: what an edit writes.
        ids: one name a row of the examples.
        flops: counted so far, of the matrix products that had to happen.
    """

    backend: Backend
    groups: tuple[Group, ...]
    intervention: Intervention
    ids: tuple[str, ...]
    flops: float = 0.0
    _captured: dict[int, Captured] = field(default_factory=dict)
    _prepared: dict[int, Prepared] = field(default_factory=dict)
    _moments: dict[str, Moments] = field(default_factory=dict)
    _flat: set[str] = field(default_factory=set)  # hooks whose activations have no positions

    def __post_init__(self) -> None:
        sites = self.backend.sites
        self.hooks = tuple(dict.fromkeys(site.hook for site in sites))
        self.heads = {hook: sum(site.hook == hook for site in sites) for hook in self.hooks}

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.ids)

    def part(self, number: int, index: Tensor, copies: int = 1) -> Part:
        """Return ``copies`` of the rows ``index`` of a group, whose own runs are captured on first use."""
        ready = self.prepared(number)
        return Part(self.groups[number], ready.prefix, index, ready.replacements, copies)

    def prepared(self, number: int) -> Prepared:
        """Return what any edit of a group needs: its prefix's cache, replacements, and the unedited run."""
        if number not in self._prepared:
            group = self.groups[number]
            with torch.no_grad():
                raw = self._capture(number, group)
                replacements = {hook: self._replacement(hook, group, raw) for hook in self.hooks}
            self._prepared[number] = Prepared(raw.prefix, replacements, raw.logits, raw.reads)
            del self._captured[number]
        return self._prepared[number]

    def logits(
        self,
        part: Part,
        *,
        tokens: Tensor | None = None,
        wanted: Tensor | None = None,
        words: Tensor | None = None,
        start: Start | None = None,
    ) -> Tensor:
        """Return the logits (rows wanted, classes) at the answer position, of all copies of a part's rows.

        Args:
            part: rows to run.
            tokens: other inputs of the whole group; its clean ones, if None.
            wanted: rows whose logits are computed (all, if None).
            words: (rows wanted, k), the only classes whose logits are computed.
            start: where the run begins; its residual stream is repeated for each copy.
        """
        batch = self.batch(part, tokens=tokens, wanted=wanted, words=words, start=start)
        if start is None:
            return self.backend.logits(batch)
        with self.backend.starting(Start(start.layer, start.residual.repeat(part.copies, 1, 1))):
            return self.backend.logits(batch)

    def answers(self, part: Part, *, wanted: Tensor, classes: Sequence[int] | None = None) -> Tensor:
        """Return (rows wanted, outputs, classes) probabilities, of all classes or among those given."""
        words = None if classes is None else torch.tensor(classes, device=wanted.device).expand(len(wanted), -1)
        logits = self.backend.answers(self.batch(part, wanted=wanted, words=words))
        return logits.double().softmax(dim=-1)

    def batch(
        self,
        part: Part,
        *,
        tokens: Tensor | None = None,
        wanted: Tensor | None = None,
        words: Tensor | None = None,
        start: Start | None = None,
    ) -> Batch:
        """Return the inputs of a run, and count its flops; arguments as for `logits`."""
        group, index, copies = part.group, part.index, part.copies
        tokens = group.clean if tokens is None else tokens
        rows = tokens[index, group.prefix :] if group.prefix else tokens[index]
        rows = rows.repeat(copies, *[1] * (rows.ndim - 1))
        padding = None if group.padding is None else group.padding[index].repeat(copies, 1)
        cache = part.prefix
        if cache is not None:
            cache = [tuple(take(kept, index) for kept in layer) for layer in cache]
        self.flops += self.backend.forward_flops(
            len(rows) * group.positions,
            len(rows) if wanted is None else len(wanted),
            start=None if start is None else start.layer,
            words=None if words is None else words.shape[1],
        )
        return Batch(rows, cache, copies, padding, wanted, words)

    @contextmanager
    def replaced(self, part: Part, masks: dict[str, Tensor]) -> Iterator[None]:
        """Replace activations as far as ``masks`` say, and leave out the computations that nothing else needs."""
        skips, replacers, selectors = {}, {}, []
        for hook, mask in masks.items():
            replacement = take(part.replacements[hook], part.index)
            module = self.backend.computing_module(hook) if mask[0].numel() == 1 else None
            whole = mask == 1
            if module is None or not whole.any():
                replacers[hook] = replacer(replacement, mask)
                continue
            if (mask[~whole] > 0).any():
                replacers[hook] = replacer(replacement, mask.where(~whole, 0))
            skip = Skipper(replacement, whole[:, 0, 0, 0])
            skips[hook] = skip.restore
            selectors.append((module, skip.select))
            rows = int(whole.sum()) * len(part.index) * replacement.shape[1]
            self.flops -= 2.0 * rows * self.backend.matrix_parameters(module)
        with hooked(selectors, before=True), self.hooked(skips), self.hooked(replacers):
            yield

    def masks(self, edits: Sequence[Edit | Interchange | None], part: Part) -> dict[str, Tensor]:
        """Return, for hooks that some edit touches, how far to go to the replacement, from 0 to 1.

        Args:
            edits: one a copy of the part's rows.
            part: rows to run.

        Returns:
            (edits, 1, 1, heads) by hook; with an `Interchange` among the edits (edits, rows, positions, heads).
        """
        each = any(isinstance(edit, Interchange) for edit in edits)
        masks: dict[str, Tensor] = {}

        def mask(site: Site) -> Tensor:
            if site.hook not in self.heads:
                raise ModelError(f"the model has no site {site}; see its sites with model.sites")
            size = (len(part.index), part.replacements[site.hook].shape[1]) if each else (1, 1)
            return masks.setdefault(site.hook, torch.zeros(len(edits), *size, self.heads[site.hook]))

        for e, edit in enumerate(edits):
            if isinstance(edit, Edit):
                for site in edit.sites:
                    mask(site)[e, :, :, site.index or 0] = edit.scale
            elif edit is not None:
                if len(edit.where) != self.n:
                    raise ModelError(f"an interchange of {len(edit.where)} rows for {self.n} examples")
                where = torch.as_tensor(edit.where[part.group.rows[part.index.cpu().numpy()]])
                for location, rows in zip(edit.locations, where.T, strict=True):
                    self._mark(mask(location.site)[e, :, :, location.site.index or 0], location, rows, part)
        return {hook: mask.to(self.backend.device) for hook, mask in masks.items()}

    def _mark(self, mask: Tensor, location: Location, rows: Tensor, part: Part) -> None:
        """Set (rows, positions) to 1 at a location, in the rows that are True."""
        if location.position is None:
            mask[rows] = 1.0
            return
        at, length = part.group.columns(location.position, mask.shape[1]), mask.shape[1] + part.group.prefix
        at = at[part.index.cpu()] if len(at) > 1 else at.expand(len(rows))
        if not -length <= location.position < length:
            raise ModelError(f"{location}: there are {length} positions, counted from 0")
        rows = rows & (at >= 0)  # in the shared prefix both runs hold the same value
        mask[rows, at[rows]] = 1.0

    @property
    def locations(self) -> tuple[Location, ...]:
        """Every site at each position that all examples have; counted from the end where prompts differ in length."""
        found: list[Location] = []
        for site in self.backend.sites:
            numbers = range(len(self.groups))
            ends = [self.prepared(i).replacements[site.hook].shape[1] + self.groups[i].prefix for i in numbers]
            if site.hook in self._flat:
                found.append(Location(site))
            elif len(set(ends)) == 1 and all(group.padding is None for group in self.groups):
                found += [Location(site, position) for position in range(ends[0])]
            else:
                shortest = min(min(ends), *(group.shortest for group in self.groups))
                found += [Location(site, position) for position in range(-shortest, 0)]
        return tuple(found)

    def hooked(self, hooks: dict[str, Callable[..., Any]]) -> AbstractContextManager[None]:
        """Return a context in which the hooks stand at the activations of these names."""
        return hooked((self.backend.hook_module(name), hook) for name, hook in hooks.items())

    # ------------------------------------------------------------------------------------------------- captured runs

    def _replacement(self, hook: str, group: Group, raw: Captured) -> Tensor:
        """Return what the intervention writes at ``hook``; where both inputs agree so far, what is there already."""
        clean, other = raw.clean[hook], raw.other[hook]
        around = SiteBackground(hook, [self.ids[row] for row in group.rows], clean, lambda: self._moments_at(hook))
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
            self._moments = {h: moments([raw.other[h] for raw in captured], self.groups) for h in self.hooks}
        return self._moments[hook]

    def _capture(self, number: int, group: Group) -> Captured:
        """Run the clean and the counterfactual inputs of a group; kept until the group is prepared."""
        if number not in self._captured:
            with torch.no_grad():
                prefix = self.backend.prefix(group.clean[:, : group.prefix]) if group.prefix else None
                self.flops += self.backend.forward_flops(len(group.rows) * group.prefix, 0)
                everything = torch.arange(len(group.rows), device=self.backend.device)
                whole = Part(group, prefix, everything, {})
                other: dict[str, Tensor] = {}
                clean: dict[str, Tensor] = {}
                reads: dict[str, Tensor] = {}
                with self.hooked({hook: recorder(hook, other, self._flat) for hook in self.hooks}):
                    self.logits(whole, tokens=group.counterfactual, wanted=everything[:0])
                recorders = {hook: recorder(hook, clean) for hook in self.hooks}
                readers = {name: reader(name, reads) for name in self.backend.reads}
                with self.hooked(recorders), self.hooked(readers):
                    logits = self.logits(whole).float()
                self._check_capture(clean)
                self._captured[number] = Captured(prefix, clean, other, logits, reads)
        return self._captured[number]

    def _check_capture(self, captured: dict[str, Tensor]) -> None:
        missing = [hook for hook in self.hooks if hook not in captured]
        if missing:
            raise ModelError(f"the model ran without passing through its sites {', '.join(missing[:3])}")
        for hook, value in captured.items():
            if value.shape[-1] % self.heads[hook]:
                raise ModelError(f"{hook} has width {value.shape[-1]}, which {self.heads[hook]} heads do not divide")
        bad = [hook for hook, value in captured.items() if not torch.isfinite(value).all()]
        if bad:
            raise ModelError(f"NaN or infinite activations at {bad[0]}; try dtype='float32' or check the weights")
