"""Tiny seeded models, a word tokenizer and tasks for tests: built in memory, nothing is fetched.

``net`` is a PyTorch module whose answer is known to come from one site; ``language_model`` makes random Hugging Face
models of seven architectures; ``trained`` is one of them after two seconds of training on indirect objects.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from congruity.models import TorchModule
from congruity.models.load import load_model
from congruity.tasks import IOI
from congruity.tasks.indirect_object import NAMES, PLACES, TEMPLATES, THINGS
from congruity.values import Examples

# ------------------------------------------------------------------------------------------- words and their task

USED = (*NAMES[:10], *PLACES[:4], *THINGS[:4])
_FILLED = " ".join(t.format(first="", second="", s2="", place="", thing="") for t in (*TEMPLATES, "So the a"))
_PLAIN_WORDS = sorted(set(_FILLED.replace(",", " , ").replace(".", " . ").split()))
VOCABULARY = {word: i for i, word in enumerate(("[UNK]", "[BOS]", "[PAD]", *_PLAIN_WORDS, *USED))}


def known(word: str) -> bool:
    """Whether the tiny tokenizer holds ``word`` as one token."""
    return word.strip() in VOCABULARY


def tokenizer(*, bos: bool = False) -> PreTrainedTokenizerFast:
    """Return a real tokenizer of about a hundred words; with ``bos`` it prepends [BOS] by itself."""
    raw = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    if not bos:
        return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]")
    raw.post_processor = processors.TemplateProcessing(single="[BOS] $A", special_tokens=[("[BOS]", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]", bos_token="[BOS]")


@dataclass(frozen=True)
class Words:
    """Indirect objects of the tiny vocabulary: a task of the user's own, which no registry holds."""

    n: int = 16
    seed: int = 0

    @property
    def name(self) -> str:
        return "words"

    def examples(self, single_token: Callable[[str], bool] | None = None) -> Examples:
        return IOI(n=self.n, seed=self.seed).examples(known)


# ------------------------------------------------------------------------------------------------ language models

_SHAPE: dict[str, Any] = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "initializer_range": 0.15,
}
_GPT2: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "initializer_range": 0.15}
CONFIGS: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaConfig(**_SHAPE, num_key_value_heads=2),
    "gpt2": lambda: GPT2Config(vocab_size=len(VOCABULARY), **_GPT2),
    "gemma": lambda: GemmaConfig(**_SHAPE, num_key_value_heads=1, head_dim=8),
    "gemma3": lambda: Gemma3TextConfig(**_SHAPE, num_key_value_heads=2, head_dim=8, sliding_window=32),
    "neox": lambda: GPTNeoXConfig(**_SHAPE),
    "qwen2": lambda: Qwen2Config(**_SHAPE, num_key_value_heads=2),
    "mistral": lambda: MistralConfig(**_SHAPE, num_key_value_heads=4),
}
ARCHITECTURES = tuple(CONFIGS)


def language_model(architecture: str, *, seed: int = 0, **changes: Any) -> Any:
    """Return a random Hugging Face model; ``changes`` are attributes of its configuration."""
    config = CONFIGS[architecture]()
    for name, value in changes.items():
        setattr(config, name, value)
    torch.manual_seed(seed)
    module = AutoModelForCausalLM.from_config(config).eval()
    module.config.architectures = [type(module).__name__]  # as every stored model has it
    module.config._name_or_path = f"tiny/{architecture}"
    return module


def wrap(module: Any, *, bos: bool = False) -> Any:
    """Return the adapter around a deep copy of ``module``, which stays plain."""
    return load_model(copy.deepcopy(module), tokenizer=tokenizer(bos=bos), device="cpu")


@functools.cache
def pair(architecture: str) -> tuple[Any, Any]:
    """Return a plain model and the adapter around its copy; do not change either."""
    module = language_model(architecture)
    return module, wrap(module)


@functools.cache
def trained(steps: int = 110) -> Any:
    """Return a plain model of three layers that does `Words`, after a few seconds of training on other seeds."""
    module = language_model("llama", num_hidden_layers=3, initializer_range=0.05, seed=1).train()
    words = tokenizer()
    optimiser = torch.optim.AdamW(module.parameters(), lr=4e-3)
    for step in range(steps):
        examples = IOI(n=128, seed=1000 + step).examples(known)
        batch = words(list(examples.clean), padding=True, padding_side="right", return_tensors="pt")
        target = torch.tensor([VOCABULARY[str(answer).strip()] for answer in examples.answers])
        last = batch["attention_mask"].sum(dim=1) - 1
        logits = module(input_ids=batch["input_ids"]).logits[torch.arange(len(last)), last]
        loss = torch.nn.functional.cross_entropy(logits, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return module.eval()


# ---------------------------------------------------------------------------------------- a module with a known circuit

CLASSES, WIDTH, BLOCKS, POSITIONS = 8, 16, 4, 3


class Block(torch.nn.Module):
    """A small perturbation that mixes positions."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = torch.nn.Linear(WIDTH, WIDTH)
        self.own = torch.nn.Linear(WIDTH, WIDTH)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.own(hidden) + self.mix(hidden.mean(dim=1, keepdim=True)))


class Net(torch.nn.Module):
    """Names its last token: the embedding carries the answer, every block adds a little of everything."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength
        self.embed = torch.nn.Embedding(CLASSES, WIDTH)
        self.blocks = torch.nn.ModuleList(Block() for _ in range(BLOCKS))
        self.stream = torch.nn.ModuleList(torch.nn.Identity() for _ in range(BLOCKS))
        self.unembed = torch.nn.Linear(WIDTH, CLASSES, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = self.embed(tokens)
        for block, stream in zip(self.blocks, self.stream, strict=True):
            hidden = stream(hidden + self.strength * block(hidden))
        return self.unembed(hidden)


def net(seed: int = 0, strength: float = 0.08) -> Net:
    """Return a seeded `Net`; with ``strength`` 0 the blocks say nothing."""
    torch.manual_seed(seed)
    module = Net(strength)
    with torch.no_grad():
        basis = torch.linalg.qr(torch.randn(WIDTH, WIDTH)).Q[:CLASSES]
        module.embed.weight.copy_(basis)
        module.unembed.weight.copy_(5.0 * basis)
    return module


def module_model(module: torch.nn.Module | None = None, *, name: str = "net", base: str | None = None) -> TorchModule:
    """Return the adapter around a `Net`: one embedding site and two heads for every block."""
    return TorchModule(
        module or net(),
        edits={"embed": 1} | {f"blocks.{i}": 2 for i in range(BLOCKS)},
        reads=[f"stream.{i}" for i in range(BLOCKS)],
        name=name,
        base=base,
    )


@dataclass(frozen=True)
class LastToken:
    """``n`` sequences of class indices; the counterfactual has another last token, which is the foil."""

    n: int = 48
    seed: int = 0
    name: str = "last-token"

    def examples(self, single_token: Callable[[str], bool] | None = None) -> Examples:
        rng = np.random.default_rng([7, self.seed])
        clean = rng.integers(CLASSES, size=(self.n, POSITIONS))
        other = rng.integers(CLASSES, size=(self.n, POSITIONS))
        other[:, -1] = (clean[:, -1] + rng.integers(1, CLASSES, size=self.n)) % CLASSES
        ids = tuple(f"row-{i}" for i in range(self.n))
        return Examples(self.name, clean, other, clean[:, -1], other[:, -1], ids)
