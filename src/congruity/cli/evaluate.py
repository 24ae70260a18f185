"""``congruity evaluate``: does a network implement an interpretation?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from congruity.cli.app import Json, Quiet, Seed, app
from congruity.cli.output import print_json, print_rows
from congruity.cli.progress import progress_bars

if TYPE_CHECKING:
    from congruity.evaluation import Evaluation, Interpretation, Share, Swappable
    from congruity.theory import CausalModel

_MODELS = (
    "zoo:PRESET/WAY/NETWORK (names: congruity zoo check PRESET), rasp:FAMILY/ALGORITHM (compiled), a causal model in "
    "FILE.json, or FILE.py:NAME, a PyTorch module or a function that returns one."
)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help=_MODELS)],
    against: Annotated[str, typer.Option(help="rasp:FAMILY/ALGORITHM, or FILE.json: a causal model and an alignment.")],
    site: Annotated[
        list[str] | None, typer.Option(help="Of FILE.py:NAME: a submodule that may be swapped, PATH or PATH:HEADS.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=10, help="Swaps for each reported share.")] = 1000,
    random: Annotated[int, typer.Option(min=0, help="Random alignments of the same size beside it.")] = 99,
    seed: Seed = 0,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Swap what stands for each variable of an interpretation, and compare with what its causal model answers."""
    from congruity.evaluation import evaluate as measure

    interpretation = _interpretation(against)
    network = _network(model, interpretation, site or [])
    with progress_bars(quiet) as progress:
        found = measure(network, interpretation, pairs=pairs, n_random=random, seed=seed, progress=progress)
        beside = _beside(against, network, seed, progress)
    if json_output:
        print_json(dataclasses.asdict(found) | {"implementations": beside})
        return
    _show(found, beside)


def _interpretation(against: str) -> Interpretation:
    from congruity.errors import InputError
    from congruity.evaluation import Interpretation, read_interpretation

    if against.startswith("rasp:"):
        from congruity.known import algorithms

        family, algorithm = _names(against)
        chosen = algorithms.by_name(family)
        return Interpretation(against, chosen.algorithm(algorithm).causal(chosen.length))
    path = Path(against)
    if path.suffix != ".json" or not path.is_file():
        raise InputError(f"{against}: give rasp:FAMILY/ALGORITHM or a .json file that is there")
    try:
        return read_interpretation(path.read_text(encoding="utf-8"), against)
    except UnicodeDecodeError:
        raise InputError(f"{against}: not UTF-8 text") from None


def _network(spec: str, interpretation: Interpretation, sites: list[str]) -> Swappable:
    from congruity._base.optional import require
    from congruity.errors import InputError

    module = require("congruity.known.networks.interchangeable", "congruity[models]", "evaluate").SwappableModule
    width, outputs = len(interpretation.model.inputs), len(interpretation.model.outputs)
    if spec.startswith("zoo:"):
        return _of_zoo(spec)
    if spec.startswith("rasp:"):
        from congruity.known.networks.compiled import Compiled
        from congruity.known.networks.tracr import compiled

        family, algorithm = _names(spec)
        net: Any = Compiled(compiled(family, algorithm, width))
        heads = {f"blocks.{i}.attn.z": len(block.attn.query) for i, block in enumerate(net.layers)}
        chosen = heads | {f"blocks.{i}.mlp": 1 for i in range(len(net.layers))}
    elif spec.endswith(".json"):
        from congruity.known.networks.causal import CausalNetwork

        model = _interpretation(spec).model
        if list(model.inputs) != list(interpretation.model.inputs):
            raise InputError(f"{spec}: its inputs are {', '.join(model.inputs)}, not those of the interpretation")
        _same_values(spec, model, interpretation.model)
        net = CausalNetwork(model, leak=0.0)
        chosen = {f"nodes.{place}": 1 for name, place in net.places.items() if name != net.output}
    else:
        net, chosen = _of_file(spec), dict(map(_heads, sites))
        if not chosen:
            known = ", ".join(name for name, _ in net.named_modules() if name)
            raise InputError(f"{spec}: name what may be swapped with --site; there are {known}")
    network: Swappable = module(net, sites=chosen, name=spec, width=width, outputs=outputs)
    return network


def _of_zoo(spec: str) -> Swappable:
    from congruity._base.optional import require
    from congruity.errors import InputError, UnknownNameError

    family = require("congruity.known.zoo", "congruity[models]", "the zoo")
    parts = spec.removeprefix("zoo:").split("/", 2)
    if len(parts) != 3:
        raise InputError(f"{spec}: a network of a zoo is zoo:PRESET/WAY/NETWORK")
    preset, way, name = parts
    names = []
    for batch in family.load_zoo(family.by_preset(preset), way):
        for index in range(batch.job.count):
            names.append(f"{batch.job.name}-{index}")
            if names[-1] == name:
                from congruity.known.zoo.interchangeable import SwappableNetwork

                network: Swappable = SwappableNetwork(batch.networks.only([index]), spec)
                return network
    if not names:
        remedy = f"do: congruity zoo train {preset} --way {way}"
        raise InputError(f"{spec}: no network of {preset}, {way} is trained; {remedy}")
    raise UnknownNameError(f"network of {preset}, {way}", name, names)


def _of_file(spec: str) -> Any:
    from congruity._base.plugins import loaded
    from congruity.errors import InputError

    place, colon, name = spec.rpartition(":")
    if not colon or not place.endswith(".py"):
        raise InputError(f"{spec}: a network is {_MODELS}")
    found = getattr(loaded(f"network {spec!r}", place), name, None)
    if callable(found) and (isinstance(found, type) or not hasattr(found, "named_modules")):
        try:
            found = found()
        except Exception as error:  # whatever a function of the user's raises
            raise InputError(f"{spec}: {name}() fails: {type(error).__name__}: {error}") from error
    if not hasattr(found, "named_modules") or isinstance(found, type):
        raise InputError(f"{spec}: {name} is no PyTorch module and returns none")
    return found


def _same_values(spec: str, model: CausalModel, other: CausalModel) -> None:
    """Raise `InputError` unless codes mean the same to both: values of inputs and outputs, in one order."""
    from congruity.errors import InputError
    from congruity.theory.tables import domains

    ours, theirs = domains(model), domains(other)
    pairs = [*zip(model.inputs, other.inputs, strict=True), *zip(model.outputs, other.outputs, strict=False)]
    for one, two in pairs:
        if list(ours[one]) != list(theirs[two]):
            raise InputError(
                f"{spec}: {one} takes {_listed(ours[one])}, the interpretation's {two} {_listed(theirs[two])}; list "
                "the same values in the same order"
            )


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values[:6])) + (", ..." if len(values) > 6 else "")


def _names(spec: str) -> tuple[str, str]:
    from congruity.errors import InputError

    family, slash, algorithm = spec.partition(":")[2].partition("/")
    if not slash or not algorithm:
        raise InputError(f"{spec}: a RASP interpretation is rasp:FAMILY/ALGORITHM, such as rasp:permutation/parity")
    return family, algorithm


def _heads(site: str) -> tuple[str, int]:
    from congruity.errors import InputError

    path, colon, heads = site.rpartition(":")
    if not colon:
        return site, 1
    if not (heads.isascii() and heads.isdigit()) or int(heads) < 1:
        raise InputError(f"--site {site}: after the colon stands how many heads the submodule holds")
    return path, int(heads)


def _beside(against: str, network: Swappable, seed: int, progress: Any) -> list[dict[str, Any]] | None:
    """Distances to the implementations that come with the package; None for interpretations that have none."""
    if not against.startswith("rasp:"):
        return None
    from congruity.known.nearest import beside

    return beside(network, _names(against)[0], seed=seed, progress=progress)


def _show(found: Evaluation, beside: list[dict[str, Any]] | None) -> None:
    def row(what: str, share: Share) -> dict[str, str]:
        interval = "" if share.low is None else f"[{share.low:.3f}, {share.high:.3f}]"
        return {
            "share right": what,
            "of": str(share.of),
            "value": "-" if share.value is None else f"{share.value:.3f}",
            "95 %": interval,
        }

    print(f"{found.network} against {found.interpretation}")
    print("Alignment: " + ("found on other pairs of inputs" if found.found else "as given"))
    rows = [
        row("answers, nothing swapped", found.accuracy),
        row("swaps of one variable", found.interchange),
        row("those that change the answer", found.changing),
        row("sets of variables, changing the answer", found.joint),
    ]
    rows += [row(f"  {name} at {', '.join(found.cells[name])}", share) for name, share in found.by_variable.items()]
    print_rows(rows, False)
    if found.random:
        best = max(found.random)
        print(
            f"\nRandom alignments of the same size, changing the answer: {sum(found.random) / len(found.random):.3f} "
            f"on average, {best:.3f} at most of {len(found.random)}"
            + (
                "; no p-value, as the best of many places beats random ones anyway"
                if found.p_random is None
                else f"; p = {found.p_random:.3g}"
            )
        )
    if found.unchanging:
        print(f"No swap of {', '.join(found.unchanging)} was seen to change an answer: nothing is known of these.")
    if beside:
        print(
            "\nDistance of responses to swaps, to the implementations that come with the package; how often these are "
            "closer than\nothers, and the least and most that an algorithm's own networks reach:"
        )
        print_rows(beside, False)
    elif found.interpretation.startswith("rasp:"):
        print("\nNo implementations of this family and of these answers come with the package.")
