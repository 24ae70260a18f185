"""Model adapters: networks with named sites. To add one: one file, and one line in ``ADAPTERS``.

PyTorch is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from congruity.models.load import Source, load_model, locate
    from congruity.models.torch_module import TorchModule
    from congruity.models.transformer_lens import TransformerLensModel

# name of the adapter -> (module, class)
ADAPTERS: tuple[tuple[str, str, str], ...] = (
    ("transformer-lens", "congruity.models.transformer_lens", "TransformerLensModel"),
    ("torch-module", "congruity.models.torch_module", "TorchModule"),
)
_LAZY = {name: module for _, module, name in ADAPTERS} | dict.fromkeys(
    ("Source", "load_model", "locate"), "congruity.models.load"
)

__all__ = ["ADAPTERS", "Source", "TorchModule", "TransformerLensModel", "load_model", "locate"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)
