"""What a run of either half loads: making fingerprints loads nothing that compares them, comparing loads no PyTorch."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import synthetic

TESTS = Path(__file__).parents[1]
LOADED = "import sys; print(*sorted({m.split('.')[1] for m in sys.modules if m.startswith('congruity.')}))"
MAKE = f"""
import tiny
import congruity as cg
model = tiny.module_model(tiny.net(strength=0.3))
cg.fingerprint(tiny.LastToken(), model, n=3, budget=cg.Budget(kl=0.005, by="scale")).save("a.safetensors")
{LOADED}
"""
COMPARE = f"""
import sys
sys.modules |= dict.fromkeys(("torch", "transformers", "transformer_lens"))  # imports of these fail
import congruity as cg
print(cg.compare("a.safetensors", "b.safetensors", distance="procrustes").verdict)
{LOADED}
"""


def lines_of(program: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(TESTS)!r})\n{program}"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_making_a_fingerprint_loads_nothing_that_compares(tmp_path: Path) -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("the light layer runs without PyTorch")
    loaded = set(lines_of(MAKE, tmp_path)[-1].split())
    assert {"sampling", "models"} <= loaded
    assert not loaded & {"report", "comparison", "inference", "distances", "known", "bench", "evaluation", "cli"}


def test_comparing_two_fingerprints_loads_no_pytorch_and_nothing_that_makes_them(tmp_path: Path) -> None:
    synthetic.fingerprint("a", seed=1).save(tmp_path / "a.safetensors")
    synthetic.fingerprint("b", seed=2, shift=0.5).save(tmp_path / "b.safetensors")
    verdict, rooms = lines_of(COMPARE, tmp_path)
    assert verdict == "undecided" and {"comparison", "distances"} <= set(rooms.split())
    assert not set(rooms.split()) & {"models", "known", "bench", "cli", "evaluation"}
