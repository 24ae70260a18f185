"""The commands that list what there is, check a model, and measure this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from congruity.cli.app import Json, Quiet, Seed, TaskName, app
from congruity.cli.output import first_line, print_json, print_rows
from congruity.cli.progress import progress_bars


@app.command()
def tasks(json_output: Json = False) -> None:
    """List the built-in tasks."""
    from congruity import tasks as family

    rows = [{"name": task.name, "what": first_line(task)} for task in family.REGISTRY]
    print_rows(rows, json_output)
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
    print_rows(rows, json_output)


@app.command()
def doctor(
    model: Annotated[str, typer.Argument(help="Model to check.")] = "smollm2-135m",
    task: TaskName = "ioi",
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the self-tests that precede every fingerprint, alone."""
    from congruity import tasks as family
    from congruity.errors import ModelError
    from congruity.interventions import Resample
    from congruity.models import load_model
    from congruity.sampling import selftests as checks

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
    print_rows(rows, json_output)
    if not all(check.passed for check in found):
        raise ModelError(f"{model}: {sum(not c.passed for c in found)} of {len(found)} self-tests failed")


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="Benchmark to run, such as distances.")],
    seed: Seed = 0,
    small: Annotated[bool, typer.Option("--small", help="Tiny sizes, to try it: the numbers mean nothing.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="ground-truth: only the networks that come with the package; seconds.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help="ground-truth: this regime alone; may be repeated."),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(help="ground-truth: your measure, FILE.py:FUNCTION or MODULE:FUNCTION of X, Y; may be repeated."),
    ] = None,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure speed and accuracy against an alternative; minutes on one core."""
    from congruity import bench as family
    from congruity.bench.ground_truth.plugins import by_spec

    with progress_bars(quiet) as progress:
        plugins = by_spec(measure or ())
        found = family.run(name, seed=seed, small=small, progress=progress, quick=quick, only=only, plugins=plugins)
    if json_output:
        print_json(found)
        return
    rows = family.by_name(name).rows
    if rows is not None:
        print_rows(rows(found), False)
        return
    for key, value in found.items():
        print(f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}")
