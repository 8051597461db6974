"""From a picture of one cell to the pixels that a network sees.

Training, evaluation and prediction all use `prepare_batch`, and `prepare` for one picture; there is
no other preprocessing. Every model folder describes its steps as data (`Preprocessing.to_dict`), so
that a browser can do the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.data.cutout import (
    brightest,
    dark_level,
    find_cell,
    is_cut_out,
    with_weaker_stain,
    without_dark_rim,
)
from hemozoin.errors import ModelError


@dataclass(frozen=True)
class Preprocessing:
    """How a picture of a cell becomes `size` x `size` pixels.

    Pixels that are brighter than `background` (0..255) in some channel belong to the cell; the
    others become black. So do those that are no brighter than `dark_share` (0..1) of the mean of
    the former, unless brighter ones lie on all four sides, as around pigment: a JPEG of a cell on
    black has such pixels around the cell. A picture that isn't mostly dark along its border shows
    the background of the slide, and perhaps other cells: there, the cell in the middle is found
    (`data.cutout`), the rest becomes black, and a stain stronger than that of any training cell is
    made weaker. The cell is cropped to its bounding box and stretched to a square by bilinear
    resampling over the cell's own pixels. If black pixels were averaged in, every cell would get a
    dark rim, which looks like a parasite to a network that sees optical density.
    """

    size: int = 64
    background: int = 8
    dark_share: float = 0.25

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        if self.size < 1 or not 0 <= self.background < 255:
            raise ValueError(f"size {self.size} (from 1), background {self.background} (0..254)")
        if not 0 <= self.dark_share < 1:
            raise ValueError(f"dark_share {self.dark_share} (0 to below 1)")

    def to_dict(self) -> dict[str, object]:
        """Return the steps as plain values, for the config.json of a model.

        `dark_share` is missing where it is 0, as in the models of earlier versions.
        """
        steps = {
            "color": "RGB",
            "outline": "brighter than background; on glass, the cell in the middle",
            "crop": "to the cell's edges",
            "resample": "bilinear over the cell's own pixels",
        }
        values = asdict(self)
        if not self.dark_share:
            del values["dark_share"]
        return {**steps, **values}

    @classmethod
    def from_dict(cls, data: dict[str, object]) -> Preprocessing:
        """Return the preprocessing that `to_dict` described.

        Raises ModelError for steps that this version doesn't have.
        """
        try:
            preprocessing = cls(
                size=int(str(data["size"])),
                background=int(str(data["background"])),
                dark_share=float(str(data.get("dark_share", 0.0))),
            )
        except KeyError as error:
            raise ModelError(f"preprocessing in config.json: {error} is missing") from error
        except ValueError as error:
            raise ModelError(f"preprocessing in config.json: {error}") from error
        if preprocessing.to_dict() != data:
            raise ModelError("preprocessing in config.json: from another version of hemozoin")
        return preprocessing


def prepare(picture: Image.Image | Pixels, preprocessing: Preprocessing) -> Pixels:
    """Return a cell as uint8 `[size, size, 3]`, RGB, 0 outside the cell.

    `picture` is a Pillow image in RGB or uint8 `[H, W, 3]`, and shows one cell at any size: on
    black, as NLM's are, or with the background of the slide and other cells around it. A pixel of
    the result is 0 if at least half of it is outside the cell; otherwise a pixel on the rim has
    the mean colour of its part inside the cell (within 4 levels, because intermediate values have
    only 8 bits).
    """
    cell: Pixels = prepare_batch([picture], preprocessing)[0]
    return cell


def prepare_batch(pictures: Sequence[Image.Image | Pixels], preprocessing: Preprocessing) -> Pixels:
    """Return the cells of N pictures as uint8 `[N, size, size, 3]`, each as `prepare` does.

    Each step is done for all pictures before the next one: the code of one step stays in the
    cache of a core, that of all of them does not.
    """
    size = preprocessing.size
    if not pictures:
        return np.empty((0, size, size, 3), np.uint8)
    cells = [_cut_out(np.asarray(picture), preprocessing) for picture in pictures]
    resampled = np.zeros((len(cells), size, size, 4), np.uint8)
    for number, cell in enumerate(cells):
        if cell.size:
            resampled[number] = _resampled(cell, size)
    return _divided(resampled)


def _cut_out(pixels: Pixels, preprocessing: Preprocessing) -> Pixels:
    """Return the cell's bounding box, `[h, w, 4]`: colour and 255 in the cell, 0 outside."""
    _, lit = cv2.threshold(brightest(pixels), preprocessing.background, 0, cv2.THRESH_TOZERO)
    levels: Pixels = np.asarray(lit, np.uint8)
    bright = levels > dark_level(levels, preprocessing.dark_share)
    if is_cut_out(bright):
        inside = without_dark_rim(levels, bright)
    else:
        cell = find_cell(pixels)
        pixels, inside = with_weaker_stain(pixels, cell), (levels > 0) & cell
    mask = inside.view(np.uint8)
    left, top, width, height = cv2.boundingRect(mask)
    box = np.s_[top : top + height, left : left + width]
    if not width:
        return np.empty((0, 0, 4), np.uint8)
    opaque = cv2.cvtColor(pixels[box], cv2.COLOR_RGB2RGBA)
    return np.asarray(cv2.copyTo(opaque, mask[box]), np.uint8)


def _resampled(cell: Pixels, size: int) -> Pixels:
    # Pillow resamples any four channels alike, and takes these without a copy as CMYK.
    image = Image.frombuffer("CMYK", cell.shape[1::-1], cell, "raw", "CMYK", 0, 1)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def _divided(resampled: Pixels) -> Pixels:
    """Divide colours `[N, S, S, 4]` by the share of each pixel that is in the cell, of 255.

    Pixels with less than half in the cell become 0. Only those on the rim have to be divided.
    """
    column = resampled.reshape(-1, *resampled.shape[2:])  # one picture below the other, for OpenCV
    share = np.ascontiguousarray(column[..., 3])
    rgb = cv2.cvtColor(column, cv2.COLOR_RGBA2RGB)
    colour: Pixels = np.asarray(cv2.copyTo(rgb, (share >= 128).view(np.uint8)), np.uint8)
    pixels, shares = colour.reshape(-1, 3), share.ravel()
    rim = np.flatnonzero((shares >= 128) & (shares < 255))
    weighted, weight = pixels[rim].astype(np.uint16), shares[rim].astype(np.uint16)[:, None]
    pixels[rim] = np.minimum((weighted * 255 + weight // 2) // weight, 255)
    return colour.reshape(*resampled.shape[:3], 3)
