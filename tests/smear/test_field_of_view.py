"""The lit disc of an eyepiece: found where there is one, and only there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.smear.field_of_view import fill_surround, find_field_of_view

GLASS = (225, 215, 205)


def eyepiece(
    width: int = 900, height: int = 600, x: int = 430, y: int = 310, radius: int = 260
) -> Pixels:
    """Return a picture through an eyepiece, with cells in the disc."""
    pixels = np.full((height, width, 3), 12, np.uint8)
    cv2.circle(pixels, (x, y), radius, GLASS, -1)
    random = np.random.default_rng(0)
    for dx, dy in random.uniform(-0.65, 0.65, (40, 2)) * radius:
        cv2.circle(pixels, (int(x + dx), int(y + dy)), 14, (190, 140, 150), -1)
    return pixels


def test_the_disc_is_found_to_a_few_pixels() -> None:
    view = find_field_of_view(eyepiece())
    assert view is not None
    assert (view.x, view.y) == pytest.approx((430, 310), abs=4)
    assert 0.94 * 260 < view.radius < 260


def test_a_disc_cut_by_the_border_is_found() -> None:
    view = find_field_of_view(eyepiece(height=420, y=210))
    assert view is not None
    assert (view.x, view.y) == pytest.approx((430, 210), abs=8)


def test_a_soft_vignette_is_found() -> None:
    pixels = np.asarray(cv2.GaussianBlur(eyepiece(), (0, 0), 12), np.uint8)
    view = find_field_of_view(pixels)
    assert view is not None
    assert (view.x, view.y) == pytest.approx((430, 310), abs=6)


def test_a_scale_bar_and_text_do_not_hide_the_disc() -> None:
    pixels = eyepiece()
    cv2.rectangle(pixels, (560, 420), (640, 426), (0, 255, 0), -1)
    cv2.putText(pixels, "x100", (20, 560), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 2)
    assert find_field_of_view(pixels) is not None


def test_light_that_reaches_the_whole_picture_has_no_disc() -> None:
    pixels = np.full((400, 500, 3), GLASS, np.uint8)
    cv2.circle(pixels, (250, 200), 60, (90, 20, 90), -1)
    assert find_field_of_view(pixels) is None


@pytest.mark.parametrize("level", [0, 12, 255])
def test_a_picture_of_one_colour_has_no_disc(level: int) -> None:
    assert find_field_of_view(np.full((200, 300, 3), level, np.uint8)) is None


def test_a_square_on_black_is_no_disc() -> None:
    pixels = np.full((400, 500, 3), 5, np.uint8)
    pixels[60:340, 90:400] = GLASS
    assert find_field_of_view(pixels) is None


def test_the_surround_becomes_background() -> None:
    view = find_field_of_view(eyepiece())
    assert view is not None
    filled = fill_surround(eyepiece(), view)
    inside = view.mask(filled.shape)
    assert (filled[inside] == eyepiece()[inside]).all()
    assert (filled[~inside] == GLASS).all()


@pytest.mark.real
@pytest.mark.slow
def test_discs_in_real_pictures(real_fields: Path) -> None:
    """Every eyepiece picture has one, and no other field does."""
    for place, expected in (("eyepiece_phone", True), ("eyepiece_uganda", True), ("green", False)):
        for path in sorted((real_fields / "world" / place).iterdir()):
            found = find_field_of_view(np.asarray(Image.open(path).convert("RGB")))
            assert (found is not None) is expected, path.name
