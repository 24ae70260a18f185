"""Benchmark of the distances: seconds on one core against scikit-learn, and the widths of the certificates."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.engine import one_blas_thread
from congruity._base.optional import require
from congruity._base.progress import Progress
from congruity._base.streams import stream
from congruity.bench.distances import devices, peers
from congruity.comparison import arrays as measure
from congruity.distances import Ridge

_TOLERANCE = 1e-3


def run(seed: int, small: bool, progress: Progress) -> dict[str, Any]:
    """Return the numbers of the benchmark, on one core; ``small`` runs the same code on sizes that mean nothing."""
    with one_blas_thread():
        count, samples, features = (4, 60, 300) if small else (40, 1000, 9984)
        ridge = _ridge(seed, count, samples, features, progress)
        sizes = (30, 60) if small else (200, 1000)
        spectral = [_spectral(seed, m, 3 * m, progress) for m in sizes]
    with_others = peers.measure(seed, small, progress) | devices.compared(seed, small, progress)
    return (
        ridge
        | with_others
        | {
            "spectral_tolerance": _TOLERANCE,
            "spectral_seconds_200": spectral[0]["seconds"],
            "spectral_seconds_1000": spectral[1]["seconds"],
            "spectral_by_data": {str(m): s["by_data"] for m, s in zip(sizes, spectral, strict=True)},
            "spectral_worst_relative_gap": max(s["worst_gap"] for s in spectral),
            "device": "cpu, one thread",
        }
    )


# ---------------------------------------------------------------------------------------------------------- ridge


def _ridge(seed: int, count: int, samples: int, features: int, progress: Progress) -> dict[str, Any]:
    """Return seconds for all ordered pairs by `Ridge`, Gram matrices included, against a loop of RidgeCV over pairs."""
    making = 0.0

    def representations() -> Iterator[Floats]:
        nonlocal making
        for k in range(count):
            progress("ridge: Gram matrices", k, count)
            start = time.perf_counter()
            x = _implementation(seed, k, samples, features)
            making += time.perf_counter() - start
            yield x

    start = time.perf_counter()
    table = measure.pairwise(representations(), Ridge(), progress=progress)
    ours = time.perf_counter() - start - making
    pairs = [(0, 1), (1, 2), (count - 1, 0)]
    seconds, gaps = [], []
    for done, (i, j) in enumerate(pairs):
        progress("ridge: scikit-learn", done, len(pairs))
        x, y = (_implementation(seed, k, samples, features) for k in (i, j))
        start = time.perf_counter()
        theirs = _sklearn(x, y)
        seconds.append(time.perf_counter() - start)
        gaps.append(abs(theirs - table.values[i, j]))
    progress("ridge: scikit-learn", len(pairs), len(pairs))
    loop = float(np.mean(seconds)) * count * (count - 1)
    return {
        "ridge_pairs": count * (count - 1),
        "ridge_samples": samples,
        "ridge_features": features,
        "ridge_seconds": ours,
        "ridge_sklearn_seconds_a_pair": seconds,
        "ridge_sklearn_seconds_extrapolated": loop,
        "ridge_speedup": loop / ours,
        "ridge_max_abs_diff": float(max(gaps)),
    }


def _implementation(seed: int, k: int, samples: int, features: int) -> Floats:
    """Return a representation with a falling spectrum, as language models have, and a third of its variance shared."""
    shared = stream(seed, "bench shared", samples).standard_normal((samples, samples // 2))
    rng = stream(seed, "bench", k, samples)
    scales = np.arange(1, samples // 2 + 1) ** -0.5
    own = rng.standard_normal((samples, samples // 2))
    mixing = rng.standard_normal((samples // 2, features)) / np.sqrt(features)
    return np.asarray(((shared + np.sqrt(2.0) * own) * scales) @ mixing)


def _sklearn(x: Floats, y: Floats) -> float:
    """Return 1 - held-out R^2 (around the training mean) from features, with the penalty that RidgeCV chooses."""
    linear = require("sklearn.linear_model", "scikit-learn", "timing the alternative")
    ridge = Ridge()
    train, test = ridge.split(len(x))
    scale = float(np.square(x[train] - x[train].mean(axis=0)).sum()) / len(train)
    fit = linear.RidgeCV(alphas=[alpha * scale for alpha in ridge.alphas]).fit(x[train], y[train])
    error = np.square(fit.predict(x[test]) - y[test]).sum()
    return float(error / np.square(y[test] - y[train].mean(axis=0)).sum())


# ------------------------------------------------------------------------------------------------------- spectral


def _spectral(seed: int, samples: int, features: int, progress: Progress) -> dict[str, Any]:
    """Return seconds a direction of d_repr at the tolerance, on four kinds of data, and the widest bracket."""
    by_data, gaps = {}, []
    kinds = _kinds(seed, samples, features)
    for done, (name, x, y) in enumerate(kinds):
        progress(f"d_repr, {samples} samples", done, len(kinds))
        start = time.perf_counter()
        found = measure.d_repr(x, y, tol=_TOLERANCE)
        by_data[name] = (time.perf_counter() - start) / 2.0
        gaps += [(upper - lower) / upper for _, lower, upper in found.directions if upper > 0]
    progress(f"d_repr, {samples} samples", len(kinds), len(kinds))
    return {"seconds": max(by_data.values()), "by_data": by_data, "worst_gap": float(max(gaps))}


def _kinds(seed: int, samples: int, features: int) -> list[tuple[str, Floats, Floats]]:
    rng = stream(seed, "bench spectral", samples)
    x, y = rng.standard_normal((2, samples, features))
    falling = np.arange(1, features + 1) ** -0.7
    near = x * falling + 0.2 * y * falling
    steep = np.exp(-np.arange(features) / (samples / 10.0)) + 1e-4
    return [
        ("unrelated, even spectrum", x, y),
        ("unrelated, falling spectrum", x * falling, y[:, ::-1] * falling),
        ("similar, falling spectrum", x * falling, near),
        ("wide against narrow, steep spectrum", x * steep, (x * steep + 0.1 * y * steep)[:, : features // 10]),
    ]
