"""The networks of the positive control: what a window forbids, equal bytes from equal seeds, and the cache."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks are PyTorch modules")

from congruity.errors import InputError, StoreError  # noqa: E402
from congruity.known.networks import matched_behaviour as tw  # noqa: E402
from congruity.models.group import Batch  # noqa: E402
from congruity.models.load import load_model  # noqa: E402
from congruity.tasks.indirect_object import TEMPLATES  # noqa: E402

STEPS = 2
PROMPTS = tw.task(n=2 * len(TEMPLATES), seed=7).examples()  # every template, in both orders


@pytest.fixture(scope="module")
def modules() -> dict[str, Any]:
    return {kind: tw.train(kind, 0, steps=STEPS) for kind in tw.KINDS}


def ids(text: str) -> Any:
    return torch.tensor([tw.tokenizer()(text)["input_ids"]])


def name_positions(tokens: Any) -> list[int]:
    names = {tw.VOCABULARY[name] for name in tw.NAMES}
    return [position for position, token in enumerate(tokens[0].tolist()) if token in names]


def last_logits(module: Any, tokens: Any) -> Any:
    with torch.no_grad():
        return module(input_ids=tokens).logits[0, -1]


# ------------------------------------------------------------------------------------------------------- the two kinds


def test_only_the_window_differs(modules: dict[str, Any]) -> None:
    direct, relay = (modules[kind].config.to_dict() for kind in tw.KINDS)
    assert {key for key in direct if direct[key] != relay.get(key)} <= {"sliding_window", "_name_or_path"}
    assert direct["sliding_window"] is None and relay["sliding_window"] == tw.window() == 4
    shapes = [{name: p.shape for name, p in modules[kind].named_parameters()} for kind in tw.KINDS]
    assert shapes[0] == shapes[1]
    # One seed ties nothing together across kinds.
    assert not torch.equal(*(tw.untrained(kind, 0).model.embed_tokens.weight for kind in tw.KINDS))


@pytest.mark.parametrize("kind", tw.KINDS)
def test_the_last_token_sees_the_names_in_one_kind_only(modules: dict[str, Any], kind: str) -> None:
    modules[kind].set_attn_implementation("eager")
    for text in PROMPTS.clean:
        tokens = ids(text)
        names = name_positions(tokens)
        assert len(names) == 3
        with torch.no_grad():
            weights = modules[kind](input_ids=tokens, output_attentions=True).attentions
        to_names = torch.stack([layer[0, :, -1, names] for layer in weights])
        assert len(weights) == tw.DEFAULT.layers
        assert bool((to_names == 0).all()) if kind == "relay" else bool((to_names > 0).all())
    modules[kind].set_attn_implementation("sdpa")


def test_denying_the_names_to_the_last_token_changes_direct_networks_only(modules: dict[str, Any]) -> None:
    for kind, module in modules.items():
        with torch.no_grad():
            free, blocked = (tw._logits(module, PROMPTS.clean, blocked=b) for b in (False, True))
        change = (free - blocked).abs().amax(dim=1)
        assert bool((change < 1e-5).all()) if kind == "relay" else bool((change > 1e-4).all())


def test_the_window_is_the_smallest_through_which_every_name_is_relayed() -> None:
    relay = tw.untrained("relay", 1)
    narrow = tw.untrained("relay", 1)
    narrow.config.sliding_window = tw.window() - 1
    reached = []
    for text in PROMPTS.clean:
        tokens = ids(text)
        other = tokens.clone()
        other[0, name_positions(tokens)[0]] = tw.VOCABULARY["[UNK]"]
        assert not torch.equal(last_logits(relay, tokens), last_logits(relay, other)), text
        reached.append(not torch.equal(last_logits(narrow, tokens), last_logits(narrow, other)))
    assert not all(reached)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="use 'direct' or 'relay'"):
        tw.untrained("straight", 0)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------ words and task


def test_prompts_are_made_of_the_tokenizers_words_and_read_alike_by_both_paths() -> None:
    words = tw.tokenizer()
    for text in (*PROMPTS.clean, *PROMPTS.counterfactual, *PROMPTS.answers, *PROMPTS.foils):
        found = words(text)["input_ids"]
        assert found == tw._ids(text) and words.unk_token_id not in found


def test_held_out_prompts_share_no_combination_with_training_ones() -> None:
    def combinations(examples: Any) -> set[frozenset[str]]:
        content = {*tw.NAMES, *tw.PLACES, *tw.THINGS}
        return {frozenset(content & set(tw._words(text))) for text in examples.clean}

    rng = np.random.default_rng(0)
    seen = combinations(tw._examples(rng, 640, held_out=False))
    held = combinations(tw.task(n=640, seed=1).examples())
    assert not seen & held
    assert {word for one in held for word in one} == {word for one in seen for word in one}
    assert tw.task(n=8, seed=3).examples().digest == tw.task(n=8, seed=3).examples().digest
    assert tw.task(n=8, seed=3).examples().digest != tw.task(n=8, seed=4).examples().digest


def test_targets_are_distributions_with_the_indirect_object_first() -> None:
    target = tw._targets(PROMPTS, tw.DEFAULT)
    torch.testing.assert_close(target.sum(-1), torch.ones(len(PROMPTS)))
    assert target.argmax(-1).tolist() == [tw._ids(answer)[0] for answer in PROMPTS.answers]


# ---------------------------------------------------------------------------------------------------- training, cache


def test_equal_seeds_give_equal_bytes_whatever_the_callers_random_state(tmp_path: Path) -> None:
    files = []
    for part, threads in (("a", 1), ("b", 2)):
        torch.manual_seed(threads)
        before, own = torch.get_num_threads(), torch.get_rng_state()
        torch.set_num_threads(threads)
        tw.matched_networks(1, steps=STEPS, folder=tmp_path / part)
        assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), own)
        torch.set_num_threads(before)
        files.append({path.name: path.read_bytes() for path in (tmp_path / part).iterdir()})
    assert files[0] == files[1] and len(files[0]) == 2
    first, second = (tw.untrained("relay", seed).lm_head.weight for seed in (0, 1))
    assert not torch.equal(first, second)


def test_training_stops_when_the_target_is_near_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tw, "TrainingSettings", functools.partial(tw.TrainingSettings, enough=1e9, batch=4))
    told: list[tuple[str, int, int]] = []
    tw.train("direct", 0, steps=30, progress=lambda *what: told.append(what))
    assert [done for _, done, _ in told] == [*range(20), 30]  # as soon as a mean of twenty can be taken


def test_trained_networks_come_from_the_cache_and_other_steps_are_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONGRUITY_CACHE", str(tmp_path))
    told: list[tuple[str, int, int]] = []
    first = tw.matched_networks(1, steps=STEPS, progress=lambda *what: told.append(what))
    assert told[-1] == ("train relay-0", STEPS, STEPS)
    told.clear()
    again = tw.matched_networks(1, steps=STEPS, progress=lambda *what: told.append(what))
    assert not told and [network.name for network in again] == ["direct-0", "relay-0"]
    for a, b in zip(first, again, strict=True):
        assert (a.accuracy, a.loss) == (b.accuracy, b.loss)
        assert all(torch.equal(v, b.module.state_dict()[k]) for k, v in a.module.state_dict().items())
    tw.matched_networks(1, steps=1)
    files = sorted((tmp_path / "twins").iterdir())
    assert len(files) == 4
    for path in files:
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(StoreError, match="delete it, and it is trained again"):
        tw.matched_networks(1, steps=STEPS)


def test_divergences_are_zero_on_the_diagonal_and_the_loss_is_finite(modules: dict[str, Any]) -> None:
    networks = [tw.MatchedNetwork(kind, 0, modules[kind], *tw._score(modules[kind])) for kind in tw.KINDS]
    table = tw.divergences(networks)
    assert table.shape == (2, 2) and (np.diag(table) == 0).all() and table[0, 1] > 0 < table[1, 0]
    assert all(0 < network.loss < 10 and 0 <= network.accuracy <= 1 for network in networks)
    assert tw._accuracy(tw._log_probabilities(modules["relay"], blocked=True)) == networks[1].accuracy


@pytest.mark.parametrize("kind", tw.KINDS)
def test_the_adapter_takes_them(kind: tw.Kind) -> None:
    module = tw.untrained(kind, 0)
    with torch.no_grad():
        plain = tw._logits(module, PROMPTS.clean[:2])
    model = load_model(module, tokenizer=tw.tokenizer(), device="cpu")
    assert model.card.name == f"{kind}-0" and model.probe_error() < 1e-5
    assert all(model.single_token(answer) for answer in PROMPTS.answers)
    with torch.no_grad():
        wrapped = torch.stack([model.logits(Batch(ids(text)))[0] for text in PROMPTS.clean[:2]])
    torch.testing.assert_close(wrapped, plain, atol=1e-5, rtol=1e-4)
