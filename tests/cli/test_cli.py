"""The command line: what it prints, its exit codes, one sentence for every mistake, and what it never imports."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import congruity as cg
import synthetic
from congruity.errors import CongruityError, ModelError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    a, b = synthetic.fingerprint("a", 8, seed=1), synthetic.fingerprint("b", 8, shift=0.1, seed=2)
    return a.save(tmp_path / "a.safetensors"), b.save(tmp_path / "b.safetensors")


# ------------------------------------------------------------------------------------------------------- listings


def test_help_names_every_command_and_version_is_the_packages(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0 and all(name in out for name in ("demo", "fingerprint", "compare", "tasks", "distances", "doctor"))
    assert run("--version") == (0, f"{cg.__version__}\n", "")
    assert run("compare", "-h")[0] == 0
    assert run("nonsense")[0] == 2


def test_listings_are_text_and_json(run: Run) -> None:
    code, out, err = run("distances", "--json")
    rows = json.loads(out)
    assert (code, err) == (0, "") and [r["name"] for r in rows] == [d.name for d in cg.distances.REGISTRY]
    assert {"metric", "symmetric", "ignores", "reference"} <= set(rows[0])
    text = run("distances")[1]
    assert all(row["name"] in text and row["reference"].split()[0] in text for row in rows)
    assert [r["name"] for r in json.loads(run("tasks", "--json")[1])] == [t.name for t in cg.tasks.REGISTRY]
    assert "clean,corrupted,answer,foil" in run("tasks")[1]


# ------------------------------------------------------------------------------------------------------ comparing


@pytest.mark.parametrize("distance", ["ridge", "procrustes"])
def test_compare_writes_a_report_and_prints_the_result(run: Run, sides: tuple[Path, Path], distance: str) -> None:
    code, out, err = run("compare", *sides, "--distance", distance, "--out", "r", "--json")
    data = json.loads(out)
    assert (code, err) == (0, "") and data == json.loads(Path("r/result.json").read_text())
    fields = (
        "score score_min p_within separation asymmetry separability interval p_value smallest_margin verdict reason"
    )
    assert set(fields.split()) | {"n", "rho", "warnings", "provenance", "report"} <= set(data)
    expected = cg.compare(*sides, distance=distance)
    assert data["score"] == expected.score and data["verdict"] == expected.verdict and data["n"] == [8, 8]
    page = Path(data["report"]).read_text()
    assert page.startswith("<!doctype html>") or page.startswith("<!DOCTYPE html>")
    assert sorted(p.name for p in Path("r").iterdir()) == ["report.html", "result.json"]
    code, text, _ = run("compare", *sides, "--distance", distance, "--out", "r", "--quiet")
    assert code == 0 and expected.verdict in text and "Report: r/report.html" in text


def test_compare_with_an_incapable_side_exits_with_three(run: Run, sides: tuple[Path, Path]) -> None:
    import dataclasses

    unable = dataclasses.replace(synthetic.fingerprint("b", 8, seed=2), capable=False, accuracy=0.5)
    unable.save(sides[1])
    code, out, _ = run("compare", *sides, "--distance", "ridge", "--json")
    assert code == 3 and json.loads(out)["verdict"] == "not applicable"
    assert Path("congruity-report/report.html").is_file()


# --------------------------------------------------------------------------------------------------------- errors


def damaged(path: Path, kind: str) -> Path:
    content = bytearray(path.read_bytes())
    if kind == "truncated":
        del content[-100:]
    else:
        content[-5] ^= 1
    path.write_bytes(content)
    return path


def gguf_file(path: Path, kind: str) -> Path:
    if kind == "other bytes":
        path.write_bytes(b"PK\x03\x04 not a model")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "old version":
        path.write_bytes(b"GGUF" + struct.pack("<I", 1) + bytes(64))
    else:
        gguf = pytest.importorskip("gguf", reason="of the models extra")
        writer = gguf.GGUFWriter(str(path), "llama")
        writer.add_tensor("token_embd.weight", np.zeros((16, 8), np.float32))
        for step in ("write_header_to_file", "write_kv_data_to_file", "write_tensors_to_file", "close"):
            getattr(writer, step)()
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * float(kind))])
    return path


def both(folder: Path) -> tuple[object, ...]:
    return "compare", folder / "a.safetensors", folder / "b.safetensors"


MISTAKES: list[tuple[str, Callable[[Path], tuple[object, ...]], str]] = [
    ("distance", lambda d: (*both(d), "--distance", "rigde"), "did you mean 'ridge'"),
    ("task", lambda d: (*both(d), "--task", "iio"), "did you mean 'ioi'"),
    ("margin", lambda d: (*both(d), "--distance", "ridge", "--margin", "3"), "margin is 3.0"),
    ("missing", lambda d: ("compare", d / "none.safetensors", d / "b.safetensors"), "no such fingerprint file"),
    ("other queries", lambda d: ("compare", d / "a.safetensors", d / "c.safetensors"), "numbers of queries, 30 and 20"),
    ("truncated", lambda d: ("compare", damaged(d / "a.safetensors", "truncated"), d / "b.safetensors"), "truncated"),
    ("edited", lambda d: ("compare", d / "a.safetensors", damaged(d / "b.safetensors", "edited")), "digest|damaged"),
    ("model", lambda d: ("fingerprint", "smollm", "-o", d / "x.safetensors"), "did you mean 'smollm2-135m'"),
    ("variant", lambda d: ("fingerprint", "smollm2-135m+nois=1", "-o", d / "x.safetensors"), "did you mean 'noise'"),
    ("suffix", lambda d: ("fingerprint", "smollm2-135m", "-o", d / "x.npz"), r"ends in \.safetensors"),
    ("pickle", lambda d: ("fingerprint", d / "m.pt", "-o", d / "x.safetensors"), "never unpickles"),
    ("folder", lambda d: ("doctor", d), "no config.json, but a.safetensors"),
    ("strength", lambda d: ("fingerprint", "smollm2-135m", "-o", d / "x.safetensors", "--kl", "-1"), "kl = -1.0 must"),
    ("finder", lambda d: ("fingerprint", "smollm2-135m", "-o", d / "x.safetensors", "--finder", "patchin"), "patching"),
    ("write", lambda d: ("fingerprint", "smollm2-135m", "-o", d / "x.safetensors", "--intervention", "men"), "'mean'"),
    ("copies", lambda d: ("fingerprint", "m", "-o", d / "x.safetensors", "--copies", "luck"), "kind is 'luck'"),
    ("by", lambda d: ("fingerprint", "smollm2-135m", "-o", d / "x.safetensors", "--by", "luck"), "by = 'luck'"),
    ("prompts", lambda d: ("demo", "--prompts", "2"), "n = 2 prompts are too few"),
    ("no gguf", lambda d: ("doctor", d / "x.gguf"), "no such GGUF file"),
    ("zip", lambda d: ("doctor", gguf_file(d / "x.gguf", "other bytes")), r"is no GGUF file: it starts with b'PK"),
    ("empty", lambda d: ("doctor", gguf_file(d / "x.gguf", "empty")), "is no GGUF file"),
    ("version", lambda d: ("doctor", gguf_file(d / "x.gguf", "old version")), "is GGUF version 1; versions 2 and 3"),
    ("cut header", lambda d: ("doctor", gguf_file(d / "x.gguf", "0.1")), "truncated or damaged"),
    ("cut tensors", lambda d: ("doctor", gguf_file(d / "x.gguf", "0.8")), "truncated"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_one_sentence_on_standard_error(
    run: Run, sides: tuple[Path, Path], tmp_path: Path, arguments: Callable[[Path], tuple[object, ...]], message: str
) -> None:
    import re

    command = arguments(tmp_path)
    if command[0] in ("fingerprint", "doctor"):
        pytest.importorskip("transformer_lens", reason="of the models extra")
    synthetic.fingerprint("c", 8, m=20).save(tmp_path / "c.safetensors")
    code, out, err = run(*command)
    assert code == 2 and out == ""
    assert err.startswith("congruity: ") and err.count("\n") == 1 and "Traceback" not in err
    assert re.search(message, err), err
    assert not (tmp_path / "x.safetensors").exists() and not (tmp_path / "congruity-report").exists()


def test_an_output_folder_that_is_a_file_is_one_sentence(run: Run, sides: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "r").write_text("")
    assert run("compare", *sides, "--distance", "ridge", "--out", "r")[0] == 2


@pytest.mark.parametrize("revision", [None, "main", "0123abcd", "g" * 40])
def test_remote_code_needs_a_pinned_revision(revision: str | None) -> None:
    pytest.importorskip("transformer_lens", reason="of the models extra")
    with pytest.raises(ModelError, match="needs revision= with the 40 hexadecimal digits") as error:
        cg.load_model("owner/name", trust_remote_code=True, revision=revision)
    assert repr(revision) in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int8"}, "dtype is 'int8'; use float32"),
        pytest.param({"device": "foo"}, "foo"),
    ],
)
def test_bad_options_of_load_model(options: dict[str, Any], message: str) -> None:
    pytest.importorskip("transformer_lens", reason="of the models extra")
    with pytest.raises(CongruityError, match=message):
        cg.load_model("owner/name", **options)


def test_a_module_of_another_kind_is_refused() -> None:
    torch = pytest.importorskip("torch", reason="the light layer runs without PyTorch")
    with pytest.raises(ModelError, match=r"cannot load Linear: .*TorchModule\(module, edits="):
        cg.load_model(torch.nn.Linear(2, 2))


# ------------------------------------------------------------------------------------------------------ processes

BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "transformer_lens", "gguf", "tokenizers"):
            raise ModuleNotFoundError(f"blocked {name}", name=name)
if "block" in sys.argv:
    sys.meta_path.insert(0, Blocker())
import congruity, congruity.cli, congruity.pipeline
congruity.estimate, congruity.d_repr, congruity.Fingerprint, congruity.compare
sys.argv = ["congruity", "compare", *sys.argv[1:3], "--distance", "procrustes", "--json", "--out", sys.argv[3]]
try:
    congruity.cli.main()
except SystemExit as stop:
    heavy = sorted(m for m in sys.modules if m in ("torch", "transformers", "transformer_lens"))
    print("HEAVY", heavy, "CODE", stop.code, file=sys.stderr)
"""


@pytest.mark.parametrize("mode", ["free", "block"])
def test_comparing_fingerprints_imports_no_pytorch(sides: tuple[Path, Path], tmp_path: Path, mode: str) -> None:
    command = [sys.executable, "-c", BLOCKED, *map(str, sides), str(tmp_path / "r"), mode]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert "HEAVY [] CODE 0" in done.stderr and json.loads(done.stdout)["n"] == [8, 8]


def test_a_model_without_pytorch_is_the_command_that_installs_it() -> None:
    code = BLOCKED.split("import congruity,")[0] + "import congruity\ncongruity.load_model('smollm2-135m')"
    done = subprocess.run([sys.executable, "-c", code, "block"], capture_output=True, text=True, timeout=300)
    assert done.stderr.strip().splitlines()[-1].endswith("pip install 'congruity[models]'")


INTERRUPTED = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits that it is ignored
from congruity import cli, distances
def interrupt(name):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
distances.by_name = interrupt
sys.argv = ["congruity", "compare", "a.safetensors", "b.safetensors"]
cli.main()
"""


def test_ctrl_c_exits_with_130_and_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=300, cwd=tmp_path
    )
    assert done.returncode == 128 + signal.SIGINT and done.stdout == "" and "Traceback" not in done.stderr
    assert done.stderr.startswith("congruity: interrupted") and done.stderr.count("\n") == 1


def test_bench_distances_measures_the_same_numbers_as_scikit_learn(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = run("bench", "distances", "--small", "--json", "--quiet")
    found = json.loads(out)
    assert code == 0 and found["ridge_max_abs_diff"] < 1e-6 and found["spectral_worst_relative_gap"] <= 1.1e-3
    assert found["ridge_pairs"] == 12 and found["ridge_speedup"] > 0 and found["peak_rss_mb"] > 0
    assert 0 < found["spectral_seconds_200"] <= max(found["spectral_by_data"]["30"].values())
    assert len(found["peers"]) >= 2 and all(p["max_abs_diff"] < 1e-6 and p["ratio"] > 0 for p in found["peers"])
    assert {"spectral_seconds_200", "spectral_seconds_1000", "device", "machine", "versions"} <= set(found)
    assert run("bench", "distance")[0] == 2
    monkeypatch.setattr("congruity.bench.run", lambda name, **options: found)
    assert run("bench", "distances", "--small", "--quiet")[1].startswith("ridge_pairs: 12")


def test_bench_inference_reports_rates_with_their_errors(run: Run) -> None:
    code, out, _ = run("bench", "inference", "--small", "--json", "--quiet")
    found = json.loads(out)
    assert code == 0 and found["replicates"] == 4
    for name in ("size", "coverage", "power"):
        assert found[name] and all({"population", "n", "rate", "se"} <= set(cell) for cell in found[name])
        assert all(0 <= cell["rate"] <= 1 for cell in found[name])
    assert {cell["n"] for cell in found["coverage"]} == {5, 10}
    assert found["seconds_40"] > 0 and found["seconds_200"] > 0 and found["false_different"] <= 1
    p1, p2 = found["truth"]["normal"].values()
    assert abs(p1 - 0.5) < 0.05 and abs(p2 - 0.5) < 0.05


@pytest.mark.models
def test_bench_circuits_measures_against_a_plain_loop(run: Run) -> None:
    pytest.importorskip("transformers", reason="needs the models extra")
    code, out, _ = run("bench", "circuits", "--small", "--json", "--quiet")
    found = json.loads(out)
    assert code == 0 and {"attribution_speedup", "patching_speedup", "hybrid_overlap", "hybrid_cost_ratio"} <= set(
        found
    )
    assert {"floor_ratio", "peak_rss_mb", "self_congruity", "spearman", "control"} <= set(found)
    for row in found["by_model"].values():
        assert row["loop_against_exact"] < 1e-4, "exact patching is exact"
        assert row["spearman"]["low"] <= row["spearman"]["value"] <= row["spearman"]["high"] + 1e-9
    for row in found["control"]["measures"].values():
        assert 0 <= row["low"] <= row["auroc"] <= row["high"] <= 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--edits-of", "a.safetensors", "-n", 4), "--edits-of does not go with --implementations"),
        (("--edits-of", "a.safetensors", "--kl", 0.01, "--by", "scale"), "--edits-of does not go with --kl, --by"),
        (("--copies", "noise", "--finder", "patching"), "--copies does not go with --finder"),
        (("--copies", "noise", "--kl", 0.01, "--kl", 0.02), "--copies does not go with several --kl"),
    ],
)
def test_options_that_do_not_go_together_are_both_named_before_a_model_is_loaded(
    run: Run, options: tuple[object, ...], named: str
) -> None:
    code, out, err = run("fingerprint", "no-such-model", "-o", "b.safetensors", *options)
    assert code == 2 and out == "" and named in err and err.count("\n") == 1
