"""A model on one set of examples: what every PyTorch adapter shares.

Speed comes from exact savings only. Prompts of equal length and equal shared prefix form a group, so nothing is
padded. Clean and counterfactual prompts agree before the token where they differ, so the prefix's keys and values are
computed once. Several edits are stacked in one batch, each row with its own mask of replaced sites. What an edit
replaces whole (an MLP's output) is not computed for it. Logits are computed only where behaviour is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from congruity.values import Edit, Outputs, Site

# Rows times positions of one batch: large enough for full matrix-product speed on a CPU, small enough for memory.
BATCH_TOKENS = 1536


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
    def flops(self) -> float:
        """Flops counted so far, of the matrix products that had to happen."""
        return self.session.flops

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
        rows = np.arange(self.session.n) if rows is None else np.asarray(rows)
        scored = rows if scored is None else np.asarray(scored)
        if not np.isin(scored, rows).all() or not np.isin(rows, np.arange(self.session.n)).all():
            raise ModelError("rows to score must be among the rows to run, and those among the examples")
        if len(np.unique(rows)) < len(rows) or len(np.unique(scored)) < len(scored):
            raise ModelError("a row may be run only once; select repeated examples before binding")
        smallest = min(len(group.rows) * group.positions for group in self.session.groups)
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
        for number, group in enumerate(self.session.groups):
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
                d, k, recorded = self._forward(number, chosen, measured, part, read)
                difference[batch, score_where] = d
                kl[batch, score_where] = k
                for name, values in recorded.items():  # (edits, g, width)
                    store = layers.setdefault(name, np.empty((len(edits), len(rows), values.shape[-1]), np.float32))
                    store[batch, where] = values
        self._require_finite(difference, kl, layers)
        return [
            Outputs(difference[e], kl[e], tuple((name, layers[name][e]) for name in self.session.backend.reads if read))
            for e in range(len(edits))
        ]

    def _forward(
        self,
        number: int,
        chosen: NDArray[np.intp],
        measured: NDArray[np.intp],
        edits: Sequence[Edit | None],
        read: bool,
    ) -> tuple[Floats, Floats, dict[str, NDArray[Any]]]:
        session, group, device = self.session, self.session.groups[number], self.session.backend.device
        ready = session.prepared(number)
        index = torch.as_tensor(chosen, device=device)
        scored = torch.as_tensor(chosen[measured], device=device)
        answers, foils = group.answers[scored], group.foils[scored]
        if list(edits) == [None]:  # ran when the group was prepared
            difference = _logit_difference(ready.logits[scored][None], answers, foils)
            reads = {name: value[index][None].float().cpu().numpy() for name, value in ready.reads.items() if read}
            return difference.double().cpu().numpy(), np.zeros((1, len(scored))), reads
        with torch.inference_mode():
            masks = session.masks(edits)
            recorded: dict[str, Tensor] = {}
            readers = {name: reader(name, recorded) for name in session.backend.reads if read}
            copies = torch.arange(len(edits), device=device)[:, None] * len(chosen)
            wanted = (copies + torch.as_tensor(measured, device=device)).flatten()
            part = session.part(number, index, len(edits))
            with session.replaced(part, masks), session.hooked(readers):  # a site may be edited, then read
                logits = session.logits(part, wanted=wanted)
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
        return exact.effects(self.session, sites, rows)

    def attributions(self, rows: NDArray[np.intp] | None = None, *, steps: int = 1) -> Floats:
        """Return (rows, sites): first-order estimates of the same, all sites at once, from ``steps`` gradients."""
        return gradients.attributions(self.session, rows, steps)

    def log_probs(self) -> Tensor:
        """Return (n, vocabulary): the unedited next-token log-probabilities at the answer position, on the CPU."""
        parts = [torch.log_softmax(self.session.prepared(i).logits, dim=-1) for i in range(len(self.session.groups))]
        order = np.argsort(np.concatenate([group.rows for group in self.groups]))
        return torch.cat(parts)[torch.as_tensor(order)].cpu()

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
