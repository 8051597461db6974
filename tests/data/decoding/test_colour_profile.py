"""Colours of other spaces are converted to sRGB; damaged profiles change nothing."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from hemozoin.arrays import Pixels
from hemozoin.data.decoding import colour_profile
from hemozoin.data.picture import decode, process_cell
from tests.conftest import encoded
from tests.support.profiles import ADOBE_RGB, DISPLAY_P3, Space, to_srgb, write_profile
from tests.support.tiffs import Page, write_tiff

#: Glass, a red cell and chromatin.
COLOURS = [[230, 225, 215], [200, 140, 150], [90, 50, 130], [128, 128, 128]]
PICTURE = np.repeat(np.repeat(np.array([COLOURS], np.uint8), 16, axis=0), 8, axis=1)


def colours(data: bytes) -> Pixels:
    return np.asarray(decode(data))[8, 4::8]


@pytest.mark.parametrize("space", [ADOBE_RGB, DISPLAY_P3], ids=["Adobe RGB", "Display P3"])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_colours_become_those_of_srgb(space: Space, form: str) -> None:
    options: dict[str, dict[str, Any]] = {"JPEG": {"quality": 100, "subsampling": 0}}
    options["WEBP"] = {"lossless": True}
    options["AVIF"] = {"quality": 100, "subsampling": "4:4:4"}
    data = encoded(
        Image.fromarray(PICTURE), form, icc_profile=write_profile(space), **options.get(form, {})
    )
    expected = np.array([to_srgb(colour, space) for colour in COLOURS])
    assert abs(expected - COLOURS).max() > 8
    assert abs(colours(data).astype(int) - expected).max() <= 3


def test_a_cell_is_converted_too() -> None:
    data = encoded(Image.fromarray(PICTURE), "PNG", icc_profile=write_profile(ADOBE_RGB))
    found = process_cell(data, "1.png", lambda pixels: pixels)
    assert (found == np.asarray(decode(data))).all()
    assert (found != PICTURE).any()


def test_transparent_and_deep_pictures_are_converted() -> None:
    profile = write_profile(ADOBE_RGB)
    expected = np.array([to_srgb(colour, ADOBE_RGB) for colour in COLOURS])
    opaque = Image.fromarray(PICTURE).convert("RGBA")
    assert abs(colours(encoded(opaque, "PNG", icc_profile=profile)) - expected).max() <= 2
    deep = write_tiff(Page(PICTURE * np.uint16(257), {34675: profile}))
    assert abs(colours(deep) - expected).max() <= 2


@pytest.mark.parametrize(
    "profile",
    [
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
        *(b"", b"no profile", write_profile(ADOBE_RGB)[:200], bytes(5 * 2**20)),
    ],
    ids=["sRGB", "LAB", "empty", "text", "incomplete", "too large"],
)
def test_srgb_and_damaged_profiles_change_nothing(profile: bytes) -> None:
    data = encoded(Image.fromarray(PICTURE), "TIFF", icc_profile=profile)
    assert (np.asarray(decode(data)) == PICTURE).all()


def test_nothing_is_converted_for_srgb() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert colour_profile._transform(profile, "RGB") is None
    assert colour_profile._transform(write_profile(ADOBE_RGB), "RGB") is not None


def test_a_grey_picture_with_a_profile_for_colours() -> None:
    grey = Image.fromarray(PICTURE[..., 0].copy())
    data = encoded(grey, "PNG", icc_profile=write_profile(ADOBE_RGB))
    assert (np.asarray(decode(data))[..., 0] == PICTURE[..., 0]).all()


@pytest.mark.slow
def test_damaged_profiles_never_raise() -> None:
    rng, whole = random.Random(0), write_profile(DISPLAY_P3)
    image = Image.fromarray(PICTURE)
    for _ in range(3000):
        profile = bytearray(whole)
        for _ in range(rng.choice([1, 3, 20])):
            profile[rng.randrange(len(profile))] = rng.randrange(256)
        assert colour_profile.to_srgb(image, bytes(profile)).size == image.size
