"""Record every golden case with the code that is there.

    PYTHONPATH=src python tests/golden/record.py

One line a case, keys sorted, floats exact. Of a table, which would be most of the file, a few sums that no two tables
share are kept; they change a little where distances change a little, as a hash would not.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from cases import GROUPS, INPUTS, Case, in_group

import congruity as cg

RESULTS = Path(__file__).parent / "results.json"


def replay(case: Case) -> dict[str, Any]:
    """Run a case in the folder of the inputs; return its result, or the error that it raises, as JSON data."""
    with contextlib.chdir(INPUTS):
        try:
            found = described(case())
        except cg.CongruityError as error:
            found = {"type": "error", "error": type(error).__name__, "message": str(error)}
    data: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    return data


def described(result: Any) -> dict[str, Any]:
    """Return every field of a result as JSON data."""
    if isinstance(result, cg.Congruity):
        return _comparison(result)
    if isinstance(result, cg.CongruityMatrix):
        pairs = [
            {
                "places": list(places),
                "p_different": pair.p_different,
                "p_equivalent": pair.p_equivalent,
                "distinguishable": pair.distinguishable,
                "verdict": pair.verdict,
                "result": _comparison(pair.result),
            }
            for places, pair in result.pairs.items()
        ]
        return {"type": "matrix", "result": result.to_dict(), "pairs": pairs}
    if isinstance(result, cg.DistanceTable):
        return {"type": "table", **_whole_table(result)}
    if isinstance(result, cg.Certified):
        return {"type": "certified", "result": _certified(result)}
    if isinstance(result, cg.Fingerprint):
        return {"type": "fingerprint", "result": _fingerprint(result)}
    if isinstance(result, dict):
        return {"type": "command", "result": result}
    raise TypeError(f"record: {type(result).__name__} has no description here")


def _comparison(result: cg.Congruity) -> dict[str, Any]:
    fields = result.to_dict()
    certificate = fields.pop("certificate")
    return {
        "type": "comparison",
        "result": fields,
        "certificate": certificate,
        "table": None if result.table is None else _summed_table(result.table),
        "side": _runs(result.side),
    }


def _summed_table(table: cg.DistanceTable) -> dict[str, Any]:
    """Return sums of a table that show where it changed: all of it, and with weights that tell all places apart."""
    found: dict[str, Any] = {"measure": table.measure, "labels": " ".join(table.labels)}
    for name in ("values", "lower", "upper"):
        array = getattr(table, name)
        found[name] = None if array is None else _sums(array)
    return found


def _sums(array: Any) -> dict[str, Any]:
    n = len(array)
    places = np.arange(n * n, dtype=np.float64).reshape(n, n)
    weights = 1.0 + np.modf(places * ((1 + 5**0.5) / 2))[0]
    return {
        "rows": n,
        "sum": float(array.sum()),
        "largest": float(array.max()),
        "weighted": float((weights * array).sum()),
        "squares": float((weights.T * array**2).sum()),
    }


def _whole_table(table: cg.DistanceTable) -> dict[str, Any]:
    bounds = {name: None if (a := getattr(table, name)) is None else a.tolist() for name in ("lower", "upper")}
    fields = {"measure": table.measure, "labels": list(table.labels), "values": table.values.tolist(), **bounds}
    return {"result": fields, "provenance": dict(table.parameters)}


def _certified(result: cg.Certified) -> dict[str, Any]:
    beyond = result.held_out
    names = ("train", "test", "lower", "upper", "confidence", "null_train", "null_test", "n_train", "n_test")
    return {
        "value": result.value,
        "lower": result.lower,
        "upper": result.upper,
        "directions": result.directions,
        "iterations": result.iterations,
        "status": result.status,
        "held_out": None if beyond is None else {name: getattr(beyond, name) for name in names},
    }


def _fingerprint(one: cg.Fingerprint) -> dict[str, Any]:
    grams, weights = np.asarray(one.grams), 1.0 + np.arange(one.n, dtype=np.float64)[:, None, None]
    scores, evidence = one.circuit.scores, one.circuit.evidence
    return {
        "model": [one.model.name, one.model.digest, one.model.base, one.model.revision, one.model.bos],
        "queries": [one.queries.task, len(one.queries.ids), one.queries.position, one.queries.intervention],
        "layers": list(one.layers),
        "scaling": one.scaling,
        "accuracy": one.accuracy,
        "unedited": _behaviour(one.unedited),
        "capable": one.capable,
        "n": one.n,
        "n_refused": one.n_refused,
        "mean_kl": one.mean_kl,
        "strata": [str(kind) for kind in one.strata],
        "grams": [float(grams.sum()), float((weights * grams**2).sum()), float(np.trace(one.clean_gram))],
        "first gram": _sums(grams[0]),
        "implementations": [
            {
                "base": item.base,
                "admitted": [item.admitted, item.reason],
                "kl": [item.target_kl, item.tuned_kl],
                "index": item.index,
                "sites": " ".join(map(str, item.edit.sites)),
                "edit": [item.edit.intervention, item.edit.scale],
                "behaviour": _behaviour(item.behaviour),
            }
            for item in one.implementations
        ],
        "circuit": [" ".join(map(str, one.circuit.sites)), len(one.circuit.pool), one.circuit.threshold],
        "curve": [[size, *_behaviour(there)] for size, there in one.circuit.curve],
        "evidence": None if evidence is None else [evidence.faithfulness, evidence.completeness, evidence.cpr],
        "scores": [scores.finder, scores.size, scores.n_prompts, float(scores.values.sum())],
        "checks": [[check.name, check.passed, check.value, check.limit, check.detail] for check in one.checks],
        "settings": one.sampling.facts(),
    }


def _behaviour(one: Any) -> list[float]:
    return [one.accuracy, one.logit_difference, one.kl, one.n]


def _runs(labels: Iterable[str]) -> list[list[Any]]:
    """Return labels with how often each comes in a row."""
    return [[label, len(list(run))] for label, run in itertools.groupby(labels)]


def recorded() -> dict[str, dict[str, Any]]:
    """Return what was recorded, by the name of the case."""
    data: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return data


def main() -> None:
    """Replay all cases and write the file; say how many and how long."""
    lines = []
    for group in GROUPS:
        start, some = time.perf_counter(), in_group(group)
        lines += [f"{json.dumps(name)}:{_line(replay(case))}" for name, case in some.items()]
        print(f"{group}: {len(some)} cases, {time.perf_counter() - start:.1f} s", file=sys.stderr)
    RESULTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    size = RESULTS.stat().st_size / 1e6
    print(f"{len(lines)} cases, {size:.2f} MB, recorded with {Path(cg.__file__).parent}", file=sys.stderr)


def _line(found: dict[str, Any]) -> str:
    return json.dumps(found, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


if __name__ == "__main__":
    main()
