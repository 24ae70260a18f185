"""Interchange interventions through the public door: `Model.bind`, then `BoundModel.run` with answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import tiny
from congruity.errors import InputError, ModelError, TaskError
from congruity.interventions import Resample
from congruity.models import TorchModule
from congruity.values import Edit, Examples, Interchange, Location


def pairs(n: int = 40, seed: int = 0) -> Examples:
    """Base and source inputs of `tiny.net`, some of them equal."""
    rng = np.random.default_rng(seed)
    base, source = rng.integers(0, tiny.CLASSES, size=(2, n, tiny.POSITIONS))
    source[:3] = base[:3]
    nothing = np.zeros(n, dtype=int)
    return Examples("pairs", base, source, nothing, nothing, tuple(f"p{i}" for i in range(n)))


def answers(bound: Any, *edits: Any, **options: Any) -> list[Any]:
    return [out.answers for out in bound.run(edits, answers=True, **options)]


def test_answers_are_class_probabilities_of_every_output_and_the_metric_is_left_out() -> None:
    model = tiny.module_model()
    bound = model.bind(pairs(), Resample())
    (out,) = bound.run([None], answers=True)
    assert out.answers.shape == (40, tiny.POSITIONS, tiny.CLASSES)
    np.testing.assert_allclose(out.answers.sum(axis=2), 1, atol=1e-12)
    expected = model._module(torch.as_tensor(np.array(pairs().clean))).double().softmax(-1).numpy()
    np.testing.assert_allclose(out.answers, expected, atol=1e-6)
    assert out.logit_difference.shape == out.kl.shape == (0,)
    (plain,) = bound.run([None])
    assert plain.answers is None and plain.kl.shape == (40,)


def test_a_source_run_that_equals_the_base_changes_nothing() -> None:
    model = tiny.module_model(tiny.net(strength=1.0))
    bound = model.bind(pairs(), Resample())
    plain, edited = answers(bound, None, Edit(model.sites, "resample"))
    assert np.array_equal(plain[:3], edited[:3]) and np.abs(plain[3:] - edited[3:]).max() > 0.1


def test_an_interchange_of_all_locations_is_the_edit_of_the_whole_site_and_of_none_is_no_edit() -> None:
    model = tiny.module_model(tiny.net(strength=1.0))
    bound = model.bind(pairs(), Resample())
    n, some = 40, [location for location in bound.locations if location.site in model.sites[2:5]]
    assert len(some) == 3 * tiny.POSITIONS and str(some[0]) == "blocks.0[1]@0"
    every = Interchange(tuple(some), np.ones((n, len(some)), dtype=bool))
    whole = Interchange(tuple(Location(site) for site in model.sites[2:5]), np.ones((n, 3), dtype=bool))
    none = Interchange(tuple(some), np.zeros((n, len(some)), dtype=bool))
    edit, one, two, nothing, plain = answers(bound, Edit(model.sites[2:5], "resample"), every, whole, none, None)
    assert np.array_equal(edit, one) and np.array_equal(edit, two) and np.array_equal(nothing, plain)


def test_rows_and_positions_are_interchanged_each_on_its_own() -> None:
    """The oracle writes the rows' activations by hand."""
    net = tiny.net(strength=1.0)
    model, examples = tiny.module_model(net), pairs()
    bound = model.bind(examples, Resample())
    rng = np.random.default_rng(1)
    where = rng.random((40, len(bound.locations))) < 0.3
    (found,) = answers(bound, Interchange(bound.locations, where))
    heads = {"embed": 1} | {f"blocks.{i}": 2 for i in range(tiny.BLOCKS)}
    modules, seen, handles = dict(net.named_modules()), {}, []
    for path in heads:
        handles.append(modules[path].register_forward_hook(lambda m, i, o, path=path: seen.update({path: o})))
    with torch.no_grad():
        net(torch.as_tensor(np.array(examples.counterfactual)))
    for handle in handles:
        handle.remove()
    source, handles = dict(seen), []

    def write(path: str, output: Any) -> Any:
        output, width = output.clone(), output.shape[2] // heads[path]
        for column, location in enumerate(bound.locations):
            if location.site.hook == path:
                part = slice((location.site.index or 0) * width, ((location.site.index or 0) + 1) * width)
                for row in np.flatnonzero(where[:, column]):
                    output[row, location.position, part] = source[path][row, location.position, part]
        return output

    for path in heads:
        handles.append(modules[path].register_forward_hook(lambda m, i, o, path=path: write(path, o)))
    with torch.no_grad():
        expected = net(torch.as_tensor(np.array(examples.clean))).double().softmax(-1).numpy()
    for handle in handles:
        handle.remove()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    rows = np.array([7, 3, 20])
    (some,) = answers(bound, Interchange(bound.locations, where), rows=rows)
    np.testing.assert_allclose(some, found[rows], atol=1e-6)


def test_sites_without_positions_are_locations_as_they_are() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    model = TorchModule(net, edits={"0": 2, "1": 1}, reads=["1"], name="flat")
    inputs = np.random.default_rng(0).normal(size=(2, 5, 3))
    bound = model.bind(Examples("x", *inputs, np.zeros(5, int), np.ones(5, int), tuple("abcde")), Resample())
    assert [str(location) for location in bound.locations] == ["0[0]", "0[1]", "1"]
    whole, source = (
        answers(bound, Edit(model.sites[2:], "resample"))[0],
        model.bind(Examples("x", *inputs[::-1], np.zeros(5, int), np.ones(5, int), tuple("abcde")), Resample()),
    )
    np.testing.assert_allclose(whole, answers(source, None)[0], atol=1e-12)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "neox"])
@pytest.mark.parametrize("pad", [False, True])
def test_a_language_model_interchanges_at_token_positions(architecture: str, pad: bool) -> None:
    _, model = tiny.pair(architecture)
    examples = tiny.Words(n=12).examples()
    bound = model.bind(examples, Resample(), pad=pad)
    sites = [site for site in model.sites if site.layer == 0]
    lengths = [len(model.tokens(str(text))) for text in examples.clean]
    ends = tuple(Location(site, -1) for site in sites)
    assert set(ends) <= set(bound.locations) or (len(set(lengths)) == 1 and not pad)
    every = tuple(Location(site, position) for site in sites for position in range(-min(lengths), 0))
    at = np.array([[location.position >= -length for location in every] for length in lengths])
    edit, by_position, last = answers(
        bound, Edit(tuple(sites), "resample"), Interchange(every, at), Interchange(ends, np.ones((12, len(ends)), bool))
    )
    assert edit.shape == (12, 1, len(tiny.VOCABULARY))
    np.testing.assert_allclose(edit.sum(axis=2), 1, atol=1e-9)
    assert np.abs(last - edit).max() > 1e-4
    short = np.array(lengths) == min(lengths)
    np.testing.assert_allclose(by_position[short], edit[short], atol=1e-6)


def test_positions_from_the_front_are_those_from_the_end_whatever_the_padding() -> None:
    _, model = tiny.pair("llama")
    examples = tiny.Words(n=12).examples()
    lengths = np.array([len(model.tokens(str(text))) for text in examples.clean])
    mlp = next(site for site in model.sites if site.kind == "mlp")
    found = []
    for pad in (False, True):
        bound = model.bind(examples, Resample(), pad=pad)
        for front in (True, False):
            where = lengths[:, None] == np.unique(lengths)[None]
            places = [Location(mlp, int(n) - 2 if front else -2) for n in np.unique(lengths)]
            outs = [
                answers(bound, Interchange((place,), where[:, i : i + 1]), rows=np.flatnonzero(where[:, i]))[0]
                for i, place in enumerate(places)
            ]
            found.append(np.concatenate(outs))
    for other in found[1:]:
        np.testing.assert_allclose(found[0], other, atol=1e-5)


def test_answers_among_words_are_their_share_of_all_words() -> None:
    _, model = tiny.pair("llama")
    bound = model.bind(tiny.Words(n=8).examples(), Resample())
    words = [f" {word}" for word in tiny.USED[:3]]
    (every,), (some,) = (list(bound.run([None], answers=asked)) for asked in (True, words))
    chosen = every.answers[:, :, [tiny.VOCABULARY[word.strip()] for word in words]]
    assert some.answers.shape == (8, 1, 3)
    np.testing.assert_allclose(some.answers, chosen / chosen.sum(axis=2, keepdims=True), atol=1e-5)
    with pytest.raises(TaskError, match="' qqq' is not one token"):
        next(bound.run([None], answers=[" qqq"]))
    with pytest.raises(TaskError, match="has classes, and no words such as ' a'"):
        next(tiny.module_model().bind(pairs(), Resample()).run([None], answers=[" a"]))


def test_interchanges_that_do_not_fit_are_refused() -> None:
    model = tiny.module_model()
    bound = model.bind(pairs(), Resample())
    with pytest.raises(InputError, match=r"where has shape \(40, 2\); expected \(rows, 1\)"):
        Interchange(bound.locations[:1], np.ones((40, 2), dtype=bool))
    with pytest.raises(ModelError, match="interchange of 3 rows for 40 examples"):
        answers(bound, Interchange(bound.locations[:1], np.ones((3, 1), dtype=bool)))
    with pytest.raises(ModelError, match="embed@3: there are 3 positions, counted from 0"):
        answers(bound, Interchange((Location(model.sites[0], 3),), np.ones((40, 1), dtype=bool)))
    other = TorchModule(tiny.net(), edits={"unembed": 1}, reads=["unembed"], name="other")
    with pytest.raises(ModelError, match="no site unembed"):
        answers(bound, Interchange((Location(other.sites[0]),), np.ones((40, 1), dtype=bool)))
