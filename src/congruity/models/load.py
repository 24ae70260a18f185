"""Load a model by name, path or object."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from congruity._base.digest import digest, file_digest
from congruity._base.optional import require
from congruity.errors import ModelError, UnknownNameError
from congruity.models import gguf, packaged, variants
from congruity.protocols import Model

_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib", ".npy")
_REVISION = re.compile(r"^[0-9a-f]{40}$")


@dataclass(frozen=True)
class Source:
    """Where a model's weights lie before they are loaded, and the digest that names them.

    ``folder`` is a local folder that Hugging Face can read, or None for a hub id, whose digest is known after loading.
    """

    name: str
    base: str
    digest: str
    folder: Path | None
    revision: str | None
    variant: variants.Variant | None


def locate(name: str | Path, *, revision: str | None = None, trust_remote_code: bool = False) -> Source:
    """Resolve a name to its weights without loading them: a short name, a ``.gguf`` file, a folder or a hub id.

    Raises:
        ModelError: a pickle, a folder that holds no model, remote code without a pinned revision.
        UnknownNameError: neither a path nor a known short name.
        MissingExtraError: a packaged model that is not installed.
    """
    text = str(name)
    base, plus, change = text.partition("+")
    if Path(text).exists():  # a path may hold a plus sign
        base, plus, change = text, "", ""
    variant = variants.parse(change) if plus else None
    if trust_remote_code and not (revision and _REVISION.match(revision)):
        raise ModelError(
            f"{text}: trust_remote_code runs code from the hub on this machine, so it needs revision= with the 40 "
            f"hexadecimal digits of a commit that you have read; got {revision!r}"
        )
    folder, weights = _weights(base)
    if variant is not None and weights:
        weights = digest(weights, str(variant))
    trained = base if variant is None or variant.kind.same_base else text
    return Source(text, Path(trained).name if folder else trained, weights, folder, revision, variant)


def _weights(base: str) -> tuple[Path | None, str]:
    path = Path(base)
    if path.suffix in _PICKLES:
        raise ModelError(
            f"{base}: congruity never unpickles a file; save the model as safetensors (save_pretrained) instead"
        )
    if path.suffix == ".gguf":
        if not path.is_file():
            raise ModelError(f"{base}: no such GGUF file")
        return gguf.converted([path], name=base)
    if path.is_dir():
        return path, _folder_digest(path)
    if any(base == model.name for model in packaged.REGISTRY):
        model = packaged.by_name(base)
        return gguf.converted(model.files(), name=base, sha256=model.sha256)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", base) and not base.startswith((".", "/")):
        return None, ""
    otherwise = "or give a local folder, a .gguf file, or a hub id of the form owner/name"
    raise UnknownNameError("model", base, [model.name for model in packaged.REGISTRY], otherwise=otherwise)


def _folder_digest(folder: Path) -> str:
    if not (folder / "config.json").is_file():
        found = ", ".join(sorted(p.name for p in folder.iterdir())[:5]) or "nothing"
        raise ModelError(f"{folder}: no Hugging Face model: there is no config.json, but {found}")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(
            f"{folder}: no *.safetensors weights; congruity reads no pickles, convert with save_pretrained"
        )
    return digest((folder / "config.json").read_text(), *(part for f in files for part in (f.name, file_digest(f))))


def load_model(
    name_or_path_or_module: Any,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "float32",
    tokenizer: Any = None,
    trust_remote_code: bool = False,
) -> Model:
    """Load a causal language model and prove that its adapter computes what the plain model does.

    Args:
        name_or_path_or_module: a short name (`smollm2-135m`), a local folder, a ``.gguf`` file (converted once), a hub
            id ``owner/name``, a Hugging Face module or a TransformerBridge in memory (wrapped in place), or anything
            that already is a `Model`, which is returned as it is. ``+noise=0.01``, ``+random``, ``+rtn=4``
            (rounded to 4 bits), ``+drop=1`` (without the last layer), ``+permute`` or ``+rotate`` (the same function in
            other weights) after a name loads a changed copy; see `congruity.models.variants`.
        revision: branch, tag or commit of a hub id.
        device: "auto" (CUDA if there is one, else CPU) or a PyTorch device.
        dtype: "float32", "bfloat16" or "float16".
        tokenizer: for a module in memory; default: loaded from the path in its config.
        trust_remote_code: run code from the hub; needs ``revision`` to be a pinned 40-digit commit.

    Raises:
        ModelError: nothing there that can be loaded; the sentence says why.
        UnknownNameError: no such short name; names the nearest.
        MissingExtraError: PyTorch and TransformerLens (extra ``models``), or a packaged model, are not installed.

    >>> import congruity as cg
    >>> cg.load_model("smollm2-135m").card.n_layers  # doctest: +SKIP
    30
    """
    if hasattr(name_or_path_or_module, "bind") and hasattr(name_or_path_or_module, "card"):
        return cast(Model, name_or_path_or_module)
    by_name = isinstance(name_or_path_or_module, (str, Path))
    # Bad names are refused before seconds of imports.
    source = locate(name_or_path_or_module, revision=revision, trust_remote_code=trust_remote_code) if by_name else None
    torch = require("torch", "congruity[models]", "running a model")
    require("transformer_lens", "congruity[models]", "running a language model")
    from congruity.models.bridge import Loaded
    from congruity.models.transformer_lens import TransformerLensModel

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype not in ("float32", "bfloat16", "float16"):
        raise ModelError(f"dtype is {dtype!r}; use float32, bfloat16 or float16")
    try:
        place, precision = torch.device(device), getattr(torch, dtype)
    except RuntimeError:
        raise ModelError(f"device is {device!r}; use auto, cpu, cuda or another PyTorch device") from None
    if source is not None:
        module, words = _read(source, precision, trust_remote_code)
        weights = source.digest or _state_digest(module)
        if source.variant is not None:
            source.variant(module)
            weights = source.digest or digest(weights, str(source.variant))
        where = str(source.folder or source.name.partition("+")[0])
        loaded = Loaded(module, words, source.name, weights, source.base, where, revision)
    else:
        loaded = _in_memory(name_or_path_or_module, tokenizer)
    return TransformerLensModel(loaded, device=place, dtype=precision)


def _read(source: Source, precision: Any, trust_remote_code: bool) -> tuple[Any, Any]:
    import transformers

    where = str(source.folder or source.name.partition("+")[0])
    arguments: dict[str, Any] = {"trust_remote_code": trust_remote_code, "local_files_only": source.folder is not None}
    if source.folder is None:
        arguments["revision"] = source.revision
    try:
        with quiet():
            module, report = transformers.AutoModelForCausalLM.from_pretrained(
                where, dtype=precision, use_safetensors=True, output_loading_info=True, **arguments
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(where, **arguments)
    except Exception as error:  # Hugging Face raises many kinds for a bad folder, file or connection
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") == "1" else ""
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise ModelError(f"{source.name}: cannot be loaded{offline}: {reason}") from None
    absent = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    if absent:  # Hugging Face would go on with random numbers in their place
        raise ModelError(
            f"{source.name}: the weights lack {len(absent)} tensors that the model needs, such as {absent[0]}"
        )
    return module, tokenizer


def _in_memory(module: Any, tokenizer: Any) -> Any:
    from congruity.models.bridge import Loaded

    bridge = module if hasattr(module, "hook_dict") else None
    if bridge is not None:
        module, tokenizer = bridge.original_model, tokenizer or bridge.tokenizer
    config = getattr(module, "config", None)
    if config is None or not hasattr(module, "forward"):
        raise ModelError(
            f"cannot load {type(module).__name__}: give a name, a path or a Hugging Face causal language model, or "
            "wrap a plain PyTorch module with congruity.models.TorchModule(module, edits=..., reads=..., name=...)"
        )
    name = getattr(config, "_name_or_path", "") or type(module).__name__
    if tokenizer is None:
        import transformers

        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, local_files_only=True)
        except (OSError, ValueError):
            raise ModelError(
                f"{name}: no tokenizer is stored under that name; pass tokenizer= with the module"
            ) from None
    short = Path(name).name
    return Loaded(module, tokenizer, short, _state_digest(module), short, name, bridge=bridge)


def _state_digest(module: Any) -> str:
    state = module.state_dict()
    return digest(*(part for key in sorted(state) for part in (key, state[key].detach().float().cpu().numpy())))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Hugging Face's own progress bars: one program, one bar."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()
