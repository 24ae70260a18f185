"""Held-out estimate of d_repr: maps fitted on some samples and evaluated on the rest, with a bracket (T6)."""

from __future__ import annotations

import contextlib

import numpy as np
from numpy.typing import NDArray

from congruity._base import checks as _checks
from congruity._base.arrays import Floats
from congruity._base.engine import one_blas_thread
from congruity.distances.spectral_pairs import Pairs
from congruity.errors import InputError
from congruity.values import HeldOut

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


def generalisation(
    x: Floats,
    y: Floats,
    fraction: float,
    *,
    center: bool,
    normalize: bool,
    tol: float,
    shuffles: int,
    confidence: float,
    rng: np.random.Generator,
) -> HeldOut:
    """Return d_repr in training and held out, a bracket for the population, and the same for shuffled samples.

    Args:
        x, y: (samples, features), the same samples.
        fraction: share of the samples that is held out; at least three samples are held out, and at least three train.
        center, normalize: by mean and size of the training samples.
        tol: of the solver.
        shuffles: how often ``y`` is shuffled against ``x``.
        confidence: of the bracket.
        rng: of the split and the shuffles.

    Raises:
        InputError: a representation is constant on the training samples.

    Source: docs/theorems.md, T6(a), (b) and (d).
    """
    samples = len(x)
    held_out = min(max(_checks.MIN_SAMPLES, round(fraction * samples)), samples - _checks.MIN_SAMPLES)
    order = rng.permutation(samples)
    split = np.sort(order[held_out:]), np.sort(order[:held_out])
    with one_blas_thread():
        fitted = _Fitted(x, y, split, center, normalize, tol)
        null = []
        for _ in range(shuffles):
            with contextlib.suppress(InputError):  # this shuffle left y constant in training
                null.append(_Fitted(x, y[rng.permutation(samples)], split, center, normalize, tol))
    # Hoeffding for two directions and two sides, each at a quarter of what may fail.
    slack = fitted.largest * np.sqrt(np.log(4.0 / (1.0 - confidence)) / 2.0 / np.array([len(s) for s in split]))
    unit = 1.0 if normalize else float(np.sqrt(samples))

    def size(squared: Floats) -> float:
        return unit * float(np.sqrt(np.maximum(squared, 0.0).max()))

    return HeldOut(
        train=size(fitted.upper),
        test=size(fitted.test),
        lower=size(fitted.lower - slack[0]),
        upper=size(fitted.test + slack[1]),
        confidence=confidence,
        null_train=tuple(size(found.upper) for found in null),
        null_test=tuple(size(found.test) for found in null),
        n_train=len(split[0]),
        n_test=len(split[1]),
    )


class _Fitted:
    """Both directions, fitted: certified bounds of the mean squared residual in training, and its mean held out.

    Attributes:
        lower, upper: (2,) bounds of the best that a contraction can do on the training samples.
        test: (2,) what the contraction found there does on the others.
        largest: (b1 + b2)^2, b the largest norm of a sample: no residual of any contraction is larger.
    """

    def __init__(self, x: Floats, y: Floats, split: Split, center: bool, normalize: bool, tol: float) -> None:
        train, test = split
        sides = [_Side(name, h, train, test, center, normalize) for name, h in (("X", x), ("Y", y))]
        pair = Pairs(sides[0].root[None], sides[1].root[None])
        pair.refine_both(tol)
        self.lower, self.upper, self.test = np.zeros((3, 2))
        for k, direction in enumerate(pair.directions):
            direction.polish(tol)
            source, target = sides[k], sides[1 - k]
            predicted = source.test @ np.asarray(direction.best[0]).T  # in the target's basis
            inside = target.test
            squares = target.squares + np.square(predicted).sum(axis=1) - 2.0 * (predicted * inside).sum(axis=1)
            self.lower[k], self.upper[k] = direction.lower[0], direction.upper[0]
            self.test[k] = np.maximum(squares, 0.0).mean()
        self.largest = (sides[0].longest + sides[1].longest) ** 2


class _Side:
    """A representation in the basis of its training samples.

    Attributes:
        root: (r, n_train) with orthogonal rows, divided by sqrt(n_train): its squared norm is a mean over samples.
        test: (n_test, r) coordinates of the held-out samples.
        squares: (n_test,) their squared norms, with what lies outside the basis.
        longest: largest norm of any sample.
    """

    def __init__(
        self, name: str, h: Floats, train: NDArray[np.intp], test: NDArray[np.intp], center: bool, normalize: bool
    ) -> None:
        largest = float(np.abs(h).max())
        h = h / largest if largest > 0.0 else h  # so that squares neither overflow nor vanish
        before = float(np.linalg.norm(h[train]))
        if center:
            h = h - h[train].mean(axis=0)
        size = float(np.linalg.norm(h[train]))
        _checks.varies("d_repr", f"{name} on the training samples", size, before, centred=center)
        h = h * (np.sqrt(len(train)) / size) if normalize else h * largest
        left, sizes, right = np.linalg.svd(h[train], full_matrices=False)
        kept = sizes > 1e-14 * sizes[0]
        self.root: Floats = (left[:, kept] * sizes[kept]).T / np.sqrt(len(train))
        self.test: Floats = h[test] @ right[kept].T
        self.squares: Floats = np.square(h[test]).sum(axis=1)
        self.longest = float(np.linalg.norm(h, axis=1).max())
