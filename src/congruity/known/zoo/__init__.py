"""Networks trained to compute a function by a known algorithm, each with a layout of its own: ground truth.

presets           which networks a zoo has
interchange_data  inputs and interchanges that they are trained on
layout            which node of a network carries which variable
network           many networks in one set of tensors
training          strict interchange intervention training
criteria          what a trained network must reach
storage           trained networks on disk
model             one network as a `Model`
"""

from __future__ import annotations

from congruity.known.zoo.presets import REGISTRY, WAYS, Job, Preset, by_preset, needed
from congruity.known.zoo.storage import (
    TrainedNetworks,
    checked,
    count,
    folder,
    load_zoo,
    targets_of,
    train_zoo,
    trained,
)

__all__ = [
    "REGISTRY",
    "WAYS",
    "Job",
    "Preset",
    "TrainedNetworks",
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
