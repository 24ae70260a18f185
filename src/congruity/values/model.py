"""A network as data: its card, its sites, and the self-tests that it passed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SiteKind = Literal["head", "mlp", "module"]


@dataclass(frozen=True, order=True)
class Site:
    """A place whose activation can be read and replaced, by its TransformerLens hook name.

    A head is ``blocks.3.attn.hook_z`` with ``index`` 5, written ``blocks.3.attn.hook_z[5]``; an MLP output is
    ``blocks.3.hook_mlp_out``; in a plain PyTorch module ``hook`` is the module's path.
    """

    layer: int
    kind: SiteKind
    hook: str
    index: int | None = None

    def __str__(self) -> str:
        return self.hook if self.index is None else f"{self.hook}[{self.index}]"


@dataclass(frozen=True)
class ModelCard:
    """Which network, exactly.

    Attributes:
        name: as the user called it.
        digest: SHA-256 of the weights as stored, or of the recipe that made them from such weights.
        base: name of the independently trained network (copies of one network share it).
        adapter: registry name of the adapter that ran it.
        n_layers, n_heads, d_model: its shape (0 where the notion does not apply).
        bos: whether a beginning-of-sequence token was prepended.
        dtype, revision: precision it ran in; pinned revision, if any.
    """

    name: str
    digest: str
    base: str
    adapter: str
    n_layers: int
    n_heads: int
    d_model: int
    bos: bool = False
    dtype: str = "float32"
    revision: str | None = None


@dataclass(frozen=True)
class Check:
    """A self-test of the machinery that ran before a fingerprint: what, whether it held, the number and its limit."""

    name: str
    passed: bool
    value: float
    limit: float
    detail: str = ""
