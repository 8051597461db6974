"""From a picture of one cell to the pixels that a network sees.

Training, evaluation and prediction all use `prepare`; there is no other preprocessing. Every model
folder describes its steps as data (`Preprocessing.to_dict`), so that a browser can do the same.
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

    Pixels that are brighter than `background` (0..255) in some channel belong to the cell; the
    others become black. A picture that isn't mostly black along its border shows the background
    of the slide, and perhaps other cells: there, the cell in the middle is found (`data.cutout`)
    and the rest becomes black. The cell is cropped to its bounding box and stretched to a square
    by bilinear resampling over the cell's own pixels. If black pixels were averaged in, every cell
    would get a dark rim, which looks like a parasite to a network that sees optical density.
    """

    size: int = 64
    background: int = 8

    def __post_init__(self) -> None:
        """Raise ValueError for a size or background out of range."""
        if self.size < 1 or not 0 <= self.background < 255:
            raise ValueError(f"size {self.size} (from 1), background {self.background} (0..254)")

    def to_dict(self) -> dict[str, object]:
        """Return the steps as plain values, for the config.json of a model."""
        steps = {
            "color": "RGB",
            "outline": "brighter than background; on glass, the cell in the middle",
            "crop": "to the cell's edges",
            "resample": "bilinear over the cell's own pixels",
        }
        return {**steps, **asdict(self)}

    @classmethod
    def from_dict(cls, data: dict[str, object]) -> Preprocessing:
        """Return the preprocessing that `to_dict` described.

        Raises ModelError for steps that this version doesn't have.
        """
        try:
            preprocessing = cls(
                size=int(str(data["size"])), background=int(str(data["background"]))
            )
        except KeyError as error:
            raise ModelError(f"preprocessing in config.json: {error} is missing") from error
        except ValueError as error:
            raise ModelError(f"preprocessing in config.json: {error}") from error
        if preprocessing.to_dict() != data:
            raise ModelError("preprocessing in config.json: from another version of hemozoin")
        return preprocessing


def prepare(image: Image.Image, preprocessing: Preprocessing) -> Pixels:
    """Return a cell as uint8 `[size, size, 3]`, RGB, 0 outside the cell.

    `image` is an RGB picture of one cell, of any size: on black, as NLM's are, or with the
    background of the slide and other cells around it. A pixel of the result is 0 if at least half
    of it is outside the cell; otherwise a pixel on the rim has the mean colour of its part inside
    the cell (within 4 levels, because intermediate values have only 8 bits).
    """
    side = (preprocessing.size, preprocessing.size)
    cell = _cut_out(image, preprocessing.background)
    small = np.asarray(cell.resize(side, Image.Resampling.BILINEAR))
    weighted, weight = np.split(small.astype(np.uint16), [3], axis=2)
    colour = (weighted * 255 + weight // 2) // weight.clip(min=1)
    prepared: Pixels = (colour.clip(max=255) * (weight >= 128)).astype(np.uint8)
    return prepared


def _cut_out(image: Image.Image, background: int) -> Image.Image:
    """Return the cell, cropped, in mode RGBa: colours multiplied by opacity, 0 outside."""
    rgba = np.asarray(image.convert("RGBA"))
    inside = brightest(rgba) > background
    if not is_cut_out(inside):
        inside &= find_cell(image)
    # Four channels are multiplied as one integer: one by one would be ten times slower.
    masked = rgba.view(np.uint32)[..., 0] * inside
    cell = Image.frombuffer("RGBa", image.size, masked, "raw", "RGBa", 0, 1)
    return cell.crop(cell.getbbox())
