"""Write the networks that come with the package, from the default zoo: ``python benchmarks/ship.py``."""

from __future__ import annotations

from pathlib import Path

from congruity._base.files import write_bytes
from congruity._base.progress import silent
from congruity.bench.ground_truth import trained
from congruity.known import shipped

TARGET = Path(shipped.__file__).parent / "default_zoo.npz"

if __name__ == "__main__":
    make = trained.regimes(0, False)["trained, values"]
    content = shipped.pack(list(make("choose", silent)), list(make("report", silent)))
    write_bytes(content, TARGET)
    print(f"{TARGET.name}: {len(content) / 1e6:.2f} MB")
