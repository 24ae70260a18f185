"""Computations that a run may leave out, each proved to change nothing when a model is loaded.

A run may leave out the MLPs of rows whose MLP output is replaced, the blocks before the edited one, the positions of
the last block that nothing reads, and the unembedding columns that are not asked for. Each shortcut is tried on two
short prompts. Where the outcome differs, or the model is built in some other way, the whole is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from congruity.models.group import Batch
from congruity.models.hooks import Skipper, hooked, recorder
from congruity.values import Site

# Plain token ids for the proofs; any vocabulary has them.
PROBE = ((5, 6, 7, 8, 9, 10, 11), (11, 5, 10, 6, 9, 7, 8))
_TOLERANCE = 1e-4  # of the largest logit
# A model that is fed, read or built in some other way than expected fails in one of these ways.
_UNUSUAL = (RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError)


class Runs(Protocol):
    """The part of an adapter that runs a batch, which is all that the proofs need."""

    device: torch.device

    def hook_module(self, hook: str) -> torch.nn.Module: ...
    def prefix(self, tokens: Tensor) -> Any: ...
    def logits(self, batch: Batch) -> Tensor: ...  # (rows wanted, vocabulary), or of words (rows wanted, k) only


# ------------------------------------------------------------------------------------------------------ leaving out


@contextmanager
def instead(forwards: Iterable[tuple[torch.nn.Module, Callable[..., Any]]]) -> Iterator[None]:
    """Let other functions run in place of the modules' ``forward``, and put everything back at the end.

    The functions go straight into the modules' dictionaries: TransformerLens' components pass assignments on.
    """
    before = []
    try:
        for module, forward in forwards:
            before.append((module, module.__dict__.get("forward")))
            module.__dict__["forward"] = forward
        yield
    finally:
        for module, forward in reversed(before):
            if forward is None:
                del module.__dict__["forward"]
            else:
                module.__dict__["forward"] = forward


@dataclass(frozen=True)
class Start:
    """Where a run begins: at block ``layer``, whose input is ``residual`` (rows, positions, width)."""

    layer: int
    residual: Tensor


@dataclass(frozen=True)
class Blocks:
    """A model's blocks, each of which gives back the residual stream: a run can start at any of them.

    Attributes:
        modules: the blocks in order.
        tuples: whether a block returns a tuple that starts with the residual stream, or the bare tensor.
        positionwise: modules of the last block that work position by position after the last exchange between
            positions. What they add is added to every position, and only the last one is read.
    """

    modules: tuple[torch.nn.Module, ...]
    tuples: bool
    positionwise: tuple[torch.nn.Module, ...] = ()

    def narrows(self, layer: int) -> bool:
        """Whether a run from block ``layer`` on computes only the last position where that is enough."""
        return layer < len(self.modules) - 1 and len(self.positionwise) > 0

    @contextmanager
    def starting(self, layer: int, residual: Tensor) -> Iterator[None]:
        """Let the model run from block ``layer`` on, where alone it may be edited, to the logits of the last position.

        The blocks before are called, and return ``residual`` (rows, positions, width) at once. So the model itself
        goes on to make positions, masks and whatever else its later blocks are given.
        """
        output = (residual,) if self.tuples else residual
        narrow = self.positionwise if self.narrows(layer) else ()
        with (
            instead((module, lambda *inputs, **options: output) for module in self.modules[:layer]),
            hooked(((module, _last_position) for module in narrow), before=True),
        ):
            yield


def _last_position(module: Any, inputs: Any) -> Any:
    return (inputs[0][:, -1:].contiguous(), *inputs[1:])


def some_words(head: Any, words: Tensor) -> Any:
    """Return a context in which the unembedding ``head`` gives the logits of ``words`` (rows, k), at the last position.

    What the model does with logits, element by element, happens to these: scaling, soft capping.
    """

    def forward(hidden: Tensor) -> Tensor:
        weight, bias = head.weight[words], getattr(head, "bias", None)  # (rows, k, width)
        logits = (weight @ hidden[:, -1, :, None])[..., 0]
        return (logits if bias is None else logits + bias[words])[:, None]  # (rows, 1, k)

    return instead([(head, forward)])


# ----------------------------------------------------------------------------------------------------------- proofs


def skippable_mlps(model: Runs, blocks: Any, sites: tuple[Site, ...]) -> dict[str, torch.nn.Module]:
    """Return the MLPs by hook, if leaving a row out of all of them provably changes nothing but what it should."""
    mlps = {site.hook: getattr(blocks[site.layer], "mlp", None) for site in sites}
    found = {hook: mlp for hook, mlp in mlps.items() if isinstance(mlp, torch.nn.Module) and hook.endswith("mlp_out")}
    # Two different prompts, three times over: rows that were mixed up, or spread to others, would show.
    tokens = torch.tensor(PROBE * 3, device=model.device)
    seen: dict[str, Tensor] = {}
    with torch.no_grad(), hooked((model.hook_module(hook), recorder(hook, seen)) for hook in found):
        plain = model.logits(Batch(tokens))
    if set(seen) != set(found):
        return {}
    for replaced in ((True, False, False), (True,)):
        rows = len(PROBE) * len(replaced)
        row = torch.tensor(replaced, device=model.device)
        skips = {hook: Skipper(value[: len(PROBE)], row) for hook, value in seen.items()}
        try:
            with (
                torch.no_grad(),
                hooked(((found[hook], skip.select) for hook, skip in skips.items()), before=True),
                hooked((model.hook_module(hook), skip.restore) for hook, skip in skips.items()),
            ):
                skipped = model.logits(Batch(tokens[:rows]))
        except _UNUSUAL:
            return {}
        if not _agree(skipped, plain[:rows]):
            return {}
    return found


def restartable_blocks(model: Runs, blocks: Any, start_hooks: Sequence[str], *, prefix: bool) -> Blocks | None:
    """Return the blocks, if a run that starts at any of three of them provably depends on the residual stream alone.

    The run is given one prompt and, at its start, the residual stream of the other prompt (the activation at
    ``start_hooks``, one a block): it must end as the other did. Embeddings that reach a later block by another way
    would show. With ``prefix``, also after cached tokens. The last block is narrowed to the last position as far as
    that gives the same.
    """
    modules = tuple(blocks)
    layers = {0, len(modules) // 2, len(modules) - 1}
    try:
        outputs: dict[int, Any] = {}

        def record(number: int) -> Callable[..., None]:
            return lambda module, inputs, output: outputs.__setitem__(number, output)

        with torch.no_grad(), hooked((module, record(number)) for number, module in enumerate(modules)):
            model.logits(Batch(torch.tensor(PROBE, device=model.device)))
        tuples = {isinstance(output, tuple) for output in outputs.values()}
        if len(outputs) < len(modules) or len(tuples) != 1:
            return None
        found = Blocks(modules, tuples.pop())
    except _UNUSUAL:
        return None
    if not _restarts(model, found, start_hooks, layers, prefix=prefix):
        return None
    last = modules[-1]
    parts = (getattr(last, "mlp", None), getattr(getattr(last, "attn", None), "o", None))
    known = tuple(part for part in parts if isinstance(part, torch.nn.Module))
    for some in (known, known[:1]):
        narrow = replace(found, positionwise=some)
        if _restarts(model, narrow, start_hooks, layers, prefix=prefix):
            return narrow
    return found


def _restarts(model: Runs, blocks: Blocks, start_hooks: Sequence[str], layers: set[int], *, prefix: bool) -> bool:
    tokens = torch.tensor(PROBE, device=model.device)
    try:
        for common in (0, 3) if prefix else (0,):
            seen: dict[str, Tensor] = {}
            names = [start_hooks[layer] for layer in layers]
            with torch.no_grad():
                cache = model.prefix(tokens[:1, :common].expand(2, -1)) if common else None
                rest = tokens[:, common:]
                with hooked((model.hook_module(name), recorder(name, seen)) for name in names):
                    plain = model.logits(Batch(rest, cache))
                for layer in layers:
                    # Block 0 starts from the embeddings, whatever is given to it.
                    flipped = [0, 1] if layer == 0 else [1, 0]
                    with blocks.starting(layer, seen[start_hooks[layer]][flipped]):
                        if not _agree(model.logits(Batch(rest, cache)), plain[flipped]):
                            return False
    except _UNUSUAL:
        return False
    return True


def separate_words(model: Runs) -> bool:
    """Whether the logits of single words, computed alone, provably are those among all words."""
    tokens = torch.tensor(PROBE, device=model.device)
    with torch.no_grad():
        every = model.logits(Batch(tokens))
        # The likeliest and the least likely: large logits show a cap or a scale.
        words = torch.cat([every.topk(3).indices, (-every).topk(3).indices], dim=1)
        try:
            return _agree(model.logits(Batch(tokens, words=words)), every.gather(1, words))
        except _UNUSUAL:
            return False


def _agree(short: Tensor, whole: Tensor) -> bool:
    if short.shape != whole.shape:
        return False
    return float((short - whole).abs().max()) <= _TOLERANCE * float(whole.abs().max())  # False for NaN
