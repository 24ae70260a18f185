"""Edits, implementations, Gram matrices, and the fingerprint that holds them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity._base.arrays import Floats, frozen
from congruity._base.artifact import Format
from congruity._base.digest import digest
from congruity.errors import InputError
from congruity.values.circuit import Behaviour, Circuit
from congruity.values.inputs import Queries
from congruity.values.model import Check, ModelCard, Site
from congruity.values.sampling import Sampling
from congruity.values.schema2 import from_schema_2

SCHEMA_VERSION = 3


@dataclass(frozen=True)
class Edit:
    """Plan of an intervention: at each of these sites, write what the intervention of that name gives.

    The activation written is clean + scale * (replacement - clean); ``scale`` is in (0, 1].
    """

    sites: tuple[Site, ...]
    intervention: str
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 1:
            raise InputError(f"Edit: scale is {self.scale}; pass a part of the way in (0, 1]")


@dataclass(frozen=True)
class Implementation:
    """An edit with its measured behaviour: admitted by the gates, or refused with the reason.

    Attributes:
        base: name of the independently trained network that it comes from, the unit of inference.
        edit, behaviour: what was changed, and what it does on prompts that chose nothing.
        admitted, reason: whether it is inside the gates and, if not, why.
        target_kl: the behavioural strength that the edit was tuned to, nats; None if it was not tuned.
        tuned_kl: the KL that was reached, on the prompts that the edit was tuned on.
        index: number of the random draw; None if it was not drawn.
    """

    base: str
    edit: Edit
    behaviour: Behaviour
    admitted: bool
    reason: str = ""
    target_kl: float | None = None
    tuned_kl: float | None = None
    index: int | None = None

    @property
    def stratum(self) -> Stratum:
        """The intervention and the strength of this implementation."""
        return Stratum(self.edit.intervention, self.target_kl)


@dataclass(frozen=True)
class Stratum:
    """Implementations by one intervention at one behavioural strength (KL in nats; None: any)."""

    intervention: str
    kl: float | None

    def __str__(self) -> str:
        return self.intervention if self.kl is None else f"{self.intervention} at KL {self.kl:g}"


@dataclass(frozen=True)
class Outputs:
    """What one run over ``n`` prompts gave.

    Attributes:
        logit_difference, kl: (scored,), of the prompts that were scored; (0,) where their answers were asked for.
        layers: (name, (n, width)) of each layer that is read, or nothing if it was not asked for.
        answers: (scored, outputs, classes), class probabilities; None if they were not asked for. A language model has
            one output, its next token.
    """

    logit_difference: Floats
    kl: Floats
    layers: tuple[tuple[str, NDArray[Any]], ...] = ()
    answers: Floats | None = None

    def behaviour(self, rows: NDArray[np.intp] | None = None) -> Behaviour:
        """Summarise over ``rows`` (all, if None)."""
        difference: Floats = self.logit_difference if rows is None else self.logit_difference[rows]
        kl: Floats = self.kl if rows is None else self.kl[rows]
        return Behaviour(float((difference > 0).mean()), float(difference.mean()), float(kl.mean()), len(difference))


@dataclass(frozen=True)
class Representation:
    """Gram matrix of one implementation over the queries, with the layers read and their scaling.

    K = sum over layers l of H_l H_l^T / (L norm(H_l)_F^2), each H_l (m, width) centred over queries; trace(K) = 1.
    """

    gram: Floats  # (m, m)
    queries: Queries
    layers: tuple[str, ...]
    scaling: str = "unit-layer"

    def __post_init__(self) -> None:
        m = len(self.queries.ids)
        gram = frozen(self.gram)
        if gram.shape != (m, m):
            raise InputError(f"Representation: the Gram matrix has shape {gram.shape} for {m} queries")
        if not np.isfinite(gram).all():
            raise InputError("Representation: the Gram matrix holds NaN or infinity")
        object.__setattr__(self, "gram", gram)


@dataclass(frozen=True)
class Fingerprint:
    """Everything that one side contributes to any comparison: a few MB, whatever the width of the model.

    Attributes:
        model: which network.
        queries, layers, scaling: the rows of the representations, the layers read, and how layers were scaled.
        accuracy: of the unedited model on all prompts; ``unedited`` is its behaviour on the held-out prompts.
        capable: whether the model can do the task at all.
        circuit, implementations: what may be edited, and every implementation drawn, admitted or refused.
        grams: (N, m, m), one a *admitted* implementation, in order.
        clean_gram: (m, m), the unedited model.
        checks: the self-tests that ran.
        sampling: how the implementations were made.
        versions: of the package and the libraries that computed it.
    """

    model: ModelCard
    queries: Queries
    layers: tuple[str, ...]
    scaling: str
    accuracy: float
    unedited: Behaviour
    capable: bool
    circuit: Circuit
    implementations: tuple[Implementation, ...]
    grams: Floats
    clean_gram: Floats
    checks: tuple[Check, ...]
    sampling: Sampling
    versions: Mapping[str, str]

    def __post_init__(self) -> None:
        m = len(self.queries.ids)
        object.__setattr__(self, "grams", frozen(self.grams))
        object.__setattr__(self, "clean_gram", frozen(self.clean_gram))
        if self.grams.shape != (self.n, m, m) or self.clean_gram.shape != (m, m):
            raise InputError(
                f"Fingerprint of {self.model.name}: Gram matrices have shapes {self.grams.shape} and "
                f"{self.clean_gram.shape}; {self.n} admitted implementations and {m} queries need "
                f"({self.n}, {m}, {m}) and ({m}, {m})"
            )
        if not (np.isfinite(self.grams).all() and np.isfinite(self.clean_gram).all()):
            raise InputError(f"Fingerprint of {self.model.name}: a Gram matrix holds NaN or infinity")

    @property
    def admitted(self) -> tuple[Implementation, ...]:
        """The implementations inside the gates, in the order of ``grams``."""
        return tuple(i for i in self.implementations if i.admitted)

    @property
    def n(self) -> int:
        """Number of admitted implementations."""
        return sum(i.admitted for i in self.implementations)

    @property
    def n_refused(self) -> int:
        """Number of implementations drawn that were outside the gates."""
        return len(self.implementations) - self.n

    @functools.cached_property
    def strata(self) -> tuple[Stratum, ...]:
        """The strata of admitted implementations; the first is the reference, on which verdicts rest."""
        return tuple(dict.fromkeys(item.stratum for item in self.admitted))

    def at(self, stratum: Stratum) -> Fingerprint:
        """Return the fingerprint with the implementations of one stratum only.

        Raises:
            InputError: there are no implementations of that stratum.
        """
        if self.strata == (stratum,):
            return self
        rows = np.flatnonzero([item.stratum == stratum for item in self.admitted])
        if len(rows) == 0:
            there = ", ".join(map(str, self.strata))
            raise InputError(f"Fingerprint of {self.model.name}: no implementations by {stratum}; there are {there}")
        chosen = tuple(item for item in self.implementations if item.stratum == stratum)
        return dataclasses.replace(self, implementations=chosen, grams=self.grams[rows])

    @functools.cached_property
    def reference(self) -> Fingerprint:
        """The fingerprint with the implementations of its first stratum only."""
        return self.at(self.strata[0])

    @property
    def mean_kl(self) -> float:
        """Behavioural strength: mean KL of the admitted implementations to the unedited model, nats."""
        return float(np.mean([i.behaviour.kl for i in self.admitted]))

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of all fields; of the sampling only what was in force, not which of it the caller named."""
        parts = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        parts["sampling"] = dataclasses.replace(self.sampling, given=None)
        return digest(*parts.values())

    def take(self, rows: NDArray[np.intp], name: str) -> Fingerprint:
        """Return a fingerprint with only the admitted implementations at ``rows``, under another name (a control)."""
        admitted = self.admitted
        return dataclasses.replace(
            self,
            model=dataclasses.replace(self.model, name=name),
            implementations=tuple(admitted[i] for i in rows),
            grams=self.grams[rows],
        )

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file, atomically; return its path. Equal fingerprints give equal bytes.

        Raises:
            StoreError: another suffix, no space, or a folder that cannot be written.
        """
        return FORMAT.write(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Fingerprint:
        """Read and check a file that `save` wrote, of schema 2 or later.

        Raises:
            StoreError: no such file, not a safetensors file, truncated, edited, of another schema, or no fingerprint.
        """
        return FORMAT.read(Path(path))


FORMAT = Format(
    "fingerprint",
    Fingerprint,
    schema=SCHEMA_VERSION,
    remedy="make {} again",
    shared={"sites": Site},
    older={2: from_schema_2},
)
MIN_ACCURACY = 0.75


def incapable(name: str, accuracy: float, task: str) -> str:
    """Return the sentence for a model that cannot do the task."""
    return (
        f"{name} cannot do the task {task}: accuracy {accuracy:.2f}, at least {MIN_ACCURACY:.2f} is needed, so "
        "whether it solves it the same way is not a question"
    )
