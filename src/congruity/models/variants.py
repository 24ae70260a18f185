"""Changed copies of a model, for controls and for model diffing: ``NAME+noise=0.01`` and ``NAME+random``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from congruity._registry import lookup
from congruity.errors import InputError

_SPEC = re.compile(r"^(?P<name>[a-z-]+)(?:=(?P<amount>[^:]+))?(?::(?P<seed>\d+))?$")


@dataclass(frozen=True)
class VariantKind:
    """A named change of all weights in place, by ``apply(module, amount, seed)``."""

    name: str
    needs_amount: bool
    apply: Callable[[Any, float, int], None]
    same_base: bool  # whether the copy still is the same independently trained network


@dataclass(frozen=True)
class Variant:
    """One change, ready to apply."""

    kind: VariantKind
    amount: float
    seed: int

    def __str__(self) -> str:
        amount = f"={self.amount:g}" if self.kind.needs_amount else ""
        return f"{self.kind.name}{amount}" + (f":{self.seed}" if self.seed else "")

    def __call__(self, module: Any) -> None:
        self.kind.apply(module, self.amount, self.seed)


def parse(text: str) -> Variant:
    """Read ``noise=0.01`` or ``random:3`` (the number after the colon is the seed).

    Raises:
        InputError: bad syntax, or an amount that is missing, superfluous or not positive.
        UnknownNameError: no such variant.
    """
    match = _SPEC.match(text)
    if match is None:
        raise InputError(f"{text!r} is no model variant; write noise=0.01, random or random:SEED after the plus sign")
    kind = lookup("model variant", match["name"], REGISTRY)
    try:
        amount = float(match["amount"]) if match["amount"] else 0.0
    except ValueError:
        amount = -1.0
    if kind.needs_amount and not 0 < amount < 10:
        raise InputError(f"variant {kind.name!r} needs an amount in (0, 10), as in {kind.name}=0.01; got {text!r}")
    if not kind.needs_amount and match["amount"]:
        raise InputError(f"variant {kind.name!r} takes no amount; got {text!r}")
    return Variant(kind, amount, int(match["seed"] or 0))


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


REGISTRY: tuple[VariantKind, ...] = (
    VariantKind("noise", True, _noise, same_base=True),
    VariantKind("random", False, _random, same_base=False),
)
