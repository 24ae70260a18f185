"""Plain PyTorch modules as models, and changed copies of models: oracles share no code with the package."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the light layer runs without PyTorch")
tiny = pytest.importorskip("tiny", reason="needs transformers, of the models extra")

from congruity.errors import InputError, ModelError, TaskError, UnknownNameError  # noqa: E402
from congruity.interventions import Resample  # noqa: E402
from congruity.models import TorchModule, variants  # noqa: E402
from congruity.values import Edit, Examples  # noqa: E402

EXAMPLES = tiny.Words(16).examples()
every_architecture = pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)


def close(ours: Any, plain: Any, tolerance: float = 1e-3) -> bool:
    ours, plain = np.asarray(ours, dtype=float), np.asarray(plain, dtype=float)
    assert ours.shape == plain.shape
    return float(np.abs(ours - plain).max()) <= tolerance * float(np.abs(plain).max())


def one(bound: Any, edit: Edit | None = None) -> Any:
    return next(iter(bound.run([edit], read=True)))


# ------------------------------------------------------------------------------------------------ plain modules


def test_torch_module_reads_and_edits_what_a_hook_would() -> None:
    net, task = tiny.net(strength=0.3), tiny.LastToken(20).examples()
    model = tiny.module_model(copy.deepcopy(net))
    assert [str(s) for s in model.sites[:3]] == ["embed", "blocks.0[0]", "blocks.0[1]"]
    assert [s.kind for s in model.sites[:2]] == ["module", "head"]
    clean, other = torch.as_tensor(np.array(task.clean)), torch.as_tensor(np.array(task.counterfactual))
    half = tiny.WIDTH // 2
    with torch.no_grad():
        taken: list[Any] = []
        handle = net.blocks[1].register_forward_hook(lambda m, x, y: taken.append(y))
        net(other)
        handle.remove()
        hooks = [
            net.blocks[1].register_forward_hook(lambda m, x, y: torch.cat([y[..., :half], taken[0][..., half:]], -1)),
            net.stream[2].register_forward_hook(lambda m, x, y: taken.append(y[:, -1])),
        ]
        logits = net(clean)[:, -1]
        for hook in hooks:
            hook.remove()
    outputs = one(model.bind(task, Resample()), Edit((model.sites[4],), "resample"))
    rows = torch.arange(20)
    expected = logits[rows, task.answers.copy()] - logits[rows, task.foils.copy()]
    assert str(model.sites[4]) == "blocks.1[1]"
    assert close(outputs.logit_difference, expected)
    assert dict(outputs.layers).keys() == {f"stream.{i}" for i in range(4)}
    assert close(dict(outputs.layers)["stream.2"], taken[1])
    assert not any(m._forward_hooks for m in model._module.modules()), "no hook is left behind"


def test_a_place_that_is_edited_and_read_is_both() -> None:
    task, paths = tiny.LastToken(20).examples(), [f"blocks.{i}" for i in range(tiny.BLOCKS)]
    model = TorchModule(tiny.net(strength=0.3), edits=dict.fromkeys(paths, 1), reads=paths, name="both")
    bound, edit = model.bind(task, Resample()), Edit(model.sites[:2], "resample")
    blind = next(iter(bound.run([edit])))
    assert float(blind.kl.mean()) > 1e-4
    read = one(bound, edit)
    assert np.array_equal(read.logit_difference, blind.logit_difference)
    other = Examples(task.task, task.counterfactual, task.clean, task.answers, task.foils, task.ids)
    assert close(dict(read.layers)["blocks.0"], dict(one(model.bind(other, Resample())).layers)["blocks.0"])


@pytest.mark.parametrize("scale", [1.0, pytest.param(60.0)])
def test_kl_is_that_of_scipy_for_small_and_for_large_logits(scale: float) -> None:
    net, task = tiny.net(strength=0.3), tiny.LastToken(12).examples()
    with torch.no_grad():
        net.unembed.weight.mul_(scale)
        before, after = (net(torch.as_tensor(np.array(x)))[:, -1].double() for x in (task.clean, task.counterfactual))
    model = tiny.module_model(net)
    outputs = one(model.bind(task, Resample()), Edit(model.sites, "resample"))
    p, q = (torch.log_softmax(x, -1) for x in (before, after))
    assert outputs.kl == pytest.approx((p.exp() * (p - q)).sum(-1).numpy(), rel=1e-3)


def test_what_a_torch_module_refuses() -> None:
    net, task = tiny.net(), tiny.LastToken(9).examples()
    with pytest.raises(InputError, match=r"no submodule is called 'nope'; there are embed"):
        TorchModule(net, edits={"nope": 1}, reads=["embed"], name="x")
    with pytest.raises(InputError, match="at least one submodule to edit and one to read"):
        TorchModule(net, edits={}, reads=["embed"], name="x")
    model = tiny.module_model(net)
    with pytest.raises(TaskError, match="needs arrays of inputs"):
        model.bind(EXAMPLES, Resample())
    short = Examples("t", task.clean, task.counterfactual[:, 1:], task.answers, task.foils, task.ids)
    with pytest.raises(TaskError, match=r"clean inputs are \(9, 3\), counterfactuals \(9, 2\)"):
        model.bind(short, Resample())

    class Pair(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.unused = net, torch.nn.Linear(2, 2)

        def forward(self, tokens: Any) -> Any:
            return self.net(tokens), None

    pair = TorchModule(Pair(), edits={"net.embed": 1}, reads=["net.embed"], name="pair")
    with pytest.raises(ModelError, match="returned tuple; it must return a tensor"):
        one(pair.bind(task, Resample()))
    unused = TorchModule(Pair(), edits={"unused": 1}, reads=["net.embed"], name="pair")
    unused._module.forward = unused._module.net.forward
    with pytest.raises(ModelError, match="without passing through its sites unused"):
        one(unused.bind(task, Resample()))


def test_heads_that_do_not_divide_the_width_are_an_input_error() -> None:
    model = TorchModule(tiny.net(), edits={"embed": 3}, reads=["embed"], name="x")
    with pytest.raises((InputError, ModelError)):
        one(model.bind(tiny.LastToken().examples(), Resample()), Edit(model.sites[:1], "resample"))


# ------------------------------------------------------------------------------------------------------- variants


@pytest.mark.parametrize(
    ("text", "written"),
    [("noise=0.01", "noise=0.01"), ("random", "random"), ("noise=2:7", "noise=2:7"), ("random:3",) * 2],
)
def test_variants_are_read_and_written(text: str, written: str) -> None:
    assert str(variants.parse(text)) == written


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("noise", InputError, r"needs an amount in \(0, 10\)"),
        ("noise=-1", InputError, "needs an amount"),
        ("noise=nan", InputError, "needs an amount"),
        ("noise=lots", InputError, "needs an amount"),
        ("random=0.5", InputError, "takes no amount"),
        ("noise=0.1:x", InputError, "needs an amount|no model variant"),
        ("", InputError, "no model variant"),
        ("nois=0.1", UnknownNameError, "did you mean 'noise'"),
    ],
)
def test_bad_variants_say_what_is_wrong(text: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        variants.parse(text)


@every_architecture
def test_variants_change_matrices_as_declared_and_repeatably(architecture: str) -> None:
    original = tiny.language_model(architecture, seed=3)
    before = {name: p.detach().clone() for name, p in original.named_parameters()}

    def changed(text: str) -> dict[str, Any]:
        module = copy.deepcopy(original)
        variants.parse(text)(module)
        return {name: p.detach() for name, p in module.named_parameters()}

    noisy, fresh = changed("noise=0.05"), changed("random")
    assert all(torch.equal(noisy[n], value) for n, value in changed("noise=0.05").items())
    assert all(torch.equal(fresh[n], value) for n, value in changed("random").items())
    assert any(not torch.equal(fresh[n], value) for n, value in changed("random:1").items())
    for name, value in before.items():
        if value.ndim != 2:
            assert torch.equal(noisy[name], value)
            continue
        assert float((noisy[name] - value).std() / value.std()) == pytest.approx(0.05, rel=0.15)
        assert abs(float(np.corrcoef(fresh[name].flatten(), value.flatten())[0, 1])) < 0.15


def test_a_random_copy_is_the_architectures_own_initialisation_and_moves_no_global_stream() -> None:
    module = tiny.language_model("llama", seed=3)
    state = torch.random.get_rng_state()
    variants.parse("random:5")(module)
    assert torch.equal(torch.random.get_rng_state(), state)
    expected = tiny.language_model("llama", seed=5).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in module.state_dict().items())
