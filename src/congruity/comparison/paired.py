"""Paired masks: the same edits in two models, edit by edit, so that pool and strength of the edits cancel."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from congruity._base.arrays import Floats
from congruity._base.engine import one_blas_thread
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.comparison.alike import MIN_PAIRS, Pair, Rows, paired_rows
from congruity.distances import tabulate
from congruity.errors import InputError, NotComparableError
from congruity.inference import bca, clopper_pearson, mean_interval
from congruity.protocols import Distance
from congruity.values import Agreement, DistanceTable, Fingerprint, Paired

_NO_KL = 1e-9  # nats: an edit that changes nothing; its logarithm is that of rounding errors
_RESAMPLES = 1999
_SHUFFLES = 9999


def paired(a: Fingerprint, b: Fingerprint, distance: Distance, *, seed: int = 0, progress: Progress = silent) -> Paired:
    """Compare two models under the same edits.

    With a_i and b_i the implementations of both models by edit i, and d the mean of a distance's two directions::

        mean over i of d(a_i, b_i),  that over d(clean a, clean b),  share of i with b_i nearest to a_i among all b_j

    and the Pearson correlations over i of log KL(a_i), log KL(b_i) and of the changes of the mean logit difference.
    The retrieval of one edit is not independent of that of another (they share the candidates), so its intervals are
    approximate.

    Args:
        a: whose edits they are. Its reference kind is used, so that no correlation comes from different strengths.
        b: made with ``fingerprint(..., edits_of=a)``; needs the same architecture.
        distance: between Gram matrices; 2 n + 2 of them for n edits.
        seed: of the bootstrap and the shuffles.

    Raises:
        InputError: the edits differ, or are made with other parameters of the intervention.
        NotComparableError: the sides answer different queries.

    >>> import congruity as cg
    >>> found = paired(a, b, cg.distances.Procrustes())  # doctest: +SKIP
    >>> found.ratio, found.retrieval, found.chance  # doctest: +SKIP
    (1.01, (1.0, 1.0), 0.05)

    Source: the measurement is this package's; Clopper and Pearson (1934), Efron (1987) for the intervals.
    """
    if a.queries.digest != b.queries.digest or a.scaling != b.scaling:
        raise NotComparableError(
            f"{a.model.name} and {b.model.name} answer different queries, or are scaled differently; make both with "
            "the same task and seed"
        )
    first, second = paired_rows(a, b)
    grams: Floats = np.concatenate([a.clean_gram[None], b.clean_gram[None], a.grams[first], b.grams[second]])
    labels = ["clean a", "clean b"] + [f"{side}{i}" for side in "ab" for i in range(len(first))]
    with one_blas_thread():
        table = tabulate(distance, grams, tuple(labels), progress=progress)
    return _paired(a, b, (first, second), table.values, seed)


def paired_in(pair: Pair, table: DistanceTable, *, seed: int = 0) -> Paired:
    """Return what `paired` does, from distances between [clean a, clean b, implementations of a, of b].

    Raises:
        InputError: the sides do not carry the same edits.
    """
    if pair.edits is None:
        raise InputError(f"paired: {pair.names[0]} and {pair.names[1]} do not carry the same edits")
    first, second = pair.edits
    rows = np.concatenate([[0, 1], 2 + first, 2 + pair.a.n + second])
    return _paired(pair.a, pair.b, pair.edits, table.values[np.ix_(rows, rows)], seed)


def _paired(a: Fingerprint, b: Fingerprint, rows: tuple[Rows, Rows], values: Floats, seed: int) -> Paired:
    n = len(rows[0])
    both = (values + values.T) / 2
    clean, between = float(both[0, 1]), both[2 : 2 + n, 2 + n :]
    own = between.diagonal()
    ends = mean_interval(own)
    hits = (_retrieved(between), _retrieved(between.T))
    measured = [_responses(side, places) for side, places in zip((a, b), rows, strict=True)]
    acting = np.min([kl for kl, _ in measured], axis=0) >= _NO_KL
    log_kl = None
    if acting.sum() >= MIN_PAIRS:
        log_kl = agreement(*(np.log(kl[acting]) for kl, _ in measured), seed=seed, label="log KL")
    metric = agreement(*(change for _, change in measured), seed=seed, label="metric")
    return Paired(
        n=n,
        left_out=(a.reference.n - n, b.n - n),
        distance=float(own.mean()),
        distance_interval=ends,
        ratio=float(own.mean()) / clean if clean > 0 else None,
        ratio_interval=(ends[0] / clean, ends[1] / clean) if clean > 0 else None,
        retrieval=(hits[0] / n, hits[1] / n),
        retrieval_intervals=(clopper_pearson(hits[0], n, 0.05), clopper_pearson(hits[1], n, 0.05)),
        chance=1 / n,
        log_kl=log_kl,
        metric=metric,
    )


def agreement(x: Floats, y: Floats, *, seed: int = 0, label: str = "") -> Agreement | None:
    """Return the correlation of two responses (n,) to the same edits; None where either is constant.

    Raises:
        InputError: responses of different length, or to fewer than 4 edits.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal(20)
    >>> found = agreement(x, x + 0.1 * rng.standard_normal(20))
    >>> found.correlation > 0.95, found.interval[0] > 0.9, found.p_value
    (True, True, 0.0001)
    """
    if not len(x) == len(y) >= MIN_PAIRS:
        raise InputError(
            f"agreement: {len(x)} and {len(y)} responses; give both for the same {MIN_PAIRS} edits or more"
        )
    spread = (float(x.std(ddof=1)), float(y.std(ddof=1)))
    if min(spread[0] / (np.abs(x).max() or 1.0), spread[1] / (np.abs(y).max() or 1.0)) < 1e-9:
        return None
    n, rng = len(x), stream(seed, "paired", label)
    r = float(_correlations(x[None], y[None])[0])
    draws = rng.integers(n, size=(_RESAMPLES, n))
    resampled = _correlations(x[draws], y[draws])
    others = np.nonzero(~np.eye(n, dtype=bool))[1].reshape(n, n - 1)
    left_out = _correlations(x[others], y[others])
    influence = left_out.mean() - left_out
    squares = float((influence**2).sum())
    acceleration = float((influence**3).sum()) / (6 * squares**1.5) if squares > 1e-24 else 0.0
    shuffled = _correlations(np.broadcast_to(x, (_SHUFFLES, n)), rng.permuted(np.tile(y, (_SHUFFLES, 1)), axis=1))
    low, high = np.quantile(shuffled, [0.025, 0.975])
    z, half = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)), ndtri(0.975) / np.sqrt(n - 3)
    return Agreement(
        correlation=r,
        interval=bca(r, resampled[np.isfinite(resampled)], acceleration, 0.05),
        fisher=(float(np.tanh(z - half)), float(np.tanh(z + half))),
        null=(float(low), float(high)),
        p_value=float((1 + np.count_nonzero(shuffled >= r - 1e-12)) / (1 + _SHUFFLES)),
        spread=spread,
    )


def _correlations(x: Floats, y: Floats) -> Floats:
    """Return (B,) Pearson correlations of the rows; NaN where one is constant."""
    x, y = (v - v.mean(axis=1, keepdims=True) for v in (x, y))
    sizes = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    out = np.full(len(x), np.nan)
    np.divide((x * y).sum(axis=1), sizes, out=out, where=sizes > 0)
    return np.asarray(np.clip(out, -1.0, 1.0))


def _retrieved(between: Floats) -> float:
    """Return how many rows are nearest to their own column; of tied columns each counts its share."""
    nearest = between <= between.min(axis=1, keepdims=True)
    return float((nearest.diagonal() / nearest.sum(axis=1)).sum())


def _responses(side: Fingerprint, rows: Rows) -> tuple[Floats, Floats]:
    """Return KL and the change of the mean logit difference of the admitted implementations at ``rows``."""
    found = [side.admitted[i].behaviour for i in rows]
    return np.array([b.kl for b in found]), np.array(
        [b.logit_difference - side.unedited.logit_difference for b in found]
    )
