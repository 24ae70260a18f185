"""Indirect object identification: which of two people receives the thing?

    Then, Mary and John went to the store. John gave a drink to -> Mary

The counterfactual changes only the second mention of the subject (S2), so both prompts share everything before it.

Source: Wang et al. 2022, "Interpretability in the Wild", arXiv 2211.00593 (templates and names are our own choice).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from congruity._base.streams import stream
from congruity.errors import InputError, TaskError
from congruity.values import Examples

# {first}, {second}: the two people in the order of mention; {s2}: who acts. All end right before the recipient.
# Four first drafts (two began with a name) were replaced because SmolLM2-135M solved 60-95 % of them on seed 99, which
# no benchmark uses: the task must be one that the models compared can do.
TEMPLATES: tuple[str, ...] = (
    "Then, {first} and {second} went to the {place}. {s2} gave a {thing} to",
    "When {first} and {second} went to the {place}, {s2} gave a {thing} to",
    "After {first} and {second} met at the {place}, {s2} handed a {thing} to",
    "While {first} and {second} were working at the {place}, {s2} gave a {thing} to",
    "Then, {first} and {second} had a long argument at the {place}. {s2} sent a {thing} to",
    "One day {first} and {second} were at the {place}. {s2} passed a {thing} to",
    "When {first} and {second} got a {thing} at the {place}, {s2} decided to give it to",
    "In the evening {first} and {second} went to the {place}, and {s2} handed a {thing} to",
    "Last night {first} and {second} stayed at the {place}. {s2} gave a {thing} to",
    "The {place} was quiet when {first} and {second} arrived. {s2} offered a {thing} to",
    "As {first} and {second} were leaving the {place}, {s2} gave the {thing} to",
    "Because {first} and {second} were late for the {place}, {s2} threw the {thing} to",
    "Last week {first} and {second} got a {thing} at the {place}. {s2} decided to give it to",
    "In the morning {first} and {second} walked to the {place}, where {s2} gave a {thing} to",
    "Everyone at the {place} knew {first} and {second}. Today {s2} brought a {thing} to",
    "As soon as {first} and {second} reached the {place}, {s2} lent a {thing} to",
)
NAMES: tuple[str, ...] = tuple(
    (
        "Mary John Tom James Dan Martin Amy Alice Paul Mark Anna Sarah Emma Lisa Laura Kate Jane Rose Rachel Lucy "
        "Kelly Susan Robert Michael David Richard Thomas Charles Daniel Matthew Anthony Andrew George Kevin Brian "
        "Edward Jason Ryan Jacob Eric Adam Peter Henry Simon Jack Alex Ben Sam Max Victoria Maria Elizabeth "
        "Jennifer Jessica Michelle Patrick Scott Frank William Arthur"
    ).split()
)
PLACES: tuple[str, ...] = tuple(
    "store garden restaurant school hospital office house station park library museum market".split()
)
THINGS: tuple[str, ...] = tuple("drink ring book gift letter basketball computer key bone snack ticket phone".split())


@dataclass(frozen=True)
class IOI:
    """``n`` indirect-object prompts, half in ABBA order and half in BABA, templates in turn.

    Args:
        n: number of prompts.
        seed: of the words drawn.
        counterfactual: "swap" writes the indirect object at S2 (the answer flips); "three-names" writes a third
            person there (no answer is right any more).

    >>> examples = IOI(n=8).examples()
    >>> len(examples), examples.clean[0].endswith("to"), examples.answers[0].startswith(" ")
    (8, True, True)
    """

    name: ClassVar[str] = "ioi"
    n: int = 200
    seed: int = 0
    counterfactual: Literal["swap", "three-names"] = "swap"

    def __post_init__(self) -> None:
        if self.n < 8:
            raise InputError(f"ioi: n = {self.n} prompts are too few to rank, choose and check a circuit; use n >= 8")
        if self.counterfactual not in ("swap", "three-names"):
            raise InputError(f"ioi: counterfactual is {self.counterfactual!r}; use 'swap' or 'three-names'")

    def examples(self, single_token: Callable[[str], bool] | None = None) -> Examples:
        """Return the examples, drawn only from words for which ``single_token(" word")`` holds (all, if None).

        Raises:
            TaskError: fewer than three names or no place or thing is one token.
        """
        names, places, things = (self._usable(pool, single_token) for pool in (NAMES, PLACES, THINGS))
        rng = stream(self.seed, "ioi", self.counterfactual)
        rows = [self._row(i, rng, names, places, things) for i in range(self.n)]
        clean, other, answers, foils = (tuple(column) for column in zip(*rows, strict=True))
        return Examples("ioi", clean, other, answers, foils, tuple(f"ioi-{i:04d}" for i in range(self.n)))

    @staticmethod
    def _usable(pool: tuple[str, ...], single_token: Callable[[str], bool] | None) -> tuple[str, ...]:
        kept = pool if single_token is None else tuple(word for word in pool if single_token(f" {word}"))
        if len(kept) < 3:
            raise TaskError(
                f"ioi: only {len(kept)} of the words {', '.join(pool[:4])}, ... are one token in every tokenizer "
                "compared, at least 3 are needed; compare models with closer tokenizers or bring your own prompts "
                "with tasks.from_file"
            )
        return kept

    def _row(
        self, i: int, rng: np.random.Generator, names: tuple[str, ...], places: tuple[str, ...], things: tuple[str, ...]
    ) -> tuple[str, str, str, str]:
        # Template and order run through all combinations, so that every n is as balanced as it can be.
        template = TEMPLATES[(i // 2) % len(TEMPLATES)]
        io, subject, third = (names[j] for j in rng.choice(len(names), size=3, replace=False))
        first, second = (io, subject) if i % 2 == 0 else (subject, io)
        place, thing = places[rng.integers(len(places))], things[rng.integers(len(things))]
        fill = {"first": first, "second": second, "place": place, "thing": thing}
        changed = io if self.counterfactual == "swap" else third
        return (
            template.format(**fill, s2=subject),
            template.format(**fill, s2=changed),
            f" {io}",
            f" {subject}",
        )
