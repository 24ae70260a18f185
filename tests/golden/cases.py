"""List the golden cases: comparisons, estimates, distances and errors, through the public names of congruity alone.

Every case is deterministic and runs in the folder of the stored inputs, so that no path of a machine gets into a
result. A case returns what its call returned, or raises the `CongruityError` that is to be recorded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import congruity as cg

Array = NDArray[np.float64]
Case = Callable[[], object]
INPUTS = Path(__file__).parent / "inputs"
FAST: dict[str, Any] = {"n_permutations": 999, "n_bootstrap": 499}
DISTANCES = ("ridge", "procrustes", "cka", "cka-debiased", "cca", "svcca", "rsa", "kernel")


class CommandError(cg.CongruityError):
    """What the command line printed on its way out."""


# ---------------------------------------------------------------------------------------------------------- estimate


def cloud(n: int, m: int, shift: float, seed: int, *, spread: float = 1.0) -> Array:
    """Return Euclidean distances of n points about 0 and m about ``shift``, the latter spread more or less."""
    rng = np.random.default_rng([seed, n, m])
    places = np.concatenate([rng.normal(size=(n, 3)), spread * rng.normal(size=(m, 3))])
    places[n:, 0] += shift
    return np.asarray(np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2)))


def uneven(n: int, m: int, shift: float, seed: int) -> Array:
    """Return distances that differ by direction, with something on the diagonal that nobody may use."""
    factor = np.random.default_rng([seed, 8]).uniform(0.7, 1.3, size=(n + m, n + m))
    return (cloud(n, m, shift, seed) + 0.05) * factor


def within_and_between(n: int, m: int, within: float, between: float) -> Array:
    """Return a table of two values."""
    side = np.repeat([0, 1], [n, m])
    table = np.where(side[:, None] == side, within, between).astype(np.float64)
    np.fill_diagonal(table, 0.0)
    return table


def estimated(values: Any, n: int, m: int, **options: Any) -> Case:
    """Return a case: the estimate of a table whose first n rows are one side."""
    return lambda: cg.estimate(values, ["a"] * n + ["b"] * m, **(FAST | options))


def estimate_equal() -> dict[str, Case]:
    """Equal sides of many sizes."""
    sizes = [(2, 2), (2, 3), (2, 9), (3, 3), (4, 4), (5, 5), (5, 9), (6, 6), (8, 8), (9, 5), (10, 10), (10, 14)]
    sizes += [(12, 12), (20, 20), (25, 31), (40, 12), (40, 40)]
    return {f"{n} and {m}": estimated(cloud(n, m, 0.0, 1), n, m) for n, m in sizes}


def estimate_apart() -> dict[str, Case]:
    """Sides further and further apart, and one inside the other."""
    found = {
        f"{n} and {m} shifted by {shift:g}": estimated(cloud(n, m, shift, 2), n, m)
        for n, m in ((5, 5), (10, 10), (20, 17))
        for shift in (0.5, 1.0, 2.0, 6.0)
    }
    found |= {
        f"{n} inside {m}": estimated(cloud(n, m, 0.0, 3, spread=spread), n, m)
        for n, m, spread in ((10, 10, 3.0), (12, 9, 0.2), (20, 20, 1.5))
    }
    return found


def estimate_uneven() -> dict[str, Case]:
    """Distances that differ by direction, and others that are no metric at all."""
    found = {
        f"{n} and {m} shifted by {shift:g}": estimated(uneven(n, m, shift, 4), n, m)
        for n, m in ((4, 6), (10, 10), (16, 12))
        for shift in (0.0, 1.5)
    }
    noise = np.random.default_rng(5).gamma(3.0, 1.0, size=(22, 22))
    found["noise 11 and 11"] = estimated(noise, 11, 11)
    found["squares 10 and 10"] = estimated(cloud(10, 10, 1.0, 5) ** 2, 10, 10)
    found["tiny 10 and 10"] = estimated(1e-9 * cloud(10, 10, 1.0, 5), 10, 10)
    found["huge 10 and 10"] = estimated(1e12 * cloud(10, 10, 1.0, 5), 10, 10)
    return found


def estimate_ties() -> dict[str, Case]:
    """Distances that are equal: some, all, and in ways that leave nothing to compare."""
    rounded, twins = np.round(cloud(10, 10, 0.8, 6)), np.repeat(np.arange(6), 2)
    return {
        "rounded": estimated(rounded, 10, 10),
        "rounded to two values": estimated((cloud(8, 8, 1.0, 6) > 2.0).astype(np.float64), 8, 8),
        "all equal": estimated(within_and_between(6, 6, 1.0, 1.0), 6, 6),
        "all equal, 2 and 2": estimated(within_and_between(2, 2, 1.0, 1.0), 2, 2),
        "all zero": estimated(np.zeros((10, 10)), 5, 5),
        "nearer within": estimated(within_and_between(10, 10, 1.0, 2.0), 10, 10),
        "nearer between": estimated(within_and_between(10, 10, 2.0, 1.0), 10, 10),
        "nothing within": estimated(within_and_between(5, 7, 0.0, 1.0), 5, 7),
        "every implementation twice": estimated(cloud(3, 3, 1.0, 7)[np.ix_(twins, twins)], 6, 6),
        "one constant side": estimated(np.where(np.arange(12)[:, None] < 6, cloud(6, 6, 0.0, 8), 1.0), 6, 6),
    }


def estimate_bases() -> dict[str, Case]:
    """Implementations of several networks a side: balanced or not, few or many, one, and one on both sides."""

    def of(n: int, m: int, shift: float, base: Iterable[object], **options: Any) -> Case:
        rng = np.random.default_rng([9, n, m])
        labels = list(base)
        centre = {label: rng.normal(size=3) for label in dict.fromkeys(map(str, labels))}
        places = np.array([centre[str(label)] for label in labels]) + 0.3 * rng.normal(size=(n + m, 3))
        places[n:, 0] += shift
        table = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
        return estimated(table, n, m, base=labels, **options)

    def runs(*sizes: int) -> list[str]:
        return [f"net {k}" for k, size in enumerate(sizes) for _ in range(size)]

    return {
        "6 and 6 networks of 2": of(12, 12, 0.0, runs(*[2] * 12)),
        "6 and 6 networks of 2, apart": of(12, 12, 4.0, runs(*[2] * 12)),
        "4 and 4 networks of 3": of(12, 12, 0.0, runs(*[3] * 8)),
        "4 and 4 networks of 3, apart": of(12, 12, 6.0, runs(*[3] * 8)),
        "5 and 7 networks, unbalanced": of(10, 15, 1.0, runs(1, 3, 2, 1, 3, 2, 2, 1, 4, 2, 3, 1)),
        "3 and 3 networks": of(9, 9, 2.0, runs(*[3] * 6)),
        "2 and 5 networks": of(6, 10, 2.0, runs(3, 3, 2, 2, 2, 2, 2)),
        "12 and 12 networks": of(12, 12, 0.0, runs(*[1] * 24)),
        "12 and 12 networks, apart": of(12, 12, 3.0, runs(*[1] * 24)),
        "11 and 10 networks of 2": of(22, 20, 0.0, runs(*[2] * 21), margin=1.0),
        "one network a side": of(10, 10, 0.0, runs(10, 10)),
        "one network a side, apart": of(10, 10, 3.0, runs(10, 10)),
        "one network a side, wide margin": of(14, 14, 0.0, ["x"] * 14 + ["y"] * 14, margin=1.0),
        "one network on both sides": of(10, 10, 0.0, ["same"] * 20),
        "one network against five": of(8, 10, 0.5, runs(8, 2, 2, 2, 2, 2)),
        "five networks against one": of(10, 8, 0.5, runs(2, 2, 2, 2, 2, 8)),
        "networks by number": of(8, 8, 0.3, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]),
        "networks in no order": of(10, 10, 0.3, [k % 5 for k in range(10)] + [5 + k % 5 for k in range(10)]),
    }


def estimate_settings() -> dict[str, Case]:
    """Margins, levels, seeds, names, exact and sampled permutations, other orders, and what prompts say."""
    equal, apart, sizes = cloud(12, 12, 0.0, 10), cloud(12, 12, 0.9, 11), (12, 12)
    side = np.array(["a"] * 12 + ["b"] * 12)
    mixed = np.random.default_rng(12).permutation(24)
    back = np.r_[12:24, 0:12]
    found = {f"margin {x:g}": estimated(equal, *sizes, margin=x) for x in (0.1, 0.3, 0.5, 0.8, 1.0)}
    found |= {f"margin {x:g}, apart": estimated(apart, *sizes, margin=x) for x in (0.3, 1.0)}
    found |= {f"alpha {x:g}": estimated(apart, *sizes, alpha=x) for x in (0.0001, 0.01, 0.1, 0.2)}
    found |= {f"seed {x}": estimated(apart, *sizes, seed=x) for x in (1, 2**40)}
    found |= {
        f"{count} permutations of 252": estimated(cloud(5, 5, 1.0, 13), 5, 5, n_permutations=count)
        for count in (99, 251, 252, 9999)
    }
    found |= {
        "defaults": lambda: cg.estimate(apart, side),
        "defaults of 40": lambda: cg.estimate(cloud(40, 40, 0.1, 14), ["x"] * 40 + ["y"] * 40),
        "99 resamples": estimated(apart, *sizes, n_bootstrap=99),
        "rows in another order": lambda: cg.estimate(apart[np.ix_(mixed, mixed)], side[mixed], **FAST),
        "sides in the other order": lambda: cg.estimate(apart[np.ix_(back, back)], side[back], **FAST),
        "uneven, sides in the other order": estimated(uneven(9, 12, 0.7, 15)[::-1, ::-1], 12, 9),
        "sides by number": lambda: cg.estimate(apart, [0] * 12 + [1] * 12, **FAST),
        "names": estimated(apart, *sizes, names=("left", "right")),
        "as a list": estimated(cloud(5, 6, 0.5, 16).tolist(), 5, 6),
        "something on the diagonal": estimated(equal + 0.2 * np.eye(24), *sizes),
        "prompts are needed": estimated(equal, *sizes, margin=1.0, require_prompts=True),
        "a table": lambda: cg.estimate(cg.DistanceTable("mine", apart, tuple(map(str, range(24)))), side, **FAST),
        "a table with bounds": lambda: cg.estimate(_bounded(apart), side, **FAST),
    }
    for name, reliability, options in (
        ("reliable prompts", 0.95, {"margin": 1.0}),
        ("noisy prompts", 0.5, {"margin": 1.0}),
        ("useless prompts", 0.1, {}),
        ("prompts needed and there", 0.75, {"margin": 0.9, "require_prompts": True}),
    ):
        found[name] = _with_prompts(equal, sizes, reliability, options)
    return found


def _bounded(values: Array) -> cg.DistanceTable:
    labels = tuple(map(str, range(len(values))))
    return cg.DistanceTable("spectral", values, labels, 0.99 * values, 1.01 * values, {"tol": 0.01})


def _with_prompts(values: Array, sizes: tuple[int, int], reliability: float, options: dict[str, Any]) -> Case:
    def run() -> object:
        measured: Any = compared("plain-a", "plain-b", distance="cka", folds=3)()
        prompts = dataclasses.replace(measured.prompts, reliability=reliability)
        return estimated(values, *sizes, prompts=prompts, **options)()

    return run


# --------------------------------------------------------------------------------------------------------- distances


def features(seed: int, samples: int = 14) -> list[Array]:
    """Return eight representations of the same samples: four alike, four alike in another way."""
    rng = np.random.default_rng([seed, samples])
    shared = rng.normal(size=(2, samples, 6))
    return [shared[k // 4] @ np.diag(rng.uniform(0.8, 1.2, 6)) + 0.3 * rng.normal(size=(samples, 6)) for k in range(8)]


def pairwise() -> dict[str, Case]:
    """All distances between eight representations, by name and by object, and what is estimated from them."""

    def of(distance: Any, **options: Any) -> Case:
        return lambda: cg.pairwise(features(1), distance() if callable(distance) else distance, **options)

    def then(distance: str) -> Case:
        return lambda: cg.estimate(cg.pairwise(features(2), distance), ["a"] * 4 + ["b"] * 4, **FAST)

    def as_grams() -> object:
        grams = [x @ x.T for x in features(1)]
        return cg.pairwise(grams, cg.distances.Procrustes(), gram=True, labels=list("abcdefgh"))

    found = {name: of(name) for name in DISTANCES} | {"spectral": of(lambda: cg.distances.Spectral())}
    found |= {f"estimate of {name}": then(name) for name in DISTANCES}
    return found | {
        "spectral to .001": of(lambda: cg.distances.Spectral(tol=1e-3)),
        "estimate of spectral": lambda: cg.estimate(
            cg.pairwise(features(2), cg.distances.Spectral()), ["a"] * 4 + ["b"] * 4, **FAST
        ),
        "ridge of other penalties": of(lambda: cg.distances.Ridge(alphas=(0.01, 1.0), test_fraction=0.3, seed=2)),
        "cca regularised more": of(lambda: cg.distances.CCA(regularization=0.5)),
        "svcca of less": of(lambda: cg.distances.SVCCA(variance=0.8)),
        "rsa by pearson": of(lambda: cg.distances.RSA(comparison="pearson")),
        "kernel of twice the width": of(lambda: cg.distances.Kernel(bandwidth=2.0)),
        "not centred": of("cka", center=False),
        "not scaled": of("procrustes", normalize=False),
        "of Gram matrices": as_grams,
    }


def d_repr() -> dict[str, Case]:
    """The certified distance of two representations, with and without samples held out."""
    rng = np.random.default_rng(20)
    x, y = rng.normal(size=(30, 5)), rng.normal(size=(30, 4))
    turned = x @ np.linalg.qr(rng.normal(size=(5, 5)))[0]
    wide = rng.normal(size=(12, 40))

    def of(one: Array, other: Array, **options: Any) -> Case:
        return lambda: cg.d_repr(one, other, **options)

    return {
        "unrelated": of(x, y),
        "other way round": of(y, x),
        "part of it": of(x, x[:, :2]),
        "turned": of(x, turned),
        "noisy": of(x, x + 0.3 * rng.normal(size=x.shape)),
        "more features than samples": of(wide, wide[:, :20] + 0.1),
        "roughly": of(x, y, tol=0.05),
        "closely": of(x, y, tol=1e-5),
        "not centred": of(x + 1.0, y, center=False),
        "not scaled": of(x, 2.0 * y, normalize=False),
        "half held out": of(x, x + 0.5 * rng.normal(size=x.shape), held_out=0.5),
        "a fifth held out": of(x, y, held_out=0.2, shuffles=2, confidence=0.8, seed=3),
        "without shuffles": of(x, y, held_out=0.4, shuffles=0),
    }


# ------------------------------------------------------------------------------------------------------- comparisons


def stored(name: str) -> str:
    """Return the file of a stored fingerprint, in the folder of the inputs."""
    return f"{name}.safetensors"


def compared(a: str, b: str, *, distance: Any = "procrustes", **options: Any) -> Case:
    """Return a case: the comparison of two stored fingerprints."""
    return lambda: cg.compare(stored(a), stored(b), distance=distance() if callable(distance) else distance, **options)


def loaded(name: str) -> Case:
    """Return a case: the reading of a stored fingerprint."""
    return lambda: cg.Fingerprint.load(stored(name))


def load() -> dict[str, Case]:
    """What was stored in schema 2, read again: rich and sparse settings, copies, several kinds and networks."""
    names = ["plain-a", "sparse-a", "paired", "pool-other", "noise-a", "kinds-a", "any-a", "copies-a", "copies-permute"]
    names += ["bases-uneven", "incapable", "half-1", "other-scaling"]
    return {name: loaded(name) for name in names}


def compare() -> dict[str, Case]:
    """Sides that were made alike, by every distance and with every setting."""
    found = {f"equal by {name}": compared("plain-a", "plain-b", distance=name) for name in DISTANCES}
    found |= {f"apart by {name}": compared("plain-a", "shift-2", distance=name) for name in DISTANCES}
    for name, a, b in (("equal", "m24-a", "m24-b"), ("apart", "short-a", "short-b")):  # on half of 18, SVCCA is 0
        found[f"{name} by svcca"] = compared(a, b, distance="svcca")
    pairs = [("plain-a", other) for other in ("plain-c", "near", "shift-1", "shift-2", "far", "wide", "small-b")]
    pairs += [("plain-b", "plain-a"), ("far", "plain-a"), ("small-a", "small-b"), ("small-a", "small-far")]
    pairs += [("big-a", "big-b"), ("sparse-a", "sparse-b"), ("sparse-a", "sparse-far"), ("half-1", "half-2")]
    pairs += [("half-1", "plain-a"), ("wide", "shift-1")]
    pairs += [("short-a", "short-b"), ("edge-a", "edge-b"), ("m24-a", "m24-b")]
    pairs += [("plain-a", "incapable"), ("incapable", "plain-a"), ("sparse-a", "incapable-sparse")]
    found |= {f"{a} and {b}": compared(a, b) for a, b in pairs}
    found |= {
        "2 folds": compared("plain-a", "plain-b", distance="cka", folds=2),
        "3 folds": compared("plain-a", "shift-1", folds=3),
        "4 folds": compared("plain-b", "near", distance="ridge", folds=4),
        "folds, far": compared("big-a", "far", distance="cka", folds=4),
        "margin .9": compared("plain-a", "plain-b", margin=0.9),
        "margin 1, more of them": compared("big-a", "big-b", distance="cka", margin=1.0),
        "margin .2": compared("plain-a", "shift-1", margin=0.2),
        "alpha .2": compared("plain-a", "near", alpha=0.2),
        "alpha .001": compared("plain-a", "far", alpha=0.001),
        "seed 5": compared("plain-a", "shift-1", seed=5),
        "spectral, equal": compared("small-a", "small-b", distance=None),
        "spectral, far": compared("small-a", "small-far", distance=cg.distances.Spectral),
        "spectral on 16 prompts": compared("edge-a", "edge-b", distance=None),
        "spectral on 12 prompts": compared("short-a", "short-b", distance=None),
        "spectral, 2 folds": compared("small-b", "small-far", distance=cg.distances.Spectral, folds=2),
        "spectral to .05": compared("small-a", "sparse-far", distance=lambda: cg.distances.Spectral(tol=0.05)),
        "loaded before": lambda: cg.compare(
            cg.Fingerprint.load(stored("plain-a")), cg.Fingerprint.load(stored("plain-b")), distance="cka"
        ),
        "ties": compared("ties-a", "ties-b", distance=None),
        "ties against none": compared("small-a", "ties-a", distance=None),
        "ties against all equal": compared("ties-a", "ties-all"),
        "all equal": compared("ties-all", "ties-all-b"),
        "nothing on half of the prompts": compared("plain-a", "spike"),
    }
    return found


def mismatched() -> dict[str, Case]:
    """Sides that were not made alike, each in one thing, and one in all; copies beside edits."""
    others = ["gates-other", "gates-none", "rule-other", "rule-share", "mean-only", "kl-other", "kl-close", "strong"]
    others += ["finder-other", "pool-other", "unlike-all", "copies-of-plain", "sparse-a"]
    found = {f"plain-a and {other}": compared("plain-a", other) for other in others}
    pairs = [("noise-a", "noise-b"), ("noise-a", "noise-parameters"), ("copies-a", "copies-b")]
    pairs += [("copies-a", "copies-permute"), ("incapable", "unlike-all"), ("bases-a", "bases-gates")]
    found |= {f"{a} and {b}": compared(a, b) for a, b in pairs}
    found["wide margin"] = compared("plain-a", "gates-other", margin=1.0)
    found["far, by cka"] = compared("gates-other", "far", distance="cka", folds=2)
    found["spectral"] = compared("small-a", "rule-other", distance=None)
    return found


def bases() -> dict[str, Case]:
    """Several networks a side."""
    pairs = [("bases-a", other) for other in ("bases-b", "bases-far", "bases-uneven", "bases-few", "plain-a")]
    pairs += [("plain-a", "bases-b"), ("bases-few", "bases-uneven"), ("bases-far", "bases-many")]
    found = {f"{a} and {b}": compared(a, b) for a, b in pairs}
    return found | {
        "many": compared("bases-many", "bases-more", margin=1.0),
        "many by cka": compared("bases-many", "bases-more", distance="cka", folds=2),
    }


def paired() -> dict[str, Case]:
    """The same edits in two models."""
    others = ["paired", "paired-untied", "paired-some", "paired-few", "paired-untold", "paired-parameters"]
    others += ["paired-silent"]
    found = {f"plain-a and {other}": compared("plain-a", other) for other in others}
    return found | {
        "other way round": compared("paired", "plain-a"),
        "both of a third": compared("paired", "paired-untied", distance="cka"),
        "3 folds": compared("plain-a", "paired", distance="cka", folds=3, seed=2),
        "spectral": compared("small-a", "small-paired", distance=None),
        "a model and itself": compared("small-b", "small-b"),
    }


def looks() -> dict[str, Case]:
    """Implementations looked at until the question is decided, or until there are no more."""
    return {
        "not decided": compared("big-a", "big-b", looks=(5, 10, 14), margin=0.1),
        "equivalent": compared("big-a", "big-b", distance="cka", looks=(5, 10, 14), margin=1.0, alpha=0.2),
        "told apart at once": compared("big-a", "far", looks=(8, 10)),
        "told apart later": compared("plain-a", "shift-1", looks=(5, 8, 10), alpha=0.2),
        "run out": compared("plain-a", "plain-c", looks=(8, 10, 20), margin=0.05),
        "ten looks": compared("plain-b", "plain-a", distance="cka", looks=tuple(range(5, 13)), margin=0.05),
        "networks": compared("bases-a", "bases-far", looks=(8, 10)),
        "not applicable": compared("plain-a", "incapable", looks=(5, 10)),
        "of unlike sides": compared("plain-a", "gates-other", looks=(5, 10), margin=1.0),
        "one kind in common": compared("kinds-a", "kinds-one", looks=(5, 7)),
    }


def matrix() -> dict[str, Case]:
    """All pairs of several models, as one family."""

    def of(names: Iterable[str], **options: Any) -> Case:
        return lambda: cg.matrix([stored(name) for name in names], **({"distance": "procrustes"} | options))

    four = ("plain-a", "plain-b", "plain-c", "far")
    return {
        "holm": of(four),
        "bh": of(four, correction="bh"),
        "wide margin": of(four, distance="cka", margin=1.0, alpha=0.2, seed=3),
        "shifts": of(("plain-a", "near", "shift-1", "shift-2"), distance="cka"),
        "shifts by bh": of(("plain-a", "near", "shift-1", "shift-2"), distance="cka", correction="bh"),
        "with one that cannot": of(("plain-a", "incapable", "far"), distance="cka"),
        "of several kinds": of(("kinds-a", "kinds-far", "kinds-turned")),
        "no kind in common": of(("plain-a", "mean-only", "kl-other")),
        "unlike": of(("plain-a", "gates-other", "strong"), margin=1.0),
        "networks": of(("bases-a", "bases-b", "bases-far", "bases-uneven"), correction="bh"),
        "namesakes": of(("plain-a", "namesake", "half-1", "half-2"), distance="cka"),
        "spectral": of(("small-a", "small-b", "small-far"), distance=None),
    }


def sensitivity() -> dict[str, Case]:
    """Sides with several kinds of implementations."""
    pairs = [("kinds-a", f"kinds-{other}") for other in ("b", "far", "one", "turned", "gates", "incapable", "few")]
    pairs += [("kinds-b", "kinds-a"), ("close-a", "close-b"), ("any-a", "any-b"), ("mixed-a", "mixed-b")]
    pairs += [("mixed-a", "mixed-few")]
    found = {f"{a} and {b}": compared(a, b) for a, b in pairs}
    found["3 folds by cka"] = compared("kinds-a", "kinds-b", distance="cka", folds=3, margin=0.8, seed=1)
    found["alpha .2"] = compared("close-a", "close-b", alpha=0.2, margin=1.0)
    return found


# ------------------------------------------------------------------------------------------------ errors and commands


def errors() -> dict[str, Case]:
    """What is refused, in which words."""
    square, two = cloud(5, 5, 0.0, 30), ["a"] * 5 + ["b"] * 5
    negative, nothing = square.copy(), square.copy()
    negative[0, 1], nothing[0, 1] = -1.0, np.nan
    x = np.random.default_rng(31).normal(size=(10, 3))
    bad: Any = "bonferroni"
    three = [stored(name) for name in ("plain-a", "plain-b", "plain-c")]
    found: dict[str, Case] = {
        f"compare: {other}": compared("small-a", other)
        for other in (
            "other-task",
            "other-position",
            "other-intervention",
            "other-examples",
            "other-scaling",
            "short-a",
        )
    }
    found |= {
        f"load: {name}": loaded(name)
        for name in ("missing", "broken-short", "broken-bare", "broken-schema-1", "broken-edited", "broken-lacking")
    }
    return found | {
        "compare: 1 fold": compared("plain-a", "plain-b", folds=1),
        "compare: 100 folds": compared("plain-a", "plain-b", folds=100),
        "compare: margin 2": compared("plain-a", "plain-b", margin=2.0),
        "compare: alpha .9": compared("plain-a", "plain-b", alpha=0.9),
        "compare: seed -1": compared("plain-a", "plain-b", seed=-1),
        "compare: unknown distance": compared("plain-a", "plain-b", distance="procrust"),
        "compare: one look": compared("plain-a", "plain-b", looks=(5,)),
        "compare: falling looks": compared("plain-a", "plain-b", looks=(8, 5)),
        "compare: looks at too few": compared("small-a", "plain-b", looks=(8, 16)),
        "compare: looks at several kinds": compared("kinds-a", "kinds-b", looks=(5, 7)),
        "compare: looks with folds": compared("plain-a", "plain-b", looks=(5, 7), folds=2),
        "compare: n of fingerprints": compared("plain-a", "plain-b", n=5),
        "compare: paired fingerprints": compared("plain-a", "plain-b", paired=True),
        "compare: the same networks on both sides": compared("bases-a", "bases-a"),
        "matrix: two sides": lambda: cg.matrix(three[:2], distance="cka"),
        "matrix: one twice": lambda: cg.matrix([three[0], three[0], three[1]], distance="cka"),
        "matrix: unknown correction": lambda: cg.matrix(three, distance="cka", correction=bad),
        "matrix: other queries": lambda: cg.matrix([*three[:2], stored("short-a")], distance="cka"),
        "estimate: negative": estimated(negative, 5, 5),
        "estimate: NaN": estimated(nothing, 5, 5),
        "estimate: not square": estimated(square[:, :9], 5, 5),
        "estimate: labels": estimated(square, 5, 4),
        "estimate: three sides": lambda: cg.estimate(square, ["a", "b", "c", *two[:7]]),
        "estimate: one on a side": estimated(square, 9, 1),
        "estimate: base on both sides": estimated(square, 5, 5, base=list("xxyyzzuuvv")),
        "estimate: bases": estimated(square, 5, 5, base=list("xyz")),
        "estimate: 5 resamples": estimated(square, 5, 5, n_bootstrap=5),
        "estimate: names": estimated(square, 5, 5, names="ab" + "c"),
        "estimate: margin 0": estimated(square, 5, 5, margin=0.0),
        "d_repr: constant": lambda: cg.d_repr(x, np.ones((10, 2))),
        "d_repr: other samples": lambda: cg.d_repr(x, x[:9]),
        "d_repr: tolerance": lambda: cg.d_repr(x, x, tol=0.0),
        "d_repr: held out": lambda: cg.d_repr(x[:5], x[:5], held_out=0.5),
        "pairwise: unknown": lambda: cg.pairwise([x, x], "ckka"),
        "pairwise: other samples": lambda: cg.pairwise([x, x[:8]], "cka"),
        "pairwise: Gram matrices": lambda: cg.pairwise([x, x], "cka", gram=True),
    }


def commanded(*arguments: object) -> object:
    """Return the JSON that ``congruity evaluate`` prints; raise `CommandError` with its words where it refuses."""
    from congruity import cli

    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["congruity", "evaluate", *map(str, arguments), "--json", "--quiet"]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
        code: Any = 0
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        sys.argv = before
    if code:
        raise CommandError(f"exit {code}: {err.getvalue().strip()}")
    found = json.loads(out.getvalue())
    return found | {"order of variables": list(found["by_variable"])}


def evaluate() -> dict[str, Case]:
    """Causal models, and a module of one's own, against interpretations."""

    def of(model: str, against: str, *more: object) -> Case:
        few = ("--pairs", 200, "--random", 9)
        return lambda: commanded(model, "--against", against, *few, *more)

    return {
        "given": of("net.json", "sum-given.json"),
        "found": of("net.json", "sum-found.json"),
        "wrong place": of("net.json", "sum-wrong.json"),
        "other sum": of("net.json", "sum-other.json", "--seed", 3),
        "two variables": of("two.json", "two-given.json"),
        "two variables, crossed": of("two.json", "two-crossed.json"),
        "idle variable": of("idle.json", "idle.json", "--pairs", 40, "--random", 2),
        "odd names": of("odd.json", "odd.json", "--random", 0),
        "own module": of("mine.py:net", "mine.json", "--site", "0:2"),
        "refused: other values": of("turned.json", "sum-given.json"),
        "refused: no such place": of("net.json", "nowhere.json"),
        "refused: no file": of("net.json", "none.json"),
        "refused: no site": of("mine.py:net", "sum-given.json"),
        "refused: unknown algorithm": of("net.json", "rasp:permutation/zzz"),
        "refused: other inputs": of("net.json", "rasp:permutation/parity"),
    }


def evaluate_rasp() -> dict[str, Case]:
    """Compiled programs against algorithms; needs Tracr."""

    def of(family: str, algorithm: str, against: str) -> Case:
        few = ("--pairs", 40, "--random", 3)
        return lambda: commanded(f"rasp:{family}/{algorithm}", "--against", f"rasp:{family}/{against}", *few)

    return {
        "parity as parity": of("permutation", "parity", "parity"),
        "parity as count": of("permutation", "parity", "count"),
        "mode by histogram": of("mode", "histogram", "histogram"),
    }


GROUPS: dict[str, Callable[[], dict[str, Case]]] = {
    "estimate equal": estimate_equal,
    "estimate apart": estimate_apart,
    "estimate uneven": estimate_uneven,
    "estimate ties": estimate_ties,
    "estimate bases": estimate_bases,
    "estimate settings": estimate_settings,
    "pairwise": pairwise,
    "d_repr": d_repr,
    "load": load,
    "compare": compare,
    "mismatched": mismatched,
    "bases": bases,
    "paired": paired,
    "looks": looks,
    "matrix": matrix,
    "sensitivity": sensitivity,
    "errors": errors,
    "evaluate": evaluate,
    "evaluate rasp": evaluate_rasp,
}


def cases() -> dict[str, Case]:
    """Return every case by name, ``group: case``."""
    return {f"{group}: {name}": case for group, made in GROUPS.items() for name, case in made().items()}


def in_group(group: str) -> dict[str, Case]:
    """Return the cases of one group, by their full names."""
    return {f"{group}: {name}": case for name, case in GROUPS[group]().items()}
