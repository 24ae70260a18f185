"""Adapters against plain PyTorch and Hugging Face: oracles share no code with the package."""

from __future__ import annotations

import copy
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special

torch = pytest.importorskip("torch", reason="the light layer runs without PyTorch")
tiny = pytest.importorskip("tiny", reason="needs transformers, of the models extra")

from congruity import interventions  # noqa: E402
from congruity.errors import InputError, ModelError, TaskError  # noqa: E402
from congruity.interventions import Resample  # noqa: E402
from congruity.models import load_model  # noqa: E402
from congruity.models.group import Batch  # noqa: E402
from congruity.sampling.representation import represent  # noqa: E402
from congruity.values import Edit, Examples, Queries, Site  # noqa: E402

TOLERANCE = 1e-3  # relative to the largest value compared
EXAMPLES = tiny.Words(16).examples()
RESAMPLE = Resample()
every_architecture = pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)


def close(ours: Any, plain: Any, tolerance: float = TOLERANCE) -> bool:
    ours, plain = np.asarray(ours, dtype=float), np.asarray(plain, dtype=float)
    assert ours.shape == plain.shape
    return float(np.abs(ours - plain).max()) <= tolerance * float(np.abs(plain).max())


def without_prefixes(model: Any, intervention: Any = RESAMPLE) -> Any:
    """Bind with every prompt computed from its first token on, as for models that keep no keys and values."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "_has_prefix_cache", False)
        return model.bind(EXAMPLES, intervention)


class Plain:
    """A Hugging Face model with hooks of PyTorch's own, one prompt at a time."""

    def __init__(self, module: Any) -> None:
        self.module = module
        blocks = getattr(module, "model", None) or getattr(module, "transformer", None) or module.gpt_neox
        self.blocks = blocks.h if hasattr(blocks, "h") else blocks.layers
        self.width = 32 // 4
        self.words = tiny.tokenizer()

    def projection(self, layer: int) -> Any:
        block = self.blocks[layer]
        attention = getattr(block, "self_attn", None) or getattr(block, "attn", None) or block.attention
        return next(getattr(attention, n) for n in ("o_proj", "c_proj", "dense") if hasattr(attention, n))

    def run(self, text: str, write: dict[str, Any] | None = None, *, grad: bool = False) -> dict[str, Any]:
        """Return logits, z<layer>, mlp<layer>, resid<layer>; ``write`` maps "z<layer>" or "mlp<layer>" to functions."""
        write, seen = write or {}, {}

        def change(name: str, value: Any) -> Any:
            value = write[name](value) if name in write else value
            if grad:
                value.retain_grad()
            seen[name] = value
            return value

        with ExitStack() as stack:
            for i, block in enumerate(self.blocks):
                handles = (
                    self.projection(i).register_forward_pre_hook(lambda m, x, i=i: (change(f"z{i}", x[0]),)),
                    # Gemma 3 normalises the MLP's output before adding it to the residual stream: what is added counts.
                    getattr(block, "post_feedforward_layernorm", block.mlp).register_forward_hook(
                        lambda m, x, y, i=i: change(f"mlp{i}", y)
                    ),
                    block.register_forward_hook(
                        lambda m, x, y, i=i: seen.__setitem__(f"resid{i}", y[0] if isinstance(y, tuple) else y)
                    ),
                )
                for handle in handles:
                    stack.callback(handle.remove)
            stack.enter_context(torch.enable_grad() if grad else torch.no_grad())
            ids = torch.tensor([self.words(text, add_special_tokens=False)["input_ids"]])
            seen["logits"] = self.module(input_ids=ids).logits[0, -1]
        return seen

    def difference(self, logits: Any, row: int) -> Any:
        answer, foil = (tiny.VOCABULARY[str(w[row]).strip()] for w in (EXAMPLES.answers, EXAMPLES.foils))
        return logits[answer] - logits[foil]

    def patched(self, row: int, layer: int, head: int) -> dict[str, Any]:
        part = slice(head * self.width, (head + 1) * self.width)
        new = self.run(str(EXAMPLES.counterfactual[row]))[f"z{layer}"]

        def replace(z: Any) -> Any:
            z = z.clone()
            z[..., part] = new[..., part]
            return z

        return self.run(str(EXAMPLES.clean[row]), {f"z{layer}": replace})


def one(bound: Any, edit: Edit | None = None, **options: Any) -> Any:
    return next(iter(bound.run([edit], read=True, **options)))


def same(a: Any, b: Any, tolerance: float = 1e-4) -> bool:
    pairs = [(a.logit_difference, b.logit_difference)] + [
        (x, y) for (_, x), (_, y) in zip(a.layers, b.layers, strict=True)
    ]
    return all(close(x, y, tolerance) for x, y in pairs) and bool(np.allclose(a.kl, b.kl, rtol=1e-2, atol=1e-6))


# ----------------------------------------------------------------------------------------------- language models


@every_architecture
def test_the_tiny_tokenizer_continues_prompts_by_one_token(architecture: str) -> None:
    _, model = tiny.pair(architecture)
    assert model.single_token(" Mary") and not model.single_token(" Mary John")
    for text, answer in zip(EXAMPLES.clean, EXAMPLES.answers, strict=True):
        assert model.tokens(f"{text}{answer}") == [*model.tokens(text), tiny.VOCABULARY[answer.strip()]]
    assert model.card.bos is False


@every_architecture
def test_sites_cover_every_head_and_mlp_in_order(architecture: str) -> None:
    _, model = tiny.pair(architecture)
    expected = [f"blocks.{i}.{s}" for i in range(2) for s in (*(f"attn.hook_z[{h}]" for h in range(4)), "hook_mlp_out")]
    assert [str(site) for site in model.sites] == expected
    assert model.sites == tuple(sorted(model.sites, key=lambda s: (s.layer, s.kind == "mlp", s.index or 0)))
    assert (model.card.n_layers, model.card.n_heads, model.card.d_model) == (2, 4, 32)


@every_architecture
def test_activations_equal_plain_hugging_face(architecture: str) -> None:
    module, model = tiny.pair(architecture)
    plain, bound = Plain(module), model.bind(EXAMPLES, Resample())
    outputs = one(bound)
    for row in range(4):
        expected = plain.run(str(EXAMPLES.clean[row]))
        assert close(bound.log_probs()[row], torch.log_softmax(expected["logits"], -1))
        assert outputs.logit_difference[row] == pytest.approx(
            float(plain.difference(expected["logits"], row)), abs=1e-4
        )
        for layer, (name, values) in enumerate(outputs.layers):
            assert name == f"blocks.{layer}.hook_resid_post"
            assert close(values[row], expected[f"resid{layer}"][0, -1])
        seen: dict[str, Any] = {}
        names = [(f"blocks.{i}.{hook}", f"{short}{i}") for i in range(2) for hook, short in HOOKS]
        handles = [
            model.hook_module(hook).register_forward_hook(
                lambda m, x, y, short=short, seen=seen: seen.__setitem__(short, y)
            )
            for hook, short in names
        ]
        with torch.no_grad():
            model.logits(Batch(torch.tensor([model.tokens(str(EXAMPLES.clean[row]))])))
        for handle in handles:
            handle.remove()
        for _, short in names:
            assert close(seen[short].flatten(2), expected[short])


HOOKS = (("attn.hook_z", "z"), ("hook_mlp_out", "mlp"))


@every_architecture
def test_a_patched_head_equals_a_plain_pre_hook_and_kl_equals_scipy(architecture: str) -> None:
    module, model = tiny.pair(architecture)
    plain, bound = Plain(module), model.bind(EXAMPLES, Resample())
    for layer, head in ((0, 2), (1, 3)):
        site = next(s for s in model.sites if (s.layer, s.kind, s.index) == (layer, "head", head))
        outputs = one(bound, Edit((site,), "resample"))
        for row in (0, 3):
            expected = plain.patched(row, layer, head)
            before = scipy.special.softmax(plain.run(str(EXAMPLES.clean[row]))["logits"].double().numpy())
            kl = scipy.special.rel_entr(before, scipy.special.softmax(expected["logits"].double().numpy())).sum()
            assert outputs.kl[row] == pytest.approx(float(kl), rel=1e-2, abs=1e-6)
            assert outputs.logit_difference[row] == pytest.approx(
                float(plain.difference(expected["logits"], row)), abs=1e-4
            )
            for i, (_, values) in enumerate(outputs.layers):
                assert close(values[row], expected[f"resid{i}"][0, -1])


@every_architecture
def test_attributions_equal_autograd_on_the_plain_model(architecture: str) -> None:
    module, model = tiny.pair(architecture)
    plain = Plain(module)
    found = model.bind(EXAMPLES, Resample()).attributions(np.array([5, 2]))
    for place, row in enumerate((5, 2)):
        other = plain.run(str(EXAMPLES.counterfactual[row]))
        seen = plain.run(str(EXAMPLES.clean[row]), grad=True)
        plain.difference(seen["logits"], row).backward()
        expected = []
        for layer in range(2):
            effect = ((other[f"z{layer}"] - seen[f"z{layer}"]) * seen[f"z{layer}"].grad).detach().sum(dim=(0, 1))
            expected += effect.unflatten(0, (4, -1)).sum(-1).tolist()
            effect = ((other[f"mlp{layer}"] - seen[f"mlp{layer}"]) * seen[f"mlp{layer}"].grad).detach().sum()
            expected.append(float(effect))
        assert close(found[place], expected)


def test_attributions_equal_central_differences_along_the_patch() -> None:
    module, model = tiny.pair("llama")
    plain, row, step = Plain(copy.deepcopy(module).double()), 1, 0.02
    found = model.bind(EXAMPLES, Resample()).attributions(np.array([row]))[0]
    other = plain.run(str(EXAMPLES.counterfactual[row]))
    for layer in range(2):
        new = other[f"mlp{layer}"]
        ends = [
            plain.run(str(EXAMPLES.clean[row]), {f"mlp{layer}": lambda value, t=t, new=new: value + t * (new - value)})
            for t in (step, -step)
        ]
        high, low = (float(plain.difference(end["logits"], row)) for end in ends)
        assert found[5 * layer + 4] == pytest.approx((high - low) / (2 * step), rel=5e-3)


@every_architecture
@pytest.mark.parametrize("intervention", [one() for one in interventions.REGISTRY], ids=lambda one: one.name)
def test_prefix_reuse_stacking_and_padding_change_no_number(architecture: str, intervention: Any) -> None:
    _, model = tiny.pair(architecture)
    shared, whole = model.bind(EXAMPLES, intervention), without_prefixes(model, intervention)
    padded = model.bind(EXAMPLES, intervention, pad=True)
    assert min(g.prefix for g in shared.groups) > 0 and all(g.prefix == 0 for g in whole.groups)
    assert len(padded.groups) == 1 and len(shared.groups) > 1
    name = intervention.name
    edits = [Edit(model.sites[i::3], name) for i in range(3)]
    edits = [edits[0], None, *edits[1:], Edit(model.sites, name), Edit(model.sites[::2], name, scale=0.3)]
    stacked = list(shared.run(edits, read=True))
    for edit, together in zip(edits, stacked, strict=True):
        assert same(together, one(shared, edit))
        assert same(together, one(whole, edit))
        assert same(together, one(padded, edit))
    assert not np.any(stacked[1].kl > 1e-6), "the unedited model has KL 0 to itself"
    assert not close(stacked[0].logit_difference, stacked[1].logit_difference, 1e-2), "edits must have effects"


@pytest.mark.parametrize(
    ("architecture", "intervention"),
    [(architecture, RESAMPLE) for architecture in tiny.ARCHITECTURES]
    + [("llama", one()) for one in interventions.REGISTRY if one.name != "resample"],
)
def test_rows_and_order_of_prompts_only_permute_the_gram_matrix(architecture: str, intervention: Any) -> None:
    _, model = tiny.pair(architecture)
    order = np.random.default_rng(3).permutation(len(EXAMPLES))
    edit = Edit(model.sites[1::2], intervention.name)
    queries = Queries("words", "", EXAMPLES.ids)
    first = one(model.bind(EXAMPLES, intervention), edit)
    gram = represent(first, queries, model="tiny").gram
    moved = represent(one(model.bind(EXAMPLES.select(order), intervention), edit), queries, model="tiny").gram
    assert close(moved, gram[np.ix_(order, order)], 1e-5)
    rows = np.array([9, 2, 11])
    some = one(model.bind(EXAMPLES, intervention), edit, rows=rows)
    assert close(some.logit_difference, first.logit_difference[rows], 1e-4)
    assert close(some.layers[1][1], first.layers[1][1][rows], 1e-4)


@pytest.mark.parametrize(("architecture", "kv_heads"), [("gemma", 1), ("llama", 2), ("neox", 4)])
def test_grouped_queries_keep_one_site_a_query_head(architecture: str, kv_heads: int) -> None:
    module, model = tiny.pair(architecture)
    assert getattr(module.config, "num_key_value_heads", 4) == kv_heads
    heads = [s for s in model.sites if s.kind == "head"]
    outputs = list(model.bind(EXAMPLES, Resample()).run([Edit((s,), "resample") for s in heads]))
    assert len({round(float(o.kl.sum()), 12) for o in outputs}) == len(heads) == 8


@pytest.mark.parametrize("architecture", ["mistral", "gemma3"])
def test_a_sliding_window_shorter_than_the_prompt_changes_no_number(architecture: str) -> None:
    module = tiny.language_model(architecture, sliding_window=5)
    model = tiny.wrap(module)
    edit = Edit(model.sites[::2], "resample")
    assert same(one(model.bind(EXAMPLES, Resample()), edit), one(without_prefixes(model), edit))
    expected = Plain(module).run(str(EXAMPLES.clean[0]))
    assert close(model.bind(EXAMPLES, Resample()).log_probs()[0], torch.log_softmax(expected["logits"], -1))


@pytest.mark.parametrize(
    "architecture",
    [pytest.param(a) if a in ("gpt2", "neox") else a for a in tiny.ARCHITECTURES],
)
def test_flops_count_every_weight_matrix_once_and_no_embedding(architecture: str) -> None:
    module, model = tiny.pair(architecture)
    embeddings = {id(module.get_input_embeddings().weight), id(module.get_output_embeddings().weight)}
    embeddings |= {id(m.weight) for m in module.modules() if isinstance(m, torch.nn.Embedding)}
    body = sum(p.numel() for p in module.parameters() if p.ndim == 2 and id(p) not in embeddings)
    assert model.forward_flops(7, 0) == 2.0 * 7 * body
    assert model.forward_flops(0, 3) == 2.0 * 3 * len(tiny.VOCABULARY) * 32


def test_a_stored_model_loads_with_the_bos_convention_of_its_tokenizer(tmp_path: Path) -> None:
    module = tiny.language_model("llama")
    folder = tmp_path / "stored"
    module.save_pretrained(folder)
    tiny.tokenizer(bos=True).save_pretrained(folder)
    model = load_model(folder, device="cpu")
    assert model.card.bos is True and model.tokens("went to")[0] == tiny.VOCABULARY["[BOS]"]
    assert model.card.name == str(folder) and model.card.base == "stored" and model.card.dtype == "float32"
    assert model.probe_error() < 1e-5
    again, noisy = load_model(folder, device="cpu"), load_model(f"{folder}+noise=0.05", device="cpu")
    assert again.card.digest == model.card.digest != noisy.card.digest
    assert noisy.card.base == "stored" and load_model(f"{folder}+random", device="cpu").card.base != "stored"
    clean, changed = (m.bind(EXAMPLES, Resample()).log_probs() for m in (model, noisy))
    assert not torch.allclose(clean, changed, atol=1e-3)


def test_a_module_made_in_memory_loads_with_a_tokenizer_made_in_memory() -> None:
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    module = AutoModelForCausalLM.from_config(tiny.CONFIGS["gemma3"]())
    assert load_model(module, tokenizer=tiny.tokenizer(bos=True), device="cpu").card.bos is True


def test_a_stored_model_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tiny.language_model("llama").save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["model.layers.1.mlp.down_proj.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="down_proj"):
        load_model(tmp_path, device="cpu")


def test_a_gguf_file_of_an_impossible_shape_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gguf = pytest.importorskip("gguf", reason="of the models extra")
    monkeypatch.setenv("CONGRUITY_CACHE", str(tmp_path / "cache"))
    writer = gguf.GGUFWriter(str(tmp_path / "x.gguf"), "llama")
    writer.add_embedding_length(10)  # 32 heads do not divide it
    writer.add_block_count(1)
    writer.add_tensor("token_embd.weight", np.zeros((16, 10), np.float32))
    for step in ("write_header_to_file", "write_kv_data_to_file", "write_tensors_to_file", "close"):
        getattr(writer, step)()
    with pytest.raises(ModelError, match="holds no model that Hugging Face can read"):
        load_model(tmp_path / "x.gguf", device="cpu")


def test_what_a_language_model_refuses() -> None:
    _, model = tiny.pair("gpt2")
    with pytest.raises(TaskError, match="needs text prompts"):
        model.bind(tiny.LastToken().examples(), Resample())

    def rows(clean: str, other: str, answer: str = " Mary", foil: str = " John") -> Examples:
        return Examples("t", (clean,), (other,), (answer,), (foil,), ("row-0",))

    for examples, message in (
        (rows("Mary went to", "Mary and John went to"), "row-0: clean has 3 tokens and corrupted 5"),
        (rows("Mary  went", "Mary went"), "are the same 2 tokens"),
        (rows("Mary went", "John went", " Mary John"), "answer ' Mary John' is 2 tokens"),
        (rows("Mary went", "John went", " Mary", " "), "foil ' ' is 0 tokens"),
    ):
        with pytest.raises(TaskError, match=message):
            model.bind(examples, Resample())
    ids = Examples("t", ("Mary went",), ("John went",), np.array([3]), np.array([999]), ("row-0",))
    with pytest.raises(TaskError, match="token ids reach 999"):
        model.bind(ids, Resample())
    with pytest.raises(ModelError, match=r"no site blocks\.9"):
        one(model.bind(EXAMPLES, Resample()), Edit((Site(9, "mlp", "blocks.9.hook_mlp_out"),), "resample"))


def test_a_word_that_the_tokenizer_does_not_know_is_not_one_token() -> None:
    _, model = tiny.pair("llama")
    assert not model.single_token(" Wolfgang"), (
        "[UNK] stands for every unknown word, so answers could not be told apart"
    )


def test_nan_weights_are_refused() -> None:
    module = tiny.language_model("llama")
    with torch.no_grad():
        module.model.layers[1].mlp.down_proj.weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match="NaN"):
        one(tiny.wrap(module).bind(EXAMPLES, Resample()))


@every_architecture
def test_leaving_replaced_mlps_and_unscored_logits_out_changes_no_number(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, model = tiny.pair(architecture)
    mlps = [s for s in model.sites if s.kind == "mlp"]
    assert all(model.computing_module(s.hook) is not None for s in mlps)
    edits = [Edit(tuple(mlps), "resample"), Edit((mlps[0],), "resample"), Edit(model.sites[1::2], "resample")]
    rows, scored = np.array([9, 2, 11, 4]), np.array([11, 9])
    seen: list[int] = []
    inner = model.computing_module(mlps[1].hook).original_component
    handle = inner.register_forward_hook(lambda m, i, o: seen.append(len(o)))
    try:
        lazy = model.bind(EXAMPLES, Resample())
        quick = list(lazy.run(edits, rows=rows, scored=scored, read=True))
        spared = sum(seen)
        monkeypatch.setattr(model, "_computing", {})
        full = model.bind(EXAMPLES, Resample())
        whole = list(full.run(edits, rows=rows, read=True))
    finally:
        handle.remove()
    assert spared < sum(seen) - spared, "fewer rows went through the MLP"
    replaced = 2.0 * sum(edit.sites.count(mlp) for edit in edits for mlp in mlps) * _positions_run(lazy, rows)
    logits = 2.0 * len(edits) * (len(rows) - len(scored)) * 32 * model._module.config.vocab_size
    weights = sum(p.numel() for p in tiny.pair(architecture)[0].parameters() if p.ndim == 2)
    assert full.flops - lazy.flops == replaced * model.matrix_parameters(model._bridge.blocks[0].mlp) + logits
    assert 0 < model.matrix_parameters(model._bridge.blocks[0].mlp) < weights / 2
    for a, b in zip(quick, whole, strict=True):
        assert close(a.logit_difference, b.logit_difference[[2, 0]]) and close(a.kl, b.kl[[2, 0]])
        assert all(close(x, y) for (_, x), (_, y) in zip(a.layers, b.layers, strict=True))
    with pytest.raises(ModelError, match="rows to score must be among the rows to run"):
        next(full.run(edits, rows=rows, scored=np.array([3])))
    with pytest.raises(ModelError, match="a row may be run only once"):
        next(full.run(edits, rows=np.array([2, 2])))


def _positions_run(bound: Any, rows: Any) -> int:
    """Positions that one run of ``rows`` computes, after the shared prefixes."""
    return sum(int(np.isin(group.rows, rows).sum()) * group.positions for group in bound.groups)


def test_an_mlp_with_a_side_channel_is_computed_for_every_row() -> None:
    """The side channel has one row where one row is kept, and would broadcast to all."""
    module = tiny.language_model("llama")
    block, saved = module.model.layers[0], []

    def remember(_: Any, inputs: Any) -> None:
        saved[:] = [inputs[0].mean(dim=-1, keepdim=True)]

    def add(_: Any, inputs: Any, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple) else output
        return (first + saved[0], *output[1:]) if isinstance(output, tuple) else first + saved[0]

    block.mlp.gate_proj.register_forward_pre_hook(remember)
    block.register_forward_hook(add)
    model = load_model(module, tokenizer=tiny.tokenizer(), device="cpu")
    assert saved, "the model runs through the side channel"
    assert model.computing_module("blocks.0.hook_mlp_out") is None


def test_an_mlp_that_reads_other_rows_is_computed_for_every_row() -> None:
    module = tiny.language_model("llama")
    plain = module.model.layers[0].mlp.forward
    assert tiny.wrap(module).computing_module("blocks.0.hook_mlp_out") is not None
    module.model.layers[0].mlp.forward = lambda x: plain(x) * len(x)
    model = tiny.wrap(module)
    assert model.computing_module("blocks.0.hook_mlp_out") is None
    assert one(model.bind(EXAMPLES, Resample()), Edit(model.sites[::3], "resample")).kl.max() > 0


@dataclass(frozen=True)
class Spy:
    """Keeps what an intervention is given."""

    seen: list[Any] = field(default_factory=list)
    name: str = "spy"

    @property
    def parameters(self) -> dict[str, Any]:
        return {}

    def replacement(self, clean: Any, counterfactual: Any, background: Any) -> Any:
        self.seen.append((clean, counterfactual, background.mean(), background.deviation(), background.normal(3)))
        return counterfactual


def test_the_background_is_what_the_site_does_on_all_prompts_where_inputs_differ() -> None:
    _, model = tiny.pair("llama")
    spy = Spy()
    bound = model.bind(EXAMPLES, spy)
    next(bound.run([Edit(model.sites[:1], "spy")]))
    hooks = list(dict.fromkeys(site.hook for site in model.sites))
    per_group = [spy.seen[i : i + len(hooks)] for i in range(0, len(spy.seen), len(hooks))]
    assert len(per_group) == len(bound.groups) > 1
    for which in range(len(hooks)):
        other = [group[which][1].numpy() for group in per_group]
        for group in per_group:
            clean, _, mean, deviation, normal = (value.numpy() for value in group[which])
            for back in range(1, clean.shape[1] + 1):
                expected = np.concatenate([o[:, -back] for o in other if o.shape[1] >= back]).mean(axis=0)
                assert close(mean[:, -back], np.broadcast_to(expected, mean[:, -back].shape), 1e-5)
            every = np.concatenate([o.reshape(-1, o.shape[2]) for o in other])
            assert close(deviation, every.std(axis=0), 1e-4)
            assert normal.shape == clean.shape and abs(normal.mean()) < 0.2 and abs(normal.std() - 1) < 0.2
    numbers = np.concatenate([group[0][4].numpy().ravel() for group in per_group])
    assert len(np.unique(numbers)) == len(numbers), "prompts share no random numbers"


@pytest.mark.parametrize("intervention", [one() for one in interventions.REGISTRY], ids=lambda one: one.name)
def test_a_part_of_the_way_is_the_part_of_the_change_that_is_written(intervention: Any) -> None:
    """A patch in the last MLP moves the residual stream by exactly what is written there."""
    _, model = tiny.pair("llama")
    bound = model.bind(EXAMPLES, intervention)
    last = tuple(site for site in model.sites if site.kind == "mlp")[-1:]
    clean, whole, half = bound.run([None, *(Edit(last, intervention.name, scale) for scale in (1.0, 0.5))], read=True)
    moved = [run.layers[-1][1] - clean.layers[-1][1] for run in (whole, half)]
    assert np.abs(moved[0]).max() > 1e-2
    assert close(moved[1], moved[0] / 2, 1e-4)


@pytest.mark.parametrize("scale", [0.0, -0.5, 1.5, float("nan")])
def test_a_part_of_the_way_is_a_part(scale: float) -> None:
    with pytest.raises(InputError, match="pass a part of the way"):
        Edit((), "resample", scale)
