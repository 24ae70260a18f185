"""Circuits as text: the JSON of the MIB benchmark and of EAP-IG, which other tools read, and back.

Their graph has the nodes ``input``, ``a{layer}.h{head}``, ``m{layer}`` and ``logits`` and the edges between them. A
circuit here is a set of nodes: it says nothing of edges, so ``edges`` is written empty, and their tools evaluate such a
file at ``level="node"``, where edges follow from nodes. What they have no word for is under ``congruity``, which
they ignore. Text and data only: no file is touched here, and nothing is ever unpickled.

Source: Hanna et al. 2024, arXiv 2403.17806 (EAP-IG, ``Graph.to_json``); Mueller et al. 2025, arXiv 2504.13151 (MIB).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from congruity._base.digest import plain
from congruity.errors import StoreError
from congruity.values import Circuit, ModelCard, Site

SCHEMA = 1
MAX_CHARACTERS = 1 << 28  # all edges of an 8B model are about 100 MB
ENDS = ("input", "logits")  # in every graph, and no site
_QKV = re.compile(r"<[qkv]>$")


@dataclass(frozen=True)
class Declaration:
    """What a circuit file says, by the names that it uses.

    Attributes:
        sites: in the circuit, in the file's order; empty if the file only scores, so that a size must be chosen.
        scores: of those sites, in the circuit or not, that the file scores.
    """

    sites: tuple[str, ...]
    scores: Mapping[str, float]


def node_name(site: Site) -> str:
    """Return MIB's name of a head or an MLP of a language model, and the written site elsewhere.

    >>> node_name(Site(3, "head", "blocks.3.attn.hook_z", 5)), node_name(Site(0, "mlp", "blocks.0.hook_mlp_out"))
    ('a3.h5', 'm0')
    >>> node_name(Site(0, "module", "embed"))
    'embed'
    """
    return _graph_name(site) or (f"module:{site}" if str(site) in ENDS else str(site))


def _graph_name(site: Site) -> str | None:
    if site.hook == f"blocks.{site.layer}.attn.hook_z" and site.index is not None:
        return f"a{site.layer}.h{site.index}"
    return f"m{site.layer}" if site.hook == f"blocks.{site.layer}.hook_mlp_out" else None


def to_mib(
    circuit: Circuit,
    card: ModelCard,
    *,
    parallel_attn_mlp: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a circuit as JSON data that MIB and EAP-IG read, from which `parse` gives the same sites and scores.

    Args:
        circuit: sites, scores and evidence.
        card: of the model that it was found in.
        parallel_attn_mlp: whether attention and MLP of a layer read the same input (GPT-NeoX does), which their graph
            must know.
        settings: how it was found, as JSON data.

    Returns:
        ``cfg``, ``nodes`` (``in_graph`` and ``score`` of each site), ``edges`` (none) and ``congruity``. The node
        ``input`` has no score, which their tools take as: always in the graph.

    Example:
        ``json.dumps(to_mib(circuit, model.card))``
    """
    inside = set(circuit.sites)
    scored = zip(circuit.scores.sites, circuit.scores.values.tolist(), strict=True)
    nodes = {node_name(site): {"in_graph": site in inside, "score": score} for site, score in scored}
    always = {"in_graph": True}
    return {
        "cfg": {
            "n_layers": card.n_layers,
            "n_heads": card.n_heads,
            "parallel_attn_mlp": parallel_attn_mlp,
            "d_model": card.d_model,
        },
        "nodes": {ENDS[0]: dict(always), **nodes, ENDS[1]: dict(always)},
        "edges": {},
        "congruity": {
            "schema": SCHEMA,
            "model": plain(card),
            "finder": circuit.scores.finder,
            "ranked_on": circuit.scores.n_prompts,
            "threshold": circuit.threshold,
            "sites": [str(site) for site in circuit.sites],
            "pool": [str(site) for site in circuit.pool],
            "standard_errors": dict(
                zip(map(node_name, circuit.scores.sites), circuit.scores.standard_errors.tolist(), strict=True)
            ),
            "faithfulness": plain(circuit.faithfulness),
            "curve": [[size, plain(behaviour)] for size, behaviour in circuit.curve],
            "evidence": plain(circuit.evidence),
            "settings": plain(settings or {}),
        },
    }


def parse(text: str, where: str) -> Declaration:
    """Read a circuit from JSON text.

    Two forms are read. MIB's and EAP-IG's, which `to_mib` writes: ``nodes`` with ``in_graph`` and ``score``, or with
    true and false alone, as EAP-IG also writes; a score that is missing, null or NaN is none; if no node is in the
    graph but edges are, a node is in when any of its edges is. And one that is quick to write by hand:
    ``{"sites": ["a9.h6", "m0"], "scores": {"a9.h6": 2.5}}``, with the scores left out at will.

    Args:
        text: of the file.
        where: the file's name, for errors.

    Raises:
        StoreError: no JSON, another form, a value of the wrong type, a circuit of neurons, or neither a site in the
            circuit nor a score.

    >>> parse('{"sites": ["a9.h6", "m0"]}', "circuit.json").sites
    ('a9.h6', 'm0')
    """
    data = _json(text, where)
    if "nodes" in data:
        found = _graph(data, where)
    elif "sites" in data:
        found = Declaration(_names(data["sites"], where), _scores(data.get("scores", {}), where))
    else:
        raise StoreError(
            f"{where}: no circuit: it has neither 'nodes', as MIB and EAP-IG write, nor 'sites', a list of names"
        )
    if not found.sites and not found.scores:
        raise StoreError(f"{where}: an empty circuit: no node or edge is in the graph, and no node has a score")
    return found


def available(sites: Sequence[Site]) -> str:
    """Say in a few words which sites there are.

    >>> available([Site(l, "head", f"blocks.{l}.attn.hook_z", h) for l in range(3) for h in range(4)])
    'heads a0.h0 to a2.h3 (layers 0-2, heads 0-3), no MLPs'
    """
    named = [site for site in sites if _graph_name(site)]
    if len(named) < len(sites):
        return ", ".join(map(node_name, sites[:6])) + (f" and {len(sites) - 6} more" if len(sites) > 6 else "")
    heads = sorted(site for site in named if site.index is not None)
    mlps = sorted(site for site in named if site.index is None)
    what = []
    if heads:
        layers, indices = _spans(s.layer for s in heads), _spans(s.index or 0 for s in heads)
        what.append(f"heads {node_name(heads[0])} to {node_name(heads[-1])} (layers {layers}, heads {indices})")
    if mlps:
        what.append(f"MLPs {node_name(mlps[0])} to {node_name(mlps[-1])} (layers {_spans(s.layer for s in mlps)})")
    return ", ".join([*what, *([] if heads else ["no heads"]), *([] if mlps else ["no MLPs"])])


def _spans(numbers: Iterable[int]) -> str:
    """Write numbers as spans: 0, 1, 2, 5 as "0-2, 5"."""
    out: list[list[int]] = []
    for number in sorted(set(numbers)):
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


# ------------------------------------------------------------------------------------------------------ inside


def _json(text: str, where: str) -> dict[str, Any]:
    if len(text) > MAX_CHARACTERS:
        raise StoreError(f"{where}: {len(text)} characters are no circuit file; at most {MAX_CHARACTERS} are read")
    try:
        data = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise StoreError(f"{where}: nested too deeply for a circuit file") from None
    except ValueError as error:
        raise StoreError(f"{where}: not the JSON of a circuit, or truncated ({error})") from None
    return _mapping(data, where, "the file")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name given twice, of which JSON readers otherwise keep the last without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"{_twice(name for name, _ in pairs)!r} is given twice")
    return found


def _twice(names: Iterable[str]) -> str | None:
    """Return the first name that was there before."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _graph(data: Mapping[str, Any], where: str) -> Declaration:
    nodes = _mapping(data["nodes"], where, "'nodes'")
    inside: list[str] = []
    scores: dict[str, float] = {}
    for name, entry in nodes.items():
        node = _mapping({"in_graph": entry} if isinstance(entry, bool) else entry, where, f"node {name!r}")
        if name in ENDS:
            continue
        kept = _flag(node, where, f"node {name!r}")
        neurons = node.get("neurons")
        if kept and isinstance(neurons, list) and not all(neurons):
            raise StoreError(
                f"{where}: node {name!r} is in the circuit with some of its neurons only; pass whole nodes"
            )
        if kept:
            inside.append(name)
        score = _score(node.get("score"), where, name)
        if score is not None:
            scores[name] = score
    if not inside:
        inside = _ends_of_edges(_mapping(data.get("edges", {}), where, "'edges'"), where)
    return Declaration(tuple(inside), scores)


def _ends_of_edges(edges: Mapping[str, Any], where: str) -> list[str]:
    """Return the nodes of all edges in the graph, in order of appearance."""
    found: dict[str, None] = {}
    for name, entry in edges.items():
        parts = name.split("->")
        if len(parts) != 2 or not all(parts):
            raise StoreError(f"{where}: edge {name!r} is not written as 'a0.h1->m3' or 'a0.h1->a2.h0<q>'")
        if _flag(_mapping(entry, where, f"edge {name!r}"), where, f"edge {name!r}"):
            found |= dict.fromkeys(_QKV.sub("", part) for part in parts)
    return [name for name in found if name not in ENDS]


def _mapping(value: Any, where: str, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise StoreError(f"{where}: {what} is {_kind(value)}; expected an object")
    return value


def _flag(entry: Mapping[str, Any], where: str, what: str) -> bool:
    value = entry.get("in_graph", False)
    if not isinstance(value, bool):
        raise StoreError(f"{where}: {what} has in_graph {_kind(value)}; expected true or false")
    return value


def _score(value: Any, where: str, name: str) -> float | None:
    """Return a score; None where there is none, which EAP-IG writes as NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise StoreError(f"{where}: the score of {name!r} is {_kind(value)}; expected a number")
    try:
        score = float(value)
    except OverflowError:
        score = math.inf
    if math.isinf(score):
        raise StoreError(f"{where}: the score of {name!r} is not finite")
    return score


def _names(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise StoreError(f'{where}: \'sites\' is {_kind(value)}; expected a list of names such as "a9.h6" and "m0"')
    if (twice := _twice(value)) is not None:
        raise StoreError(f"{where}: 'sites' names {twice!r} twice")
    return tuple(value)


def _scores(value: Any, where: str) -> dict[str, float]:
    scores = {name: _score(score, where, name) for name, score in _mapping(value, where, "'scores'").items()}
    return {name: score for name, score in scores.items() if score is not None}


def _kind(value: Any) -> str:
    """Say what a JSON value is, short enough for an error."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list" if all(isinstance(item, str) for item in value) else "a list of other things than names"
    return repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:37]}..."
