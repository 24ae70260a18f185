"""Attribution against exact activation patching, on heads drawn at random: does the cheap ranking agree?

    python benchmarks/attribution.py

Fixed before any result was seen: 20 heads a model, drawn uniformly by the stream (0, "attribution benchmark"); the 100
ranking prompts of `ioi(n=200)`; effect of patching one head alone = mean change of the logit difference; Spearman's
rank correlation of signed effects with a 95 % percentile interval over 9,999 resamples of heads.
"""

from __future__ import annotations

import time
from typing import Any

import machine
import numpy as np
from scipy.stats import bootstrap, spearmanr

import congruity as cg
from congruity._random import stream
from congruity.circuit import split
from congruity.finders import Attribution
from congruity.interventions import Resample
from congruity.values import Edit

HEADS = 20


def measure(name: str) -> dict[str, Any]:
    """Return correlation, interval and times for one model."""
    model = cg.load_model(name)
    examples = cg.tasks.ioi(n=200).examples(model.single_token)
    bound = model.bind(examples, Resample())
    rows = split(examples.ids, 0).rank
    clean = next(bound.run([None], rows=rows)).logit_difference
    start = time.perf_counter()
    scores = Attribution().scores(model, bound, rows)
    attribution_seconds = time.perf_counter() - start
    heads = [i for i, site in enumerate(model.sites) if site.kind == "head"]
    chosen = np.sort(stream(0, "attribution benchmark").choice(heads, HEADS, replace=False))
    start = time.perf_counter()
    edits = [Edit((model.sites[i],), "resample") for i in chosen]
    exact = np.array([(out.logit_difference - clean).mean() for out in bound.run(edits, rows=rows)])
    patching_seconds = time.perf_counter() - start
    approximate = scores.values[chosen]

    def correlation(a: Any, b: Any) -> float:
        return float(spearmanr(a, b).statistic)

    interval = bootstrap(
        (exact, approximate), correlation, paired=True, vectorized=False, n_resamples=9999, method="percentile",
        rng=stream(0, "attribution bootstrap"),
    ).confidence_interval  # fmt: skip
    everything = patching_seconds * len(model.sites) / HEADS
    pairs = {
        str(model.sites[i]): [round(float(effect), 5), round(float(scores.values[i]), 5)]
        for i, effect in zip(chosen, exact, strict=True)
    }
    return {
        "model": name,
        "spearman": round(correlation(exact, approximate), 3),
        "low": round(float(interval.low), 3),
        "high": round(float(interval.high), 3),
        "heads_exact_and_attribution": pairs,
        "attribution_seconds": round(attribution_seconds, 2),
        "patching_seconds_20_heads": round(patching_seconds, 2),
        "speedup_over_patching_all_sites": round(everything / attribution_seconds, 1),
    }


if __name__ == "__main__":
    results = [measure(name) for name in ("smollm2-135m", "gemma-3-270m")]
    print(machine.write("attribution", "python benchmarks/attribution.py", {"results": results}))
