"""The commands that measure: from models and fingerprints to verdicts."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from congruity.cli.app import Count, Json, Prompts, Quiet, Seed, TaskName, app
from congruity.cli.output import print_comparison, print_json, print_rows, print_table, print_timing, summary
from congruity.cli.progress import progress_bars

if TYPE_CHECKING:
    from congruity.values import Budget, Congruity, RankAmong

Strength = Annotated[
    list[float] | None,
    typer.Option("--kl", help="Strength of implementations: KL to the unedited model, nats; the first decides."),
]
Interventions = Annotated[
    list[str] | None, typer.Option("--intervention", help="resample, mean, zero or noise; the first decides.")
]
Number = Annotated[
    int | None,
    typer.Option("--implementations", "-n", help="Admitted implementations of a side that is a model; 20 by default."),
]
By = Annotated[
    str | None,
    typer.Option("--by", help="Reach the strength by the 'number' (the default) or the 'scale' of edits."),
]
FinderName = Annotated[
    str | None,
    typer.Option(
        "--finder", help="Which sites matter: attribution (the default), patching, ... or a circuit's .json file."
    ),
]


@app.command()
def demo(
    json_output: Json = False,
    quiet: Quiet = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Make everything again; converted models are kept.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for report.html and result.json.")] = Path("congruity-demo"),
    prompts: Prompts = 200,
    n: Count = 20,
    seed: Seed = 0,
) -> None:
    """Compare SmolLM2-135M with Gemma-3-270M on indirect object identification, with three controls."""
    from congruity._base import files
    from congruity.cli.demo import conclusions, run_demo
    from congruity.report import html

    with progress_bars(quiet) as progress:
        result = run_demo(n_prompts=prompts, n=n, seed=seed, use_cache=not no_cache, progress=progress)
    lines = conclusions(result)
    report = out / "report.html"
    start = time.perf_counter()
    page = html.page(
        result.comparisons,
        title="congruity demo",
        seconds=result.seconds,
        floor_seconds=result.floor_seconds,
        conclusions=lines,
    )
    files.write_bytes(page.encode(), report)
    result.seconds["report"] = time.perf_counter() - start
    data = result.to_dict(report)
    files.write_json(data, out / "result.json")
    if json_output:
        print_json(data)
        return
    print_table(result.comparisons)
    print(f"\nAccuracy: {', '.join(f'{name} {value:.3f}' for name, value in result.accuracy.items())}")
    print(f"Implementations refused: {', '.join(f'{name} {count}' for name, count in result.refused.items())}")
    print_timing(result.seconds, result.floor_seconds, result.peak_rss_mb)
    print("\nWhat may be concluded, and what not:")
    for line in lines:
        print(f"- {line}")
    print(f"\nReport: {report}")


@app.command()
def fingerprint(
    model: Annotated[
        str, typer.Argument(help="Short name, folder, .gguf file or hub id; +noise=0.01, +rtn=4, ... changes it.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the fingerprint (.safetensors).")],
    task: TaskName = "ioi",
    prompts: Prompts = 200,
    n: Number = None,
    seed: Seed = 0,
    kl: Strength = None,
    intervention: Interventions = None,
    finder: FinderName = None,
    by: By = None,
    edits_of: Annotated[
        Path | None, typer.Option(help="Make the edits of this fingerprint instead of drawing some (paired masks).")
    ] = None,
    copies: Annotated[
        str | None,
        typer.Option(help="Implementations are copies with changed weights instead: noise, permute or rotate."),
    ] = None,
    max_kl: Annotated[
        float | None, typer.Option(help="Gate: largest mean KL to the unedited model, nats; 0.1 by default.")
    ] = None,
    control: Annotated[bool, typer.Option("--control", help="Accept a model that cannot do the task.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub id.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a model's fingerprint: what it contributes to any comparison, in one small file."""
    from congruity import pipeline, tasks
    from congruity._base.clock import Clock
    from congruity.errors import StoreError
    from congruity.models import load_model
    from congruity.sampling.recipe import FingerprintOptions, SamplingRecipe
    from congruity.sampling.weight_copies import fingerprint_of_copies
    from congruity.store import fingerprints as store
    from congruity.values import Fingerprint, Gates

    if out.suffix != store.SUFFIX:
        raise StoreError(f"{out}: a fingerprint's file name ends in {store.SUFFIX}")
    chosen = tasks.by_name(task, n=prompts, seed=seed)
    drawn = {"--implementations": n, "--kl": kl, "--by": by, "--finder": finder}
    _require_alone("--edits-of", edits_of, drawn | {"--copies": copies})
    _require_alone("--copies", copies, {"--by": by, "--finder": finder, "several --kl": (kl or [])[1:]})
    options: FingerprintOptions = {} if n is None else {"n": n}
    if kl or by is not None:
        options |= {"budget": _budget(kl, by)}
    if intervention:
        options |= {"intervention": intervention}
    if finder is not None:
        options |= {"finder": finder}
    if max_kl is not None:
        options |= {"gates": Gates(max_kl=max_kl)}
    if control:
        options |= {"require_task": False}
    if edits_of is not None:
        other = Fingerprint.load(edits_of)
        options |= {"edits_of": other, "circuit": other.circuit}
    recipe, clock = SamplingRecipe.of("fingerprint", options, seed=seed), Clock()  # checked before the model is loaded
    with progress_bars(quiet) as progress:
        if copies is not None:
            made = fingerprint_of_copies(
                chosen, model, intervention=recipe.interventions[0], kind=copies, n=recipe.n, kl=recipe.budget.kls[0],
                seed=seed, gates=recipe.gates, progress=progress,
            )  # fmt: skip
        else:
            with clock("load"):
                loaded = load_model(model, revision=revision, device=device)
            made = pipeline.fingerprint(chosen, loaded, seed=seed, progress=progress, clock=clock, **options)
    path = made.save(out)
    facts = summary(made) | {"path": str(path), "seconds": {k: round(v, 2) for k, v in clock.seconds.items()}}
    if json_output:
        print_json(facts)
        return
    print(
        f"{made.model.name} on {made.queries.task}: accuracy {made.accuracy:.3f}, circuit {len(made.circuit.sites)} of "
        f"{len(made.circuit.scores.sites)} sites, {made.n} implementations admitted, {facts['refused']} refused, "
        f"mean KL {facts['mean_kl']:.3f} nats"
    )
    print(f"Wrote {path}")


def _require_alone(option: str, value: object, others: dict[str, Any]) -> None:
    """Raise `InputError` where an option was given with another that does not go with it; both are named."""
    from congruity.errors import InputError

    if value is not None and (beside := [name for name, other in others.items() if other]):
        raise InputError(f"fingerprint: {option} does not go with {', '.join(beside)}; leave one of them out")


def _budget(kl: list[float] | None, by: str | None) -> Budget:
    from congruity.values import Budget

    return Budget(kl=tuple(kl) if kl else Budget().kl, by=cast(Any, by or Budget().by))


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A fingerprint (.safetensors) or a model.")],
    b: Annotated[str, typer.Argument(help="A fingerprint (.safetensors) or a model.")],
    task: TaskName = "ioi",
    distance: Annotated[str, typer.Option(help="See `congruity distances`.")] = "spectral",
    margin: Annotated[float | None, typer.Option(help="Margin of equivalence in (0, 1].")] = None,
    alpha: Annotated[float, typer.Option(help="Level of both tests.")] = 0.05,
    folds: Annotated[int, typer.Option(min=0, help="Groups of prompts to leave out in turn; 0 = none.")] = 0,
    until_decided: Annotated[
        bool,
        typer.Option("--until-decided", help="Look at 8, 16, 32, 64 implementations a side, and stop when decided."),
    ] = False,
    equivalent: Annotated[
        list[Path] | None, typer.Option(help="result.json of a pair known to be equivalent; may be repeated.")
    ] = None,
    different: Annotated[
        list[Path] | None, typer.Option(help="result.json of a pair known to be different; may be repeated.")
    ] = None,
    prompts: Prompts = 200,
    n: Number = None,
    kl: Strength = None,
    by: By = None,
    intervention: Interventions = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="Make the edits of A in B, a model of the same architecture.")
    ] = False,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for report.html and result.json.")] = Path("congruity-report"),
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Decide whether two sides share an interpretation, as far as their implementations show."""
    from congruity import distances, pipeline, tasks
    from congruity._base import files
    from congruity.comparison.reference import rank_among
    from congruity.comparison.sequential import LOOKS
    from congruity.report import html
    from congruity.sampling.recipe import SamplingOptions, SamplingRecipe

    measure = distances.chosen(distance)
    chosen = tasks.by_name(task, n=prompts, seed=seed)
    known = [[files.read_json(path) for path in paths or ()] for paths in (equivalent, different)]
    for other in (*known[0], *known[1]):
        rank_among(other, equivalent=[other], different=[])  # refused now rather than after the work
    options: SamplingOptions = {} if n is None else {"n": n}
    if kl or by is not None:
        options |= {"budget": _budget(kl, by)}
    if intervention:
        options |= {"intervention": intervention}
    recipe = SamplingRecipe.of("compare", options, seed=seed)
    looks = LOOKS if until_decided else None
    plan = pipeline.ComparisonPlan(measure, margin, alpha, folds, looks, paired, seed)
    with progress_bars(quiet) as progress:
        comparison = pipeline.compared(a, b, task=chosen, recipe=recipe, plan=plan, progress=progress)
    result = comparison.result
    rank, unranked = _ranked(result, *known)
    warnings = [*result.warnings, *unranked]
    title = f"{result.names[0]} and {result.names[1]}"
    page = html.page([comparison], title=title, warnings=unranked)
    report = files.write_bytes(page.encode(), out / "report.html")
    data = result.to_dict() | {"report": str(report), "warnings": warnings}
    data |= {} if rank is None else {"standing": asdict(rank)}
    files.write_json(data, out / "result.json")
    if json_output:
        print_json(data)
    else:
        print_comparison(comparison, rank, warnings)
        print(f"\nReport: {report}")
    if result.verdict == "not applicable":
        raise typer.Exit(3)


def _ranked(result: Congruity, equivalent: list[Any], different: list[Any]) -> tuple[RankAmong | None, list[str]]:
    """Return the rank among known comparisons; where these are of another kind, why there is none."""
    from congruity.comparison.reference import rank_among
    from congruity.errors import InputError

    if not (equivalent or different) or result.rho is None:
        return None, []
    try:
        return rank_among(result, equivalent=equivalent, different=different), []
    except InputError as error:  # no reason to lose this comparison
        return None, [f"no rank among the known comparisons: {error}"]


@app.command()
def matrix(
    sides: Annotated[list[str], typer.Argument(help="Three fingerprints (.safetensors) or more.")],
    distance: Annotated[str, typer.Option(help="See `congruity distances`.")] = "spectral",
    margin: Annotated[float | None, typer.Option(help="Margin of equivalence in (0, 1].")] = None,
    alpha: Annotated[float, typer.Option(help="Level of either family of claims.")] = 0.05,
    screen: Annotated[bool, typer.Option("--screen", help="Control the share of false claims, not any one.")] = False,
    seed: Seed = 0,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare all pairs of several models, with the error rate controlled over all of them."""
    from congruity._base.wording import interval, number, p_value, printable
    from congruity.comparison import matrix as family
    from congruity.errors import InputError

    if strange := [side for side in sides if not side.endswith(".safetensors")]:
        raise InputError(f"matrix: {strange[0]} is no fingerprint; make one with `congruity fingerprint`")
    with progress_bars(quiet) as progress:
        found = family.matrix(
            sides,
            distance=distance,
            margin=margin,
            alpha=alpha,
            correction="bh" if screen else "holm",
            seed=seed,
            progress=progress,
        )
    if json_output:
        print_json(found.to_dict())
        return
    rows = []
    for (i, j), pair in found.pairs.items():
        a, b = printable(found.names[i]), printable(found.names[j])
        rows.append(
            {
                "A": a,
                "B": b,
                "C [95 %]": f"{number(pair.result.score)} {interval(pair.result.interval)}".rstrip(),
                "rho": number(pair.result.rho),
                "p different": p_value(pair.p_different),
                "p equivalent": p_value(pair.p_equivalent),
                "told apart": pair.distinguishable,
                "verdict": pair.verdict,
            }
        )
    print_rows(rows, json_output)
    print(f"\np-values adjusted over {len(rows)} pairs ({found.correction}), differences and equivalences apart.")
    for warning in dict.fromkeys(w for pair in found.pairs.values() for w in pair.result.warnings):
        print(f"Warning: {warning}")
