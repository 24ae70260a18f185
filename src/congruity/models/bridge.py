"""Wrap a Hugging Face causal language model in TransformerLens' `TransformerBridge`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from congruity.errors import ModelError


@dataclass(frozen=True)
class Loaded:
    """A Hugging Face causal language model with its tokenizer and where it came from, before it is wrapped."""

    module: Any
    tokenizer: Any
    name: str
    digest: str
    base: str
    where: str  # folder or hub id that TransformerLens may look a configuration up by
    revision: str | None = None
    bridge: Any = None  # a TransformerBridge that already holds the module


def wrap(loaded: Loaded, module: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """Return a `TransformerBridge` around ``module``, which it changes in place.

    Raises:
        ModelError: TransformerLens does not know the architecture.
    """
    from transformer_lens.model_bridge import TransformerBridge

    if not getattr(module.config, "architectures", None):
        module.config.architectures = [type(module).__name__]
    try:
        return TransformerBridge.boot_transformers(
            loaded.where, hf_model=module, tokenizer=_no_words(), device=device, dtype=dtype
        )
    except (KeyError, ValueError, NotImplementedError, AttributeError) as error:
        kind = type(module).__name__
        raise ModelError(
            f"{loaded.name}: TransformerLens cannot wrap {kind} ({_first_line(error)}); see its list of models"
        ) from None


def _no_words() -> Any:
    """A tokenizer without a vocabulary, for the bridge: it would reconfigure the real one (it turns BOS on).

    Tokenising is the adapter's; copies of the real tokenizer take seconds.
    """
    import tokenizers
    import transformers

    empty = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<none>": 0}, unk_token="<none>"))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=empty, unk_token="<none>", eos_token="<none>")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def bos_id(tokenizer: Any) -> int | None:
    """The BOS id if the tokenizer itself puts it in front of text, else None."""
    ids = tokenizer("a")["input_ids"]
    bos = tokenizer.bos_token_id
    return int(bos) if bos is not None and len(ids) > 0 and ids[0] == bos else None
