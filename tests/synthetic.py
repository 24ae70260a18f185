"""Fingerprints and comparisons made of random numbers, for tests that need the values and not the models.

Implementations are a shared representation, moved by ``shift`` along one direction, plus independent noise: two sides
with equal ``shift`` have one law, and differ more the further their shifts are apart.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np

from congruity._base.arrays import Floats
from congruity.comparison.certificate import guarantees
from congruity.values import (
    Behaviour,
    Budget,
    Check,
    Circuit,
    Comparison,
    Congruity,
    DistanceTable,
    Edit,
    Estimate,
    Fingerprint,
    Gates,
    Implementation,
    Method,
    ModelCard,
    PermutationTest,
    Queries,
    Sampling,
    Scores,
    Site,
    Status,
)

GATES = Gates()


def grams(n: int, m: int, shift: float, rng: np.random.Generator, noise: float = 0.12) -> Floats:
    """Return (n, m, m) centred Gram matrices of unit trace."""
    shared = np.random.default_rng(12345)
    centre, direction = shared.normal(size=(2, m, 8))
    hidden = centre + shift * direction + noise * rng.normal(size=(n, m, 8))
    hidden -= hidden.mean(axis=1, keepdims=True)
    out = hidden @ hidden.transpose(0, 2, 1)
    return np.asarray(out / np.trace(out, axis1=1, axis2=2)[:, None, None])


def circuit(layers: int, heads: int, rng: np.random.Generator) -> Circuit:
    """Return a circuit of about a seventh of the sites, with heavy-tailed signed scores."""
    sites: list[Site] = []
    for layer in range(layers):
        sites += [Site(layer, "head", f"blocks.{layer}.attn.hook_z", head) for head in range(heads)]
        sites.append(Site(layer, "mlp", f"blocks.{layer}.hook_mlp_out"))
    values = 0.25 * rng.standard_t(3, size=len(sites))
    scores = Scores("attribution", tuple(sites), values, 0.02 + 0.1 * np.abs(values), 100)
    kept = max(2, len(sites) // 7)
    inside = set(scores.ranked()[:kept])
    sizes = sorted({0, 1, 2, 4, kept, 2 * kept, len(sites)})
    lost = {k: float(np.exp(-3 * k / kept)) for k in sizes}
    curve = tuple((k, Behaviour(1 - 0.45 * x, 3.4 * (1 - x), 2.5 * x**1.3, 60)) for k, x in lost.items())
    return Circuit(
        sites=tuple(s for s in sites if s in inside),
        pool=tuple(s for s in sites if s not in inside),
        scores=scores,
        threshold=float(min(abs(v) for s, v in zip(sites, values, strict=True) if s in inside)),
        faithfulness=Behaviour(0.98, 3.2, 0.06, 60),
        curve=curve,
    )


def implementations(
    base: str, n: int, refused: int, unedited: Behaviour, pool: tuple[Site, ...], rng: np.random.Generator
) -> tuple[Implementation, ...]:
    """Return ``n`` implementations inside the default gates and ``refused`` ones outside, mixed."""
    out = []
    for i in range(n + refused):
        inside = i % max(1, (n + refused) // max(1, refused)) != 0 if refused else True
        inside = inside if sum(not x.admitted for x in out) < refused else True
        inside = inside if sum(x.admitted for x in out) < n else False
        kl = rng.uniform(0.04, 0.09) if inside else rng.uniform(0.11, 0.4)
        change = rng.uniform(-0.2, 0.1) if inside else rng.uniform(-0.6, -0.2)
        behaviour = Behaviour(unedited.accuracy, unedited.logit_difference * (1 + change), kl, unedited.n)
        rows = rng.choice(len(pool), size=max(1, len(pool) // 3), replace=False)
        edit = Edit(tuple(pool[r] for r in sorted(rows)), "resample")
        reason = GATES.refusal(behaviour, unedited)
        out.append(Implementation(base, edit, behaviour, inside, reason))
    return tuple(out)


def fingerprint(
    name: str,
    n: int = 20,
    m: int = 30,
    shift: float = 0.0,
    seed: int = 0,
    *,
    layers: int = 6,
    heads: int = 8,
    refused: int = 3,
) -> Fingerprint:
    """Return a fingerprint of ``n`` admitted and ``refused`` refused implementations over ``m`` queries.

    All fingerprints of one ``m`` share their queries, so they compare. ``seed`` draws everything else.
    """
    rng = np.random.default_rng([seed, n, m])
    unedited = Behaviour(0.99, 3.4, 0.0, 60)
    found = circuit(layers, heads, rng)
    centre = grams(1, m, shift, rng, noise=0.0)[0]
    return Fingerprint(
        model=ModelCard(name, f"{seed:064x}", f"base-{name}", "synthetic", layers, heads, 64),
        queries=Queries("ioi", "0" * 64, tuple(f"q{i}" for i in range(m))),
        layers=tuple(f"blocks.{layer}.hook_resid_post" for layer in range(layers)),
        scaling="unit-layer",
        accuracy=0.99,
        unedited=unedited,
        capable=True,
        circuit=found,
        implementations=implementations(f"base-{name}", n, refused, unedited, found.pool, rng),
        grams=grams(n, m, shift, rng),
        clean_gram=centre,
        checks=(
            Check("batch against single", True, 2.1e-6, 1e-4, "largest logit difference"),
            Check("self-patch is a no-op", True, 0.0, 1e-6),
        ),
        sampling=Sampling("edits", Method("attribution"), (Method("resample"),), n, seed, gates=GATES),
        versions={"congruity": "0.1.0", "numpy": np.__version__},
    )


KINDS = (("resample", 0.01), ("resample", 0.003), ("resample", 0.03), ("mean", 0.01))


def stratified(
    name: str,
    n: int = 12,
    m: int = 30,
    shift: float = 0.0,
    seed: int = 0,
    *,
    kinds: tuple[tuple[str, float | None], ...] = KINDS,
    noise: float = 0.12,
    **options: Any,
) -> Fingerprint:
    """Return a fingerprint of ``n`` implementations of each of several kinds (intervention, KL).

    An implementation by "resample" is the model plus noise of size ``noise`` at KL .01, growing with the root of the
    KL; one by any other intervention is moved along one direction besides, the same in all models. Draw k edits sites
    in one order at every kind.
    """
    base = fingerprint(name, n, m, shift, seed, refused=0, **options)
    shared = np.random.default_rng(12345)
    centre, direction, other = shared.normal(size=(3, m, 8))
    rng = np.random.default_rng([seed, n, m, 7])
    rows: list[Implementation] = []
    made = []
    pool = base.circuit.pool
    orders = [rng.permutation(len(pool)) for _ in range(n)]
    for intervention, kl in kinds:
        size = np.sqrt((kl or 0.01) / 0.01)
        moved = 0.0 if intervention == "resample" else 0.25
        hidden = centre + shift * direction + size * (noise * rng.normal(size=(n, m, 8)) + moved * other)
        hidden -= hidden.mean(axis=1, keepdims=True)
        gram = hidden @ hidden.transpose(0, 2, 1)
        made.append(gram / np.trace(gram, axis1=1, axis2=2)[:, None, None])
        for order in orders:
            sites = tuple(sorted(pool[i] for i in order[: max(2, round(8 * size))]))
            found = Behaviour(0.99, 3.4 + 0.1 * rng.normal(), (kl or 0.01) * rng.uniform(0.9, 1.1), 60)
            rows.append(
                Implementation(base.model.base, Edit(sites, intervention), found, True, target_kl=kl, tuned_kl=kl)
            )
    names = tuple(Method(name) for name in dict.fromkeys(intervention for intervention, _ in kinds))
    budget = Budget(kl=tuple(dict.fromkeys(kl for _, kl in kinds if kl is not None)) or Budget().kl)
    return dataclasses.replace(
        base,
        implementations=tuple(rows),
        grams=np.concatenate(made),
        sampling=dataclasses.replace(base.sampling, interventions=names, budget=budget),
    )


def repeated(of: Fingerprint, name: str, *, seed: int = 0, moved: float = 0.05, tied: float = 1.0) -> Fingerprint:
    """Return a copy of a model under the same edits: each representation of ``of`` moved a little.

    With ``tied`` 0 the responses (KL, logit difference) have nothing to do with those of ``of``.
    """
    rng = np.random.default_rng([seed, 99])
    m = len(of.queries.ids)
    step = rng.normal(size=(m, m))
    step = moved * (step @ step.T) / m**2

    def shifted(gram: Floats) -> Floats:
        out = gram + step
        return np.asarray(out / np.trace(out))

    rows = []
    for item in of.admitted:
        own = item.behaviour
        kl = own.kl**tied * rng.lognormal(0, 0.02 if tied else 0.3) * 0.01 ** (1 - tied)
        change = tied * (own.logit_difference - of.unedited.logit_difference) + (0.01 if tied else 0.1) * rng.normal()
        found = Behaviour(own.accuracy, of.unedited.logit_difference + change, kl, own.n)
        rows.append(dataclasses.replace(item, base=f"base-{name}", behaviour=found, target_kl=None, tuned_kl=None))
    return dataclasses.replace(
        of,
        model=dataclasses.replace(of.model, name=name, digest=f"{seed + 1:064x}", base=f"base-{name}"),
        implementations=tuple(rows),
        grams=np.stack([shifted(gram) for gram in of.grams]),
        clean_gram=shifted(of.clean_gram),
        sampling=dataclasses.replace(of.sampling, edits_of=of.digest),
    )


def distances(a: Fingerprint, b: Fingerprint) -> DistanceTable:
    """Return Frobenius distances between all admitted implementations of both sides."""
    flat = np.concatenate([a.grams, b.grams]).reshape(a.n + b.n, -1)
    square = (flat**2).sum(axis=1)
    values = np.sqrt(np.maximum(square[:, None] + square[None, :] - 2 * flat @ flat.T, 0))
    np.fill_diagonal(values, 0)
    values = (values + values.T) / 2
    labels = tuple(f"{side.model.name}/{i}" for side in (a, b) for i in range(side.n))
    return DistanceTable("frobenius", values, labels)


def p_within(values: Floats, own: np.ndarray, other: np.ndarray) -> float:
    """Return the chance that a row of ``own`` is closer to another of ``own`` than to one of ``other``."""
    total = []
    for i in own:
        within, between = values[i, own[own != i]][:, None], values[i, other][None, :]
        total.append(np.mean((within < between) + 0.5 * (within == between)))
    return float(np.mean(total))


def congruity(a: Fingerprint, b: Fingerprint) -> Congruity:
    """Return a Congruity with the true P1, P2, T, C and AUC of the table; intervals and p-values are stand-ins."""
    table = distances(a, b)
    rows_a, rows_b = np.arange(a.n), np.arange(a.n, a.n + b.n)
    p1, p2 = p_within(table.values, rows_a, rows_b), p_within(table.values, rows_b, rows_a)
    t, s = p1 + p2 - 1, p1 - p2
    between = table.values[: a.n, a.n :]
    own = [table.values[: a.n, : a.n].sum(1) / (a.n - 1), table.values[a.n :, a.n :].sum(1) / (b.n - 1)]
    to_a = np.concatenate([between.mean(1) - own[0], own[1] - between.mean(0)])
    auc = float((to_a[: a.n, None] > to_a[None, a.n :]).mean())
    low, high = max(-1.0, t - 0.12), min(1.0, t + 0.12)
    p = float(np.exp(-6 * max(0.0, auc - 0.5) * 2))
    estimate = Estimate(
        p_within=(p1, p2),
        separability=auc,
        n=(a.n, b.n),
        n_bases=(1, 1),
        kind="two networks",
        units=min(a.n, b.n),
        lonely=(),
        informative=True,
        independent=True,
        balanced=True,
        expected_equal=1 - 0.54 / min(a.n, b.n),
        margin=0.5,
        alpha=0.05,
        intervals={
            "separation": (low, high),
            "p1": (max(0, p1 - 0.1), min(1, p1 + 0.1)),
            "p2": (max(0, p2 - 0.1), min(1, p2 + 0.1)),
        },
        smallest_margin=min(1.0, abs(t) + abs(s) + 0.15),
        p_equivalence=1.0,
        tv_lower=0.1,
        test=PermutationTest(p, {"separability": p, "energy": p}, 1.0, 1e-4, 10000, False),
    )
    side = (a.model.name,) * a.n + (b.model.name,) * b.n
    names = (a.model.name, b.model.name)
    equal = p > 0.05
    return Congruity(
        estimate=estimate,
        status=Status.NOT_SHOWN if equal else Status.DIFFERENT,
        reason="neither test passes at margin 0.50" if equal else f"the sides have different laws (p = {p:.3f})",
        names=names,
        rho=1.3,
        guarantees=guarantees(estimate, table, side),
        table=table,
        side=side,
        provenance={"seed": 0, "distance": "frobenius", "a": a.digest, "b": b.digest},
    )


def changed(result: Congruity, **fields: Any) -> Congruity:
    """Return a result with other parts; fields of its estimate are set there."""
    known = {f.name for f in dataclasses.fields(Estimate)}
    of_estimate = {name: fields.pop(name) for name in known & fields.keys()}
    return dataclasses.replace(result, estimate=dataclasses.replace(result.estimate, **of_estimate), **fields)


def comparison(
    a: Fingerprint | None = None,
    b: Fingerprint | None = None,
    *,
    role: Literal["main", "control"] = "main",
    note: str = "",
    **overrides: Any,
) -> Comparison:
    """Return a comparison of two fingerprints (made if not given); ``overrides`` are set as by `changed`."""
    a = a or fingerprint("model-a", seed=1)
    b = b or fingerprint("model-b", shift=0.06, seed=2)
    return Comparison(a, b, changed(congruity(a, b), **overrides), role, note)
