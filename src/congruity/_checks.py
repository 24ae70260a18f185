"""Checks on numeric input, shared by the public verbs. Each raises one sentence: verb, argument, what it is, remedy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from congruity.errors import InputError

Floats = NDArray[np.float64]

MIN_SAMPLES = 3
#: A Gram matrix may miss symmetry, or have negative eigenvalues, by this share of its largest entry or eigenvalue.
#: Wide enough for a Gram matrix computed in float32 from some thousand features, and no wider.
GRAM_TOLERANCE = 1e-4
#: Features converted to float64 and multiplied at a time.
BLOCK = 4096


def numeric(verb: str, argument: str, value: ArrayLike, ndim: int) -> NDArray[Any]:
    """Return ``value`` as it is, with ``ndim`` axes; refuse text, objects, complex numbers, NaN and infinity."""
    try:
        array: NDArray[Any] = np.asarray(value)
    except ValueError:
        raise InputError(f"{verb}: {argument} has rows of unequal length; pass a rectangular array") from None
    if array.dtype.kind == "c":
        raise InputError(f"{verb}: {argument} is complex ({array.dtype}); pass real and imaginary parts as features")
    if array.dtype.kind not in "fiub":
        raise InputError(f"{verb}: {argument} has dtype {array.dtype}, which is not numeric; pass an array of numbers")
    if array.ndim != ndim:
        raise InputError(f"{verb}: {argument} has shape {array.shape}; pass an array with {ndim} axes")
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        raise InputError(f"{verb}: {argument} holds {bad} NaN or infinite values of {array.size}; drop these samples")
    return array


def real_array(verb: str, argument: str, value: ArrayLike, ndim: int) -> Floats:
    """Return ``value`` as float64, checked as by `numeric`."""
    return np.asarray(numeric(verb, argument, value, ndim), dtype=np.float64)


def representation(verb: str, argument: str, value: ArrayLike) -> Floats:
    """Return a checked (samples, features) array with at least three samples and one feature, as float64."""
    return np.asarray(_shaped(verb, argument, value), dtype=np.float64)


def blocks(verb: str, argument: str, value: ArrayLike | Iterator[ArrayLike]) -> Iterator[Floats]:
    """Yield a checked representation in blocks of features, as float64; an iterator is taken to yield blocks itself."""
    if not isinstance(value, Iterator):
        array = _shaped(verb, argument, value)
        for start in range(0, array.shape[1], BLOCK):
            yield np.asarray(array[:, start : start + BLOCK], dtype=np.float64)
        return
    samples = None
    for number, part in enumerate(value):
        block = representation(verb, f"{argument}, block {number}", part)
        if samples not in (None, len(block)):
            raise InputError(
                f"{verb}: {argument}, block {number} has {len(block)} samples and block 0 has {samples}; blocks hold "
                "different features of the same samples"
            )
        samples = len(block)
        yield block
    if samples is None:
        raise InputError(f"{verb}: {argument} is an iterator that gave no block; pass arrays (samples, some features)")


def samples_of(value: Any) -> int:
    """Return how many samples an array-like seems to have; 0 if it does not say (an iterator of blocks)."""
    shape = getattr(value, "shape", None)
    return int(shape[0]) if shape else len(value) if isinstance(value, Sequence) else 0  # text is refused later


def memory(verb: str, count: int, samples: int) -> None:
    """Refuse Gram matrices that do not fit: at the highest six copies of (count, samples, samples) float64."""
    needed, free = 6 * 8 * count * samples**2, _free_bytes()
    if needed > free:
        raise InputError(
            f"{verb}: {count} Gram matrices of {samples} samples need about {needed / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free; use fewer samples (a few hundred decide most comparisons) or fewer "
            "representations at a time"
        )


def _free_bytes() -> float:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux: no way to ask without another package
        return math.inf


def _shaped(verb: str, argument: str, value: ArrayLike) -> NDArray[Any]:
    array = numeric(verb, argument, value, 2)
    samples, features = array.shape
    if samples < MIN_SAMPLES:
        raise InputError(f"{verb}: {argument} has {samples} samples (shape {array.shape}); pass at least {MIN_SAMPLES}")
    if features == 0:
        raise InputError(f"{verb}: {argument} has no features (shape {array.shape}); pass at least one column")
    return array


def gram(verb: str, argument: str, value: ArrayLike) -> Floats:
    """Return a checked Gram matrix (samples, samples): exactly symmetric, positive semi-definite within tolerance."""
    array = real_array(verb, argument, value, 2)
    samples, columns = array.shape
    if samples != columns:
        raise InputError(
            f"{verb}: {argument} has shape {array.shape} but a Gram matrix is square; "
            f"pass X @ X.T, or drop gram=True to pass the representation itself"
        )
    if samples < MIN_SAMPLES:
        raise InputError(f"{verb}: {argument} has {samples} samples (shape {array.shape}); pass at least {MIN_SAMPLES}")
    largest = float(np.abs(array).max())
    skew = float(np.abs(array - array.T).max())
    if skew > GRAM_TOLERANCE * largest:
        raise InputError(
            f"{verb}: {argument} is not symmetric (entries differ by {skew:.3g}, the largest is {largest:.3g}); "
            f"pass X @ X.T over the same samples"
        )
    symmetric: Floats = (array + array.T) / 2
    eigenvalues = np.linalg.eigvalsh(symmetric)
    if eigenvalues[0] < -GRAM_TOLERANCE * max(float(eigenvalues[-1]), 0.0):
        raise InputError(
            f"{verb}: {argument} is not positive semi-definite (eigenvalues from {eigenvalues[0]:.3g} to "
            f"{eigenvalues[-1]:.3g}); pass X @ X.T, not distances or correlations with gaps"
        )
    return symmetric


def same_samples(verb: str, arguments: Sequence[str], arrays: Sequence[NDArray[Any]]) -> None:
    """Refuse arrays whose numbers of rows differ."""
    for argument, array in zip(arguments, arrays, strict=True):
        if len(array) != len(arrays[0]):
            raise InputError(
                f"{verb}: {arguments[0]} has shape {arrays[0].shape} and {argument} has shape {array.shape}; "
                f"rows must be the same samples in the same order"
            )


def varies(verb: str, argument: str, norm: float, before: float, *, centred: bool) -> None:
    """Refuse a representation of which nothing is left: ``norm`` after centring is rounding noise of ``before``."""
    if norm > 1e-12 * before:
        return
    what = "is the same for every sample" if centred else "is zero everywhere"
    raise InputError(f"{verb}: {argument} {what}, so no distance is defined; leave it out, or read another layer")


def tolerance(verb: str, value: float) -> float:
    """Return a relative tolerance in [1e-8, 0.5]."""
    number = float(value) if isinstance(value, (int, float, np.number)) else math.nan
    if not 1e-8 <= number <= 0.5:
        raise InputError(f"{verb}: tol is {value!r}; pass a relative tolerance between 1e-8 and 0.5, such as 1e-3")
    return number
