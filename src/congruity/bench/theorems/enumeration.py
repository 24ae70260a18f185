"""Cost of exact enumeration: seconds against size, with the complexity that docs/theory.md states."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from congruity._base.progress import Progress, silent
from congruity.theory import CausalModel, equivalence
from congruity.theory.abstraction import abstraction_error
from congruity.theory.alignment import Alignment
from congruity.theory.circuits import Circuits
from congruity.theory.interpretation import every_alignment, implementations
from congruity.theory.queries import Interchanges

_BITS = (0, 1)


def parity(first: Sequence[str]) -> CausalModel:
    """Return three-bit parity through the intermediate variable m, the parity of two of the inputs.

    >>> parity(("b", "c")).solve({"a": 1, "b": 1, "c": 0})["y"]
    array([0])
    """
    (last,) = {"a", "b", "c"} - set(first)
    mechanisms = {"m": (tuple(first), np.bitwise_xor), "y": (("m", last), np.bitwise_xor)}
    return CausalModel(dict.fromkeys("abc", _BITS), mechanisms, ("y",))


def wiring(gates: int = 16) -> Circuits:
    """Return the circuits with h1(a, b), h2(b, c) and out(h1, h2): 16 gates each; ``gates``: of h1, the first ones."""
    every = Circuits.every(dict.fromkeys("abc", _BITS), {"h1": "ab", "h2": "bc", "out": ("h1", "h2")}, ("out",))
    return every.take(np.arange(len(every) * gates // 16))


def measured(seed: int = 0, small: bool = False, progress: Progress = silent) -> dict[str, Any]:
    """Return the sizes, the seconds (best of three) and the log-log slope for each enumerated object."""
    model = parity(("a", "b"))
    queries = Interchanges.every(model)
    alignments = list(every_alignment(model.variables, ("h1", "h2", "out")))
    pinned = Alignment({"m": ("h1",), "y": ("out",)})
    circuit = wiring().member(0)
    random = np.random.default_rng(seed)
    scale = 1 if small else 4

    def search(gates: int) -> Callable[[], object]:
        class_ = wiring(gates)
        return lambda: implementations(model, class_, alignments, queries)

    def error(copies: int) -> Callable[[], object]:
        base, source = ({k: np.tile(v, copies) for k, v in part.items()} for part in (queries.base, queries.source))
        asked = Interchanges(base, source, {k: np.tile(v, copies) for k, v in queries.swapped.items()})
        return lambda: abstraction_error(circuit, model, pinned, asked)

    def table(n: int) -> Any:
        places = random.normal(size=(n, 2))
        return np.linalg.norm(places[:, None] - places, axis=-1)

    def hausdorff(n: int) -> Callable[[], object]:
        distances, first = table(n), np.arange(n) < n // 2
        return lambda: equivalence.d_interp(distances, first)

    def congruity(n: int) -> Callable[[], object]:
        distances, p = table(n), np.full(n, 1 / n)
        return lambda: equivalence.congruity(distances, p, p)

    def procrustes(n: int) -> Callable[[], object]:
        signatures = random.normal(size=(n, 3, 200))
        return lambda: equivalence.procrustes(signatures)

    sizes = tuple((25 if small else 400) * 2**k for k in range(4))
    cases: dict[str, tuple[str, str, tuple[int, ...], Callable[[int], Callable[[], object]]]] = {
        "implementation set": ("circuits", "|K| |Pi| |Q|", (1, 2, 4, 8, 16), search),
        "error of an alignment": ("queries", "|Q|", tuple(scale * 4**k for k in range(1, 6)), error),
        "d_interp, kappa": ("implementations", "N^2", sizes, hausdorff),
        "congruity": ("implementations", "N^2 log N", sizes, congruity),
        "Procrustes distances": ("implementations", "N^2", sizes, procrustes),
    }
    found: dict[str, Any] = {}
    for done, (name, (of, expected, ladder, make)) in enumerate(cases.items()):
        progress("enumeration", done, len(cases))
        seconds = [_best(make(size)) for size in ladder]
        counted = {"circuits": 256, "queries": len(queries)}.get(of, 1)
        slope = float(np.polyfit(np.log(ladder[-3:]), np.log(seconds[-3:]), 1)[0])
        found[name] = {
            "of": of,
            "sizes": [size * counted for size in ladder],
            "seconds": seconds,
            "expected": expected,
            "slope_of_last_three": slope,
        }
    progress("enumeration", len(cases), len(cases))
    last = found["implementation set"]
    solves = last["sizes"][-1] * len(alignments) * len(queries)
    return {
        "cases": found,
        "alignments": len(alignments),
        "queries": len(queries),
        "solves_per_second": solves / last["seconds"][-1],
    }


def _best(run: Callable[[], object]) -> float:
    took = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return min(took)
