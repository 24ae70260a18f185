"""Positive control: do our numbers separate two mechanisms from two seeds of one mechanism, at equal behaviour?

The networks are those of `congruity.known.networks.matched_behaviour`: kinds "direct" and "relay", which give the same
answers by different mechanisms. Of 7 networks a kind, those with a loss below .01 are compared.

Fixed before any result was seen: rho at KL .01 with 8 implementations each, drawn by scale from all sites (30 sites are
too few to reach a strength by their number); spectral distances on 200 prompts; 48 masks shared by all networks, random
subsets of all sites; AUROC of "pairs across kinds are farther apart than pairs within a kind", with a 95 % percentile
interval over 2,000 resamples of networks within each kind.

Three nuisance measures read nothing of the mechanism: the output KL, the sorted sizes of the sites' effects, and d_repr
of the same networks untrained. A measure that separates the kinds no better than these is no evidence. One confound
remains: a relay needs its layers, so the two kinds also differ in the layers at which things happen.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from congruity import distances
from congruity._base.arrays import Floats
from congruity._base.digest import plain
from congruity._base.progress import Progress
from congruity._base.streams import stream
from congruity.comparison import arrays as measure
from congruity.comparison.estimate import estimate
from congruity.inference.ranks import mann_whitney
from congruity.interventions import Resample
from congruity.known.networks import matched_behaviour as twins
from congruity.models.load import load_model
from congruity.pipeline import fingerprint
from congruity.protocols import Model
from congruity.sampling.implementations import masks
from congruity.sampling.representation import represent
from congruity.values import Behaviour, Budget, Circuit, Fingerprint, Gates, Scores

_RESAMPLES = 2000
_KL = 0.01
_LOSS = 0.01  # nats from the distribution trained on, beyond which a network does not behave like the others


def measured(seed: int, small: bool, progress: Progress) -> dict[str, Any]:
    """Return the AUROC of each measure for pairs across kinds against pairs within, and congruity over networks."""
    count, n, prompts, steps = (2, 3, 24, 12) if small else (7, 8, 200, twins.DEFAULT.steps)
    trained = twins.matched_networks(count, steps=steps, progress=progress)
    networks = [network for network in trained if small or network.loss < _LOSS]
    task = twins.task(n=prompts, seed=seed)
    sides, masked, effects, untrained = [], [], [], []
    for done, network in enumerate(networks):
        progress("control: fingerprints", done, len(networks))
        model = _wrapped(network.module)
        bound = model.bind(task.examples(), Resample())
        found = bound.effects(model.sites)
        pool = _all_sites(model, found, next(iter(bound.run([None]))).behaviour())
        edits = masks(pool, 8 if small else 48, intervention=Resample(), seed=seed)
        budget = Budget(kl=1e-4 if small else _KL, by="scale")
        make = functools.partial(fingerprint, task, model, seed=seed, circuit=pool, require_task=False)
        sides.append(make(n=n, budget=budget, gates=Gates(max_accuracy_drop=None, max_metric_change=None)))
        masked.append(make(edits_of=edits))
        effects.append(found.mean(axis=0))
        fresh = _wrapped(twins.untrained(network.kind, network.seed)).bind(task.examples(), Resample())
        untrained.append(represent(next(iter(fresh.run([None], read=True))), sides[0].queries, model="untrained").gram)
    progress("control: fingerprints", len(networks), len(networks))
    kinds = np.array([network.kind for network in networks])
    clean, null = (
        measure.pairwise(grams, distances.Spectral(), gram=True, progress=progress)
        for grams in ([side.clean_gram for side in sides], untrained)
    )
    radii = np.array([_radius(side) for side in sides])
    log_kl = np.array([[np.log(i.behaviour.kl + 1e-9) for i in side.admitted] for side in masked])
    metric = np.array([[i.behaviour.logit_difference for i in side.admitted] for side in masked])
    divergence = twins.divergences(networks)
    between = {
        "d_repr, unedited": clean.values,
        "rho at KL .01": clean.values / (radii[:, None] + radii) * 2,
        "paired masks, 1 - correlation of log KL": 1 - np.corrcoef(log_kl),
        "paired masks, 1 - correlation of metric": 1 - np.corrcoef(metric),
        "effects of single sites, 1 - correlation": 1 - np.corrcoef(np.array(effects)),
        "nuisance: output KL, both ways": (divergence + divergence.T) / 2,
        "nuisance: d_repr of the untrained networks": null.values,
        "nuisance: sorted sizes of effects": _gaps(np.sort(np.abs(effects), axis=1)),
    }
    rng = stream(seed, "bench control")
    over = estimate(clean, [str(kind) for kind in kinds], base=[network.name for network in networks], seed=seed)
    return {
        "left_out": [network.name for network in trained if network not in networks],
        "networks": [
            {
                "name": network.name,
                "accuracy": network.accuracy,
                "loss": network.loss,
                "radius": radius,
                "mean_kl": side.mean_kl,
            }
            for network, radius, side in zip(networks, radii.tolist(), sides, strict=True)
        ],
        "measures": {name: _separates(values, kinds, rng) for name, values in between.items()},
        "over_networks": {
            key: plain(getattr(over, key))
            for key in ("score", "interval", "p_within", "separability", "p_value", "verdict", "reason")
        },
    }


def _all_sites(model: Model, effects: Floats, clean: Behaviour) -> Circuit:
    """Return an empty circuit, whose pool is all sites: one rule for all networks."""
    mean, error = effects.mean(axis=0), effects.std(axis=0, ddof=1) / np.sqrt(len(effects))
    scores = Scores("patching", model.sites, mean, error, len(effects), size=0)
    return Circuit((), model.sites, scores, 0.0, clean, ())


def _wrapped(module: Any) -> Model:
    """Return the adapter of a copy of a module; the adapter changes its module."""
    return load_model(copy.deepcopy(module), tokenizer=twins.tokenizer(), device="cpu")


def _radius(side: Fingerprint) -> float:
    pairs = [measure.pairwise([side.clean_gram, gram], distances.Spectral(), gram=True).values for gram in side.grams]
    return float(np.mean([(table[0, 1] + table[1, 0]) / 2 for table in pairs]))


def _gaps(profiles: Floats) -> Floats:
    gaps: Floats = np.linalg.norm(profiles[:, None] - profiles, axis=2)
    return gaps


def _separates(values: Floats, kinds: NDArray[Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return the AUROC of across against within, its interval over networks, and the mean of each sort of pairs."""
    groups = [np.flatnonzero(kinds == kind) for kind in twins.KINDS]
    resampled = [_auroc(values, [rng.choice(group, size=len(group)) for group in groups]) for _ in range(_RESAMPLES)]
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    within = [float(_pairs(values, group, group).mean()) for group in groups]
    return {
        "auroc": _auroc(values, groups),
        "low": float(low),
        "high": float(high),
        "within_direct": within[0],
        "within_relay": within[1],
        "across": float(_pairs(values, *groups).mean()),
    }


def _pairs(values: Floats, a: NDArray[np.intp], b: NDArray[np.intp]) -> Floats:
    """Return the values of all pairs of different networks, one of ``a`` and one of ``b``."""
    rows, columns = np.meshgrid(a, b, indexing="ij")
    different = rows != columns if a is b else np.ones(rows.shape, dtype=bool)
    chosen: Floats = values[rows[different], columns[different]]
    return chosen


def _auroc(values: Floats, groups: Sequence[NDArray[np.intp]]) -> float:
    within = np.concatenate([_pairs(values, group, group) for group in groups])
    across = _pairs(values, groups[0], groups[1])
    if len(within) == 0:
        return float("nan")
    return mann_whitney(within, across)
