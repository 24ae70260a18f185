"""The self-tests: a good model passes all, every fault is caught by the check for it; and what the demo says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import congruity as cg
import synthetic
from congruity.cached import Runner
from congruity.cli import demo
from congruity.errors import ModelError, NotApplicableError
from congruity.interventions import Resample
from congruity.sampling import selftests as doctor
from congruity.values import Behaviour, Comparison, Edit, Outputs

torch = pytest.importorskip("torch", reason="the light layer runs without PyTorch")
tiny = pytest.importorskip("tiny", reason="needs transformers, of the models extra")

TASK = tiny.LastToken()

# ------------------------------------------------------------------------------------------------------- doctor

CHECKS = {
    "logits": "adapter agrees with the plain forward pass",
    "batch": "a batch agrees with single prompts",
    "padding": "padding changes nothing",
    "self": "patching a site with itself changes nothing",
    "deaf": "an edit has an effect",
    "leak": "an edit leaves nothing behind",
    "noise": "the same run twice gives the same bits",
}


@dataclasses.dataclass
class SabotagedBound:
    """A bound model with one fault."""

    bound: Any
    fault: str
    edits_run: int = 0
    padded: bool = False

    def run(self, edits: Sequence[Edit | None], *, rows: Any = None, **options: Any) -> Iterator[Outputs]:
        edits = [None if self.fault == "deaf" else e for e in edits]
        for edit, out in zip(edits, self.bound.run(edits, rows=rows, **options), strict=True):
            real = edit is not None and len(edit.sites) > 0
            wrong = {
                "batch": rows is not None and len(rows) == 1,
                "padding": self.padded,
                "self": real and self.bound.intervention.name == "itself",
                "leak": not real and self.edits_run > 0 and rows is None,
                "noise": real and self.edits_run > 0,
            }.get(self.fault, False)
            self.edits_run += real
            yield dataclasses.replace(out, logit_difference=out.logit_difference * (1.5 if wrong else 1.0))


@dataclasses.dataclass
class Sabotaged:
    """A model with one fault, of an adapter that no registry knows."""

    model: Any
    fault: str

    @property
    def card(self) -> Any:
        return self.model.card

    @property
    def sites(self) -> Any:
        return self.model.sites

    def single_token(self, word: str) -> bool:
        return True

    def probe_error(self) -> float:
        return 0.2 if self.fault == "logits" else 0.0

    def bind(self, examples: Any, intervention: Any, *, pad: bool = False) -> Any:
        return SabotagedBound(self.model.bind(examples, intervention, pad=pad), self.fault, padded=pad)


@pytest.mark.parametrize("kind", ["module", "language model"])
def test_a_good_model_passes_every_check(kind: str) -> None:
    model, task = (tiny.module_model(), TASK) if kind == "module" else (tiny.pair("llama")[1], tiny.Words())
    checks = doctor.run_checks(model, task.examples(), Resample())
    assert [c.name for c in checks] == list(CHECKS.values()) and all(c.passed for c in checks)
    doctor.require(checks, "tiny")


def test_probes_of_text_make_a_batch_and_need_padding() -> None:
    model, examples = tiny.pair("llama")[1], tiny.Words().examples()
    groups = model.bind(examples.select(doctor.probes(examples)), Resample()).groups
    assert len(groups) > 1 and max(len(group.rows) for group in groups) > 1
    ioi = cg.tasks.ioi(n=200).examples()
    chosen = [str(ioi.clean[row]).split() for row in doctor.probes(ioi)]
    assert len(chosen) == 4 and len({len(words) for words in chosen}) < 4


@pytest.mark.parametrize("fault", CHECKS)
def test_a_sabotaged_model_fails_the_right_check(fault: str) -> None:
    model = Sabotaged(tiny.module_model(tiny.net(strength=0.3)), fault)
    checks = doctor.run_checks(model, TASK.examples(), Resample())
    assert [c.name for c in checks if not c.passed] == [CHECKS[fault]]
    constant = fault == "deaf"
    message = "net: the metric is constant" if constant else f"net: self-test failed: {CHECKS[fault]}"
    with pytest.raises(NotApplicableError if constant else ModelError, match=message):
        cg.fingerprint(TASK, model, n=2)


def test_a_module_that_looks_at_its_batch_fails_the_batch_check() -> None:
    class Batchy(tiny.Net):
        def forward(self, tokens: Any) -> Any:
            logits = super().forward(tokens)
            return logits - 0.5 * logits.mean(dim=0, keepdim=True)

    torch.manual_seed(0)
    checks = doctor.run_checks(tiny.module_model(Batchy(0.3)), TASK.examples(), Resample())
    assert CHECKS["batch"] in [c.name for c in checks if not c.passed]


# --------------------------------------------------------------------------------------------------------- demo


def test_what_the_demo_says_and_writes() -> None:
    a, b = synthetic.fingerprint("a", seed=1), synthetic.fingerprint("b", shift=0.1, seed=2)
    comparisons = (
        synthetic.comparison(a, b),
        *(synthetic.comparison(a, b, role="control", note="n", rho=None) for _ in range(3)),
    )
    result = demo.DemoResult(
        comparisons, {"a": 0.99}, {"load": 1.234}, 5.678, 321.09, Behaviour(0.9, 1.0, 0.01, 48), {"a": 0}
    )
    lines = demo.conclusions(result)
    assert lines[0].startswith("One trained network a side") and "30 prompts" in lines[0]
    assert f"a against b: C = {comparisons[0].result.score:.2f}" in lines[1] and "rho = 1.30" in lines[1]
    assert "rho = unknown" in lines[2] and demo.main_queries(result) == 30
    noisy = [
        dataclasses.replace(c, result=synthetic.changed(c.result, p_within=(1 - s / 2, 1 - s / 2)))
        for c, s in zip(comparisons, (1, 1, 0.2, 0), strict=True)
    ]
    assert len(demo.conclusions(dataclasses.replace(result, comparisons=tuple(noisy)))) == len(lines) + (
        comparisons[2].result.score >= 0.5
    )
    data = result.to_dict(Path("out/report.html"))
    assert [row["role"] for row in data["comparisons"]] == ["main", "control", "control", "control"]
    assert (
        data["seconds"] == {"load": 1.23} and data["floor_seconds"] == 5.68 and data["report"].endswith("report.html")
    )
    assert {"a", "b", "note", "score", "interval", "p_value", "verdict", "reason", "rho"} <= set(data["comparisons"][0])


def test_the_demo_reads_a_table_that_it_made_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONGRUITY_CACHE", str(tmp_path))
    runs: list[int] = []

    class Counted(cg.distances.Procrustes):
        def table(self, grams: Any, labels: Any, *, progress: Any) -> Any:
            runs.append(len(grams))
            return super().table(grams, labels, progress=progress)

    a, b = synthetic.fingerprint("a", 4, seed=1), synthetic.fingerprint("b", 4, seed=2)
    runners = [Runner(TASK, use_cache=cached) for cached in (True, True, False)]
    results = [demo._judged(runner, a, b, Counted()).to_dict() for runner in runners]
    assert results[0] == results[1] == results[2] and runs == [10] * 6  # all prompts and two halves, twice
    assert "read cache" in runners[1].clock.seconds and "distances" not in runners[1].clock.seconds
    assert demo._judged(runners[0], b, a, Counted()).names == ("b", "a") and len(runs) == 9


def test_a_comparison_flows_into_a_report() -> None:
    side = cg.fingerprint(TASK, tiny.module_model(tiny.net(strength=0.3)), n=4)
    from congruity.report import html

    page = html.page([Comparison(side, side, cg.compare(side, side, distance="procrustes"))], title="<tiny>")
    assert "&lt;tiny&gt;" in page and "net" in page
