"""Self-tests that run before every fingerprint at small size, and alone as ``congruity doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from congruity.errors import ModelError, NotApplicableError
from congruity.protocols import Background, BoundModel, Intervention, Model
from congruity.values import Check, Edit, Examples, Outputs

_EFFECT = "an edit has an effect"
TOLERANCE = 1e-3  # relative to the largest value compared: float32 sums in another order differ by about 1e-5


@dataclass(frozen=True)
class _Itself:
    """Writes the clean activation: an edit that must change nothing."""

    name: ClassVar[str] = "itself"

    def replacement(self, clean: Any, counterfactual: Any, background: Background) -> Any:
        return clean


def run_checks(model: Model, examples: Examples, intervention: Intervention) -> tuple[Check, ...]:
    """Run all checks on a few of the examples; return them, passed or not.

    Binding already proves that both prompts of a pair are equally long and that answers are one token.
    """
    few = examples.select(probes(examples))
    bound = model.bind(few, intervention)
    nothing = Edit((), intervention.name)  # runs afresh, where None would give back what ran already
    everything = Edit(model.sites, intervention.name)
    clean = _one(bound, None)
    edited, unedited = bound.run([everything, nothing], read=True)  # stacked: one must not reach into the other
    again, _ = bound.run([everything, nothing], read=True)
    single = np.concatenate([_one(bound, nothing, rows=np.array([i])).logit_difference for i in range(len(few))])
    own = model.bind(few, _Itself())
    checks = [
        _check("adapter agrees with the plain forward pass", model.probe_error(), "logits of two probe sequences"),
        _check("a batch agrees with single prompts", _gap(single, clean.logit_difference), "logit differences"),
        _check(
            "padding changes nothing",
            _padding_gap(model, few, intervention, everything, clean, edited),
            "clean and edited",
        ),
        _check(
            "patching a site with itself changes nothing",
            _distance(_one(own, everything), clean),
            "logits and residuals",
        ),
        _check_effect(edited, clean),
        _check(
            "an edit leaves nothing behind",
            max(_distance(unedited, clean), _distance(_one(bound, nothing), clean)),
            "unedited, beside an edit and after",
        ),
        _check("the same run twice gives the same bits", _distance(again, edited), "edited run", 0.0),
    ]
    return tuple(checks)


def require(checks: tuple[Check, ...], model: str) -> None:
    """Raise `ModelError` with one sentence if a check failed; `NotApplicableError` if only nothing has an effect."""
    failed = [check for check in checks if not check.passed]
    if [check.name for check in failed] == [_EFFECT]:
        raise NotApplicableError(
            f"{model}: the metric is constant: replacing every site at once leaves the logit difference of answer and "
            "foil where it was, so there is no circuit to find; check the task's counterfactuals and answers"
        )
    if failed:
        first = failed[0]
        raise ModelError(
            f"{model}: self-test failed: {first.name} ({first.detail}): {first.value:.2e}, limit {first.limit:.0e}; "
            "numbers from this model on this machine would be wrong, run `congruity doctor` for the full list"
        )


def probes(examples: Examples) -> NDArray[np.intp]:
    """Return the rows that the checks run on, at most four.

    The shortest and the longest prompt, so that padding is exercised, and a middle one with the prompt most like it,
    which an adapter will put into one batch with it. Of arrays, which are one batch, three.
    """
    middle = len(examples) // 2
    if not isinstance(examples.clean, tuple):
        return np.unique([0, middle, len(examples) - 1]).astype(np.intp)
    words = [prompt.split() for prompt in examples.clean]
    alike = [
        -1 if row == middle or len(other) != len(words[middle]) else sum(map(str.__eq__, other, words[middle]))
        for row, other in enumerate(words)
    ]
    lengths = [len(prompt) for prompt in examples.clean]
    return np.unique([np.argmin(lengths), middle, np.argmax(alike), np.argmax(lengths)]).astype(np.intp)


def _one(bound: BoundModel, edit: Edit | None, rows: Any = None) -> Outputs:
    return next(iter(bound.run([edit], rows=rows, read=True)))


def _gap(a: Any, b: Any) -> float:
    return float(np.max(np.abs(a - b)) / max(1.0, float(np.max(np.abs(b)))))


def _distance(a: Outputs, b: Outputs) -> float:
    gaps = [_gap(a.logit_difference, b.logit_difference)]
    gaps += [_gap(x, y) for (_, x), (_, y) in zip(a.layers, b.layers, strict=True)]
    return max(gaps)


def _padding_gap(
    model: Model, few: Examples, intervention: Intervention, everything: Edit, clean: Outputs, edited: Outputs
) -> float:
    padded = model.bind(few, intervention, pad=True)
    return max(_distance(_one(padded, None), clean), _distance(_one(padded, everything), edited))


def _check(name: str, value: float, detail: str, limit: float = TOLERANCE) -> Check:
    return Check(name, bool(value <= limit), float(value), limit, detail)


def _check_effect(edited: Outputs, clean: Outputs) -> Check:
    """Replacing everything must change the output: value is the smallest allowed change over the change reached."""
    reached = _gap(edited.logit_difference, clean.logit_difference)
    floor = 1e-6
    return Check(_EFFECT, reached > floor, reached, floor, "all sites replaced; larger is expected")
