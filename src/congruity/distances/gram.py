"""Linear algebra on Gram matrices that distances share, in any array namespace: NumPy, PyTorch on any device."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from array_api_compat import array_namespace, device, to_device
from numpy.typing import NDArray

from congruity._base.arrays import Array, Floats
from congruity._base.progress import Progress
from congruity.errors import InputError

#: Invariances of every distance that depends on the shape of a cloud of centred samples alone.
SHAPE_ONLY = frozenset({"orthogonal", "permutation", "padding", "scaling", "translation"})


def to_host(array: Array) -> Floats:
    """Return a NumPy array of the same values."""
    return np.asarray(to_device(array, "cpu"))


def on_device_of(other: Array, array: NDArray[Any]) -> Array:
    """Return a NumPy array's values in the namespace and on the device of ``other``."""
    return array_namespace(other).asarray(array, device=device(other))


def centred(grams: Array, labels: tuple[str, ...], who: str) -> Array:
    """Return H K H for every K of ``grams`` (N, m, m), H = I - 1 1^T / m: Gram matrices of centred representations.

    Raises:
        InputError: nothing but rounding is left of one of them.
    """
    xp = array_namespace(grams)
    columns = xp.mean(grams, axis=1, keepdims=True)  # (N, 1, m)
    result = grams - columns - xp.matrix_transpose(columns) + xp.mean(columns, axis=2, keepdims=True)
    left, before = to_host(xp.linalg.trace(result)), to_host(xp.max(xp.abs(grams), axis=(1, 2)))
    flat = np.flatnonzero(~(left > 1e-13 * grams.shape[1] * before))
    if len(flat):
        raise InputError(
            f"{who}: {labels[flat[0]]!r} is the same for every sample, so nothing is left once it is centred"
        )
    return result


def squared_distances(gram: Array) -> Array:
    """Return norm(x_i - x_j)^2 between the samples of a Gram matrix (m, m); never below 0, 0 on the diagonal."""
    xp = array_namespace(gram)
    own = xp.linalg.diagonal(gram)
    result = own[:, None] + own[None, :] - 2.0 * gram
    return hollow(xp.where(result > 0.0, result, xp.zeros_like(result)))


def hollow(matrices: Array) -> Array:
    """Return matrices (..., m, m) with exactly 0 on the diagonal."""
    xp = array_namespace(matrices)
    eye = xp.eye(matrices.shape[-1], dtype=xp.bool, device=device(matrices))
    return xp.where(eye, xp.zeros_like(matrices), matrices)


def one_minus_cosines(vectors: Array) -> Floats:
    """Return 1 - cosine for all pairs of rows (N, d), as one matrix product; exactly 0 on the diagonal, in [0, 2]."""
    xp = array_namespace(vectors)
    unit = vectors / xp.max(xp.abs(vectors), axis=1, keepdims=True)  # or squares overflow
    unit = unit / xp.linalg.vector_norm(unit, axis=1, keepdims=True)
    return np.clip(to_host(hollow(1.0 - unit @ unit.T)), 0.0, 2.0)


def spectrum(gram: Array) -> tuple[Array, Array]:
    """Return eigenvalues (r,) above rounding, largest first, and their eigenvectors (m, r), of a Gram matrix (m, m)."""
    xp = array_namespace(gram)
    eigenvalues, vectors = xp.linalg.eigh(gram)
    kept = int(xp.sum(xp.astype(eigenvalues > 1e-12 * eigenvalues[-1], xp.int64)))
    return xp.flip(eigenvalues)[:kept], xp.flip(vectors, axis=1)[:, :kept]


def square_roots(grams: Array) -> Array:
    """Return H (N, r, m) with H^T H = ``grams`` (N, m, m) and orthogonal rows, longest last.

    r is the largest rank; where a rank is lower, the first rows are zero.
    """
    xp = array_namespace(grams)
    eigenvalues, vectors = xp.linalg.eigh(grams)
    kept = eigenvalues > 1e-14 * eigenvalues[:, -1:]
    rank = max(1, int(xp.max(xp.sum(xp.astype(kept, xp.int64), axis=1))))
    sizes = xp.sqrt(xp.where(kept, eigenvalues, xp.zeros_like(eigenvalues)))
    return (sizes[:, :, None] * xp.matrix_transpose(vectors))[:, -rank:, :]


def nuclear_norms(bases: list[Array], stage: str, progress: Progress) -> Floats:
    """Return the nuclear norm of A^T B for all pairs of ``bases`` (m, r), which may differ in r, as (N, N)."""
    xp = array_namespace(*bases)
    n = len(bases)
    norms = np.zeros((n, n))
    for i, a in enumerate(bases):
        for j, b in enumerate(bases[: i + 1]):
            norms[i, j] = norms[j, i] = float(xp.sum(xp.linalg.svdvals(a.T @ b)))
        progress(stage, i + 1, n)
    return norms


def solve_lower(factor: Array, right: Array, *, transposed: bool = False) -> Array:
    """Return C^-1 B, or C^-T B, for lower triangular C (B, r, r) and B (B, r, k): the array API has no such solver."""
    if isinstance(factor, np.ndarray):
        from scipy import linalg  # SciPy takes half a second to import

        trans: Literal["T", "N"] = "T" if transposed else "N"
        pairs = zip(factor, right, strict=True)
        return np.stack([linalg.solve_triangular(c, b, trans, lower=True, check_finite=False) for c, b in pairs])
    xp = array_namespace(factor)
    return xp.linalg.solve_triangular(xp.matrix_transpose(factor) if transposed else factor, right, upper=transposed)
