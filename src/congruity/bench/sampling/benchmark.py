"""Benchmark of circuits and implementations: patching against a plain loop, strength, copies, a positive control.

Fingerprints and tables are kept in the cache, so that a stopped run can continue. Timed work is never read from it.
"""

from __future__ import annotations

import gc
import time
from typing import Any

from congruity._base.clock import Clock, matmul_rate, peak_rss_mb
from congruity._base.progress import Progress
from congruity.bench.sampling import control, patching, strength
from congruity.cached import Runner
from congruity.known.networks import matched_behaviour as twins
from congruity.models.load import load_model
from congruity.pipeline import fingerprint
from congruity.protocols import Model, Task
from congruity.sampling.prepare import loaded
from congruity.tasks import ioi
from congruity.values import Budget

FIRST, SECOND = "smollm2-135m", "gemma-3-270m"


def run(seed: int, small: bool, progress: Progress) -> dict[str, Any]:
    """Return the numbers of the benchmark; ``small`` uses two tiny networks, whose numbers mean nothing."""
    if small:
        return _small(seed, progress)
    task = ioi(n=200, seed=seed)
    whole = _fingerprint(loaded(FIRST), task, n=20, seed=seed, progress=progress)  # first: the peak is its own
    speeds = {}
    for name in (FIRST, SECOND):
        gc.collect()
        model = loaded(name)
        examples = task.examples(model.single_token)
        loop = patching.plain_loop(name, model, examples)
        speeds[name] = patching.measure(name, model, examples, loop, seed=seed, progress=progress)
        del model, loop
    runner = Runner(task, seed, progress=progress)
    rows = strength.self_congruity(runner, FIRST, n=20)
    rows += strength.self_congruity(runner, SECOND, n=20)
    copies = strength.copies(runner, FIRST, SECOND, n=20, few=10)
    return _summary(speeds, whole) | {
        "self_congruity": rows,
        "copies": copies,
        "control": control.measured(seed, False, progress),
    }


def _small(seed: int, progress: Progress) -> dict[str, Any]:
    task, speeds = twins.task(n=24, seed=seed), {}
    for network in twins.matched_networks(1, steps=12):
        model = load_model(network.module, tokenizer=twins.tokenizer(), device="cpu")
        examples = task.examples()
        whole = _fingerprint(model, task, n=2, seed=seed, progress=progress, budget=Budget(kl=1e-4, by="scale"))
        loop = patching.PlainLoop(network.module, model, examples)
        speeds[network.name] = patching.measure(network.name, model, examples, loop, seed=seed, progress=progress)
    return _summary(speeds, whole) | {"self_congruity": [], "control": control.measured(seed, True, progress)}


def _summary(speeds: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """Return the public keys: the worst number over models, and every model's numbers under ``by_model``."""
    every = list(speeds.values())
    screened = [row for row in every if "top" in row][-1]
    return {
        "attribution_speedup": min(row["attribution_speedup"] for row in every),
        "patching_speedup": min(row["patching_speedup"] for row in every),
        "spearman": {row["model"]: row["spearman"] for row in every},
        "hybrid_overlap": screened["hybrid_overlap"],
        "hybrid_cost_ratio": screened["hybrid_cost_ratio"],
        "floor_ratio": whole["floor_ratio"],
        "fingerprint": whole,
        "by_model": speeds,
    }


def _fingerprint(
    model: Model, task: Task, *, n: int, seed: int, progress: Progress, budget: Budget | None = None
) -> dict[str, Any]:
    """Return the seconds of a fingerprint, and those of its matrix products alone at this machine's rate."""
    clock, rate = Clock(), matmul_rate()
    start = time.perf_counter()
    made = fingerprint(task, model, n=n, seed=seed, require_task=False, budget=budget, progress=progress, clock=clock)
    seconds = time.perf_counter() - start
    rate = max(rate, matmul_rate())
    return {
        "model": made.model.name,
        "implementations": made.n,
        "refused": made.n_refused,
        "mean_kl": made.mean_kl,
        "seconds": seconds,
        "by_stage": {stage: round(value, 2) for stage, value in clock.seconds.items()},
        "tflop": clock.flops / 1e12,
        "matmul_gflops": rate / 1e9,
        "floor_seconds": clock.flops / rate,
        "floor_ratio": seconds / (clock.flops / rate),
        "peak_rss_mb": round(peak_rss_mb(), 1),
    }
