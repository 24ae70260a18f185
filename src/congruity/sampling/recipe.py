"""How one side is made, as live objects: names are resolved and everything is checked before any model is loaded.

The recipe is what was asked for; `SamplingRecipe.record` is the same as data, which a fingerprint stores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, cast

from congruity import finders
from congruity import interventions as writes
from congruity._base.digest import digest
from congruity._base.registry import parameters_of
from congruity._base.versions import versions
from congruity._base.wording import printable, shorten
from congruity.errors import InputError, UnknownNameError
from congruity.protocols import Finder, Intervention, Model
from congruity.values import (
    MIN_ACCURACY,
    Budget,
    Circuit,
    Edit,
    Fingerprint,
    Gates,
    Implementation,
    Method,
    Queries,
    Sampling,
)

_TYPES = {"budget": Budget, "gates": Gates, "circuit": Circuit, "extend": Fingerprint, "require_task": bool}


class SamplingOptions(TypedDict, total=False):
    """Options of `congruity.compare` for sides that are models, and of `congruity.fingerprint`.

    Keys:
        finder: what ranks the sites, or its name; default attribution patching.
        intervention: what an edit writes, its name, or several; default resampling from the counterfactual. The first
            one finds the circuit and is the reference.
        n: admitted implementations of each intervention and strength; default 20.
        budget: behavioural strength of implementations, and the rule that reaches it; see `Budget`.
        gates: behaviour tolerance: the limits inside which behaviour counts as kept.
        circuit: a circuit that was found before; None finds it.
        edits_of: a fingerprint, or edits, to make again in this model instead of drawing edits; for models of one
            architecture. See `congruity.sampling.implementations.masks`.
    """

    finder: Finder | str | None
    intervention: Intervention | str | Sequence[Intervention | str] | None
    n: int
    budget: Budget | None
    gates: Gates | None
    circuit: Circuit | None
    edits_of: Fingerprint | Sequence[Edit] | None


class FingerprintOptions(SamplingOptions, total=False):
    """Further options of `congruity.fingerprint` alone.

    Keys:
        extend: an earlier fingerprint of this model with fewer implementations and otherwise the same options. Its
            circuit and implementations are kept, and only the missing ones are made.
        require_task: refuse a model that cannot do the task; default True. False fingerprints the model as a control,
            at a quarter of the strength that it reaches, by scale, where that is less than was asked for.
    """

    extend: Fingerprint | None
    require_task: bool


@dataclass(frozen=True)
class SamplingRecipe:
    """How the implementations of one model are made.

    Attributes:
        finder, interventions, n, seed, budget, gates, circuit, extend, require_task: as in `FingerprintOptions`.
        edits: edits to make instead of drawing some; None draws.
        edits_of: digest of the fingerprint that ``edits`` are from, or of the edits.
        given: names of the options that the caller passed.
    """

    finder: Finder = field(default_factory=finders.Attribution)
    interventions: tuple[Intervention, ...] = field(default_factory=lambda: (writes.Resample(),))
    n: int = 20
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    gates: Gates = field(default_factory=Gates)
    circuit: Circuit | None = None
    edits: tuple[Edit, ...] | None = None
    edits_of: str | None = None
    extend: Fingerprint | None = None
    require_task: bool = True
    given: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, verb: str, options: FingerprintOptions | SamplingOptions, *, seed: int = 0, also: Sequence[str] = ()
    ) -> SamplingRecipe:
        """Return the recipe of the options that a caller passed to ``verb``, which takes the options ``also`` too.

        Raises:
            UnknownNameError: an option or a name that nothing has; the message gives the nearest ones.
            InputError: a value that cannot be used, or options that do not go together; the message names both.
        """
        given: Mapping[str, Any] = cast("Mapping[str, Any]", options)
        known = (FingerprintOptions if verb == "fingerprint" else SamplingOptions).__annotations__
        for name in given:
            if name not in known:
                raise UnknownNameError(f"option of {verb}", name, {*known, *also, "seed", "progress"})
        chosen = {name: value for name, value in given.items() if value is not None}
        made = cls._of(verb, chosen, seed)
        _require_compatible(verb, chosen, made)
        return made

    @classmethod
    def _of(cls, verb: str, chosen: Mapping[str, Any], seed: int) -> SamplingRecipe:
        named: dict[str, Any] = {
            key: chosen[key] for key in ("n", "budget", "gates", "circuit", "extend", "require_task") if key in chosen
        }
        for name, kind in _TYPES.items():
            if name in chosen and not isinstance(chosen[name], kind):
                raise InputError(f"{verb}: {name} is {_shown(chosen[name])}; pass a {kind.__name__}")
        n = chosen.get("n", 2)
        if not isinstance(n, int) or n < 2:
            raise InputError(f"{verb}: n = {n} implementations cannot be compared with each other; ask for at least 2")
        if (finder := chosen.get("finder")) is not None:
            found = finders.by_name(finder) if isinstance(finder, str) else finder
            named["finder"] = _with_members(verb, "finder", found, ("name", "scores"))
        if "intervention" in chosen:
            named["interventions"] = _interventions(verb, chosen["intervention"])
        if (source := chosen.get("edits_of")) is not None:
            named |= _edits(verb, source)
        return cls(seed=seed, given=tuple(sorted(chosen)), **named)

    def in_force(self, *, capable: bool) -> SamplingRecipe:
        """Return the recipe for a model on its task: one that cannot do the task has only a KL to keep."""
        return self if capable else dataclasses.replace(self, gates=self.gates.kl_only())

    def record(
        self, unreached: Sequence[str] = (), skipped: Mapping[str, Mapping[str, tuple[str, ...]]] | None = None
    ) -> Sampling:
        """Return the recipe as data, with what the sampler could not do."""
        finder = method(self.finder)
        if self.circuit is not None:
            finder = Method(self.circuit.scores.finder, {})
        return Sampling(
            source="edits",
            finder=finder,
            interventions=tuple(map(method, self.interventions)),
            n=self.n if self.edits is None else len(self.edits),
            seed=self.seed,
            budget=self.budget if self.edits is None else None,
            gates=self.gates,
            min_accuracy=MIN_ACCURACY,
            circuit=None if self.circuit is None else digest(self.circuit),
            edits_of=self.edits_of,
            unreached=tuple(unreached),
            skipped=skipped or {},
            given=self.given,
        )

    def require_sites(self, model: Model) -> None:
        """Raise `InputError` for sites of the circuit or the edits that this model lacks."""
        circuit = self.circuit
        named = {*(circuit.sites if circuit else ()), *(circuit.pool if circuit else ())}
        named |= {site for edit in self.edits or () for site in edit.sites}
        if lacking := sorted(named - set(model.sites)):
            raise InputError(
                f"{model.card.name}: lacks {len(lacking)} of the sites to edit, such as "
                f"{', '.join(map(str, lacking[:3]))}; a circuit or the edits of another model fit models of its "
                "architecture only (paired masks too)"
            )

    def require_interventions(self, verb: str) -> None:
        """Raise `InputError` if the edits to make write what none of the interventions gives."""
        if lacking := {edit.intervention for edit in self.edits or ()} - {one.name for one in self.interventions}:
            raise InputError(
                f"{verb}: the edits to make write what {', '.join(sorted(lacking))} gives; pass intervention= with "
                "all of them"
            )

    def require_extends(self, model: Model, queries: Queries) -> None:
        """Raise `InputError` if the fingerprint to extend was made of something else."""
        earlier = self.extend
        if earlier is None:
            return
        then, now = earlier.sampling.facts(), self.record().facts()
        pairs: dict[str, tuple[Any, Any]] = {
            "model": (earlier.model.digest, model.card.digest),
            "queries": (earlier.queries.digest, queries.digest),
            "library versions": (dict(earlier.versions), versions()),
        }
        free = ("n", "unreached", "skipped", "given")
        pairs |= {key: (then.get(key), now.get(key)) for key in {**then, **now} if key not in free}
        for what, (before, after) in pairs.items():
            if before != after:
                raise InputError(
                    f"fingerprint: the fingerprint to extend was made with {what} {before} and not {after}; make a new "
                    "one"
                )


def method(thing: Finder | Intervention) -> Method:
    """Return a finder or an intervention as data."""
    return Method(thing.name, parameters_of(thing))


def _interventions(verb: str, given: Any) -> tuple[Intervention, ...]:
    listed = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    used = tuple(writes.by_name(one) if isinstance(one, str) else one for one in listed)
    used = tuple(_with_members(verb, "intervention", one, ("name", "replacement")) for one in used)
    names = [one.name for one in used]
    if not used or len(set(names)) < len(names):
        raise InputError(f"{verb}: interventions are {', '.join(names) or 'none'}; pass one, or several different")
    return used


def _shown(value: object) -> str:
    return printable(shorten(repr(value), 60))


def _with_members(verb: str, what: str, thing: Any, members: Sequence[str]) -> Any:
    """Return the thing, or raise `InputError` for a class and for what lacks a member of its protocol."""
    if isinstance(thing, type):
        raise InputError(f"{verb}: {what} is a class; pass an object, {thing.__name__}()")
    for member in members:
        if not hasattr(thing, member):
            raise InputError(
                f"{verb}: {what} is {_shown(thing)}, which has no {member!r}; pass a name, or an object with "
                f"{' and '.join(members)}"
            )
    return thing


def _edits(verb: str, source: Fingerprint | Sequence[Edit]) -> dict[str, Any]:
    items: Any = source.admitted if isinstance(source, Fingerprint) else source
    listed = isinstance(items, Sequence) and not isinstance(items, str)
    edits = tuple(item.edit if isinstance(item, Implementation) else item for item in items) if listed else ()
    if not listed or not all(isinstance(edit, Edit) for edit in edits):
        raise InputError(
            f"{verb}: edits_of is {_shown(source)}; pass a Fingerprint (Fingerprint.load reads a file), or edits"
        )
    if len(edits) < 2:
        raise InputError(f"{verb}: edits_of needs at least two edits, and does not go with extend")
    return {"edits": edits, "edits_of": source.digest if isinstance(source, Fingerprint) else digest(*edits)}


def _require_compatible(verb: str, chosen: Mapping[str, Any], made: SamplingRecipe) -> None:
    """Raise `InputError` for options that do not go together, naming both."""
    if made.edits is not None:
        if "extend" in chosen:
            raise InputError(f"{verb}: edits_of needs at least two edits, and does not go with extend")
        if "budget" in chosen:
            raise InputError(f"{verb}: edits_of makes edits as they are, and does not go with budget")
        if "n" in chosen and made.n != len(made.edits):
            raise InputError(f"{verb}: edits_of has {len(made.edits)} edits, and does not go with n = {made.n}")
        made.require_interventions(verb)
    if "circuit" in chosen and "finder" in chosen:
        raise InputError(f"{verb}: a circuit that is given is not searched for, so circuit does not go with finder")
    if made.extend is not None:
        before = made.extend.n if made.extend.sampling.n is None else made.extend.sampling.n
        if before >= made.n:
            raise InputError(f"{verb}: the fingerprint to extend has {before} implementations, not fewer than n")
