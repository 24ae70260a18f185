"""What flows, in the order in which it is born.

Frozen dataclasses that hold data and never a live model. Arrays are copied and made read-only, invariants are checked
when a value is made, and what is stored carries the digest of what it was made from. Shapes: ``n`` prompts, ``m``
queries (rows of a representation), ``N`` implementations of one side.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from congruity._digest import digest
from congruity.errors import InputError

Floats = NDArray[np.float64]
SCHEMA_VERSION = 2


def frozen(array: object, *, dtype: Any = np.float64) -> NDArray[Any]:
    """Return a read-only copy of ``array``."""
    copy = np.array(array, dtype=dtype)
    copy.setflags(write=False)
    return copy


# --------------------------------------------------------------------------------------------------- the question


@dataclass(frozen=True)
class Examples:
    """``n`` pairs of inputs that differ in what the task turns on, with the answer and the foil of the clean one.

    Attributes:
        task: name of the task that made them.
        clean, counterfactual: the prompts (text), or arrays of shape (n, ...) for models that take arrays.
        answers, foils: the continuations compared, as text (with their leading space), or class indices (n,).
        ids: one short unique name a row.
    """

    task: str
    clean: tuple[str, ...] | NDArray[Any]
    counterfactual: tuple[str, ...] | NDArray[Any]
    answers: tuple[str, ...] | NDArray[Any]
    foils: tuple[str, ...] | NDArray[Any]
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("clean", "counterfactual", "answers", "foils"):
            column = getattr(self, name)
            if isinstance(column, np.ndarray):
                object.__setattr__(self, name, frozen(column, dtype=column.dtype))
            if len(column) != len(self.ids):
                raise InputError(f"Examples: {name} has {len(column)} rows but there are {len(self.ids)} ids")
        if len(set(self.ids)) != len(self.ids):
            raise InputError("Examples: ids must be unique")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that defines the examples."""
        return digest(self.task, self.clean, self.counterfactual, self.answers, self.foils, self.ids)

    def select(self, rows: NDArray[np.intp]) -> Examples:
        """Return the examples at ``rows``, in that order."""

        def pick(column: tuple[str, ...] | NDArray[Any]) -> Any:
            return column[rows] if isinstance(column, np.ndarray) else tuple(column[i] for i in rows)

        return Examples(
            self.task,
            pick(self.clean),
            pick(self.counterfactual),
            pick(self.answers),
            pick(self.foils),
            tuple(self.ids[i] for i in rows),
        )


# ------------------------------------------------------------------------------------------------ places in a model

SiteKind = Literal["head", "mlp", "module"]
_SITE = re.compile(r"^(?P<hook>[^\[\]]+?)(?:\[(?P<index>\d+)\])?$")


@dataclass(frozen=True, order=True)
class Site:
    """A place whose activation can be read and replaced, by its TransformerLens hook name.

    A head is ``blocks.3.attn.hook_z`` with ``index`` 5, written ``blocks.3.attn.hook_z[5]``; an MLP output is
    ``blocks.3.hook_mlp_out``; in a plain PyTorch module ``hook`` is the module's path.
    """

    layer: int
    kind: SiteKind
    hook: str
    index: int | None = None

    def __str__(self) -> str:
        return self.hook if self.index is None else f"{self.hook}[{self.index}]"


def split_site_name(name: str) -> tuple[str, int | None]:
    """Return hook name and index of a written site: ``blocks.3.attn.hook_z[5]`` gives (``blocks.3.attn.hook_z``, 5)."""
    match = _SITE.match(name)
    if match is None:
        raise InputError(f"{name!r} is no site; write it as 'blocks.3.attn.hook_z[5]' or 'blocks.3.hook_mlp_out'")
    index = match["index"]
    return match["hook"], None if index is None else int(index)


@dataclass(frozen=True)
class Scores:
    """How much each site matters: one number a site, its standard error over prompts, and who measured it.

    ``size`` says how many of the highest are the circuit, where the finder states that; None: as many as it takes.
    """

    finder: str
    sites: tuple[Site, ...]
    values: Floats  # (sites,)
    standard_errors: Floats  # (sites,)
    n_prompts: int
    size: int | None = None

    def __post_init__(self) -> None:
        for name in ("values", "standard_errors"):
            array = frozen(getattr(self, name))
            if array.shape != (len(self.sites),):
                raise InputError(f"Scores: {name} has shape {array.shape}, expected ({len(self.sites)},)")
            if not np.isfinite(array).all():
                raise InputError(f"Scores: {name} of finder {self.finder!r} holds NaN or infinity")
            object.__setattr__(self, name, array)

    def ranked(self) -> tuple[Site, ...]:
        """Sites by falling absolute score; ties in site order."""
        order = np.argsort(-np.abs(self.values), kind="stable")
        return tuple(self.sites[i] for i in order)


# ----------------------------------------------------------------------------------------------------- what was kept


@dataclass(frozen=True)
class Behaviour:
    """What a (possibly edited) model does on ``n`` prompts.

    Attributes:
        accuracy: share of prompts with logit(answer) > logit(foil).
        logit_difference: mean of logit(answer) - logit(foil).
        kl: mean of KL(unedited || edited) between next-token distributions at the answer position, in nats.
        n: number of prompts measured.
    """

    accuracy: float
    logit_difference: float
    kl: float
    n: int


@dataclass(frozen=True)
class Gates:
    """Limits inside which an edited model counts as behaving like the unedited one. All that are set must hold.

    Attributes:
        max_kl: largest mean KL to the unedited model, nats.
        max_accuracy_drop: largest fall of the accuracy, or None.
        max_metric_change: largest relative change of the mean logit difference, either way, or None.
    """

    max_kl: float = 0.1
    max_accuracy_drop: float | None = 0.05
    max_metric_change: float | None = 0.25

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value is None and name != "max_kl":
                continue
            if not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
                raise InputError(f"Gates: {name} must be a positive number, not {value}")

    def kl_only(self) -> Gates:
        """Return the gates for a model that cannot do the task: it has no accuracy or logit difference to keep."""
        return Gates(self.max_kl, None, None)

    def refusal(self, edited: Behaviour, unedited: Behaviour) -> str:
        """Return why ``edited`` is outside the gates, or an empty string."""
        broken = []
        if not edited.kl <= self.max_kl:
            broken.append(f"KL {edited.kl:.3f} > {self.max_kl:g}")
        drop = self.max_accuracy_drop
        if drop is not None and not unedited.accuracy - edited.accuracy <= drop:
            broken.append(f"accuracy {edited.accuracy:.3f}, more than {drop:g} below {unedited.accuracy:.3f}")
        change = abs(edited.logit_difference - unedited.logit_difference)
        allowed = (
            math.inf if self.max_metric_change is None else self.max_metric_change * abs(unedited.logit_difference)
        )
        if not change <= allowed:
            broken.append(
                f"logit difference {edited.logit_difference:.2f} against {unedited.logit_difference:.2f}, "
                f"allowed +-{allowed:.2f}"
            )
        return "; ".join(broken)


@dataclass(frozen=True)
class Evidence:
    """What speaks for a circuit, on prompts that neither ranked its sites nor chose its size.

    The metric M is the mean logit difference; M(clean) is the unedited model's, M(corrupted) with every site replaced,
    and the recovered fraction of a set of sites kept is (M(kept) - M(corrupted)) / (M(clean) - M(corrupted)).

    Attributes:
        clean, corrupted: the metric at both ends.
        faithfulness: recovered fraction with the circuit kept and everything else replaced; 1 is perfect.
        faithfulness_interval: 95 %, over prompts.
        completeness: recovered fraction with the circuit replaced and everything else kept: what the rest can do
            without it. 0 if the circuit is all that does the task.
        completeness_interval: 95 %, over prompts.
        random: recovered fractions of circuits of the same size drawn at random.
        p_random: (1 + number of random circuits that recover as much or more) / (1 + number of them).
        curve: (number of sites kept, recovered fraction), tops of the ranking, by growing size.
        cpr, cmd: areas, over the share of sites kept from 0 to 1, under the recovered fraction f and under abs(1 - f):
            the circuit performance ratio (more is better) and the circuit-model distance (less is better).
            Source: Mueller et al. 2025, "MIB: A Mechanistic Interpretability Benchmark", arXiv 2504.13151.
        n_prompts: prompts that all this was measured on.
    """

    clean: float
    corrupted: float
    faithfulness: float
    faithfulness_interval: tuple[float, float]
    completeness: float
    completeness_interval: tuple[float, float]
    random: tuple[float, ...]
    p_random: float
    curve: tuple[tuple[int, float], ...]
    cpr: float
    cmd: float
    n_prompts: int


@dataclass(frozen=True)
class Circuit:
    """The sites that matter, the pool of those that do not, and the evidence.

    Attributes:
        sites: those that matter; ``pool``: those that implementations may edit, all others unless it was narrowed.
        scores: the ranking that the circuit is the top of.
        threshold: smallest absolute score inside.
        faithfulness: behaviour with all sites but the circuit's replaced, on prompts that neither ranked sites nor
            chose the size.
        curve: (number of sites kept, behaviour with all others replaced) for each size tried, on the choosing prompts.
        evidence: what else speaks for it; None where that was not measured.
    """

    sites: tuple[Site, ...]
    pool: tuple[Site, ...]
    scores: Scores
    threshold: float
    faithfulness: Behaviour
    curve: tuple[tuple[int, Behaviour], ...]
    evidence: Evidence | None = None

    def narrowed(self, pool: Sequence[Site]) -> Circuit:
        """Return the circuit with a smaller pool, for example one half of it.

        Raises:
            InputError: a site that is not in the pool.
        """
        if strange := [site for site in pool if site not in self.pool]:
            raise InputError(f"Circuit: {strange[0]} is not in the pool, so the pool cannot be narrowed to it")
        return dataclasses.replace(self, pool=tuple(sorted(pool)))


@dataclass(frozen=True)
class Edit:
    """A plan, apart from its effect: at these sites, write what the intervention makes of the counterfactual run.

    With ``scale`` below 1 only that part of the way is gone, from what the site computes to what is written.
    """

    sites: tuple[Site, ...]
    intervention: str
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 1:
            raise InputError(f"Edit: scale is {self.scale}; pass a part of the way in (0, 1]")


@dataclass(frozen=True)
class Implementation:
    """An edited model that was measured: admitted, or refused with the reason.

    Attributes:
        base: name of the independently trained network that it comes from, the unit of inference.
        edit, behaviour: what was changed, and what it does on prompts that chose nothing.
        admitted, reason: whether it is inside the gates and, if not, why.
        target_kl: the strength that it was drawn to have, nats; None if it was not drawn to have any.
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
        """The kind of implementation that it is."""
        return Stratum(self.edit.intervention, self.target_kl)


@dataclass(frozen=True)
class Stratum:
    """Implementations of one kind: made by one intervention, to one behavioural strength (KL in nats, None: any)."""

    intervention: str
    kl: float | None

    def __str__(self) -> str:
        return self.intervention if self.kl is None else f"{self.intervention} at KL {self.kl:g}"


@dataclass(frozen=True)
class Outputs:
    """What one run over ``n`` prompts gave; ``layers`` holds (name, (n, width)), or nothing if it was not asked for."""

    logit_difference: Floats  # (scored,): of the prompts on which behaviour was measured
    kl: Floats  # (scored,)
    layers: tuple[tuple[str, NDArray[Any]], ...] = ()

    def behaviour(self, rows: NDArray[np.intp] | None = None) -> Behaviour:
        """Summarise over ``rows`` (all, if None)."""
        difference: Floats = self.logit_difference if rows is None else self.logit_difference[rows]
        kl: Floats = self.kl if rows is None else self.kl[rows]
        return Behaviour(float((difference > 0).mean()), float(difference.mean()), float(kl.mean()), len(difference))


# ------------------------------------------------------------------------------------------------- what was recorded


@dataclass(frozen=True)
class Queries:
    """The rows of a representation: (input, token position, intervention name). Every distance is relative to them.

    Attributes:
        task: name of the task.
        examples_digest: digest of the examples behind the ids.
        ids: one a row, in row order.
        position: which token was read; "last", or "all" for models without positions.
        intervention: the shared, named intervention under which rows were recorded; "none" for plain inputs.
    """

    task: str
    examples_digest: str
    ids: tuple[str, ...]
    position: str = "last"
    intervention: str = "none"

    @property
    def digest(self) -> str:
        """SHA-256 of the ordered queries: fingerprints compare only when these agree."""
        return digest(dataclasses.asdict(self))


@dataclass(frozen=True)
class Representation:
    """The Gram matrix of one implementation over the queries, with what was read and how it was scaled.

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
class ModelCard:
    """Which network, exactly.

    Attributes:
        name: as the user called it.
        digest: SHA-256 of the weights as stored, or of the recipe that made them from such weights.
        base: name of the independently trained network (copies of one network share it).
        adapter: registry name of the adapter that ran it.
        n_layers, n_heads, d_model: its shape (0 where the notion does not apply).
        bos: whether a beginning-of-sequence token was prepended.
        dtype, revision: precision it ran in; pinned revision, if any.
    """

    name: str
    digest: str
    base: str
    adapter: str
    n_layers: int
    n_heads: int
    d_model: int
    bos: bool = False
    dtype: str = "float32"
    revision: str | None = None


@dataclass(frozen=True)
class Check:
    """A self-test of the machinery that ran before a fingerprint: what, whether it held, the number and its limit."""

    name: str
    passed: bool
    value: float
    limit: float
    detail: str = ""


@dataclass(frozen=True)
class Fingerprint:
    """Everything that one side contributes to any comparison: a few MB, whatever the width of the model.

    Attributes:
        model: which network.
        queries, layers, scaling: what the rows are, what was read, how it was scaled.
        accuracy: of the unedited model on all prompts; ``unedited`` is its behaviour on the held-out prompts.
        capable: whether the model can do the task at all.
        circuit, implementations: what may be edited, and every implementation drawn, admitted or refused.
        grams: (N, m, m), one a *admitted* implementation, in order.
        clean_gram: (m, m), the unedited model.
        checks: the self-tests that ran.
        settings: seed, finder, intervention, budgets and gates.
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
    settings: Mapping[str, Any]
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
        """The kinds of admitted implementations; the first is the reference, on which verdicts rest."""
        return tuple(dict.fromkeys(item.stratum for item in self.admitted))

    def at(self, stratum: Stratum) -> Fingerprint:
        """Return the fingerprint with the implementations of one kind only.

        Raises:
            InputError: there are none of that kind.
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
        """The fingerprint with the implementations of its first kind only."""
        return self.at(self.strata[0])

    @property
    def mean_kl(self) -> float:
        """Behavioural strength: mean KL of the admitted implementations to the unedited model, nats."""
        return float(np.mean([i.behaviour.kl for i in self.admitted]))

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of all fields."""
        return digest(*(getattr(self, f.name) for f in dataclasses.fields(self)))

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
        """Write one safetensors file, atomically; return its path."""
        from congruity import store

        return store.save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Fingerprint:
        """Read a file that `save` wrote; raise `StoreError` if it is truncated, edited or of another schema."""
        from congruity import store

        return store.load(Path(path))
