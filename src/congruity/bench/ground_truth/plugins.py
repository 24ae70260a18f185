"""Measures of a user's own, by name: ``fn(X, Y) -> float`` of two representations (samples, features).

    mine.py:distance                 a function in a file
    package.module:distance          a function in an installed package
    similarity:measure/netrep/...    a measure of the similarity-repository, by its identifier

A measure is a dissimilarity: smaller is closer. A leading ``-`` takes the negative of a similarity. The
similarity-repository has both kinds, and a name does not always say which.

Source: Cloos et al. 2024, A framework for standardizing similarity measures (``similarity.make(identifier)(X, Y)``).
"""

from __future__ import annotations

from collections.abc import Sequence

from congruity._base.optional import require
from congruity._base.plugins import loaded
from congruity.bench.ground_truth.measures import Measure
from congruity.errors import InputError


def by_spec(specs: Sequence[str]) -> dict[str, Measure]:
    """Return measures by the specifications that name them.

    Raises:
        InputError: no such file, module or function, or something that cannot be called.
        MissingExtraError: the similarity-repository is not installed.
    """
    return {spec: _one(spec) for spec in specs}


def _one(spec: str) -> Measure:
    place, colon, name = spec.removeprefix("-").partition(":")
    if not colon or not place or not name:
        raise InputError(
            f"measure {spec!r}: give FILE.py:FUNCTION, PACKAGE.MODULE:FUNCTION or similarity:IDENTIFIER, with a "
            "leading - for a similarity"
        )
    if place == "similarity":
        repository = require("similarity", "similarity-repository, from its own repository", f"measure {spec!r}")
        try:
            fn = repository.make(name)
        except Exception as error:
            raise InputError(f"measure {spec!r}: the repository does not make {name}: {error}") from error
    else:
        fn = getattr(loaded(f"measure {spec!r}", place), name, None)
    if not callable(fn):
        raise InputError(f"measure {spec!r}: there is no function {name} in {place}")
    return (lambda x, y: -float(fn(x, y))) if spec.startswith("-") else fn
