"""Claims about distances of circuits, representations and interpretations: H1, H2, T1, T2, T2', L3.

Signatures and representations are diagonal, H = diag(h) with h >= 0, so that every distance is a closed form (T3 i):
sqrt(m) delta_12 = |(h_2 - h_1)_+|. The claims with full matrices use the certified solver, with the bound on the side
on which the inequality must hold.
"""

from __future__ import annotations

import numpy as np

from congruity.bench.theorems.claims import Claim, Drawn, law, metric, sides
from congruity.comparison.arrays import d_repr
from congruity.theory import bounds, equivalence
from congruity.theory.bounds import Link
from congruity.theory.chain import link
from congruity.theory.equivalence import Floats


def _hausdorff(random: np.random.Generator) -> Drawn:
    if random.random() < 0.3:  # on the line, where both ends are attained
        e, d = random.random(2) + np.array([0.1, 1.2])
        places, first = random.choice([np.array([0.0, -e, d]), np.array([0.0, e, d])]), np.array([True, True, False])
        table = np.abs(places[:, None] - places)
    else:
        n = int(random.integers(3, 9))
        table, first = metric(random, n), sides(random, n)
    found = equivalence.d_interp(table, first)
    rows = [int(random.choice(np.flatnonzero(side))) for side in (first, ~first)]
    ecc = (float(table[rows[0]][first].max()), float(table[rows[1]][~first].max()))
    low, high = bounds.hausdorff_interval(float(table[rows[0], rows[1]]), ecc)
    cross = bounds.hausdorff_from_nearest(found.nearest, found.compressions)
    between = float(table[rows[0], rows[1]])
    return Drawn(
        {
            "lower": (low, found.d_interp),
            "upper": (found.d_interp, high),
            "from the nearest": (found.d_interp, cross),
        },
        {
            "at most d + min(ecc)": (found.d_interp, between + min(ecc)),
            "at most d + max(ecc) / 2": (found.d_interp, between + max(ecc) / 2),
            "at least d": (between, found.d_interp),
            "at most nearest + min(kappa)": (found.d_interp, found.nearest + min(found.compressions)),
        },
    )


def _medoid(random: np.random.Generator) -> Drawn:
    n = int(random.integers(2, 9))
    table = metric(random, n)
    beside = np.pad(table, (0, 1), constant_values=99.0) * (1 - np.eye(n + 1))  # one point more, the other set
    found = equivalence.d_interp(beside, np.arange(n + 1) < n)
    kappa, ecc = found.compressions[0], found.eccentricities[0]
    return Drawn(
        {
            "ecc <= kappa": (ecc, kappa),
            "kappa <= 2 ecc": (kappa, 2 * ecc),
        },
        {
            "kappa <= 1.9 ecc": (kappa, 1.9 * ecc),
            "kappa <= ecc": (kappa, ecc),
        },
    )


def _pac(random: np.random.Generator) -> Drawn:
    n, epsilon = int(random.integers(1, 30)), float(random.uniform(0.02, 0.5))
    missed = []
    for _ in range(2):
        size = int(random.integers(2, 7))
        distances, masses = random.integers(0, 4, size=size).astype(float), law(random, size)
        if random.random() < 0.5:  # nearly all mass that may be missed lies at the far end
            distances, masses = np.array([0.0, 1.0]), np.array([1 - epsilon, epsilon]) + np.array([-1e-7, 1e-7])
        reach = min(t for t in distances if masses[distances <= t].sum() >= 1 - epsilon)
        missed.append(float(masses[distances < reach].sum()) ** n)
    failing = 1 - (1 - missed[0]) * (1 - missed[1])
    return Drawn(
        {
            "": (failing, 1 - bounds.pac_confidence(n, epsilon)),
        },
        {
            "for one side only": (failing, (1 - epsilon) ** n),
            "one more implementation": (failing, 1 - bounds.pac_confidence(n + 1, epsilon)),
        },
    )


def _directed(one: Floats, two: Floats) -> float:
    """delta from diag(one) to diag(two)."""
    return float(np.linalg.norm(np.maximum(two - one, 0.0)) / np.sqrt(len(one)))


def _between(one: Floats, two: Floats) -> float:
    return max(_directed(one, two), _directed(two, one))


def _diagonal_links(
    random: np.random.Generator, gain: float
) -> tuple[list[Floats], list[Floats], list[Floats], list[Floats], tuple[Link, Link]]:
    m = int(random.integers(1, 5))
    v = [random.exponential(size=m) for _ in range(2)]
    e, g = ([random.uniform(0.2, gain, size=m) for _ in range(2)] for _ in range(2))
    h = [np.maximum(a * b + random.normal(size=m) * 0.3 * random.random(), 0.0) for a, b in zip(e, v, strict=True)]
    if random.random() < 0.4:  # numbers in a row, where the bounds are attained
        ordered = np.sort(random.exponential(size=4)) + 0.01
        v, h = [ordered[[0]], ordered[[3]]], [ordered[[1]], ordered[[2]]]
        if random.random() < 0.5:
            v, h = h, v
        e = g = [np.ones(1), np.ones(1)]
    made = [link(*(np.diag(part) for part in (v[side], h[side], e[side], g[side]))) for side in range(2)]
    return v, h, e, g, (made[0], made[1])


def _sufficient(random: np.random.Generator) -> Drawn:
    v, h, _, _, links = _diagonal_links(random, float(random.choice([1.0, 1.4])))
    norms = tuple(float(np.linalg.norm(part) / np.sqrt(len(part))) for part in v)
    directed = (_directed(h[0], h[1]), _directed(h[1], h[0]))

    answers, weight = float(random.random()), float(random.choice([0.0, 1.0, 2.0]))

    def bound(directed: tuple[float, float], *links: Link, weight: float = weight) -> float:
        pair = (links[0], links[1])
        return bounds.circuit_distance_bound(
            directed, pair, behaviour=answers, weight=weight, signature_norms=(norms[0], norms[1])
        )

    found = max(_between(v[0], v[1]), weight * answers)
    return Drawn(
        {"": (found, bound(directed, *links))},
        {
            "without the noise error": (found, bound(directed, *(one._replace(noise_error=0.0) for one in links))),
            "without the signal error": (found, bound(directed, *(one._replace(signal_error=0.0) for one in links))),
            "without the distance": (found, bound((0.0, 0.0), *links)),
            "errors of the wrong side": (found, bound(directed, links[1], links[0])),
            "without what the models answer": (found, bound(directed, *links, weight=0.0)),
        },
    )


def _necessary(random: np.random.Generator) -> Drawn:
    v, h, _, _, links = _diagonal_links(random, float(random.choice([1.0, 1.4])))
    norms = tuple(float(np.linalg.norm(part) / np.sqrt(len(part))) for part in h)
    between = _between(v[0], v[1])

    def bound(between: float, *links: Link) -> float:
        return bounds.representation_distance_bound(between, (links[0], links[1]), norms=(norms[0], norms[1]))

    found = _between(h[0], h[1])
    return Drawn(
        {
            "": (found, bound(between, *links)),
        },
        {
            "without the noise error": (found, bound(between, *(one._replace(noise_error=0.0) for one in links))),
            "without the signal error": (found, bound(between, *(one._replace(signal_error=0.0) for one in links))),
            "without the distance": (found, bound(0.0, *links)),
        },
    )


def _ungraded(random: np.random.Generator) -> Drawn:
    """Gains above 1 need the norm; without it the bounds are false."""
    size, gain = float(random.exponential()) + 0.1, float(random.uniform(1.1, 3.0))
    # V_1 = 1, H_1 = gain: e = gain undoes nothing, and H_2 = V_2 = gain is as far from V_1 as it was.
    v, h = (size, gain * size), (gain * size, gain * size)
    links = (Link(0.0, 0.0, gain, 1 / gain), Link(0.0, 0.0, 1.0, 1.0))
    found, directed = max(0.0, v[1] - v[0]), (0.0, 0.0)
    graded = bounds.circuit_distance_bound(directed, links, signature_norms=v)
    capped = (links[0]._replace(signal_gain=1.0), links[1])
    assert h[0] == h[1]
    return Drawn(
        {
            "": (found, graded),
        },
        {
            "as for gains of 1": (found, bounds.circuit_distance_bound(directed, capped)),
        },
    )


def _dense(random: np.random.Generator) -> Drawn:
    """T1 and T2 with full matrices, by the certified solver."""
    m = int(random.integers(3, 7))
    wide = random.integers(1, 4, size=4)
    v = [random.normal(size=(int(wide[i]), m)) for i in range(2)]
    e = [_contraction(random, int(wide[2 + i]), int(wide[i])) for i in range(2)]
    h = [e[i] @ v[i] + 0.2 * random.random() * random.normal(size=(int(wide[2 + i]), m)) for i in range(2)]
    g = [_contraction(random, int(wide[i]), int(wide[2 + i])) for i in range(2)]
    links = (link(v[0], h[0], e[0], g[0]), link(v[1], h[1], e[1], g[1]))
    circuits, representations = _solved(v[0], v[1]), _solved(h[0], h[1])
    most = bounds.circuit_distance_bound((representations[0][1], representations[1][1]), links)
    between = max(one[1] for one in circuits)
    apart = bounds.representation_distance_bound(between, links)
    floor = bounds.interpretation_distance_floor(max(one[0] for one in representations), links, (0.0, 0.0))
    least = max(one[0] for one in circuits)
    return Drawn(
        {
            "T1": (least, most),
            "T2": (max(one[0] for one in representations), apart),
            "T2 backwards": (floor, between),
        },
        {
            "half the bound": (least, most / 2),
            "half the other bound": (max(one[0] for one in representations), apart / 2),
        },
    )


def _contraction(random: np.random.Generator, rows: int, columns: int) -> Floats:
    found = random.normal(size=(rows, columns))
    return np.asarray(found / np.linalg.norm(found, 2))


def _solved(one: Floats, two: Floats) -> list[tuple[float, float]]:
    """Return certified (lower, upper) of delta_12 and delta_21."""
    found = d_repr(one.T, two.T, center=False, normalize=False, tol=1e-6)
    unit = np.sqrt(one.shape[1])
    return [(low / unit, high / unit) for _, low, high in found.directions]


def _sets(random: np.random.Generator) -> Drawn:
    """T1 and T2 on whole sets: the distance of one pair, and how wide the sets are, bound that of the sets."""
    m, n = int(random.integers(1, 4)), int(random.integers(2, 6))
    first = sides(random, n)
    spread = float(random.choice([0.05, 0.5]))
    v = np.where(first[:, None], *random.exponential(size=(2, m))) + spread * random.random((n, m))
    h = np.maximum(v + random.normal(size=(n, m)) * 0.2 * random.random(), 0.0)
    circuits, representations = (np.array([[_between(a, b) for b in part] for a in part]) for part in (v, h))
    found, seen = (equivalence.d_interp(part, first) for part in (circuits, representations))
    i, j = found.medoids
    errors = [float(np.linalg.norm(a - b) / np.sqrt(m)) for a, b in zip(v, h, strict=True)]
    links = (Link(errors[i], errors[i]), Link(errors[j], errors[j]))
    directed = (_directed(h[i], h[j]), _directed(h[j], h[i]))
    most = bounds.circuit_distance_bound(directed, links) + max(found.eccentricities)
    least = bounds.interpretation_distance_floor(float(representations[i, j]), links, found.eccentricities)
    off = abs(found.d_interp - seen.d_interp)
    within = bounds.transferred(0.0, max(errors), max(errors))[1]
    return Drawn(
        {
            "T1": (found.d_interp, most),
            "T2": (least, found.d_interp),
            "T2' d_interp": (off, within),
            "T2' kappa": (abs(found.compressions[0] - seen.compressions[0]), within),
        },
        {
            "T1 without eccentricities": (found.d_interp, most - max(found.eccentricities)),
            "T2 without eccentricities": (least + min(found.eccentricities), found.d_interp),
            "T2' with the smallest error": (off, 2 * min(errors)),
            "T2' with a quarter of the error": (off, max(errors) / 2),
        },
    )


def _norms_and_procrustes(random: np.random.Generator) -> Drawn:
    """T3(d), (e), (h) of diagonal representations, where d_repr is a closed form."""
    m = int(random.integers(1, 5))
    one, two = random.exponential(size=(2, m)) * (random.random((2, m)) < 0.7) + 1e-3
    if random.random() < 0.3:  # nothing in common, where Procrustes is sqrt(2) times d_repr
        one, two = np.array([[1.0, 1e-9], [1e-9, 1.0]])
    found = _between(one, two)
    sizes = (float(np.linalg.norm(one) / np.sqrt(len(one))), float(np.linalg.norm(two) / np.sqrt(len(two))))
    procrustes = float(equivalence.procrustes(np.stack([np.diag(one), np.diag(two)]))[0, 1])
    low, high = bounds.representation_interval(sizes)
    least, most = bounds.spectral_from_procrustes(procrustes)
    unit = _between(one / sizes[0], two / sizes[1])
    return Drawn(
        {
            "(d) lower": (low, found),
            "(d) upper": (found, high),
            "(e)": (unit, bounds.normalised_ceiling(found, sizes)),
            "(h) lower": (least, found),
            "(h) upper": (found, most),
        },
        {
            "(d) the smaller norm": (found, min(sizes)),
            "(d) the sum of norms from below": (sum(sizes), found),
            "(e) without the factor 2": (unit, found / max(sizes)),
            "(h) Procrustes over 1.4": (procrustes / 1.4, found),
        },
    )


def _fidelity(random: np.random.Generator) -> Drawn:
    n = int(random.integers(1, 5))
    grams = [part @ part.T for part in random.normal(size=(2, n, n))]
    smaller = []
    for gram in grams:
        root = np.linalg.cholesky(gram + 1e-12 * np.eye(n))
        inner = _contraction(random, n, n) * random.random()
        smaller.append(root @ inner @ inner.T @ root.T)
    left = _overlap(smaller[0], grams[1]) + _overlap(grams[0], smaller[1])
    right = _overlap(grams[0], grams[1]) + _overlap(smaller[0], smaller[1])
    return Drawn(
        {
            "": (left, right + 1e-5),
        },
        {
            "without the smaller pair": (left, right - _overlap(smaller[0], smaller[1])),
            "equality": (right, left),
        },
    )


def _overlap(one: Floats, two: Floats) -> float:
    """Fidelity: the nuclear norm of the product of the roots."""
    roots = [part[1] * np.sqrt(np.maximum(part[0], 0.0)) for part in (np.linalg.eigh(one), np.linalg.eigh(two))]
    return float(np.linalg.svd(roots[0].T @ roots[1], compute_uv=False).sum())


CLAIMS = (
    Claim("H1 Hausdorff", "d - min(ecc) <= d_interp <= d + max(ecc), nearest + max(kappa)", _hausdorff),
    Claim("D10 medoid", "ecc <= kappa <= 2 ecc", _medoid),
    Claim("H2 PAC", "balls miss epsilon with chance <= 2 (1 - epsilon)^n", _pac),
    Claim("T1 sufficient", "d(K1, K2) <= B", _sufficient),
    Claim("T2 necessary", "d_repr <= gain (s + beta) + alpha", _necessary),
    Claim("T1 gains above 1", "d(K1, K2) <= (2 - 1/L) b + (1 - 1/L) N(V)", _ungraded),
    Claim("T1 and T2, full matrices", "both, with certified distances", _dense, 1000),
    Claim("T1, T2, T2' sets", "d_interp and kappa between the bounds", _sets, 1000),
    Claim("T3(d), (e), (h)", "norms, scaling and Procrustes on either side of d_repr", _norms_and_procrustes),
    Claim("L3 fidelity", "F(G~, G2) + F(G1, G^) <= F(G1, G2) + F(G~, G^)", _fidelity),
)
