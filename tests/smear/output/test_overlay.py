"""The overlay, with each decision in its place and colour, and the crops of cells."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hemozoin.smear.field import Cell, Field, ObjectKind, Outline, SmearObject
from hemozoin.smear.output.overlay import CROP_SIDE, MAX_SIDE, STYLES, crop_cell, draw_overlay

GREY = (128, 128, 128)


def octagon(x: int, y: int, size: int) -> Outline:
    third = size // 3
    steps = ((third, 0), (2 * third, 0), (size, third), (size, 2 * third))
    back = ((2 * third, size), (third, size), (0, 2 * third), (0, third))
    return tuple((x + dx, y + dy) for dx, dy in steps + back)


def some_cell(number: int, x: int, y: int, decision: str, size: int = 60) -> Cell:
    return Cell("red cell", x, y, size, size, octagon(x, y, size), number, 0.5, decision, None)


def some_object(kind: ObjectKind, x: int, y: int, size: int = 60) -> SmearObject:
    return SmearObject(kind, x, y, size, size, octagon(x, y, size))


def opened(jpeg: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(jpeg))
    assert picture.format == "JPEG"
    return picture.convert("RGB")


def drawn(field: Field, size: tuple[int, int] = (640, 480)) -> Image.Image:
    return opened(draw_overlay(Image.new("RGB", size, GREY), field))


def strongest(picture: Image.Image, x: int, y: int, size: int) -> np.ndarray:
    """Return the pixel near a box's lower edge that differs most from the others."""
    part = picture.crop((x + size // 3 + 4, y + size - 6, x + 2 * size // 3 - 4, y + size + 6))
    pixels = np.asarray(part, np.int64).reshape(-1, 3)
    furthest = np.abs(pixels - pixels.mean(axis=1, keepdims=True)).sum(axis=1).argmax()
    return np.asarray(pixels[furthest])


def channels(color: str) -> np.ndarray:
    return np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)])


@pytest.mark.parametrize("decision", ["parasitized", "review", "uninfected"])
def test_an_outline_has_the_colour_of_its_decision(decision: str) -> None:
    picture = drawn(Field("a", 640, 480, 200, (some_cell(1, 100, 100, decision, 200),)))
    found = strongest(picture, 100, 100, 200)
    distances = {
        name: np.abs(found - channels(style.color)).sum() for name, style in STYLES.items()
    }
    assert min(distances, key=lambda name: distances[name]) == decision
    assert distances[decision] < 90


def changed(field: Field) -> np.ndarray:
    """Return where a picture with these objects differs from one without: bool `[480, 640]`."""
    bare = Field("a", 640, 480, 60)
    pair = (np.asarray(drawn(one), np.int64)[:480] for one in (field, bare))
    one, other = pair
    return np.asarray(np.abs(one - other).sum(axis=2) > 60)


def test_only_infected_cells_and_cells_for_review_have_a_number() -> None:
    """The number is above the box, where the overlay of an uninfected cell changes nothing."""
    for decision, numbered in (("parasitized", True), ("review", True), ("uninfected", False)):
        where = changed(Field("a", 640, 480, 60, (some_cell(7, 200, 200, decision),)))
        assert where[150:195].any() == numbered, decision
        assert where[200:262, 200:262].any()
        assert not where[:, :150].any()
        assert not where[300:].any()


def test_infected_outlines_are_the_boldest() -> None:
    bold, thin = (
        changed(Field("a", 640, 480, 60, (some_cell(1, 200, 200, decision),)))[210:].sum()
        for decision in ("parasitized", "uninfected")
    )
    assert bold > 1.8 * thin


def test_objects_that_are_not_counted_are_outlined_too() -> None:
    for kind in ("white cell", "platelet", "clump", "debris", "cut by the edge"):
        where = changed(Field("a", 640, 480, 60, (), (some_object(kind, 200, 200),)))
        assert where[200:262, 200:262].any(), kind


def test_an_infected_cell_is_drawn_over_its_neighbours() -> None:
    """In either order: here both have the same outline."""
    cells = [some_cell(1, 100, 100, "parasitized", 200), some_cell(2, 100, 100, "uninfected", 200)]
    for order in (cells, cells[::-1]):
        picture = drawn(Field("a", 640, 480, 200, tuple(order)))
        found = strongest(picture, 100, 100, 200)
        assert np.abs(found - channels(STYLES["parasitized"].color)).sum() < 90


def test_the_picture_is_not_changed_and_is_visible_below_the_outlines() -> None:
    noise = np.random.default_rng(0).integers(90, 160, (480, 640, 3), dtype=np.uint8)
    given = Image.fromarray(noise)
    picture = opened(draw_overlay(given, Field("a", 640, 480, 60)))
    assert np.array_equal(np.asarray(given), noise)
    kept = np.asarray(picture, np.int64)[:480]
    assert np.abs(kept.mean() - noise.mean()) < 2
    assert picture.width == 640
    assert 480 < picture.height < 520


def test_a_large_picture_becomes_smaller_with_its_outlines() -> None:
    field = Field("a", 4000, 3000, 300, (some_cell(1, 2000, 1500, "parasitized", 300),))
    picture = drawn(field, (4000, 3000))
    assert picture.width == MAX_SIDE
    scale = MAX_SIDE / 4000
    x, y, size = (round(v * scale) for v in (2000, 1500, 300))
    assert np.abs(strongest(picture, x, y, size) - channels(STYLES["parasitized"].color)).sum() < 90


boxes = st.tuples(*[st.integers(-50, 700)] * 2, st.integers(0, 900))


@settings(max_examples=40)
@given(
    st.lists(st.tuples(boxes, st.sampled_from(["parasitized", "review", "uninfected"]))),
    st.lists(boxes, max_size=5),
    st.floats(0, 500),
    st.integers(0, 8),
)
def test_any_objects_can_be_drawn(
    cells: list[tuple[tuple[int, int, int], str]],
    others: list[tuple[int, int, int]],
    diameter: float,
    corners: int,
) -> None:
    found = tuple(
        Cell("red cell", x, y, s, s, octagon(x, y, s)[:corners], k, 0.5, decision, None)
        for k, ((x, y, s), decision) in enumerate(cells)
    )
    objects = tuple(SmearObject("clump", x, y, s, s, octagon(x, y, s)) for x, y, s in others)
    assert drawn(Field("a", 320, 240, diameter, found, objects), (320, 240)).width == 320


def test_a_crop_shows_the_cell_and_its_surroundings() -> None:
    """A box of 60 px: 96 px, the cell in the middle."""
    picture = Image.new("RGB", (640, 480), "white")
    picture.paste((200, 30, 30), (200, 100, 260, 160))
    crop = opened(crop_cell(picture, some_object("red cell", 200, 100)))
    assert crop.size == (96, 96)
    red = np.asarray(crop, np.int64)[..., 1] < 130
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    for along in (rows, columns):
        assert along[0] == pytest.approx(18, abs=1)
        assert along[-1] == pytest.approx(77, abs=1)


@pytest.mark.parametrize("at", [(0, 0), (580, 420), (0, 420), (300, 0)])
def test_a_crop_at_the_edge_stays_inside_and_square(at: tuple[int, int]) -> None:
    crop = opened(crop_cell(Image.new("RGB", (640, 480), "white"), some_object("red cell", *at)))
    assert crop.size == (96, 96)
    assert np.asarray(crop).min() > 250  # nothing from outside the picture


@pytest.mark.parametrize("size", [(30, 20), (1000, 1000)])
def test_a_crop_of_a_cell_as_large_as_the_picture(size: tuple[int, int]) -> None:
    cell = some_object("red cell", 0, 0, max(size))
    crop = opened(crop_cell(Image.new("RGB", size, "white"), cell))
    assert max(crop.size) <= CROP_SIDE
    assert crop.width / crop.height == pytest.approx(size[0] / size[1], rel=0.05)


def test_a_field_of_120_cells_is_drawn_quickly() -> None:
    """It takes 15 ms; the limit here allows for a busy machine."""
    noise = np.random.default_rng(0).integers(90, 160, (960, 1280, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    cells = tuple(
        some_cell(k, 100 * (k % 12) + 20, 90 * (k // 12) + 20, "review" if k % 5 else "parasitized")
        for k in range(120)
    )
    field = Field("a", 1280, 960, 60, cells)
    draw_overlay(picture, field)
    started = time.process_time()
    draw_overlay(picture, field)
    assert time.process_time() - started < 0.2


@pytest.mark.real
def test_a_real_field(real_fields: Path) -> None:
    picture = Image.open(next((real_fields / "iml").glob("*.JPG"))).convert("RGB")
    jpeg = draw_overlay(picture, Field("a", *picture.size, 70))
    assert opened(jpeg).width == picture.width
    assert len(jpeg) < 500_000
