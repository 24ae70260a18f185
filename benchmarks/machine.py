"""What a result was measured on, and how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from congruity import bench
from congruity._base import files

RESULTS = Path(__file__).parent / "results"


def write(name: str, command: str, data: dict[str, Any]) -> Path:
    """Write ``results/NAME.json`` with the command, the machine, the versions and the peak memory of this process."""
    return files.write_json({"command": command} | bench.about() | data, RESULTS / f"{name}.json")
