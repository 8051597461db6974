from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from hemozoin.arrays import Pixels
from hemozoin.data.picture import decode
from hemozoin.data.preprocess import Preprocessing, prepare, prepare_batch
from hemozoin.errors import ModelError
from tests.conftest import encoded

channels = st.tuples(*[st.integers(0, 255)] * 3).filter(lambda colour: max(colour) > 8)
sides = st.integers(1, 400)


def disc(width: int, height: int, colour: tuple[int, ...]) -> Image.Image:
    image = Image.new("RGB", (width, height))
    ImageDraw.Draw(image).ellipse((0, 0, width - 1, height - 1), fill=colour)
    return image


def noise(width: int, height: int, low: int = 0) -> Pixels:
    return np.random.default_rng(0).integers(low, 256, (height, width, 3), dtype=np.uint8)


@given(width=sides, height=sides, colour=channels, size=st.sampled_from([1, 32, 64, 96, 224]))
@example(width=132, height=132, colour=(220, 170, 180), size=64)
def test_a_cell_of_one_colour_keeps_it_up_to_the_rim(
    width: int, height: int, colour: tuple[int, int, int], size: int
) -> None:
    cell = prepare(disc(width, height, colour), Preprocessing(size))
    assert cell.shape == (size, size, 3)
    assert cell.dtype == np.uint8
    assert cell.flags.c_contiguous
    inside = cell.any(axis=2)
    # At most 4 levels; averaging with black would change it by up to half of the colour.
    assert abs(cell[inside].astype(int) - colour).max(initial=0) <= 4
    if min(width, height, size) > 31:
        assert 0.7 < inside.mean() < 0.87  # a disc fills pi / 4 of its square


def test_the_rim_is_neither_darker_nor_brighter_on_average() -> None:
    colour = (220, 170, 180)
    cells = [prepare(disc(w, 270 - w, colour), Preprocessing()) for w in range(90, 180)]
    off = np.concatenate([cell[cell.any(axis=2)].astype(int) - colour for cell in cells])
    assert abs(off.mean(axis=0)).max() < 0.01


def on_black(pixels: Pixels) -> Image.Image:
    """Return the picture with black outside the ellipse that fills it."""
    shape = disc(pixels.shape[1], pixels.shape[0], (255, 255, 255))
    return Image.fromarray(pixels & np.asarray(shape))


def test_pixels_well_inside_are_plain_bilinear_resampling() -> None:
    pixels = noise(150, 120, low=60)
    plain = np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR))
    cell = prepare(on_black(pixels), Preprocessing())
    assert (cell[12:52, 12:52] == plain[12:52, 12:52]).all()
    assert not cell[:6, :6].any()


def test_a_cell_of_the_right_size_is_unchanged() -> None:
    cell = on_black(noise(64, 64, low=60))
    assert (prepare(cell, Preprocessing()) == np.asarray(cell)).all()


def test_black_margins_are_cropped() -> None:
    cell = on_black(noise(80, 90, low=9))
    loose = Image.new("RGB", (200, 150))
    loose.paste(cell, (70, 20))
    assert (prepare(loose, Preprocessing()) == prepare(cell, Preprocessing())).all()


def test_a_batch_has_each_cell_as_if_it_were_alone() -> None:
    on_glass = np.full((90, 80, 3), 230, np.uint8)
    on_glass[20:70, 20:60] = (200, 120, 160)
    cells: list[Image.Image | Pixels] = [
        *(on_black(noise(side, 200 - side, low=9)) for side in (50, 90, 150)),
        *(Image.new("RGB", (30, 30)), on_glass),
    ]
    batch = prepare_batch(cells, Preprocessing())
    assert (batch == np.stack([prepare(cell, Preprocessing()) for cell in cells])).all()
    assert batch.any(axis=(1, 2, 3)).tolist() == [True, True, True, False, True]
    assert prepare_batch([], Preprocessing(32)).shape == (0, 32, 32, 3)


def test_pixels_not_brighter_than_the_background_are_black() -> None:
    pixels = noise(64, 64, low=10)
    pixels[20:30, 20:32] = (8, 3, 8)
    pixels[20:30, 32:44] = (0, 9, 0)
    cell = prepare(on_black(pixels), Preprocessing())
    assert not cell[20:30, 20:32].any()
    assert (cell[20:30, 32:44] == (0, 9, 0)).all()
    assert not prepare(on_black(pixels), Preprocessing(background=9))[20:30, 20:44].any()


# ---- dark pixels around a cell on black --------------------------------------------------------


def stained_cell() -> Image.Image:
    """Return a cell on black, with a margin, and with a dark purple spot near its rim."""
    cell = disc(130, 120, (215, 165, 180))
    ImageDraw.Draw(cell).ellipse((20, 60, 38, 78), fill=(110, 60, 140))
    return ImageOps.expand(cell, (9, 10, 11, 10))


@pytest.mark.parametrize("quality", [95, 75, 50])
@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_compressed_cell_has_the_outline_and_colours_of_the_original(
    form: str, quality: int
) -> None:
    original = prepare(stained_cell(), Preprocessing()).astype(int)
    stored = encoded(stained_cell(), form, quality=quality)
    cell = prepare(decode(stored), Preprocessing()).astype(int)
    inside = original.any(axis=2)
    assert (cell.any(axis=2) != inside).mean() < 0.03
    assert np.abs(cell - original)[inside].mean() < 6


def test_without_the_step_the_outline_of_a_jpeg_is_another_one() -> None:
    original = prepare(stained_cell(), Preprocessing()).any(axis=2)
    jpeg = decode(encoded(stained_cell(), "JPEG", quality=75))
    assert (prepare(jpeg, Preprocessing(dark_share=0)).any(axis=2) != original).mean() > 0.05


def test_dark_pixels_are_taken_away_around_a_cell_but_not_in_it() -> None:
    image = disc(64, 64, (200, 200, 200))
    draw = ImageDraw.Draw(image)
    draw.rectangle((28, 28, 35, 35), fill=(12, 12, 12))  # pigment
    draw.ellipse((0, 0, 63, 63), outline=(49, 49, 49), width=2)
    cell = prepare(image, Preprocessing())
    expected = disc(60, 60, (200, 200, 200))
    ImageDraw.Draw(expected).rectangle((26, 26, 33, 33), fill=(12, 12, 12))
    outline = np.asarray(expected.resize((64, 64), Image.Resampling.NEAREST)).any(axis=2)
    assert (cell.any(axis=2) != outline).mean() < 0.03
    assert (cell[30:34, 30:34] == 12).all()


@pytest.mark.parametrize("level", [9, 16, 30])
def test_a_background_that_is_nearly_black_counts_as_black(level: int) -> None:
    pixels = np.asarray(stained_cell())
    nearly_black = np.where(pixels.any(axis=2, keepdims=True), pixels, np.uint8(level))
    assert (prepare(nearly_black, Preprocessing()) == prepare(pixels, Preprocessing())).all()


def test_a_dark_picture_is_measured_by_its_own_mean() -> None:
    dark = Image.fromarray(np.asarray(stained_cell()) // 5)
    cell = prepare(dark, Preprocessing())
    assert (cell == prepare(dark, Preprocessing(dark_share=0))).all()
    assert cell.any()


def test_the_cell_is_stretched_to_a_square() -> None:
    wide = Image.new("RGB", (200, 50), (200, 150, 150))
    wide.paste((100, 50, 150), (0, 0, 100, 50))
    cell = prepare(on_black(np.asarray(wide)), Preprocessing(32))
    assert (cell[16, 1:15] == (100, 50, 150)).all()
    assert (cell[16, 17:31] == (200, 150, 150)).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3000, 3000)])
@pytest.mark.parametrize("colour", ["black", "white"])
def test_a_picture_of_one_colour_has_no_cell(size: tuple[int, int], colour: str) -> None:
    assert not prepare(Image.new("RGB", size, colour), Preprocessing()).any()


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "WEBP"])
def test_the_file_format_makes_no_difference(form: str) -> None:
    image = disc(90, 100, (210, 160, 170))
    options = {"lossless": True} if form == "WEBP" else {}
    stored = decode(encoded(image, form, **options))
    assert (prepare(stored, Preprocessing()) == prepare(image, Preprocessing())).all()


def test_the_input_picture_is_not_changed() -> None:
    image = Image.fromarray(noise(80, 80))
    before = image.tobytes()
    prepare(image, Preprocessing())
    assert (image.tobytes(), image.mode) == (before, "RGB")


# ---- the description ---------------------------------------------------------------------------


def test_it_is_read_from_its_own_description() -> None:
    preprocessing = Preprocessing(size=96, background=12)
    assert Preprocessing.from_dict(preprocessing.to_dict()) == preprocessing
    assert preprocessing.to_dict() == {
        "color": "RGB",
        "outline": "brighter than background; on glass, the cell in the middle",
        "crop": "to the cell's edges",
        "resample": "bilinear over the cell's own pixels",
        "size": 96,
        "background": 12,
        "dark_share": 0.25,
    }


def test_models_of_earlier_versions_keep_their_steps() -> None:
    earlier = Preprocessing(dark_share=0).to_dict()
    assert "dark_share" not in earlier
    assert Preprocessing.from_dict(earlier) == Preprocessing(dark_share=0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"size": None}, "None"),
        ({"size": "large"}, "large"),
        ({"size": 0}, "size 0"),
        ({"size": -64}, "size -64"),
        ({"background": 255}, "background 255"),
        ({"background": -1}, "background -1"),
        ({"dark_share": 1}, "dark_share 1"),
        ({"dark_share": -0.1}, "dark_share -0.1"),
        ({"dark_share": "a quarter"}, "a quarter"),
        ({"color": "BGR"}, "another version"),
        ({"resample": "nearest"}, "another version"),
        ({"mean": 0.5}, "another version"),
    ],
)
def test_a_description_of_other_steps(change: dict[str, object], why: str) -> None:
    with pytest.raises(ModelError, match=why):
        Preprocessing.from_dict(Preprocessing().to_dict() | change)


@pytest.mark.parametrize("key", ["size", "background", "color", "resample"])
def test_a_description_with_a_missing_entry(key: str) -> None:
    data = Preprocessing().to_dict()
    del data[key]
    with pytest.raises(ModelError, match=r"missing|another version"):
        Preprocessing.from_dict(data)
