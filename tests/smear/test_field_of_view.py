"""The field of view, a disc or between margins: found where there is one, and only there."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import hemozoin
from hemozoin.arrays import Pixels
from hemozoin.smear.field_of_view import Disc, Rectangle, fill_surround, find_field_of_view

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
    assert isinstance(view, Disc)
    assert (view.x, view.y) == pytest.approx((430, 310), abs=4)
    assert 0.94 * 260 < view.radius < 260


def test_a_disc_cut_by_the_border_is_found() -> None:
    view = find_field_of_view(eyepiece(height=420, y=210))
    assert isinstance(view, Disc)
    assert (view.x, view.y) == pytest.approx((430, 210), abs=8)


def test_a_soft_vignette_is_found() -> None:
    pixels = np.asarray(cv2.GaussianBlur(eyepiece(), (0, 0), 12), np.uint8)
    view = find_field_of_view(pixels)
    assert isinstance(view, Disc)
    assert (view.x, view.y) == pytest.approx((430, 310), abs=6)


def test_a_scale_bar_and_text_do_not_hide_the_disc() -> None:
    pixels = eyepiece()
    cv2.rectangle(pixels, (560, 420), (640, 426), (0, 255, 0), -1)
    cv2.putText(pixels, "x100", (20, 560), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 2)
    assert isinstance(find_field_of_view(pixels), Disc)


def test_light_that_reaches_the_whole_picture_has_no_disc() -> None:
    pixels = np.full((400, 500, 3), GLASS, np.uint8)
    cv2.circle(pixels, (250, 200), 60, (90, 20, 90), -1)
    assert find_field_of_view(pixels) is None


@pytest.mark.parametrize("level", [0, 12, 255])
def test_a_picture_of_one_colour_has_no_disc(level: int) -> None:
    assert find_field_of_view(np.full((200, 300, 3), level, np.uint8)) is None


def field(height: int = 600, width: int = 900) -> Pixels:
    """Return a picture full of cells, some of them at its border."""
    pixels = np.full((height, width, 3), GLASS, np.uint8)
    for x, y in np.random.default_rng(0).uniform(0, 1, (90, 2)):
        cv2.circle(pixels, (int(x * width), int(y * height)), 22, (90, 40, 70), -1)
    return pixels


@pytest.mark.parametrize("level", [0, 40, 128, 255])
@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        (np.s_[:, :90], Rectangle(90, -math.inf, math.inf, math.inf)),
        (np.s_[:, 820:], Rectangle(-math.inf, -math.inf, 820, math.inf)),
        (np.s_[:150], Rectangle(-math.inf, 150, math.inf, math.inf)),
        (np.s_[590:], Rectangle(-math.inf, -math.inf, math.inf, 590)),
    ],
)
def test_a_margin_of_one_colour_ends_the_field_of_view(
    bar: tuple[slice, ...], expected: Rectangle, level: int
) -> None:
    pixels = field()
    pixels[bar] = level
    assert vars(find_field_of_view(pixels)) == pytest.approx(vars(expected), abs=8)


@pytest.mark.parametrize(("level", "ink"), [(0, 230), (255, 0)])
def test_margins_on_all_sides_with_long_lines_of_text(level: int, ink: int) -> None:
    pixels = field()
    pixels[:80] = pixels[520:] = level
    pixels[:, :60] = pixels[:, 800:] = level
    caption = "Figure 3. A thin blood film, stained with Giemsa, x100"
    for y in (40, 556):
        cv2.putText(pixels, caption, (20, y), cv2.FONT_HERSHEY_SIMPLEX, 0.95, (ink,) * 3, 2)
    view = find_field_of_view(pixels)
    assert isinstance(view, Rectangle)
    assert vars(view) == pytest.approx({"left": 60, "top": 80, "right": 800, "bottom": 520}, abs=8)


def test_a_disc_between_white_margins() -> None:
    pixels = np.full((800, 1100, 3), 255, np.uint8)
    pixels[100:700, 100:1000] = eyepiece()
    view = find_field_of_view(pixels)
    assert isinstance(view, Disc)
    assert (view.x, view.y) == pytest.approx((530, 410), abs=4)
    assert 0.94 * 260 < view.radius < 260


@pytest.mark.parametrize("seed", range(4))
def test_a_sparse_field_on_even_glass_has_no_margins(seed: int) -> None:
    pixels = np.full((600, 900, 3), GLASS, np.uint8)
    for x, y in np.random.default_rng(seed).uniform(0.1, 0.9, (12, 2)):
        cv2.circle(pixels, (int(x * 900), int(y * 600)), 22, (90, 40, 70), -1)
    assert find_field_of_view(pixels) is None


def test_a_bent_bar_takes_nothing_from_the_field() -> None:
    pixels = field()
    y, x = np.ogrid[:600, :900]
    pixels[x + 4e-5 * (y - 300) ** 2 > 810] = 3
    view = find_field_of_view(pixels)
    assert view is not None
    field_pixels = pixels[..., 0] > 3
    assert view.mask(pixels.shape)[field_pixels].mean() > 0.98


def test_a_dark_spot_at_the_border_is_no_disc() -> None:
    pixels = field()
    cv2.circle(pixels, (0, 300), 160, (4, 4, 4), -1)
    assert find_field_of_view(pixels) is None


def test_an_oval_is_no_rectangle() -> None:
    pixels = np.full((600, 900, 3), 5, np.uint8)
    cv2.ellipse(pixels, (450, 300), (400, 200), 0, 0, 360, GLASS, -1)
    assert find_field_of_view(pixels) is None


def test_the_surround_becomes_background() -> None:
    view = find_field_of_view(eyepiece())
    assert view is not None
    filled = fill_surround(eyepiece(), view)
    inside = view.mask(filled.shape)
    assert (filled[inside] == eyepiece()[inside]).all()
    assert (filled[~inside] == GLASS).all()


def test_cells_in_front_of_bars_are_cut_by_the_edge() -> None:
    view = Rectangle(-math.inf, 100, 500, math.inf).shrunk(10)
    x, y = np.array([0.0, 485, 495]), np.array([200.0, 200, 200])
    assert view.contains(x, y).tolist() == [True, True, False]
    assert view.contains(x, y - 95).tolist() == [False, False, False]


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("bar", [np.s_[:, :120], np.s_[880:]])
def test_a_real_field_is_counted_beside_a_bar(real_fields: Path, bar: tuple[slice, ...]) -> None:
    picture = np.array(Image.open(real_fields / "iml" / "PA171709.JPG").convert("RGB"))
    whole = hemozoin.screen(picture)
    picture[bar] = 0
    found = hemozoin.screen(picture)
    assert found.usable
    assert found.diameter == pytest.approx(whole.diameter, rel=0.05)
    assert 0.8 * len(whole.cells) < len(found.cells) < len(whole.cells)


@pytest.mark.real
@pytest.mark.slow
def test_discs_in_real_pictures(real_fields: Path) -> None:
    """Every eyepiece picture has one, and no other field does."""
    for place, expected in (("eyepiece_phone", True), ("eyepiece_uganda", True), ("green", False)):
        for path in sorted((real_fields / "world" / place).iterdir()):
            found = find_field_of_view(np.asarray(Image.open(path).convert("RGB")))
            assert isinstance(found, Disc) is expected, path.name
