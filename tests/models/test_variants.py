"""Changed copies of models: what each keeps and what it changes, against plain Hugging Face and NumPy."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the light layer runs without PyTorch")
tiny = pytest.importorskip("tiny", reason="needs transformers, of the models extra")

from congruity.errors import InputError, ModelError  # noqa: E402
from congruity.interventions import Resample  # noqa: E402
from congruity.models import load_model, reparametrise, variants  # noqa: E402

every_architecture = pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
ROTATABLE = ("llama", "mistral", "qwen2", "gemma")
TOKENS = torch.randint(len(tiny.VOCABULARY), (3, 11), generator=torch.Generator().manual_seed(5))


def model(architecture: str, **changes: Any) -> Any:
    """A tiny model in double precision; its biases and gains, which start at 0 and 1, are made to matter."""
    module = tiny.language_model(architecture, seed=3, **changes)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return module.double()


def changed(module: Any, text: str) -> Any:
    other = copy.deepcopy(module)
    variants.parse(text)(other)
    return other


def blocks(module: Any) -> Any:
    body = next(getattr(module, n) for n in ("model", "transformer", "gpt_neox") if hasattr(module, n))
    return body.h if hasattr(body, "h") else body.layers


def first(parent: Any, *names: str) -> Any:
    return next(getattr(parent, name) for name in names if hasattr(parent, name))


def attention(block: Any) -> Any:
    return first(block, "self_attn", "attn", "attention")


def writers(block: Any) -> tuple[Any, Any]:
    """The matrices that write to the residual stream: of the heads, of the neurons."""
    return (
        first(attention(block), "o_proj", "c_proj", "dense"),
        first(block.mlp, "down_proj", "c_proj", "dense_4h_to_h"),
    )


def forward(module: Any) -> dict[str, Any]:
    """Logits, and for every layer its output (resid0), its heads (heads0) and its neurons (neurons0), as matrices."""
    seen: dict[str, Any] = {}

    def keep(name: str, value: Any) -> None:
        value = value[0] if isinstance(value, tuple) else value
        seen[name] = value.detach().flatten(0, -2)

    handles = []
    for i, block in enumerate(blocks(module)):
        handles.append(block.register_forward_hook(lambda m, x, y, i=i: keep(f"resid{i}", y)))
        for name, writer in zip(("heads", "neurons"), writers(block), strict=True):
            handles.append(writer.register_forward_pre_hook(lambda m, x, n=f"{name}{i}": keep(n, x)))
    with torch.no_grad():
        keep("logits", module(input_ids=TOKENS).logits)
    for handle in handles:
        handle.remove()
    return seen


def gap(ours: Any, plain: Any) -> float:
    assert ours.shape == plain.shape
    return float(((ours - plain).norm() / plain.norm()).detach())


def gram(hidden: Any) -> Any:
    return hidden @ hidden.T


def order(ours: Any, plain: Any, width: int) -> list[int]:
    """Which block of ``width`` columns of ``plain`` each block of ``ours`` is; every one must be there once."""
    blocks_of = [x.unflatten(1, (-1, width)).transpose(0, 1).flatten(1) for x in (ours, plain)]
    distance = torch.cdist(*blocks_of)
    found = distance.argmin(dim=1)
    assert float(distance.min(dim=1).values.max()) < 1e-4
    assert sorted(found.tolist()) == list(range(len(found)))
    return [int(i) for i in found]


# ---------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("text", ["rtn=4", "rtn=8", "drop=1", "drop=12", "permute", "permute:3", "rotate", "rotate:2"])
def test_variants_are_read_and_written(text: str) -> None:
    assert str(variants.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rtn", r"needs a whole number from 2 to 8, as in rtn=4; got 'rtn'"),
        ("rtn=1", "from 2 to 8"),
        ("rtn=9", "from 2 to 8"),
        ("rtn=4.5", "from 2 to 8"),
        ("rtn=nan", "from 2 to 8"),
        ("rtn=4:1", "draws nothing and takes no seed"),
        ("drop=0", "needs a whole number from 1 up, as in drop=1"),
        ("drop=-1", "from 1 up"),
        ("drop=inf", "from 1 up"),
        ("drop=0.5", "from 1 up"),
        ("drop=1:1", "takes no seed"),
        ("permute=2", "takes no amount"),
        ("rotate=0.1", "takes no amount"),
    ],
)
def test_each_variant_states_its_own_range(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        variants.parse(text)


# ----------------------------------------------------------------------------------------------- round to nearest


def rounded(weight: Any, bits: int) -> Any:
    """One output's weights at a time, in NumPy."""
    expected = np.array(weight)
    top = 2 ** (bits - 1) - 1
    for row in expected:
        for start in range(0, len(row), 32):
            scale = np.abs(row[start : start + 32]).max() / top
            row[start : start + 32] = np.rint(row[start : start + 32] / scale) * scale
    return expected


@every_architecture
def test_rtn_rounds_matrices_in_groups_of_inputs_and_nothing_else(architecture: str) -> None:
    module = model(architecture)
    coarse = changed(module, "rtn=3")
    after, plain = dict(coarse.named_parameters()), dict(module.named_parameters())
    body = ("_proj", "c_attn", "c_fc", "query_key_value", "dense", "lm_head")
    count = 0
    for name, value in plain.items():
        ours, weight = after[name].detach().numpy(), value.detach().numpy()
        tied = name.startswith("lm_head") and module.config.tie_word_embeddings
        if tied or weight.ndim == 1 or not any(part in name for part in body):
            assert np.array_equal(ours, weight), name
            continue
        count += 1
        if architecture == "gpt2":  # Conv1D stores (inputs, outputs)
            ours, weight = ours.T, weight.T
        np.testing.assert_allclose(ours, rounded(weight, 3), rtol=1e-12, atol=1e-15)
        assert not np.allclose(ours, weight, atol=1e-3)
        assert len(np.unique(np.round(np.abs(ours[0, :32]), 9))) <= 4  # 0, 1, 2 or 3 scales
    assert count >= 2 * 4
    embeddings = [m.get_input_embeddings().weight for m in (module, coarse)]
    assert torch.equal(*embeddings)


def test_rtn_has_shorter_last_groups_and_bears_zeros_and_half_precision() -> None:
    module = model("llama")
    width = module.model.layers[0].mlp.down_proj.weight.shape[1]
    assert width % 32, "no group would be shorter"
    with torch.no_grad():
        module.model.layers[0].mlp.down_proj.weight[3] = 0.0
        module.model.layers[0].mlp.up_proj.weight[:, 1] *= 100.0
    assert not changed(module, "rtn=4").model.layers[0].mlp.down_proj.weight[3].any()
    half = changed(module.to(torch.bfloat16), "rtn=4").model.layers[1].mlp.up_proj.weight
    assert half.dtype == torch.bfloat16 and torch.isfinite(half).all()


@every_architecture
def test_rtn_errs_less_with_more_bits_and_is_done_once(architecture: str) -> None:
    module = model(architecture)
    logits = forward(module)["logits"]
    errors = [gap(forward(changed(module, f"rtn={bits}"))["logits"], logits) for bits in (2, 4, 8)]
    assert 0 < errors[2] < 0.05 < errors[0] and errors[2] < errors[1] < errors[0]
    once = changed(module, "rtn=4")
    again = changed(once, "rtn=4")
    assert gap(forward(again)["logits"], forward(once)["logits"]) < 1e-6


# ------------------------------------------------------------------------------------------------- layers dropped


@every_architecture
@pytest.mark.parametrize("dropped", [1, 2])
def test_drop_reads_the_logits_off_an_earlier_layer(architecture: str, dropped: int) -> None:
    kinds = {
        "gemma3": {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
        "qwen2": {"layer_types": ["full_attention"] * 3},
    }
    module = model(architecture, num_hidden_layers=3, **kinds.get(architecture, {}))
    short = changed(module, f"drop={dropped}")
    body = module.get_decoder()
    norm = first(body, "norm", "ln_f", "final_layer_norm")
    with torch.no_grad():
        hidden = forward(module)[f"resid{2 - dropped}"]
        expected = module.get_output_embeddings()(norm(hidden))
    assert gap(forward(short)["logits"], expected) < 1e-6
    assert gap(forward(module)["logits"], expected) > 1e-2
    assert short.config.num_hidden_layers == len(blocks(short)) == 3 - dropped
    if getattr(short.config, "layer_types", None):
        assert short.config.layer_types == module.config.layer_types[: 3 - dropped]
    with torch.no_grad():  # in two steps, the second with the cache of the first
        start = short(input_ids=TOKENS[:, :6], use_cache=True)
        rest = short(input_ids=TOKENS[:, 6:], past_key_values=start.past_key_values, use_cache=True).logits
    assert gap(rest, forward(short)["logits"].unflatten(0, TOKENS.shape)[:, 6:]) < 1e-5


def test_drop_leaves_at_least_one_layer() -> None:
    module = model("gpt2")
    with pytest.raises(InputError, match=r"drop=2 would leave nothing of the 2 layers of GPT2LMHeadModel; at most 1"):
        variants.parse("drop=2")(module)
    assert len(blocks(module)) == module.config.num_hidden_layers == 2


# --------------------------------------------------------------------------------------------------- permutations


@every_architecture
def test_permute_changes_weights_and_neither_logits_nor_residual_stream(architecture: str) -> None:
    module = model(architecture)
    plain, other = forward(module), changed(module, "permute:1")
    ours = forward(other)
    assert gap(ours["logits"], plain["logits"]) < 1e-6
    moved = []
    for layer in range(2):
        assert gap(gram(ours[f"resid{layer}"]), gram(plain[f"resid{layer}"])) < 1e-5
        before, after = (writers(blocks(m)[layer]) for m in (module, other))
        moved.append([gap(a.weight, b.weight) > 0.5 for a, b in zip(after, before, strict=True)])
    assert all(map(any, zip(*moved, strict=True))), "heads may by chance stay in one layer"


@every_architecture
def test_permute_moves_neurons_and_whole_heads_within_their_groups(architecture: str) -> None:
    module = model(architecture)
    plain, ours = forward(module), forward(changed(module, "permute:1"))
    queries_per_key = {"llama": 2, "qwen2": 2, "gemma3": 2, "gemma": 4}.get(architecture, 1)
    orders = []
    for layer in range(2):
        heads = order(ours[f"heads{layer}"], plain[f"heads{layer}"], 8)
        groups = [head // queries_per_key for head in heads]
        assert all(len(set(groups[i : i + queries_per_key])) == 1 for i in range(0, 4, queries_per_key))
        neurons = order(ours[f"neurons{layer}"], plain[f"neurons{layer}"], 1)
        assert neurons != list(range(len(neurons)))
        orders.append((heads, neurons))
    assert orders[0][1] != orders[1][1], "every layer has its own"
    assert any(heads != [0, 1, 2, 3] for heads, _ in orders), "by chance they may stay in one layer"


def test_both_groups_and_the_heads_within_them_are_permuted() -> None:
    module = model("llama")
    plain = forward(module)["heads0"]
    found = {tuple(order(forward(changed(module, f"permute:{s}"))["heads0"], plain, 8)) for s in range(30)}
    assert found == {(*a, *b) for a, b in _grouped()}


def _grouped() -> list[tuple[tuple[int, int], tuple[int, int]]]:
    low, high = ((0, 1), (1, 0)), ((2, 3), (3, 2))
    return [pair for a in low for b in high for pair in ((a, b), (b, a))]


@pytest.mark.parametrize("kind", ["permute", "rotate"])
def test_a_seed_names_one_copy(kind: str) -> None:
    module = model("llama")
    weights = [changed(module, t).model.layers[1].mlp.up_proj.weight for t in (kind, f"{kind}:0", f"{kind}:4")]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[1], weights[2])


@every_architecture
def test_a_permutation_that_forgets_the_writers_changes_logits_and_is_caught(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, real = model(architecture), reparametrise._reorder

    def forgetful(matrix: Any, order: Any, outputs: bool) -> None:
        if outputs:
            real(matrix, order, outputs)

    monkeypatch.setattr(reparametrise, "_reorder", forgetful)
    other = copy.deepcopy(module)
    with pytest.raises(ModelError, match=r"permute should change no logit, but it changed them by"):
        reparametrise.permute(other, 1)
    assert gap(forward(other)["logits"], forward(module)["logits"]) > 0.05


def test_heads_that_are_permuted_across_groups_change_logits() -> None:
    module = model("llama")
    plain, part = forward(module)["logits"], attention(blocks(module)[0])
    with torch.no_grad():
        heads = torch.arange(32).unflatten(0, (4, 8))[[0, 2, 1, 3]].flatten()
        part.q_proj.weight.copy_(part.q_proj.weight[heads])
        part.o_proj.weight.copy_(part.o_proj.weight[:, heads])
    assert gap(forward(module)["logits"], plain) > 1e-2


# ------------------------------------------------------------------------------------------------------- rotations


@pytest.mark.parametrize("architecture", ROTATABLE)
@pytest.mark.parametrize("tied", [False, True])
def test_rotate_changes_the_basis_of_the_stream_and_no_logit(architecture: str, tied: bool) -> None:
    module = model(architecture, tie_word_embeddings=tied)
    plain, other = forward(module), changed(module, "rotate:1")
    ours = forward(other)
    assert gap(ours["logits"], plain["logits"]) < 1e-5
    residuals = [(ours[f"resid{layer}"], plain[f"resid{layer}"]) for layer in range(2)]
    for after, before in residuals:
        assert gap(gram(after), gram(before)) < 1e-4
        assert gap(after, before) > 0.5
    embedded = [m.get_input_embeddings().weight.detach() for m in (other, module)]
    rotation = torch.linalg.lstsq(embedded[1], embedded[0]).solution
    assert torch.allclose(rotation @ rotation.T, torch.eye(32).double(), atol=1e-5)
    assert all(gap(before @ rotation, after) < 1e-4 for after, before in residuals), "one rotation for all layers"
    neutral = 0.0 if architecture == "gemma" else 1.0
    norms = [p for name, p in other.named_parameters() if "norm" in name]
    assert len(norms) == 5 and all(bool((p == neutral).all()) for p in norms)
    for name, value in module.named_parameters():
        assert gap(other.get_parameter(name), value) > 0.1 or name.endswith("bias")
    assert other.get_input_embeddings().weight is not other.get_output_embeddings().weight


def test_biases_of_what_is_added_are_rotated_too() -> None:
    module = model("llama", attention_bias=True, mlp_bias=True)
    assert module.model.layers[0].mlp.down_proj.bias is not None
    assert gap(forward(changed(module, "rotate"))["logits"], forward(module)["logits"]) < 1e-5


def test_a_rotated_model_with_tied_embeddings_is_stored_untied(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    module = model("gemma")
    assert module.get_input_embeddings().weight is module.get_output_embeddings().weight
    other = changed(module, "rotate")
    other.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    assert gap(forward(again)["logits"], forward(module)["logits"]) < 1e-5
    assert module.config.tie_word_embeddings and not again.config.tie_word_embeddings


@pytest.mark.parametrize(
    ("architecture", "why"),
    [
        ("gpt2", "LayerNorm subtracts the mean"),
        ("neox", "LayerNorm subtracts the mean"),
        ("gemma3", "pre_feedforward_layernorm, post_feedforward_layernorm of Gemma3DecoderLayer fixes the residual"),
    ],
)
def test_rotate_says_why_an_architecture_does_not_allow_it(architecture: str, why: str) -> None:
    module = model(architecture)
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(ModelError, match=rf"cannot be rotated: .*{why}.*Llama, Mistral, Qwen2 and the first Gemma"):
        variants.parse("rotate")(module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_rotate_asks_the_norm_what_it_computes() -> None:
    module = model("llama")

    class Centred(type(module.model.norm)):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return super().forward(x - x.mean(-1, keepdim=True))

    module.model.layers[1].input_layernorm.__class__ = Centred
    with pytest.raises(ModelError, match="Centred: it is no plain RMS norm"):
        variants.parse("rotate")(module)


def test_gains_that_are_not_folded_change_logits_and_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    module = model("llama")
    monkeypatch.setattr(reparametrise, "_gain", lambda norm: (torch.ones_like(norm.weight), 1.0))
    with pytest.raises(ModelError, match="rotate should change no logit, but it changed them by"):
        reparametrise.rotate(module)


# ------------------------------------------------------------------------------------------ loading and wrapping


# Every architecture where the copy has another shape; a few where only numbers change or embeddings are untied.
COPIES = {
    "drop=1": tiny.ARCHITECTURES,
    "rotate": ("llama", "gemma"),
    "permute": ("gpt2", "neox"),
    "rtn=4": ("gpt2",),
}


@pytest.mark.parametrize(("text", "architecture"), [(text, a) for text in COPIES for a in COPIES[text]])
def test_changed_copies_are_wrapped(text: str, architecture: str) -> None:
    module, plain = tiny.pair(architecture)
    wrapped = tiny.wrap(changed(module, text))
    layers = 1 if text == "drop=1" else 2
    assert wrapped.probe_error() < 1e-5 and wrapped.card.n_layers == layers and len(wrapped.sites) == 5 * layers
    examples = tiny.Words(8).examples()
    ours, before = (m.bind(examples, Resample()).log_probs() for m in (wrapped, plain))
    assert bool(torch.allclose(ours, before, atol=1e-4)) is (text in ("permute", "rotate"))


def test_changed_copies_load_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "stored"
    tiny.language_model("gemma", num_hidden_layers=3).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    loaded = {t: load_model(f"{folder}{t}", device="cpu") for t in ("", "+drop=2", "+rtn=8", "+permute:2", "+rotate")}
    assert len({m.card.digest for m in loaded.values()}) == 5
    assert {m.card.base for m in loaded.values()} == {"stored"}
    assert [m.card.n_layers for m in loaded.values()] == [3, 1, 3, 3, 3]
    assert all(m.probe_error() < 1e-5 for m in loaded.values())
    with pytest.raises(InputError, match="drop=3 would leave nothing"):
        load_model(f"{folder}+drop=3", device="cpu")


# --------------------------------------------------------------------------------------- unknown architectures


def without(module: Any, path: str) -> Any:
    parent, _, name = path.rpartition(".")
    delattr(module.get_submodule(parent), name)
    return module


@pytest.mark.parametrize("text", ["drop=1", "permute", "rotate"])
def test_a_module_without_decoder_layers_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="Linear: no decoder layers were found, neither as 'layers' nor as 'h'"):
        variants.parse(text)(torch.nn.Linear(3, 4))


@pytest.mark.parametrize("text", ["permute", "rotate"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("model.layers.1.self_attn", "LlamaDecoderLayer: no attention was found under the name self_attn or attn or"),
        ("model.layers.1.mlp", "LlamaDecoderLayer: no MLP was found under the name mlp"),
        ("model.layers.1.mlp.up_proj", "LlamaMLP: no MLP matrices were found: neither gate_proj, up_proj, down_proj"),
        ("model.layers.1.self_attn.o_proj", "LlamaAttention: no attention matrices were found: neither q_proj"),
        ("model.layers.1.self_attn.head_dim", "LlamaAttention: no width of a head was found"),
    ],
)
def test_what_is_not_found_is_named_and_nothing_changes(text: str, path: str, message: str) -> None:
    module = without(model("llama"), path)
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(ModelError, match=message):
        variants.parse(text)(module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_rotate_names_a_norm_that_is_not_found() -> None:
    with pytest.raises(ModelError, match="LlamaDecoderLayer: no norm with gains was found under the name input_lay"):
        variants.parse("rotate")(without(model("llama"), "model.layers.0.input_layernorm"))


def test_parameters_of_every_head_that_are_not_understood_are_refused() -> None:
    module = model("llama")
    attention(blocks(module)[0]).sinks = torch.nn.Parameter(torch.zeros(4))
    with pytest.raises(ModelError, match=r"LlamaAttention: it is not known how sinks of shape \(4,\) depends on"):
        variants.parse("permute")(module)


def test_heads_that_do_not_divide_are_refused() -> None:
    module = model("llama")
    attention(blocks(module)[0]).head_dim = 7
    with pytest.raises(ModelError, match="do not divide into heads of 7"):
        variants.parse("permute")(module)
