"""Adapter of language models through TransformerLens' `TransformerBridge`: raw weights, its hook names, own hooks."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from congruity.errors import ModelError
from congruity.models.bound import Bound
from congruity.models.bridge import Loaded, wrap
from congruity.models.group import Batch
from congruity.models.shortcuts import PROBE, Start, restartable_blocks, separate_words, skippable_mlps, some_words
from congruity.models.tokens import PromptTokens
from congruity.protocols import Intervention
from congruity.values import Examples, ModelCard, Site


class TransformerLensModel:
    """A causal language model with per-head and per-MLP sites named as in TransformerLens.

    The Hugging Face module is wrapped in place. Before that it runs once as it came, and `probe_error` says how far
    the wrapped forward pass is from it.

    Raises:
        ModelError: TransformerLens does not know the architecture, or a site that it names is missing.
    """

    adapter = "transformer-lens"

    def __init__(self, loaded: Loaded, *, device: torch.device, dtype: torch.dtype) -> None:
        module = loaded.module.to(device=device, dtype=dtype).eval().requires_grad_(False)
        self.device = device
        # Counted before wrapping, which splits and doubles some weights. Embeddings are looked up, not multiplied.
        embeddings = {id(m.weight) for m in module.modules() if isinstance(m, torch.nn.Embedding)}
        head = module.get_output_embeddings()
        if head is not None:
            embeddings.add(id(head.weight))
        self._matrices = {id(p): p for p in module.parameters() if p.ndim == 2 and id(p) not in embeddings}
        self._body_parameters = sum(p.numel() for p in self._matrices.values())
        probe = torch.tensor(PROBE, device=device)
        with torch.inference_mode():
            self._plain_logits = module(input_ids=probe).logits[:, -1].float()
        self._bridge: Any = loaded.bridge if loaded.bridge is not None else wrap(loaded, module, device, dtype)
        self._module = self._bridge.original_model
        self._wanted: Tensor | None = None  # rows whose logits are computed in the run that is on
        self._head = self._module.get_output_embeddings()
        if self._head is not None:
            self._head.register_forward_pre_hook(self._wanted_rows)
        self._hook_modules: dict[str, Any] = self._bridge.hook_dict
        self.sites = self._find_sites()
        vocabulary = self._module.config.get_text_config().vocab_size
        self._tokens = PromptTokens(loaded.tokenizer, name=loaded.name, vocabulary=vocabulary, device=device)
        layers = range(self._bridge.cfg.n_layers)
        self.reads = tuple(f"blocks.{layer}.hook_resid_post" for layer in layers)
        self._separate_words = True  # as long as that is what is tried
        self._keeps_logits = "logits_to_keep" in inspect.signature(self._module.forward).parameters
        self._computing = skippable_mlps(self, self._bridge.blocks, self.sites)
        starts = [f"blocks.{layer}.hook_resid_pre" for layer in layers]
        self._blocks = restartable_blocks(self, self._bridge.blocks, starts, prefix=self._has_prefix_cache)
        self._separate_words = separate_words(self)
        self.card = ModelCard(
            name=loaded.name,
            digest=loaded.digest,
            base=loaded.base,
            adapter=self.adapter,
            n_layers=self._bridge.cfg.n_layers,
            n_heads=self._bridge.cfg.n_heads,
            d_model=self._bridge.cfg.d_model,
            bos=self._tokens.bos,
            dtype=str(dtype).removeprefix("torch."),
            revision=loaded.revision,
        )

    @property
    def parallel_attn_mlp(self) -> bool:
        """Whether attention and MLP of a block read the same residual stream (Pythia), as circuit files note."""
        return bool(getattr(self._bridge.cfg, "parallel_attn_mlp", False))

    def probe_error(self) -> float:
        """Largest difference between the wrapped and the plain forward pass, relative to the largest logit."""
        probe = torch.tensor(PROBE, device=self.device)
        with torch.inference_mode():
            wrapped = self.logits(Batch(probe)).float()
        return float((wrapped - self._plain_logits).abs().max() / self._plain_logits.abs().max())

    # -------------------------------------------------------------------------------------------------- tokenising

    def single_token(self, word: str) -> bool:
        """Whether ``word`` (with its leading space) continues a prompt as exactly one token."""
        return self._tokens.single_token(word)

    def tokens(self, text: str) -> list[int]:
        """Token ids as the model gets them: with BOS if that is the tokenizer's own convention."""
        return self._tokens.of(text)

    def bind(self, examples: Examples, intervention: Intervention, *, pad: bool = False) -> Bound:
        """Tokenise, check and group ``examples``.

        Args:
            examples: prompt pairs.
            intervention: what an edit writes; decides whether prefixes are shared.
            pad: put all prompts in one left-padded batch instead of one batch a length (slower; same numbers).

        Raises:
            TaskError: a pair of unequal token length or without a difference; an answer or foil of several tokens.
        """
        # A sliding-window cache keeps only the last keys: past the window a shared prefix would lose positions.
        window = getattr(self._module.config.get_text_config(), "sliding_window", None) or math.inf
        share = window if self._has_prefix_cache else 0
        return Bound(self, self._tokens.groups(examples, pad=pad, share=share), intervention, examples.ids)

    # ---------------------------------------------------------------------------------------------------- running

    def hook_module(self, hook: str) -> torch.nn.Module:
        """The module whose output is the activation named ``hook``."""
        return self._hook_modules[hook]

    @property
    def _has_prefix_cache(self) -> bool:
        if not hasattr(self, "_prefix_cache_works"):
            try:
                self.prefix(torch.tensor([PROBE[0][:2]], device=self.device))
                self._prefix_cache_works = True
            except (AttributeError, TypeError):  # state-space and other models keep no keys and values
                self._prefix_cache_works = False
        return self._prefix_cache_works

    def prefix(self, tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return keys and values (g, heads, positions, width) of every layer for ``tokens``."""
        self._wanted = torch.arange(0, device=self.device)
        try:
            with torch.no_grad():
                cache = self._module(input_ids=tokens, use_cache=True, **self._last_logit()).past_key_values
        finally:
            self._wanted = None
        return [(layer.keys, layer.values) for layer in cache.layers]

    def computing_module(self, hook: str) -> torch.nn.Module | None:
        """The MLP behind an MLP's hook: rows that get another output need not go through it."""
        return self._computing.get(hook)

    def matrix_parameters(self, module: torch.nn.Module) -> int:
        """Weights of the plain model's matrices in ``module``, without the copies that wrapping makes."""
        return sum(p.numel() for p in module.parameters() if id(p) in self._matrices)

    def _wanted_rows(self, head: Any, inputs: Any) -> Any:
        """Before the unembedding: keep the rows whose logits are wanted.

        The last position is a strided slice, for which PyTorch multiplies row by row and reads the whole unembedding
        for each: contiguous, it is one matrix product and twenty times faster.
        """
        rows = inputs[0] if self._wanted is None else inputs[0][self._wanted]
        return (rows.contiguous(), *inputs[1:])

    def logits(self, batch: Batch) -> Tensor:
        """Return (rows wanted, vocabulary) at the last position; with ``words`` (rows wanted, k), of these only."""
        words, wanted = batch.words, batch.wanted
        arguments: dict[str, Any] = {"input_ids": batch.tokens, "use_cache": False, **self._last_logit()}
        if batch.prefix is not None:
            from transformers import DynamicCache

            cache = DynamicCache(config=self._module.config)
            for layer, (keys, values) in enumerate(batch.prefix):
                repeats = (batch.copies, 1, 1, 1)
                cache.update(keys.repeat(repeats), values.repeat(repeats), layer)
            arguments |= {"past_key_values": cache, "use_cache": True}
        if batch.padding is not None:
            positions = (batch.padding.long().cumsum(-1) - 1).clamp_min(0)
            arguments |= {"attention_mask": batch.padding.long(), "position_ids": positions}
        alone = words if self._separate_words else None
        self._wanted = wanted
        try:
            with nullcontext() if alone is None else some_words(self._head, alone):
                logits: Tensor = self._module(**arguments).logits[:, -1]
        finally:
            self._wanted = None
        logits = logits if wanted is None or len(logits) == len(wanted) else logits[wanted]
        return logits if words is None or alone is not None else logits.gather(1, words)

    def answers(self, batch: Batch) -> Tensor:
        """Return (rows wanted, 1, vocabulary or words): logits of the one answer, the next token."""
        return self.logits(batch)[:, None]

    def class_numbers(self, words: Sequence[str]) -> list[int]:
        """Return the token id of each word."""
        return [self._tokens.number(word) for word in words]

    def embedding_module(self) -> torch.nn.Module | None:
        """The module that turns token ids into vectors."""
        module: torch.nn.Module = self._module.get_input_embeddings()
        return module

    def start_hook(self, layer: int) -> str | None:
        """The activation from which a run can start at block ``layer``; None if all blocks must run."""
        return None if self._blocks is None else f"blocks.{layer}.hook_resid_pre"

    def starting(self, start: Start) -> AbstractContextManager[None]:
        """Return a context for runs that start there, are edited in that block only, and end at the last logits."""
        if self._blocks is None:
            raise ModelError(f"{self.card.name}: its blocks cannot be left out, so every run starts at the first")
        return self._blocks.starting(start.layer, start.residual)

    def _last_logit(self) -> dict[str, int]:
        return {"logits_to_keep": 1} if self._keeps_logits else {}

    def forward_flops(self, positions: int, rows: int, *, start: int | None = None, words: int | None = None) -> float:
        """Flops of the matrix products: 2 a weight and position, and the unembedding once a row.

        Args:
            positions: tokens of all rows.
            rows: rows whose logits are computed.
            start: block that the run starts at, as in `starting`; None is a whole run.
            words: columns of the unembedding that are asked for; None is all.
        """
        config = self._module.config.get_text_config()
        columns = config.vocab_size if words is None or not self._separate_words else words
        body = 2.0 * positions * self._body_parameters
        if start is not None and self._blocks is not None:
            body *= 1.0 - start / self._bridge.cfg.n_layers  # blocks are of one size
            if self._blocks.narrows(start):
                body -= 2.0 * (positions - rows) * sum(map(self.matrix_parameters, self._blocks.positionwise))
        return body + 2.0 * rows * columns * config.hidden_size

    def _find_sites(self) -> tuple[Site, ...]:
        found: list[Site] = []
        for layer in range(self._bridge.cfg.n_layers):
            heads, mlp = f"blocks.{layer}.attn.hook_z", f"blocks.{layer}.hook_mlp_out"
            if heads in self._hook_modules:
                found += [Site(layer, "head", heads, head) for head in range(self._bridge.cfg.n_heads)]
            if mlp in self._hook_modules:
                found.append(Site(layer, "mlp", mlp))
        if not found:
            names = ", ".join(sorted(self._hook_modules)[:5])
            raise ModelError(f"no attention-head or MLP sites were found; the model's hooks are {names}, ...")
        return tuple(found)
