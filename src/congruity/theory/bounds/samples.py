"""Bounds for finitely many implementations and finitely many inputs (H2, T5, T6)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from congruity.theory.bounds.statement import Interval, holds, inside, magnitudes, states


@states("H2")
def pac_confidence(n: int, epsilon: float) -> float:
    """H2. Chance that balls holding n sampled implementations a side hold 1 - epsilon of both sampler laws.

    1 - 2 (1 - epsilon)^n, or 0 where that is negative. The balls are around implementations that were fixed before.

    >>> round(pac_confidence(40, 0.1), 3)
    0.97
    """
    inside("H2", epsilon=epsilon)
    holds("H2", n >= 1, "at least one sampled implementation", n)
    return max(0.0, 1 - 2 * (1 - epsilon) ** n)


@states("H2")
def pac_epsilon(n: int, delta: float) -> float:
    """H2. The epsilon that n sampled implementations a side allow with confidence 1 - delta: 1 - (delta / 2)^(1/n).

    >>> round(pac_epsilon(20, 0.05), 3)
    0.168
    """
    inside("H2", delta=delta)
    holds("H2", n >= 1, "at least one sampled implementation", n)
    return -math.expm1(math.log(delta / 2) / n)


@states("H2")
def pac_samples(epsilon: float, delta: float) -> int:
    """H2. Implementations a side that suffice for epsilon and delta: ln(delta / 2) / ln(1 - epsilon), rounded up."""
    inside("H2", epsilon=epsilon, delta=delta)
    return math.ceil(math.log(delta / 2) / math.log1p(-epsilon))


@states("T5(a)")
def quadruples_needed(error: float, delta: float) -> int:
    """T5(a). Independent quadruples (X, X', Y, Y') for an error of C below this, at 1 - delta: 2 ln(2/delta) / error^2.

    >>> quadruples_needed(0.1, 0.05)
    738
    """
    inside("T5(a)", error=error, delta=delta)
    holds("T5(a)", error > 1e-100, "an error that can be squared", error)
    return math.ceil(2 * math.log(2 / delta) / error**2)


@states("T5(b)")
def score_error(n: tuple[int, int], delta: float) -> float:
    """T5(b). |C - its complete estimate| at 1 - delta: sqrt(2 ln(2/delta) / k), k = min(N1 // 2, N2 // 2).

    Holds for every pair of laws and is therefore wide; bounded by 1.

    >>> round(score_error((370, 370), 0.05), 2)
    0.2
    """
    inside("T5(b)", delta=delta)
    blocks = min(n) // 2
    holds("T5(b)", blocks >= 1, "at least two implementations a side", min(n))
    return min(1.0, math.sqrt(2 * math.log(2 / delta) / blocks))


@states("T5(c)")
def separation_variance(components: Sequence[Sequence[float]], n: tuple[int, int]) -> float:
    """T5(c). Exact variance of P1 + P2 from N1 and N2 implementations.

    sum over (c1, c2) != (0, 0) of w_N1(c1) w_N2(c2) zeta[c1][c2], w_N(c) = C(2, c) C(N - 2, 2 - c) / C(N, 2).

    Args:
        components: zeta, 3 x 3: variance of E[kernel | c1 of the X, c2 of the Y]; zeta[0][0] is not read.
    """
    holds("T5(c)", min(n) >= 2, "at least two implementations a side", min(n))
    flat = [value for row in components for value in row]
    holds("T5(c)", len(components) == 3 and len(flat) == 9, "3 x 3 components", len(flat))
    holds("T5(c)", all(0 <= value <= 1 for value in flat[1:]), "components in [0, 1]", flat[1:])
    weights = [[math.comb(2, c) * math.comb(size - 2, 2 - c) / math.comb(size, 2) for c in range(3)] for size in n]
    total = sum(weights[0][i] * weights[1][j] * components[i][j] for i in range(3) for j in range(3))
    return total - weights[0][0] * weights[1][0] * components[0][0]


@states("T6(b)")
def population_bracket(
    train: float, test: float, largest: float, n: tuple[int, int], delta: float = 0.05
) -> tuple[float, float]:
    """T6(b). Bracket of one direction's delta^2 over all inputs, each end failing with chance delta / 2.

    [train - b sqrt(ln(2/delta) / 2m), test + b sqrt(ln(2/delta) / 2m')].

    Args:
        train, test: mean squared residual on the m training inputs, at its least, and of that map on m' others.
        largest: b, the largest that a squared residual can be: (largest norm of H_1 + largest norm of H_2)^2.
        n: m and m', drawn independently.
    """
    magnitudes("T6(b)", train=train, test=test, largest=largest)
    inside("T6(b)", delta=delta)
    holds("T6(b)", min(n) >= 1, "inputs to train and to test on", n)
    low, high = (largest * math.sqrt(math.log(2 / delta) / (2 * size)) for size in n)
    return max(0.0, train - low), test + high


@states("T6(c)")
def uniform_error(largest: Interval, width: int, n: int, delta: float = 0.05) -> float:
    """T6(c). |plug-in delta^2 - delta^2| for all maps at once.

    At most 2 sqrt(d) (b1^2 + b2^2) (1 + sqrt(2 ln(1/delta))) / sqrt(m), with chance 1 - delta.

    Args:
        largest: b1 and b2, the largest norms. width: d, of the target. n: m, the inputs.
    """
    magnitudes("T6(c)", b_1=largest[0], b_2=largest[1])
    inside("T6(c)", delta=delta)
    holds("T6(c)", width >= 1 and n >= 1, "a width and inputs", (width, n))
    spread = largest[0] ** 2 + largest[1] ** 2
    return 2 * math.sqrt(width) * spread * (1 + math.sqrt(2 * math.log(1 / delta))) / math.sqrt(n)
