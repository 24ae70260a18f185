"""Pairs a second of `Ridge` and `Spectral` by array library and device."""

from __future__ import annotations

import importlib
import time
from typing import Any

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.engine import one_blas_thread
from congruity._base.gram import standard_gram
from congruity._base.progress import Progress
from congruity._base.streams import stream
from congruity.comparison import arrays as measure
from congruity.distances import Ridge, Spectral
from congruity.protocols import Distance


def compared(seed: int, small: bool, progress: Progress) -> dict[str, Any]:
    """Return ordered pairs a second of `Ridge` and pairs of `Spectral`, Gram matrices given, in NumPy and PyTorch.

    One thread of the CPU in both, and the first GPU if there is one; then also at 1,000 samples. Eleven matrices are so
    few that `Spectral` stays in this process.
    """
    try:
        torch: Any = importlib.import_module("torch")
    except ImportError:
        torch = None
    gpu = torch is not None and torch.cuda.is_available()
    places = ["numpy, cpu"] + (["torch, cpu"] if torch else []) + (["torch, cuda"] if gpu else [])
    sizes = (20,) if small else (200, 1000) if gpu else (200,)
    rows = []
    for samples in sizes:
        grams = _grams(seed, 4 if small else 11, samples)
        for place in places:
            progress(f"devices, {samples} samples", places.index(place), len(places))
            given = grams if torch is None or place.startswith("numpy") else torch.from_numpy(grams).to(place[7:])
            rows += [_row(distance, given, place, samples) for distance in (Ridge(), Spectral())]
        progress(f"devices, {samples} samples", len(places), len(places))
    return {"by_device": rows}


def _row(distance: Distance, grams: Any, place: str, samples: int) -> dict[str, Any]:
    n = len(grams)
    with one_blas_thread():
        measure.pairwise(grams[:2], distance, gram=True)  # libraries load and kernels compile
        start = time.perf_counter()
        table = measure.pairwise(grams, distance, gram=True)
        seconds = time.perf_counter() - start
    pairs = n * (n - 1) // (2 if distance.traits.symmetric else 1)
    return {
        "distance": distance.name,
        "place": place,
        "samples": samples,
        "pairs": pairs,
        "pairs_per_second": pairs / seconds,
        "unfinished": table.parameters.get("unfinished", 0),
    }


def _grams(seed: int, count: int, samples: int) -> Floats:
    scales = np.arange(1, 2 * samples + 1) ** -0.7
    shared = stream(seed, "bench devices").standard_normal((samples, len(scales)))
    reprs = [shared + stream(seed, "bench devices", k).standard_normal(shared.shape) for k in range(count)]
    return np.stack([standard_gram((h * scales) @ (h * scales).T) for h in reprs])
