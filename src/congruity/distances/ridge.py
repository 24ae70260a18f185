"""Held-out ridge regression: how badly one representation predicts another on queries that it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
        """Return all ordered pairs of ``grams`` (N, m, m): N eigendecompositions, two matrix products a penalty."""
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
        spectra = [np.linalg.eigh(gram[:t, :t]) for gram in ordered]
        best = np.full((n, n), np.inf)
        values = np.empty((n, n))
        for k, alpha in enumerate(self.alphas):
            progress("ridge", k, len(self.alphas))
            held_out, left_out = _errors(ordered, spectra, alpha)
            error = left_out @ training_targets
            better = error < best
            best[better] = error[better]
            values[better] = np.maximum(held_out @ targets, 0.0)[better]
        progress("ridge", len(self.alphas), len(self.alphas))
        return DistanceTable(self.name, values / energy, labels, parameters=self.parameters)


def _centred_by(grams: Floats, train: Indices) -> Floats:
    """Return Gram matrices of the representations minus their mean over the training queries."""
    columns = grams[:, train].mean(axis=1, keepdims=True)  # (N, 1, m)
    centred: Floats = grams - columns - columns.transpose(0, 2, 1) + columns[:, :, train].mean(axis=2, keepdims=True)
    return centred


def _errors(ordered: Floats, spectra: list[Any], alpha: float) -> tuple[Floats, Floats]:
    """Return quadratic forms, flat rows (N, m m) and (N, t t), whose products with a target's Gram are its errors.

    Held out: S^T S with S = [-P, I]. Leave-one-out: R diag(R)^-2 R with R = I - 1 1^T / t - K_tt (K_tt + a I)^-1, the
    exact residual maker of ridge with an intercept.
    """
    n, m, _ = ordered.shape
    t = len(spectra[0][0])
    held_out, left_out = np.empty((n, m * m)), np.empty((n, t * t))
    for i, (eigenvalues, vectors) in enumerate(spectra):
        eigenvalues = np.maximum(eigenvalues, 0.0)
        penalty = alpha * max(float(eigenvalues.sum()), np.finfo(np.float64).tiny) / t
        prediction = (ordered[i, t:, :t] @ vectors / (eigenvalues + penalty)) @ vectors.T
        residual = np.hstack([-prediction, np.eye(m - t)])
        held_out[i] = (residual.T @ residual).ravel()
        maker = np.eye(t) - 1.0 / t - (vectors * (eigenvalues / (eigenvalues + penalty))) @ vectors.T
        leverage = np.maximum(np.diag(maker), 1e-12)
        left_out[i] = ((maker / leverage**2) @ maker).ravel()  # R diag(R)^-2 R, R symmetric
    return held_out, left_out
