"""Read fingerprints of schema 2, whose record of sampling was a dictionary: old JSON data to new JSON data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from congruity._base.codec import Arrays
from congruity._base.digest import digest


def from_schema_2(header: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays, str]:
    """Return data and arrays of schema 3, and the digest of the content by the rule of schema 2.

    That rule: the SHA-256 of the fields in their order then, each as JSON data or as an array.
    """
    sites, circuit = header["sites"], header["circuit"]
    scores = {
        "finder": circuit["finder"],
        "sites": list(range(len(sites))),
        "values": "circuit.scores.values",
        "standard_errors": "circuit.scores.standard_errors",
        "n_prompts": circuit["n_prompts"],
        "size": circuit["size"],
    }
    kept = ("sites", "pool", "threshold", "faithfulness", "curve", "evidence")
    data = {key: header[key] for key in _FIELDS if key not in ("circuit", "implementations", "settings")} | {
        "sites": sites,
        "circuit": {"scores": scores} | {key: circuit[key] for key in kept},
        "implementations": [_implementation(item) for item in header["implementations"]],
        "grams": "grams",
        "clean_gram": "clean_gram",
        "sampling": sampling(header["settings"]),
    }
    moved = {
        "grams": arrays["grams"],
        "clean_gram": arrays["clean_gram"],
        "circuit.scores.values": arrays["score_values"],
        "circuit.scores.standard_errors": arrays["score_errors"],
    }
    return data, moved, _digest(header, data, arrays)


_FIELDS: tuple[str, ...] = ("model", "queries", "layers", "scaling", "accuracy", "unedited", "capable")
_FIELDS += ("circuit", "implementations", "checks", "settings", "versions")


def sampling(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a `Sampling` from the settings of schema 2; what these lack is null, for "not recorded"."""
    names = settings.get("intervention") or []
    names = [names] if isinstance(names, str) else list(names)
    parameters, finder = settings.get("intervention_parameters") or {}, settings.get("finder")
    budget, gates = settings.get("budget") or None, settings.get("gates")
    return {
        "source": "weights" if any(name.startswith("weight-") for name in names) else "edits",
        "finder": None if finder is None else {"name": finder, "parameters": settings.get("finder_parameters")},
        "interventions": [{"name": name, "parameters": parameters.get(name)} for name in names],
        "budget": None if budget is None else budget | {"kl": _targets(budget)},
        "gates": None if gates is None else {"max_accuracy_drop": None, "max_metric_change": None} | dict(gates),
        "unreached": list(settings.get("unreached") or []),
        "skipped": settings.get("skipped") or {},
        "given": None,
    } | {key: settings.get(key) for key in ("n", "seed", "min_accuracy", "circuit", "edits_of")}


def _targets(budget: Mapping[str, Any]) -> Any:
    kls = budget["kl"]
    return kls[0] if isinstance(kls, Sequence) and len(kls) == 1 else kls


def _implementation(item: dict[str, Any]) -> dict[str, Any]:
    edit = {key: item[key] for key in ("sites", "intervention", "scale")}
    return {"edit": edit} | {key: item[key] for key in item if key not in edit}


def _digest(header: dict[str, Any], data: dict[str, Any], arrays: Arrays) -> str:
    """Return the digest as schema 2 computed it: sites written out, and scores as numbers."""
    sites = header["sites"]

    def named(numbers: Sequence[int]) -> list[Any]:
        return [sites[i] for i in numbers]

    scores = data["circuit"]["scores"] | {
        "sites": sites,
        "values": arrays["score_values"].tolist(),
        "standard_errors": arrays["score_errors"].tolist(),
    }
    pools = {key: named(header["circuit"][key]) for key in ("sites", "pool")}
    implementations = [
        item | {"edit": item["edit"] | {"sites": named(item["edit"]["sites"])}} for item in data["implementations"]
    ]
    circuit = data["circuit"] | pools | {"scores": scores}
    before, after = ([header[name] for name in names] for names in (_FIELDS[:7], _FIELDS[9:]))
    return digest(*before, circuit, implementations, arrays["grams"], arrays["clean_gram"], *after)
