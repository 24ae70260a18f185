"""Least squares over the spectral ball, with a proof: min over norm(A)_op <= 1 of norm(A H1 - H2)_F.

Many problems of one shape at a time, in the array namespace and on the device of their arrays. H1 (r1, m) has
orthogonal rows of squared length s, so that S11 = H1 H1^T = diag(s); S21 = H2 H1^T (r2, r1). Everything happens in
these coordinates, with neither widths nor samples in sight; rows of zeros, which make ranks equal, change nothing.

Certificate: delta^2 = tr S22 + tr S11 - min over X >= S11 (Loewner) of tr(S12 S21 X^-1) + tr X. So every X >= S11 gives
a lower bound on delta^2, and every A with norm(A)_op <= 1 an upper one.

Start: without its constraint, X would be L = (S12 S21)^1/2 (Procrustes). About L the objective is to second order a
weighted squared distance, weights (l_i + l_j) / 2 in the eigenbasis of L; with sqrt(l_i l_j) in their place, the
nearest feasible X is S11 + D (D^-1 (L - S11) D^-1)_+ D, D = L^1/4, and A = S21 X^-1 is close to contracting.

Iteration: over-relaxed ADMM on A = Z, norm(Z)_op <= 1. The A-step is a division because S11 is diagonal, the Z-step
clips singular values, and what it cuts off is the multiplier, Z M / rho with M positive semi-definite: an X for the
bound. This is a fixed-point iteration in W = Z + Z M / rho, extrapolated from its last few steps (Anderson
acceleration). The bracket makes that safe: a bad extrapolation costs time and never correctness.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from congruity._base.arrays import Array, Floats
from congruity.distances.anderson import Anderson
from congruity.distances.gram import on_device_of, solve_lower, to_host

_RELAXATION = 1.6
#: Bounds cost a quarter of a step: after these steps, and then after one in three.
_EVERY_STEP, _EVERY_OTHER = 4, 3
#: At these iterations rho is set so that the excess W - Z is this many times Z: the fastest of some 40 ways on 150
#: random problems (seeds 1000 to 1299 of the generator in the tests, which use others). Not before 50: what converges
#: anyway would begin anew, in twice the iterations.
_RESCALE_AT, _EXCESS = (50, 200, 800, 3200), 10.0
_EPS = float(np.finfo(np.float64).eps)


@dataclass
class SpectralBall:
    """B directed problems while they are being solved: their brackets only ever shrink.

    Attributes:
        s: diagonals of S11, (B, r1).
        cross: S21, (B, r2, r1).
        target: tr S22, (B,), on the host as all that follow.
        floor: size of rounding errors in a squared distance, by which both bounds are widened.
        upper, lower: certified bounds on the squared distances; an upper bound known beforehand may be given.
        iterations: clips done so far.
        best: the contraction A (B, r2, r1) with the lowest residual so far.
    """

    s: Array
    cross: Array
    target: Floats
    floor: Floats
    upper: Floats
    lower: Floats = field(init=False)
    iterations: NDArray[np.int64] = field(init=False)
    best: Array = field(init=False)
    _reached: Floats = field(init=False)
    _rho: Array = field(init=False)
    _w: Array = field(init=False)
    _history: Anderson = field(init=False)

    def __post_init__(self) -> None:
        xp = array_namespace(self.cross)
        self.lower = np.zeros_like(self.target)
        self.iterations = np.zeros(len(self.target), dtype=np.int64)
        self.best, self._w = xp.zeros_like(self.cross), xp.zeros_like(self.cross)
        self._reached = self.target + self.floor
        self._rho = xp.maximum(xp.mean(self.s, axis=1), on_device_of(self.s, self.floor))
        self._history = Anderson.like(self.cross)
        self.upper = np.minimum(self.upper, self._reached)

    @property
    def bracket(self) -> tuple[Floats, Floats]:
        """Lower and upper bounds on the distances themselves."""
        return np.sqrt(self.lower), np.sqrt(self.upper)

    def start(self, singular_values: Array, right: Array) -> None:
        """Go to the near-solutions about Procrustes; ``cross`` = P diag(singular_values) ``right`` (B, r1, r1)."""
        xp = array_namespace(self.cross)
        b, r1, _ = right.shape
        short = xp.zeros((b, r1 - singular_values.shape[1]), dtype=right.dtype, device=device(right))
        root = xp.concat([singular_values, short], axis=1)
        # The multiplier has the scale of L, not of S11, which a few directions may dominate: with the mean of s,
        # spectra spread over eight decades take thousands of iterations; even ones take 4 to 30 either way.
        related = on_device_of(root, to_host(root[:, 0]) > self.floor)  # the others are solved by A = 0, proved by S11
        rho = xp.sqrt(xp.mean(root, axis=1) / 2.0) * xp.mean(xp.sqrt(root), axis=1)
        self._rho = xp.where(related, rho, self._rho)
        largest = xp.where(related, root[:, 0], xp.ones_like(root[:, 0]))
        scale = xp.sqrt(xp.sqrt(xp.maximum(root, 1e-9 * largest[:, None])))
        correlated = xp.astype(related, root.dtype)[:, None, None]
        eye = xp.eye(r1, dtype=root.dtype, device=device(root))
        slack = root[:, :, None] * eye - (right * self.s[:, None, :]) @ xp.matrix_transpose(right)
        eigenvalues, vectors = xp.linalg.eigh(slack / (scale[:, :, None] * scale[:, None, :]))
        positive = xp.sqrt(xp.clip(eigenvalues, 0.0, None))
        factor = (xp.matrix_transpose(right) * scale[:, None, :]) @ (vectors * positive[:, None, :])
        multiplier = factor @ xp.matrix_transpose(factor) * correlated
        factor, half = self._bound_below(multiplier)
        guess = xp.matrix_transpose(solve_lower(factor, half, transposed=True))
        z = _clip(guess)[0]  # unclipped, its excess would be taken for multiplier, and twice the iterations follow
        self._bound_above(z)
        self._w = (z + z @ multiplier / self._rho[:, None, None]) * correlated

    def step(self, rows: NDArray[np.intp]) -> None:
        """Clip, bound from both sides, and move on: the problems of these ``rows``."""
        if len(rows) < len(self.target):
            part = _taken(self, rows)
            part._step()
            _put_back(self, rows, part)
        else:
            self._step()

    def polish(self, tol: float, most: int = 5000) -> None:
        """Step until the contraction ``best`` itself, and not only the bounds, is within ``tol`` of the optimum."""
        for _ in range(most):
            short = np.flatnonzero(self._reached > (1.0 + tol) ** 2 * self.upper + self.floor)
            if not len(short):
                return
            self.step(short)

    def _step(self) -> None:
        xp = array_namespace(self.cross)
        rho = self._rho[:, None, None]
        z, vectors, excess = _clip(self._w)
        self.iterations = self.iterations + 1
        if ((self.iterations <= _EVERY_STEP) | (self.iterations % _EVERY_OTHER == 0)).any():
            self._bound_above(z)
            self._bound_below(rho * ((vectors * excess[:, None, :]) @ xp.matrix_transpose(vectors)))
        if np.isin(self.iterations, _RESCALE_AT).any():
            self._rescale(z)
        rho = self._rho[:, None, None]
        a = (self.cross + rho * (2.0 * z - self._w)) / (self.s + self._rho[:, None])[:, None, :]
        self._w = self._history.next(self._w, _RELAXATION * (a - z))

    def _rescale(self, z: Array) -> None:
        """Set rho anew, at the same multiplier; nothing below a factor of three, which the acceleration makes good.

        Nearly equal representations have a multiplier far below Procrustes' L: their excess is a thousandth of Z, and
        thousands of iterations would follow.
        """
        xp = array_namespace(z)
        excess = self._w - z
        ratio = to_host(xp.linalg.matrix_norm(excess)) / np.maximum(to_host(xp.linalg.matrix_norm(z)), _EPS)
        factor = np.clip(ratio / _EXCESS, 1e-2, 1e2)
        factor[~np.isin(self.iterations, _RESCALE_AT) | (np.abs(np.log(factor)) < np.log(3.0)) | (ratio == 0.0)] = 1.0
        if (factor == 1.0).all():
            return
        scale = on_device_of(z, factor)
        self._rho = self._rho * scale
        self._w = xp.where(scale[:, None, None] == 1.0, self._w, z + excess / scale[:, None, None])
        self._history.forget(scale != 1.0)

    def _bound_above(self, a: Array) -> None:
        xp = array_namespace(a)
        inner = to_host(xp.sum(a * (a * self.s[:, None, :] - 2.0 * self.cross), axis=(1, 2)))
        value = np.maximum(self.target + inner, 0.0) + self.floor
        better = value < self._reached
        self.best = a if better.all() else xp.where(on_device_of(a, better)[:, None, None], a, self.best)
        self._reached = np.minimum(self._reached, value)
        self.upper = np.minimum(self.upper, value)

    def _bound_below(self, multiplier: Array) -> tuple[Array, Array]:
        """Use X = S11 + ``multiplier`` + a little identity, which keeps X feasible and regular.

        Return its Cholesky factors C (B, r1, r1) and C^-1 S12 (B, r1, r2).
        """
        xp = array_namespace(multiplier)
        r1 = multiplier.shape[1]
        diagonal = xp.linalg.diagonal(multiplier) + self.s
        ridge = on_device_of(diagonal, self.floor) + _EPS * r1 * xp.max(diagonal, axis=1)
        eye = xp.eye(r1, dtype=diagonal.dtype, device=device(diagonal))
        factor = xp.linalg.cholesky(multiplier + (self.s + ridge[:, None])[:, :, None] * eye)
        half = solve_lower(factor, xp.matrix_transpose(self.cross))
        cost = xp.sum(half * half, axis=(1, 2)) + xp.linalg.trace(multiplier) + r1 * ridge
        self.lower = np.maximum(self.lower, self.target - to_host(cost) - self.floor)
        return factor, half


def _taken(state: Any, rows: NDArray[np.intp]) -> Any:
    """Return the problems ``rows`` of a state whose every field has the problems first, or is such a state."""
    taken = copy.copy(state)
    for name in (f.name for f in fields(state)):
        value = getattr(state, name)
        setattr(taken, name, _taken(value, rows) if is_dataclass(value) else value[_like(value, rows)])
    return taken


def _put_back(state: Any, rows: NDArray[np.intp], part: Any) -> None:
    for name in (f.name for f in fields(state)):
        value = getattr(state, name)
        if is_dataclass(value):
            _put_back(value, rows, getattr(part, name))
        else:
            value[_like(value, rows)] = getattr(part, name)


def _like(array: Array, rows: NDArray[np.intp]) -> Array:
    return rows if isinstance(array, np.ndarray) else on_device_of(array, rows)


def _clip(w: Array) -> tuple[Array, Array, Array]:
    """Return ``w`` with singular values above 1 set to 1, their right singular vectors, and what they had above 1.

    Of the last two as many as the problem with the most of them has; the excess is 0 where there are fewer. Rounding
    included, no singular value of the result is above 1.
    """
    xp = array_namespace(w)
    wide = w.shape[1] < w.shape[2]
    tall = xp.matrix_transpose(w) if wide else w
    squared, vectors = xp.linalg.eigh(xp.matrix_transpose(tall) @ tall)
    sizes = xp.sqrt(xp.clip(squared, 0.0, None))
    above = int(xp.max(xp.sum(xp.astype(sizes > 1.0, xp.int64), axis=1)))
    first = sizes.shape[1] - above
    small, size = vectors[:, :, first:], sizes[:, first:]
    excess = xp.clip(size - 1.0, 0.0, None)
    large = tall @ small
    clipped = tall - (large * (excess / (1.0 + excess))[:, None, :]) @ xp.matrix_transpose(small)
    clipped = clipped / (1.0 + _EPS * max(w.shape[1:]) * xp.clip(squared[:, -1], 1.0, None))[:, None, None]
    if wide:
        return xp.matrix_transpose(clipped), large / xp.clip(size, 1.0, None)[:, None, :], excess
    return clipped, small, excess
