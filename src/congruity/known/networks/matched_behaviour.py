"""Networks of matched behaviour: one mechanism under many seeds, and another mechanism by construction.

A positive control needs networks of the same behaviour and of another mechanism. Both kinds are Mistral language models
of the same sizes and site names, trained on the same kind of indirect-object prompts. Only the sliding window differs:

    direct  no window: the last token can attend to the names wherever they stand, and does.
    relay   the smallest window through which names reach the last token: only layer by layer, by the tokens between.

Training is on the last position alone. Its target is a known answer distribution, as one-hot targets would leave the
confidence free. Training stops at one distance from the target: run to the end, direct networks would be better.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from congruity._base import cache, files
from congruity._base.arrays import Floats
from congruity._base.digest import digest
from congruity._base.optional import require
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.errors import InputError, StoreError
from congruity.tasks import indirect_object
from congruity.tasks.indirect_object import PLACES, TEMPLATES, THINGS
from congruity.values import Examples

Kind = Literal["direct", "relay"]
KINDS: tuple[Kind, Kind] = ("direct", "relay")
NAMES = indirect_object.NAMES[:20]


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides a network but its kind, seed and prompts."""

    steps: int = 1200  # at most
    enough: float = 0.005  # nats above the least possible loss at which training stops, the same for both kinds
    batch: int = 64  # two rounds through all templates and orders
    learning_rate: float = 2e-3
    warm_up: int = 50
    decay: float = 0.6  # of the steps, linear to zero
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01
    clip: float = 1.0  # norm of the gradient
    layers: int = 6
    width: int = 64
    heads: int = 4
    mlp: int = 128
    initial: float = 0.05  # standard deviation of the first weights
    answer: float = 0.85  # probability of the indirect object in the target
    subject: float = 0.10  # of the subject; the other names share the rest


DEFAULT = TrainingSettings()


@dataclass(frozen=True)
class MatchedNetwork:
    """A trained network and how well it does the task on `task` (200 prompts that no training set held).

    Attributes:
        kind, seed: what it is.
        module: the Hugging Face module; wrap it with ``load_model(module, tokenizer=tokenizer())``.
        accuracy: share of prompts whose most likely next word of all is the indirect object.
        loss: mean KL (nats) of the target distribution from the network's; 0 is perfect.
    """

    kind: Kind
    seed: int
    module: Any
    accuracy: float
    loss: float

    @property
    def name(self) -> str:
        """Kind and seed, such as ``relay-3``."""
        return f"{self.kind}-{self.seed}"


# ------------------------------------------------------------------------------------------------ words and prompts


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]+", text)  # as the tokenizer below splits


_SLOTS = dict(first="FIRST", second="SECOND", s2="ACTOR", place="PLACE", thing="THING")
_PATTERNS = tuple(_words(template.format(**_SLOTS)) for template in TEMPLATES)
_PLAIN = sorted({word for pattern in _PATTERNS for word in pattern} - set(_SLOTS.values()))
VOCABULARY = {word: i for i, word in enumerate(("[UNK]", "[PAD]", *_PLAIN, *NAMES, *PLACES, *THINGS))}
_NAME_IDS = [VOCABULARY[name] for name in NAMES]
_HELD_OUT = 5  # one in five combinations of two names, a place and a thing is never trained on


def tokenizer() -> Any:
    """Return a Hugging Face tokenizer of one token a word, without BOS."""
    tokenizers = _library("tokenizers")
    raw = tokenizers.Tokenizer(tokenizers.models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return _library("transformers").PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]")


@dataclass(frozen=True)
class HeldOutPrompts:
    """``n`` indirect-object prompts in words of `tokenizer`; the counterfactual has another S2, as in `cg.tasks.IOI`.

    Every pair of names, place and thing occurs in training, but never together as here.
    """

    n: int = 200
    seed: int = 0
    name: str = "twins"

    def examples(self, single_token: Callable[[str], bool] | None = None) -> Examples:
        """Return the examples; every word is one token already, so ``single_token`` is not asked."""
        return _examples(stream(self.seed, "twins", "held out"), self.n, held_out=True)


def task(n: int = 200, seed: int = 0) -> HeldOutPrompts:
    """Return a `congruity.protocols.Task` of ``n`` held-out prompts."""
    return HeldOutPrompts(n, seed)


def _examples(rng: np.random.Generator, n: int, *, held_out: bool) -> Examples:
    rows = []
    for i in range(n):
        while True:
            io, subject = (int(j) for j in rng.choice(len(NAMES), size=2, replace=False))
            place, thing = int(rng.integers(len(PLACES))), int(rng.integers(len(THINGS)))
            if ((io + subject + place + thing) % _HELD_OUT == 0) == held_out:
                break
        first, second = (NAMES[j] for j in ((io, subject) if i % 2 == 0 else (subject, io)))
        fill = {"first": first, "second": second, "place": PLACES[place], "thing": THINGS[thing]}
        template = TEMPLATES[(i // 2) % len(TEMPLATES)]
        clean, other = (template.format(**fill, s2=NAMES[actor]) for actor in (subject, io))
        rows.append((clean, other, f" {NAMES[io]}", f" {NAMES[subject]}", f"twins-{i:04d}"))
    return Examples("twins", *zip(*rows, strict=True))


def _ids(text: str) -> list[int]:
    return [VOCABULARY[word] for word in _words(text)]


def _library(name: str) -> Any:
    return require(name, "congruity[models]", "training and running networks")


def _targets(examples: Examples, settings: TrainingSettings) -> Any:
    """Return the distributions of the next word (n, vocabulary) that training aims at."""
    target = _library("torch").zeros(len(examples), len(VOCABULARY))
    target[:, _NAME_IDS] = (1 - settings.answer - settings.subject) / (len(NAMES) - 2)
    for i, (answer, foil) in enumerate(zip(examples.answers, examples.foils, strict=True)):
        target[i, _ids(answer)], target[i, _ids(foil)] = settings.answer, settings.subject
    return target


# --------------------------------------------------------------------------------------------------------- networks


def window(layers: int = DEFAULT.layers) -> int:
    """Return the smallest sliding window (positions seen, itself included) through which every name can be relayed.

    A layer carries content over window - 1 positions: fewer than from the nearest name to the last token.

    >>> window()
    4
    """
    longest = max(len(pattern) - 1 - pattern.index(_SLOTS["first"]) for pattern in _PATTERNS)
    return math.ceil(longest / layers) + 1


def untrained(kind: Kind, seed: int, settings: TrainingSettings = DEFAULT) -> Any:
    """Return the network at step 0; raise `InputError` if there is no such kind."""
    if kind not in KINDS:
        raise InputError(f"twins: kind is {kind!r}; use 'direct' or 'relay'")
    torch, transformers = _library("torch"), _library("transformers")
    config = transformers.MistralConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=settings.width,
        intermediate_size=settings.mlp,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=64,
        initializer_range=settings.initial,
        sliding_window=None if kind == "direct" else window(settings.layers),
        architectures=["MistralForCausalLM"],
        bos_token_id=None,
        eos_token_id=None,
    )
    config._name_or_path = f"twins/{kind}-{seed}"  # `load_model` names it by the last part
    with torch.random.fork_rng(devices=[]):
        # The kind is a label too: a shared first draw would tie the networks of one seed together across kinds.
        torch.manual_seed(int(stream(seed, "twins", kind, "weights").integers(2**31)))
        return transformers.MistralForCausalLM(config).eval()


def train(kind: Kind, seed: int, *, steps: int = DEFAULT.steps, progress: Progress = silent) -> Any:
    """Return a ``MistralForCausalLM`` trained on one thread (about a minute), the same weights every time.

    Args:
        kind: "direct" or "relay".
        seed: of the first weights and the prompts, none of which two kinds share.
        steps: optimiser steps at most, and the length of the learning-rate schedule.
    """
    torch = _library("torch")
    settings = TrainingSettings(steps=steps)
    module = untrained(kind, seed, settings).train()
    rng = stream(seed, "twins", kind, "prompts")
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, betas=settings.betas
    )
    recent: list[float] = []
    with _one_thread():
        for step in range(steps):
            progress(f"train {kind}-{seed}", step, steps)
            examples = _examples(rng, settings.batch, held_out=False)
            log_probabilities = _logits(module, examples.clean).log_softmax(-1)
            loss = _excess(log_probabilities, _targets(examples, settings))
            share = min(1.0, (step + 1) / settings.warm_up, (steps - step) / (settings.decay * steps))
            optimiser.param_groups[0]["lr"] = settings.learning_rate * share
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), settings.clip)
            optimiser.step()
            recent = [*recent[-19:], loss.item()]
            if len(recent) == 20 and np.mean(recent) < settings.enough:
                break
    progress(f"train {kind}-{seed}", steps, steps)
    return module.eval()


def matched_networks(
    n: int, *, steps: int = DEFAULT.steps, folder: Path | None = None, progress: Progress = silent
) -> list[MatchedNetwork]:
    """Return ``n`` networks of each kind, seeds 0 to n - 1, from ``folder`` or trained now: all direct, then all relay.

    The default folder is ``twins`` in the cache folder. Other settings, words or templates make other files.

    Raises:
        StoreError: the folder cannot be written, or a file in it is damaged.
    """
    folder = cache.folder() / "twins" if folder is None else folder
    found = [(kind, seed, _cached(kind, seed, steps, folder, progress)) for kind in KINDS for seed in range(n)]
    return [MatchedNetwork(kind, seed, module, *_score(module)) for kind, seed, module in found]


def _cached(kind: Kind, seed: int, steps: int, folder: Path, progress: Progress) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load, save

    settings = TrainingSettings(steps=steps)
    key = digest(dataclasses.asdict(settings), VOCABULARY, TEMPLATES, window(settings.layers), _HELD_OUT)
    path = folder / f"{kind}-{seed}-{key[:16]}.safetensors"
    if not path.is_file():
        module = train(kind, seed, steps=steps, progress=progress)
        files.write_bytes(save(module.state_dict()), path)
        return module
    module = untrained(kind, seed, settings)
    try:
        module.load_state_dict(load(path.read_bytes()))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"{path}: damaged ({reason}); delete it, and it is trained again") from None
    return module


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread, so that sums are taken in one order and equal seeds give equal bytes."""
    torch = _library("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


# ------------------------------------------------------------------------------------------------ what they have learnt


def divergences(networks: Sequence[MatchedNetwork]) -> Floats:
    """Return KL(row || column) in nats over the whole vocabulary, (N, N), mean over the scored prompts."""
    logs = [_log_probabilities(network.module) for network in networks]
    return np.array([[float((p.exp() * (p - q)).sum(-1).mean()) for q in logs] for p in logs])


def blocked_accuracy(module: Any) -> float:
    """Return the accuracy when, in every layer, the last token may not attend to the positions that hold a name.

    What other tokens hand on still arrives: a network that loses its accuracy was direct in fact, not only by right.
    """
    return _accuracy(_log_probabilities(module, blocked=True))


def _evaluated() -> Examples:
    return task(n=200, seed=0).examples()


def _score(module: Any) -> tuple[float, float]:
    found, target = _log_probabilities(module), _targets(_evaluated(), DEFAULT).double()
    return _accuracy(found), float(_excess(found, target))


def _excess(log_probabilities: Any, target: Any) -> Any:  # the mean KL of ``target`` from the network's distribution
    return (_library("torch").special.xlogy(target, target) - target * log_probabilities).sum(-1).mean()


def _accuracy(log_probabilities: Any) -> float:
    answers = [_ids(answer)[0] for answer in _evaluated().answers]
    return float((log_probabilities.argmax(-1).numpy() == answers).mean())


def _log_probabilities(module: Any, *, blocked: bool = False) -> Any:
    with _library("torch").inference_mode(), _one_thread():
        return _logits(module, _evaluated().clean, blocked=blocked).double().log_softmax(-1)


def _logits(module: Any, texts: Any, *, blocked: bool = False) -> Any:
    """Return the logits (n, vocabulary) after each prompt's last token."""
    torch = _library("torch")
    rows = [torch.tensor(_ids(text)) for text in texts]
    last = torch.tensor([len(row) - 1 for row in rows])
    # On the right, where causal attention never looks from a prompt's last token.
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=VOCABULARY["[PAD]"])
    mask = {"attention_mask": _without_names(module, ids, last)} if blocked else {}
    hidden = module.model(input_ids=ids, use_cache=False, **mask).last_hidden_state
    return module.lm_head(hidden[torch.arange(len(last)), last])


def _without_names(module: Any, ids: Any, last: Any) -> Any:
    """Return the network's own additive mask (n, 1, positions, positions), but without names for the last token."""
    torch = _library("torch")
    position = torch.arange(ids.shape[1])
    back = position[:, None] - position
    seen = (back >= 0) & (back < (module.config.sliding_window or ids.shape[1]))
    asks, named = position == last[:, None], torch.isin(ids, torch.tensor(_NAME_IDS))
    seen = seen & ~(asks[:, :, None] & named[:, None, :])
    return torch.where(seen, 0.0, torch.finfo(torch.float32).min)[:, None]
