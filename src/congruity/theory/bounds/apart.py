"""Bounds between the distances of circuits, of representations and of interpretations (L1, T0 to T3, H1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from congruity.theory.bounds.statement import Interval, holds, magnitudes, states

#: A gain of 1 that was computed, as an operator norm is, may be this much more.
_ROUNDING = 1e-12


class Link(NamedTuple):
    """Link between a circuit with signature V and a representation H (D7): linear maps e: V -> H and g: H -> V.

    Attributes:
        signal_error: alpha = N(e(V) - H). noise_error: beta = N(g(H) - V).
        signal_gain, noise_gain: Lipschitz constants of e and g; of linear maps, their operator norms.
    """

    signal_error: float
    noise_error: float
    signal_gain: float = 1.0
    noise_gain: float = 1.0


def _links(number: str, *links: Link) -> None:
    for link in links:
        magnitudes(number, **link._asdict())


@states("L1")
def composed_error(first: float, second: float, lipschitz: float = 1.0) -> float:
    """L1. Error of an abstraction in two steps: second + Lip(value maps of the second) * first.

    ``second`` is measured on the queries that the first step pushes forward. Sup, mean and root mean square alike.

    >>> composed_error(0.1, 0.2)
    0.30000000000000004
    """
    magnitudes("L1", first=first, second=second, lipschitz=lipschitz)
    return second + lipschitz * first


@states("T0(a)")
def behavioural_compression(tolerance: float) -> float:
    """T0(a). Implementations within ``tolerance`` of one behaviour are at most 2 * tolerance from each other."""
    magnitudes("T0", tolerance=tolerance)
    return 2 * tolerance


@states("T0(b)")
def behavioural_interval(behaviour: float, tolerance: float, *, exact_members: bool = False) -> Interval:
    """T0(b), (c). Where d_interp lies by the behavioural metric, given D, the interpretations' own distance.

    |d_interp - D| <= 2 * tolerance; <= tolerance with an exact implementation in each set; with tolerance 0 it is D.

    >>> behavioural_interval(0.5, 0.1), behavioural_interval(0.5, 0.0)
    ((0.3, 0.7), (0.5, 0.5))
    """
    magnitudes("T0", behaviour=behaviour, tolerance=tolerance)
    width = tolerance if exact_members else 2 * tolerance
    return max(0.0, behaviour - width), behaviour + width


@states("H1")
def hausdorff_interval(distance: float, eccentricities: Interval) -> Interval:
    """H1. Where d_interp lies, given one implementation of each: [d - min(ecc), d + max(ecc)].

    >>> hausdorff_interval(1.0, (0.25, 0.5))
    (0.75, 1.5)
    """
    magnitudes("H1", distance=distance, ecc_1=eccentricities[0], ecc_2=eccentricities[1])
    return max(0.0, distance - min(eccentricities)), distance + max(eccentricities)


@states("H1")
def hausdorff_from_nearest(nearest: float, compressions: Interval) -> float:
    """H1, last part. d_interp <= smallest distance between the two sets + max(kappa)."""
    magnitudes("H1", nearest=nearest, kappa_1=compressions[0], kappa_2=compressions[1])
    return nearest + max(compressions)


def _norms(given: Interval | None) -> dict[str, float]:
    return {} if given is None else {"norm_1": given[0], "norm_2": given[1]}


def _graded(value: float, gain: float, norm: float | None, number: str, symbol: str) -> float:
    """A bound over maps of gain > 1, from those over contractions: (2 - 1/gain) value + (1 - 1/gain) norm."""
    if gain <= 1 + _ROUNDING:
        return value
    holds(number, norm is not None, f"{symbol} <= 1, or else the norms of the targets", f"{gain:.4g}")
    assert norm is not None
    return (2 - 1 / gain) * value + (1 - 1 / gain) * norm


@states("T1")
def circuit_distance_bound(
    directed: Interval,
    links: tuple[Link, Link],
    *,
    behaviour: float = 0.0,
    weight: float = 0.0,
    signature_norms: Interval | None = None,
) -> float:
    """T1. How far two circuits can be apart whose representations are close: B = max(b_12, b_21, weight * behaviour).

    b_12 = noise gain_2 (delta_12 + alpha_1) + beta_2, and b_21 with the sides exchanged.

    Args:
        directed: delta_12 and delta_21 of the representations.
        links: of side 1 and side 2.
        behaviour: how far the models' answers differ, with what either circuit differs from its model added.
        weight: of behaviour in the circuit distance.
        signature_norms: N(V_1) and N(V_2); needed where noise gain * signal gain across the sides exceeds 1.

    Returns:
        An upper bound of d_circ. Of d_interp it is one after adding the larger eccentricity, see `hausdorff_interval`.

    Raises:
        HypothesisError: Lambda = max(noise gain_2 * signal gain_1, noise gain_1 * signal gain_2) > 1 without norms.

    >>> circuit_distance_bound((0.2, 0.1), (Link(0.0, 0.05), Link(0.1, 0.0)))
    0.25
    """
    magnitudes("T1", delta_12=directed[0], delta_21=directed[1], behaviour=behaviour, weight=weight)
    _links("T1", *links)
    magnitudes("T1", **_norms(signature_norms))
    one, two = links
    gain = max(two.noise_gain * one.signal_gain, one.noise_gain * two.signal_gain)
    norms: Sequence[float | None] = (None, None) if signature_norms is None else signature_norms
    forth = two.noise_gain * (directed[0] + one.signal_error) + two.noise_error
    back = one.noise_gain * (directed[1] + two.signal_error) + one.noise_error
    return max(
        _graded(forth, gain, norms[1], "T1", "Lambda"),
        _graded(back, gain, norms[0], "T1", "Lambda"),
        weight * behaviour,
    )


@states("T2")
def representation_distance_bound(
    circuit_distance: float, links: tuple[Link, Link], *, norms: Interval | None = None
) -> float:
    """T2. How far the representations of two close circuits can be apart.

    max(signal gain_2 (s + beta_1) + alpha_2, signal gain_1 (s + beta_2) + alpha_1), s the distance of the circuits.

    Args:
        circuit_distance: s; d_interp + the smaller eccentricity bounds it from above.
        links: of side 1 and side 2.
        norms: N(H_1) and N(H_2); needed where signal gain * noise gain across the sides exceeds 1.

    Raises:
        HypothesisError: rho = max(signal gain_2 * noise gain_1, signal gain_1 * noise gain_2) > 1 without norms.

    >>> representation_distance_bound(0.25, (Link(0.0, 0.05), Link(0.1, 0.0)))
    0.4
    """
    magnitudes("T2", circuit_distance=circuit_distance)
    _links("T2", *links)
    magnitudes("T2", **_norms(norms))
    one, two = links
    gain = max(two.signal_gain * one.noise_gain, one.signal_gain * two.noise_gain)
    sizes: Sequence[float | None] = (None, None) if norms is None else norms
    forth = two.signal_gain * (circuit_distance + one.noise_error) + two.signal_error
    back = one.signal_gain * (circuit_distance + two.noise_error) + one.signal_error
    return max(_graded(forth, gain, sizes[1], "T2", "rho"), _graded(back, gain, sizes[0], "T2", "rho"))


@states("T2")
def interpretation_distance_floor(
    representation_distance: float, links: tuple[Link, Link], eccentricities: Interval
) -> float:
    """T2, read backwards. d_interp >= d_repr - max(alpha_2 + beta_1, alpha_1 + beta_2) - min(ecc), for gains <= 1.

    >>> round(interpretation_distance_floor(0.9, (Link(0.1, 0.0), Link(0.0, 0.0)), (0.3, 0.2)), 12)
    0.6
    """
    magnitudes("T2", d_repr=representation_distance, ecc_1=eccentricities[0], ecc_2=eccentricities[1])
    _links("T2", *links)
    for link in links:
        holds("T2", link.signal_gain <= 1 + _ROUNDING, "signal gain <= 1", link.signal_gain)
        holds("T2", link.noise_gain <= 1 + _ROUNDING, "noise gain <= 1", link.noise_gain)
    one, two = links
    error = max(two.signal_error + one.noise_error, one.signal_error + two.noise_error)
    return max(0.0, representation_distance - error - min(eccentricities))


@states("T2'")
def transferred(value: float, signal_error: float, noise_error: float) -> Interval:
    """T2'. d_interp or kappa of circuits, from that of their representations: within signal + noise error of it.

    Needs every implementation of both sides to have contractive linear maps with errors at most these.
    """
    magnitudes("T2'", value=value, signal_error=signal_error, noise_error=noise_error)
    return max(0.0, value - signal_error - noise_error), value + signal_error + noise_error


@states("T3(d)")
def representation_interval(norms: Interval) -> Interval:
    """T3(d). |N(H_1) - N(H_2)| <= d_repr <= max(N(H_1), N(H_2))."""
    magnitudes("T3(d)", norm_1=norms[0], norm_2=norms[1])
    return abs(norms[0] - norms[1]), max(norms)


@states("T3(e)")
def normalised_ceiling(distance: float, norms: Interval) -> float:
    """T3(e). d_repr of representations scaled to norm 1 is at most 2 d_repr / max(norms)."""
    magnitudes("T3(e)", distance=distance, norm_1=norms[0], norm_2=norms[1])
    holds("T3(e)", min(norms) > 0, "norms above 0", min(norms))
    return 2 * distance / max(norms)


@states("T3(h)")
def spectral_from_procrustes(procrustes: float) -> Interval:
    """T3(h). d_B / sqrt(2) <= d_repr <= d_B, d_B the Procrustes (Bures) distance with zero padding."""
    magnitudes("T3(h)", procrustes=procrustes)
    return procrustes / math.sqrt(2), procrustes
