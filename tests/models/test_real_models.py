"""The real packaged models against plain Hugging Face, and the README's commands on SmolLM2 at small size."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import congruity as cg
from congruity import cli
from congruity.interventions import Resample
from congruity.values import Edit
from pages import blocks

torch = pytest.importorskip("torch", reason="the light layer runs without PyTorch")
pytestmark = pytest.mark.models

NAMES = ("smollm2-135m", "gemma-3-270m")
TOLERANCE = 1e-3  # relative to the largest value compared


def close(ours: np.ndarray, plain: np.ndarray) -> bool:
    return float(np.abs(ours - plain).max()) <= TOLERANCE * float(np.abs(plain).max())


class Plain:
    """The same weights in plain Hugging Face, with PyTorch's own hooks: an oracle that shares no code with ours."""

    def __init__(self, name: str) -> None:
        import transformers

        from congruity.models import locate

        folder = locate(name).folder
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def run(self, text: str, patch: tuple[int, int, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        layers = self.model.model.layers
        width = self.model.config.head_dim
        seen: dict[str, np.ndarray] = {}
        handles = []

        def before_projection(layer: int):
            def hook(module, inputs):
                z = inputs[0].clone()
                if patch is not None and patch[0] == layer:
                    part = slice(patch[1] * width, (patch[1] + 1) * width)
                    z[..., part] = torch.as_tensor(patch[2])
                seen[f"z{layer}"] = z[0].numpy()
                return (z,)

            return hook

        def after_block(layer: int):
            def hook(module, inputs, output):
                hidden = output[0] if isinstance(output, tuple) else output
                seen[f"resid{layer}"] = hidden[0, -1].numpy()

            return hook

        for layer, block in enumerate(layers):
            handles.append(block.self_attn.o_proj.register_forward_pre_hook(before_projection(layer)))
            handles.append(block.register_forward_hook(after_block(layer)))
        with torch.inference_mode():
            seen["logits"] = self.model(**self.tokenizer(text, return_tensors="pt")).logits[0, -1].numpy()
        for handle in handles:
            handle.remove()
        return seen


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_plain_hugging_face(name: str) -> None:
    model = cg.load_model(name)
    examples = cg.tasks.ioi(n=8).examples(model.single_token).select(np.array([0, 3]))
    bound = model.bind(examples, Resample())
    plain = Plain(name)
    site = next(s for s in model.sites if s.layer == model.card.n_layers // 2 and s.index == 1)
    clean, patched = bound.run([None, Edit((site,), "resample")], read=True)
    log_probs = bound.log_probs().numpy()
    for i in range(2):
        expected = plain.run(examples.clean[i])
        assert close(log_probs[i], torch.log_softmax(torch.as_tensor(expected["logits"]), -1).numpy())
        for layer, (_, values) in enumerate(clean.layers):
            assert close(values[i], expected[f"resid{layer}"]), f"residual after block {layer}"
        width = plain.model.config.head_dim
        other = plain.run(examples.counterfactual[i])
        new = other[f"z{site.layer}"][:, site.index * width : (site.index + 1) * width]
        group = next(g for g in range(len(bound.groups)) if i in bound.groups[g].rows)
        row = list(bound.groups[group].rows).index(i)
        ours = bound.session.prepared(group).replacements[site.hook][row].unflatten(-1, (-1, width))
        assert close(ours[:, site.index].numpy(), new[-ours.shape[0] :]), "head output on the counterfactual"
        edited = plain.run(examples.clean[i], patch=(site.layer, site.index, new))
        for layer, (_, values) in enumerate(patched.layers):
            assert close(values[i], edited[f"resid{layer}"]), f"residual after block {layer} with a patched head"
        gap = plain_difference(plain, examples.answers[i], examples.foils[i], edited["logits"])
        assert abs(patched.logit_difference[i] - gap) <= TOLERANCE * np.abs(edited["logits"]).max()


def plain_difference(plain: Plain, answer: str, foil: str, logits: np.ndarray) -> float:
    ids = [plain.tokenizer(word, add_special_tokens=False)["input_ids"] for word in (answer, foil)]
    assert [len(i) for i in ids] == [1, 1]
    return float(logits[ids[0][0]] - logits[ids[1][0]])


# ----------------------------------------------------------------------------------------------------- the whole flow

SMALL = ["--prompts", "8", "-n", "2"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the terminal commands of the README, fingerprints at small size, and return the folder they wrote to."""
    folder = tmp_path_factory.mktemp("readme")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in blocks("sh")[0].strip().splitlines():
            program, command, *rest = line.split()
            assert program == "congruity"
            size = SMALL if command == "fingerprint" else []
            patch.setattr(sys, "argv", [program, command, *rest, *size, "--quiet"])
            with pytest.raises(SystemExit) as stop:
                cli.main()
            assert not stop.value.code, line
    return folder


def test_the_commands_of_the_readme_write_fingerprints_and_a_report(written: Path) -> None:
    a, b = (cg.Fingerprint.load(written / f"{name}.safetensors") for name in "ab")
    for side in (a, b):
        assert side.accuracy >= 0.9 and all(check.passed for check in side.checks)
        assert side.n == 2 and all(i.behaviour.kl <= 0.1 for i in side.admitted)
    assert cg.Fingerprint.load(a.save(written / "again.safetensors")).digest == a.digest != b.digest
    assert (written / "congruity-report" / "report.html").stat().st_size > 20_000
    result = json.loads((written / "congruity-report" / "result.json").read_text(encoding="utf-8"))
    assert result["verdict"] == "undecided" and result["names"] == ["smollm2-135m", "smollm2-135m+noise=0.01"]


def test_a_noisy_copy_is_near_and_random_weights_are_far_and_not_applicable(written: Path) -> None:
    a, b = (cg.Fingerprint.load(written / f"{name}.safetensors") for name in "ab")
    random = cg.fingerprint(cg.tasks.ioi(n=8), "smollm2-135m+random", n=2, require_task=False)
    near, far = (cg.compare(a, other, distance="procrustes") for other in (b, random))
    assert near.rho is not None and far.rho is not None and near.rho < far.rho
    assert far.verdict == "not applicable" and "cannot do the task" in far.reason
    assert near.verdict == "undecided" and near.scope == "these two networks"
    assert cg.compare(a, a, distance="procrustes").rho == pytest.approx(0, abs=1e-6)
