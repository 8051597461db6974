"""Types of the arrays that the stages of the pipeline exchange, and how they are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

#: Any array.
Array = npt.NDArray[Any]

#: An array of truth values, such as a mask `[H, W]` of the pixels of a picture.
Bools = npt.NDArray[np.bool_]

#: An array of integers, such as row numbers of a table or labels of pixels.
Ints = npt.NDArray[np.integer[Any]]

#: An array of floating-point numbers, of single or double precision.
Floats = npt.NDArray[np.floating[Any]]

#: A column of text: str, or None where there is none.
Texts = npt.NDArray[np.object_]

#: Decoded pictures: RGB, 0..255, `[..., H, W, 3]`.
Pixels = npt.NDArray[np.uint8]

#: A picture of one channel, 0..255, `[H, W]`; also a mask, 255 inside and 0 outside, as in OpenCV.
Levels = npt.NDArray[np.uint8]

#: Several arrays by name, as in a .safetensors file.
NamedArrays = dict[str, Array]


_Rows = TypeVar("_Rows", Pixels, Sequence[Any])


def batches(rows: _Rows, size: int) -> Iterator[_Rows]:
    """Yield rows in order, at most `size` at a time; those of an array `[N, ...]` are no copy."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def texts(values: Iterable[str | None]) -> Texts:
    """Return strings as a column `[N]`."""
    return np.array([*values], dtype=object)
