"""Objects are found where they are, at any scale, and get the right kind."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from hemozoin.arrays import Pixels
from hemozoin.errors import DataError
from hemozoin.smear.field import SmearObject
from hemozoin.smear.segmentation.objects import segment
from hemozoin.synthetic.cell import draw_patient
from hemozoin.synthetic.smear import DrawnObject, Smear, draw_smear


@pytest.fixture(scope="module")
def smear() -> Smear:
    """Return a drawn field with 60 red cells, 2 white cells and 4 platelets."""
    rng = np.random.default_rng(5)
    return draw_smear(rng, draw_patient(rng), cells=60, infected=3, white_cells=2, platelets=4)


def overlap(a: SmearObject | DrawnObject, b: SmearObject | DrawnObject) -> float:
    """Return the intersection of two boxes over their union, 0..1."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    both = max(0, width) * max(0, height)
    return both / (a.width * a.height + b.width * b.height - both)


def found_share(smear: Smear, found: list[SmearObject]) -> float:
    """Return the share of the drawn, whole red cells that were found."""
    whole = [drawn for drawn in smear.objects if drawn.kind == "red cell" and is_inside(drawn)]
    return float(np.mean([any(overlap(cell, one) > 0.5 for one in found) for cell in whole]))


def is_inside(drawn: DrawnObject) -> bool:
    right, bottom = drawn.x + drawn.width, drawn.y + drawn.height
    return drawn.x > 8 and drawn.y > 8 and right < 1272 and bottom < 952


def scaled(found: SmearObject, by: float) -> SmearObject:
    x, y, width, height = (round(v * by) for v in (found.x, found.y, found.width, found.height))
    return replace(found, x=x, y=y, width=width, height=height)


def red(objects: tuple[SmearObject, ...]) -> list[SmearObject]:
    return [one for one in objects if one.kind == "red cell"]


@pytest.mark.slow
@pytest.mark.parametrize("zoom", [0.5, 1, 2])
def test_red_cells_are_found_at_any_scale(smear: Smear, zoom: float) -> None:
    picture = Image.fromarray(smear.pixels)
    size = (round(picture.width * zoom), round(picture.height * zoom))
    found = segment(np.asarray(picture.resize(size, Image.Resampling.LANCZOS)))
    back = [scaled(one, 1 / zoom) for one in red(found.objects)]
    assert found_share(smear, back) > 0.8
    typical = np.median([p.width for p in smear.objects if p.kind == "red cell"])
    assert found.diameter / zoom == pytest.approx(typical, rel=0.25)


@pytest.mark.slow
def test_few_red_cells_are_false_positives(smear: Smear) -> None:
    found = red(segment(smear.pixels).objects)
    true = [drawn for drawn in smear.objects if drawn.kind == "red cell"]
    false = [one for one in found if not any(overlap(one, cell) > 0.4 for cell in true)]
    assert len(false) < 0.05 * len(found)


def test_white_cells_are_not_red_cells(smear: Smear) -> None:
    objects = segment(smear.pixels).objects
    white = [one for one in objects if one.kind == "white cell"]
    assert 1 <= len(white) <= 3
    for drawn in smear.objects:
        if drawn.kind == "white cell":
            assert not any(overlap(drawn, one) > 0.5 for one in red(objects))


def test_a_red_cell_is_whole_and_inside_the_picture(smear: Smear) -> None:
    found = segment(smear.pixels)
    assert any(one.kind == "cut by the edge" for one in found.objects)
    for one in red(found.objects):
        assert one.x >= 0 and one.x + one.width <= 1280
        assert one.y >= 0 and one.y + one.height <= 960
        assert all(one.x - 3 <= x <= one.x + one.width + 3 for x, _ in one.outline)


def test_uneven_light_and_a_tint_change_little(smear: Smear) -> None:
    shade = np.linspace(0.55, 1, 1280)[None, :, None] * np.array([1, 0.9, 0.8])
    uneven = (smear.pixels * shade).astype(np.uint8)
    assert found_share(smear, red(segment(uneven).objects)) > 0.75


@pytest.mark.slow
def test_the_diameter_can_be_given(smear: Smear) -> None:
    diameter = segment(smear.pixels).diameter
    assert found_share(smear, red(segment(smear.pixels, diameter).objects)) > 0.8


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_has_no_cells(level: int) -> None:
    assert red(segment(np.full((480, 640, 3), level, np.uint8)).objects) == []


@pytest.mark.slow
def test_noise_is_refused_before_each_object_is_measured() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    began = time.process_time()
    with pytest.raises(DataError, match=r"^\d+,\d+ objects, of which \d+,\d+ are too"):
        segment(noise)
    assert time.process_time() - began < 5


def test_stripes_are_no_cells() -> None:
    stripes = np.tile(np.repeat([[0], [255]], 20, 0), (12, 640)).astype("uint8")
    assert {one.kind for one in segment(np.dstack([stripes] * 3)).objects} == {"cut by the edge"}


Disc = tuple[float, float, float, tuple[int, int, int]]

PALE, DARK, SWOLLEN = (200, 120, 160), (150, 30, 110), (175, 85, 165)


def discs(*placed: Disc, size: tuple[int, int] = (1280, 960)) -> Pixels:
    """Draw discs (x, y, radius, colour) on a noisy background."""
    sheet = Image.new("RGB", size, (215, 230, 220))
    for x, y, radius, colour in placed:
        ImageDraw.Draw(sheet).ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    blurred = np.asarray(sheet.filter(ImageFilter.GaussianBlur(1)), float)
    noise = np.random.default_rng(0).normal(0, 3, blurred.shape)
    return (blurred + noise).clip(0, 255).astype(np.uint8)


def isolated(colour: tuple[int, int, int]) -> list[Disc]:
    """Return 60 discs that don't touch, in the left half of a field."""
    return [(50 + 95 * (n % 6), 50 + 95 * (n // 6), 34.0, colour) for n in range(60)]


def at(objects: tuple[SmearObject, ...], x: float, y: float) -> list[SmearObject]:
    """Return the objects whose middle is within 8 px of (x, y)."""
    return [o for o in objects if abs(o.x + o.width / 2 - x) < 8 > abs(o.y + o.height / 2 - y)]


def ring_of(colour: tuple[int, int, int], radius: float) -> list[Disc]:
    """Return seven discs around (900, 480)."""
    angles = np.arange(7) * 2 * np.pi / 7
    x, y = 900 + radius * np.cos(angles), 480 + radius * np.sin(angles)
    return [(a, b, 34.0, colour) for a, b in zip(x.tolist(), y.tolist(), strict=True)]


@pytest.mark.slow
def test_a_swollen_cell_of_another_colour_is_found_among_those_that_touch_it() -> None:
    around = ring_of(DARK, 76)
    found = segment(discs(*isolated(DARK), *around, (900, 480, 46, SWOLLEN))).objects
    assert [one.kind for one in at(found, 900, 480)] == ["red cell"]


@pytest.mark.slow
def test_a_pale_cell_is_found_whole_among_dark_ones() -> None:
    found = segment(discs(*isolated(DARK), (900, 480, 40, (195, 110, 165)))).objects
    (pale,) = at(found, 900, 480)
    assert pale.kind == "red cell"
    assert pale.width == pytest.approx(80, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cells", "nucleus"), [(PALE, (90, 40, 130)), ((150, 150, 160), (140, 30, 135))]
)
def test_a_nucleus_is_found_in_pink_and_in_grey_smears(
    cells: tuple[int, int, int], nucleus: tuple[int, int, int]
) -> None:
    found = segment(discs(*isolated(cells), (900, 480, 45, nucleus))).objects
    assert [one.kind for one in at(found, 900, 480)] == ["white cell"]
    assert sum(one.kind == "white cell" for one in found) == 1


@pytest.mark.slow
@pytest.mark.parametrize("radius", [36, 46])
def test_a_cell_full_of_chromatin_and_pigment_is_no_white_cell(radius: int) -> None:
    grains = [
        (900.0 + x, 480.0 + y, 5.0, (70, 15, 60))
        for x in range(-22, 23, 11)
        for y in range(-22, 23, 11)
    ]
    found = segment(discs(*isolated(PALE), (900, 480, radius, (150, 60, 150)), *grains)).objects
    assert [one.kind for one in at(found, 900, 480)] == ["red cell"]


@pytest.mark.slow
def test_red_cells_on_each_other_are_no_white_cell() -> None:
    light = [discs((x, 480, 34, PALE)) / np.array((215, 230, 220)) for x in (890, 900, 910)]
    both = discs(*isolated(PALE)) * np.prod(light, axis=0)
    found = segment(both.clip(0, 255).astype(np.uint8)).objects
    assert not any(one.kind == "white cell" for one in found)


@pytest.mark.slow
def test_cells_in_a_pale_film_are_told_apart() -> None:
    corners = [(a, b, 34.0, DARK) for a in (866.0, 934.0) for b in (446.0, 514.0)]
    film = (900.0, 480.0, 72.0, (165, 65, 130))
    found = segment(discs(*isolated(DARK), film, *corners)).objects
    assert all([one.kind for one in at(found, x, y)] == ["red cell"] for x, y, *_ in corners)


@pytest.mark.slow
@pytest.mark.parametrize("radius", [6.5, 9, 13])
def test_small_cells_are_found_in_a_large_picture(radius: float) -> None:
    rng, step = np.random.default_rng(1), 3 * radius
    columns, rows = int(2000 / step), int(1000 / step)
    shift = rng.uniform(-0.45 * radius, 0.45 * radius, (columns * rows, 2))
    many = [
        (step * (n % columns + 0.5) + dx, step * (n // columns + 0.5) + dy, radius, PALE)
        for n, (dx, dy) in enumerate(shift.tolist())
    ]
    found = segment(discs(*many, size=(2048, 1024)))
    assert found.diameter == pytest.approx(2 * radius, rel=0.2)
    assert len(red(found.objects)) > 0.9 * len(many)


@pytest.mark.slow
def test_an_outline_follows_its_object() -> None:
    found = red(segment(discs(*isolated(DARK))).objects)
    assert len(found) > 50
    for one in found:
        x, y = np.array(one.outline).T
        area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
        assert area == pytest.approx(np.pi * 34**2, rel=0.12)
        assert 16 <= len(one.outline) <= 60
