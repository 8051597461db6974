"""From a picture of one cell to the pixels a network sees: the one preprocessing there is.

Training, evaluation and prediction all come through `prepare`, and what it does is described
as data in every model folder (`Preprocessing.to_dict`), so that a browser can do the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.data.cutout import brightest, find_cell, is_cut_out
from hemozoin.errors import ModelError


@dataclass(frozen=True)
class Preprocessing:
    """How a picture of a cell becomes `size` x `size` pixels.

    The cell is what is brighter than `background` (0..255) in some channel; the rest is black.
    A picture that isn't mostly black along its border shows glass, and perhaps neighbours:
    there the cell in the middle is found (`cells.cutout`) and the rest made black. What is left,
    cut to the cell's edges, is stretched to a square by bilinear resampling over the pixels of
    the cell alone: if the black background were averaged in, every cell would get a dark rim,
    and a dark rim looks like a parasite to a network that judges optical density.
    """

    size: int = 64
    background: int = 8

    def __post_init__(self) -> None:
        """Refuse what no picture could be made with."""
        if self.size < 1 or not 0 <= self.background < 255:
            raise ValueError(f"size {self.size} (from 1), background {self.background} (0..254)")

    def to_dict(self) -> dict[str, object]:
        """Return the steps as plain data, for a model's config.json."""
        steps = {
            "color": "RGB",
            "outline": "brighter than background; on glass, the cell in the middle",
            "crop": "to the cell's edges",
            "resample": "bilinear over the cell's own pixels",
        }
        return {**steps, **asdict(self)}

    @classmethod
    def from_dict(cls, data: dict[str, object]) -> Preprocessing:
        """Read what `to_dict` wrote; raises ModelError for steps this version can't do."""
        try:
            made = cls(size=int(str(data["size"])), background=int(str(data["background"])))
        except KeyError as error:
            raise ModelError(f"preprocessing in config.json: {error} is missing") from error
        except ValueError as error:
            raise ModelError(f"preprocessing in config.json: {error}") from error
        if made.to_dict() != data:
            raise ModelError("preprocessing in config.json: made by another version of hemozoin")
        return made


def prepare(image: Image.Image, how: Preprocessing) -> Pixels:
    """Return a cell as uint8 `[size, size, 3]`, RGB, 0 outside the cell.

    `image` is an RGB picture of one cell, of any size: on black, as NLM's are, or with the glass
    and its neighbours around it. A pixel of the result that lies half outside the cell or more
    is 0; one on the rim has the mean colour of the part inside (within 4 levels, for want of
    bits in between).
    """
    side = (how.size, how.size)
    small = np.asarray(_cut_out(image, how.background).resize(side, Image.Resampling.BILINEAR))
    weighted, weight = np.split(small.astype(np.uint16), [3], axis=2)
    colour = (weighted * 255 + weight // 2) // weight.clip(min=1)
    cell: Pixels = (colour.clip(max=255) * (weight >= 128)).astype(np.uint8)
    return cell


def _cut_out(image: Image.Image, background: int) -> Image.Image:
    """Return the cell, to its edges, in mode RGBa: colours weighted by opacity, 0 outside."""
    rgba = np.asarray(image.convert("RGBA"))
    inside = brightest(rgba) > background
    if not is_cut_out(inside):
        inside &= find_cell(image)
    # A whole pixel is multiplied at once: taking channels one by one is ten times slower.
    masked = rgba.view(np.uint32)[..., 0] * inside
    cell = Image.frombuffer("RGBa", image.size, masked, "raw", "RGBa", 0, 1)
    return cell.crop(cell.getbbox())
