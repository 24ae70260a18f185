"""Least squares over the spectral ball, with a proof: min over norm(A)_op <= 1 of norm(A H1 - H2)_F.

H1 (r1, m) has orthogonal rows of squared length s, so that S11 = H1 H1^T = diag(s); S21 = H2 H1^T (r2, r1). Everything
happens in these coordinates, with neither widths nor samples in sight.

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

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import linalg

from congruity.values import Floats

_RELAXATION = 1.6
_MEMORY = 6


@dataclass
class SpectralBall:
    """One directed problem while it is being solved: its bracket only ever shrinks.

    Attributes:
        s: diagonal of S11, (r1,).
        cross: S21, (r2, r1).
        target: tr S22.
        floor: size of rounding errors in a squared distance, by which both bounds are widened.
        upper, lower: certified bounds on the squared distance; an upper bound known beforehand may be given.
        iterations: clips done so far.
    """

    s: Floats
    cross: Floats
    target: float
    floor: float
    upper: float = np.inf
    lower: float = 0.0
    iterations: int = 0
    _w: Floats = field(init=False)
    _history: _Anderson = field(init=False)

    def __post_init__(self) -> None:
        self._rho = max(float(self.s.mean()), self.floor)
        self._w = np.zeros_like(self.cross)
        self._history = _Anderson(self.cross.shape)
        self.upper = min(self.upper, self.target + self.floor)  # A = 0

    @property
    def bracket(self) -> tuple[float, float]:
        """Lower and upper bound on the distance itself."""
        return float(np.sqrt(self.lower)), float(np.sqrt(self.upper))

    def start(self, singular_values: Floats, right: Floats) -> None:
        """Go to the near-solution about Procrustes; ``cross`` = P diag(singular_values) ``right``, right (r1, r1)."""
        root = np.zeros(len(self.s))
        root[: len(singular_values)] = singular_values
        if root[0] <= self.floor:  # uncorrelated: A = 0 is the solution, and X = S11 its proof
            self._bound_below(np.zeros((len(root), len(root))))
            return
        # The multiplier has the scale of L, not of S11, which a few directions may dominate: with the mean of s,
        # spectra spread over eight decades take thousands of iterations; even ones take 4 to 30 either way.
        self._rho = float(np.sqrt(root.mean() / 2.0) * np.sqrt(root).mean())
        scale = np.sqrt(np.sqrt(np.maximum(root, 1e-9 * root[0])))
        slack = (np.diag(root) - (right * self.s) @ right.T) / np.outer(scale, scale)
        eigenvalues, vectors = _eigh(slack)
        factor = (right.T * scale) @ (vectors * np.sqrt(np.maximum(eigenvalues, 0.0)))
        multiplier = factor @ factor.T
        factor, half = self._bound_below(multiplier)
        guess = linalg.solve_triangular(factor, half, lower=True, trans=1, check_finite=False).T
        z = _clip(guess)[0]  # unclipped, its excess would be taken for multiplier, and twice the iterations follow
        self._bound_above(z)
        self._w = z + z @ multiplier / self._rho

    def step(self) -> None:
        """Clip, bound from both sides, and move on."""
        z, vectors, excess = _clip(self._w)
        self.iterations += 1
        self._bound_above(z)
        self._bound_below(self._rho * (vectors * excess) @ vectors.T)
        a = (self.cross + self._rho * (2.0 * z - self._w)) / (self.s + self._rho)
        self._w = self._history.next(self._w, _RELAXATION * (a - z))

    def _bound_above(self, a: Floats) -> None:
        value = self.target + float(np.vdot(a, a * self.s - 2.0 * self.cross))
        self.upper = min(self.upper, max(value, 0.0) + self.floor)

    def _bound_below(self, multiplier: Floats) -> tuple[Floats, Floats]:
        """Use X = S11 + ``multiplier`` + a little identity, which keeps X feasible and regular.

        Return its Cholesky factor C (r1, r1) and C^-1 S12 (r1, r2).
        """
        system = multiplier.copy()
        diagonal = system.reshape(-1)[:: len(self.s) + 1]  # a view
        diagonal += self.s
        ridge = self.floor + np.finfo(np.float64).eps * len(self.s) * float(diagonal.max())
        diagonal += ridge
        factor = linalg.cholesky(system, lower=True, check_finite=False)
        half = linalg.solve_triangular(factor, self.cross.T, lower=True, check_finite=False)
        value = self.target - float(np.vdot(half, half)) - float(np.trace(multiplier)) - len(self.s) * ridge
        self.lower = max(self.lower, value - self.floor)
        return factor, half


class _Anderson:
    """Extrapolates a fixed-point iteration w <- w + residual(w) from its last few steps (type II).

    Rows of two ring buffers hold the changes of the residual and of w + residual from one point to the next; the normal
    matrix of the former is kept up to date by one row a step.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._residuals = np.zeros((_MEMORY, math.prod(shape)))
        self._targets = np.zeros((_MEMORY, math.prod(shape)))
        self._normal = np.zeros((_MEMORY, _MEMORY))
        self._last: tuple[Floats, Floats] | None = None  # residual and w + residual
        self._kept = 0
        self._size = np.inf

    def next(self, w: Floats, residual: Floats) -> Floats:
        """Return the next point; where the last extrapolation doubled the residual, the plain step that it replaced."""
        size = float(np.linalg.norm(residual))
        if self._last is not None and self._kept > 0 and size > 2.0 * self._size:
            plain, self._last, self._kept = self._last[1], None, 0
            return plain
        target = w + residual
        if self._last is not None:
            self._keep((residual - self._last[0]).ravel(), (target - self._last[1]).ravel())
        self._last, self._size = (residual, target), size
        rows = min(self._kept, _MEMORY)
        if rows == 0:
            return target
        normal = self._normal[:rows, :rows].copy()
        normal.flat[:: rows + 1] += 1e-10 * np.trace(normal) + np.finfo(np.float64).tiny
        weights = np.linalg.solve(normal, self._residuals[:rows] @ residual.ravel())
        extrapolated: Floats = target - (weights @ self._targets[:rows]).reshape(w.shape)
        return extrapolated

    def _keep(self, residual_change: Floats, target_change: Floats) -> None:
        row = self._kept % _MEMORY
        self._residuals[row], self._targets[row] = residual_change, target_change
        self._kept += 1
        rows = min(self._kept, _MEMORY)
        self._normal[row, :rows] = self._normal[:rows, row] = self._residuals[:rows] @ residual_change


def _clip(w: Floats) -> tuple[Floats, Floats, Floats]:
    """Return ``w`` with singular values above 1 set to 1, their right singular vectors, and what they had above 1.

    Rounding included, no singular value of the result is above 1.
    """
    squared, vectors = _eigh(w.T @ w)
    size = np.sqrt(np.maximum(squared, 0.0))
    above = size > 1.0
    v = vectors[:, above]
    clipped = w - (w @ (v * (1.0 - 1.0 / size[above]))) @ v.T
    clipped /= 1.0 + np.finfo(np.float64).eps * len(size) * max(1.0, float(squared[-1]))
    return clipped, v, size[above] - 1.0


def _eigh(symmetric: Floats) -> tuple[Floats, Floats]:
    eigenvalues, vectors = linalg.eigh(symmetric, driver="evd", check_finite=False)
    return eigenvalues, vectors
