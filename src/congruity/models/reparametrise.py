"""The same function in other weights: heads and neurons permuted, or the residual stream rotated.

A language model does not fix its own coordinates. Every MLP ``sum_i out_i f(in_i x)`` and every sum over attention
heads may be written in any order, and where the residual stream is read through nothing but RMS norms, its basis is
free: with ``Q`` orthogonal, ``RMS(h Q) = RMS(h) Q``, so that ``h -> h Q`` is undone by the matrices that read it.
Two such copies are equivalent by construction, whatever their weights look like.

Sources: Ainsworth et al. 2023, "Git Re-Basin" (permutations); Ashkboos et al. 2024, "SliceGPT" (rotations).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from congruity.errors import ModelError

_ATTENTION_NAMES = ("self_attn", "attn", "attention")
_MLP_NAMES = ("mlp",)
# What reads the residual stream and what writes to it, as the architectures call it.
_ATTENTION = (
    (("q_proj", "k_proj", "v_proj"), "o_proj"),
    (("c_attn",), "c_proj"),  # GPT-2: all queries, then all keys, then all values
    (("query_key_value",), "dense"),  # GPT-NeoX: query, key and value of the first head, then of the second, ...
)
_MLP = (
    (("gate_proj", "up_proj"), "down_proj"),
    (("c_fc",), "c_proj"),
    (("dense_h_to_4h",), "dense_4h_to_h"),
)
_NORMS = ("input_layernorm", "post_attention_layernorm")
_ROTATABLE = "as in Llama, Mistral, Qwen2 and the first Gemma"


# ------------------------------------------------------------------------------------------------ finding the parts


@dataclass(frozen=True)
class _Part:
    """The attention or the MLP of one layer: matrices that read the residual stream, and the one that writes to it."""

    module: Any
    readers: tuple[Any, ...]
    writer: Any

    def others(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters that belong to none of the matrices."""
        known = {id(p) for matrix in (*self.readers, self.writer) for p in matrix.parameters()}
        return ((name, p) for name, p in self.module.named_parameters() if id(p) not in known)


def layers(module: Any) -> nn.ModuleList:
    """Return the decoder layers of a Hugging Face causal language model, first layer first.

    Raises:
        ModelError: there is no such list where Hugging Face keeps it.
    """
    decoder = module.get_decoder() if hasattr(module, "get_decoder") else module
    for name in ("layers", "h"):
        found = getattr(decoder, name, None)
        if isinstance(found, nn.ModuleList):
            return found
    raise ModelError(f"{type(module).__name__}: no decoder layers were found, neither as 'layers' nor as 'h'")


def _part(layer: Any, what: str, names: Sequence[str], known: Sequence[tuple[tuple[str, ...], str]]) -> _Part:
    """Find one part of a layer; what it holds besides its matrices is refused unless it acts within a head."""
    place = next((name for name in names if hasattr(layer, name)), None)
    if place is None:
        raise ModelError(f"{type(layer).__name__}: no {what} was found under the name {' or '.join(names)}")
    module = getattr(layer, place)
    for readers, writer in known:
        matrices = [getattr(module, name, None) for name in (*readers, writer)]
        if all(isinstance(matrix, (nn.Linear, Conv1D)) for matrix in matrices):
            part = _Part(module, tuple(matrices[:-1]), matrices[-1])
            break
    else:
        options = "; or ".join(", ".join((*readers, writer)) for readers, writer in known)
        raise ModelError(f"{type(module).__name__}: no {what} matrices were found: neither {options}")
    width = head_width(module) if what == "attention" else 0
    for name, parameter in part.others():
        if parameter.shape != (width,):
            raise ModelError(
                f"{type(module).__name__}: it is not known how {name} of shape {tuple(parameter.shape)} depends on "
                "the order of heads or neurons"
            )
    return part


def head_width(attention: Any) -> int:
    """Return how many numbers an attention head has.

    Raises:
        ModelError: the attention module does not say.
    """
    width = getattr(attention, "head_dim", None) or getattr(attention, "head_size", None)
    if not width:
        raise ModelError(f"{type(attention).__name__}: no width of a head was found, neither head_dim nor head_size")
    return int(width)


# ---------------------------------------------------------------------------------------------------- permutations


def permute(module: Any, seed: int = 0) -> None:
    """Permute the MLP neurons and the attention heads of every layer in place; no logit changes.

    Key and value heads are permuted, and with each go its query heads, permuted among themselves; without grouped
    queries that is any permutation of the heads.

    Args:
        module: a Hugging Face causal language model.
        seed: of the permutations, which are drawn uniformly and anew for every layer.

    Raises:
        ModelError: a part of the model was not found, or depends on the order in a way that is not known.
    """
    orders = _orders(module, torch.Generator().manual_seed(seed))  # all found before any is changed
    with _same_function(module, "permute"), torch.no_grad():
        for order in orders:
            _reorder(*order)


# A matrix, its new order, and whether that is the order of its outputs or of its inputs.
_Order = tuple[Any, Tensor, bool]


def _orders(module: Any, generator: torch.Generator) -> list[_Order]:
    orders: list[_Order] = []
    for layer in layers(module):
        orders += _head_orders(_part(layer, "attention", _ATTENTION_NAMES, _ATTENTION), generator)
        mlp = _part(layer, "MLP", _MLP_NAMES, _MLP)
        neurons = torch.randperm(_size(mlp.writer, outputs=False), generator=generator)
        orders += [*((reader, neurons, True) for reader in mlp.readers), (mlp.writer, neurons, False)]
    return orders


def _head_orders(part: _Part, generator: torch.Generator) -> list[_Order]:
    width = head_width(part.module)
    sizes = [_size(reader, outputs=True) for reader in part.readers]
    queries = _size(part.writer, outputs=False) // width
    groups = sizes[1] // width if len(sizes) == 3 else queries
    whole = [queries * width, groups * width, groups * width] if len(sizes) == 3 else [3 * queries * width]
    if not groups or queries % groups or [*sizes, _size(part.writer, outputs=False)] != [*whole, queries * width]:
        raise ModelError(
            f"{type(part.module).__name__}: {sizes} outputs (queries, keys, values) do not divide into heads of {width}"
        )
    keys = torch.randperm(groups, generator=generator)
    each = queries // groups
    heads = torch.cat([key * each + torch.randperm(each, generator=generator) for key in keys])
    if len(sizes) == 3:
        orders = [_blocks(heads, width), _blocks(keys, width), _blocks(keys, width)]
    elif isinstance(part.readers[0], Conv1D):
        orders = [_blocks(torch.cat([heads, queries + heads, 2 * queries + heads]), width)]
    else:
        orders = [_blocks(heads, 3 * width)]
    readers = [(reader, order, True) for reader, order in zip(part.readers, orders, strict=True)]
    return [*readers, (part.writer, _blocks(heads, width), False)]


def _blocks(order: Tensor, width: int) -> Tensor:
    """Indices of blocks of ``width`` numbers in the given order of blocks."""
    return (order[:, None] * width + torch.arange(width)).flatten()


def _size(matrix: Any, *, outputs: bool) -> int:
    return int(matrix.weight.shape[_axis(matrix, outputs)])


def _axis(matrix: Any, outputs: bool) -> int:
    """Linear stores (outputs, inputs), Conv1D (inputs, outputs)."""
    return int(outputs == isinstance(matrix, Conv1D))


def _reorder(matrix: Any, order: Tensor, outputs: bool) -> None:
    weight, bias = matrix.weight, matrix.bias
    order = order.to(weight.device)
    weight.copy_(weight.index_select(_axis(matrix, outputs), order))
    if outputs and bias is not None:
        bias.copy_(bias[order])


# -------------------------------------------------------------------------------------------------------- rotations


def rotate(module: Any, seed: int = 0) -> None:
    """Rotate the residual stream by one random orthogonal matrix in place; no logit changes.

    With gains ``g`` of the norm in front of a matrix ``W`` (outputs by inputs) that reads the stream,
    ``W -> (W diag(g)) Q`` and ``g -> 1``; a matrix that writes, ``W -> Q^T W`` and ``b -> b Q``; embeddings
    ``E -> E Q``. The unembedding is untied first, since gains go into it and not into the embedding.

    Args:
        module: a Hugging Face causal language model whose stream is read through RMS norms only.
        seed: of the rotation, which is drawn from the uniform (Haar) distribution (Mezzadri 2007).

    Raises:
        ModelError: something acts in the basis of the stream (a mean that is subtracted, gains on what is added,
            position embeddings), or a part was not found.
    """
    reads, writes, norms = _stream(module)
    gains = [_gain(norm) for norm in norms]  # all found before any is changed
    embedding, head = module.get_input_embeddings(), module.get_output_embeddings()
    rotation = _orthogonal(embedding.weight.shape[1], seed)
    with _same_function(module, "rotate"), torch.no_grad():
        _untie(module, embedding, head)
        for (gain, neutral), norm, matrices in zip(gains, norms, reads, strict=True):
            for matrix in matrices:
                _write(matrix.weight, lambda w, q, g=gain: (w * g.to(w)) @ q, rotation)
            norm.weight.fill_(neutral)
        for matrix in writes:
            _write(matrix.weight, lambda w, q: q.T @ w, rotation)
            if matrix.bias is not None:
                _write(matrix.bias, lambda b, q: b @ q, rotation)
        _write(embedding.weight, lambda e, q: e @ q, rotation)


def _stream(module: Any) -> tuple[list[tuple[Any, ...]], list[Any], list[Any]]:
    """Matrices that read the residual stream behind each norm, matrices that write to it, and the norms."""
    blocks = layers(module)
    if any(isinstance(m, nn.LayerNorm) for m in module.modules()):
        _refuse(module, "its LayerNorm subtracts the mean, which singles out one direction of the residual stream")
    decoder, head = module.get_decoder(), module.get_output_embeddings()
    embedding = module.get_input_embeddings()
    _nothing_else(module, decoder, {id(m) for m in (blocks, embedding, getattr(decoder, "norm", None))})
    reads, writes, norms = [], [], []
    for layer in blocks:
        known = [getattr(layer, name, None) for name in (*_NORMS, *_ATTENTION_NAMES, *_MLP_NAMES)]
        _nothing_else(module, layer, {id(m) for m in known})
        attention = _part(layer, "attention", _ATTENTION_NAMES, _ATTENTION[:1])
        mlp = _part(layer, "MLP", _MLP_NAMES, _MLP[:1])
        for name, part in zip(_NORMS, (attention, mlp), strict=True):
            norms.append(_norm(layer, name))
            reads.append(part.readers)
            writes.append(part.writer)
    return [*reads, (head,)], writes, [*norms, _norm(decoder, "norm")]


def _nothing_else(module: Any, parent: Any, known: Iterable[int]) -> None:
    children = [name for name, m in parent.named_children() if id(m) not in known and any(True for _ in m.parameters())]
    own = [name for name, _ in parent.named_parameters(recurse=False)]
    if children or own:
        _refuse(module, f"{', '.join([*children, *own])} of {type(parent).__name__} fixes the residual stream's basis")


def _norm(parent: Any, name: str) -> Any:
    norm = getattr(parent, name, None)
    if norm is None or getattr(norm, "weight", None) is None:
        raise ModelError(f"{type(parent).__name__}: no norm with gains was found under the name {name}")
    return norm


def _refuse(module: Any, why: str) -> None:
    raise ModelError(
        f"{type(module).__name__} cannot be rotated: {why}; a rotation needs a residual stream that is read only "
        f"through RMS norms and written to without any ({_ROTATABLE})"
    )


def _gain(norm: Any) -> tuple[Tensor, float]:
    """Return the gains of an RMS norm and the weight that stands for gain one: 1, or 0 where it computes 1 + w.

    Which of the two it is, and that it is an RMS norm at all, is asked of the norm itself.
    """
    probed = copy.deepcopy(norm).float()
    weight = probed.weight.detach()
    x = torch.randn(8, len(weight), generator=torch.Generator().manual_seed(0)).to(weight.device)
    with torch.no_grad():
        y = probed(x)
    plain = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True))
    errors = {1.0 - offset: float((plain * (weight + offset) - y).norm() / y.norm()) for offset in (0.0, 1.0)}
    neutral = min(errors, key=lambda value: errors[value])
    if not errors[neutral] < 1e-4:
        raise ModelError(f"{type(norm).__name__}: it is no plain RMS norm, so the residual stream cannot be rotated")
    return weight + (1.0 - neutral), neutral


def _orthogonal(size: int, seed: int) -> Tensor:
    """A random orthogonal matrix; QR alone is not uniform, its signs have to be fixed (Mezzadri 2007)."""
    normal = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    q, r = torch.linalg.qr(normal)
    return q * torch.sign(torch.diagonal(r))


def _write(parameter: Tensor, change: Callable[..., Tensor], rotation: Tensor) -> None:
    """Apply ``change`` in at least single precision, whatever the parameter is stored in."""
    wide = parameter.to(torch.promote_types(parameter.dtype, torch.float32))
    parameter.copy_(change(wide, rotation.to(wide)))


def _untie(module: Any, embedding: Any, head: Any) -> None:
    if head.weight is not embedding.weight:
        return
    head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=head.weight.requires_grad)
    for config in (module.config, module.config.get_text_config()):
        config.tie_word_embeddings = False
    # Hugging Face keeps its own list of what is stored once.
    module.all_tied_weights_keys = module.get_expanded_tied_weights_keys(all_submodels=True)


# ------------------------------------------------------------------------------------------------------------ proof


@contextmanager
def _same_function(module: Any, name: str) -> Iterator[None]:
    """Compare logits before and after: the claim is cheap to test, and other architectures share these names."""
    before = _logits(module)
    yield
    change = float((_logits(module) - before).norm() / before.norm())
    # Rounding of the new weights is what half precision may change; a wrong order changes everything.
    allowed = 1e-2 if next(module.parameters()).dtype in (torch.float32, torch.float64) else 0.25
    if not change <= allowed:
        raise ModelError(
            f"{type(module).__name__}: {name} should change no logit, but it changed them by {change:.2g} of their "
            "norm; this architecture holds something that depends on the order or on the basis"
        )


def _logits(module: Any) -> Tensor:
    embedding = module.get_input_embeddings().weight
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(embedding.shape[0], (2, 12), generator=generator).to(embedding.device)
    training = module.training
    with torch.no_grad():
        logits: Tensor = module.eval()(input_ids=tokens, use_cache=False).logits.double()
    module.train(training)
    return logits
