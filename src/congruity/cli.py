"""The command line. Imports what a command needs when it runs, so that ``--help`` is instant."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from congruity._bars import progress_bars

if TYPE_CHECKING:
    from congruity.values import Fingerprint

app = typer.Typer(
    help="Do two neural networks solve a task the same way?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
Prompts = Annotated[int, typer.Option("--prompts", help="Prompts of a built-in task.")]
Count = Annotated[int, typer.Option("--implementations", "-n", help="Admitted implementations a side.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random stream.")]
TaskName = Annotated[str, typer.Option("--task", help="A task's name, or your own .csv or .jsonl file.")]


def main() -> None:
    """Run the command line: one sentence and an exit code for what is the input's fault."""
    # One program, one kind of progress bar: ours. Must be set before the libraries are imported.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from congruity.errors import CongruityError

    try:
        app()
    except CongruityError as error:
        print(f"congruity: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except SystemExit as stop:
        if stop.code == 130:  # what typer makes of Ctrl-C
            print(
                "congruity: interrupted; nothing was left half-written, and what is cached stays good", file=sys.stderr
            )
        raise


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
    from congruity import store
    from congruity.demo import conclusions, run_demo
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
    store.write_bytes(page.encode(), report)
    result.seconds["report"] = time.perf_counter() - start
    data = result.to_dict(report)
    store.write_json(data, out / "result.json")
    if json_output:
        _print_json(data)
        return
    _print_table(result.comparisons)
    print(f"\nAccuracy: {', '.join(f'{name} {value:.3f}' for name, value in result.accuracy.items())}")
    print(f"Implementations refused: {', '.join(f'{name} {count}' for name, count in result.refused.items())}")
    _print_timing(result.seconds, result.floor_seconds, result.peak_rss_mb)
    print("\nWhat may be concluded, and what not:")
    for line in lines:
        print(f"- {line}")
    print(f"\nReport: {report}")


@app.command()
def fingerprint(
    model: Annotated[
        str, typer.Argument(help="Short name, folder, .gguf file or hub id; +noise=0.01 or +random changes it.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the fingerprint (.safetensors).")],
    task: TaskName = "ioi",
    prompts: Prompts = 200,
    n: Count = 20,
    seed: Seed = 0,
    share: Annotated[float, typer.Option(help="Part of the non-circuit pool that each implementation replaces.")] = 0.5,
    max_kl: Annotated[float, typer.Option(help="Gate: largest mean KL to the unedited model, nats.")] = 0.1,
    control: Annotated[bool, typer.Option("--control", help="Accept a model that cannot do the task.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub id.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a model's fingerprint: what it contributes to any comparison, in one small file."""
    from congruity import pipeline, store, tasks
    from congruity.clock import Clock
    from congruity.errors import StoreError
    from congruity.implement import Budget
    from congruity.models import load_model
    from congruity.values import Gates

    if out.suffix != store.SUFFIX:
        raise StoreError(f"{out}: a fingerprint's file name ends in {store.SUFFIX}")
    chosen = tasks.by_name(task, n=prompts, seed=seed)
    budget, gates = Budget(share=share), Gates(max_kl=max_kl)
    clock = Clock()
    with progress_bars(quiet) as progress:
        with clock("load"):
            loaded = load_model(model, revision=revision, device=device)
        made = pipeline.fingerprint(
            chosen,
            loaded,
            n=n,
            seed=seed,
            budget=budget,
            gates=gates,
            require_task=not control,
            progress=progress,
            clock=clock,
        )
    path = made.save(out)
    summary = _summary(made) | {"path": str(path), "seconds": {k: round(v, 2) for k, v in clock.seconds.items()}}
    if json_output:
        _print_json(summary)
        return
    print(
        f"{made.model.name} on {made.queries.task}: accuracy {made.accuracy:.3f}, circuit {len(made.circuit.sites)} of "
        f"{len(made.circuit.scores.sites)} sites, {made.n} implementations admitted, {summary['refused']} refused, "
        f"mean KL {summary['mean_kl']:.3f} nats"
    )
    print(f"Wrote {path}")


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A fingerprint (.safetensors) or a model.")],
    b: Annotated[str, typer.Argument(help="A fingerprint (.safetensors) or a model.")],
    task: TaskName = "ioi",
    distance: Annotated[str, typer.Option(help="See `congruity distances`.")] = "spectral",
    margin: Annotated[float | None, typer.Option(help="Margin of equivalence in (0, 1].")] = None,
    prompts: Prompts = 200,
    n: Count = 20,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for report.html and result.json.")] = Path("congruity-report"),
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Decide whether two sides share an interpretation, as far as their implementations show."""
    from congruity import distances, pipeline, store, tasks
    from congruity.report import html
    from congruity.values import Comparison

    measure = distances.by_name(distance)
    chosen = tasks.by_name(task, n=prompts, seed=seed)
    with progress_bars(quiet) as progress:
        left, right = pipeline.sides(a, b, task=chosen, seed=seed, progress=progress, n=n)
        table = pipeline.distance_table(left, right, measure, progress=progress)
        result = pipeline.judge(left, right, table, margin=margin, seed=seed)
    comparison = Comparison(left, right, result)
    report = store.write_bytes(
        html.page([comparison], title=f"{result.names[0]} and {result.names[1]}").encode(), out / "report.html"
    )
    data = result.to_dict() | {"report": str(report)}
    store.write_json(data, out / "result.json")
    if json_output:
        _print_json(data)
    else:
        from congruity.report import text

        _print_table([comparison])
        print(f"\n{text.verdict(result)}")
        for warning in result.warnings:
            print(f"Warning: {warning}")
        print(f"\nReport: {report}")
    if result.verdict == "not applicable":
        raise typer.Exit(3)


@app.command()
def tasks(json_output: Json = False) -> None:
    """List the built-in tasks."""
    from congruity import tasks as family

    rows = [{"name": task.name, "what": _first_line(task)} for task in family.REGISTRY]
    _print_rows(rows, json_output)
    if not json_output:
        print("\nYour own: --task pairs.csv or pairs.jsonl with columns clean,corrupted,answer,foil")


@app.command()
def distances(json_output: Json = False) -> None:
    """List the distances, what they ignore and where they come from."""
    from congruity import distances as family

    rows = [
        {
            "name": d.name,
            "metric": d.traits.metric,
            "symmetric": d.traits.symmetric,
            "range": "{:g} to {:.3g}".format(*d.traits.range),
            "ignores": ", ".join(sorted(d.traits.invariances)),
            "reference": d.traits.reference,
        }
        for d in family.REGISTRY
    ]
    _print_rows(rows, json_output)


@app.command()
def doctor(
    model: Annotated[str, typer.Argument(help="Model to check.")] = "smollm2-135m",
    task: TaskName = "ioi",
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the self-tests that precede every fingerprint, alone."""
    from congruity import doctor as checks
    from congruity import tasks as family
    from congruity.errors import ModelError
    from congruity.interventions import Resample
    from congruity.models import load_model

    with progress_bars(quiet) as progress:
        progress("load", 0, 1)
        loaded = load_model(model)
        progress("load", 1, 1)
        examples = family.by_name(task, n=32).examples(loaded.single_token)
        found = checks.run_checks(loaded, examples, Resample())
    rows = [
        {"check": c.name, "passed": c.passed, "value": f"{c.value:.1e}", "limit": f"{c.limit:.0e}", "of": c.detail}
        for c in found
    ]
    _print_rows(rows, json_output)
    if not all(check.passed for check in found):
        raise ModelError(f"{model}: {sum(not c.passed for c in found)} of {len(found)} self-tests failed")


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="Benchmark to run, such as distances.")],
    seed: Seed = 0,
    small: Annotated[bool, typer.Option("--small", help="Tiny sizes, to try it: the numbers mean nothing.")] = False,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure speed and accuracy against an alternative; minutes on one core."""
    from congruity import bench as family

    with progress_bars(quiet) as progress:
        found = family.run(name, seed=seed, small=small, progress=progress)
    if json_output:
        _print_json(found)
        return
    for key, value in found.items():
        print(f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        from congruity import __version__

        print(__version__)
        raise typer.Exit


# --------------------------------------------------------------------------------------------------------- output


def _print_json(data: Any) -> None:
    print(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def _print_table(comparisons: Any) -> None:
    from rich.console import Console

    from congruity.report import text

    Console(width=None if sys.stdout.isatty() else 100).print(text.table(comparisons))


def _print_rows(rows: list[dict[str, Any]], json_output: bool) -> None:
    if json_output:
        _print_json(rows)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*(escape("yes" if v is True else "no" if v is False else str(v)) for v in row.values()))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _print_timing(seconds: dict[str, float], floor: float, peak: float) -> None:
    spent = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
    print(f"Seconds: {spent}; total {sum(seconds.values()):.1f}")
    if floor:
        print(f"Floor: {floor:.1f} s, the matrix products that had to happen at this machine's rate")
    print(f"Peak memory: {peak:.0f} MB")


def _summary(made: Fingerprint) -> dict[str, Any]:
    return {
        "model": made.model.name,
        "task": made.queries.task,
        "accuracy": made.accuracy,
        "circuit": len(made.circuit.sites),
        "sites": len(made.circuit.scores.sites),
        "admitted": made.n,
        "refused": made.n_refused,
        "mean_kl": made.mean_kl,
        "digest": made.digest,
    }


def _first_line(thing: Any) -> str:
    return (type(thing).__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    main()
