"""Array types and read-only copies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Array = Any  # an array of any namespace with the array API: NumPy, PyTorch on any device


def frozen(array: object, *, dtype: Any = np.float64) -> NDArray[Any]:
    """Return a read-only copy of ``array``."""
    copy = np.array(array, dtype=dtype)
    copy.setflags(write=False)
    return copy
