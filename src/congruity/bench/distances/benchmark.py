"""Distances: speed on one core against what people run today, and how good the certificates are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from congruity._base.arrays import Floats
from congruity._base.engine import each, one_blas_thread
from congruity._base.gram import standard_gram
from congruity._base.optional import require
from congruity._base.progress import Progress
from congruity._base.streams import stream
from congruity.bench.distances import devices, peers
from congruity.comparison import arrays as measure
from congruity.comparison.estimate import estimate
from congruity.distances import Ridge, Spectral, cascade

_TOLERANCE = 1e-3


def run(seed: int, small: bool, progress: Progress) -> dict[str, Any]:
    """Measure on one core; ``small`` is for tests: the same code in seconds, and numbers that mean nothing."""
    with one_blas_thread():
        count, samples, features = (4, 60, 300) if small else (40, 1000, 9984)
        ridge = _ridge(seed, count, samples, features, progress)
        sizes = (30, 60) if small else (200, 1000)
        spectral = [_spectral(seed, m, 3 * m, progress) for m in sizes]
        compared = _cascade(seed, *((4, 24) if small else (20, 200)), progress)
    with_others = peers.measure(seed, small, progress) | devices.compared(seed, small, progress)
    return (
        ridge
        | compared
        | with_others
        | {
            "spectral_tolerance": _TOLERANCE,
            "spectral_seconds_200": spectral[0]["seconds"],
            "spectral_seconds_1000": spectral[1]["seconds"],
            "spectral_by_data": {str(m): s["by_data"] for m, s in zip(sizes, spectral, strict=True)},
            "spectral_worst_relative_gap": max(s["worst_gap"] for s in spectral),
            "device": "cpu, one thread (cascade: one process a core)",
        }
    )


# ---------------------------------------------------------------------------------------------------------- ridge


def _ridge(seed: int, count: int, samples: int, features: int, progress: Progress) -> dict[str, Any]:
    """All ordered pairs by ridge, Gram matrices included, against a loop of scikit-learn's RidgeCV over pairs."""
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
    """A representation whose spectrum falls as those of language models do, sharing a third of its variance."""
    shared = stream(seed, "bench shared", samples).standard_normal((samples, samples // 2))
    rng = stream(seed, "bench", k, samples)
    scales = np.arange(1, samples // 2 + 1) ** -0.5
    own = rng.standard_normal((samples, samples // 2))
    mixing = rng.standard_normal((samples // 2, features)) / np.sqrt(features)
    return np.asarray(((shared + np.sqrt(2.0) * own) * scales) @ mixing)


def _sklearn(x: Floats, y: Floats) -> float:
    """One minus the held-out R^2 (around the training mean) from features, the penalty by RidgeCV's leave-one-out."""
    linear = require("sklearn.linear_model", "scikit-learn", "timing the alternative")
    ridge = Ridge()
    train, test = ridge.split(len(x))
    scale = float(np.square(x[train] - x[train].mean(axis=0)).sum()) / len(train)
    fit = linear.RidgeCV(alphas=[alpha * scale for alpha in ridge.alphas]).fit(x[train], y[train])
    error = np.square(fit.predict(x[test]) - y[test]).sum()
    return float(error / np.square(y[test] - y[train].mean(axis=0)).sum())


# ------------------------------------------------------------------------------------------------------- spectral


def _spectral(seed: int, samples: int, features: int, progress: Progress) -> dict[str, Any]:
    """Seconds a direction, both solved to the tolerance, on four kinds of data; and the widest bracket left."""
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


def _cascade(seed: int, n: int, samples: int, progress: Progress) -> dict[str, Any]:
    """Solves for all comparisons of two overlapping groups of ``n``, against solving every distance.

    Two related networks; their implementations are noisy copies, from weak to strong noise, so distances within a side
    and across overlap over their whole range. Both ways run in one process a core.
    """
    rng = stream(seed, "bench cascade", samples)
    scales = np.arange(1, 2 * samples + 1) ** -0.7
    first = rng.standard_normal((samples, len(scales))) * scales
    bases = [first, first + 0.3 * rng.standard_normal(first.shape) * scales]
    strengths = np.geomspace(0.02, 0.8, n)
    reprs = [base + strength * rng.standard_normal(first.shape) * scales for base in bases for strength in strengths]
    side, names = ["a"] * n + ["b"] * n, tuple(str(k) for k in range(2 * n))
    grams = np.stack([standard_gram(h @ h.T) for h in reprs])
    each(abs, range(200), where="processes")  # starts the workers, which both use
    start = time.perf_counter()
    quick = cascade.decide(grams, names, side, tol=_TOLERANCE, progress=progress)
    middle = time.perf_counter()
    full = Spectral(tol=_TOLERANCE).table(grams, names, progress=progress)
    end = time.perf_counter()
    return {
        "cascade_solve_ratio": full.parameters["solves"] / max(1, quick.parameters["solves"]),
        "cascade_iteration_ratio": full.parameters["iterations"] / max(1, quick.parameters["iterations"]),
        "cascade_seconds": middle - start,
        "cascade_seconds_solving_all": end - middle,
        "cascade_same_p": estimate(quick, side).p_within == estimate(full, side).p_within,
        "cascade_counts": quick.parameters,
    }


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
