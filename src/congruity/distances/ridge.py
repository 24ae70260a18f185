"""Held-out ridge regression: how badly one representation predicts another on queries that it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from congruity._random import stream
from congruity.errors import InputError
from congruity.protocols import Progress, Traits
from congruity.values import DistanceTable, Floats

Indices = NDArray[np.intp]


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

    >>> import numpy as np
    >>> from congruity.protocols import silent
    >>> x = np.random.default_rng(0).standard_normal((40, 3))
    >>> grams = np.stack([x @ x.T, x[:, :1] @ x[:, :1].T])
    >>> Ridge().table(grams, ("all", "first feature"), progress=silent).values.round(2).tolist()
    [[0.0, 0.0], [0.5, 0.0]]

    Source: as in the reference implementation of Sun & Toneva 2026 (arXiv 2603.30002), with the penalty chosen by
    leave-one-out; Hoerl & Kennard (1970).
    """

    alphas: tuple[float, ...] = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    test_fraction: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.alphas or not all(0 < alpha < np.inf for alpha in self.alphas):
            raise InputError(f"Ridge: alphas is {self.alphas}; pass at least one penalty, all positive and finite")
        if not 0.05 <= self.test_fraction <= 0.5:
            raise InputError(f"Ridge: test_fraction is {self.test_fraction}; pass a share between 0.05 and 0.5")

    @property
    def name(self) -> str:
        return "ridge"

    @property
    def traits(self) -> Traits:
        return Traits(
            metric=False,
            symmetric=False,
            invariances=frozenset({"orthogonal", "permutation", "padding", "scaling", "translation"}),
            range=(0.0, float("inf")),
            reference="Hoerl & Kennard 1970",
        )

    @property
    def parameters(self) -> dict[str, Any]:
        return {"alphas": list(self.alphas), "test_fraction": self.test_fraction, "seed": self.seed}

    def split(self, samples: int) -> tuple[Indices, Indices]:
        """Return indices of the (training, held-out) queries, each sorted; at least two of them train."""
        order = stream(self.seed, "ridge split", samples).permutation(samples)
        held_out = min(max(1, round(self.test_fraction * samples)), samples - 2)
        return np.sort(order[held_out:]), np.sort(order[:held_out])

    def table(self, grams: Floats, labels: tuple[str, ...], *, progress: Progress) -> DistanceTable:
        """Return all ordered pairs of ``grams`` (N, m, m).

        For one source and penalty, the errors of all targets are inner products of one quadratic form with the targets'
        Gram matrices: an eigendecomposition a source, a matrix product a source and penalty, and one for all targets.
        """
        train, test = self.split(grams.shape[1])
        n, t = len(grams), len(train)
        ordered = _centred_by(grams, train)[:, np.r_[train, test]][:, :, np.r_[train, test]]
        energy = np.trace(ordered[:, t:, t:], axis1=1, axis2=2)
        constant = np.flatnonzero(energy <= 1e-14 * np.trace(ordered, axis1=1, axis2=2))
        if len(constant):
            raise InputError(
                f"Ridge: {labels[constant[0]]!r} does not vary on the {grams.shape[1] - t} held-out queries; "
                f"pass another seed, a larger test_fraction or more queries"
            )
        targets, training_targets = ordered.reshape(n, -1).T, ordered[:, :t, :t].reshape(n, -1).T
        values = np.empty((n, n))
        for i, gram in enumerate(ordered):
            if np.trace(gram[:t, :t]) <= 1e-14 * np.trace(gram):  # constant in training: it predicts the mean
                values[i] = energy
                continue
            source = _Source.of(gram, t)
            penalties = [alpha * source.mean_eigenvalue for alpha in self.alphas]
            best = np.argmin(np.stack([source.left_out(a).ravel() for a in penalties]) @ training_targets, axis=0)
            chosen, place = np.unique(best, return_inverse=True)
            held_out = np.stack([source.held_out(penalties[k]).ravel() for k in chosen]) @ targets
            values[i] = np.maximum(held_out[place, np.arange(n)], 0.0)
            progress("ridge", i + 1, n)
        return DistanceTable(self.name, values / energy, labels, parameters=self.parameters)


def _centred_by(grams: Floats, train: Indices) -> Floats:
    """Return Gram matrices of the representations minus their mean over the training queries."""
    columns = grams[:, train].mean(axis=1, keepdims=True)  # (N, 1, m)
    centred: Floats = grams - columns - columns.transpose(0, 2, 1) + columns[:, :, train].mean(axis=2, keepdims=True)
    return centred


class _Source(NamedTuple):
    """A representation that predicts: its training Gram matrix decomposed, and its held-out rows in that basis."""

    eigenvalues: Floats  # (t,)
    vectors: Floats  # (t, t)
    held_out_rows: Floats  # (e, t): K_et V

    @classmethod
    def of(cls, gram: Floats, t: int) -> _Source:
        eigenvalues, vectors = np.linalg.eigh(gram[:t, :t])
        return cls(np.maximum(eigenvalues, 0.0), vectors, gram[t:, :t] @ vectors)

    @property
    def mean_eigenvalue(self) -> float:
        return max(float(self.eigenvalues.mean()), np.finfo(np.float64).tiny)

    def left_out(self, penalty: float) -> Floats:
        """Return Q (t, t) whose inner product with a target's Gram matrix is its leave-one-out error.

        Q = R diag(R)^-2 R, R = I - 1 1^T / t - K_tt (K_tt + a I)^-1, the exact residual maker with an intercept.
        """
        t = len(self.eigenvalues)
        root = self.vectors * np.sqrt(self.eigenvalues / (self.eigenvalues + penalty))
        residual = np.eye(t) - 1.0 / t - root @ root.T
        scaled = residual / np.maximum(np.diag(residual), 1e-12)[:, None]
        q: Floats = scaled.T @ scaled  # a matrix times its own transpose: NumPy does half of the work
        return q

    def held_out(self, penalty: float) -> Floats:
        """Return Q (m, m) whose inner product with a target's Gram matrix is its held-out error: S^T S, S = [-P, I]."""
        prediction = (self.held_out_rows / (self.eigenvalues + penalty)) @ self.vectors.T
        residual = np.hstack([-prediction, np.eye(len(prediction))])
        q: Floats = residual.T @ residual
        return q
