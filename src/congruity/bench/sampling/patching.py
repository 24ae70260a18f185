"""Effects of all heads: a plain loop of forward passes against exact patching, attribution and `Hybrid`.

Fixed before any result was seen: all 200 prompts, heads only, resample ablation, effect = mean change of the logit
difference with one head replaced. The loop is timed on 5 heads drawn at random and extrapolated to all. Attribution is
compared with exact patching on 40 heads drawn at random, by Spearman's rank correlation with a 95 % percentile interval
over 9,999 resamples of heads. `Hybrid` must find the top 20 % of heads of exact patching.

Every method needs the unedited and the counterfactual run first. A speedup leaves these two runs out on both sides, and
``..._whole`` counts them on both. (Changed after a first look at one model: they were counted on our side only.)
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from congruity._base.arrays import Floats
from congruity._base.progress import Progress
from congruity._base.streams import stream
from congruity.finders import Hybrid
from congruity.interventions import Resample
from congruity.models.load import locate
from congruity.protocols import Model
from congruity.values import Examples, Site

_TIMED, _COMPARED, _KEEP = 5, 40, 0.2
_FEW_HEADS = 100  # of more heads only those drawn for the two comparisons are patched exactly


class PlainLoop:
    """Activation patching of one head a forward pass in a plain Hugging Face model, prompts of one length a batch.

    Args:
        plain: a Hugging Face model of the Llama family (``model.layers[i].self_attn.o_proj``).
        model: our adapter of the same model, which only tokenises here.
        examples: the prompts.
    """

    def __init__(self, plain: Any, model: Any, examples: Examples) -> None:
        self._torch: Any = importlib.import_module("torch")
        self._plain = plain.eval().requires_grad_(False)
        self._heads = model.card.n_heads
        tokens = [[model.tokens(text) for text in texts] for texts in (examples.clean, examples.counterfactual)]
        words = [
            [model.tokens(f"{text}{word}")[-1] for word in pair]
            for text, *pair in zip(examples.clean, examples.answers, examples.foils, strict=True)
        ]
        lengths = np.array([len(row) for row in tokens[0]])
        self._batches = [
            (rows, *(self._torch.tensor([column[i] for i in rows]) for column in (*tokens, words)))
            for rows in (np.flatnonzero(lengths == length) for length in np.unique(lengths))
        ]
        self._n = len(examples)
        self.setup_seconds = 0.0

    def effects(self, sites: Sequence[Site], done: Callable[[int], None]) -> tuple[Floats, list[float]]:
        """Return (sites, prompts): change of the logit difference with that head replaced, and the seconds of each.

        The unedited and the counterfactual run are made once; their time is ``setup_seconds``.
        """
        projections = {site.layer: self._plain.model.layers[site.layer].self_attn.o_proj for site in sites}
        other: dict[tuple[int, int], Any] = {}

        def keep(layer: int) -> Callable[[int, Any], None]:
            return lambda k, z: other.__setitem__((layer, k), z.clone())

        start = time.perf_counter()
        self._each({projection: keep(layer) for layer, projection in projections.items()}, counterfactual=True)
        clean, changes, seconds = self._each({}), [], []
        self.setup_seconds = time.perf_counter() - start
        for number, site in enumerate(sites):
            done(number)

            def write(k: int, z: Any, site: Site = site) -> Any:
                return self._written(z, other[site.layer, k], site)

            start = time.perf_counter()
            changes.append(self._each({projections[site.layer]: write}) - clean)
            seconds.append(time.perf_counter() - start)
        return np.array(changes), seconds

    def _written(self, z: Any, other: Any, site: Site) -> Any:
        z, width = z.clone(), z.shape[-1] // self._heads
        part = slice((site.index or 0) * width, ((site.index or 0) + 1) * width)
        z[..., part] = other[..., part]
        return z

    def _each(self, change: dict[Any, Callable[[int, Any], Any]], *, counterfactual: bool = False) -> Floats:
        """Return (prompts,) logit differences; ``change`` gives what goes into a module by batch, or None."""
        difference = np.empty(self._n)
        for k, (rows, clean, other, words) in enumerate(self._batches):
            handles = [
                module.register_forward_pre_hook(lambda _, inputs, new=new, k=k: new(k, inputs[0]))
                for module, new in change.items()
            ]
            try:
                with self._torch.inference_mode():
                    ids = other if counterfactual else clean
                    logits = self._plain(input_ids=ids, use_cache=False, logits_to_keep=1).logits[:, -1]
            finally:
                for handle in handles:
                    handle.remove()
            both = logits.gather(1, words)
            difference[rows] = (both[:, 0] - both[:, 1]).double().numpy()
        return difference


def plain_loop(name: str, model: Any, examples: Examples) -> PlainLoop:
    """Return the loop for a model that lies in a local folder once it is located."""
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    plain = transformers.AutoModelForCausalLM.from_pretrained(locate(name).folder, dtype=torch.float32)
    return PlainLoop(plain, model, examples)


class _Timed(NamedTuple):
    value: Any
    setup: float  # seconds of the unedited and the counterfactual run
    seconds: float  # of what comes after
    flops: float

    @property
    def whole(self) -> float:
        return self.setup + self.seconds


def measure(
    name: str, model: Model, examples: Examples, loop: PlainLoop, *, seed: int, progress: Progress
) -> dict[str, Any]:
    """Return speeds and agreements of the methods for one model; each method binds the model anew."""
    heads = [i for i, site in enumerate(model.sites) if site.kind == "head"]
    sites = [model.sites[i] for i in heads]
    chosen = np.sort(stream(seed, "bench loop", name).choice(len(heads), min(_TIMED, len(heads)), replace=False))
    effects, seconds = loop.effects(
        [sites[i] for i in chosen], lambda done: progress(f"{name}: plain loop", done, len(chosen))
    )
    a_head = float(np.mean(seconds))
    every = a_head * len(heads)
    progress(f"{name}: attribution", 0, 1)
    attribution = _timed(model, examples, lambda bound: bound.attributions()[:, heads].mean(axis=0))
    progress(f"{name}: exact patching", 0, 1)
    sample = np.sort(stream(seed, "bench spearman", name).choice(len(heads), min(_COMPARED, len(heads)), replace=False))
    patched = np.arange(len(heads)) if len(heads) <= _FEW_HEADS else np.union1d(sample, chosen)
    exact = _timed(model, examples, lambda bound: bound.effects([sites[i] for i in patched]))
    place = {int(head): k for k, head in enumerate(patched)}
    mean = exact.value.mean(axis=0)
    agreed = exact.value[:, [place[int(i)] for i in chosen]].T
    return {
        "model": name,
        "prompts": len(examples),
        "heads": len(heads),
        "loop_seconds_a_head": [round(s, 3) for s in seconds],
        "loop_setup_seconds": loop.setup_seconds,
        "loop_seconds_all": every,
        "loop_against_exact": float(np.abs(agreed - effects).max() / np.abs(effects).max()),
        "setup_seconds": attribution.setup,
        "attribution_seconds": attribution.seconds,
        "attribution_speedup": every / attribution.seconds,
        "attribution_speedup_whole": (loop.setup_seconds + every) / attribution.whole,
        "exact_heads": len(patched),
        "exact_seconds": exact.seconds,
        "exact_tflop": exact.flops / 1e12,
        "patching_speedup": a_head * len(patched) / exact.seconds,
        "patching_speedup_whole": (loop.setup_seconds + a_head * len(patched)) / exact.whole,
        "spearman": _spearman(mean[[place[int(i)] for i in sample]], attribution.value[sample], seed),
        **_hybrid(name, model, examples, heads, exact, attribution.value, progress),
    }


def _hybrid(
    name: str,
    model: Model,
    examples: Examples,
    heads: list[int],
    exact: _Timed,
    attribution: Floats,
    progress: Progress,
) -> dict[str, Any]:
    """Return overlap and cost of `Hybrid` against exact patching of all heads; nothing where not all were patched."""
    if exact.value.shape[1] < len(heads):
        return {}
    progress(f"{name}: hybrid", 0, 1)
    hybrid = _timed(model, examples, lambda bound: Hybrid().screened(model, bound))
    size, mean = round(_KEEP * len(heads)), exact.value.mean(axis=0)
    best, screened = (_top(values, size) for values in (mean, hybrid.value.scores.values[heads]))
    return {
        "hybrid_seconds": hybrid.whole,
        "hybrid_cost_ratio": hybrid.whole / (exact.setup + exact.seconds * len(model.sites) / len(heads)),
        "hybrid_share_patched": hybrid.value.cost,
        "hybrid_overlap": len(best & screened) / size,
        "attribution_overlap": len(best & _top(attribution, size)) / size,
        "top": size,
    }


def _timed(model: Model, examples: Examples, work: Callable[[Any], Any]) -> _Timed:
    start = time.perf_counter()
    bound = model.bind(examples, Resample())
    next(iter(bound.run([None])))  # the unedited and the counterfactual run
    setup, begun = time.perf_counter() - start, bound.flops
    value = work(bound)
    return _Timed(value, setup, time.perf_counter() - start - setup, bound.flops - begun)


def _top(values: Floats, size: int) -> set[int]:
    return set(np.argsort(-np.abs(values), kind="stable")[:size].tolist())


def _spearman(exact: Floats, approximate: Floats, seed: int) -> dict[str, float]:
    from scipy.stats import bootstrap, spearmanr

    def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float(spearmanr(a, b).statistic)

    interval = bootstrap(
        (exact, approximate), correlation, paired=True, vectorized=False, n_resamples=9999, method="percentile",
        rng=stream(seed, "bench spearman bootstrap"),
    ).confidence_interval  # fmt: skip
    return {
        "value": correlation(exact, approximate), "low": float(interval.low), "high": float(interval.high),
        "heads": len(exact),
    }  # fmt: skip
