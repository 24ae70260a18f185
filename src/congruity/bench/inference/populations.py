"""Pairs of populations of implementations with known P1 and P2, for the benchmark of the inference.

Implementations are points, or linear subspaces as the column spaces of representations are. All were fixed before any
result was seen; the three at the margin were placed by bisection on their true P1 and P2, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from congruity._base.arrays import Floats

Sampler = Callable[[np.random.Generator, int], Floats]
Role = Literal["null", "different", "margin"]
_FAR = 8.0  # a private cloud, in standard deviations


@dataclass(frozen=True)
class Population:
    """Two laws of implementations and the distance between them.

    Attributes:
        name: of the pair.
        role: "null" (one law), "different", or "margin": C_min is exactly .5, the largest difference that is not
            equivalent at the margin .5.
        first, second: draw n independent implementations, (n, ...).
        distance: of arrays (..., a, b) of implementations, elementwise.
        spread: for implementations of a shared network: standard deviation around it; each is then a network.
        per_base: implementations a network.
        ratio: size of the second side over that of the first.
    """

    name: str
    role: Role
    first: Sampler
    second: Sampler
    distance: Callable[[Floats, Floats], Floats]
    spread: float = 0.0
    per_base: int = 1
    ratio: int = 1

    def table(self, n: int, rng: np.random.Generator) -> tuple[Floats, list[str], list[str] | None]:
        """Draw n networks a side (ratio x n on the second): distances, sides and, if clustered, networks."""
        counts = (n, self.ratio * n)
        drawn = [sample(rng, count) for sample, count in zip((self.first, self.second), counts, strict=True)]
        points = np.repeat(np.concatenate(drawn), self.per_base, axis=0)
        points = points + self.spread * rng.standard_normal(points.shape) if self.spread else points
        side = [name for name, count in zip("ab", counts, strict=True) for _ in range(count * self.per_base)]
        base = [str(k) for k in range(sum(counts)) for _ in range(self.per_base)] if self.per_base > 1 else None
        return self.distance(points[:, None], points[None, :]), side, base

    def truth(self, rng: np.random.Generator, count: int) -> tuple[float, float]:
        """Return P1 and P2 from ``count`` independent triples a side: the standard error is below .5 / sqrt(count)."""
        chances = []
        for own, other in ((self.first, self.second), (self.second, self.first)):
            closer, left = 0.0, count
            while left:
                size = min(left, 100_000)
                x, x2, y = own(rng, size), own(rng, size), other(rng, size)
                if self.spread:
                    x, x2, y = (h + self.spread * rng.standard_normal(h.shape) for h in (x, x2, y))
                within, between = self.distance(x2, x), self.distance(y, x)
                closer += float((within < between).sum() + 0.5 * (within == between).sum())
                left -= size
            chances.append(closer / count)
        return chances[0], chances[1]


def euclidean(a: Floats, b: Floats) -> Floats:
    """Return norm(a - b) over the last axis."""
    return np.asarray(np.linalg.norm(a - b, axis=-1))


def between_subspaces(a: Floats, b: Floats) -> Floats:
    """Return the projection distance sqrt(k - norm(A^T B)_F^2) of orthonormal bases (..., p, k)."""
    shared = np.square(np.swapaxes(a, -1, -2) @ b).sum(axis=(-1, -2))
    return np.asarray(np.sqrt(np.maximum(a.shape[-1] - shared, 0.0)).round(12))


def cloud(rng: np.random.Generator, n: int, *, p: int, at: float = 0.0, sd: float = 1.0) -> Floats:
    """Draw normal points with standard deviation ``sd`` and the mean at ``at`` on the first axis."""
    points = sd * rng.standard_normal((n, p))
    points[:, 0] += at
    return points


def heavy(rng: np.random.Generator, n: int) -> Floats:
    """Draw from a multivariate t with 2 degrees of freedom in 5 dimensions: no variance."""
    return np.asarray(rng.standard_normal((n, 5)) / np.sqrt(rng.chisquare(2, (n, 1)) / 2))


def lattice(rng: np.random.Generator, n: int) -> Floats:
    """Draw points of whole numbers 0 to 2 in two dimensions: most distances are tied, and copies are common."""
    return rng.integers(0, 3, (n, 2)).astype(np.float64)


def subspaces(rng: np.random.Generator, n: int, *, angle: float = 0.0, noise: float = 0.3) -> Floats:
    """Draw three-dimensional subspaces of 12 dimensions around one that is turned by ``angle``."""
    centre = np.eye(12)[:, :3]
    turned = np.cos(angle) * centre + np.sin(angle) * np.eye(12)[:, 3:6]
    return np.asarray(np.linalg.qr(turned + noise * rng.standard_normal((n, 12, 3)))[0])


def padded(rng: np.random.Generator, n: int, *, p: int) -> Floats:
    """Draw normal points of total variance 1, spread evenly over the first ``p`` of ten dimensions."""
    points = np.zeros((n, 10))
    points[:, :p] = rng.standard_normal((n, p)) / np.sqrt(p)
    return points


def partly(rng: np.random.Generator, n: int, *, share: float, axis: int) -> Floats:
    """Draw normal points in 5 dimensions, a ``share`` of them shifted into a far cloud on one axis."""
    points = rng.standard_normal((n, 5))
    points[:, axis] += _FAR * (rng.random(n) < share)
    return points


def two_modes(rng: np.random.Generator, n: int, *, axis: int) -> Floats:
    """Draw points in 5 dimensions, half at +4 and half at -4 on one axis, with standard deviation 1."""
    points = rng.standard_normal((n, 5))
    points[:, axis] += 4.0 * rng.choice([-1.0, 1.0], n)
    return points


def _both(name: str, sample: Sampler, distance: Callable[[Floats, Floats], Floats] = euclidean) -> Population:
    return Population(name, "null", sample, sample, distance)


def _pair(name: str, first: Sampler, second: Sampler, role: Role = "different") -> Population:
    return Population(name, role, first, second, euclidean)


_PLAIN = partial(cloud, p=5)
POPULATIONS: tuple[Population, ...] = (
    _both("normal", _PLAIN),
    _both("normal, 50 dimensions", partial(cloud, p=50)),
    _both("heavy tails", heavy),
    _both("subspaces", partial(subspaces), between_subspaces),
    _both("ties", lattice),
    Population("clustered, 3 a network", "null", _PLAIN, _PLAIN, euclidean, spread=0.5, per_base=3),
    Population("three times as many on one side", "null", _PLAIN, _PLAIN, euclidean, ratio=3),
    _pair("shift 1.2", _PLAIN, partial(cloud, p=5, at=1.2)),
    _pair("shift 3", _PLAIN, partial(cloud, p=5, at=3.0)),
    _pair("nested, sd 1 and .75, 10 dimensions", partial(cloud, p=10), partial(cloud, p=10, sd=0.75)),
    _pair("nested, sd 1 and .5, 3 dimensions", partial(cloud, p=3), partial(cloud, p=3, sd=0.5)),
    _pair("4 against 10 dimensions, equal variance", partial(padded, p=4), partial(padded, p=10)),
    _pair("30 % of one side far away", partial(partly, share=0.3, axis=0), _PLAIN),
    _pair("30 % of either side far away", partial(partly, share=0.3, axis=0), partial(partly, share=0.3, axis=1)),
    _pair("crossed modes", partial(two_modes, axis=0), partial(two_modes, axis=1)),
    Population(
        "subspaces turned by .5", "different", partial(subspaces), partial(subspaces, angle=0.5), between_subspaces
    ),
    Population(
        "clustered, shift 3", "different", _PLAIN, partial(cloud, p=5, at=3.0), euclidean, spread=0.5, per_base=3
    ),
    _pair("shift at the margin", _PLAIN, partial(cloud, p=5, at=2.649), "margin"),
    _pair("nested at the margin", _PLAIN, partial(cloud, p=5, sd=0.6175), "margin"),
    _pair("far share at the margin", partial(partly, share=0.5018, axis=0), _PLAIN, "margin"),
)
