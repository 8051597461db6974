"""One field from picture to decisions, its flaws, and pictures that are refused."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

import hemozoin
from hemozoin.arrays import Floats
from hemozoin.data.cutout import is_cut_out
from hemozoin.errors import DataError
from hemozoin.model.predictor import Predictor
from hemozoin.smear.classification.classify import cut_out
from hemozoin.smear.field import Cell, Field, SmearObject
from hemozoin.smear.picture import decode_field
from hemozoin.smear.quality import find_flaws
from hemozoin.smear.screen import screen
from hemozoin.smear.segmentation.objects import Segmentation, segment
from hemozoin.synthetic.cell import draw_cell, draw_patient
from hemozoin.synthetic.smear import draw_smear
from tests.conftest import encoded, png


@pytest.fixture(scope="module")
def network() -> Predictor:
    return hemozoin.load("nano")


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    rng = np.random.default_rng(5)
    smear = draw_smear(rng, draw_patient(rng), cells=60, infected=5, white_cells=1, platelets=3)
    return Image.fromarray(smear.pixels)


def flaws(field: Field) -> set[str]:
    return {flaw.what for flaw in field.flaws}


@pytest.mark.slow
def test_cells_are_numbered_and_classified(network: Predictor, picture: Image.Image) -> None:
    field = screen(picture, network)
    assert [cell.cell for cell in field.cells] == list(range(1, len(field.cells) + 1))
    assert all(0 <= cell.p_parasitized <= 1 for cell in field.cells)
    assert {cell.decision for cell in field.cells} <= {"parasitized", "uninfected", "review"}
    assert field.usable
    assert field.infected >= 3


@pytest.mark.slow
def test_path_picture_and_array_give_the_same_cells(
    network: Predictor, picture: Image.Image, tmp_path: Path
) -> None:
    path = tmp_path / "field.png"
    path.write_bytes(png(picture))
    expected = screen(picture, network).cells
    assert screen(path, network).cells == expected
    assert screen(np.asarray(picture), network).cells == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        (lambda p: p.filter(ImageFilter.GaussianBlur(16)), "out of focus"),
        (lambda p: p.point(lambda level: level * 0.2), "too dark"),
    ],
)
def test_a_bad_field_has_a_flaw(
    network: Predictor, picture: Image.Image, change: object, flaw: str
) -> None:
    assert callable(change)
    field = screen(change(picture), network)
    assert flaw in flaws(field)
    assert not field.usable


def test_a_field_without_objects_is_empty(network: Predictor) -> None:
    field = screen(Image.new("RGB", (640, 480), (230, 235, 230)), network)
    assert flaws(field) == {"empty or not a smear"}
    assert field.cells == ()


def test_a_cell_on_black_is_for_predict(network: Predictor) -> None:
    rng = np.random.default_rng(0)
    cell = draw_cell(rng, draw_patient(rng), infected=True)
    with pytest.raises(DataError, match="use hemozoin predict"):
        screen(cell, network)


def test_a_small_picture_is_refused(network: Predictor) -> None:
    with pytest.raises(DataError, match="too small for a field"):
        screen(Image.new("RGB", (150, 150), "white"), network)


def test_several_pages_are_refused() -> None:
    page = Image.new("RGB", (400, 300), "white")
    scan = encoded(page, "TIFF", save_all=True, append_images=[page])
    with pytest.raises(DataError, match=r"scan\.tif: has several pages"):
        decode_field(scan, "scan.tif")


@pytest.mark.parametrize("form", ["TIFF", "JPEG", "BMP"])
def test_the_file_extension_does_not_matter(form: str, picture: Image.Image) -> None:
    assert decode_field(encoded(picture, form), "field.png").size == picture.size


def test_sixteen_bits_are_read(picture: Image.Image) -> None:
    grey = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    assert decode_field(png(grey), "grey.png").mode == "RGB"


def test_unreadable_files_are_refused(network: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no picture")
    with pytest.raises(DataError, match=r"notes\.txt"):
        screen(path, network)
    with pytest.raises(DataError, match=r"missing\.png"):
        screen(tmp_path / "missing.png", network)


@pytest.mark.slow
def test_a_cell_is_cut_out_along_its_outline(picture: Image.Image) -> None:
    whole = np.asarray(picture)
    cells = [one for one in segment(whole).objects if one.kind == "red cell"]
    assert cells
    for cell in cells:
        pixels = cut_out(whole, cell)
        assert pixels.shape == (cell.height, cell.width, 3)
        assert is_cut_out(pixels.max(axis=2) > 8)
        inside = pixels.any(axis=2)
        field = whole[cell.y : cell.y + cell.height, cell.x : cell.x + cell.width]
        assert (pixels[inside] == field[inside]).all()
        assert 0.5 < inside.mean() < 0.95


@pytest.mark.parametrize("zoom", [1.25, 1.6])
def test_a_cell_with_background_around_it_is_for_predict(network: Predictor, zoom: float) -> None:
    side = round(260 * zoom)
    sheet = Image.new("RGB", (side, side), (215, 230, 220))
    start = (side - 260) / 2
    ImageDraw.Draw(sheet).ellipse((start, start, start + 260, start + 260), (200, 120, 160))
    with pytest.raises(DataError, match="single cells, not a field; use hemozoin predict"):
        screen(sheet.filter(ImageFilter.GaussianBlur(2)), network)


def test_a_diameter_that_does_not_fit_the_picture_is_refused(
    network: Predictor, picture: Image.Image
) -> None:
    with pytest.raises(DataError, match=r"red cells of 900 px in 1280x960 pixels: single cells"):
        screen(picture, network, diameter=900)
    large = picture.resize((2560, 1920))
    with pytest.raises(DataError, match=r"10 px in 2560x1920 pixels: too many for one field"):
        screen(large, network, diameter=10)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1280, 960)])
def test_noise_is_refused_at_once(network: Predictor, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    began = time.process_time()
    with pytest.raises(DataError, match=r"red cells of \d px in .*: too coarse; give a picture"):
        screen(noise, network)
    assert time.process_time() - began < 5


@pytest.mark.slow
def test_dots_are_refused_at_once(network: Predictor) -> None:
    y, x = np.mgrid[:1000, :1000] % 8 - 4
    dots = Image.fromarray(np.where(x**2 + y**2 < 5, 120, 230).astype(np.uint8))
    with pytest.raises(DataError, match=r"15,\d+ objects, of which 15,\d+ are too small"):
        screen(dots, network)


@pytest.mark.slow
def test_the_copy_for_the_focus_is_never_much_larger_than_the_picture(
    network: Predictor, picture: Image.Image
) -> None:
    cells = screen(picture, network).cells
    tracemalloc.start()
    coarse = Segmentation(diameter=1.4, coverage=0.2, stain=np.full(3, 0.1))
    assert "too coarse" in {flaw.what for flaw in find_flaws(np.asarray(picture), coarse, cells)}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * 8 * picture.width * picture.height


def test_cells_as_dense_as_the_background_are_a_flaw(
    network: Predictor, picture: Image.Image
) -> None:
    cells = screen(picture, network).cells
    for density in (0.0, -0.1):
        found = Segmentation(diameter=60, coverage=0.2, stain=np.full(3, density))
        assert "out of focus" in {
            flaw.what for flaw in find_flaws(np.asarray(picture), found, cells)
        }


@pytest.mark.slow
def test_too_coarse_cells_are_a_flaw(network: Predictor, picture: Image.Image) -> None:
    small = picture.resize((picture.width // 5, picture.height // 5), Image.Resampling.BOX)
    large = Image.new("RGB", (512, 384))
    for x in (0, 256):
        for y in (0, 192):
            large.paste(small, (x, y))
    field = screen(large, network)
    assert "too coarse" in flaws(field)
    assert not field.usable
    assert "too coarse" not in flaws(screen(picture, network))


@pytest.mark.slow
@pytest.mark.parametrize("side", [9_000, 14_000])
def test_the_message_for_a_scan_says_how_to_read_it(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 90_000_000)
    scan = encoded(Image.new("L", (side, side)), "PNG")
    with pytest.raises(DataError, match=r"more than 64 million pixels; with hemozoin\[scans\]"):
        decode_field(scan, "scan.png")


# ---- what kind of film -------------------------------------------------------------------------


def found_cells(count: int, decision: str, outline: tuple[tuple[int, int], ...]) -> list[Cell]:
    return [
        Cell("red cell", 0, 0, 40, 40, outline, number, 0.5, decision, None)
        for number in range(1, count + 1)
    ]


SQUARE = ((0, 0), (40, 0), (40, 40), (0, 40))
DENTED = ((0, 0), (20, 4), (40, 0), (40, 40), (0, 40))  # convexity 0.95


def film_flaws(
    cells: list[Cell],
    nuclei: int = 0,
    clumps: int = 0,
    stain: float | Floats = 0.3,
    densest: float = 1.0,
) -> set[str]:
    objects = (SmearObject("clump", 0, 0, 40, 40, SQUARE),) * clumps
    stained = np.zeros(3) + stain
    found = Segmentation(objects, 40.0, 0.3, nuclei, stain=stained, densest=densest)
    return {flaw.what for flaw in find_flaws(np.full((400, 400, 3), 200, np.uint8), found, cells)}


def test_where_nothing_is_denser_than_the_cells_chromatin_would_not_be_seen() -> None:
    cells = found_cells(50, "uninfected", SQUARE)
    assert "too little contrast" not in film_flaws(cells, densest=0.49)
    assert "too little contrast" in film_flaws(cells, densest=0.47)
    assert "too little contrast" not in film_flaws(cells[:49], densest=0.47)
    assert "too pale" in film_flaws(cells, stain=0.0)  # contrast can't be measured


def test_ragged_pieces_are_no_thin_film() -> None:
    ragged = ((0, 0), (20, 10), (40, 0), (40, 40), (0, 40))  # convexity 0.875
    assert "not a thin film" in film_flaws(found_cells(40, "uninfected", ragged))
    assert "not a thin film" not in film_flaws(found_cells(40, "uninfected", SQUARE))
    assert "not a thin film" not in film_flaws(
        found_cells(15, "uninfected", SQUARE) + found_cells(25, "uninfected", ragged)
    )


def test_ragged_cells_of_which_many_are_for_review_are_no_thin_film() -> None:
    ragged = ((0, 0), (20, 5), (40, 0), (40, 40), (0, 40))  # convexity 0.94
    half = found_cells(12, "uninfected", ragged), found_cells(8, "uninfected", SQUARE)
    unsure = found_cells(12, "review", ragged)
    assert "not a thin film" in film_flaws(unsure + half[1])
    assert "not a thin film" not in film_flaws(half[0] + half[1])
    assert "not a thin film" not in film_flaws(unsure + half[1] + half[1])


def test_objects_that_are_hardly_darker_than_the_background_are_too_pale() -> None:
    cells = found_cells(10, "uninfected", SQUARE)
    assert "too pale" in film_flaws(cells, stain=0.05)
    assert "too pale" not in film_flaws(cells, stain=0.07)


def test_oval_nuclei_are_no_red_cells_of_a_mammal() -> None:
    oval = ((0, 10), (40, 10), (40, 30), (0, 30))
    assert "red cells with a nucleus" in film_flaws(found_cells(25, "uninfected", oval))
    assert "red cells with a nucleus" not in film_flaws(found_cells(24, "uninfected", oval))
    assert "red cells with a nucleus" not in film_flaws(found_cells(25, "uninfected", SQUARE))


def test_objects_without_light_in_a_channel_have_too_much_contrast() -> None:
    cells = found_cells(10, "uninfected", SQUARE)
    assert "too much contrast" in film_flaws(cells, stain=np.array([0.5, 4.4, 0.8]))
    assert "too much contrast" not in film_flaws(cells, stain=np.array([0.6, 1.9, 0.8]))


def test_a_field_with_more_clumps_than_cells_is_overcrowded() -> None:
    cells = found_cells(10, "uninfected", SQUARE)
    assert "overcrowded" in film_flaws(cells, clumps=11)
    assert "overcrowded" not in film_flaws(cells, clumps=10)


def test_a_thick_film_has_nuclei_and_few_red_cells() -> None:
    thick = "a thick film; only thin films are counted"
    assert thick in film_flaws(found_cells(12, "uninfected", DENTED), nuclei=8)
    assert thick not in film_flaws(found_cells(12, "uninfected", DENTED), nuclei=4)
    assert thick not in film_flaws(found_cells(40, "uninfected", DENTED), nuclei=8)


def test_a_field_in_which_most_cells_look_infected_is_not_counted() -> None:
    infected, healthy = (
        found_cells(n, d, SQUARE) for n, d in ((14, "parasitized"), (6, "uninfected"))
    )
    unsure = found_cells(14, "review", SQUARE)
    assert "most cells look infected" in film_flaws(infected + healthy)
    assert "most cells look infected" in film_flaws(infected[:4] + unsure[:10] + healthy)
    assert "most cells look infected" not in film_flaws(infected + healthy + healthy)


def test_of_few_cells_more_may_look_infected() -> None:
    infected, healthy = (
        found_cells(n, d, SQUARE) for n, d in ((9, "parasitized"), (3, "uninfected"))
    )
    assert "most cells look infected" not in film_flaws(infected + healthy)
    assert "most cells look infected" in film_flaws(infected + healthy[:2])


# ---- through an eyepiece -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def eyepiece(picture: Image.Image) -> Image.Image:
    """The drawn field as a phone at the eyepiece shows it."""
    disc = Image.new("L", picture.size)
    x, y, radius = picture.width / 2, picture.height / 2, picture.height * 0.48
    ImageDraw.Draw(disc).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    seen = Image.new("RGB", picture.size, (4, 4, 4))
    seen.paste(picture, mask=disc)
    return seen


@pytest.mark.slow
def test_the_cells_in_a_disc_are_found_where_they_are(
    network: Predictor, picture: Image.Image, eyepiece: Image.Image
) -> None:
    whole, seen = screen(picture, network), screen(eyepiece, network)
    assert seen.usable
    x, y, radius = picture.width / 2, picture.height / 2, picture.height * 0.48
    places = {(round(c.x + c.width / 2), round(c.y + c.height / 2)) for c in whole.cells}
    for cell in seen.cells:
        middle = cell.x + cell.width / 2, cell.y + cell.height / 2
        assert np.hypot(middle[0] - x, middle[1] - y) < radius
        assert min(np.hypot(middle[0] - a, middle[1] - b) for a, b in places) < 15
    inner = [p for p in places if np.hypot(p[0] - x, p[1] - y) < radius * 0.85]
    assert len(seen.cells) >= 0.9 * len(inner)


@pytest.mark.slow
def test_cells_at_the_rim_of_a_disc_are_cut(network: Predictor, eyepiece: Image.Image) -> None:
    assert screen(eyepiece, network).count("cut by the edge") >= 2


def test_a_small_disc_on_black_is_still_a_single_cell() -> None:
    cell = Image.new("RGB", (300, 300))
    ImageDraw.Draw(cell).ellipse((5, 5, 295, 295), fill=(200, 150, 160))
    with pytest.raises(DataError, match="a cell on black"):
        decode_field(png(cell))
