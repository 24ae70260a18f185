"""The bound model of every PyTorch adapter: edits and interchanges run on one set of examples.

Speed comes from exact savings only.

- Prompts of equal length and equal shared prefix form a group, so nothing is padded.
- Clean and counterfactual prompts agree before the token where they differ, so the keys and values of that prefix are
  computed once.
- Several edits are stacked in one batch, each row with its own mask of replaced sites.
- An activation that an edit replaces whole (an MLP's output) is not computed for that edit.
- Logits are computed only where behaviour is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from congruity._base.arrays import Floats
from congruity.errors import ModelError
from congruity.models import exact, gradients
from congruity.models.group import Group
from congruity.models.hooks import reader
from congruity.models.session import Backend, Session
from congruity.protocols import Intervention
from congruity.values import Edit, Interchange, Location, Outputs, Site

# Rows times positions of one batch: large enough for full matrix-product speed on a CPU, small enough for memory.
BATCH_TOKENS = 1536
_METRIC = ("(logit difference)", "(kl)")  # no layer has such a name
_ANSWERS = "(answers)"


@dataclass(frozen=True)
class _Asked:
    """What is asked of every edit of a run; arguments as for `Bound.run`, ``classes`` the numbers of the words."""

    rows: NDArray[np.intp]
    scored: NDArray[np.intp]
    read: bool
    answers: bool
    classes: Sequence[int] | None


class Bound:
    """The `BoundModel` of every PyTorch adapter.

    Args:
        backend: the adapter.
        groups: the examples, in groups that run as one batch each.
        intervention: what an edit writes.
        ids: one name a row of the examples.
    """

    def __init__(
        self, backend: Backend, groups: tuple[Group, ...], intervention: Intervention, ids: tuple[str, ...]
    ) -> None:
        self.session = Session(backend, groups, intervention, ids)

    @property
    def groups(self) -> tuple[Group, ...]:
        """The examples, in groups that run as one batch each."""
        return self.session.groups

    @property
    def intervention(self) -> Intervention:
        """The intervention that edits write."""
        return self.session.intervention

    @property
    def flops(self) -> float:
        """Flops counted so far, of the matrix products that had to happen."""
        return self.session.flops

    @property
    def locations(self) -> tuple[Location, ...]:
        """Every site at each token position that all examples have; a site without positions as it is."""
        return self.session.locations

    def run(
        self,
        edits: Sequence[Edit | Interchange | None],
        *,
        rows: NDArray[np.intp] | None = None,
        scored: NDArray[np.intp] | None = None,
        read: bool = False,
        answers: bool | Sequence[str] = False,
    ) -> Iterator[Outputs]:
        """Yield one `Outputs` an edit, in order; ``None`` is the unedited model.

        Args:
            edits: what to replace; each edit's sites must be sites of this model.
            rows: which prompts to run (all, if None); layers are in their order.
            scored: which of ``rows`` to measure behaviour on (all of them, if None); it is in their order.
            read: whether to record the layers' residual streams at the answer position.
            answers: whether to give class probabilities in place of the metric: of all classes (True), or among the
                words given.

        Raises:
            ModelError: an unknown site or position, rows that are not there or come twice, NaN or infinity.
            TaskError: words that are not one token, or words for a module whose classes are numbers.
        """
        rows = np.arange(self.session.n) if rows is None else np.asarray(rows)
        scored = rows if scored is None else np.asarray(scored)
        if not np.isin(scored, rows).all() or not np.isin(rows, np.arange(self.session.n)).all():
            raise ModelError("rows to score must be among the rows to run, and those among the examples")
        if len(np.unique(rows)) < len(rows) or len(np.unique(scored)) < len(scored):
            raise ModelError("a row may be run only once; select repeated examples before binding")
        classes = None if isinstance(answers, bool) else self.session.backend.class_numbers(answers)
        asked = _Asked(rows, scored, read, answers is not False, classes)
        smallest = min(len(group.rows) * group.positions for group in self.session.groups)
        step = max(1, min(len(edits), BATCH_TOKENS // max(1, smallest), 16))
        for start in range(0, len(edits), step):
            yield from self._run_stack(edits[start : start + step], asked)

    def _run_stack(self, edits: Sequence[Edit | Interchange | None], asked: _Asked) -> list[Outputs]:
        place = {int(row): i for i, row in enumerate(asked.rows)}
        score_place = {int(row): i for i, row in enumerate(asked.scored)}
        stores: dict[str, NDArray[Any]] = {}
        if not asked.answers:
            stores = {name: np.full((len(edits), len(asked.scored)), np.nan) for name in _METRIC}
        for number, group in enumerate(self.session.groups):
            chosen = np.flatnonzero(np.isin(group.rows, asked.rows))
            if len(chosen) == 0:
                continue
            measured = np.flatnonzero(np.isin(group.rows[chosen], asked.scored))  # positions in chosen
            where = [place[int(row)] for row in group.rows[chosen]]
            score_where = [score_place[int(row)] for row in group.rows[chosen[measured]]]
            per_batch = max(1, BATCH_TOKENS // (len(chosen) * group.positions))
            for start in range(0, len(edits), per_batch):
                part = edits[start : start + per_batch]
                batch = slice(start, start + len(part))
                for name, values in self._forward(number, chosen, measured, part, asked).items():
                    of_layer = name in self.session.backend.reads
                    if name not in stores:
                        size = (len(edits), len(asked.rows if of_layer else asked.scored), *values.shape[2:])
                        stores[name] = np.empty(size, values.dtype)
                    stores[name][batch, where if of_layer else score_where] = values
        return self._outputs(stores, len(edits), asked)

    def _outputs(self, stores: dict[str, NDArray[Any]], count: int, asked: _Asked) -> list[Outputs]:
        layers = {name: stores[name] for name in self.session.backend.reads if asked.read}
        if not all(np.isfinite(values).all() for name, values in stores.items() if name not in layers):
            raise ModelError("the model's logits hold NaN or infinity; try dtype='float32' or check the weights")
        for name, values in layers.items():
            if not np.isfinite(values).all():
                raise ModelError(f"NaN or infinite activations at {name}; try dtype='float32' or check the weights")
        nothing = np.zeros((count, 0))
        difference, kl = (stores.get(name, nothing) for name in _METRIC)
        answers = stores.get(_ANSWERS)
        return [
            Outputs(
                difference[e],
                kl[e],
                tuple((name, values[e]) for name, values in layers.items()),
                None if answers is None else answers[e],
            )
            for e in range(count)
        ]

    def _forward(
        self,
        number: int,
        chosen: NDArray[np.intp],
        measured: NDArray[np.intp],
        edits: Sequence[Edit | Interchange | None],
        asked: _Asked,
    ) -> dict[str, NDArray[Any]]:
        """Return by name the metric or answers (edits, measured, ...), and layers (edits, chosen, width)."""
        session, group, device = self.session, self.session.groups[number], self.session.backend.device
        ready = session.prepared(number)
        index = torch.as_tensor(chosen, device=device)
        scored = torch.as_tensor(chosen[measured], device=device)
        answers, foils = group.answers[scored], group.foils[scored]
        if list(edits) == [None] and not asked.answers:  # ran when the group was prepared
            difference = _logit_difference(ready.logits[scored][None], answers, foils)
            reads = {name: value[index][None].float().cpu().numpy() for name, value in ready.reads.items()}
            metric = (difference.double().cpu().numpy(), np.zeros((1, len(scored))))
            return dict(zip(_METRIC, metric, strict=True)) | (reads if asked.read else {})
        with torch.inference_mode():
            part = session.part(number, index, len(edits))
            recorded: dict[str, Tensor] = {}
            readers = {name: reader(name, recorded) for name in session.backend.reads if asked.read}
            copies = torch.arange(len(edits), device=device)[:, None] * len(chosen)
            wanted = (copies + torch.as_tensor(measured, device=device)).flatten()
            masks = session.masks(edits, part)
            with session.replaced(part, masks), session.hooked(readers):  # a site may be edited, then read
                if asked.answers:
                    given = session.answers(part, wanted=wanted, classes=asked.classes)
                    found = {_ANSWERS: given.unflatten(0, (len(edits), len(measured))).cpu().numpy()}
                else:
                    logits = session.logits(part, wanted=wanted).unflatten(0, (len(edits), len(measured)))
                    difference = _logit_difference(logits, answers, foils)
                    kl = [[ready.kl(int(row), edited[i]) for i, row in enumerate(scored)] for edited in logits]
                    metric = (difference.double().cpu().numpy(), np.array(kl).reshape(difference.shape))
                    found = dict(zip(_METRIC, metric, strict=True))
            stacked = {name: value.unflatten(0, (len(edits), len(chosen))) for name, value in recorded.items()}
        return found | {name: value.float().cpu().numpy() for name, value in stacked.items()}

    def effects(self, sites: Sequence[Site], rows: NDArray[np.intp] | None = None) -> Floats:
        """Return (rows, len(sites)): the exact change of the logit difference when that site alone is replaced."""
        return exact.effects(self.session, sites, rows)

    def attributions(self, rows: NDArray[np.intp] | None = None, *, steps: int = 1) -> Floats:
        """Return (rows, sites): first-order estimates of the same, all sites at once, from ``steps`` gradients."""
        return gradients.attributions(self.session, rows, steps)

    def log_probs(self) -> Tensor:
        """Return (n, vocabulary): the unedited next-token log-probabilities at the answer position, on the CPU."""
        parts = [torch.log_softmax(self.session.prepared(i).logits, dim=-1) for i in range(len(self.session.groups))]
        order = np.argsort(np.concatenate([group.rows for group in self.groups]))
        return torch.cat(parts)[torch.as_tensor(order)].cpu()


def _logit_difference(logits: Tensor, answers: Tensor, foils: Tensor) -> Tensor:
    """Return (edits, g): logit(answer) - logit(foil) from (edits, g, vocabulary)."""
    pair = torch.stack([answers, foils], dim=-1).expand(*logits.shape[:-1], 2)
    both = logits.gather(-1, pair)
    return both[..., 0] - both[..., 1]
