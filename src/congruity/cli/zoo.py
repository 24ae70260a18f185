"""The commands of the zoo: networks that are trained to compute a function by a known algorithm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from congruity.cli.app import Json, Quiet, Seed, app
from congruity.cli.output import print_json, print_rows
from congruity.cli.progress import progress_bars

if TYPE_CHECKING:
    from congruity.known.zoo import TrainedNetworks
    from congruity.known.zoo.criteria import Criteria

zoo = typer.Typer(help="Networks whose algorithm is known: train, list and check them.", no_args_is_help=True)
app.add_typer(zoo, name="zoo")

Preset = Annotated[str, typer.Argument(help="smoke, default or thorough.")]
TrainedHow = Annotated[str, typer.Option("--way", help="The training: values, labels, plain or mimics (impostors).")]
_SHARE = 0.9  # of the networks that must pass their criteria
_FIGURES = ("accuracy", "interchange", "strictness", "readout", "mimicry")


@zoo.command()
def train(
    preset: Preset = "default",
    way: TrainedHow = "values",
    seed: Seed = 0,
    processes: Annotated[int, typer.Option(min=0, help="Processes, one thread each; 0: one a core.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, or cuda: all in one process.")] = "cpu",
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train the networks of a zoo that are missing; an interrupted training goes on where it was."""
    from congruity._base.engine import cores

    family = _family()
    chosen = family.by_preset(preset)
    with progress_bars(quiet) as progress:
        path = family.train_zoo(
            chosen, way, seed=seed, processes=processes or cores(), device=device, progress=progress
        )
    batches = list(family.load_zoo(chosen, way, seed=seed))
    rows = [row for batch in batches for row in _rows(batch, batch.criteria)]
    if json_output:
        print_json({"path": str(path), "cpu_seconds": round(sum(b.seconds for b in batches), 1), "networks": rows})
        return
    print_rows(_by_algorithm(rows), False)
    print(f"\n{sum(row['passes'] for row in rows)} of {len(rows)} networks pass the criteria of {way!r}.")
    print(f"Wrote {path}")


@zoo.command("list")
def list_(seed: Seed = 0, json_output: Json = False) -> None:
    """List the zoos that can be trained, and how many networks of each are trained."""
    family = _family()
    rows = []
    for preset in family.REGISTRY:
        for way in family.WAYS:
            rows.append(
                {
                    "zoo": preset.name,
                    "way": way.name,
                    "networks": sum(job.count for job in preset.jobs(way.name, seed)),
                    "trained": family.count(preset, way.name, seed=seed),
                    "what": f"{preset.summary}; {way.summary}",
                }
            )
    print_rows(rows, json_output)


@zoo.command()
def check(
    preset: Preset = "default",
    way: TrainedHow = "values",
    seed: Seed = 0,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure the criteria of every network anew, on other draws than at its training; fail if fewer than 90 % pass."""
    from congruity.errors import ModelError, StoreError

    family = _family()
    chosen = family.by_preset(preset)
    with progress_bars(quiet) as progress:
        rows = list(_checked(family, chosen, way, seed, progress))
    if not rows:
        raise StoreError(
            f"no network of {preset}, {way}, seed {seed} is trained; do: congruity zoo train {preset} --way {way} "
            f"--seed {seed}"
        )
    passed, total = sum(row["passes"] for row in rows), sum(job.count for job in chosen.jobs(way, seed))
    if json_output:
        print_json({"networks": rows, "passed": passed, "of": total, "needed": _needed(family, way)})
    else:
        print_rows(rows, False)
        there = "" if len(rows) == total else f", of which {len(rows)} are trained"
        print(f"\n{passed} of {total} networks{there} pass; needed: {_needed(family, way)}")
    if passed < _SHARE * total:
        raise ModelError(f"{preset}, {way}: {passed} of {total} networks pass their criteria, fewer than {_SHARE:.0%}")


def _family() -> Any:
    from congruity._base.optional import require

    return require("congruity.known.zoo", "congruity[models]", "the zoo")


def _checked(family: Any, preset: Any, way: str, seed: int, progress: Any) -> Iterator[dict[str, Any]]:
    total = family.count(preset, way, seed=seed)
    done = 0
    for batch in family.load_zoo(preset, way, seed=seed):
        progress("gates", done, total)
        targets = family.targets_of(preset, batch.job, seed=seed)
        yield from _rows(batch, family.checked(batch, targets))
        done += batch.job.count
    progress("gates", done, total)


def _rows(batch: TrainedNetworks, criteria: Sequence[Criteria]) -> Iterator[dict[str, Any]]:
    for index, (one, layout) in enumerate(zip(criteria, batch.layouts, strict=True)):
        reached = {name: None if math.isnan(value) else round(value, 4) for name, value in asdict(one).items()}
        yield {
            "network": f"{batch.job.name}-{index}",
            "algorithm": f"{batch.job.family}/{batch.job.algorithm}",
            "layers": batch.job.shape.layers,
            "parts": layout.parts,
            **reached,
            "passes": one.passes(batch.needed),
        }


def _needed(family: Any, way: str) -> dict[str, float]:
    return asdict(family.needed(way))


def _by_algorithm(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row an algorithm: how many of its networks pass, and the worst of each figure."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["algorithm"], []).append(row)
    return [
        {
            "algorithm": name,
            "networks": len(those),
            "pass": sum(row["passes"] for row in those),
            **{f"worst {key}": min(row[key] or 0.0 for row in those) for key in _FIGURES},
        }
        for name, those in found.items()
    ]
