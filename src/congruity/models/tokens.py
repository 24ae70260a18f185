"""Prompt pairs as token ids: tokenised, checked, and grouped by length and shared prefix."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from congruity.errors import TaskError
from congruity.models.bridge import bos_id
from congruity.models.group import Group
from congruity.values import Examples


class PromptTokens:
    """The tokenizer of one language model, as it turns prompt pairs into groups of equal length.

    Args:
        tokenizer: a Hugging Face tokenizer.
        name: of the model, for messages.
        vocabulary: number of tokens whose logits the model gives.
        device: where tensors go.
    """

    def __init__(self, tokenizer: Any, *, name: str, vocabulary: int, device: torch.device) -> None:
        self._tokenizer, self._name, self._vocabulary, self._device = tokenizer, name, vocabulary, device
        self._bos = bos_id(tokenizer)

    @property
    def bos(self) -> bool:
        """Whether the tokenizer itself puts a beginning-of-sequence token in front of text."""
        return self._bos is not None

    def single_token(self, word: str) -> bool:
        """Whether ``word`` (with its leading space) continues a prompt as exactly one token."""
        before, after = self._ids("So the"), self._ids(f"So the{word}")
        return after[:-1] == before and after[-1] != self._tokenizer.unk_token_id

    def number(self, word: str) -> int:
        """Return the id of a word that continues a prompt as one token.

        Raises:
            TaskError: it is several tokens, or unknown.
        """
        if not self.single_token(word):
            raise TaskError(f"{word!r} is not one token after a prompt in the tokenizer of {self._name}")
        return self._ids(f"So the{word}")[-1]

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def of(self, text: str) -> list[int]:
        """Token ids as the model gets them: with BOS if that is the tokenizer's own convention."""
        return ([] if self._bos is None else [self._bos]) + self._ids(text)

    def groups(self, examples: Examples, *, pad: bool, share: float) -> tuple[Group, ...]:
        """Return prompt pairs in groups of equal length and equal shared prefix.

        Args:
            examples: prompt pairs.
            pad: put all prompts in one left-padded group instead.
            share: prefixes are shared if every prompt has fewer tokens than this.

        Raises:
            TaskError: arrays; a pair of unequal token length or without a difference; an answer or foil of several
                tokens, or both the same.
        """
        if isinstance(examples.clean, np.ndarray) or isinstance(examples.counterfactual, np.ndarray):
            raise TaskError(f"{self._name}: a language model needs text prompts, not arrays")
        clean = [self.of(text) for text in examples.clean]
        other = [self.of(text) for text in examples.counterfactual]
        first = [self._first_difference(examples, i, clean[i], other[i]) for i in range(len(examples))]
        answers = self._answer_ids(examples, examples.answers, "answer", clean)
        foils = self._answer_ids(examples, examples.foils, "foil", clean)
        same = np.flatnonzero(answers == foils)
        if len(same):
            raise TaskError(f"{examples.ids[same[0]]}: answer and foil are one token, so the metric would be 0 always")
        if pad:
            return (self._padded(clean, other, answers, foils, first),)
        shared = max(len(ids) for ids in clean) < share
        keys = [(len(ids), d if shared else 0) for ids, d in zip(clean, first, strict=True)]
        groups = []
        for key in sorted(set(keys)):
            rows = np.array([i for i, k in enumerate(keys) if k == key])
            groups.append(
                Group(
                    rows,
                    self._tensor([clean[i] for i in rows]),
                    self._tensor([other[i] for i in rows]),
                    self._tensor(answers[rows]),
                    self._tensor(foils[rows]),
                    prefix=key[1],
                    first=self._tensor([first[i] for i in rows]),
                )
            )
        return tuple(groups)

    def _first_difference(self, examples: Examples, i: int, clean: list[int], other: list[int]) -> int:
        if len(clean) != len(other):
            raise TaskError(
                f"{examples.ids[i]}: clean has {len(clean)} tokens and corrupted {len(other)} in the tokenizer of "
                f"{self._name}; activations are exchanged position by position, so both must be equally long: "
                f"{examples.clean[i]!r} / {examples.counterfactual[i]!r}"
            )
        for position, (a, b) in enumerate(zip(clean, other, strict=True)):
            if a != b:
                return position
        raise TaskError(f"{examples.ids[i]}: clean and counterfactual are the same {len(clean)} tokens")

    def _answer_ids(
        self, examples: Examples, words: tuple[str, ...] | NDArray[Any], what: str, clean: list[list[int]]
    ) -> NDArray[np.int64]:
        if isinstance(words, np.ndarray):
            if words.min() < 0 or words.max() >= self._vocabulary:
                raise TaskError(f"{what} token ids reach {words.max()}, but {self._name} has {self._vocabulary} tokens")
            return words.astype(np.int64)
        ids = []
        for i, word in enumerate(words):
            whole = self.of(f"{examples.clean[i]}{word}")
            if len(whole) != len(clean[i]) + 1 or whole[:-1] != clean[i]:
                count = len(whole) - len(clean[i])
                raise TaskError(
                    f"{examples.ids[i]}: {what} {word!r} is {count} tokens after its prompt in the tokenizer of "
                    f"{self._name}; it must be one"
                )
            if whole[-1] == self._tokenizer.unk_token_id:
                raise TaskError(f"{examples.ids[i]}: {what} {word!r} is unknown to the tokenizer of {self._name}")
            ids.append(whole[-1])
        return np.array(ids)

    def _padded(
        self,
        clean: list[list[int]],
        other: list[list[int]],
        answers: NDArray[np.int64],
        foils: NDArray[np.int64],
        first: list[int],
    ) -> Group:
        width = max(len(ids) for ids in clean)
        filler = self._tokenizer.pad_token_id or 0

        def left(ids: list[int]) -> list[int]:
            return [filler] * (width - len(ids)) + ids

        real = torch.tensor([[p >= width - len(ids) for p in range(width)] for ids in clean], device=self._device)
        return Group(
            np.arange(len(clean)),
            self._tensor([left(ids) for ids in clean]),
            self._tensor([left(ids) for ids in other]),
            self._tensor(answers),
            self._tensor(foils),
            padding=real,
            first=self._tensor([width - len(ids) + start for ids, start in zip(clean, first, strict=True)]),
        )

    def _tensor(self, values: Any) -> Tensor:
        return torch.as_tensor(np.asarray(values), device=self._device)
