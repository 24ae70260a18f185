"""Claims about finite samples: T5 and T6. Laws on a few points, so that every expectation is a finite sum."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from congruity.bench.theorems.claims import Claim, Drawn, law, metric
from congruity.theory import bounds, equivalence
from congruity.theory.equivalence import Floats

_Samples = tuple[NDArray[np.intp], Floats]


def _samples(p: Floats, count: int) -> _Samples:
    """Return all samples (k, count) of a law, and the chance of each."""
    every = np.array(list(itertools.product(range(len(p)), repeat=count)))
    return every, p[every].prod(axis=1)


def _separation(table: Floats, xs: NDArray[np.intp], ys: NDArray[np.intp]) -> Floats:
    """Return (samples of xs, samples of ys) P1 + P2 over all distinct triples, ties counted half."""
    total = np.zeros((len(xs), len(ys)))
    for own, other, turned in ((xs, ys, False), (ys, xs, True)):
        pairs = list(itertools.permutations(range(own.shape[1]), 2))
        part = np.zeros((len(own), len(other)))
        for (i, j), k in itertools.product(pairs, range(other.shape[1])):
            within = table[own[:, i], own[:, j]][:, None]
            across = table[own[:, i][:, None], other[None, :, k]]
            part += (within < across) + 0.5 * (within == across)
        part /= len(pairs) * other.shape[1]
        total += part.T if turned else part
    return total


def _components(table: Floats, p: Floats, q: Floats) -> Floats:
    """Return zeta (3, 3) of T5(c): variances of the kernel given some of its arguments."""
    points, _ = _samples(p, 2)
    kernel = _separation(table, points, points).reshape((len(p),) * 4)
    zeta = np.zeros((3, 3))
    for i, j in itertools.product(range(3), repeat=2):
        given = kernel
        for axis in range(3, 1 + j, -1):
            given = np.tensordot(given, q, axes=(axis, 0))
        for axis in range(1, i - 1, -1):
            given = np.tensordot(given, p, axes=(axis, 0))
        weights = np.ones(())
        for one in (p,) * i + (q,) * j:
            weights = np.multiply.outer(weights, one)
        mean = float((weights * given).sum())
        zeta[i, j] = float((weights * np.square(given - mean)).sum())
    return zeta


def _estimated(random: np.random.Generator) -> Drawn:
    points = int(random.integers(2, 4))
    table = metric(random, points)
    p, q = law(random, points), law(random, points)
    n = (int(random.integers(2, 4)), int(random.integers(2, 4)))
    (xs, px), (ys, py) = _samples(p, n[0]), _samples(q, n[1])
    values, chances = _separation(table, xs, ys), np.multiply.outer(px, py)
    truth = sum(equivalence.congruity(table, p, q).p_within)
    mean = float((values * chances).sum())
    variance = float((np.square(values - mean) * chances).sum())
    zeta = _components(table, p, q)
    exact = bounds.separation_variance(np.minimum(zeta, 1.0).tolist(), n)
    blocks = min(n) // 2
    leading = 4 * zeta[1, 0] / n[0] + 4 * zeta[0, 1] / n[1]
    return Drawn(
        {
            "unbiased": (abs(mean - truth), 0.0),
            "exact variance": (abs(variance - exact), 0.0),
            "variance": (variance, zeta[2, 2] / blocks),
        },
        {
            "its leading term alone": (variance, leading),
            "a block a pair of implementations": (variance, zeta[2, 2] / (4 * blocks)),
            "its absolute value is unbiased too": (
                abs(float(((1 - np.abs(values - 1)) * chances).sum()) - (1 - abs(truth - 1))),
                0.0,
            ),
        },
    )


def _deviates(random: np.random.Generator) -> Drawn:
    """Laws on two points, so that a sample is a number of heads, and all samples of 40 a side can be gone through."""
    n, delta = int(random.integers(2, 41)), float(random.choice([0.02, 0.1, 0.5, 0.9]))
    p, q = (float(random.choice([0.02, 0.5, random.random()])) for _ in range(2))
    heads = np.arange(n + 1)
    chances = [np.array([math.comb(n, k) * r**k * (1 - r) ** (n - k) for k in heads.tolist()]) for r in (p, q)]
    shares = [np.stack([heads, n - heads], axis=1) for _ in range(2)]

    def within(own: NDArray[np.intp], other: NDArray[np.intp]) -> Floats:
        """P1 of all samples: pairs of one point are at distance 0, of two at 1."""
        same = np.zeros((n + 1, n + 1))
        for point in range(2):
            mine, mates = own[:, point], own[:, point] - 1
            apart = other[:, 1 - point] / n  # at distance 1 from this point
            near = mates[:, None] / (n - 1) * (apart + (1 - apart) / 2)
            far = (n - own[:, point])[:, None] / (n - 1) * (apart / 2)
            same += mine[:, None] / n * (near + far)
        return same

    values = within(*shares) + within(*shares[::-1]).T
    table = np.array([[0.0, 1.0], [1.0, 0.0]])
    truth = sum(equivalence.congruity(table, [p, 1 - p], [q, 1 - q]).p_within)
    joint, off = np.multiply.outer(*chances), np.abs((1 - np.abs(values - 1)) - (1 - abs(truth - 1)))
    error = bounds.score_error((n, n), delta)
    return Drawn(
        {"": (float(joint[off > error].sum()), delta)},
        {
            "as if every implementation were 50": (float(joint[off > error / 50**0.5].sum()), delta),
            "as if there were no chance left": (float(joint[off > 0].sum()), delta),
        },
    )


def _degenerate(random: np.random.Generator) -> Drawn:
    points = int(random.integers(2, 5))
    table, p = metric(random, points), law(random, points)
    zeta = _components(table, p, p)
    return Drawn(
        {
            "": (max(zeta[1, 0], zeta[0, 1]), 0.0),
        },
        {"of second order too": (zeta[1, 1], 0.0)},
    )


def _line(random: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Draw representations of width 1 over a few queries, h1 and h2, and the law of the queries."""
    size = int(random.integers(2, 4))
    p = random.exponential(size=size) + 0.05
    return random.normal(size=size), random.normal(size=size), p / p.sum()


def _fitted(h1: Floats, h2: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the best contraction a in [-1, 1] of each row of weights, and its mean square residual there."""
    xx, xy, yy = (weights @ part for part in (h1 * h1, h1 * h2, h2 * h2))
    a = np.clip(np.divide(xy, xx, out=np.zeros_like(xx), where=xx > 0), -1.0, 1.0)
    return a, yy - 2 * a * xy + a * a * xx


def _shares(samples: NDArray[np.intp], size: int) -> Floats:
    return np.stack([(samples == k).mean(axis=1) for k in range(size)], axis=1)


def _biased(random: np.random.Generator) -> Drawn:
    h1, h2, p = _line(random)
    samples, chances = _samples(p, int(random.integers(1, 5)))
    _, truth = _fitted(h1, h2, p[None])
    a, train = _fitted(h1, h2, _shares(samples, len(p)))
    test = np.square(a[:, None] * h1 - h2) @ p
    low, high = float(chances @ train), float(chances @ test)
    return Drawn(
        {
            "training": (low, float(truth[0])),
            "testing": (float(truth[0]), high),
        },
        {
            "training is unbiased": (float(truth[0]) - low, 0.0),
            "testing is unbiased": (high - float(truth[0]), 0.0),
        },
    )


def _bracketed(random: np.random.Generator) -> Drawn:
    """Of two queries, so that m of them are a binomial number."""
    h1, h2 = random.normal(size=(2, 2))
    if random.random() < 0.5:  # a residual of all or nothing, as Hoeffding's worst case
        h1, h2 = np.array([1.0, 0.0]), np.array([-1.0, 0.0])
    share = float(random.uniform(0.05, 0.95))
    m, delta = int(random.integers(5, 200)), float(random.choice([0.05, 0.3]))
    heads = np.arange(m + 1)
    chances = np.array([math.comb(m, k) * share**k * (1 - share) ** (m - k) for k in heads.tolist()])
    weights = np.stack([heads / m, 1 - heads / m], axis=1)
    _, truth = _fitted(h1, h2, np.array([[share, 1 - share]]))
    a, train = _fitted(h1, h2, weights)
    largest = float((np.abs(h1).max() + np.abs(h2).max()) ** 2)
    brackets = [bounds.population_bracket(max(t, 0.0), 0.0, largest, (m, m), delta) for t in train]
    low, slack = np.array(brackets).T  # tested at 0, the upper end is what is added to the test error
    missed = float(chances[low > truth[0] + 1e-12].sum())
    errors = np.square(a[:, None] * h1 - h2) @ weights.T  # (training samples, test samples)
    above = np.multiply.outer(chances, chances)
    over = float(above[errors + slack[:, None] < truth[0] - 1e-12].sum())
    uniform = bounds.uniform_error((float(np.abs(h1).max()), float(np.abs(h2).max())), 1, m, delta)
    off = float(chances[np.abs(train - truth[0]) > uniform].sum())
    tenth = float(chances[np.maximum(train - (train - low) / 10, 0.0) > truth[0] + 1e-12].sum())
    bare = float(above[errors < truth[0] - 1e-12].sum())
    far = float(chances[np.abs(train - truth[0]) > uniform / math.sqrt(m)].sum())
    return Drawn(
        {"lower end": (missed, delta / 2), "upper end": (over, delta / 2), "uniform": (off, delta)},
        {
            "a tenth of the slack": (tenth, delta / 2),
            "no slack above": (bare, delta / 2),
            "a uniform error that falls as 1 / m": (far, delta),
        },
    )


CLAIMS = (
    Claim("T5(b), (c) estimate", "unbiased; its exact variance; <= zeta_22 / k", _estimated, 1000),
    Claim("T5(b) deviation", "C^ misses C by more than the error with chance <= delta", _deviates, 1000),
    Claim("T5(d) degenerate", "zeta_10 = zeta_01 = 0 for equal laws", _degenerate, 1000),
    Claim("T6(a) bias", "E train^2 <= delta^2 <= E test^2", _biased, 2000),
    Claim("T6(b), (c) bracket", "either end missed with chance <= delta / 2; uniform error <= delta", _bracketed, 1000),
)
