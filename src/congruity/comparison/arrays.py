"""Distances between representations of the same samples: `pairwise` for a table, `d_repr` for a certified number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import ArrayLike

from congruity import distances
from congruity._base import checks as _checks
from congruity._base.arrays import Array, Floats
from congruity._base.engine import one_blas_thread
from congruity._base.gram import standard_gram
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.distances.held_out import generalisation
from congruity.distances.spectral_pairs import Pairs, midpoint
from congruity.errors import InputError
from congruity.protocols import Distance
from congruity.values import Certified, DistanceTable

_SAFE = 1e-120  # entries between this and its inverse have squares, and sums of them, that float64 holds


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
            Tensors are worked on where they are, on a GPU too.
            An iterator in place of an array gives its features in blocks (samples, some features), and ``reprs`` itself
            may be a generator: then memory holds one block, the N Gram matrices and up to five copies of them.
        distance: an object such as ``Spectral(tol=1e-2)``, or the name of a registered one.
        gram: whether ``reprs`` are Gram matrices.
        labels: N names for the table; "0", "1", ... by default.
        center: subtract the mean over samples.
        normalize: scale each representation to unit Frobenius norm (its Gram matrix to trace 1).
        progress: called as (stage, done, total).

    Returns:
        A table with ``values`` (N, N), row = from, column = to.

    Raises:
        InputError: an array that is not numeric, finite, non-constant, or not of the others' number of samples; more
            memory needed than there is; a distance without traits, or a table that contradicts them.
        UnknownNameError: no distance has that name.

    >>> import numpy as np
    >>> x = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
    >>> pairwise([x, -x, x[:, :1]], "procrustes").values.round(3).tolist()
    [[0.0, 0.0, 0.647], [0.0, 0.0, 0.647], [0.647, 0.647, 0.0]]
    """
    measure = distances.chosen(distance)
    rescaled = getattr(measure, "target_features", None)
    if gram and rescaled is not None:
        raise InputError(f"pairwise: {measure} weighs features, and a Gram matrix has none; pass representations")
    with one_blas_thread():
        grams: list[Array] = []
        targets: list[Array] = []
        shapes: list[str] = []
        for k, x in enumerate(reprs):
            name = f"reprs[{k}]"
            if gram:
                made = standard_gram(_checks.gram("pairwise", name, x), center=center, normalize=normalize, name=name)
            else:
                plain, weighted = _Streamed(center, normalize), _Streamed(center, normalize)
                for block in _checks.blocks("pairwise", name, x):
                    plain.add(block)
                    if rescaled is not None:
                        weighted.add(rescaled(block))
                made = plain.finish(name)
                targets += [] if rescaled is None else [weighted.finish(f"{name}, in its features with an R^2,")]
            if k == 0 and isinstance(reprs, Sized):
                _checks.memory("pairwise", len(reprs) * (1 if rescaled is None else 2), len(made))
            shapes.append(f"({len(made)}, ...)" if isinstance(x, Iterator) else str(tuple(np.shape(x))))
            if grams:
                _alike(grams[0], made, name, shapes)
            grams.append(made)
        names = tuple(str(k) for k in range(len(grams))) if labels is None else tuple(labels)
        if len(grams) == 0:
            raise InputError("pairwise: reprs is empty; pass at least one representation")
        if len(names) != len(grams):
            raise InputError(f"pairwise: labels has {len(names)} names for {len(grams)} reprs; pass one name for each")
        stack = array_namespace(*grams).stack
        more = {"targets": stack(targets)} if targets else {}
        return distances.tabulate(measure, stack(grams), names, progress=progress, **more)


def _alike(first: Array, made: Array, name: str, shapes: list[str]) -> None:
    if len(made) != len(first):
        raise InputError(
            f"pairwise: reprs[0] has shape {shapes[0]} and {name} has shape {shapes[-1]}; rows must be the same "
            "samples in the same order"
        )
    places = [f"{array_namespace(g).__name__.rpartition('.')[2]} on {device(g)}" for g in (first, made)]
    if places[0] != places[1]:
        raise InputError(f"pairwise: reprs[0] is in {places[0]} and {name} in {places[1]}; bring all to one place")


def d_repr(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    tol: float = 1e-3,
    center: bool = True,
    normalize: bool = True,
    held_out: float | None = None,
    shuffles: int = 5,
    confidence: float = 0.95,
    seed: int = 0,
) -> Certified:
    """Return the spectral-ball distance of two representations, with a certificate.

    d(X, Y) = max(min over norm(A)_op <= 1 of norm(X A - Y)_F, min over norm(A)_op <= 1 of norm(Y A - X)_F).

    Args:
        X, Y: arrays (samples, features), rows the same samples in the same order; widths may differ.
        tol: relative width of the bracket to reach in both directions; absolute below a thousandth of the norm.
        center: subtract the mean over samples.
        normalize: scale each to unit Frobenius norm, which puts the distance in [0, 1].
        held_out: share of the samples on which maps fitted on the rest are evaluated; None for no held-out estimate.
        shuffles: number of repetitions with the samples of Y shuffled, which unrelated representations would give.
        confidence: of the bracket for the population.
        seed: of the split and the shuffles.

    Returns:
        A `Certified` number: ``lower <= exact <= upper``; ``directions`` holds X -> Y and Y -> X; ``held_out`` the
        estimate on samples that the maps were not fitted on, for which 10 to 20 samples a direction are needed.

    Raises:
        InputError: an array that is not numeric, finite and non-constant; other numbers of samples; a tolerance, share
            or confidence out of range; fewer than 6 samples to split.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((20, 4))
    >>> result = d_repr(x, x[:, :2])
    >>> result.lower <= float(result) <= result.upper, result.status
    (True, 'converged')
    >>> few = d_repr(x, x @ np.linalg.qr(x[:4])[0], held_out=0.5).held_out  # rotated: nothing to overfit
    >>> few.test < 1e-6 < min(few.null_train) < min(few.null_test)
    True

    Source: Sun & Toneva 2026 (arXiv 2603.30002) for the distance; the certificate and the solver are ours.
    """
    tol = _checks.tolerance("d_repr", tol)
    x, y = _checks.representation("d_repr", "X", X), _checks.representation("d_repr", "Y", Y)
    _checks.same_samples("d_repr", ("X", "Y"), (x, y))
    if held_out is not None:
        _checks.between("d_repr", "held_out", held_out, 0.05, 0.95)
        _checks.between("d_repr", "confidence", confidence, 0.5, 0.9999)
        _checks.between("d_repr", "seed", seed, 0, 2**63)
        if len(x) < 2 * _checks.MIN_SAMPLES or not isinstance(shuffles, int) or shuffles < 0:
            raise InputError(
                f"d_repr: held_out needs at least {2 * _checks.MIN_SAMPLES} samples to split and shuffles >= 0; here "
                f"are {len(x)} samples and shuffles = {shuffles}"
            )
    roots = [_square_root(_prepared("d_repr", name, h, center, normalize)) for name, h in (("X", x), ("Y", y))]
    pair = Pairs(roots[0][None], roots[1][None])
    pair.refine_both(tol)
    brackets = [pair.bracket, *(direction.bracket for direction in pair.directions)]
    numbers = [(midpoint(*b, pair.floor).item(), b[0].item(), b[1].item()) for b in brackets]
    done = all(pair.narrow(*b, tol).all() for b in brackets[1:])
    (value, lower, upper), forth, back = numbers
    iterations = int(pair.iterations[0])
    beyond = None
    if held_out is not None:
        beyond = generalisation(
            x,
            y,
            held_out,
            center=center,
            normalize=normalize,
            tol=tol,
            shuffles=shuffles,
            confidence=confidence,
            rng=stream(seed, "held out", len(x)),
        )
    status = "converged" if done else f"stopped after {iterations} iterations at a width of {upper - lower:.2g}"
    return Certified(value, lower, upper, (forth, back), iterations, status, beyond)


class _Streamed:
    """The Gram matrix of a representation as `standard_gram` would give it, from one block of features at a time."""

    def __init__(self, center: bool, normalize: bool) -> None:
        self._center, self._normalize = center, normalize
        self._gram: Array = None
        self._largest = self._before = self._unit = 0.0

    def add(self, block: Array) -> None:
        """Take in features (samples, some)."""
        xp = array_namespace(block)
        if self._gram is None:
            self._gram = xp.zeros((len(block), len(block)), dtype=block.dtype, device=device(block))
        size = max(float(xp.max(block)), -float(xp.min(block)))
        self._largest = max(self._largest, size)
        unit = 1.0 if _SAFE < size < 1.0 / _SAFE else size  # so that squares neither overflow nor vanish
        if unit > self._unit:
            self._gram *= (self._unit / unit) ** 2
            self._before *= (self._unit / unit) ** 2
            self._unit = unit
        h = block if self._unit in (0.0, 1.0) else block / self._unit
        self._before += float(xp.linalg.vector_norm(h)) ** 2
        if self._center:
            h = h - xp.mean(h, axis=0)
        self._gram += h @ h.T

    def finish(self, name: str) -> Array:
        """Return the Gram matrix; refuse a representation that does not vary."""
        if not self._normalize:
            _squares("pairwise", name, self._largest)
        left = float(array_namespace(self._gram).linalg.trace(self._gram))
        _checks.varies("pairwise", name, left**0.5, self._before**0.5, centred=self._center)
        return self._gram / left if self._normalize else self._gram * self._unit**2


def _prepared(verb: str, name: str, x: Floats, center: bool, normalize: bool) -> Floats:
    """Return ``x`` (samples, features), centred and scaled as asked."""
    largest = float(np.abs(x).max())
    h = x / largest if largest > 0.0 else x  # so that squares neither overflow nor vanish
    before = float(np.linalg.norm(h))
    if center:
        h = h - h.mean(axis=0)
    if not normalize:
        _squares(verb, name, largest)
    norm = float(np.linalg.norm(h))
    _checks.varies(verb, name, norm, before, centred=center)
    return h / norm if normalize else h * largest


def _squares(verb: str, name: str, largest: float) -> None:
    """Refuse entries whose squares float64 does not hold."""
    if largest and not 1e-150 < largest < 1e150:
        raise InputError(
            f"{verb}: {name} reaches {largest:.1e}, whose square float64 does not hold; pass normalize=True"
        )


def _square_root(h: Floats) -> Floats:
    """Return (r, samples) with the Gram matrix of ``h`` and orthogonal rows, without forming that matrix."""
    _, sizes, right = np.linalg.svd(np.linalg.qr(h.T, mode="r"))
    kept = sizes > 1e-14 * sizes[0]
    root: Floats = sizes[kept, None] * right[: len(sizes)][kept]
    return root
