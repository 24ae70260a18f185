"""CONTRIBUTING is enough: its three examples are added to a copy of the package, and meet the contract tests there."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

import congruity

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n# src/congruity/(\w+)/(\w+)\.py\n(.*?)```", PAGE, flags=re.DOTALL)
CONTRACTS = ("distances/test_distances.py", "tasks/test_tasks.py", "models/test_models.py")


def register(home: Path, module: str, program: str) -> None:
    """Write the import, and the class in ``REGISTRY``."""
    text = home.read_text(encoding="utf-8")
    (kind,) = re.findall(r"^class (\w+)", program, flags=re.MULTILINE)
    family = home.parent.name
    (line,) = re.findall(r"^REGISTRY\b.*$", text, flags=re.MULTILINE)
    text = text.replace(line, line.replace(" = (", f" = ({kind}, "))
    first = re.search(rf"^from congruity\.{family}\.", text, flags=re.MULTILINE)
    assert first is not None
    here = first.start()
    home.write_text(f"{text[:here]}from congruity.{family}.{module} import {kind}\n{text[here:]}", encoding="utf-8")


def test_three_members_added_by_the_page_alone_meet_their_contracts(tmp_path: Path) -> None:
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("the contract of interventions needs the models extra")
    assert {family for family, _, _ in EXAMPLES} == {"distances", "tasks", "interventions"}
    copy = tmp_path / "src" / "congruity"
    shutil.copytree(Path(congruity.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for family, module, program in EXAMPLES:
        (copy / family / f"{module}.py").write_text(program, encoding="utf-8")
        register(copy / family / "__init__.py", module, program)
    names = [module for _, module, _ in EXAMPLES]
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-k", " or ".join(names)]
    done = subprocess.run(
        [*command, *(f"tests/{file}" for file in CONTRACTS)],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(tmp_path / "src")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    passed = re.findall(r"\[(.*)\] PASSED", done.stdout)
    counts = {name: sum(name in test for test in passed) for name in names}
    assert counts["frobenius"] >= 8 and counts["negate"] >= 5 and counts["weekday"] >= 1, counts


def test_files_and_registries_that_the_page_names_exist() -> None:
    source = Path(congruity.__file__).parent
    for path in re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", PAGE):
        assert (source / path).exists() or (ROOT / path).exists(), path
    for registry in re.findall(r"`([a-z_.]+)\.(REGISTRY|ADAPTERS)`", PAGE):
        module = importlib.import_module(f"congruity.{registry[0]}")
        assert hasattr(module, registry[1]), registry


def test_modules_of_the_changelog_moved_to_where_it_says() -> None:
    page = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    moved = re.findall(r"^\| `(congruity\.[\w.]+)` \| `(congruity\.[\w.]+)` \|$", page, flags=re.MULTILINE)
    assert len(moved) > 40
    for before, now in moved:
        assert there(now), now
        still = there(before)
        assert not still or still.submodule_search_locations, f"{before} is where it was"


def there(name: str) -> ModuleSpec | None:
    """Return the specification of a module, None where there is none; a folder has search locations."""
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
