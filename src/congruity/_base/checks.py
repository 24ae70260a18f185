"""Checks on numeric input, shared by the public verbs. Each raises one sentence: verb, argument, what it is, remedy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj, is_numpy_array, to_device
from numpy.typing import NDArray

from congruity.errors import InputError

Floats = NDArray[np.float64]
Array = Any  # of any namespace with the array API

MIN_SAMPLES = 3
#: A Gram matrix may miss symmetry, or have negative eigenvalues, by this share of its largest entry or eigenvalue.
#: Wide enough for a Gram matrix computed in float32 from some thousand features, and no wider.
GRAM_TOLERANCE = 1e-4
#: Features converted to float64 and multiplied at a time.
BLOCK = 4096


def numeric(verb: str, argument: str, value: Any, ndim: int) -> Array:
    """Return ``value`` with ``ndim`` axes, a tensor as one; refuse text, objects, complex, NaN, infinity."""
    array = _array(verb, argument, value)
    xp = array_namespace(array)
    if array.ndim != ndim:
        raise InputError(f"{verb}: {argument} has shape {tuple(array.shape)}; pass an array with {ndim} axes")
    with np.errstate(invalid="ignore", over="ignore"):
        if xp.isdtype(array.dtype, "real floating") and bool(xp.isfinite(xp.sum(array))):
            return array  # one pass; a sum that is not finite may also have overflowed
    bad = int(xp.sum(xp.astype(~xp.isfinite(array), xp.int64)))
    if bad:
        size = math.prod(array.shape)
        raise InputError(f"{verb}: {argument} holds {bad} NaN or infinite values of {size}; drop these samples")
    return array


def _array(verb: str, argument: str, value: Any) -> Array:
    if is_array_api_obj(value) and not is_numpy_array(value):
        array = value.detach() if hasattr(value, "detach") else value
        kinds = ("bool", "integral", "real floating", "complex floating")
        kind = next(k for k in kinds if array_namespace(array).isdtype(array.dtype, k))
    else:
        try:
            array = np.asarray(value)
        except ValueError:
            raise InputError(f"{verb}: {argument} has rows of unequal length; pass a rectangular array") from None
        kind = {"c": "complex floating", "f": "real floating", "i": "integral", "u": "integral", "b": "bool"}.get(
            array.dtype.kind, ""
        )
    if kind == "complex floating":
        raise InputError(f"{verb}: {argument} is complex ({array.dtype}); pass real and imaginary parts as features")
    if not kind:
        raise InputError(f"{verb}: {argument} has dtype {array.dtype}, which is not numeric; pass an array of numbers")
    return array


def real_array(verb: str, argument: str, value: Any, ndim: int) -> Floats:
    """Return ``value`` as float64 on the host, checked as by `numeric`."""
    return _on_host(numeric(verb, argument, value, ndim))


def _on_host(array: Array) -> Floats:
    return np.asarray(to_device(_float64(array), "cpu"))


def _float64(array: Array) -> Array:
    xp = array_namespace(array)
    return xp.astype(array, xp.float64, copy=False)


def representation(verb: str, argument: str, value: Any) -> Floats:
    """Return a checked (samples, features) array with at least three samples and one feature, as float64."""
    return _on_host(_shaped(verb, argument, value))


def blocks(verb: str, argument: str, value: Any) -> Iterator[Array]:
    """Yield a checked representation in blocks of features, as float64; an iterator is taken to yield blocks itself."""
    if not isinstance(value, Iterator):
        array = _shaped(verb, argument, value)
        for start in range(0, array.shape[1], BLOCK):
            yield _float64(array[:, start : start + BLOCK])
        return
    samples = None
    for number, part in enumerate(value):
        block = _float64(_shaped(verb, f"{argument}, block {number}", part))
        if samples not in (None, len(block)):
            raise InputError(
                f"{verb}: {argument}, block {number} has {len(block)} samples and block 0 has {samples}; blocks hold "
                "different features of the same samples"
            )
        samples = len(block)
        yield block
    if samples is None:
        raise InputError(f"{verb}: {argument} is an iterator that gave no block; pass arrays (samples, some features)")


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


def _shaped(verb: str, argument: str, value: Any) -> Array:
    array = numeric(verb, argument, value, 2)
    samples, features = shape = tuple(array.shape)
    if samples < MIN_SAMPLES:
        raise InputError(f"{verb}: {argument} has {samples} samples (shape {shape}); pass at least {MIN_SAMPLES}")
    if features == 0:
        raise InputError(f"{verb}: {argument} has no features (shape {shape}); pass at least one column")
    return array


def gram(verb: str, argument: str, value: Any) -> Array:
    """Return a checked Gram matrix (samples, samples): exactly symmetric, positive semi-definite within tolerance."""
    array = _float64(numeric(verb, argument, value, 2))
    xp = array_namespace(array)
    samples, columns = shape = tuple(array.shape)
    if samples != columns:
        raise InputError(
            f"{verb}: {argument} has shape {shape} but a Gram matrix is square; "
            f"pass X @ X.T, or drop gram=True to pass the representation itself"
        )
    if samples < MIN_SAMPLES:
        raise InputError(f"{verb}: {argument} has {samples} samples (shape {shape}); pass at least {MIN_SAMPLES}")
    largest = float(xp.max(xp.abs(array)))
    skew = float(xp.max(xp.abs(array - array.T)))
    if skew > GRAM_TOLERANCE * largest:
        raise InputError(
            f"{verb}: {argument} is not symmetric (entries differ by {skew:.3g}, the largest is {largest:.3g}); "
            f"pass X @ X.T over the same samples"
        )
    symmetric = (array + array.T) / 2
    eigenvalues = xp.linalg.eigvalsh(symmetric)
    lowest, highest = float(eigenvalues[0]), float(eigenvalues[-1])
    if lowest < -GRAM_TOLERANCE * max(highest, 0.0):
        raise InputError(
            f"{verb}: {argument} is not positive semi-definite (eigenvalues from {lowest:.3g} to {highest:.3g}); "
            f"pass X @ X.T, not distances or correlations with gaps"
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


def between(verb: str, argument: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside [low, high]."""
    if not isinstance(value, (int, float, np.number)) or not low <= value <= high:
        raise InputError(f"{verb}: {argument} is {value!r}; pass a number between {low:g} and {high:g}")
