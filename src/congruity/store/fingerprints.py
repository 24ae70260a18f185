"""Fingerprints on disk: one safetensors file with a JSON header, written atomically and checked when read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from congruity._base.digest import digest, plain
from congruity._base.files import write_bytes
from congruity.errors import StoreError
from congruity.values import (
    SCHEMA_VERSION,
    Behaviour,
    Check,
    Circuit,
    DistanceTable,
    Edit,
    Evidence,
    Fingerprint,
    Implementation,
    ModelCard,
    Queries,
    Scores,
    Site,
    Traits,
)

SUFFIX = ".safetensors"
_TABLE_ARRAYS = ("values", "lower", "upper")
_KEY = "congruity"  # the one metadata key: several would be written in no fixed order, and bytes must be reproducible


def save(fingerprint: Fingerprint, path: Path) -> Path:
    """Write ``fingerprint``; the file appears complete or not at all. Equal fingerprints give equal bytes.

    Raises:
        StoreError: another suffix, no space, or a folder that cannot be written.
    """
    from safetensors.numpy import save as serialise

    if path.suffix != SUFFIX:
        raise StoreError(f"{path}: a fingerprint's file name ends in {SUFFIX}")
    header = _header(fingerprint)
    arrays = {
        "grams": np.ascontiguousarray(fingerprint.grams),
        "clean_gram": np.ascontiguousarray(fingerprint.clean_gram),
        "score_values": np.ascontiguousarray(fingerprint.circuit.scores.values),
        "score_errors": np.ascontiguousarray(fingerprint.circuit.scores.standard_errors),
    }
    text = json.dumps(header, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return write_bytes(serialise(arrays, metadata={_KEY: text}), path)


def load(path: Path) -> Fingerprint:
    """Read and check a fingerprint.

    Raises:
        StoreError: no such file, not a safetensors file, truncated, edited, of another schema, or no fingerprint.
    """
    metadata, arrays = _read(path)
    try:
        header = json.loads(metadata[_KEY])
        schema = header["schema"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise StoreError(f"{path}: the fingerprint's header is damaged; make the fingerprint again") from None
    if schema != SCHEMA_VERSION:
        raise StoreError(
            f"{path}: written under fingerprint schema {schema}, this congruity reads schema {SCHEMA_VERSION}; "
            "make the fingerprint again, or compare with the version that wrote it"
        )
    try:
        fingerprint = _fingerprint(header, arrays)
        stated = header["digest"]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise StoreError(f"{path}: the fingerprint is damaged ({error}); make it again") from None
    if fingerprint.digest != stated:
        raise StoreError(
            f"{path}: the content does not match its own digest, so it was edited; make the fingerprint again"
        )
    return fingerprint


def save_table(table: DistanceTable, path: Path) -> Path:
    """Write a distance table as one safetensors file."""
    from safetensors.numpy import save as serialise

    arrays = {name: np.ascontiguousarray(a) for name in _TABLE_ARRAYS if (a := getattr(table, name)) is not None}
    header = {
        "schema": SCHEMA_VERSION,
        "measure": table.measure,
        "labels": table.labels,
        "parameters": plain(table.parameters),
        "traits": table.traits and {**plain(table.traits), "range": list(map(str, table.traits.range))},  # "inf"
        "digest": digest(table),
    }
    return write_bytes(serialise(arrays, metadata={_KEY: json.dumps(header, sort_keys=True, allow_nan=False)}), path)


def load_table(path: Path) -> DistanceTable:
    """Read what `save_table` wrote; raise `StoreError` if it is damaged."""
    metadata, arrays = _read(path)
    try:
        header = json.loads(metadata[_KEY])
        bounds = {name: arrays.get(name) for name in ("lower", "upper")}
        table = DistanceTable(
            header["measure"],
            arrays["values"],
            tuple(header["labels"]),
            **bounds,
            parameters=header["parameters"],
            traits=_traits(header["traits"]),
        )
        stated = header["digest"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{path}: the distance table is damaged ({error}); delete it") from None
    if digest(table) != stated:
        raise StoreError(f"{path}: the distance table does not match its own digest, so it was edited; delete it")
    return table


def _traits(stored: dict[str, Any] | None) -> Traits | None:
    if stored is None:
        return None
    low, high = map(float, stored["range"])
    return Traits(**{**stored, "invariances": frozenset(stored["invariances"]), "range": (low, high)})


def _read(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Return metadata and arrays of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise StoreError(f"{path}: no such fingerprint file")
    try:
        with safe_open(path, framework="numpy") as handle:
            metadata = handle.metadata() or {}
            if _KEY not in metadata:
                raise StoreError(f"{path}: a safetensors file, but no fingerprint: its header has no {_KEY!r} entry")
            return metadata, {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, ValueError) as error:
        raise StoreError(
            f"{path}: not a safetensors file, or truncated ({error}); make the fingerprint again"
        ) from None


# -------------------------------------------------------------------------------------------------- JSON and back


def _header(f: Fingerprint) -> dict[str, Any]:
    sites = f.circuit.scores.sites
    number = {site: i for i, site in enumerate(sites)}

    def numbers(some: Sequence[Site]) -> list[int]:
        return [number[site] for site in some]

    return {
        "schema": SCHEMA_VERSION,
        "digest": f.digest,
        "model": plain(f.model),
        "queries": plain(f.queries),
        "layers": list(f.layers),
        "scaling": f.scaling,
        "accuracy": f.accuracy,
        "unedited": plain(f.unedited),
        "capable": f.capable,
        "sites": [plain(site) for site in sites],
        "circuit": {
            "sites": numbers(f.circuit.sites),
            "pool": numbers(f.circuit.pool),
            "finder": f.circuit.scores.finder,
            "size": f.circuit.scores.size,
            "n_prompts": f.circuit.scores.n_prompts,
            "threshold": f.circuit.threshold,
            "faithfulness": plain(f.circuit.faithfulness),
            "curve": [[size, plain(b)] for size, b in f.circuit.curve],
            "evidence": None if f.circuit.evidence is None else plain(f.circuit.evidence),
        },
        "implementations": [
            {
                "base": i.base,
                "sites": numbers(i.edit.sites),
                "intervention": i.edit.intervention,
                "scale": i.edit.scale,
                "behaviour": plain(i.behaviour),
                "admitted": i.admitted,
                "reason": i.reason,
                "target_kl": i.target_kl,
                "tuned_kl": i.tuned_kl,
                "index": i.index,
            }
            for i in f.implementations
        ],
        "checks": [plain(check) for check in f.checks],
        "settings": plain(f.settings),
        "versions": plain(f.versions),
    }


def _fingerprint(header: dict[str, Any], arrays: dict[str, Any]) -> Fingerprint:
    sites = tuple(Site(**site) for site in header["sites"])

    def picked(numbers: Sequence[int]) -> tuple[Site, ...]:
        return tuple(sites[i] for i in numbers)

    circuit = header["circuit"]
    scores = Scores(
        circuit["finder"],
        sites,
        arrays["score_values"],
        arrays["score_errors"],
        circuit["n_prompts"],
        circuit["size"],
    )
    return Fingerprint(
        model=ModelCard(**header["model"]),
        queries=Queries(**{**header["queries"], "ids": tuple(header["queries"]["ids"])}),
        layers=tuple(header["layers"]),
        scaling=header["scaling"],
        accuracy=header["accuracy"],
        unedited=Behaviour(**header["unedited"]),
        capable=header["capable"],
        circuit=Circuit(
            picked(circuit["sites"]),
            picked(circuit["pool"]),
            scores,
            circuit["threshold"],
            Behaviour(**circuit["faithfulness"]),
            tuple((int(size), Behaviour(**b)) for size, b in circuit["curve"]),
            None if circuit["evidence"] is None else _evidence(circuit["evidence"]),
        ),
        implementations=tuple(
            Implementation(
                i["base"],
                Edit(picked(i["sites"]), i["intervention"], i["scale"]),
                Behaviour(**i["behaviour"]),
                i["admitted"],
                i["reason"],
                i["target_kl"],
                i["tuned_kl"],
                i["index"],
            )
            for i in header["implementations"]
        ),
        grams=arrays["grams"],
        clean_gram=arrays["clean_gram"],
        checks=tuple(Check(**check) for check in header["checks"]),
        settings=header["settings"],
        versions=header["versions"],
    )


def _evidence(data: dict[str, Any]) -> Evidence:
    """Lists become tuples again, or the digest would differ."""
    tuples: dict[str, Any] = {
        key: tuple(tuple(part) if isinstance(part, list) else part for part in value)
        for key, value in data.items()
        if isinstance(value, list)
    }
    return Evidence(**{**data, **tuples})
