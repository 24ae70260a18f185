"""Anderson acceleration of many fixed-point iterations at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace, device

from congruity._base.arrays import Array

_MEMORY = 6


@dataclass
class Anderson:
    """Extrapolates B fixed-point iterations w <- w + residual(w), each from its last few steps (type II).

    Rows of two ring buffers hold the changes of the residual and of w + residual from one point to the next; the normal
    matrix of the former is kept up to date by one row a step. Rows that are not yet filled are zero, and so then are
    their weights.

    Every attribute has the B problems first, so that some of them can be taken out and put back.
    """

    residuals: Array  # (B, memory, d)
    targets: Array  # (B, memory, d)
    normal: Array  # (B, memory, memory)
    last_residual: Array  # (B, d)
    last_target: Array  # (B, d)
    size: Array  # (B,) norm of last_residual; infinite where there is none
    kept: Array  # (B,) changes seen since the start, or the last jump

    @classmethod
    def like(cls, w: Array) -> Anderson:
        """Return an empty history for points of the shape of ``w`` (B, ...)."""
        xp = array_namespace(w)
        b, d = len(w), int(np.prod(w.shape[1:]))

        def zeros(*shape: int) -> Array:
            return xp.zeros(shape, dtype=w.dtype, device=device(w))

        return cls(
            residuals=zeros(b, _MEMORY, d),
            targets=zeros(b, _MEMORY, d),
            normal=zeros(b, _MEMORY, _MEMORY),
            last_residual=zeros(b, d),
            last_target=zeros(b, d),
            size=zeros(b) + float("inf"),
            kept=xp.zeros(b, dtype=xp.int64, device=device(w)),
        )

    def forget(self, which: Array) -> None:
        """Begin anew the problems ``which`` (B,) is true of."""
        xp = array_namespace(self.size)
        self.size = xp.where(which, xp.full_like(self.size, float("inf")), self.size)

    def next(self, w: Array, residual: Array) -> Array:
        """Return the next points; where an extrapolation doubled its residual, the plain step that it replaced."""
        xp = array_namespace(w)
        target, change = xp.reshape(w + residual, (len(w), -1)), xp.reshape(residual, (len(w), -1))
        size = xp.linalg.vector_norm(change, axis=1)
        known = xp.isfinite(self.size)
        jumped = known & (self.kept > 0) & (size > 2.0 * self.size)
        plain = self.last_target
        fresh = ~known | jumped
        self._keep(change - self.last_residual, target - self.last_target, fresh)
        self.last_residual, self.last_target = change, target
        self.size = xp.where(jumped, xp.full_like(size, float("inf")), size)
        trace = xp.linalg.trace(self.normal)
        eye = xp.eye(_MEMORY, dtype=w.dtype, device=device(w))
        regular = self.normal + (1e-10 * trace + np.finfo(np.float64).tiny)[:, None, None] * eye
        weights = xp.linalg.solve(regular, self.residuals @ change[:, :, None])
        extrapolated = target - (xp.matrix_transpose(weights) @ self.targets)[:, 0, :]
        return xp.reshape(xp.where(jumped[:, None], plain, extrapolated), w.shape)

    def _keep(self, residual_change: Array, target_change: Array, fresh: Array) -> None:
        """Write a row where there was a step before; forget everything where there was none, or a jump."""
        xp = array_namespace(residual_change)
        if bool(xp.any(fresh)):
            old = xp.astype(~fresh, residual_change.dtype)
            self.residuals, self.targets = self.residuals * old[:, None, None], self.targets * old[:, None, None]
            self.normal = self.normal * old[:, None, None]
            self.kept = xp.where(fresh, xp.zeros_like(self.kept), self.kept)
            residual_change = xp.where(fresh[:, None], xp.zeros_like(residual_change), residual_change)
            target_change = xp.where(fresh[:, None], xp.zeros_like(target_change), target_change)
        every, row = xp.arange(len(fresh), device=device(fresh)), self.kept % _MEMORY
        self.residuals[every, row, :] = residual_change
        self.targets[every, row, :] = target_change
        products = (self.residuals @ residual_change[:, :, None])[:, :, 0]
        self.normal[every, row, :] = products
        self.normal[every, :, row] = products
        self.kept = self.kept + xp.astype(~fresh, self.kept.dtype)
