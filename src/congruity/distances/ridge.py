"""Held-out error of ridge regression from one representation to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from congruity._base.arrays import Array
from congruity._base.progress import Progress
from congruity._base.streams import stream
from congruity.distances.contract import table_of
from congruity.distances.gram import SHAPE_ONLY, on_device_of, to_host
from congruity.errors import InputError, UnknownNameError
from congruity.values import DistanceTable, Traits

Indices = NDArray[np.intp]
R2 = Literal["variance_weighted", "uniform"]


@dataclass(frozen=True)
class Ridge:
    """One minus the variance-weighted R^2 of predicting the column from the row, on held-out queries.

    values[i, j] = norm(Y_e - P_i Y_t)_F^2 / norm(Y_e)_F^2 with Y the representation j centred by its training mean,
    e the held-out and t the training queries, P_i = K_et (K_tt + a I)^-1 from the Gram matrix K of i. Every ordered
    pair takes the penalty a, among ``alphas`` x trace(K_tt) / t, with the smallest exact leave-one-out error on the
    training queries.
    At least 0 and not bounded above (worse than the mean is > 1). Directed, and not a metric: d(x, x) > 0, a floor that
    falls with more queries; so compare at a fixed target (column). The split depends on the order of the queries.

    Attributes:
        alphas: penalties to choose from, as shares of the mean diagonal of the training Gram matrix.
        test_fraction: share of queries held out, in [0.05, 0.5].
        seed: of the split, which all pairs share.
        r2: "variance_weighted", or "uniform": the mean of the R^2 of the target's features, all of them alike. For that
            `congruity.pairwise` has to see features; Gram matrices, as in fingerprints, have none. A feature that does
            not leave its training mean on the held-out queries has no R^2 and is left out. Penalties as before.

    >>> import numpy as np
    >>> from congruity import pairwise
    >>> x = np.random.default_rng(0).standard_normal((40, 3))
    >>> pairwise([x, x[:, :1]], Ridge()).values.round(2).tolist()
    [[0.0, 0.0], [0.5, 0.0]]

    Source: as in the reference implementation of Sun & Toneva 2026 (arXiv 2603.30002), with the penalty chosen by
    leave-one-out; Hoerl & Kennard (1970).
    """

    name: ClassVar[str] = "ridge"
    traits: ClassVar[Traits] = Traits(
        metric=False,
        symmetric=False,
        invariances=SHAPE_ONLY,
        range=(0.0, float("inf")),
        reference="Hoerl & Kennard 1970",
    )

    alphas: tuple[float, ...] = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    test_fraction: float = 0.2
    seed: int = 0
    r2: R2 = "variance_weighted"

    def __post_init__(self) -> None:
        if not self.alphas or not all(0 < alpha < np.inf for alpha in self.alphas):
            raise InputError(f"Ridge: alphas is {self.alphas}; pass at least one penalty, all positive and finite")
        if not 0.05 <= self.test_fraction <= 0.5:
            raise InputError(f"Ridge: test_fraction is {self.test_fraction}; pass a share between 0.05 and 0.5")
        if self.r2 not in get_args(R2):
            raise UnknownNameError("Ridge r2", self.r2, get_args(R2))

    @property
    def target_features(self) -> Callable[[Array], Array] | None:
        """What to do with features (m, some) of a target before its Gram matrix is made; None for nothing."""
        return self._by_held_out_deviation if self.r2 == "uniform" else None

    def _by_held_out_deviation(self, block: Array) -> Array:
        xp = array_namespace(block)
        largest = xp.max(xp.abs(block), axis=0)
        h = block / xp.where(largest > 0.0, largest, xp.ones_like(largest))
        train, test = (xp.take(h, on_device_of(h, rows), axis=0) for rows in self.split(len(block)))
        deviation = xp.sqrt(xp.mean((test - xp.mean(train, axis=0)) ** 2, axis=0))
        varies = deviation > 1e-12
        return xp.where(varies, h / xp.where(varies, deviation, xp.ones_like(deviation)), xp.zeros_like(h))

    def split(self, samples: int) -> tuple[Indices, Indices]:
        """Return indices of the (training, held-out) queries, each sorted; at least two of them train."""
        order = stream(self.seed, "ridge split", samples).permutation(samples)
        held_out = min(max(1, round(self.test_fraction * samples)), samples - 2)
        return np.sort(order[held_out:]), np.sort(order[:held_out])

    def table(
        self, grams: Array, labels: tuple[str, ...], *, progress: Progress, targets: Array | None = None
    ) -> DistanceTable:
        """Return all ordered pairs of ``grams`` (N, m, m); ``targets`` are made from `target_features`.

        For one source and penalty, the errors of all targets are inner products of one quadratic form with the targets'
        Gram matrices: an eigendecomposition a source, a matrix product a source and penalty, and one for all targets.
        """
        xp = array_namespace(grams)
        train, test = self.split(grams.shape[1])
        n, t = len(grams), len(train)
        order = on_device_of(grams, np.r_[train, test])
        if (self.r2 == "uniform") != (targets is not None):
            raise InputError(
                f"Ridge: r2={self.r2!r} and target Gram matrices do not go together; use congruity.pairwise"
            )

        def in_order(matrices: Array) -> Array:
            return _centred_by_first(xp.take(xp.take(matrices, order, axis=1), order, axis=2), t)

        ordered = in_order(grams)
        predicted = ordered if targets is None else in_order(targets)
        energy, whole = to_host(xp.linalg.trace(predicted[:, t:, t:])), to_host(xp.linalg.trace(predicted))
        own, training = to_host(xp.linalg.trace(ordered)), to_host(xp.linalg.trace(ordered[:, :t, :t]))
        constant = np.flatnonzero(energy <= 1e-14 * whole)
        if len(constant):
            raise InputError(
                f"Ridge: {labels[constant[0]]!r} does not vary on the {grams.shape[1] - t} held-out queries; "
                f"pass another seed, a larger test_fraction or more queries"
            )
        whole_targets, training_targets = xp.reshape(predicted, (n, -1)).T, xp.reshape(ordered[:, :t, :t], (n, -1)).T
        values = np.empty((n, n))
        for i in range(n):
            if training[i] <= 1e-14 * own[i]:  # constant in training: it predicts the mean
                values[i] = energy
                continue
            source = _Source.of(ordered[i], t)
            penalties = [alpha * source.mean_eigenvalue for alpha in self.alphas]
            left_out = xp.stack([xp.reshape(source.left_out(a), (-1,)) for a in penalties]) @ training_targets
            chosen, place = np.unique(np.argmin(to_host(left_out), axis=0), return_inverse=True)
            held_out = xp.stack([xp.reshape(source.held_out(penalties[k]), (-1,)) for k in chosen]) @ whole_targets
            values[i] = np.maximum(to_host(held_out)[place, np.arange(n)], 0.0)
            progress("ridge", i + 1, n)
        return table_of(self, values / energy, labels)


def _centred_by_first(grams: Array, t: int) -> Array:
    """Return Gram matrices (N, m, m) of the representations minus their mean over the first ``t`` queries."""
    xp = array_namespace(grams)
    columns = xp.mean(grams[:, :t], axis=1, keepdims=True)  # (N, 1, m)
    return grams - columns - xp.matrix_transpose(columns) + xp.mean(columns[:, :, :t], axis=2, keepdims=True)


class _Source(NamedTuple):
    """A representation that predicts: its training Gram matrix decomposed, and its held-out rows in that basis."""

    eigenvalues: Array  # (t,)
    vectors: Array  # (t, t)
    held_out_rows: Array  # (e, t): K_et V

    @classmethod
    def of(cls, gram: Array, t: int) -> _Source:
        xp = array_namespace(gram)
        eigenvalues, vectors = xp.linalg.eigh(gram[:t, :t])
        return cls(xp.clip(eigenvalues, 0.0, None), vectors, gram[t:, :t] @ vectors)

    @property
    def mean_eigenvalue(self) -> float:
        return max(float(to_host(self.eigenvalues).mean()), np.finfo(np.float64).tiny)

    def left_out(self, penalty: float) -> Array:
        """Return Q (t, t) whose inner product with a target's Gram matrix is its leave-one-out error.

        Q = R diag(R)^-2 R, R = I - 1 1^T / t - K_tt (K_tt + a I)^-1, the exact residual maker with an intercept.
        """
        xp = array_namespace(self.vectors)
        t = len(self.eigenvalues)
        root = self.vectors * xp.sqrt(self.eigenvalues / (self.eigenvalues + penalty))
        residual = xp.eye(t, dtype=xp.float64, device=device(root)) - 1.0 / t - root @ root.T
        scaled = residual / xp.clip(xp.linalg.diagonal(residual), 1e-12, None)[:, None]
        return scaled.T @ scaled  # a matrix times its own transpose: NumPy does half of the work

    def held_out(self, penalty: float) -> Array:
        """Return Q (m, m) whose inner product with a target's Gram matrix is its held-out error: S^T S, S = [-P, I]."""
        prediction = (self.held_out_rows / (self.eigenvalues + penalty)) @ self.vectors.T
        xp = array_namespace(prediction)
        identity = xp.eye(len(prediction), dtype=xp.float64, device=device(prediction))
        residual = xp.concat([-prediction, identity], axis=1)
        return residual.T @ residual
