"""Changed copies of a model, for controls and for model diffing: ``NAME+noise=0.01``, ``NAME+rtn=4``, ``NAME+permute``.

==================  ==================================================================================================
``noise=0.01``      normal noise on every matrix, in units of its standard deviation
``random``          initialised anew: another network of the same architecture
``rtn=4``           matrices rounded to 4 bits a weight (2 to 8)
``drop=1``          without its last layer (or the last k)
``permute``         heads and neurons of every layer in another order: another place, the same function
``rotate``          residual stream in another basis: the same function
==================  ==================================================================================================

``:SEED`` after ``noise``, ``random``, ``permute`` and ``rotate`` draws another such copy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from congruity._base.registry import lookup
from congruity.errors import InputError

_SPEC = re.compile(r"^(?P<name>[a-z-]+)(?:=(?P<amount>[^:]+))?(?::(?P<seed>\d+))?$")
_GROUP = 32  # input columns that share one scale, as in the usual 4- and 8-bit formats (GGUF's Q4_0 and Q8_0)


@dataclass(frozen=True)
class Amount:
    """Which numbers may follow the equals sign: those in ``(low, high)``, or whole ones from ``low`` to ``high``."""

    low: float
    high: float
    example: str
    whole: bool = False

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high and value.is_integer() if self.whole else self.low < value < self.high

    def __str__(self) -> str:
        if not self.whole:
            return f"an amount in ({self.low:g}, {self.high:g})"
        return "a whole number " + (f"from {self.low:g}" + (f" to {self.high:g}" if self.high < math.inf else " up"))


@dataclass(frozen=True)
class VariantKind:
    """A named change of the weights in place, by ``apply(module, amount, seed)``."""

    name: str
    apply: Callable[[Any, float, int], None]
    same_base: bool  # whether the copy still is the same independently trained network
    amount: Amount | None = None
    seeded: bool = True  # whether anything is drawn


@dataclass(frozen=True)
class Variant:
    """One change, ready to apply."""

    kind: VariantKind
    amount: float
    seed: int

    def __str__(self) -> str:
        amount = f"={repr(self.amount).removesuffix('.0')}" if self.kind.amount else ""
        return f"{self.kind.name}{amount}" + (f":{self.seed}" if self.seed else "")

    def __call__(self, module: Any) -> None:
        """Change a plain Hugging Face module in place.

        Raises:
            InputError: more layers dropped than there are.
            ModelError: an architecture that the change does not know, or that does not allow it.
        """
        self.kind.apply(module, self.amount, self.seed)


def parse(text: str) -> Variant:
    """Read ``noise=0.01`` or ``random:3`` (the number after the colon is the seed).

    Raises:
        InputError: bad syntax, or an amount that is missing, superfluous or out of range, or a seed without use.
        UnknownNameError: no such variant.
    """
    match = _SPEC.match(text)
    if match is None:
        raise InputError(f"{text!r} is no model variant; write noise=0.01, random or random:SEED after the plus sign")
    kind = lookup("model variant", match["name"], REGISTRY)
    if kind.amount is None and match["amount"]:
        raise InputError(f"variant {kind.name!r} takes no amount; got {text!r}")
    if not kind.seeded and match["seed"]:
        raise InputError(f"variant {kind.name!r} draws nothing and takes no seed; got {text!r}")
    amount = _number(match["amount"]) if match["amount"] else 0.0
    if kind.amount is not None and amount not in kind.amount:
        raise InputError(
            f"variant {kind.name!r} needs {kind.amount}, as in {kind.name}={kind.amount.example}; got {text!r}"
        )
    return Variant(kind, amount, int(match["seed"] or 0))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # in no range


def _noise(module: Any, amount: float, seed: int) -> None:
    """Add normal noise with ``amount`` times each matrix's own standard deviation; biases and norms stay."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim == 2:
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
                parameter.add_((noise * (amount * parameter.float().std().cpu())).to(parameter))


def _random(module: Any, amount: float, seed: int) -> None:
    """Initialise everything anew, as the architecture does before training."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = type(module)(module.config)
    module.load_state_dict(fresh.state_dict())


def _round_to_nearest(module: Any, amount: float, seed: int) -> None:
    """Round every matrix to whole multiples of a scale: ``w -> s round(w / s)`` with ``s = max|w| / (2^(bits-1) - 1)``.

    Every output has its own scales, one for each 32 inputs. Embeddings stay, and with them an unembedding that
    is tied to them; biases and norms have one dimension and stay.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    done = {id(m.weight) for m in module.modules() if isinstance(m, torch.nn.Embedding)}
    with torch.no_grad():
        for owner in module.modules():
            for weight in owner.parameters(recurse=False):
                if weight.ndim != 2 or id(weight) in done:
                    continue
                done.add(id(weight))
                # Conv1D stores (inputs, outputs); groups run along the inputs.
                rows = weight.T if isinstance(owner, Conv1D) else weight
                rows.copy_(_rounded(rows, int(amount)))


def _rounded(rows: Any, bits: int) -> Any:
    import torch

    wide = rows.to(torch.promote_types(rows.dtype, torch.float32))
    groups = torch.nn.functional.pad(wide, (0, -wide.shape[1] % _GROUP)).unflatten(1, (-1, _GROUP))
    scale = groups.abs().amax(dim=-1, keepdim=True) / (2 ** (bits - 1) - 1)
    scale[scale == 0] = 1.0  # a group of zeros
    return ((groups / scale).round() * scale).flatten(1)[:, : wide.shape[1]]


def _drop(module: Any, amount: float, seed: int) -> None:
    """Remove the last ``amount`` layers; the final norm and the unembedding read what is left."""
    from congruity.models.reparametrise import layers

    blocks = layers(module)
    left = len(blocks) - int(amount)
    if left < 1:
        raise InputError(
            f"drop={amount:g} would leave nothing of the {len(blocks)} layers of {type(module).__name__}; "
            f"at most {len(blocks) - 1} can be dropped"
        )
    config = module.config.get_text_config()
    del blocks[left:]
    config.num_hidden_layers = left
    if getattr(config, "layer_types", None) is not None:
        config.layer_types = list(config.layer_types[:left])


def _permute(module: Any, amount: float, seed: int) -> None:
    from congruity.models.reparametrise import permute

    permute(module, seed)


def _rotate(module: Any, amount: float, seed: int) -> None:
    from congruity.models.reparametrise import rotate

    rotate(module, seed)


REGISTRY: tuple[VariantKind, ...] = (
    VariantKind("noise", _noise, same_base=True, amount=Amount(0, 10, "0.01")),
    VariantKind("random", _random, same_base=False),
    VariantKind("rtn", _round_to_nearest, True, Amount(2, 8, "4", whole=True), seeded=False),
    VariantKind("drop", _drop, True, Amount(1, math.inf, "1", whole=True), seeded=False),
    VariantKind("permute", _permute, same_base=True),
    VariantKind("rotate", _rotate, same_base=True),
)
