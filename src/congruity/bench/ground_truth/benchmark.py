"""Ground-truth benchmark: does a measure tell networks of one algorithm from networks of another?

Every measure is asked about the same networks, on the same inputs, by the same rules. The rules and the readings of
each measure were fixed before any result was seen. After a review, and after a first look at an earlier zoo, at chain
and fork and at clock and pizza, these rules changed: networks trained together are not compared, intervals are guarded
near 0 and 1, false alarms are over many divisions, hard pairs are quarters, `spectral` has three readings instead of
nine, layers are reparametrised in place ("bent"), impostors ("mimics") are compared with their targets, and all
algorithms are trained equally long.

- **Regimes**: compiled programs in disguise (`compiled`), trained networks and attacks on measures (`trained`), causal
  models written into random directions (`causal`).
- **Choice and report are separate.** A reading is what a measure records: the layers (all side by side, the middle one
  or the last one) and the positions (one token of each input in turn, the mean over tokens, or the last token); for
  interchanges, single nodes or whole parts. The reading with the best pair AUROC on one set of networks is reported on
  other networks. "the paper's recipe" is ridge on all layers, mean over tokens.
- **Pair AUROC**: the chance that two networks of one algorithm are closer than two of different ones. **Group AUROC**:
  the same for groups of about six networks, by congruity (C), and by the mean distance between the groups. Pairs are
  made within a family of algorithms, which all compute one function.
- **Hard pairs**, of networks with a known layout: the quarter of the pairs of one algorithm whose layouts are least
  alike, and the quarter of the pairs of different algorithms whose layouts are most alike. Both networks have as many
  variables, or one more or less.
- Networks that were trained together, on the same batches, are not compared: no two of different algorithms were. An
  algorithm of which too few networks pass their gates is left out, and named.
- **Every family weighs alike**: areas are means over families, whose distances are not compared.
- **Intervals** are 95 %, by the jackknife over networks (each left out once), near 0 and 1 at least Clopper and
  Pearson's. The units are networks, taken as independent (networks trained together share their batches). Algorithms
  and inputs are held fixed.
- **False alarms**: the share of pairs of groups of one algorithm that `congruity.estimate` calls "different", over 10
  random divisions of each algorithm's networks into groups. **Missed**: the share of pairs of groups of different
  algorithms that it does not call "different". Networks are the units.
- **Nuisance measures** read depth, width, size, the growth of variance over depth, the sizes of principal components,
  the answers, the layout, the number of active parts or the sizes of effects. None of them reads which inputs are
  alike. They choose their reading as the others do. A measure counts as mechanistic where it beats all of them.

Labels are interchange-equivalence classes (`congruity.theory.interchange`), which here are the programs.

A measure of your own: ``run(0, False, silent, plugins={"mine": fn})`` with ``fn(X, Y) -> float``, a dissimilarity of
two representations (samples, features) of the same samples, centred and of unit norm.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from congruity._base import engine
from congruity._base.progress import Progress
from congruity.bench.ground_truth import causal, compiled, measures, scoring, trained
from congruity.bench.ground_truth.measures import Measure
from congruity.errors import InputError, UnknownNameError
from congruity.known import shipped
from congruity.known.recorded import RECIPE, Make, Network


def run(
    seed: int,
    small: bool,
    progress: Progress,
    *,
    plugins: Mapping[str, Measure] | None = None,
    quick: bool = False,
    only: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the figures of every measure in every regime, as the module defines them.

    Args:
        seed: of networks and inputs.
        small: two algorithms and few networks, for tests; the numbers mean nothing.
        progress: called as (stage, done, total).
        plugins: further measures by name, functions of two representations.
        quick: only the networks that come with the package (`shipped`), without the measures that take minutes.
        only: the regimes to run; all if empty.

    Raises:
        UnknownNameError: no regime has a name in ``only``.
        InputError: a plug-in that raises, does not return a finite number, or has the name of another measure; a seed
            other than 0 with ``quick``.
    """
    if quick and seed:
        raise InputError(f"the networks that come with the package are of seed 0; for seed {seed} leave --quick out")
    regimes = shipped.regimes() if quick else _regimes(seed, small)
    for name in only:
        if name not in regimes:
            raise UnknownNameError("regime", name, regimes)
    result: dict[str, Any] = {}
    counts: dict[str, Any] = {"group": scoring.group_size(small)}
    for regime, make in regimes.items():
        if only and regime not in only:
            continue
        choose, report = (list(make(half, progress)) for half in ("choose", "report"))
        left_out = scoring.lacking(choose, report, small)
        counts[regime] = {"choose": _counted(choose), "report": _counted(report), "left_out": list(left_out)}
        choose, report = ([n for n in part if scoring.label(n) not in left_out] for part in (choose, report))
        result[regime] = {}
        if len({n.algorithm for n in report}) >= 2:
            entries = measures.applicable(choose + report, plugins or {}, fast=small or quick)
            score = functools.partial(scoring.scored, choose=choose, report=report, small=small)
            rows = engine.each(
                score,
                list(entries.values()),
                where="here" if small or quick else "processes",
                done=functools.partial(_tell, progress, regime, len(entries)),
            )
            result[regime] = dict(zip(entries, rows, strict=True))
            result[regime][measures.RECIPE_ROW] = scoring.scored_at(RECIPE, entries["ridge"], choose, report, small)
    return {"regimes": result, "networks": counts}


def _counted(networks: Sequence[Network]) -> dict[str, int]:
    return dict(Counter(map(scoring.label, networks)))


def _tell(progress: Progress, regime: str, total: int, done: int) -> None:
    progress(f"{regime}: measures", done, total)


def _regimes(seed: int, small: bool) -> dict[str, Make]:
    return compiled.regimes(seed, small) | trained.regimes(seed, small) | causal.regimes(seed, small)


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
