"""What several distances need of Gram matrices: centring, squared distances between samples, cosines of all pairs."""

from __future__ import annotations

import numpy as np

from congruity.errors import InputError
from congruity.values import Floats


def centred(grams: Floats, labels: tuple[str, ...], who: str) -> Floats:
    """Return H K H for every K of ``grams`` (N, m, m), H = I - 1 1^T / m: Gram matrices of centred representations.

    Raises:
        InputError: nothing but rounding is left of one of them.
    """
    columns = grams.mean(axis=1, keepdims=True)  # (N, 1, m)
    result: Floats = grams - columns - columns.transpose(0, 2, 1) + columns.mean(axis=2, keepdims=True)
    left, before = np.trace(result, axis1=1, axis2=2), np.abs(grams).max(axis=(1, 2))
    flat = np.flatnonzero(~(left > 1e-13 * grams.shape[1] * before))
    if len(flat):
        raise InputError(
            f"{who}: {labels[flat[0]]!r} is the same for every sample, so nothing is left once it is centred"
        )
    return result


def squared_distances(grams: Floats) -> Floats:
    """Return norm(x_i - x_j)^2 between the samples of every Gram matrix (N, m, m); never below 0, 0 on the diagonal."""
    own = np.diagonal(grams, axis1=1, axis2=2)
    result: Floats = np.maximum(own[:, :, None] + own[:, None, :] - 2.0 * grams, 0.0)
    result[:, np.arange(grams.shape[1]), np.arange(grams.shape[1])] = 0.0
    return result


def one_minus_cosines(vectors: Floats) -> Floats:
    """Return 1 - cosine for all pairs of rows (N, d), as one matrix product; exactly 0 on the diagonal, in [0, 2]."""
    unit = vectors / np.abs(vectors).max(axis=1, keepdims=True)  # or squares overflow
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    values: Floats = np.clip(1.0 - unit @ unit.T, 0.0, 2.0)
    np.fill_diagonal(values, 0.0)
    return values


def spectrum(gram: Floats) -> tuple[Floats, Floats]:
    """Return eigenvalues (r,) above rounding, largest first, and their eigenvectors (m, r), of a Gram matrix (m, m)."""
    eigenvalues, vectors = np.linalg.eigh(gram)
    kept = eigenvalues > 1e-12 * eigenvalues[-1]
    return eigenvalues[kept][::-1], vectors[:, kept][:, ::-1]
