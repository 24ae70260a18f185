"""Claims about congruity and the laws of implementations: T4, S1 to S5."""

from __future__ import annotations

import numpy as np

from congruity.bench.theorems.claims import Claim, Drawn, law, metric, sides
from congruity.theory import bounds, equivalence
from congruity.theory.equivalence import Floats


def _points(random: np.random.Generator) -> tuple[int, Floats]:
    n = int(random.integers(3, 9))
    return n, metric(random, n)


def _two_laws(random: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    n, table = _points(random)
    return table, law(random, n), law(random, n)


def _equal_laws(random: np.random.Generator) -> Drawn:
    n, table = _points(random)
    p = law(random, n)
    found = equivalence.congruity(table, p, p)
    narrower = equivalence.congruity(table, p, law(random, n, on=p > np.median(p)))
    return Drawn(
        {
            "": (max(abs(found.score - 1), abs(found.score_min - 1)), 0.0),
        },
        {
            "<= in place of mid-p leaves it 1": (abs(found.literal - 1), 0.0),
            "a law on part of the points leaves it 1": (abs(narrower.score - 1), 0.0),
        },
    )


def _literal(random: np.random.Generator) -> Drawn:
    n, table = _points(random)
    p = law(random, n)
    found = equivalence.congruity(table, p, p)
    return Drawn(
        {
            "": (abs(found.literal - bounds.literal_score(found.ties[0])), 0.0),
        },
        {
            "half of that": (abs(found.literal - bounds.literal_score(found.ties[0] / 2)), 0.0),
        },
    )


def _witness(random: np.random.Generator) -> Drawn:
    table, p, q = _two_laws(random)
    n = len(table)
    found = equivalence.congruity(table, p, q)
    closer = np.array(
        [
            sum(
                p[i] * q[j] * ((table[x, i] < table[x, j]) + 0.5 * (table[x, i] == table[x, j]))
                for i in range(n)
                for j in range(n)
            )
            for x in range(n)
        ]
    )
    separation = sum(found.p_within) - 1
    return Drawn(
        {
            "": (abs(separation - float(p @ closer - q @ closer)), 0.0),
        },
        {
            "the sum in place of the difference": (abs(separation - float(p @ closer + q @ closer - 1)), 0.0),
        },
    )


def _total_variation(random: np.random.Generator) -> Drawn:
    if random.random() < 0.5:  # the extremal case: shared mass in the middle, the rest to either end
        t = random.random()
        places = np.array([0.0, -1.0, 1.0])
        table, p, q = np.abs(places[:, None] - places), np.array([1 - t, t, 0]), np.array([1 - t, 0, t])
    else:
        table, p, q = _two_laws(random)
    found = equivalence.congruity(table, p, q)
    t = found.total_variation
    return Drawn(
        {
            "": (bounds.least_score(t), found.score),
        },
        {
            "1 - t^3": (1 - t**3, found.score),
            "0.99 of t^2 (2 - t)": (1 - 0.99 * t**2 * (2 - t), found.score),
        },
    )


def _least_min(random: np.random.Generator) -> Drawn:
    if random.random() < 0.5:  # a hub that one side holds, leaves that both share, a point far away for the other
        leaves, t = 60, random.uniform(0.1, 0.9)
        inner = np.full((leaves, leaves), 2.0) - 2.0 * np.eye(leaves)
        table = np.full((leaves + 2, leaves + 2), 1.0)
        table[:leaves, :leaves] = inner
        table[-1], table[:, -1] = 9.0, 9.0
        np.fill_diagonal(table, 0.0)
        shared = np.full(leaves, (1 - t) / leaves)
        p, q = np.r_[shared, t, 0.0], np.r_[shared, 0.0, t]
    else:
        table, p, q = _two_laws(random)
    found = equivalence.congruity(table, p, q)
    t = found.total_variation
    return Drawn(
        {
            "": (bounds.least_score_min(t), found.score_min),
            "from one chance": (bounds.total_variation_from_chance(found.p_within[0]), t),
        },
        {
            "1 - t^2 (2 - t), as for C": (bounds.least_score(t), found.score_min),
            "1 - t": (1 - t, found.score_min),
            "|2 p - 1| shows as much": (abs(2 * found.p_within[0] - 1), t),
        },
    )


def _identity_of_min(random: np.random.Generator) -> Drawn:
    n, table = _points(random)
    found = equivalence.congruity(table, law(random, n), law(random, n))
    p1, p2 = found.p_within
    return Drawn(
        {
            "": (abs(found.score_min - (found.score - abs(p1 - p2))), 0.0),
        },
        {
            "half the difference": (abs(found.score_min - (found.score - abs(p1 - p2) / 2)), 0.0),
        },
    )


def _ball_divergence(random: np.random.Generator) -> Drawn:
    table, p, q = _two_laws(random)
    if random.random() < 0.3:  # two points far apart, one each: the only ball that differs holds everything
        table, p, q = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([1.0, 0.0]), np.array([0.0, 1.0])
    found = equivalence.congruity(table, p, q)
    least = bounds.least_ball_divergence(*found.p_within)
    return Drawn(
        {
            "": (least, found.ball_divergence),
        },
        {
            "1.1 times": (1.1 * least, found.ball_divergence),
        },
    )


def _anchored(random: np.random.Generator) -> Drawn:
    n, table = _points(random)
    if random.random() < 0.3:
        n = int(random.integers(20, 60))
        angles = np.arange(n) * 2 * np.pi / n
        table = np.abs(np.exp(1j * angles)[:, None] - np.exp(1j * angles)).round(9)
        found = equivalence.anchored(table, np.full(n, 1 / n))
    else:
        found = equivalence.anchored(table, law(random, n))
    return Drawn(
        {
            "": (0.5, found),
        },
        {"0.51": (0.51, found), "1, as for the average over anchors": (1.0, found)},
    )


def _two_sets(random: np.random.Generator) -> tuple[Floats, Floats, Floats, equivalence.Interpretive]:
    if random.random() < 0.3:  # {0, 1} against {2 + a little or not}: where the constants are attained
        places = np.array([0.0, 1.0, 2.0 + random.choice([-0.01, 0.0, 0.01])])
        table, first = np.abs(places[:, None] - places), np.array([True, True, False])
    else:
        n, table = _points(random)
        first = sides(random, n)
        if random.random() < 0.5:
            table = table + random.uniform(0, 8) * (first[:, None] != first)
    found = equivalence.d_interp(table, first)
    n = len(first)
    return table, law(random, n, on=first), law(random, n, on=~first), found


def _separated(random: np.random.Generator) -> Drawn:
    table, p, q, found = _two_sets(random)
    score = equivalence.congruity(table, p, q).score
    gap, width = found.nearest, max(found.compressions)
    return Drawn(
        {
            "": (score if gap > width else 0.0, 0.0),
        },
        {
            "a gap of half the width suffices": (score if gap > width / 2 else 0.0, 0.0),
        },
    )


def _overlap(random: np.random.Generator) -> Drawn:
    table, p, q, found = _two_sets(random)
    score = equivalence.congruity(table, p, q).score
    if score <= 1e-9:
        return Drawn(
            {
                "": (0.0, 0.0),
            },
            {},
        )
    most = bounds.distance_from_overlap(score, found.compressions)
    return Drawn(
        {
            "": (found.d_interp, most),
        },
        {"max(kappa) alone": (found.d_interp, most / 2)},
    )


def _soft(random: np.random.Generator) -> Drawn:
    if random.random() < 0.2:  # many points a side, one pair across closer than any two on a side
        n, r = int(random.integers(3, 12)), 1.1
        side = np.arange(2 * n) < n
        table = np.where(side[:, None] == side, 1.0, 1.4)
        table[0, n] = table[n, 0] = 0.5
        np.fill_diagonal(table, 0.0)
        p, q = side / n, ~side / n
    else:
        table, p, q, _ = _two_sets(random)
        r = float(random.choice(table.ravel())) + float(random.choice([0.0, 1e-6]))
    score = equivalence.congruity(table, p, q).score
    near = float(p @ (table < r) @ q)
    wide = tuple(min(1.0, float(law_ @ (table >= r) @ law_)) for law_ in (p, q))
    ceiling = bounds.score_ceiling(min(1.0, near), (wide[0], wide[1]))
    return Drawn(
        {
            "": (score, ceiling),
        },
        {
            "without the factor 2": (score, min(1.0, near + sum(wide))),
            "without what is wide": (score, min(1.0, 2 * near)),
        },
    )


def _coupled(random: np.random.Generator) -> Drawn:
    n = int(random.integers(3, 8))
    places = random.integers(0, 6, size=n) * random.choice([1.0, 0.3]) + random.normal(size=n) * 0.05
    epsilon = float(random.choice([0.02, 0.1, 0.4]))
    moved = places + random.choice([-1.0, 1.0], size=n) * epsilon
    every = np.r_[places, moved]
    table = np.abs(every[:, None] - every)
    p = law(random, n)
    found = equivalence.congruity(table, np.r_[p, np.zeros(n)], np.r_[np.zeros(n), p])
    ties = []
    for part in (table[:n, :n], table[n:, n:]):
        close = np.abs(part[:, :, None] - part[:, None, :]) <= epsilon + 1e-12
        ties.append(min(1.0, float(np.einsum("i,j,k,ijk->", p, p, p, close))))
    least, least_min = bounds.score_floor((ties[0], ties[1]))
    return Drawn(
        {
            "C": (1 - found.score, 1 - least),
            "C_min": (1 - found.score_min, 1 - least_min),
        },
        {
            "a tenth of the ties": (1 - sum(ties) / 20 - found.score, 0.0),
            "the bound of C for C_min": (least - found.score_min, 0.0),
        },
    )


def _perturbed(random: np.random.Generator) -> Drawn:
    if random.random() < 0.2:  # within distances a little below all others, and each error in the worst direction
        epsilon, places = 0.5, np.array([0.0, 1.0, 2.8])
        table, p, q = np.abs(places[:, None] - places), np.array([0.1, 0.9, 0.0]), np.array([0.0, 0.0, 1.0])
        other = table + np.array([[0, 1, -1], [1, 0, -1], [-1, -1, 0]]) * epsilon
    else:
        table, p, q = _two_laws(random)
        n = len(table)
        epsilon = float(random.choice([0.05, 0.5, 1.0]))
        noise = np.triu(random.choice([-1.0, 1.0], size=(n, n)) * epsilon, 1)
        other = np.maximum(table + noise + noise.T, 0.0)
    before, after = (equivalence.congruity(one, p, q).p_within[0] for one in (table, other))

    def near(width: float) -> float:
        close = np.abs(table[:, :, None] - table[:, None, :]) <= width + 1e-12
        return min(1.0, float(np.einsum("i,j,k,ijk->", p, p, q, close)))

    low, high = bounds.shifted_chance(before, near(2 * epsilon))
    return Drawn(
        {"": (abs(after - before), near(2 * epsilon)), "as an interval": (max(low - after, after - high), 0.0)},
        {"a window of epsilon": (abs(after - before), near(epsilon))},
    )


CLAIMS = (
    Claim("T4(a) equal laws", "C = C_min = 1", _equal_laws),
    Claim("T4(b) literal", "C with <= is 1 - P[tie]", _literal),
    Claim("T4(c) witness", "P1 + P2 - 1 = E_P A - E_Q A", _witness, 1000),
    Claim("T4(d) total variation", "1 - t^2 (2 - t) <= C", _total_variation),
    Claim("T4(e) C_min", "(1 - t)^2 <= C_min", _least_min),
    Claim("T4(e) identity", "C_min = C - |P1 - P2|", _identity_of_min),
    Claim("T4(g) balls", "(P1 - 1/2)^2 + (P2 - 1/2)^2 <= ball divergence", _ball_divergence),
    Claim("T4(j) anchors", "1/2 <= E C of one anchor pair", _anchored, 2000),
    Claim("S1 gap", "a gap above max(kappa): C = 0", _separated),
    Claim("S2 overlap", "C > 0: d_interp <= 2 max(kappa)", _overlap),
    Claim("S3 soft", "C <= 2 a + b_1 + b_2", _soft),
    Claim("S4 coupled", "1 - mean tau <= C, 1 - max tau <= C_min", _coupled),
    Claim("S5 perturbed", "|P1' - P1| <= P[near tie within 2 epsilon]", _perturbed),
)
