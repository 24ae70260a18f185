"""What a result was measured on, and how it is written."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

from congruity import store
from congruity._versions import versions
from congruity.clock import peak_rss_mb

RESULTS = Path(__file__).parent / "results"


def write(name: str, command: str, data: dict[str, Any]) -> Path:
    """Write ``results/NAME.json`` with the command, the machine, the versions and the peak memory of this process."""
    about = {
        "command": command,
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}, {sys.platform}",
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "versions": versions(),
        "peak_rss_mb": round(peak_rss_mb(), 1),
    }
    return store.write_json(about | data, RESULTS / f"{name}.json")
