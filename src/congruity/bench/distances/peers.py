"""Distances against other packages: largest difference of values and ratio of seconds, on one core."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from itertools import combinations
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from congruity._base.arrays import Floats
from congruity._base.progress import Progress
from congruity._base.streams import stream
from congruity.comparison import arrays as measures
from congruity.distances import CKA, RSA, CKADebiased, Procrustes
from congruity.protocols import Distance

_ENOUGH_SECONDS = 20.0  # what takes longer is stopped after the pair it is at, and the rest extrapolated
_QUICK_SECONDS = 2.0  # what is faster is run three times, for the median
_Values = Iterator[tuple[int, int, float]]  # i < j and their distance, each as soon as it is known
_Run = Callable[[list[Floats]], _Values]


class _Peer(NamedTuple):
    name: str  # with {} for its version
    package: str
    module: str
    values: Callable[[Any, list[Floats]], _Values]
    ours: Distance


def measure(seed: int, small: bool, progress: Progress) -> dict[str, Any]:
    """Return a row for each installed package, Gram matrices included; the times of ``small`` mean nothing."""
    count, samples, features = (4, 30, 60) if small else (20, 200, 2000)
    reprs = _representations(seed, count, samples, features)
    rows, missing = [], {}
    for done, peer in enumerate(_PEERS):
        progress("peers", done, len(_PEERS))
        try:
            number, module = version(peer.package), importlib.import_module(peer.module)
        except ImportError as error:
            missing[peer.package] = f"{peer.package}: {error}"
            continue
        with _one_core():
            row = _row(partial(peer.values, module), peer.ours, reprs)
        rows.append({"peer": peer.name.format(number), **row})
    progress("peers", len(_PEERS), len(_PEERS))
    return {"peers": rows, "peers_missing": list(missing.values()), "peers_shape": [count, samples, features]}


def _row(peer: _Run, distance: Distance, reprs: list[Floats]) -> dict[str, Any]:
    theirs, peer_seconds = _timed(peer, reprs)
    values, seconds = _timed(lambda reprs: _upper(measures.pairwise(reprs, distance).values), reprs)
    gap = max(abs(theirs[pair] - values[pair]) for pair in theirs)
    times = {"peer_seconds": peer_seconds, "seconds": seconds, "ratio": peer_seconds / seconds}
    return {"ours": distance.name, "pairs": len(values), "pairs_timed": len(theirs), **times, "max_abs_diff": gap}


def _timed(run: _Run, reprs: list[Floats]) -> tuple[dict[tuple[int, int], float], float]:
    """Return the distances by pair, and the seconds for all pairs; the time before the first pair is counted once."""
    _ = list(run([x[:10, :20] for x in reprs[:3]]))
    runs: list[float] = []
    while not runs or (len(runs) < 3 and runs[0] < _QUICK_SECONDS):
        found, times = {}, [time.perf_counter()]
        for i, j, value in run(reprs):
            found[i, j] = value
            times.append(time.perf_counter())
            if times[-1] - times[0] > _ENOUGH_SECONDS and len(found) > 1:
                break
        left = len(reprs) * (len(reprs) - 1) // 2 - len(found)
        runs.append(times[-1] - times[0] + left * (times[-1] - times[1]) / (len(found) - 1))
    return found, median(runs)


def _upper(table: Floats) -> _Values:
    return ((i, j, float(table[i, j])) for i, j in combinations(range(len(table)), 2))


def _representations(seed: int, count: int, samples: int, features: int) -> list[Floats]:
    """Return representations of full rank with falling spectra, half of the variance shared, and means other than 0."""
    scales = np.arange(1, samples + 1) ** -0.5
    shared = stream(seed, "bench peers").standard_normal((samples, samples))
    made = []
    for k in range(count):
        rng = stream(seed, "bench peers", k)
        hidden = (shared + rng.standard_normal((samples, samples)) + rng.standard_normal(samples)) * scales
        made.append(hidden @ rng.standard_normal((samples, features)) / np.sqrt(features))
    return made


@contextmanager
def _one_core() -> Iterator[None]:
    """Return a context with one thread for NumPy and PyTorch, and one core for all threads started in it."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}
    pin = getattr(os, "sched_setaffinity", lambda process, cores: None)
    with threadpool_limits(1), ExitStack() as afterwards:
        afterwards.callback(pin, 0, cores)
        pin(0, {max(cores)})
        yield


def _shapes(numpy: Any, reprs: list[Floats], *, pca: bool) -> _Values:
    """Euclidean Procrustes distance by the formula of Williams et al. (2021), in the loop of a user who has features.

    Centre, scale to unit Frobenius norm, then sqrt(2 - 2 nuclear_norm(X^T Y)) from the (features, features) cross
    product; ``pca`` first turns to the principal components, at most as many as samples, at the same distances.
    """
    made = []
    for x in reprs:
        h = x - x.mean(axis=0)
        if pca:
            left, sizes, _ = numpy.linalg.svd(h, full_matrices=False)
            h = left * sizes
        made.append(h / numpy.linalg.norm(h))
    for i, j in combinations(range(len(made)), 2):
        overlap = numpy.linalg.svd(made[i].T @ made[j], compute_uv=False).sum()
        yield i, j, float(numpy.sqrt(max(0.0, 2.0 - 2.0 * overlap)))


def _rsatoolbox(rsatoolbox: Any, reprs: list[Floats], *, method: str) -> _Values:
    """Squared Euclidean dissimilarities (over the number of channels, a factor that cancels), compared all at once."""
    rdms = rsatoolbox.rdm.calc_rdm([rsatoolbox.data.Dataset(x) for x in reprs], method="euclidean")
    apart = 1.0 - rsatoolbox.rdm.compare(rdms, rdms, method=method)
    return _upper(np.sqrt(np.maximum(2.0 * apart, 0.0)) if method == "bures" else apart)


def _ckatorch(ckatorch: Any, reprs: list[Floats], *, unbiased: bool) -> _Values:
    tensors = [sys.modules["torch"].from_numpy(x) for x in reprs]
    for i, j in combinations(range(len(tensors)), 2):
        yield i, j, 1.0 - float(ckatorch.cka_base(tensors[i], tensors[j], unbiased=unbiased))


def _pytorch_cka(cka: Any, reprs: list[Floats]) -> _Values:
    """Debiased, and cut off at a similarity of 0, where ours goes on to distances above 1."""
    tensors = [sys.modules["torch"].from_numpy(x) for x in reprs]
    return _upper(1.0 - cka.cka_from_features(tensors, tensors).numpy())


_OURS: dict[str, Distance] = {"spearman": RSA(), "corr": RSA("pearson"), "cosine": RSA("cosine")}
_OURS |= {"cosine_cov": CKA(), "bures": Procrustes()}
_PEERS = (
    _Peer("netrep's formula in numpy {} (features)", "numpy", "numpy", partial(_shapes, pca=False), Procrustes()),
    _Peer("netrep's formula in numpy {} (after PCA)", "numpy", "numpy", partial(_shapes, pca=True), Procrustes()),
    *(
        _Peer(f"rsatoolbox {{}} ({method})", "rsatoolbox", "rsatoolbox", partial(_rsatoolbox, method=method), ours)
        for method, ours in _OURS.items()
    ),
    _Peer("ckatorch {} (biased)", "ckatorch", "ckatorch", partial(_ckatorch, unbiased=False), CKA()),
    _Peer("ckatorch {} (unbiased)", "ckatorch", "ckatorch", partial(_ckatorch, unbiased=True), CKADebiased()),
    _Peer("pytorch-cka {}", "pytorch-cka", "cka", _pytorch_cka, CKADebiased()),
)
