"""Colours of 16 bits per channel, of which Pillow keeps the upper 8 only.

A picture of 12 bits in 16 would be nearly black. So the file is decoded twice: as it is, and with
the order of the two bytes swapped, which gives the lower 8.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.data.decoding.formats import FORMATS
from hemozoin.data.decoding.limits import LimitedFile
from hemozoin.data.decoding.samples import declared_top, to_8_bits

_LITTLE, _BIG = "16L", "16B"

#: The order of bytes, by the end of Pillow's name of the form; N is that of this computer.
_SWAPPED = {_LITTLE: _BIG, _BIG: _LITTLE, "16N": _BIG if sys.byteorder == "little" else _LITTLE}

#: Forms of colour, with the colour of transparent pixels as it is (RGBA) or times alpha (RGBa).
_FORMS = {"RGB", "RGBX", "RGBA", "RGBa"}


def load_deep_colour(image: Image.Image, data: bytes) -> Image.Image | None:
    """Return an open picture, whose file has these bytes, in RGB and on black; `image` is loaded.

    None if it has not 16 bits per channel of colour, and is not loaded.
    """
    form, _, order = _form(image).partition(";")
    if form not in _FORMS or order not in _SWAPPED:
        return None
    swapped = Image.open(LimitedFile(data), formats=FORMATS)
    channels = form.upper()  # else Pillow would divide the lower 8 bits by alpha
    for picture, new_order in ((image, order), (swapped, _SWAPPED[order])):
        _set_form(picture, f"{channels};{new_order}")
        picture.load()
    samples = np.asarray(image) * np.uint16(256) + np.asarray(swapped)
    rgb = to_8_bits(samples[..., :3], declared_top(image, data))
    return Image.fromarray(_on_black(rgb, samples[..., 3]) if form == "RGBA" else rgb)


def _on_black(rgb: Pixels, alpha: npt.NDArray[np.uint16]) -> Pixels:
    opaque = to_8_bits(alpha)
    return ((rgb * opaque[..., None].astype(np.uint16) + 127) // 255).astype(np.uint8)


def _form(image: Image.Image) -> str:
    """Return Pillow's name for how the pixels of an open picture are packed; "" if unknown."""
    tiles = getattr(image, "tile", ())
    args = tiles[0].args if tiles else ""
    return str(args[0] if isinstance(args, tuple) else args)


def _set_form(image: Image.Image, form: str) -> None:
    tiles = getattr(image, "tile", [])
    tiles[:] = [
        tile._replace(args=(form, *tile.args[1:]) if isinstance(tile.args, tuple) else form)
        for tile in tiles
    ]
