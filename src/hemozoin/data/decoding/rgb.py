"""Loaded pictures of any mode and colour space, in sRGB; transparent pixels become black."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.data.decoding.colour_profile import to_srgb
from hemozoin.data.decoding.samples import declared_top, signed_samples, to_8_bits

#: Pixels of a picture with transparency that are converted at once.
_AT_ONCE = 2**20

#: TIFF's tag for the meaning of grey values, and its value where white is 0.
_MEANING, _WHITE_IS_0 = 262, 0


def to_rgb(image: Image.Image, data: bytes) -> Image.Image:
    """Return a loaded picture, whose file has these bytes, as a new one in RGB, in sRGB."""
    samples, profile = signed_samples(image), image.info.get("icc_profile") or b""
    if samples is None and image.mode.startswith(("I", "F")):  # 16 or 32 bits per pixel, grey
        samples = np.asarray(image)
    if samples is not None:
        return _grey(image, to_8_bits(samples, declared_top(image, data)))
    if image.has_transparency_data:
        return to_srgb(_on_black(image), profile)
    converted = to_srgb(image, profile)
    if converted.mode != "RGB":
        return converted.convert("RGB")
    return image.copy() if converted is image else converted


def merge_planes(planes: Sequence[Image.Image], data: bytes) -> Image.Image:
    """Return red, green and blue planes, open pictures of the same size, as one in RGB."""
    samples = np.stack([np.asarray(plane) for plane in planes], axis=2)
    if samples.dtype == np.uint8:
        return Image.fromarray(samples)
    return Image.fromarray(to_8_bits(samples, declared_top(planes[0], data)))


def _grey(image: Image.Image, grey: Pixels) -> Image.Image:
    """Return 8-bit grey in RGB. Pillow turns white and black for unsigned 8 bits only."""
    tags = getattr(image, "tag_v2", {})
    return Image.fromarray(~grey if tags.get(_MEANING) == _WHITE_IS_0 else grey).convert("RGB")


def _on_black(image: Image.Image) -> Image.Image:
    """Return a picture with transparent pixels in RGB, on black."""
    width, height = image.size
    rows, opaque = max(1, _AT_ONCE // width), Image.new("RGB", image.size)
    for top in range(0, height, rows):
        part = image.crop((0, top, width, min(top + rows, height))).convert("RGBA")
        black = Image.new("RGBA", part.size, "black")
        opaque.paste(Image.alpha_composite(black, part).convert("RGB"), (0, top))
    return opaque
