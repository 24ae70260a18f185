"""Networks whose algorithm is known: does a measure tell same from other, and better than what knows nothing of it?

Every measure faces the same networks, the same inputs and the same rules. What a measure reads and how it is chosen was
fixed before any result was seen. After a review, and after a first look at an earlier zoo, at chain and fork and at
clock and pizza, these rules changed: networks trained together are not compared, intervals are guarded near 0 and 1,
false alarms are over many divisions, hard pairs are quarters, `spectral` has three readings instead of nine, layers are
bent in place, mimics are held against their targets, and all algorithms are trained equally long.

- **Regimes**: compiled programs in disguise, trained networks and attacks on measures, causal models written down
  (`compiled_networks`, `trained_networks`, `causal_networks`).
- **Choice and report are kept apart.** Each measure may be read in several ways (what is recorded on inputs: all layers
  side by side, the middle one or the last one; of each input one token, positions in turn, or the mean over tokens, or
  the last token; swaps: of single nodes or whole parts). The way with the best pair AUROC on one set of networks is the
  one that is reported, on other networks. "the paper's recipe" is ridge on all layers, mean over tokens.
- **Pair AUROC**: are two networks of one algorithm closer than two of different ones? **Group AUROC**: the same for
  groups of about six networks, by congruity (C), and by the mean distance between the groups for comparison. Pairs are
  only made within a family, whose algorithms all compute one function.
- **Hard pairs**, where networks were laid out: only the quarter of the pairs of one algorithm whose layouts are least
  alike, and the quarter of those of different ones whose layouts are most alike; both with as many variables, or one
  more or less.
- Networks that were trained together, on the same batches, are not compared, since no two of different algorithms were.
  Of an algorithm of which too few networks pass their gates nothing is judged; it is named.
- **Every family counts alike**: areas are means over families, whose distances are not compared.
- **Intervals** are 95 %, by the jackknife over networks (each left out once), near 0 and 1 at least Clopper and
  Pearson's. They cover networks as if independent (those trained together share their batches), and neither algorithms
  nor inputs.
- **False alarms**: same-algorithm groups that `congruity.estimate` calls "different", over 10 random divisions of each
  algorithm's networks into groups; **missed**: different ones that it does not. Networks are the units.
- **Nuisance measures** see depth, width, size, how variance grows over depth, the sizes of principal components, the
  answers, where the layout put what, how many parts are active or how large the effects of swaps are, and nothing of
  which inputs are alike. They choose their reading as the others do. A measure counts as mechanistic only where it
  beats all of them.

Labels are interchange-equivalence classes (`congruity.theory.interchange`), which here are the programs.

A measure of your own: ``run(0, False, silent, entries={"mine": fn})`` with ``fn(X, Y) -> float``, a dissimilarity of
two representations (samples, features) of the same samples, centred and of unit norm.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from congruity._base import engine
from congruity._base.progress import Progress
from congruity.bench.ground_truth import causal as causal_networks
from congruity.bench.ground_truth import compiled as compiled_networks
from congruity.bench.ground_truth import measures
from congruity.bench.ground_truth import scoring as judging
from congruity.bench.ground_truth import trained as trained_networks
from congruity.bench.ground_truth.measures import Measure
from congruity.errors import InputError, UnknownNameError
from congruity.known import shipped
from congruity.known.recorded import RECIPE, Make


def run(
    seed: int,
    small: bool,
    progress: Progress,
    *,
    entries: Mapping[str, Measure] | None = None,
    quick: bool = False,
    only: Sequence[str] = (),
) -> dict[str, Any]:
    """Return, for each regime and measure, how well it tells algorithms apart; see the module.

    Args:
        seed: of networks and inputs.
        small: two algorithms and few networks, for tests; the numbers mean nothing.
        progress: told how far it is.
        entries: further measures by name, functions of two representations.
        quick: only the networks that come with the package (`shipped`), without the measures that take minutes.
        only: the regimes to run; all if empty.

    Raises:
        UnknownNameError: no regime has a name in ``only``.
        InputError: an entry that raises, or returns something else than a finite number, or has the name of another
            measure; a seed other than 0 with ``quick``.
    """
    if quick and seed:
        raise InputError(f"the networks that come with the package are of seed 0; for seed {seed} leave --quick out")
    result: dict[str, Any] = {}
    counts: dict[str, Any] = {"group": judging.group(small)}
    regimes = shipped.regimes() if quick else _regimes(seed, small)
    for name in only:
        if name not in regimes:
            raise UnknownNameError("regime", name, regimes)
    for regime, make in regimes.items():
        if only and regime not in only:
            continue
        choose, report = (list(make(half, progress)) for half in ("choose", "report"))
        left_out = judging.lacking(choose, report, small)
        counts[regime] = {
            "choose": dict(Counter(map(judging.label, choose))),
            "report": dict(Counter(map(judging.label, report))),
            "left_out": list(left_out),
        }
        choose, report = ([n for n in part if judging.label(n) not in left_out] for part in (choose, report))
        result[regime] = {}
        if len({n.algorithm for n in report}) < 2:
            continue
        faced = measures.facing(choose + report, entries or {}, fast=small or quick)
        rows = engine.each(
            functools.partial(judging.judged, choose=choose, report=report, small=small),
            list(faced.values()),
            where="here" if small or quick else "processes",
            done=functools.partial(_told, progress, regime, len(faced)),
        )
        result[regime] = dict(zip(faced, rows, strict=True))
        result[regime][measures.RECIPE_ROW] = judging.judged_at(RECIPE, faced["ridge"], choose, report, small)
    return {"regimes": result, "networks": counts}


def _told(progress: Progress, regime: str, total: int, done: int) -> None:
    progress(f"{regime}: measures", done, total)


def _regimes(seed: int, small: bool) -> dict[str, Make]:
    found: dict[str, Make] = {}
    for family in (compiled_networks, trained_networks, causal_networks):
        found |= family.regimes(seed, small)
    return found


def rows(found: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what `run` gave as rows to print: one a regime and measure."""
    return [
        {
            "regime": regime,
            "measure": name,
            "read at": row["reading"],
            "groups": f"{row['group_auroc']:.2f} [{row['low']:.2f}, {row['high']:.2f}]",
            "pairs": f"{row['pair_auroc']:.2f} [{row['pair_low']:.2f}, {row['pair_high']:.2f}]",
            "false alarms": f"{row['false_alarm']:.2f}",
            "missed": f"{row['missed']:.2f}",
        }
        for regime, measures_ in found["regimes"].items()
        for name, row in measures_.items()
    ]
