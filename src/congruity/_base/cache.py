"""The cache folder: files named by digests, written aside and moved into place under a lock, safe to delete."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from congruity.errors import StoreError

VARIABLE = "CONGRUITY_CACHE"


def folder() -> Path:
    """Return the cache folder: ``$CONGRUITY_CACHE``, or the platform's own place for caches."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("congruity")


def folder_for(key: str, make: Callable[[Path], None], *, kind: str) -> Path:
    """Return the cached folder ``kind/key``, letting ``make(empty folder)`` fill it first if it is not there.

    ``make`` works in a folder beside it that is renamed only when it is complete, so an interrupt or a full disk leaves
    nothing behind that looks finished.

    Raises:
        StoreError: no space left, or the cache folder cannot be written.
    """
    from filelock import FileLock

    target = folder() / kind / key
    if target.is_dir():
        return target
    with guarded(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")):
            if target.is_dir():  # another process finished while this one waited
                return target
            aside = Path(tempfile.mkdtemp(prefix=f".{key[:12]}-", dir=target.parent))
            try:
                make(aside)
                aside.replace(target)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
    return target


@contextmanager
def guarded(place: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"no space left while writing in {place}; free some, or point {VARIABLE} at another disk (a converted "
                "model takes 4 bytes a parameter)"
            ) from None
        if error.errno is None:
            raise
        raise StoreError(
            f"cannot write in {place} ({error.strerror}); name another folder ({VARIABLE} for the cache)"
        ) from None
    except Exception as error:
        # safetensors reports the operating system's refusal as an exception of its own, in words.
        if type(error).__name__ != "SafetensorError" or "os error" not in str(error):
            raise
        raise StoreError(
            f"cannot write in {place} ({error}); free some space, or point {VARIABLE} at another disk"
        ) from None
