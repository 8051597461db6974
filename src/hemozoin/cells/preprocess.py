"""From a picture of one cell to the pixels a network sees: the one preprocessing there is.

Training, evaluation and prediction all come through `prepare`, and what it does is described
as data in every model folder (`Preprocessing.to_dict`), so that a browser can do the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image

from hemozoin.cells.picture import Pixels
from hemozoin.errors import ModelError


@dataclass(frozen=True)
class Preprocessing:
    """How a picture of a cell becomes `size` x `size` pixels.

    The cell is what is brighter than `background` (0..255) in some channel; the rest is black.
    The picture is stretched to a square by bilinear resampling over the pixels of the cell
    alone: if the black background were averaged in, every cell would get a dark rim, and a
    dark rim looks like a parasite to a network that judges optical density.
    """

    size: int = 64
    background: int = 8

    def to_dict(self) -> dict[str, object]:
        """Return the steps as plain data, for a model's config.json."""
        return {"color": "RGB", "resample": "bilinear over the cell's own pixels", **asdict(self)}

    @classmethod
    def from_dict(cls, data: dict[str, object]) -> Preprocessing:
        """Read what `to_dict` wrote; raises ModelError for steps this version can't do."""
        try:
            made = cls(size=int(str(data["size"])), background=int(str(data["background"])))
        except (KeyError, ValueError) as error:
            raise ModelError(f"preprocessing in config.json: {error!r} is missing or no number")
        if made.to_dict() != data:
            raise ModelError("preprocessing in config.json: made by another version of hemozoin")
        return made


def prepare(image: Image.Image, how: Preprocessing) -> Pixels:
    """Return a cell as uint8 `[size, size, 3]`, RGB, 0 outside the cell.

    `image` is an RGB picture of one cell, background black or cut off, of any size.
    """
    cell = np.asarray(image).max(axis=2) > how.background
    masked = image.copy()
    masked.putalpha(Image.fromarray(cell.astype(np.uint8) * 255))
    # Pillow resamples RGBA with its colours weighted by alpha: just what is wanted here.
    small = np.asarray(masked.resize((how.size, how.size), Image.Resampling.BILINEAR))
    inside = small[..., 3:] >= 128
    return np.ascontiguousarray(small[..., :3] * inside)
