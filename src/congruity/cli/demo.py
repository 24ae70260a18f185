"""The main job on the default models: two language models against each other, and beside them what is known.

Every fingerprint and distance table is cached by the digests of what it was made from, so a second run only reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from congruity import distances
from congruity._base import files
from congruity._base.clock import matmul_rate, peak_rss_mb
from congruity._base.digest import digest
from congruity._base.progress import Progress, silent
from congruity._base.versions import versions
from congruity.cached import Runner, titled
from congruity.comparison.compare import compare_fingerprints
from congruity.comparison.reference import rank_among
from congruity.errors import InputError, NotApplicableError
from congruity.inference import EstimateSettings
from congruity.interventions import Resample
from congruity.protocols import Distance
from congruity.sampling.weight_copies import kl_of_rows
from congruity.tasks import ioi
from congruity.values import Behaviour, Comparison, Congruity, Fingerprint, Gates

A, B = "smollm2-135m", "gemma-3-270m"
_FIRST_NOISE = 0.01
_GATE_PROMPTS = 48


@dataclass(frozen=True)
class DemoResult:
    """What the demo found: the comparisons, accuracy by model, where the time went, and the noise that was used."""

    comparisons: tuple[Comparison, ...]
    accuracy: dict[str, float]
    seconds: dict[str, float]
    floor_seconds: float
    peak_rss_mb: float
    noise_behaviour: Behaviour
    refused: dict[str, int]

    def to_dict(self, report: Path) -> dict[str, Any]:
        """Return the object that ``congruity demo --json`` prints."""
        keys = ("score", "p_within", "separability", "p_value", "verdict", "reason")
        rows = []
        for comparison in self.comparisons:
            full = comparison.result.to_dict()
            rows.append(
                {
                    "a": comparison.a.model.name,
                    "b": comparison.b.model.name,
                    "role": comparison.role,
                    "note": comparison.note,
                }
                | {key: full[key] for key in keys}
                | {key: full[key] for key in ("interval", "score_min", "rho", "n", "scope", "warnings")}
                | {"mean_kl": [comparison.a.mean_kl, comparison.b.mean_kl]}
            )
        return {
            "comparisons": rows,
            "accuracy": self.accuracy,
            "refused": self.refused,
            "seconds": {key: round(value, 2) for key, value in self.seconds.items()},
            "floor_seconds": round(self.floor_seconds, 2),
            "peak_rss_mb": round(self.peak_rss_mb, 1),
            "report": str(report),
        }


def run_demo(
    *,
    n_prompts: int = 200,
    n: int = 20,
    seed: int = 0,
    use_cache: bool = True,
    distance: Distance | None = None,
    progress: Progress = silent,
) -> DemoResult:
    """Compare SmolLM2-135M with Gemma-3-270M on indirect object identification, with three controls.

    The controls are SmolLM2 against itself (disjoint halves of its implementations), against a copy with weight noise
    inside the behaviour gates, and against a copy with random weights.

    Raises:
        MissingExtraError: a model is not installed; the message is the command that installs it.
    """
    if n < 4:
        raise InputError(f"demo: n = {n} implementations cannot be halved for the control; ask for at least 4")
    runner = Runner(ioi(n=n_prompts, seed=seed), seed, use_cache, progress)
    measure = distances.chosen(distance)
    a = runner.fingerprint(A, n=n)
    noise, noise_behaviour = _noise_inside_gates(runner)
    noisy = runner.fingerprint(f"{A}+noise={noise:g}", n=n)  # before B: its model is still loaded
    others = [runner.fingerprint(B, n=n), noisy, runner.fingerprint(f"{A}+random", n=n)]
    half = np.arange(a.n) < a.n // 2
    pairs = [
        (a, others[0], "main", "two language models"),
        (a.take(np.flatnonzero(half), f"{A} (1st half)"), a.take(np.flatnonzero(~half), f"{A} (2nd half)"), "control",
         "the same network, disjoint halves of its implementations"),
        (a, others[1], "control", f"a copy with weight noise, KL {noise_behaviour.kl:.4f} nats to the original"),
        (a, others[2], "control", "a copy with random weights"),
    ]  # fmt: skip
    comparisons = tuple(
        Comparison(left, right, _judged(runner, left, right, measure), "main" if role == "main" else "control", note)
        for left, right, role, note in pairs
    )
    rate = matmul_rate() if runner.clock.flops else 1.0
    return DemoResult(
        comparisons=comparisons,
        accuracy={side.model.name: side.accuracy for side in (a, *others)},
        seconds=runner.clock.seconds,
        floor_seconds=runner.clock.flops / rate,
        peak_rss_mb=peak_rss_mb(),
        noise_behaviour=noise_behaviour,
        refused={side.model.name: side.n_refused for side in (a, *others)},
    )


def conclusions(result: DemoResult) -> list[str]:
    """Say in plain words what may and may not be concluded from the demo."""
    main, same, noisy, random = (comparison.result for comparison in result.comparisons)
    known = all(comparison.result.rho is not None for comparison in result.comparisons)
    placed = rank_among(main, equivalent=[same, noisy], different=[random]) if known else None
    lines = [
        f"One trained network a side: every statement is about these two networks, on these {main_queries(result)} "
        "prompts, read at the last token, and not about their families or training procedures.",
        f"{main.names[0]} against {main.names[1]}: C = {main.score:.2f} {_interval(main.interval)}; rho = "
        f"{_number(main.rho)} (distance between the unedited models over the radius of their own implementations).",
        f"The ends of the scale here: against itself C = {same.score:.2f}; a behaviour-preserving noisy copy "
        f"C = {noisy.score:.2f}, rho = {_number(noisy.rho)}; random weights "
        f"C = {random.score:.2f}, rho = {_number(random.rho)}.",
    ]
    if placed is not None:
        lines.append(
            f"Among comparisons whose answer is known: {placed.sentence} Three are a start and no calibration."
        )
    if noisy.score < 0.5:
        lines.append(
            "The noisy copy has the same weights but for noise that keeps the behaviour, yet its C is low: for single "
            "networks C measures whether two clouds can be told apart, so a low C is no evidence of a different "
            "mechanism. rho does not saturate: read that."
        )
    lines.append(
        "Not shown by this run: that a low value means another algorithm. No pair of language models with the same "
        "behaviour and a known different mechanism is among the controls."
    )
    return lines


def main_queries(result: DemoResult) -> int:
    """Number of prompts behind the main comparison."""
    return len(result.comparisons[0].a.queries.ids)


def _interval(found: tuple[float, float] | None) -> str:
    return "without an interval" if found is None else f"with 95 % interval {found[0]:.2f} to {found[1]:.2f}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _judged(runner: Runner, a: Fingerprint, b: Fingerprint, measure: Distance) -> Congruity:
    """Return the verdict on a pair, from the cached distance tables or new ones."""
    progress = titled(runner.progress, f"{a.model.name} / {b.model.name}")
    with runner.clock("estimate"):
        return compare_fingerprints(
            a, b, measure, EstimateSettings(seed=runner.seed), progress=progress, make=runner.table
        )


def _noise_inside_gates(runner: Runner) -> tuple[float, Behaviour]:
    """Return the largest weight noise of 1 %, 0.5 %, ... that keeps the behaviour gates, and what it does."""
    key = digest(
        "noise",
        runner.source_digest(A),
        runner.task.examples().digest,
        _FIRST_NOISE,
        _GATE_PROMPTS,
        Gates(),
        versions(),
    )

    def make() -> dict[str, float]:
        return _measure_noise(runner)

    def read(path: Path) -> dict[str, float]:
        return dict(files.read_json(path))

    def write(found: dict[str, float], path: Path) -> Path:
        return files.write_json(found, path)

    found = runner.cached("controls", key, make, read, write, suffix=".json")
    kept = {k: found[k] for k in ("accuracy", "logit_difference", "kl")}
    return found["noise"], Behaviour(**kept, n=int(found["n"]))


def _measure_noise(runner: Runner) -> dict[str, float]:
    original, difference = _clean_run(runner, A)
    unedited = Behaviour(float((difference > 0).mean()), float(difference.mean()), 0.0, len(difference))
    noise = _FIRST_NOISE
    while noise > 1e-4:
        log_probs, edited = _clean_run(runner, f"{A}+noise={noise:g}")
        kl = float(kl_of_rows(original, log_probs).mean())
        found = Behaviour(float((edited > 0).mean()), float(edited.mean()), kl, len(edited))
        if not Gates().refusal(found, unedited):
            return {
                "noise": noise,
                "accuracy": found.accuracy,
                "logit_difference": found.logit_difference,
                "kl": kl,
                "n": found.n,
            }
        noise /= 2
    raise NotApplicableError(f"{A}: even weight noise of {noise:g} breaks the behaviour gates")


def _clean_run(runner: Runner, name: str) -> tuple[Any, Any]:
    model = runner.load(name)
    with runner.clock("noise gate"):
        examples = runner.task.examples(model.single_token)
        few = examples.select(np.arange(min(_GATE_PROMPTS, len(examples))))
        bound = model.bind(few, Resample())
        difference = next(bound.run([None])).logit_difference
        log_probs = bound.log_probs().double().numpy()
    runner.clock.flops += bound.flops
    return log_probs, difference
