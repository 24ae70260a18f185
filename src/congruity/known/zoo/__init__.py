"""Networks trained to compute a function by a known algorithm, each with a layout of its own: ground truth.

What is trained: `presets`. How: `training`, many networks in one set of tensors (`network`). What each carries where:
`layout`. Whether it does: `gates`. Kept and resumed: `shelf`.
"""

from __future__ import annotations

from congruity.known.zoo.presets import REGISTRY, WAYS, Job, Preset, by_preset, needed
from congruity.known.zoo.storage import Batch, checked, count, folder, load_zoo, targets_of, train_zoo, trained

__all__ = [
    "REGISTRY",
    "WAYS",
    "Batch",
    "Job",
    "Preset",
    "by_preset",
    "checked",
    "count",
    "folder",
    "load_zoo",
    "needed",
    "targets_of",
    "train_zoo",
    "trained",
]
