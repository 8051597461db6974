"""A cell with background around it is found and cut out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFilter

from hemozoin.arrays import Pixels
from hemozoin.data.cutout import (
    dark_level,
    find_cell,
    is_cut_out,
    with_weaker_stain,
    without_dark_rim,
)
from hemozoin.data.picture import decode
from hemozoin.data.preprocess import Preprocessing, prepare
from hemozoin.data.source import open_source
from hemozoin.optics import MAX_STAIN, optical_density

BACKGROUND, CELL, DARK = (215, 225, 210), (190, 140, 170), (150, 40, 110)

Box = tuple[float, float, float, float]


def field(size: tuple[int, int], *cells: Box, stain: tuple[int, ...] = CELL) -> Pixels:
    image = Image.new("RGB", size, BACKGROUND)
    for box in cells:
        ImageDraw.Draw(image).ellipse(box, fill=stain)
    return np.array(image.filter(ImageFilter.GaussianBlur(1)))


def ellipse(size: tuple[int, int], box: Box) -> npt.NDArray[np.bool_]:
    mask = Image.new("1", size)
    ImageDraw.Draw(mask).ellipse(box, fill=1)
    return np.asarray(mask)


def overlap(found: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> float:
    return float((found & true).sum() / (found | true).sum())


@pytest.mark.parametrize("stain", [CELL, DARK, (205, 205, 205)])
@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((80, 80), (6, 6, 73, 73)),
        ((400, 380), (30, 40, 370, 350)),  # a large camera
        ((24, 22), (2, 2, 21, 19)),
        ((120, 80), (25, 8, 95, 72)),
        ((90, 90), (20, 22, 60, 61)),  # loosely cut
    ],
)
def test_a_single_cell_is_found(size: tuple[int, int], box: Box, stain: tuple[int, ...]) -> None:
    found = find_cell(field(size, box, stain=stain))
    assert found.shape == size[::-1]
    assert overlap(found, ellipse(size, box)) > 0.85


def test_touching_neighbours_are_cut_off() -> None:
    size, middle = (90, 90), (15, 15, 74, 74)
    crowded = field(size, middle, (66, 30, 126, 90), (-40, 40, 20, 100), (20, -48, 70, 17))
    assert overlap(find_cell(crowded), ellipse(size, middle)) > 0.88


def test_the_cell_in_the_middle_is_found_next_to_a_larger_one() -> None:
    size, middle = (120, 120), (38, 38, 82, 82)
    found = find_cell(field(size, middle, (86, -60, 220, 90)))
    assert overlap(found, ellipse(size, middle)) > 0.8


def test_pallor_and_chromatin_are_part_of_the_cell() -> None:
    size, box = (80, 80), (6, 6, 73, 73)
    pallor, chromatin = ellipse(size, (30, 30, 50, 50)), ellipse(size, (55, 40, 62, 47))
    cell = field(size, box)
    cell[pallor], cell[chromatin] = BACKGROUND, (90, 30, 120)
    assert overlap(find_cell(cell), ellipse(size, box)) > 0.9


def test_a_scale_bar_does_not_hide_a_pale_cell() -> None:
    size, box = (80, 80), (6, 6, 73, 73)
    cell = field(size, box, stain=(200, 200, 200))
    cell[70:80, :41] = 0
    found = find_cell(cell)
    assert found[20:60, 20:60].all()


@pytest.mark.parametrize(("size", "diameter"), [((640, 480), 70), ((300, 300), 60)])
def test_a_whole_field_has_no_cell_in_the_middle(size: tuple[int, int], diameter: int) -> None:
    places = [(x, y) for x in range(5, size[0], 90) for y in range(5, size[1], 90)]
    cells = [(x, y, x + diameter, y + diameter) for x, y in places]
    assert not find_cell(field(size, *cells)).any()


def test_a_cell_is_found_in_a_large_picture() -> None:
    size, box = (900, 800), (80, 60, 820, 760)
    assert overlap(find_cell(field(size, box)), ellipse(size, box)) > 0.9


def test_a_strong_stain_is_made_as_weak_as_those_of_the_training_cells() -> None:
    size, box = (80, 80), (6, 6, 73, 73)
    cell = ellipse(size, box)
    dark = field(size, box, stain=(70, 40, 90))
    weaker = with_weaker_stain(dark, cell)
    density = [optical_density(weaker[part].mean(axis=0)) for part in (cell, ~cell)]
    assert (density[0] - density[1]).mean() == pytest.approx(MAX_STAIN, abs=0.03)
    again = with_weaker_stain(weaker, cell)
    assert np.abs(again.astype(int) - weaker).max() <= 4


def test_other_stains_stay_as_they_are() -> None:
    size, box = (80, 80), (6, 6, 73, 73)
    cell = ellipse(size, box)
    pale = field(size, box, stain=(205, 205, 205))
    assert with_weaker_stain(pale, cell) is pale
    on_black = field(size, box, stain=(70, 40, 90)) * cell[..., None]
    assert np.array_equal(with_weaker_stain(on_black, cell), on_black)
    for nothing in (np.zeros_like(cell), np.ones_like(cell)):
        assert with_weaker_stain(pale, nothing) is pale


def test_a_crop_and_its_cut_out_cell_are_prepared_alike() -> None:
    size, box = (80, 80), (6, 6, 73, 73)
    cell = field(size, box)
    cell[ellipse(size, (45, 30, 53, 38))] = (90, 30, 120)
    black = cell * ellipse(size, box)[..., None]
    on_background, on_black = (prepare(one, Preprocessing()).astype(int) for one in (cell, black))
    both = on_background.any(axis=2) & on_black.any(axis=2)
    assert both.sum() > 0.9 * on_black.any(axis=2).sum()
    assert np.abs(on_background - on_black)[both].mean() < 6


def test_black_beyond_the_field_is_not_a_cut_out_cell() -> None:
    beyond = np.ones((60, 60), bool)
    beyond[:, :8] = False  # a box that extends beyond the edge of its field
    assert not is_cut_out(beyond)
    assert is_cut_out(ellipse((60, 60), (0, 0, 59, 59)))


@pytest.mark.real
def test_most_real_fields_have_no_cell_in_the_middle(real_fields: Path) -> None:
    pictures = [*real_fields.glob("*/*.JPG"), *real_fields.glob("*/*.jpg")]
    assert len(pictures) > 50
    found = [find_cell(np.asarray(Image.open(path).convert("RGB"))).any() for path in pictures]
    assert np.mean(found) < 0.1


@pytest.mark.real
def test_nlm_cells_are_cut_out(real_zip: Path) -> None:
    source = open_source(real_zip)
    names = [entry.name for entry in source.walk() if entry.name.endswith(".webp")][::100]
    assert len(names) > 200
    for name in names:
        assert is_cut_out(np.asarray(decode(source.read(name))).max(axis=2) > 8), name


@pytest.mark.real
def test_marked_cells_of_fields_are_not_cut_out(real_fields: Path) -> None:
    marked = json.loads((real_fields / "iml" / "annotations.json").read_text())
    found = []
    for one in marked[::6]:
        field = Image.open(real_fields / "iml" / one["image"]).convert("RGB")
        for x, y, width, height in (cell["box"] for cell in one["cells"]):
            crop = np.asarray(field.crop((x, y, x + width, y + height)))
            assert not is_cut_out(crop.max(axis=2) > 8)
            found.append(find_cell(crop).mean())
    assert len(found) > 300
    # A cell fills its box except for the corners and a narrow margin.
    assert 0.45 < np.median(found) < 0.85
    assert np.mean(np.array(found) < 0.35) < 0.03


def test_the_dark_level_is_a_share_of_the_mean_rounded_down() -> None:
    levels = np.array([[0, 100, 103, 0]], np.uint8)
    assert dark_level(levels, 0.25) == 25
    assert dark_level(levels, 0.0) == 0
    assert dark_level(np.zeros((3, 4), np.uint8), 0.25) == 0


def test_dark_pixels_with_bright_ones_on_all_four_sides_are_kept() -> None:
    levels = np.full((5, 5), 10, np.uint8)
    levels[[0, 2, 2, 4], [2, 0, 4, 2]] = 200
    bright = levels > 100
    assert np.argwhere(without_dark_rim(levels, bright) & ~bright).tolist() == [[2, 2]]
    levels[2, 2] = 0
    assert (without_dark_rim(levels, bright) == bright).all()
    assert without_dark_rim(levels, levels > 0).sum() == 24
