"""Deterministic causal models: variables, mechanisms and hard interventions, solved for many queries at once.

docs/theorems.md, D1 and D2: a model is a set of inputs, an acyclic set of variables with one mechanism each, and
outputs. A hard intervention replaces the mechanisms of some variables by constants. An interchange takes these
constants from the model's own run on another input.
"""

from __future__ import annotations

import graphlib
import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity.errors import InputError

Array = NDArray[Any]
Mechanism = Callable[..., Any]
_MOST_INPUTS = 10_000_000


@dataclass(frozen=True)
class CausalModel:
    """A deterministic causal model, written down as plain functions.

    Attributes:
        inputs: the values that each input may take, of one type and in an order that is kept; None for real numbers.
        mechanisms: for each other variable a function of its parents. The function's arguments name the parents; where
            names are not identifiers, such as ``sorted[2]``, or their number varies, a pair (parents, function). A
            function is called with arrays, one entry a query, and returns one (a single value, if it has no parents).
        outputs: the variables that are the model's answer.
        domains: for some of the variables with a mechanism the values that they may take, like those of inputs; what
            a mechanism gives and what ``do`` sets is held to them.
        variables: all that are no inputs, each after its parents.

    Raises:
        InputError: a cycle, a parent that is no variable, a name that is input and variable, an output that is neither,
            a domain of something that has no mechanism.

    >>> model = CausalModel(
    ...     inputs={"a": range(3), "b": range(3)},
    ...     mechanisms={"total": lambda a, b: a + b, "even": lambda total: total % 2 == 0},
    ...     outputs=("even",),
    ... )
    >>> model.solve({"a": [0, 1, 2], "b": [1, 1, 1]})["even"]
    array([False,  True, False])
    >>> model.solve({"a": [0, 1, 2], "b": [1, 1, 1]}, do={"total": 4})["even"]
    array([ True,  True,  True])
    """

    inputs: Mapping[str, Sequence[Any] | None]
    mechanisms: Mapping[str, Mechanism | tuple[Sequence[str], Mechanism]]
    outputs: tuple[str, ...]
    domains: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    variables: tuple[str, ...] = field(init=False)
    _parts: dict[str, tuple[tuple[str, ...], Mechanism]] = field(init=False, repr=False, compare=False)
    _domains: dict[str, Array | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "outputs", tuple(self.outputs))
        object.__setattr__(self, "_parts", {name: _part(name, given) for name, given in self.mechanisms.items()})
        domains = {**self.inputs, **self.domains}
        object.__setattr__(self, "_domains", {name: _domain(name, allowed) for name, allowed in domains.items()})
        known = {*self.inputs, *self.mechanisms}
        if lacking := [name for name in self.domains if name not in self.mechanisms]:
            raise InputError(f"causal model: a domain is given for {lacking[0]}, which has no mechanism")
        if both := sorted(set(self.inputs) & set(self.mechanisms)):
            raise InputError(f"causal model: {both[0]} is an input and has a mechanism; give one of the two names up")
        for name, (parents, _) in self._parts.items():
            if lacking := [parent for parent in parents if parent not in known]:
                raise InputError(
                    f"causal model: {name} depends on {lacking[0]}, which is neither an input nor has a mechanism"
                )
        if not self.outputs or (lacking := [name for name in self.outputs if name not in known]):
            missing = f"{lacking[0]} is no variable" if self.outputs else "there is none"
            raise InputError(f"causal model: outputs must name variables of the model; {missing}")
        try:
            order = tuple(graphlib.TopologicalSorter({n: p for n, (p, _) in self._parts.items()}).static_order())
        except graphlib.CycleError as error:
            circle = " <- ".join(error.args[1])
            raise InputError(f"causal model: variables depend on each other in a circle: {circle}") from None
        object.__setattr__(self, "variables", tuple(name for name in order if name in self._parts))

    def parents(self, name: str) -> tuple[str, ...]:
        """Return what the mechanism of a variable reads; nothing for an input."""
        return self._parts[name][0] if name in self._parts else ()

    def mechanism(self, name: str, values: Sequence[Array], n: int) -> Array:
        """Return what the mechanism of a variable gives for its parents' values, (n,) each.

        Raises:
            InputError: it gives NaN, not one value a query, or a value outside the variable's domain.
        """
        parents, function = self._parts[name]
        found = _computed(name, function(*values), n, constant=not parents)
        return _allowed(name, found, self._domains[name]) if name in self.domains else found

    @property
    def inner(self) -> tuple[str, ...]:
        """The variables between inputs and outputs: what an interchange can reach into."""
        return tuple(name for name in self.variables if name not in self.outputs)

    def solve(
        self,
        inputs: Mapping[str, Any],
        *,
        do: Mapping[str, Any] | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> dict[str, Array]:
        """Return the value of every variable, inputs included, for each of the queries.

        Args:
            inputs: for each input an array (queries,), or one value for all queries.
            do: variables that are set, by value or array (queries,), instead of computed: a hard intervention.
            where: for some of the variables in ``do`` truth values (queries,): they are set on these queries only.

        Raises:
            InputError: an input is missing or unknown; a value is outside its domain; ``do`` names no variable, or
                ``where`` one that is not computed or not in ``do``; lengths differ; a mechanism gives NaN, or not one
                value a query.
        """
        if unlike := set(self.inputs) ^ set(inputs):
            raise InputError(f"causal model: inputs are {', '.join(self.inputs)}; {sorted(unlike)[0]} does not fit")
        set_to = {} if do is None else dict(do)
        if unknown := sorted(set(set_to) - {*self.inputs, *self._parts}):
            raise InputError(f"causal model: no variable is named {unknown[0]}; known: {', '.join(self.variables)}")
        values = {name: _array(name, set_to.get(name, inputs[name])) for name in self.inputs}
        set_to = {name: _array(name, value) for name, value in set_to.items()}
        if unfit := sorted(set(where or {}) - (set(set_to) & set(self._parts))):
            raise InputError(f"causal model: where names {unfit[0]}, which is no computed variable that do sets")
        chosen = {name: _array(name, value) for name, value in (where or {}).items()}
        if unfit := [name for name, value in chosen.items() if value.dtype != bool]:
            raise InputError(f"causal model: where must hold truth values; those of {unfit[0]} are of another type")
        try:
            given = (*values.values(), *set_to.values(), *chosen.values())
            (n,) = np.broadcast_shapes((1,), *(v.shape for v in given))
        except ValueError:
            shapes = {name: v.shape for name, v in (values | set_to).items() if v.ndim}
            raise InputError(f"causal model: every input needs one value a query; shapes are {shapes}") from None
        for name in self.inputs:
            values[name] = np.broadcast_to(_allowed(name, values[name], self._domains[name]), (n,))
        for name in self.variables:
            if name in set_to and name in self.domains:
                set_to[name] = _allowed(name, set_to[name], self._domains[name])
            if name in set_to and name not in chosen:
                values[name] = np.broadcast_to(set_to[name], (n,))
                continue
            found = self.mechanism(name, [values[parent] for parent in self.parents(name)], n)
            values[name] = np.where(chosen[name], set_to[name], found) if name in chosen else found
        return values

    def interchange(
        self,
        base: Mapping[str, Any],
        source: Mapping[str, Any],
        names: Sequence[str],
        *,
        where: Mapping[str, Any] | None = None,
    ) -> dict[str, Array]:
        """Return every variable on ``base`` where ``names`` have the values that they take on ``source``.

        ``where`` is as in `solve`: for some of the names the queries on which they do.

        Source: Geiger et al. 2021, arXiv 2106.02997 (interchange interventions).
        """
        there = self.solve(source)
        if unknown := [name for name in names if name not in there]:
            raise InputError(f"causal model: no variable is named {unknown[0]}; known: {', '.join(self.variables)}")
        return self.solve(base, do={name: there[name] for name in names}, where=where)

    def every_input(self) -> dict[str, Array]:
        """Return all combinations of input values, the last input fastest.

        Raises:
            InputError: an input is real, or there are more than ten million combinations.
        """
        listed = {name: self._domains[name] for name in self.inputs}
        sizes = {name: -1 if allowed is None else len(allowed) for name, allowed in listed.items()}
        if real := [name for name, size in sizes.items() if size < 0]:
            raise InputError(f"causal model: {real[0]} is a real number, so its values cannot be enumerated")
        if (total := math.prod(sizes.values())) > _MOST_INPUTS:
            raise InputError(f"causal model: {total:,} inputs are too many to enumerate; draw some of them instead")
        grids = np.meshgrid(*(allowed for allowed in listed.values() if allowed is not None), indexing="ij")
        return {name: grid.ravel() for name, grid in zip(self.inputs, grids, strict=True)}

    def answers(self, values: Mapping[str, Array]) -> Array:
        """Return the outputs of solved values, (queries, outputs)."""
        return np.stack([values[name] for name in self.outputs], axis=1)

    def subsets(self, most: int) -> Iterator[tuple[str, ...]]:
        """Yield the sets of 1, 2, ..., ``most`` inner variables."""
        for size in range(1, most + 1):
            yield from itertools.combinations(self.inner, size)


def _part(name: str, given: Any) -> tuple[tuple[str, ...], Mechanism]:
    if isinstance(given, tuple):
        if len(given) == 2 and callable(given[1]) and not isinstance(given[0], str):
            return tuple(given[0]), given[1]
        raise InputError(f"causal model: the mechanism of {name} is a tuple, but no pair ((parent, ...), function)")
    if not callable(given):
        raise InputError(f"causal model: the mechanism of {name} is {given!r}; give a function of its parents")
    try:
        taken = inspect.signature(given).parameters.values()
    except (TypeError, ValueError):
        taken = None
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if taken is None or isinstance(given, np.ufunc) or any(parameter.kind not in plain for parameter in taken):
        raise InputError(
            f"causal model: the arguments of {name}'s mechanism do not name its parents; give a pair "
            "((parent, ...), function)"
        )
    return tuple(parameter.name for parameter in taken), given


def _domain(name: str, allowed: Sequence[Any] | None) -> Array | None:
    if allowed is None:
        return None
    if len(allowed) > _MOST_INPUTS:
        raise InputError(f"causal model: {name} has {len(allowed):,} values, too many to list; use None, a real number")
    listed = list(allowed)
    values = np.asarray(listed) if len({type(value) for value in listed}) == 1 else np.empty((0, 0))
    if values.dtype.kind == "f" and values.ndim == 1 and not np.isfinite(values).all():
        raise InputError(f"causal model: the values of {name} hold NaN or infinity")
    if values.ndim != 1 or values.dtype.kind not in "biufU" or len(np.unique(values)) < len(values):
        raise InputError(
            f"causal model: the values of {name} are {listed[:4]}; give different numbers, truth values or words, all "
            "of one type"
        )
    return values


def _array(name: str, value: Any) -> Array:
    """Return a given value as an array of at most one dimension, of numbers, truth values or words, all finite."""
    try:
        found = np.asarray(value)
    except ValueError:
        found = np.empty((), dtype=object)
    if found.dtype.kind not in "biufcU":
        raise InputError(f"causal model: {name} is set to {value!r}; give a value, or an array of one value a query")
    if found.dtype.kind in "fc" and not np.isfinite(found).all():
        raise InputError(f"causal model: {name} holds NaN or infinity")
    return found


def _allowed(name: str, values: Array, allowed: Array | None) -> Array:
    """Return input values in the type of their domain; raise `InputError` for one outside it."""
    if allowed is None:
        if values.dtype.kind == "U":
            raise InputError(f"causal model: {name} is a real number, and was given {values.flat[0]!r}")
        return values
    bad = values.ravel()[~np.isin(values.ravel(), allowed)]
    if bad.size:
        raise InputError(f"causal model: {name} = {bad[0]} is outside its {len(allowed)} values")
    return values.astype(allowed.dtype)


def _computed(name: str, value: Any, n: int, *, constant: bool) -> Array:
    found = np.asarray(value)
    if found.dtype.kind not in "biufcU":
        raise InputError(f"causal model: the mechanism of {name} gave {value!r}, which is no value")
    if found.shape != (n,) and not (constant and found.shape in ((), (1,))):
        raise InputError(f"causal model: the mechanism of {name} gave shape {found.shape} for {n} queries")
    if found.dtype.kind in "fc" and not np.isfinite(found).all():
        raise InputError(f"causal model: the mechanism of {name} gave NaN or infinity")
    return np.broadcast_to(found, (n,))
