"""Finders and what they stand on, against plain loops: Hugging Face modules, PyTorch hooks, one site at a time."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the light layer runs without PyTorch")
tiny = pytest.importorskip("tiny", reason="needs transformers, of the models extra")

from congruity import finders, interventions  # noqa: E402
from congruity._base.registry import parameters_of  # noqa: E402
from congruity.errors import InputError, ModelError  # noqa: E402
from congruity.finders import REGISTRY, Attribution, Hybrid, IntegratedGradients, Patching  # noqa: E402
from congruity.interventions import Resample  # noqa: E402
from congruity.models import TorchModule  # noqa: E402
from congruity.models.shortcuts import restartable_blocks, separate_words  # noqa: E402
from congruity.values import Edit, Examples, Site  # noqa: E402

EXAMPLES = tiny.Words(12).examples()
WORDS = tiny.tokenizer()
every_architecture = pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)


class Loop:
    """A plain Hugging Face model, one prompt and one hook at a time, nothing saved."""

    def __init__(self, module: Any) -> None:
        self.module = module
        inner = getattr(module, "model", None) or getattr(module, "transformer", None) or module.gpt_neox
        self.blocks = inner.h if hasattr(inner, "h") else inner.layers

    def place(self, site: Site) -> tuple[Any, bool]:
        """Return the module that holds the site, and whether the site is its input."""
        block = self.blocks[site.layer]
        if site.kind == "mlp":
            return getattr(block, "post_feedforward_layernorm", block.mlp), False
        attention = next(getattr(block, n) for n in ("self_attn", "attn", "attention") if hasattr(block, n))
        return next(getattr(attention, n) for n in ("o_proj", "c_proj", "dense") if hasattr(attention, n)), True

    def run(self, text: str, row: int, site: Site | None = None, change: Any = None) -> Any:
        """Return the logit difference of ``row`` on ``text``, with ``change`` applied at ``site``."""
        ids = torch.tensor([WORDS(text, add_special_tokens=False)["input_ids"]])
        answer, foil = (tiny.VOCABULARY[str(w[row]).strip()] for w in (EXAMPLES.answers, EXAMPLES.foils))
        handle = None
        if site is not None:
            module, is_input = self.place(site)
            if is_input:
                handle = module.register_forward_pre_hook(lambda m, x: (change(x[0]),))
            else:
                handle = module.register_forward_hook(lambda m, x, y: change(y))
        try:
            logits = self.module(input_ids=ids).logits[0, -1]
        finally:
            if handle is not None:
                handle.remove()
        return logits[answer] - logits[foil]

    def effect(self, row: int, site: Site) -> float:
        seen: list[Any] = []
        part = slice(None) if site.index is None else slice(8 * site.index, 8 * site.index + 8)

        def write(value: Any) -> Any:
            value = value.clone()
            value[..., part] = seen[0][..., part]
            return value

        def keep(value: Any) -> Any:
            seen.append(value.clone())
            return value

        with torch.no_grad():
            self.run(str(EXAMPLES.counterfactual[row]), row, site, keep)
            clean = self.run(str(EXAMPLES.clean[row]), row)
            return float(self.run(str(EXAMPLES.clean[row]), row, site, write) - clean)


def close(ours: Any, plain: Any, tolerance: float = 1e-4) -> bool:
    ours, plain = np.asarray(ours, dtype=float), np.asarray(plain, dtype=float)
    assert ours.shape == plain.shape
    return float(np.abs(ours - plain).max()) <= tolerance * float(np.abs(plain).max())


# ----------------------------------------------------------------------------------------------- exact patching


@pytest.mark.parametrize("pad", [False, True])
@every_architecture
def test_effects_equal_a_plain_loop(architecture: str, pad: bool) -> None:
    module, model = tiny.pair(architecture)
    loop, rows = Loop(module), np.array([7, 2, 4])
    expected = np.array([[loop.effect(int(row), site) for site in model.sites] for row in rows])
    found = model.bind(EXAMPLES, Resample(), pad=pad).effects(model.sites, rows)
    assert close(found, expected)
    assert np.abs(expected).max(axis=0).min() > 1e-4, "every site must have an effect somewhere"


@pytest.mark.parametrize("layers", [1, 5])
def test_effects_at_any_depth_equal_a_plain_loop(layers: int) -> None:
    module = tiny.language_model("llama", num_hidden_layers=layers)
    model = tiny.wrap(module)
    assert model.start_hook(0) is not None
    loop, rows = Loop(module), np.array([1, 6])
    bound = model.bind(EXAMPLES, Resample())
    expected = np.array([[loop.effect(int(row), site) for site in model.sites] for row in rows])
    assert close(bound.effects(model.sites, rows), expected)
    some = [model.sites[i] for i in (-1, 2, 0)]
    assert close(bound.effects(some, rows), expected[:, [-1, 2, 0]])


@every_architecture
def test_every_shortcut_holds_on_every_architecture(architecture: str) -> None:
    _, model = tiny.pair(architecture)
    assert model._blocks is not None and model._blocks.narrows(0) and not model._blocks.narrows(1)
    assert len(model._blocks.positionwise) == 2 and model._separate_words and len(model._computing) == 2


def test_effects_of_a_plain_module_equal_a_loop_of_runs() -> None:
    model = tiny.module_model(tiny.net(strength=0.8))
    examples = tiny.LastToken(20).examples()
    bound = model.bind(examples, Resample())
    rows = np.array([3, 19, 0])
    module, clean, other = (
        model._module,
        *map(torch.as_tensor, (np.array(examples.clean), np.array(examples.counterfactual))),
    )
    expected = np.empty((len(rows), len(model.sites)))
    for s, site in enumerate(model.sites):
        target = model.hook_module(site.hook)
        part = slice(None) if site.index is None else slice(8 * site.index, 8 * site.index + 8)
        for r, row in enumerate(rows):
            seen: list[Any] = []
            handle = target.register_forward_hook(lambda m, x, y, seen=seen: seen.append(y.clone()))
            with torch.no_grad():
                before = module(clean[[row]])[0, -1]
                module(other[[row]])
            handle.remove()

            def write(m: Any, x: Any, y: Any, seen: Any = seen, part: Any = part) -> Any:
                y = y.clone()
                y[..., part] = seen[1][..., part]
                return y

            handle = target.register_forward_hook(write)
            with torch.no_grad():
                after = module(clean[[row]])[0, -1]
            handle.remove()
            answer, foil = examples.answers[row], examples.foils[row]
            expected[r, s] = (after[answer] - after[foil]) - (before[answer] - before[foil])
    assert close(bound.effects(model.sites, rows), expected)
    assert model.start_hook(0) is None
    with pytest.raises(ModelError, match="has no blocks to start from"):
        model.starting(None)


@pytest.mark.parametrize("cap", [None, 2.0])
def test_a_model_that_caps_its_logits_is_patched_right(cap: float | None) -> None:
    from transformers import Gemma2Config

    tiny.CONFIGS["gemma2"] = lambda: Gemma2Config(
        **tiny._SHAPE, num_key_value_heads=2, head_dim=8, final_logit_softcapping=cap, attn_logit_softcapping=None
    )
    try:
        module = tiny.language_model("gemma2")
    finally:
        del tiny.CONFIGS["gemma2"]
    model = tiny.wrap(module)
    assert model._separate_words
    loop = Loop(module)
    site = model.sites[1]
    found = model.bind(EXAMPLES, Resample()).effects([site], np.array([5]))
    assert close(found[0], [loop.effect(5, site)])


def test_a_model_whose_logits_depend_on_each_other_computes_them_all() -> None:
    module = tiny.language_model("llama")
    plain = module.lm_head.forward
    module.lm_head.forward = lambda x: torch.log_softmax(plain(x), dim=-1) ** 3
    model = tiny.wrap(module)
    assert not model._separate_words and model.forward_flops(0, 1, words=2) == model.forward_flops(0, 1)
    site, loop = model.sites[2], Loop(module)
    assert close(model.bind(EXAMPLES, Resample()).effects([site], np.array([3]))[0], [loop.effect(3, site)])


def test_a_model_with_a_second_way_past_its_blocks_runs_them_all() -> None:
    """Each block adds the embeddings again: the residual stream alone does not decide what comes after."""
    module, saved = tiny.language_model("llama"), []
    module.model.embed_tokens.register_forward_hook(lambda m, x, y: saved.__setitem__(slice(None), [y]))
    module.model.layers[1].register_forward_hook(lambda m, x, y: y + saved[0])
    from congruity.models import load_model

    model = load_model(module, tokenizer=WORDS, device="cpu")
    assert model._blocks is None and model.start_hook(1) is None
    bound = model.bind(EXAMPLES, Resample())
    clean = next(iter(bound.run([None]))).logit_difference
    runs = [out.logit_difference - clean for out in bound.run([Edit((site,), "resample") for site in model.sites])]
    assert close(bound.effects(model.sites), np.stack(runs, axis=1))
    with pytest.raises(ModelError, match="cannot be left out"):
        model.starting(None)


def test_proofs_fail_for_modules_that_are_no_blocks() -> None:
    _, model = tiny.pair("llama")
    hooks = [f"blocks.{layer}.hook_resid_pre" for layer in range(2)]
    assert restartable_blocks(model, model._bridge.blocks, hooks, prefix=True) is not None
    assert restartable_blocks(model, [block.mlp for block in model._bridge.blocks], hooks, prefix=True) is None
    assert restartable_blocks(model, model._bridge.blocks, ["no.such.hook"] * 2, prefix=True) is None
    assert separate_words(model)


def test_nothing_is_left_behind() -> None:
    _, model = tiny.pair("gemma3")
    before = model._module(input_ids=torch.tensor([[5, 6, 7]])).logits
    bound = model.bind(EXAMPLES, Resample())
    bound.effects(model.sites)
    bound.attributions(steps=3)
    assert torch.equal(model._module(input_ids=torch.tensor([[5, 6, 7]])).logits, before)
    assert not any("forward" in part.__dict__ for part in (*model._bridge.blocks, model._head))


def test_what_runs_is_counted() -> None:
    _, model = tiny.pair("qwen2")
    body, words = model.forward_flops(1, 0), model.forward_flops(0, 1, words=2)
    assert words == 2.0 * 2 * 32 < model.forward_flops(0, 1)
    assert model.forward_flops(6, 0, start=1) == 6 * body / 2
    narrow = sum(model.matrix_parameters(part) for part in model._blocks.positionwise)
    assert model.forward_flops(6, 2, start=0) == 6 * body + 2 * model.forward_flops(0, 1) - 2.0 * 4 * narrow
    bound = model.bind(EXAMPLES, Resample())
    next(iter(bound.run([None])))
    unedited = bound.flops
    bound.effects([site for site in model.sites if site.layer == 1 and site.kind == "head"])
    positions = sum(len(group.rows) * group.positions for group in bound.groups)
    assert bound.flops - unedited == positions * body * (1 + 4 / 2) + 5 * 12 * words


def test_what_effects_refuse() -> None:
    _, model = tiny.pair("llama")
    bound = model.bind(EXAMPLES, Resample())
    with pytest.raises(ModelError, match=r"no site blocks\.9"):
        bound.effects([Site(9, "mlp", "blocks.9.hook_mlp_out")])
    for rows in ([0, 0], [99]):
        with pytest.raises(ModelError, match="each once"):
            bound.effects(model.sites, np.array(rows))
    assert bound.effects([], np.array([3, 4])).shape == (2, 0)


# ------------------------------------------------------------------------------------------ integrated gradients


@pytest.mark.parametrize("architecture", ["gpt2", "gemma3"])
@pytest.mark.parametrize("pad", [False, True])
def test_integrated_gradients_equal_a_loop_of_autograd(architecture: str, pad: bool) -> None:
    module, model = tiny.pair(architecture)
    module = copy.deepcopy(module)  # the pair is shared, and its weights must keep their gradients
    loop, row, steps = Loop(module), 5, 4
    found = model.bind(EXAMPLES, Resample(), pad=pad).attributions(np.array([row]), steps=steps)[0]
    ids = [
        torch.tensor([WORDS(str(text[row]), add_special_tokens=False)["input_ids"]])
        for text in (EXAMPLES.clean, EXAMPLES.counterfactual)
    ]
    embed = module.get_input_embeddings()
    with torch.no_grad():
        clean_in, other_in = (embed(i) for i in ids)
    answer, foil = (tiny.VOCABULARY[str(w[row]).strip()] for w in (EXAMPLES.answers, EXAMPLES.foils))
    kinds = [site for site in model.sites if site.index in (None, 0)]
    points: list[dict[Site, Any]] = []
    for inputs in [other_in] + [other_in + k / steps * (clean_in - other_in) for k in range(1, steps + 1)]:
        seen: dict[Site, Any] = {}

        def keep(value: Any, site: Site, seen: dict[Site, Any] = seen) -> Any:
            value = value if value.requires_grad else value.requires_grad_(True)
            value.retain_grad()
            seen[site] = value
            return value

        handles = [embed.register_forward_hook(lambda m, x, y, inputs=inputs: inputs)]
        for site in kinds:
            part, is_input = loop.place(site)
            if is_input:
                handles.append(part.register_forward_pre_hook(lambda m, x, site=site, keep=keep: (keep(x[0], site),)))
            else:
                handles.append(part.register_forward_hook(lambda m, x, y, site=site, keep=keep: keep(y, site)))
        logits = module.requires_grad_(False)(input_ids=ids[0]).logits[0, -1]
        (logits[answer] - logits[foil]).backward()
        for handle in handles:
            handle.remove()
        points.append(seen)
    expected = []
    for site in kinds:
        gradient = sum(point[site].grad for point in points[1:]) / steps
        effect = ((points[0][site] - points[-1][site]) * gradient).detach().sum(dim=(0, 1))
        expected += effect.unflatten(0, (1 if site.index is None else 4, -1)).sum(-1).tolist()
    assert close(found, expected)
    once = model.bind(EXAMPLES, Resample(), pad=pad).attributions(np.array([row]))[0]
    assert not close(found, once, 1e-2), "several gradients must differ from one"


class Gate(torch.nn.Module):
    """logits = W (a + b^3) with a, b linear in the input: linear in the site ``a``, cubic in the site ``b``."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.out = torch.nn.Linear(3, 4), torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)

    def forward(self, inputs: Any) -> Any:
        return self.out(self.a(inputs) + self.b(inputs) ** 3)


def test_integrated_gradients_of_a_plain_module_with_real_inputs() -> None:
    model = TorchModule(Gate(), edits={"a": 2, "b": 1}, reads=["out"], name="gate")
    rng = np.random.default_rng(0)
    clean, other = rng.standard_normal((2, 6, 3)).astype(np.float32)
    examples = Examples("t", clean, other, np.zeros(6, int), np.ones(6, int), tuple("abcdef"))
    bound = model.bind(examples, Resample())
    exact = bound.effects(model.sites)
    assert close(bound.attributions(steps=3)[:, :2], exact[:, :2], 1e-5), "on a linear path it is exact"
    errors = [np.abs(bound.attributions(steps=steps)[:, 2] - exact[:, 2]).max() for steps in (1, 4, 64)]
    assert errors[0] > errors[1] > errors[2], "and where the path is the input's own, the sum tends to the integral"


def test_whole_number_inputs_of_a_plain_module_have_no_points_between() -> None:
    bound = tiny.module_model().bind(tiny.LastToken(8).examples(), Resample())
    assert bound.attributions(steps=1).shape == (8, 9)
    with pytest.raises(ModelError, match="no points between"):
        bound.attributions(steps=2)


# ------------------------------------------------------------------------------------------------------- finders


def test_patching_is_the_mean_effect_with_its_standard_error() -> None:
    _, model = tiny.pair("llama")
    bound, rows = model.bind(EXAMPLES, Resample()), np.array([0, 3, 5, 8])
    effects = bound.effects(model.sites, rows)
    scores = Patching().scores(model, bound, rows)
    assert np.allclose(scores.values, effects.mean(axis=0), atol=1e-6)
    assert np.allclose(scores.standard_errors, effects.std(axis=0, ddof=1) / 2, atol=1e-6)
    assert (scores.finder, scores.n_prompts, scores.sites) == ("patching", 4, model.sites)
    assert {"attribution", "integrated-gradients", "patching", "hybrid"} <= {finder.name for finder in REGISTRY}


def test_integrated_gradients_of_one_step_are_attribution() -> None:
    _, model = tiny.pair("gemma")
    bound = model.bind(EXAMPLES, Resample())
    one, plain = IntegratedGradients(steps=1).scores(model, bound), Attribution().scores(model, bound)
    assert np.array_equal(one.values, plain.values)
    assert not np.allclose(IntegratedGradients().scores(model, bound).values, plain.values, rtol=1e-2)
    with pytest.raises(InputError, match="at least 1"):
        IntegratedGradients(steps=0)


# -------------------------------------------------------------------------------------------------------- hybrid

SITES = tuple(
    Site(i // 5, "head" if i % 5 else "mlp", f"{'z' if i % 5 else 'm'}{i // 5}", i % 5 or None) for i in range(60)
)


class Made:
    """Effects (prompts, sites) drawn at random, and attributions that are wrong in a given way."""

    def __init__(self, *, seed: int = 0, scale: float = 1.0, blind: int | None = None, n: int = 100) -> None:
        rng = np.random.default_rng(seed)
        means = rng.standard_normal(60) * np.exp(rng.standard_normal(60))
        self.exact = means + 0.5 * np.abs(means) * rng.standard_normal((n, 60))
        self.attribution = scale * self.exact + 0.15 * np.abs(means) * rng.standard_normal((n, 60))
        if blind is not None:
            self.exact[:, blind] += 9.0  # the largest effect of all, at a site with no slope
            self.attribution[:, blind] = 0.0
        self.pairs = 0

    def measure(self, sites: Any, prompts: Any) -> Any:
        self.pairs += len(sites) * len(prompts)
        return self.exact[np.ix_(prompts, sites)]

    def top(self, values: Any, share: float = 0.2) -> set[int]:
        return set(np.argsort(-np.abs(values))[: round(share * len(values))].tolist())


def test_hybrid_finds_the_top_that_attribution_misses_within_its_budget() -> None:
    made = Made(blind=17)
    truth = made.exact.mean(axis=0)
    found = Hybrid().screen(made.attribution, SITES, made.measure)
    assert made.pairs == found.measured.sum() <= 0.24 * made.exact.size and found.cost == made.pairs / made.exact.size
    assert 17 not in made.top(made.attribution.mean(axis=0)) and 17 in made.top(truth)
    assert made.top(found.scores.values) == made.top(truth)
    assert SITES[17] in found.misplaced and found.worst > 8
    assert found.measured.min() == 8 < found.measured.max(), "some prompts everywhere, more near the cut"
    assert all(site in SITES for site in found.undecided) and len(found.undecided) < 12


def test_hybrid_with_the_whole_budget_decides_everything() -> None:
    made = Made(n=30)
    found = Hybrid(budget=1.0).screen(made.attribution, SITES, made.measure)
    assert made.top(found.scores.values) == made.top(made.exact.mean(axis=0))
    complete = found.measured == 30
    assert complete.any() and np.allclose(found.scores.values[complete], made.exact.mean(axis=0)[complete])
    assert found.undecided == ()


def test_hybrid_scores_are_unbiased_and_their_errors_honest() -> None:
    made = Made(scale=0.5)
    runs = [
        Hybrid(seed=seed, audit=0.1, budget=0.1).screen(made.attribution, SITES, made.measure) for seed in range(200)
    ]
    wrong = np.array([run.scores.values for run in runs]) - made.exact.mean(axis=0)
    z = wrong.mean(axis=0) / (wrong.std(axis=0) / np.sqrt(200))
    assert 0.5 < (z**2).mean() < 1.7, "over orders of prompts the mean error is none"
    stated = np.mean([run.scores.standard_errors**2 for run in runs], axis=0)
    actual = (wrong**2).mean(axis=0) + made.exact.var(axis=0, ddof=1) / 100
    assert 0.9 < np.median(stated / actual) < 1.1
    assert 1.5 < runs[0].slope < 2.5, "attribution of half the size is seen to be so"


def test_hybrid_on_a_model_is_patching_where_everything_is_measured() -> None:
    _, model = tiny.pair("neox")
    bound, rows = model.bind(EXAMPLES, Resample()), np.array([8, 1, 3, 10, 0, 6, 2])
    exact = Patching().scores(model, bound, rows)
    found = Hybrid(audit=1.0, budget=1.0).screened(model, bound, rows)
    assert np.allclose(found.scores.values, exact.values, atol=1e-6) and found.cost == 1.0
    assert np.allclose(found.scores.standard_errors, exact.standard_errors, atol=1e-6)
    some = Hybrid(seed=3).scores(model, bound, rows)
    assert some.finder == "hybrid" and np.corrcoef(some.values, exact.values)[0, 1] > 0.9


def test_hybrid_refuses_shares_that_are_none() -> None:
    for wrong in ({"audit": 0.0}, {"budget": 1.1}, {"keep": 1.0}, {"audit": 0.5}):
        with pytest.raises(InputError, match="shares must be"):
            Hybrid(**wrong)
    assert parameters_of(Hybrid()) == {"budget": 0.24, "audit": 0.08, "seed": 0, "keep": 0.2}


@pytest.mark.parametrize("kind", [*REGISTRY, *interventions.REGISTRY], ids=lambda kind: kind.name)
def test_a_registry_holds_classes_whose_parameters_are_json_and_make_the_same_object_again(kind: Any) -> None:
    assert isinstance(kind, type) and isinstance(kind.name, str)
    one = kind()
    assert one == kind() and one is not kind() and hash(one) == hash(kind())
    parameters = json.loads(json.dumps(parameters_of(one)))
    assert "name" not in parameters and kind(**parameters) == one
    family = finders if kind in REGISTRY else interventions
    assert family.by_name(kind.name) == one and family.by_name(kind.name) is not family.by_name(kind.name)
