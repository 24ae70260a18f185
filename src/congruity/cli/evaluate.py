"""``congruity evaluate``: does a network implement an interpretation?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from congruity.cli.app import Json, Quiet, Seed, app
from congruity.cli.output import print_json, print_rows
from congruity.cli.progress import progress_bars

if TYPE_CHECKING:
    from congruity.evaluation import Evaluation, Interpretation, Share
    from congruity.protocols import Model
    from congruity.theory import CausalModel

_MODELS = (
    "zoo:PRESET/WAY/NETWORK (names: congruity zoo check PRESET), rasp:FAMILY/ALGORITHM (compiled), a causal model in "
    "FILE.json, FILE.py:NAME (a PyTorch module or a function that returns one), or a language model: a name, a folder, "
    "a .gguf file or a hub id"
)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help=f"{_MODELS}.")],
    against: Annotated[str, typer.Option(help="rasp:FAMILY/ALGORITHM, or FILE.json: a causal model and an alignment.")],
    site: Annotated[
        list[str] | None,
        typer.Option(help="A site that may be interchanged; of FILE.py:NAME a submodule, PATH or PATH:HEADS."),
    ] = None,
    pairs: Annotated[int, typer.Option(min=10, help="Interchanges for each reported share.")] = 1000,
    random: Annotated[int, typer.Option(min=0, help="Random alignments of the same size to compare with.")] = 99,
    seed: Seed = 0,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Interchange what stands for each variable of an interpretation; compare with what its causal model answers."""
    from congruity.evaluation import evaluate as measure

    interpretation = _interpretation(against)
    network, sites = _model(model, interpretation, site or []), site or []
    of_file = model.rpartition(":")[0].endswith(".py")  # there --site has said already what the sites are
    among = [] if of_file else sites
    with progress_bars(quiet) as progress:
        found = measure(
            network, interpretation, sites=among, pairs=pairs, n_random=random, seed=seed, progress=progress
        )
        known = _distances(against, network, seed, progress)
    if json_output:
        print_json(found.to_dict() | {"implementations": known})
        return
    _show(found, known)


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


def _model(spec: str, interpretation: Interpretation, sites: list[str]) -> Model:
    """Return the network that a user names: one whose algorithm is known, a module of a file, or a language model."""
    from congruity._base.optional import require
    from congruity.errors import InputError, UnknownNameError

    require("congruity.models.torch_module", "congruity[models]", "evaluate")
    if spec.startswith("zoo:"):
        return _of_zoo(spec)
    if spec.startswith("rasp:"):
        from congruity.known.networks.compiled import compiled_network
        from congruity.known.networks.tracr import compiled

        return compiled_network(compiled(*_names(spec), len(interpretation.model.inputs)), spec)
    if spec.endswith(".json"):
        return _of_causal_model(spec, interpretation)
    if spec.rpartition(":")[0].endswith(".py"):
        return _of_file(spec, sites)
    from congruity.models import load_model

    try:
        return load_model(spec)
    except UnknownNameError as error:
        raise InputError(f"{spec}: a network is {_MODELS} ({error})") from None


def _of_causal_model(spec: str, interpretation: Interpretation) -> Model:
    from congruity.errors import InputError
    from congruity.known.networks.causal import causal_network

    model = _interpretation(spec).model
    if list(model.inputs) != list(interpretation.model.inputs):
        raise InputError(f"{spec}: its inputs are {', '.join(model.inputs)}, not those of the interpretation")
    _same_values(spec, model, interpretation.model)
    return causal_network(model, name=spec, leak=0.0)


def _of_zoo(spec: str) -> Model:
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
                from congruity.known.zoo.model import zoo_network

                return zoo_network(batch.networks.only([index]), spec)
    if not names:
        remedy = f"do: congruity zoo train {preset} --way {way}"
        raise InputError(f"{spec}: no network of {preset}, {way} is trained; {remedy}")
    raise UnknownNameError(f"network of {preset}, {way}", name, names)


def _of_file(spec: str, sites: list[str]) -> Model:
    """Return the module that a Python file names, with the sites given, or the `Model` that it names."""
    from congruity._base.plugins import loaded
    from congruity.errors import InputError
    from congruity.models import TorchModule

    place, _, name = spec.rpartition(":")
    found: Any = getattr(loaded(f"network {spec!r}", place), name, None)
    if callable(found) and (isinstance(found, type) or not hasattr(found, "named_modules")):
        try:
            found = found()
        except Exception as error:  # whatever a function of the user's raises
            raise InputError(f"{spec}: {name}() fails: {type(error).__name__}: {error}") from error
    if hasattr(found, "bind") and hasattr(found, "card"):
        model: Model = found
        return model
    if not hasattr(found, "named_modules") or isinstance(found, type):
        raise InputError(f"{spec}: {name} is no PyTorch module and returns none")
    chosen = dict(map(_heads, sites))
    if not chosen:
        known = ", ".join(name for name, _ in found.named_modules() if name)
        raise InputError(f"{spec}: name the submodules that may be interchanged with --site; there are {known}")
    return TorchModule(found, edits=chosen, reads=list(chosen), name=spec)


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


def _distances(against: str, model: Model, seed: int, progress: Any) -> list[dict[str, Any]] | None:
    """Distances to the implementations that come with the package; None for interpretations that have none."""
    if not against.startswith("rasp:"):
        return None
    from congruity.known.nearest import distances_to_known

    return distances_to_known(model, _names(against)[0], seed=seed, progress=progress)


def _show(found: Evaluation, known: list[dict[str, Any]] | None) -> None:
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
        row("answers, without an interchange", found.accuracy),
        row("interchanges of one variable (IIA)", found.interchange_accuracy),
        row("effective ones, that change the answer", found.effective),
        row("effective ones of sets of variables", found.joint),
    ]
    rows += [row(f"  {name} at {', '.join(found.cells[name])}", share) for name, share in found.by_variable.items()]
    print_rows(rows, False)
    if found.random:
        best = max(found.random)
        print(
            f"\nRandom alignments of the same size, effective interchanges: "
            f"{sum(found.random) / len(found.random):.3f} on average, {best:.3f} at most of {len(found.random)}"
            + (
                "; no p-value, as the best of many locations beats random ones anyway"
                if found.p_random is None
                else f"; p = {found.p_random:.3g}"
            )
        )
    if found.no_effect:
        print(f"No interchange of {', '.join(found.no_effect)} changed an answer: nothing is known of these.")
    if known:
        print(
            "\nDistance of responses to interchanges, to the implementations that come with the package; how often "
            "these are\ncloser than others, and the least and most that an algorithm's own networks reach:"
        )
        print_rows(known, False)
    elif found.interpretation.startswith("rasp:"):
        print("\nNo implementations of this family and of these answers come with the package.")
