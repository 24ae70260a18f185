"""The command that finds a circuit and measures its faithfulness."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from congruity.cli.app import Json, Prompts, Quiet, Seed, TaskName, app
from congruity.cli.output import print_json
from congruity.cli.progress import progress_bars


@app.command()
def circuit(
    model: Annotated[str, typer.Argument(help="Short name, folder, .gguf file or hub id.")],
    task: TaskName = "ioi",
    finder: Annotated[str, typer.Option(help="A finder's name, or a circuit file (.json).")] = "attribution",
    intervention: Annotated[str, typer.Option(help="What replacing a site writes.")] = "resample",
    prompts: Prompts = 200,
    seed: Seed = 0,
    max_kl: Annotated[float, typer.Option(help="Gate: largest mean KL to the unedited model, nats.")] = 0.1,
    random: Annotated[int, typer.Option("--random", min=0, help="Random circuits to compare with.")] = 20,
    out: Annotated[Path, typer.Option(help="Folder for circuit.json, .html, .svg and .pdf.")] = Path(
        "congruity-circuit"
    ),
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub id.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the sites that a task needs, and measure what they recover alone."""
    from congruity import finders, interventions, pipeline, tasks
    from congruity._base import files
    from congruity._base.clock import Clock
    from congruity.models import load_model
    from congruity.report import circuit_figures, circuit_page
    from congruity.sampling.discover import settings as found_how
    from congruity.store.circuits import to_mib
    from congruity.values import Gates

    chosen = tasks.by_name(task, n=prompts, seed=seed)
    found_by, written = finders.by_name(finder), interventions.by_name(intervention)
    gates, clock = Gates(max_kl=max_kl), Clock()
    with progress_bars(quiet) as progress:
        with clock("load"):
            loaded = load_model(model, revision=revision, device=device)
        found = pipeline.discover(
            chosen,
            loaded,
            finder=found_by,
            intervention=written,
            gates=gates,
            seed=seed,
            n_random=random,
            progress=progress,
            clock=clock,
        )
    settings = found_how(chosen, finder=found_by, intervention=written, gates=gates, seed=seed, n_random=random)
    shown = circuit_figures.Found(found, loaded.card, chosen.name, settings)
    # every byte is made before the first is written
    page = circuit_page.page(shown).encode()
    drawings = {kind: circuit_figures.saved(shown, kind) for kind in ("svg", "pdf")}
    parallel = bool(getattr(loaded, "parallel_attn_mlp", False))
    path = files.write_json(
        to_mib(found, loaded.card, parallel_attn_mlp=parallel, settings=settings), out / "circuit.json"
    )
    report = files.write_bytes(page, out / "circuit.html")
    for kind, content in drawings.items():
        files.write_bytes(content, out / f"circuit.{kind}")
    if json_output:
        seconds = {stage: round(value, 2) for stage, value in clock.seconds.items()}
        print_json(circuit_page.to_dict(shown) | {"path": str(path), "report": str(report), "seconds": seconds})
        return
    for line in circuit_page.lines(shown):
        print(line)
    print(f"Wrote {path}")
    print(f"Report: {report}")
