"""Every algorithm computes its family's function, as causal model, as RASP program and as a network."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest

from congruity.errors import InputError, MissingExtraError, UnknownNameError
from congruity.known import algorithms
from congruity.known.algorithms import Algorithm, Family
from congruity.known.algorithms.family import inputs
from congruity.theory.interchange import classes, responses

EVERY = [(family, one) for family in algorithms.REGISTRY for one in family.algorithms]
every_algorithm = pytest.mark.parametrize(("family", "algorithm"), EVERY, ids=[f"{f.name}-{a.name}" for f, a in EVERY])


@pytest.mark.parametrize("n", [3, 4, 5, 6])
@every_algorithm
def test_a_causal_model_is_right_on_every_input(family: Family, algorithm: Algorithm, n: int) -> None:
    model, tokens = algorithm.causal(n), family.every(n)
    answers = model.answers(model.solve(inputs(tokens)))
    assert len(tokens) == family.vocabulary(n) ** n
    assert (answers == family.truth(tokens)).all(), "one output stands for all positions"
    assert family.truth(tokens).max() == family.classes(n) - 1 and len(model.inner) >= 3


def test_the_truths_are_what_they_are_called() -> None:
    truth = {family.name: family.truth for family in algorithms.REGISTRY}
    assert truth["permutation"](np.array([[2, 0, 1], [2, 0, 0]]))[:, 0].tolist() == [1, 0]
    assert truth["sorting"](np.array([[2, 0, 1, 0]])).tolist() == [[0, 0, 1, 2]]
    assert truth["mode"](np.array([[2, 2, 1], [2, 0, 1]])).tolist() == [[1, 1, 0], [0, 1, 0]], "of several the smallest"


@pytest.mark.parametrize("family", algorithms.REGISTRY, ids=lambda family: family.name)
def test_all_algorithms_of_a_family_are_told_apart_by_interchange(family: Family) -> None:
    """Labels are equivalence classes: on all pairs of inputs, no two programs here are one algorithm."""
    tokens = family.every(4)
    base, source = (grid.ravel() for grid in np.meshgrid(*[np.arange(len(tokens))] * 2))
    found = [responses(a.causal(4), inputs(tokens[base]), inputs(tokens[source])) for a in family.algorithms]
    labels, table = classes(found)
    assert labels == list(range(len(family.algorithms)))
    assert (table[~np.eye(len(table), dtype=bool)] > 0.25).all()


@pytest.mark.parametrize("family", algorithms.REGISTRY, ids=lambda family: family.name)
def test_they_are_told_apart_at_the_length_of_their_networks(family: Family) -> None:
    """On 3,000 random pairs of inputs of the length at which the benchmark compiles and trains."""
    tokens, random = family.every(family.length), np.random.default_rng(0)
    base, source = (inputs(tokens[random.integers(len(tokens), size=3000)]) for _ in range(2))
    found = [responses(one.causal(family.length), base, source) for one in family.algorithms]
    labels, _ = classes(found)
    assert len(set(labels)) == len(family.algorithms)


def test_unknown_names_and_lengths() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'permutation'"):
        algorithms.by_name("permutations")


# ------------------------------------------------------------------------------------------------- as RASP programs


@every_algorithm
def test_a_program_is_right_on_every_input(family: Family, algorithm: Algorithm) -> None:
    pytest.importorskip("tracr", reason="congruity[rasp]")
    program, tokens = algorithm.program(4), family.every(4)
    assert [list(program(row.tolist())) for row in tokens] == family.truth(tokens).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 6])
@every_algorithm
def test_longer_programs_are_right_on_every_input(family: Family, algorithm: Algorithm, n: int) -> None:
    """The interpreter on a sample, the compiled network on all inputs."""
    torch = pytest.importorskip("torch")
    program, tokens, network = algorithm.program(n), family.every(n), compiled(family, algorithm, n)
    truth = family.truth(tokens)
    for row in np.random.default_rng(n).choice(len(tokens), 200, replace=False):
        assert list(program(tokens[row].tolist())) == truth[row].tolist()
    with torch.inference_mode():
        for rows in np.array_split(np.arange(len(tokens)), max(1, len(tokens) // 2000)):
            assert (network(torch.tensor(tokens[rows])).argmax(-1).numpy() == truth[rows]).all()


def test_without_tracr_the_error_is_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from congruity.known.networks import tracr

    real = importlib.import_module

    def missing(module: str) -> Any:
        if module.startswith("tracr"):
            raise ModuleNotFoundError(module, name="tracr")
        return real(module)

    monkeypatch.setattr(importlib, "import_module", missing)
    for module in [name for name in sys.modules if name.endswith("_rasp")]:
        monkeypatch.delitem(sys.modules, module)  # they import Tracr when they are imported
    tracr.assembled.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'congruity\[rasp\]'"):
        tracr.compiled("mode", "duels", 4)


# ------------------------------------------------------------------------------------------------------ as networks


@cache
def _weights(family: str, algorithm: str, n: int) -> Any:
    pytest.importorskip("tracr", reason="congruity[rasp]")
    from congruity.known.networks import tracr

    return tracr.compiled(family, algorithm, n)


def compiled(family: Family, algorithm: Algorithm, n: int) -> Any:
    from congruity.known.networks.compiled import Compiled

    return Compiled(_weights(family.name, algorithm.name, n))


@every_algorithm
def test_a_compiled_network_is_right_on_every_input_and_disguises_are_exact(
    family: Family, algorithm: Algorithm
) -> None:
    torch = pytest.importorskip("torch")
    from congruity.known.networks.compiled import Compiled, disguised

    network, tokens = compiled(family, algorithm, 4), family.every(4)
    weights = _weights(family.name, algorithm.name, 4)
    with torch.inference_mode():
        answers = network(torch.tensor(tokens))
        assert (answers.argmax(-1).numpy() == family.truth(tokens)).all()
        for scale in (0.0, 10.0):
            other = Compiled(disguised(weights, seed=3, scale=scale, blocks=2))
            assert len(other.blocks) == len(network.blocks) + 2
            assert other(torch.tensor(tokens)).numpy() == pytest.approx(answers.numpy(), abs=1e-8)


@every_algorithm
def test_every_residual_is_tracrs(family: Family, algorithm: Algorithm) -> None:
    torch = pytest.importorskip("torch")
    network = compiled(family, algorithm, 4)
    from congruity.known.networks import tracr

    _, made = tracr.assembled(family.name, algorithm.name, 4)
    tokens = family.every(4)[[0, -1, 27 % len(family.every(4))]]
    seen: list[Any] = []
    for block in network.blocks:
        block.register_forward_hook(lambda _, inputs, output: seen.append(output))
    with torch.inference_mode():
        network(torch.tensor(tokens))
    for i, row in enumerate(tokens):
        theirs = made.apply(["bos", *row.tolist()])
        assert theirs.decoded[1:] == family.truth(tokens)[i].tolist()
        for ours, residual in zip(seen, theirs.residuals[1::2], strict=True):
            assert ours[i].numpy() == pytest.approx(np.asarray(residual[0]), abs=1e-5)


def test_a_disguise_is_another_network_of_the_asked_size() -> None:
    pytest.importorskip("torch")
    from congruity.known.networks.compiled import disguised

    weights = _weights("sorting", "counting", 4)
    one, two = (disguised(weights, seed=seed, scale=1.0, extra=5, heads=2, neurons=3) for seed in (0, 1))
    assert one.width == weights.width + 5 and len(one.layers[0].query) == len(weights.layers[0].query) + 2
    assert one.layers[0].before.shape[1] == weights.layers[0].before.shape[1] + 3
    assert not np.allclose(one.tokens, two.tokens), "another seed, another rotation"
    silent = [disguised(weights, seed=s, scale=0.0, extra=0, heads=0, neurons=0) for s in range(3)]
    norms = [np.linalg.norm(w.layers[0].after[:-1], axis=1).round(9) for w in (weights, *silent)]
    assert all(sorted(n) == sorted(norms[0]) for n in norms) and any((n != norms[0]).any() for n in norms[1:])
    again = disguised(weights, seed=0, scale=1.0, extra=5, heads=2, neurons=3)
    assert (again.tokens == one.tokens).all() and (again.layers[1].after == one.layers[1].after).all()
    with pytest.raises(InputError, match="pass finite numbers from 0"):
        disguised(weights, seed=0, scale=float("nan"))


def test_what_cannot_be_compiled() -> None:
    pytest.importorskip("tracr", reason="congruity[rasp]")
    from congruity.known.networks import tracr

    with pytest.raises(UnknownNameError, match="did you mean 'parity'"):
        tracr.compiled("permutation", "pairity", 4)
    with pytest.raises(InputError, match="n = 2 tokens"):
        tracr.compiled("permutation", "parity", 2)
