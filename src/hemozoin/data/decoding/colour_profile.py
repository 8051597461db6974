"""Colours of another space than sRGB, such as Adobe RGB or a phone's Display P3, brought to sRGB.

The same numbers mean paler colours in sRGB. Only a profile inside the file counts.
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

#: Pillow's modes, by the colour space of a profile. The values of grey are left as they are.
_MODES = {"RGB ": "RGB", "CMYK": "CMYK"}

#: Largest profile in bytes. Printers' have up to 3 MB, and those of cameras a few kB.
_LARGEST = 4 * 2**20

#: Profiles that differ from sRGB by no more than this, of 0..255, count as sRGB itself.
_SAME = 2


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return a picture in RGB or CMYK in the colours of sRGB, given the ICC profile of its file.

    It is returned as it is where the profile is damaged, is sRGB, or is for another mode.
    """
    if not profile or len(profile) > _LARGEST or image.mode not in _MODES.values():
        return image
    transform = _transform(profile, image.mode)
    return image if transform is None else transform.apply(image)


@lru_cache(maxsize=4)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the conversion from a profile to sRGB; None where there is nothing to convert."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _MODES.get(source.profile.xcolor_space) != mode:
            return None
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        transform = ImageCms.ImageCmsTransform(source, srgb, mode, "RGB")
        return transform if mode == "CMYK" or _changes_colours(transform) else None
    except Exception:  # a damaged profile can raise anything
        return None


def _changes_colours(transform: ImageCms.ImageCmsTransform) -> bool:
    levels = np.linspace(0, 255, 6).astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 6, 3)
    converted = np.asarray(transform.apply(Image.fromarray(colours)))
    return bool(abs(converted.astype(int) - colours).max() > _SAME)
