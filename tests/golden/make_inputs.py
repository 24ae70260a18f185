"""Make the stored inputs of the golden results; it ran once, on the commit that README.md names, and never again.

Nothing at replay uses this file. It needs the modules of that commit, so every import of them is inside a function.

    PYTHONPATH=src:tests python tests/golden/make_inputs.py
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

INPUTS = Path(__file__).parent / "inputs"
KL = 0.01
ONE = (("resample", KL),)
ALL = (("resample", 0.01), ("resample", 0.003), ("resample", 0.03), ("mean", 0.01))
MODULE = '''"""A network of one's own, with weights that no generator draws."""


def net():
    """Return a network of three tokens a position, and three answers."""
    import torch

    embed, answer = torch.nn.Embedding(3, 4), torch.nn.Linear(4, 3)
    with torch.no_grad():
        embed.weight.copy_(torch.tensor([[1.0, 0.0, -1.0, 0.5], [0.0, 1.0, 0.5, -1.0], [-1.0, 0.5, 1.0, 0.0]]))
        answer.weight.copy_(torch.tensor([[1.0, 0.2, 0.0, 0.1], [0.0, 1.0, 0.3, 0.0], [0.1, 0.0, 1.0, 0.4]]))
        answer.bias.copy_(torch.tensor([0.0, 0.05, -0.05]))
    return torch.nn.Sequential(embed, answer)
'''


def as_made(
    name: str,
    n: int = 12,
    *,
    seed: int,
    shift: float = 0.0,
    m: int = 18,
    kinds: tuple[tuple[str, float | None], ...] = ONE,
    refused: int = 1,
    **options: Any,
) -> Any:
    """Return a synthetic fingerprint whose settings and implementations are what the real pipeline would store."""
    from congruity.fingerprints import settings
    from congruity.implement import Budget

    import synthetic
    from congruity.finders import Attribution
    from congruity.interventions import by_name
    from congruity.values import Behaviour, Edit, Evidence, Gates, Implementation

    made = synthetic.stratified(name, n, m, shift, seed, kinds=kinds, layers=4, heads=6)
    grams, clean = moved_along(n, m, shift, seed, kinds, **options)
    made = dataclasses.replace(made, grams=grams, clean_gram=clean)
    rng = np.random.default_rng([seed, 5])
    items, gates = [], Gates()
    for place, item in enumerate(made.implementations):
        items.append(dataclasses.replace(item, index=place % n))
        if place % n == n - 1:
            for k in range(refused):
                pool = made.circuit.pool
                sites = tuple(sorted(pool[i] for i in rng.choice(len(pool), 9, replace=False)))
                found = Behaviour(0.97, 2.9 + 0.1 * float(rng.normal()), 0.11 + 0.05 * float(rng.random()), 60)
                reason = gates.refusal(found, made.unedited)
                edit = Edit(sites, item.edit.intervention)
                items.append(
                    Implementation(made.model.base, edit, found, False, reason, item.target_kl, item.target_kl, n + k)
                )
    kls = tuple(dict.fromkeys(kl for _, kl in kinds if kl is not None))
    chosen = settings(
        finder=Attribution(),
        interventions=[by_name(one) for one in dict.fromkeys(one for one, _ in kinds)],
        n=n,
        seed=0,
        budget=Budget(kl=kls[0] if len(kls) == 1 else kls or KL),
        gates=gates,
    )
    there = {f"{one} at KL {kl:g}" for one, kl in kinds if kl is not None}
    wanted = [f"{one} at KL {kl:g}" for one in chosen["intervention"] for kl in kls]
    noted = {
        "unreached": [f"{kind}: all of the pool together reach less" for kind in wanted if kind not in there],
        "skipped": {"resample at KL 0.01": {"1": [str(made.circuit.pool[0])], "4": [str(made.circuit.pool[2])]}},
    }
    evidence = Evidence(
        3.4, 0.2, 0.94, (0.9, 0.97), 0.1, (0.05, 0.16), (0.2, 0.31, 0.05), 0.25, ((0, 0.0), (4, 0.7), (54, 1.0)),
        0.83, 0.17, 60,
    )  # fmt: skip
    return dataclasses.replace(
        made,
        model=dataclasses.replace(made.model, bos=True, revision="main"),
        circuit=dataclasses.replace(made.circuit, evidence=evidence),
        implementations=tuple(items),
        settings=chosen | noted,
    )


def moved_along(
    n: int,
    m: int,
    shift: float,
    seed: int,
    kinds: tuple[tuple[str, float | None], ...],
    *,
    noise: float = 0.05,
    along: float = 0.15,
    own: float = 0.04,
) -> tuple[Any, Any]:
    """Return Gram matrices of implementations and of their model.

    Implementations differ from their model along three directions that all models share, which any prompts show, and by
    noise, which none show alike; a model differs from others by ``shift`` along one more, and a little by itself.
    """
    shared, rng = np.random.default_rng(12345), np.random.default_rng([seed, n, m, 11])
    centre, direction, other, *ways = shared.normal(size=(6, m, 8))
    where = centre + shift * direction

    def gram(hidden: Any) -> Any:
        hidden = hidden - hidden.mean(axis=-2, keepdims=True)
        out = hidden @ np.swapaxes(hidden, -1, -2)
        return out / np.trace(out, axis1=-2, axis2=-1)[..., None, None]

    made = []
    for intervention, kl in kinds:
        size, turned = np.sqrt((kl or KL) / KL), 0.0 if intervention == "resample" else 0.2
        far = np.einsum("nk,kmd->nmd", rng.normal(size=(n, 3)), np.stack(ways))
        made.append(gram(where + size * (along * far + noise * rng.normal(size=(n, m, 8)) + turned * other)))
    return np.concatenate(made), gram((where + own * rng.normal(size=(m, 8)))[None])[0]


def changed(of: Any, name: str, seed: int, **fields: Any) -> Any:
    """Return a fingerprint of another network by another name, with some fields replaced."""
    card = dataclasses.replace(of.model, name=name, digest=f"{seed:064x}", base=f"base-{name}")
    items = fields.pop("implementations", of.implementations)
    items = tuple(dataclasses.replace(item, base=card.base) for item in items)
    return dataclasses.replace(of, **({"model": card, "implementations": items} | fields))


def retold(of: Any, **settings: Any) -> Any:
    """Return a fingerprint with some of its settings replaced."""
    return dataclasses.replace(of, settings={**of.settings, **settings})


def based(name: str, sizes: tuple[int, ...], *, seed: int, shift: float = 0.0, spread: float = 0.05) -> Any:
    """Return a fingerprint of several networks, with so many implementations of each."""
    rng = np.random.default_rng([seed, 31])
    parts = [
        as_made(f"{name}{k}", size, seed=seed + k, shift=shift + spread * float(rng.normal()), refused=0)
        for k, size in enumerate(sizes)
    ]
    first = parts[0]
    sites = dict(zip(map(str, first.circuit.scores.sites), first.circuit.scores.sites, strict=True))
    items = tuple(
        dataclasses.replace(item, edit=dataclasses.replace(item.edit, sites=tuple(sites[str(s)] for s in found)))
        for part in parts
        for item in part.admitted
        if (found := item.edit.sites)
    )
    card = dataclasses.replace(first.model, name=name)
    return dataclasses.replace(
        first, model=card, implementations=items, grams=np.concatenate([part.grams for part in parts])
    )


def copies(name: str, kind: str, n: int, *, seed: int, shift: float = 0.0, of: Any = None) -> Any:
    """Return what `congruity.copies` makes: no circuit, no gates, no sites edited, amounts tuned to the KL."""
    from congruity.values import Behaviour, Circuit, Edit, Implementation, Scores

    made = as_made(name, n, seed=seed, shift=shift, refused=0)
    rng = np.random.default_rng([seed, 77])
    tuned = kind == "noise"
    items = tuple(
        Implementation(
            made.model.base,
            Edit((), f"weight-{kind}", float(rng.uniform(0.008, 0.02)) if tuned else 1.0),
            Behaviour(0.99, 3.4, KL * float(rng.uniform(0.9, 1.1)) if tuned else 0.0, 60),
            True,
            "",
            KL if tuned else None,
            KL * float(rng.uniform(0.95, 1.05)) if tuned else None,
            k,
        )
        for k in range(n)
    )
    sites = made.circuit.scores.sites
    nothing = Scores("none", sites, np.zeros(len(sites)), np.zeros(len(sites)), 0)
    return dataclasses.replace(
        made,
        model=made.model if of is None else dataclasses.replace(of.model, name=name),
        circuit=Circuit((), sites, nothing, 0.0, made.unedited, ()),
        implementations=items,
        grams=made.grams if tuned else np.repeat(made.clean_gram[None], n, axis=0),
        checks=(),
        settings={
            "finder": "none",
            "intervention": [f"weight-{kind}"],
            "n": n,
            "seed": 0,
            "budget": {"kl": [KL], "tolerance": 0.1, "by": "scale"} if tuned else {},
        },
    )


def taken(of: Any, rows: Any, name: str) -> Any:
    """Return some of the admitted implementations, under another name: the same network all the same."""
    return of.take(np.asarray(rows), name)


def stronger(of: Any, factor: float) -> Any:
    """Return a fingerprint whose implementations reached a KL larger by a factor."""
    items = tuple(
        dataclasses.replace(item, behaviour=dataclasses.replace(item.behaviour, kl=factor * item.behaviour.kl))
        for item in of.implementations
    )
    return dataclasses.replace(of, implementations=items)


def basic() -> dict[str, Any]:
    """Sides that are alike, and others that are further and further from them."""
    import synthetic

    made = {
        "plain-a": as_made("plain-a", seed=101),
        "plain-b": as_made("plain-b", seed=102),
        "plain-c": as_made("plain-c", 10, seed=103, refused=2),
        "near": as_made("near", 10, seed=104, shift=0.03),
        "shift-1": as_made("shift-1", 10, seed=105, shift=0.1),
        "shift-2": as_made("shift-2", 11, seed=106, shift=0.3),
        "far": as_made("far", 10, seed=107, shift=3.0),
        "wide": as_made("wide", 10, seed=108, along=0.4),
        "small-a": as_made("small-a", 5, seed=109),
        "small-b": as_made("small-b", 5, seed=110),
        "small-far": as_made("small-far", 5, seed=111, shift=2.0),
        "big-a": as_made("big-a", 14, seed=112),
        "big-b": as_made("big-b", 14, seed=113),
        "sparse-a": synthetic.fingerprint("sparse-a", 9, 18, seed=1),
        "sparse-b": synthetic.fingerprint("sparse-b", 9, 18, seed=2),
        "sparse-far": synthetic.fingerprint("sparse-far", 7, 18, 3.0, seed=3),
    }
    big = made["big-a"]
    made["half-1"], made["half-2"] = (taken(big, np.arange(k, 14, 2), f"big-a (half {k + 1})") for k in (0, 1))
    made["incapable"] = retold(
        dataclasses.replace(as_made("incapable", 10, seed=114, shift=0.5), capable=False, accuracy=0.55),
        gates={"max_kl": 0.1, "max_accuracy_drop": None, "max_metric_change": None},
    )
    made["incapable-sparse"] = dataclasses.replace(
        synthetic.fingerprint("incapable-sparse", 6, 18, seed=4), capable=False, accuracy=0.62
    )
    return made


def alike(basics: dict[str, Any]) -> dict[str, Any]:
    """Sides with the edits of `plain-a`: tied, untied, some only, with other parameters, not told, without effect."""
    import synthetic

    plain, told = basics["plain-a"], {"edits_of": basics["plain-a"].digest, "n": 12, "budget": {}}
    made = {
        "paired": synthetic.repeated(plain, "paired", seed=201, moved=0.05),
        "paired-untied": synthetic.repeated(plain, "paired-untied", seed=202, moved=0.4, tied=0.0),
    }
    small = basics["small-a"]
    made["small-paired"] = synthetic.repeated(small, "small-paired", seed=203, moved=0.05)
    made["small-paired"] = retold(made["small-paired"], edits_of=small.digest, budget={})
    made["paired"] = retold(made["paired"], **told)
    made["paired-untied"] = retold(made["paired-untied"], **told)
    made["paired-some"] = changed(taken(made["paired"], [7, 0, 3, 9, 5], "x"), "paired-some", 204)
    made["paired-few"] = changed(taken(made["paired"], [2, 4, 6], "x"), "paired-few", 205)
    made["paired-untold"] = changed(taken(made["paired"], range(7), "x"), "paired-untold", 206)
    made["paired-untold"] = dataclasses.replace(
        made["paired-untold"], settings={k: v for k, v in made["paired"].settings.items() if k != "edits_of"}
    )
    made["paired-parameters"] = changed(
        retold(taken(made["paired"], range(8), "x"), intervention_parameters={"resample": {"shift": 2}}),
        "paired-parameters",
        207,
    )
    silent = tuple(
        dataclasses.replace(item, behaviour=dataclasses.replace(item.behaviour, kl=0.0, logit_difference=3.4))
        for item in made["paired"].admitted[:8]
    )
    made["paired-silent"] = changed(taken(made["paired"], range(8), "x"), "paired-silent", 208, implementations=silent)
    return made


def unlike(basics: dict[str, Any]) -> dict[str, Any]:
    """Sides that were not made as `plain-a` was, each in one thing, and one in all."""
    from congruity.interventions import by_name

    noisy = as_made("noise-a", 5, seed=301, kinds=(("noise", KL),))
    other = as_made("noise-b", 5, seed=302, kinds=(("noise", KL),))
    parameters = {"noise": by_name("noise").parameters | {"seed": 9}}
    own = as_made("x", 8, seed=303)
    plain = basics["plain-a"]
    pool = plain.circuit.pool
    shared = dict(zip(map(str, plain.circuit.scores.sites), plain.circuit.scores.sites, strict=True))
    items = tuple(
        dataclasses.replace(
            item,
            base=plain.model.base,
            edit=dataclasses.replace(item.edit, sites=tuple(shared[str(s)] for s in item.edit.sites)),
        )
        for item in own.implementations
    )
    every = retold(
        stronger(as_made("unlike-all", 8, seed=304, kinds=(("mean", 0.02),), shift=0.2), 1.2),
        finder="patching",
        budget={"kl": [0.02], "tolerance": 0.2, "by": "scale", "share": 0.5, "max_draws": 3},
        gates={"max_kl": 0.5, "max_accuracy_drop": None, "max_metric_change": None},
    )
    budget = dict(plain.settings["budget"])
    return {
        "gates-other": retold(
            as_made("gates-other", 10, seed=305),
            gates={"max_kl": 0.2, "max_accuracy_drop": 0.05, "max_metric_change": 0.25},
        ),
        "gates-none": retold(as_made("gates-none", 5, seed=306), gates=None),
        "rule-other": retold(as_made("rule-other", 5, seed=307), budget={**budget, "by": "scale"}),
        "rule-share": retold(as_made("rule-share", 5, seed=308), budget={**budget, "share": 0.25, "max_draws": 9}),
        "noise-a": noisy,
        "noise-b": other,
        "noise-parameters": retold(as_made("noise-c", 5, seed=309, kinds=(("noise", KL),)),
                                   intervention_parameters=parameters),
        "mean-only": as_made("mean-only", 5, seed=310, kinds=(("mean", KL),)),
        "kl-other": as_made("kl-other", 5, seed=311, kinds=(("resample", 0.03),)),
        "kl-close": as_made("kl-close", 5, seed=312, kinds=(("resample", 0.012),)),
        "strong": stronger(as_made("strong", 5, seed=313), 1.8),
        "finder-other": retold(as_made("finder-other", 5, seed=314), finder="patching", finder_parameters={}),
        "pool-other": dataclasses.replace(
            own,
            model=dataclasses.replace(plain.model, name="plain-a, half the pool"),
            circuit=plain.circuit.narrowed(pool[: len(pool) // 2]),
            implementations=items,
        ),
        "unlike-all": every,
    }  # fmt: skip


def kinds() -> dict[str, Any]:
    """Sides with several kinds of implementations."""
    two = (("resample", 0.01), ("resample", 0.0001))
    anyhow: tuple[tuple[str, float | None], ...] = (("resample", None), ("mean", None))
    mixed = (("resample", 0.01), ("mean", 0.01))
    made = {
        "kinds-a": as_made("kinds-a", 7, seed=401, kinds=ALL),
        "kinds-b": as_made("kinds-b", 7, seed=402, kinds=ALL, shift=0.08),
        "kinds-far": as_made("kinds-far", 6, seed=403, kinds=ALL[:3], shift=1.0),
        "kinds-one": as_made("kinds-one", 8, seed=404, kinds=(("mean", 0.01),)),
        "kinds-turned": as_made("kinds-turned", 5, seed=405, kinds=ALL[::-1]),
        "close-a": as_made("close-a", 9, seed=406, kinds=two),
        "close-b": as_made("close-b", 9, seed=407, kinds=two, shift=0.01),
        "any-a": as_made("any-a", 6, seed=408, kinds=anyhow),
        "any-b": as_made("any-b", 6, seed=409, kinds=anyhow),
        "mixed-a": as_made("mixed-a", 8, seed=410, kinds=mixed),
        "mixed-b": as_made("mixed-b", 8, seed=411, kinds=mixed),
    }
    made["kinds-gates"] = retold(made["kinds-b"], gates={"max_kl": 0.5})
    made["kinds-gates"] = changed(taken(made["kinds-gates"], np.r_[0:5, 7:12], "x"), "kinds-gates", 412)
    made["kinds-incapable"] = changed(
        taken(made["kinds-b"], np.r_[0:5, 7:12], "x"), "kinds-incapable", 413, capable=False, accuracy=0.6
    )
    made["kinds-few"] = changed(taken(made["kinds-b"], np.r_[0:7, 7:10, 14:21, 21:28], "x"), "kinds-few", 414)
    made["mixed-few"] = changed(taken(made["mixed-b"], np.r_[0:8, 8], "x"), "mixed-few", 415)
    return made


def edges(basics: dict[str, Any]) -> dict[str, Any]:
    """Copies, several networks a side, ties, few prompts, other queries, and what has no distances on half of them."""
    made = {
        "copies-a": copies("copies-a", "noise", 10, seed=501),
        "copies-b": copies("copies-b", "noise", 10, seed=502, shift=0.1),
        "copies-of-plain": copies("plain-a, copies", "noise", 8, seed=503, of=basics["plain-a"]),
        "copies-permute": copies("copies-permute", "permute", 6, seed=504),
        "bases-a": based("bases-a", (2, 2, 2, 2, 2, 2), seed=510),
        "bases-b": based("bases-b", (2, 2, 2, 2, 2), seed=520),
        "bases-far": based("bases-far", (2, 2, 2, 2, 2), seed=530, shift=2.0),
        "bases-uneven": based("bases-uneven", (1, 2, 3, 1, 4), seed=540, shift=0.05),
        "bases-few": based("bases-few", (4, 3, 3), seed=550),
        "bases-many": based("bases-many", (1,) * 11 + (2,), seed=560),
        "bases-more": based("bases-more", (1,) * 12, seed=580),
        "short-a": as_made("short-a", 10, seed=601, m=12),
        "short-b": as_made("short-b", 9, seed=602, m=12, shift=0.2),
        "edge-a": as_made("edge-a", 6, seed=603, m=16),
        "edge-b": as_made("edge-b", 6, seed=604, m=16, shift=0.2),
        "m24-a": as_made("m24-a", 6, seed=605, m=24),
        "m24-b": as_made("m24-b", 6, seed=606, m=24),
    }
    for name, seed, rows, clean in (
        ("ties-a", 701, [0, 0, 1, 1, 2, 2], "plain-b"),
        ("ties-b", 702, [0, 1, 1, 2, 2, 3], "plain-c"),
    ):
        tied = taken(basics["plain-b"], rows, "x")
        made[name] = changed(tied, name, seed, clean_gram=basics[clean].clean_gram)
    here = made["ties-a"]
    made["ties-all"] = changed(here, "ties-all", 703, grams=np.repeat(here.clean_gram[None], 6, axis=0))
    made["bases-gates"] = retold(made["bases-far"], gates={"max_kl": 0.5})
    made["namesake"] = as_made("plain-a", 5, seed=707)
    made["ties-all-b"] = changed(made["ties-all"], "ties-all-b", 704)
    rng = np.random.default_rng(705)
    hidden = np.zeros((8, 18, 3))
    hidden[:, 4] = rng.normal(size=(8, 3))
    hidden -= hidden.mean(axis=1, keepdims=True)
    spike = hidden @ hidden.transpose(0, 2, 1)
    spike /= np.trace(spike, axis1=1, axis2=2)[:, None, None]
    made["spike"] = changed(taken(basics["plain-b"], range(8), "x"), "spike", 706, grams=spike, clean_gram=spike[0])
    few = basics["small-b"]
    for name, queries in (
        ("other-task", {"task": "greater-than"}),
        ("other-position", {"position": "all"}),
        ("other-intervention", {"intervention": "mean"}),
        ("other-examples", {"examples_digest": "1" * 64}),
    ):
        made[name] = dataclasses.replace(few, queries=dataclasses.replace(few.queries, **queries))
    made["other-scaling"] = dataclasses.replace(few, scaling="none")
    return made


def broken(good: Path) -> None:
    """Write files that are no fingerprints of this schema: truncated, edited, of schema 1, without a header."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(good, framework="numpy") as handle:
        header = json.loads(handle.metadata()["congruity"])
        arrays = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (no mapping)
    (INPUTS / "broken-short.safetensors").write_bytes(good.read_bytes()[:-100])
    save_file(arrays, INPUTS / "broken-bare.safetensors", metadata={"other": "x"})
    without = {key: value for key, value in header.items() if key != "queries"}
    for name, found in (
        ("schema-1", header | {"schema": 1}),
        ("edited", header | {"accuracy": 0.5}),
        ("lacking", without),
    ):
        text = json.dumps(found, sort_keys=True)
        save_file(arrays, INPUTS / f"broken-{name}.safetensors", metadata={"congruity": text})


def interpretations() -> None:
    """Write causal models and interpretations, for the command `evaluate`."""
    from congruity.evaluation import Interpretation, interpretation_json
    from congruity.theory import CausalModel
    from congruity.theory.tables import to_json

    letters = dict.fromkeys("abc", (0, 1, 2))
    low = CausalModel(
        letters,
        {
            "first": lambda a, b: (a + b) % 3,
            "aside": lambda b, c: (b * c) % 3,
            "twice": lambda first: (2 * first) % 3,
            "total": lambda first, c: (first + c) % 3,
        },
        ("total",),
    )

    def high(first: str) -> Any:
        (last,) = set("abc") - set(first)
        return CausalModel(
            letters,
            {
                "m": (tuple(first), lambda x, y: (x + y) % 3),
                "out": (("m", last), lambda m, z: (m + z) % 3),
            },
            ("out",),
        )

    two = CausalModel(
        letters,
        {"m": lambda a: a, "d": lambda b: b, "out": lambda m, d, c: (m + 2 * d + c) % 3},
        ("out",),
    )
    idle = CausalModel(
        letters,
        {"m": lambda a, b: (a + b) % 3, "idle": lambda c: c, "out": lambda m, c: (m + c) % 3},
        ("out",),
    )
    turned = CausalModel({**letters, "a": (0, 2, 1)}, low.mechanisms, ("total",))
    odd = CausalModel(
        letters,
        {"u.v": (("a", "b"), lambda a, b: (a + b) % 3), "values": (("u.v", "c"), lambda u, c: (u + c) % 3)},
        ("values",),
    )
    texts = {
        "net": to_json(low),
        "two": to_json(two),
        "idle": to_json(idle),
        "turned": to_json(turned),
        "odd": to_json(odd),
        "sum-given": interpretation_json(Interpretation("sum", high("ab"), {"m": ("nodes.first",)})),
        "sum-found": interpretation_json(Interpretation("sum", high("ab"))),
        "sum-wrong": interpretation_json(Interpretation("sum", high("ab"), {"m": ("nodes.aside",)})),
        "sum-other": interpretation_json(Interpretation("other sum", high("bc"))),
        "two-given": interpretation_json(Interpretation("two", two, {"m": ("nodes.m",), "d": ("nodes.d",)})),
        "two-crossed": interpretation_json(Interpretation("two", two, {"m": ("nodes.d",), "d": ("nodes.m",)})),
        "nowhere": interpretation_json(Interpretation("sum", high("ab"), {"m": ("nodes.zzz",)})),
        "mine": interpretation_json(Interpretation("mine", high("ab"), {"m": ("0[1]@2",)})),
    }
    for name, text in texts.items():
        (INPUTS / f"{name}.json").write_text(text, encoding="utf-8")
    (INPUTS / "mine.py").write_text(MODULE, encoding="utf-8")


def main() -> None:
    """Write all inputs anew; refuse where fingerprints are no longer stored in the schema that they are here for."""
    from congruity.values import SCHEMA_VERSION

    if SCHEMA_VERSION != 2:
        raise SystemExit(f"make_inputs: this code writes schema {SCHEMA_VERSION}; the inputs are of schema 2 and stay")
    if INPUTS.exists():
        shutil.rmtree(INPUTS)
    INPUTS.mkdir()
    basics = basic()
    made = {**basics, **alike(basics), **unlike(basics), **kinds(), **edges(basics)}
    for name, one in made.items():
        one.save(INPUTS / f"{name}.safetensors")
    broken(INPUTS / "small-a.safetensors")
    interpretations()
    size = sum(path.stat().st_size for path in INPUTS.iterdir())
    print(f"{len(made)} fingerprints, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
