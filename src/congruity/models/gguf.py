"""GGUF files: check, convert once to safetensors in the cache, and from then on load that."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from congruity._base import cache
from congruity._base.digest import file_digest
from congruity._base.optional import require
from congruity.errors import ModelError

_MAGIC = b"GGUF"


def converted(parts: Sequence[Path], *, name: str, sha256: str | None = None) -> tuple[Path, str]:
    """Return the folder with the converted model, and the SHA-256 of the GGUF file that it came from.

    Args:
        parts: the file, or its parts in order.
        name: for messages.
        sha256: what the digest must be, where it is known.

    Raises:
        ModelError: not a GGUF file, truncated, or edited.
        MissingExtraError: the ``models`` extra is not installed.
    """
    if len(parts) == 1:
        _check_header(parts[0], name)
        digest = file_digest(parts[0])
        _check_digest(digest, sha256, name)
    else:
        digest = _joined_digest(parts)
        _check_digest(digest, sha256, name)

    def make(folder: Path) -> None:
        if len(parts) == 1:
            _convert(parts[0], folder, name)
            return
        whole = folder / "joined.gguf"
        with whole.open("wb") as out:
            for part in parts:
                with part.open("rb") as piece:
                    shutil.copyfileobj(piece, out)
        _convert(whole, folder, name)
        whole.unlink()

    return cache.folder_for(digest, make, kind="models"), digest


def _joined_digest(parts: Sequence[Path]) -> str:
    import hashlib

    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(part.read_bytes())
    return hasher.hexdigest()


def _check_digest(digest: str, expected: str | None, name: str) -> None:
    if expected is not None and digest != expected:
        raise ModelError(
            f"{name}: the installed GGUF file is damaged or another version: its SHA-256 is {digest[:12]}..., expected "
            f"{expected[:12]}...; reinstall the package"
        )


def _check_header(path: Path, name: str) -> None:
    with path.open("rb") as handle:
        head = handle.read(8)
    if len(head) < 8 or head[:4] != _MAGIC:
        raise ModelError(f"{name}: {path.name} is no GGUF file: it starts with {head[:4]!r}, not {_MAGIC!r}")
    version = struct.unpack("<I", head[4:])[0]
    if not 2 <= version <= 3:
        raise ModelError(f"{name}: {path.name} is GGUF version {version}; versions 2 and 3 are read")


def _check_complete(path: Path, name: str) -> None:
    """The header says where every tensor lies; a truncated file ends before that."""
    gguf = require("gguf", "congruity[models]", "reading GGUF files")
    try:
        reader = gguf.GGUFReader(path)
        tensors, fields = reader.tensors, reader.fields
    except (ValueError, KeyError, IndexError, UnicodeDecodeError, OverflowError) as error:
        raise ModelError(f"{name}: {path.name} is truncated or damaged ({error}); fetch it again") from None
    if not any(key.endswith(".block_count") for key in fields):  # Hugging Face would make up a 7B model
        raise ModelError(f"{name}: {path.name} says neither its architecture nor its number of layers; fetch it again")
    size = path.stat().st_size
    end = max((int(t.data_offset) + int(t.n_bytes) for t in tensors), default=0)
    if end == 0 or end > size:
        raise ModelError(f"{name}: {path.name} is truncated: {size} bytes, its tensors end at {end}; fetch it again")


def _convert(path: Path, folder: Path, name: str) -> None:
    _check_complete(path, name)
    transformers = require("transformers", "congruity[models]", "converting GGUF files")
    torch = require("torch", "congruity[models]", "converting GGUF files")
    arguments: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, dtype=torch.float32, **arguments)
        tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **arguments)
    except Exception as error:  # Hugging Face raises many kinds for a bad file
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the file's
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{name}: {path.name} holds no model that Hugging Face can read ({reason})") from None
    # What was dequantised is no quantised model any more, but Hugging Face refuses to save it while it looks like one.
    for attribute in ("hf_quantizer", "quantization_method", "is_quantized"):
        if hasattr(model, attribute):
            delattr(model, attribute)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
