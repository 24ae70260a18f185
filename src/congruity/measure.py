"""Measure: distances between representations of the same samples, from arrays to a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from congruity import _checks, distances
from congruity.engine import one_blas_thread
from congruity.errors import InputError
from congruity.protocols import Distance, Progress, silent
from congruity.values import Certified, DistanceTable, Floats


def pairwise(
    reprs: Iterable[ArrayLike | Iterator[ArrayLike]],
    distance: Distance | str,
    *,
    gram: bool = False,
    labels: Sequence[str] | None = None,
    center: bool = True,
    normalize: bool = True,
    progress: Progress = silent,
) -> DistanceTable:
    """Return the distances between all pairs of representations of the same samples.

    Args:
        reprs: N arrays (samples, features), of any widths; or N Gram matrices (samples, samples) with ``gram=True``.
            An iterator in place of an array gives its features in blocks (samples, some features), and ``reprs`` itself
            may be a generator: then memory holds one block, the N Gram matrices and up to five copies of them.
        distance: an object such as ``Spectral(tol=1e-2)``, or the name of a registered one.
        gram: whether ``reprs`` are Gram matrices.
        labels: N names for the table; "0", "1", ... by default.
        center: subtract the mean over samples.
        normalize: scale each representation to unit Frobenius norm (its Gram matrix to trace 1).
        progress: told how far it is.

    Returns:
        A table with ``values`` (N, N), row = from, column = to.

    Raises:
        InputError: an array that is not numeric, finite, non-constant, or not of the others' number of samples; more
            memory needed than there is.
        UnknownNameError: no distance has that name.

    >>> import numpy as np
    >>> x = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
    >>> pairwise([x, -x, x[:, :1]], "procrustes").values.round(3).tolist()
    [[0.0, 0.0, 0.647], [0.0, 0.0, 0.647], [0.647, 0.647, 0.0]]
    """
    measure = distances.by_name(distance) if isinstance(distance, str) else distance
    if isinstance(reprs, (Sequence, np.ndarray)) and len(reprs):
        _checks.memory("pairwise", len(reprs), _checks.samples_of(reprs[0]))
    with one_blas_thread():
        grams: list[Floats] = []
        shapes: list[str] = []
        for k, x in enumerate(reprs):
            name = f"reprs[{k}]"
            if gram:
                made = standard_gram(
                    _checks.gram("pairwise", name, cast(ArrayLike, x)), center=center, normalize=normalize, name=name
                )
            else:
                made = _gram(name, x, center, normalize)
            shapes.append(f"({len(made)}, ...)" if isinstance(x, Iterator) else str(np.shape(x)))
            if grams and len(made) != len(grams[0]):
                raise InputError(
                    f"pairwise: reprs[0] has shape {shapes[0]} and {name} has shape {shapes[-1]}; rows must be the "
                    "same samples in the same order"
                )
            grams.append(made)
    names = tuple(str(k) for k in range(len(grams))) if labels is None else tuple(labels)
    if len(grams) == 0:
        raise InputError("pairwise: reprs is empty; pass at least one representation")
    if len(names) != len(grams):
        raise InputError(f"pairwise: labels has {len(names)} names for {len(grams)} reprs; pass one name for each")
    with one_blas_thread():
        return measure.table(np.stack(grams), names, progress=progress)


def d_repr(X: ArrayLike, Y: ArrayLike, *, tol: float = 1e-3, center: bool = True, normalize: bool = True) -> Certified:
    """Return the spectral-ball distance of two representations, with a certificate.

    d(X, Y) = max(min over norm(A)_op <= 1 of norm(X A - Y)_F, min over norm(A)_op <= 1 of norm(Y A - X)_F).

    Args:
        X, Y: arrays (samples, features), rows the same samples in the same order; widths may differ.
        tol: relative width of the bracket to reach in both directions; absolute below a thousandth of the norm.
        center: subtract the mean over samples.
        normalize: scale each to unit Frobenius norm, which puts the distance in [0, 1].

    Returns:
        A `Certified` number: ``lower <= exact <= upper``; ``directions`` holds X -> Y and Y -> X.

    Raises:
        InputError: an array that is not numeric, finite and non-constant; other numbers of samples; a bad tolerance.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((20, 4))
    >>> result = d_repr(x, x[:, :2])
    >>> result.lower <= float(result) <= result.upper, result.status
    (True, 'converged')

    Source: Sun & Toneva 2026 (arXiv 2603.30002) for the distance; the certificate and the solver are ours.
    """
    from congruity.distances.spectral_pair import Pair, midpoint  # SciPy takes half a second to import

    tol = _checks.tolerance("d_repr", tol)
    x, y = _checks.representation("d_repr", "X", X), _checks.representation("d_repr", "Y", Y)
    _checks.same_samples("d_repr", ("X", "Y"), (x, y))
    roots = [_square_root(_prepared("d_repr", name, h, center, normalize)) for name, h in (("X", x), ("Y", y))]
    pair = Pair(roots[0], roots[1])
    pair.refine_both(tol)
    lower, upper = pair.bracket
    forth, back = ((midpoint(*d.bracket, pair.floor), *d.bracket) for d in pair.directions)
    done = all(pair.narrow(*d.bracket, tol) for d in pair.directions)
    status = "converged" if done else f"stopped after {pair.iterations} iterations at a width of {upper - lower:.2g}"
    return Certified(midpoint(lower, upper, pair.floor), lower, upper, (forth, back), pair.iterations, status)


def standard_gram(gram: Floats, *, center: bool = True, normalize: bool = True, name: str = "gram") -> Floats:
    """Return H K H / trace(H K H), H = I - 1 1^T / m: the Gram matrix of the centred representation at unit norm.

    >>> import numpy as np
    >>> standard_gram(np.diag([1.0, 0.0, 0.0])).round(3).tolist()
    [[0.667, -0.333, -0.333], [-0.333, 0.167, 0.167], [-0.333, 0.167, 0.167]]
    """
    before = float(np.trace(gram))
    result = gram
    if center:
        column = gram.mean(axis=0)
        result = gram - column - column[:, None] + column.mean()
    _checks.varies("pairwise", name, float(np.trace(result)), before, centred=center)
    return np.asarray(result / np.trace(result) if normalize else result)


def _gram(name: str, x: ArrayLike | Iterator[ArrayLike], center: bool, normalize: bool) -> Floats:
    """Return the Gram matrix of a representation as `standard_gram` would, from one block of features at a time."""
    gram: Floats = np.zeros((0, 0))
    largest = before = 0.0
    for block in _checks.blocks("pairwise", name, x):
        if gram.size == 0:
            gram = np.zeros((len(block), len(block)))
        size = float(np.abs(block).max())
        if size > largest:  # so that squares neither overflow nor vanish
            gram *= (largest / size) ** 2
            before *= (largest / size) ** 2
            largest = size
        h = block / largest if largest > 0.0 else block
        before += float(np.vdot(h, h))
        if center:
            h = h - h.mean(axis=0)
        gram += h @ h.T
    if not normalize and not largest < 1e150:
        raise InputError(f"pairwise: {name} reaches {largest:.1e}, whose square overflows; pass normalize=True")
    left = float(np.trace(gram))
    _checks.varies("pairwise", name, left**0.5, before**0.5, centred=center)
    return gram / left if normalize else gram * largest**2


def _prepared(verb: str, name: str, x: Floats, center: bool, normalize: bool) -> Floats:
    """Return ``x`` (samples, features), centred and scaled as asked."""
    largest = float(np.abs(x).max())
    h = x / largest if largest > 0.0 else x  # so that squares neither overflow nor vanish
    before = float(np.linalg.norm(h))
    if center:
        h = h - h.mean(axis=0)
    norm = float(np.linalg.norm(h))
    _checks.varies(verb, name, norm, before, centred=center)
    return h / norm if normalize else h * largest


def _square_root(h: Floats) -> Floats:
    """Return (r, samples) with the Gram matrix of ``h`` and orthogonal rows, without forming that matrix."""
    _, sizes, right = np.linalg.svd(np.linalg.qr(h.T, mode="r"))
    kept = sizes > 1e-14 * sizes[0]
    root: Floats = sizes[kept, None] * right[: len(sizes)][kept]
    return root
