"""The arrays that pass between the stages, by what they hold, and how to walk through them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

#: Any array.
Array = npt.NDArray[Any]

#: An array of truth values; a mask `[H, W]` where it says which pixels of a picture are meant.
Bools = npt.NDArray[np.bool_]

#: An array of whole numbers, such as rows of a table or labels of pixels.
Ints = npt.NDArray[np.integer[Any]]

#: An array of floating-point numbers of either precision.
Floats = npt.NDArray[np.floating[Any]]

#: Pictures as they are decoded: RGB, 0..255, `[..., H, W, 3]`.
Pixels = npt.NDArray[np.uint8]

#: Several arrays by name, as a file holds them.
NamedArrays = dict[str, Array]


def batches(rows: Pixels, size: int) -> Iterator[Pixels]:
    """Yield `rows` `[N, ...]` in order, at most `size` at a time, without copying them."""
    return (rows[start : start + size] for start in range(0, len(rows), size))
