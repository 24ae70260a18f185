"""Zoos on disk: one file a job, written when the job is done. An interrupted training goes on where it was.

The same preset, way and seed give the same networks on the same machine and libraries: each job has its own random
streams, and neither order nor the number of processes reaches them.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from congruity._base import cache
from congruity._base.digest import digest, plain
from congruity._base.files import write_bytes
from congruity._base.progress import Progress, silent
from congruity._base.streams import stream
from congruity.errors import InputError, StoreError
from congruity.known.algorithms import by_name
from congruity.known.zoo.criteria import Criteria, measured
from congruity.known.zoo.interchange_data import InterchangeData
from congruity.known.zoo.layout import Layout, draw
from congruity.known.zoo.network import Networks
from congruity.known.zoo.presets import Job, Preset, needed
from congruity.known.zoo.training import train

_VERSION = 1  # of what a job's networks are: raise it when the code that makes them changes
_KEY = "congruity-zoo"


@dataclass(frozen=True)
class TrainedNetworks:
    """The trained networks of one job.

    Attributes:
        networks: their weights; ``layouts``: the node of each variable; ``data``: what they were trained on.
        readouts: kind of variable -> (networks, width, values).
        criteria: what each reached.
        seconds: of processor time.
    """

    job: Job
    networks: Networks
    layouts: tuple[Layout, ...]
    data: InterchangeData
    readouts: dict[str, NDArray[np.float32]]
    criteria: tuple[Criteria, ...]
    seconds: float

    @property
    def needed(self) -> Criteria:
        """What its networks must reach."""
        return needed(self.job.way)

    @property
    def passed(self) -> tuple[bool, ...]:
        """Which networks reach it."""
        return tuple(one.passes(self.needed) for one in self.criteria)


def folder(preset: Preset, way: str, seed: int) -> Path:
    """Return where a zoo is kept, in the cache."""
    jobs = [plain(job) for job in preset.jobs(way, seed)]
    return cache.folder() / "zoo" / f"{preset.name}-{way}-{seed}-{digest(_VERSION, jobs)[:12]}"


def train_zoo(
    preset: Preset,
    way: str,
    *,
    seed: int = 0,
    processes: int = 1,
    device: str = "cpu",
    progress: Progress = silent,
) -> Path:
    """Train what is not there yet of a zoo; return its folder.

    Args:
        preset, way, seed: what zoo.
        processes: how many at once, one thread each; 1 trains in this process.
        device: where; "cuda" trains in this process.
        progress: told how many networks are done.

    Raises:
        UnknownNameError: no such way to train.
        InputError: no such device, or a preset that has no networks of this way.
        StoreError: no space, or a folder that cannot be written.
    """
    from joblib import Parallel, delayed

    _usable(device)
    place, jobs = folder(preset, way, seed), list(preset.jobs(way, seed))
    if not jobs:
        raise InputError(f"zoo {preset.name} has no networks trained as {way}; take a larger one")
    if any(job.target for job in jobs):
        train_zoo(preset, "values", seed=seed, processes=processes, device=device, progress=progress)
    total, stage = sum(job.count for job in jobs), f"networks of {preset.name}, {way}"
    left = [job for job in jobs if not _path(place, job).is_file()]
    done = total - sum(job.count for job in left)
    progress(stage, done, total)
    work = Parallel(n_jobs=processes if device == "cpu" else 1, return_as="generator_unordered")
    for count in work(delayed(_finish)(place, preset, job, device, seed) for job in left):
        done += count
        progress(stage, done, total)
    return place


def load_zoo(preset: Preset, way: str, *, seed: int = 0) -> Iterator[TrainedNetworks]:
    """Yield the batches of a zoo in the order of its jobs, those that are there.

    Raises:
        StoreError: a file that is damaged.
    """
    place = folder(preset, way, seed)
    for job in preset.jobs(way, seed):
        if _path(place, job).is_file():
            yield _load(_path(place, job), job)


def count(preset: Preset, way: str, *, seed: int = 0) -> int:
    """Return how many networks of a zoo are there."""
    place = folder(preset, way, seed)
    return sum(job.count for job in preset.jobs(way, seed) if _path(place, job).is_file())


def trained(job: Job, device: str = "cpu", *, targets: Networks | None = None) -> TrainedNetworks:
    """Train the networks of one job, ``targets`` those of its target, and measure their criteria."""
    start = time.process_time()
    networks, layouts, data = _fresh(job)
    networks.to(device)
    readouts = train(networks, data, layouts, job.recipe, seed=job.seed, targets=targets)
    criteria = measured(networks, data, layouts, readouts, seed=job.seed + 1, targets=targets)
    networks.to("cpu")
    return TrainedNetworks(job, networks, layouts, data, readouts, tuple(criteria), time.process_time() - start)


def checked(batch: TrainedNetworks, targets: Networks | None = None) -> list[Criteria]:
    """Return the criteria of a batch, measured anew from its weights, on other of the held-out draws."""
    seed = batch.job.seed + 2
    return measured(batch.networks, batch.data, batch.layouts, batch.readouts, seed=seed, targets=targets)


def _usable(device: str) -> None:
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {device!r} cannot be used: {reason}; take cpu") from None


def targets_of(preset: Preset, job: Job, *, seed: int = 0) -> Networks | None:
    """Return the networks whose representations those of a job match; None if it is no job of impostors.

    Raises:
        StoreError: they are not there, or damaged.
    """
    if job.target is None:
        return None
    path = _path(folder(preset, "values", seed), job.target)
    if not path.is_file():
        raise StoreError(f"{path}: what {job.name} mimics is not there; do: congruity zoo train {preset.name}")
    return _load(path, job.target).networks


def _fresh(job: Job) -> tuple[Networks, tuple[Layout, ...], InterchangeData]:
    family = by_name(job.family)
    data = InterchangeData(family, family.algorithm(job.algorithm), kinds=job.kinds, seed=job.seed)
    seeds = [int(stream(job.seed, "zoo", job.name, k).integers(2**31)) for k in range(job.count)]
    layouts = tuple(draw(data.model, data.length, job.shape, stream(one, "zoo", "layout")) for one in seeds)
    networks = Networks(
        seeds,
        job.shape,
        vocabulary=data.vocabulary,
        length=data.length,
        classes=data.classes,
        answers=data.positions,
    )
    return networks, layouts, data


def _finish(place: Path, preset: Preset, job: Job, device: str, seed: int) -> int:
    """Train one job and write it; return how many networks that made."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # one process a core; also what makes the numbers the same however many there are
    try:
        _save(trained(job, device, targets=targets_of(preset, job, seed=seed)), _path(place, job))
    finally:
        torch.set_num_threads(threads)
    return job.count


def _path(place: Path, job: Job) -> Path:
    return place / f"{job.name}.safetensors"


def _save(batch: TrainedNetworks, path: Path) -> None:
    from safetensors.numpy import save

    arrays = {f"weights.{name}": value.detach().numpy() for name, value in batch.networks.weights.items()}
    arrays |= {f"readouts.{name}": value for name, value in batch.readouts.items()}
    header = {
        "job": plain(batch.job),
        "gates": [[_finite(value) for value in dataclasses.astuple(one)] for one in batch.criteria],
        "seconds": round(batch.seconds, 2),
        "digest": digest(arrays),
    }
    content = save(arrays, metadata={_KEY: json.dumps(header, sort_keys=True, allow_nan=False)})
    write_bytes(content, path)


def _load(path: Path, job: Job) -> TrainedNetworks:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as handle:
            header: dict[str, Any] = json.loads((handle.metadata() or {})[_KEY])
            arrays = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (no mapping)
        if header["job"] != plain(job):
            raise ValueError("made by another job")
        if header["digest"] != digest(arrays):
            raise ValueError("its numbers are not those that were written")
        networks, layouts, data = _fresh(job)
        for name, parameter in networks.weights.items():
            parameter.data = torch.from_numpy(arrays[f"weights.{name}"])
        criteria = tuple(Criteria(*(float("nan") if v is None else float(v) for v in one)) for one in header["gates"])
        seconds = float(header["seconds"])
        readouts = {name: arrays[f"readouts.{name}"] for name in (data.kinds if job.recipe.readout else ())}
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: not a whole file of a zoo ({error}); remove it and train the zoo again") from None
    networks.requires_grad_(False)
    return TrainedNetworks(job, networks, layouts, data, readouts, criteria, seconds)


def _finite(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None
