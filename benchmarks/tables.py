"""Write the pages of results: Markdown tables of the committed numbers of ``congruity bench`` and ``congruity zoo``.

Run ``python benchmarks/tables.py`` after a benchmark; a test checks that each page is what its numbers give.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_HEAD = """# Error rates of the inference

Made by `python benchmarks/tables.py` from `inference.json` (`{command}`, seed {seed}): {replicates} replicates a cell,
populations of known truth that were fixed before any result was seen. Rates with their Monte-Carlo standard errors.
"ours": the combined permutation test at 5 %. "paper": its recipe as we read it, "different" where at least 95 % of 40
repeats of 20 random triples on the same sample put P1 above one half.
`estimate` at its defaults takes {seconds_40:.2f} s for 40 + 40 implementations and {seconds_200:.1f} s for 200 + 200 on
one core; the whole benchmark's main process peaked at {estimate_peak_rss_mb:.0f} MB.
"""


_CIRCUITS = """# Circuits and implementations

Made by `python benchmarks/tables.py` from `circuits.json` (`{command}`, seed {seed}), 200 IOI prompts. What was fixed
before any result was seen stands in `patching.py`, `strength.py` and `control.py` of `congruity/bench/sampling`.

## Importance of all heads

Seconds of the plain loop are extrapolated from 5 heads drawn at random. Exact patching agrees with the loop on these.
Every method needs the unedited and the counterfactual run first: the first speedup leaves these out on both sides, the
second counts them on both.
"""


_GROUND_TRUTH = """# Networks whose algorithm is known

Made by `python benchmarks/tables.py` from `ground_truth.json` (`{command}`, seed {seed}). What was fixed before any
result was seen, and what was not, stands in `congruity/bench/ground_truth/benchmark.py` and the modules of its regimes.
AUROC: .5 is chance, 1 is right every time; groups of about {group} networks. A measure that does not beat every
nuisance row shows nothing about mechanism. Hard pairs: one algorithm in unlike layouts against different ones in like
layouts.
"""

_ZOO = """# The default zoo: gates of every network

Made by `python benchmarks/tables.py` from `zoo.json` (`{command}`): {wall_seconds} s on two cores with some other work
on them, {cpu_seconds:.0f} s of processor time, {peak_rss_mb_a_process} MB a process.
`congruity/known/zoo/criteria.py` defines the figures. Needed: accuracy .99, interchange .9, strictness .98,
readout .95.
"""

_LEADERBOARD = """# Leaderboard: which measure tells networks of one algorithm from others?

Made by `python benchmarks/tables.py` from `benchmarks/results/ground_truth.json` (`{command}`, seed {seed}); readings,
hard pairs and mean distances are in [the full tables](../benchmarks/results/ground_truth.md). Numbers are the AUROC of
groups of about {group} networks by congruity, with 95 % intervals over networks: .5 is chance. No reading was chosen on
these networks. **Bold**: the interval lies above every nuisance measure's estimate, so that the measure shows something
about mechanism. A measure that does not beat the nuisance measures shows nothing, however high it is.

"""

_LEADERBOARD_END = """
## Mean distances between algorithms

![Trees of the six algorithms by mean distance](../benchmarks/results/ground_truth_families.svg)

## What the regimes are

- **compiled**: twelve RASP programs compiled by Tracr to exact transformers, each network behind a rotation, permuted
  heads and neurons, and inert parts that carry loudness squared times the variance of the others.
- **trained, values**: transformers trained to carry a causal model's variables at the places of a random layout
  (`zoo`); networks that pass their gates. *labels*: trained without reading values off nodes. *plain*: trained on
  answers alone, with the same labels, which mean nothing there. *bent*: "values" under a non-linear reparametrisation,
  a random invertible map of every layer. *mimics*: impostors by representation matching, which were also trained to be
  mapped linearly to a network of "values" of another algorithm, their target. Two kinds of pairs are compared: a mimic
  with networks of its algorithm, and with its target. (A target has its mimic's shape; networks of its algorithm have
  either of two shapes: see the nuisance measure "depth".)
- **chain and fork**, **clock and pizza**: causal models written into random directions. In chain and fork all variables
  have the same values on every input.

"swaps" compares responses to interchange interventions: the change of the answers when a part takes its value on
another input. The trained networks were trained on such interventions, so that this is a positive control, and no
evidence about other networks.

## Enter your own

```sh
congruity bench ground-truth --quick --measure mine.py:distance
```

`distance(X, Y)` gets two representations (samples, features) of the same samples, centred and of unit norm, and returns
a float, smaller for closer. A leading `-` takes the negative of a similarity, and `similarity:IDENTIFIER` takes a
measure of the similarity-repository. `--quick` uses the networks that come with the package and takes seconds; report
the numbers of the whole benchmark.
"""


def inference(found: dict[str, Any]) -> str:
    """Return the page on error rates for the numbers of one run."""
    sizes = sorted({cell["n"] for cell in found["coverage"]})
    parts = [_HEAD.format(**found)]
    parts.append("## One law on both sides: how often a difference is found (should be 5 % at most)\n")
    parts.append(_tests(found, found["size"], sizes))
    parts.append("## Two laws: how often a difference is found\n")
    parts.append(_tests(found, found["power"], sizes))
    parts.append(f"## Verdicts at margin {found['margin']:g} (equivalent / different, %)\n")
    rows = [
        [name, f"{_c(found, name):.2f}", f"{_c_min(found, name):.2f}"]
        + [_verdict(_at(found["verdicts"], name, n)) for n in sizes]
        for name in dict.fromkeys(cell["population"] for cell in found["verdicts"])
    ]
    parts.append(_table(["population", "C", "C_min", *(f"N = {n}" for n in sizes)], rows))
    parts.append(
        f"Largest share of nulls called different: {found['false_different']:.3f}. Largest share that passes the "
        f"equivalence test exactly at the margin, from 10 a side on: {found['false_equivalent']:.3f}.\n"
    )
    parts.append("## Coverage of the 95 % intervals of T (mean width)\n")
    rows = [
        [name, *(_coverage(_at(found["coverage"], name, n)) for n in sizes)]
        for name in dict.fromkeys(cell["population"] for cell in found["coverage"])
    ]
    parts.append(_table(["population", *(f"N = {n}" for n in sizes)], rows))
    return "\n".join(parts)


def circuits(found: dict[str, Any]) -> str:
    """Return the page on circuits and implementations for the numbers of one run."""
    parts, whole = [_CIRCUITS.format(**found)], found["fingerprint"]
    rows = [
        [
            row["model"],
            f"{row['loop_seconds_all']:.0f} s",
            f"{row['exact_seconds']:.0f} s for {row['exact_heads']} heads "
            f"({row['patching_speedup']:.1f} x, {row['patching_speedup_whole']:.1f} x)",
            f"{row['attribution_seconds']:.1f} s "
            f"({row['attribution_speedup']:.0f} x, {row['attribution_speedup_whole']:.0f} x)",
            f"{row['spearman']['value']:.3f} [{row['spearman']['low']:.3f}, {row['spearman']['high']:.3f}]",
            f"{row['hybrid_cost_ratio']:.2f} of exact; overlap {row['hybrid_overlap']:.3f}" if "top" in row else "-",
            f"{row['attribution_overlap']:.3f}" if "top" in row else "-",
        ]
        for row in found["by_model"].values()
    ]
    head = [
        "model",
        "loop",
        "exact patching",
        "attribution",
        "Spearman, random heads",
        "hybrid",
        "overlap, attribution",
    ]
    parts.append(_table(head, rows))
    parts.append(
        f"A whole fingerprint of {whole['model']} ({whole['implementations']} implementations) takes "
        f"{whole['seconds']:.0f} s, {whole['floor_ratio']:.2f} times its floor of {whole['floor_seconds']:.0f} s "
        f"({whole['tflop']:.1f} Tflop at {whole['matmul_gflops']:.0f} Gflop/s); peak {whole['peak_rss_mb']:.0f} MB.\n"
    )
    parts.append("## A model against itself\n")
    head = [
        "model",
        "how",
        "KL",
        "KL reached",
        "C [95 %]",
        "P1",
        "P2",
        "separability",
        "p",
        "rho",
        "n",
        "verdict",
        "flags",
    ]
    rows = [
        [row["model"], row["how"], f"{row['kl_a']:g} / {row['kl_b']:g}", *_comparison(row), _flags(row)]
        for row in found["self_congruity"]
    ]
    parts.append(_table(head, rows))
    against, kl = found["copies"]["against"], found["copies"]["kl"]
    parts.append(f"## Changed copies and others against {against}, all at KL {kl:g}\n")
    head = ["B", "accuracy", *head[3:12], "known-equivalent p", "paired masks: retrieval", "log KL", "metric"]
    rows = [
        [row["b"], f"{row['accuracy']:.3f}", *_comparison(row), _standing(row), *_masks(row["paired"])]
        for row in found["copies"]["rows"]
    ]
    parts.append(_table(head, rows))
    control = found["control"]
    parts.append("## Positive control: same behaviour, other mechanism by construction\n")
    losses = [row["loss"] for row in control["networks"]]
    parts.append(
        f"{len(losses)} networks, all with accuracy {min(row['accuracy'] for row in control['networks']):.3f} or more "
        f"and {min(losses):.4f} to {max(losses):.4f} nats from the distribution that they were trained on. AUROC: are "
        "pairs across kinds farther apart than pairs within?\n"
    )
    rows = [
        [name, f"{row['auroc']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"]
        + [f"{row[key]:.3g}" for key in ("within_direct", "within_relay", "across")]
        for name, row in control["measures"].items()
    ]
    parts.append(_table(["measure", "AUROC [95 %]", "within direct", "within relay", "across"], rows))
    over = control["over_networks"]
    low, high = over["interval"]
    parts.append(
        f"Over networks (one unedited network an implementation): C = {over['score']:.2f} [{low:.2f}, {high:.2f}], "
        f"p = {over['p_value']:.3g}, {over['verdict']}.\n"
    )
    return "\n".join(parts)


def ground_truth(found: dict[str, Any]) -> str:
    """Return the page on networks whose algorithm is known for the numbers of one run."""
    parts = [_GROUND_TRUTH.format(**found, group=found["networks"]["group"])]
    head = ["measure", "read at", "groups: congruity", "groups: mean distance", "pairs", "hard pairs"]
    for regime, rows in found["regimes"].items():
        parts.append(f"## {_capital(regime)}\n")
        parts.append(_counted(found["networks"][regime]))
        if rows:
            pairs = next(iter(rows.values()))["groups"]
            parts.append(
                f"{pairs[0]} pairs of groups of one algorithm, {pairs[1]} of different ones. False alarms are over 10 "
                "random divisions into groups.\n"
            )
            shown = [[name, row["reading"], *_aurocs(row)] for name, row in rows.items()]
            parts.append(_table([*head, "false alarms", "missed"], shown))
    return "\n".join(parts)


def zoo(found: dict[str, Any]) -> str:
    """Return the page on the gates of a trained zoo."""
    networks = found["networks"]
    figures = ["accuracy", "interchange", "strictness", "readout"]
    parts = [_ZOO.format(**found)]
    passed = sum(one["passes"] for one in networks)
    parts.append(f"{passed} of {len(networks)} networks pass ({passed / len(networks):.0%}).\n")
    by_algorithm: dict[str, list[dict[str, Any]]] = {}
    for one in networks:
        by_algorithm.setdefault(one["algorithm"], []).append(one)
    rows = [
        [
            name,
            f"{sum(one['passes'] for one in those)} of {len(those)}",
            *(f"{min(o[k] for o in those):.3f}" for k in figures),
        ]
        for name, those in by_algorithm.items()
    ]
    parts.append(_table(["algorithm", "pass", *(f"worst {name}" for name in figures)], rows))
    rows = [
        [
            one["network"],
            str(one["layers"]),
            str(one["parts"]),
            *(f"{one[name]:.3f}" for name in figures),
            "yes" if one["passes"] else "**no**",
        ]
        for one in networks
    ]
    parts.append(_table(["network", "layers", "active parts", *figures, "passes"], rows))
    return "\n".join(parts)


def leaderboard(found: dict[str, Any]) -> str:
    """Return the leaderboard: a table of the best measures by regime, then a table for each regime, the best first."""
    parts = [_LEADERBOARD.format(**found, group=found["networks"]["group"])]
    scored = {regime: rows for regime, rows in found["regimes"].items() if rows}
    best = [[regime, *_best_of(rows)] for regime, rows in scored.items()]
    parts.append(_table(["regime", "best by choice", "swaps", "the paper's recipe", "best nuisance measure"], best))
    for regime, rows in found["regimes"].items():
        parts.append(f"\n## {_capital(regime)}\n\n{_counted(found['networks'][regime])}\n")
        order = sorted(rows, key=lambda name: -rows[name]["group_auroc"])
        shown = [[_named(name, rows), *_short(rows[name])] for name in order]
        parts.append(_table(["measure", "groups", "pairs", "false alarms", "missed"], shown))
    return "".join(parts) + _LEADERBOARD_END


def _best_of(rows: dict[str, Any]) -> list[str]:
    """Return the measure with the best AUROC on the networks that choose, with its report, and three others."""
    measures = [name for name in rows if not name.startswith("nuisance: ")]
    chosen = max(measures, key=lambda name: rows[name]["chosen_at"])
    nuisance = max((name for name in rows if name not in measures), key=lambda name: rows[name]["group_auroc"])
    names = [chosen, "swaps", "ridge, the paper's recipe"]
    cells = [f"{_named(name, rows)} {rows[name]['group_auroc']:.2f}" for name in names]
    return [*cells, f"{nuisance.removeprefix('nuisance: ')} {rows[nuisance]['group_auroc']:.2f}"]


def _named(name: str, rows: dict[str, Any]) -> str:
    """Return a measure, in bold if its interval lies above every nuisance measure's estimate."""
    beaten = max(row["group_auroc"] for other, row in rows.items() if other.startswith("nuisance: "))
    return f"**{name}**" if rows[name]["low"] > beaten else name


def _short(row: dict[str, Any]) -> list[str]:
    areas = [f"{row['group_auroc']:.2f} [{row['low']:.2f}, {row['high']:.2f}]", f"{row['pair_auroc']:.2f}"]
    return [*areas, f"{row['false_alarm']:.2f}", f"{row['missed']:.2f}"]


def _counted(networks: dict[str, Any]) -> str:
    """Return a sentence on how many networks report, and which algorithms had too few."""
    counts = list(networks["report"].values())
    least, most = min(counts, default=0), max(counts, default=0)
    many = f"{least}" if least == most else f"{least} to {most}"
    without = f" Left out, with too few networks: {', '.join(networks['left_out'])}." if networks["left_out"] else ""
    return f"{many} networks of each algorithm report.{without}\n"


def _capital(regime: str) -> str:
    return f"{regime[0].upper()}{regime[1:]}"


def _aurocs(row: dict[str, Any]) -> list[str]:
    ends = {"group_auroc": "", "mean_auroc": "mean_", "pair_auroc": "pair_", "hard_auroc": "hard_"}
    areas = [
        f"{row[key]:.2f} [{row[f'{p}low']:.2f}, {row[f'{p}high']:.2f}]" if key in row else "-"
        for key, p in ends.items()
    ]
    return [*areas, f"{row['false_alarm']:.2f}", f"{row['missed']:.2f}"]


def _comparison(row: dict[str, Any]) -> list[str]:
    close = row["closeness"]
    ends = "" if close is None else f" [{close['interval'][0]:.2f}, {close['interval'][1]:.2f}]"
    return [
        " / ".join(f"{kl:.4f}" for kl in row["mean_kl"]),
        f"{row['score']:.2f} [{row['low']:.2f}, {row['high']:.2f}]",
        *(f"{p:.2f}" for p in row["p_within"]),
        f"{row['separability']:.2f}",
        "-" if row["p_value"] is None else f"{row['p_value']:.2g}",
        "-" if row["rho"] is None else f"{row['rho']:.2f}{ends}",
        " + ".join(map(str, row["n"])),
        row["verdict"],
    ]


def _flags(row: dict[str, Any]) -> str:
    known = {
        "interventions": "interventions",
        "drawn to different KLs": "KL",
        "not sampled at matched strength": "strength reached",
        "pools of its sites": "pool",
    }
    return ", ".join(word for text, word in known.items() if any(text in warning for warning in row["warnings"])) or "-"


def _standing(row: dict[str, Any]) -> str:
    return "-" if row["standing"] is None else f"{row['standing']['p_equivalent']:.2f}"


def _masks(found: Any) -> list[str]:
    if not isinstance(found, dict):
        return ["-" if found is None else "not the same sites", "-", "-"]
    return [
        " / ".join(f"{share:.2f}" for share in found["retrieval"]),
        *(
            "-" if one is None else f"{one['correlation']:.2f} [{one['interval'][0]:.2f}, {one['interval'][1]:.2f}]"
            for one in (found["log_kl"], found["metric"])
        ),
    ]


def _tests(found: dict[str, Any], cells: list[dict[str, Any]], sizes: list[int]) -> str:
    rows = []
    for name in dict.fromkeys(cell["population"] for cell in cells):
        ours, paper = ([_at(where, name, n) for n in sizes] for where in (cells, found["paper"]))
        rows.append([name, *(_rate(cell) for cell in ours), *(_rate(cell) for cell in paper)])
    head = [f"ours, N = {n}" for n in sizes] + [f"paper, N = {n}" for n in sizes]
    return _table(["population", *head], rows)


def _at(cells: list[dict[str, Any]], name: str, n: int) -> dict[str, Any] | None:
    return next((cell for cell in cells if (cell["population"], cell["n"]) == (name, n)), None)


def _rate(cell: dict[str, Any] | None) -> str:
    return "no test" if cell is None else f"{cell['rate']:.3f} ({cell['se']:.3f})"


def _coverage(cell: dict[str, Any] | None) -> str:
    return "" if cell is None else f"{cell['rate']:.3f} ({cell['mean_width']:.2f})"


def _verdict(cell: dict[str, Any] | None) -> str:
    return "" if cell is None else f"{100 * cell['equivalent']:.1f} / {100 * cell['different']:.1f}"


def _c(found: dict[str, Any], name: str) -> float:
    return 1.0 - abs(found["truth"][name]["p1"] + found["truth"][name]["p2"] - 1.0)


def _c_min(found: dict[str, Any], name: str) -> float:
    return 1.0 - max(abs(2.0 * p - 1.0) for p in found["truth"][name].values())


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


PAGES = {"inference": inference, "circuits": circuits, "ground_truth": ground_truth, "zoo": zoo}
DOCS = {"leaderboard": ("ground_truth", leaderboard)}

if __name__ == "__main__":
    for name, page in PAGES.items():
        found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        (RESULTS / f"{name}.md").write_text(page(found), encoding="utf-8")
    for name, (source, page) in DOCS.items():
        found = json.loads((RESULTS / f"{source}.json").read_text(encoding="utf-8"))
        (RESULTS.parents[1] / "docs" / f"{name}.md").write_text(page(found), encoding="utf-8")
