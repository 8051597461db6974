from __future__ import annotations

import contextlib
import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from hemozoin.arrays import Pixels
from hemozoin.data.decoding.limits import MAX_PIXELS
from hemozoin.data.picture import decode, decode_cell
from hemozoin.errors import DataError
from hemozoin.smear.picture import decode_field
from tests.conftest import encoded, png

RGB = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
GREY = np.arange(0, 252, 6, dtype=np.uint8).reshape(6, 7)


def pixels(data: bytes) -> Pixels:
    image = decode(data)
    assert image.mode == "RGB"
    return np.asarray(image)


def as_rgb(grey: Pixels) -> Pixels:
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "WEBP", "PPM"])
def test_the_format_makes_no_difference(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    assert (pixels(encoded(Image.fromarray(RGB), form, **options)) == RGB).all()


def test_grey_of_8_and_1_bits() -> None:
    assert (pixels(png(Image.fromarray(GREY))) == as_rgb(GREY)).all()
    black_and_white = Image.fromarray(GREY > 100)
    assert black_and_white.mode == "1"
    assert (pixels(png(black_and_white)) == as_rgb((GREY > 100) * np.uint8(255))).all()


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bits_are_scaled_by_the_range_of_the_type(form: str) -> None:
    grey = GREY.clip(max=240)
    image = Image.fromarray(grey.astype(np.uint16) * 257)
    assert image.mode == "I;16"
    assert (pixels(encoded(image, form)) == as_rgb(grey)).all()


def test_16_bits_are_rounded_to_the_nearest_of_8() -> None:
    image = Image.fromarray(np.array([[128, 129, 65406, 65407]], np.uint16))
    assert pixels(png(image))[0, :, 0].tolist() == [0, 1, 254, 255]


@pytest.mark.parametrize("top", [1, 255, 4095, 65535])
def test_32_bits_are_scaled_by_the_smallest_range_that_holds_them(top: int) -> None:
    grey = np.append(GREY[:, :-1], np.full((6, 1), 255, np.uint8), axis=1)
    scaled = (grey / 255 * top).astype(np.float32)
    assert (pixels(encoded(Image.fromarray(scaled), "TIFF")) == as_rgb(grey)).all()
    if top > 1:
        whole = Image.fromarray(scaled.round().astype(np.int32))
        assert (pixels(encoded(whole, "TIFF")) == as_rgb(grey)).all()


def test_values_that_are_not_numbers() -> None:
    image = Image.fromarray(np.full((3, 3), np.nan, np.float32))
    with pytest.raises(DataError, match="not numbers"):
        decode(encoded(image, "TIFF"))


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def rgb_png(width: int, height: int, bits: int, rows: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b"")


def test_colours_of_16_bits() -> None:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in RGB.astype(np.uint16) * 257)
    assert (pixels(rgb_png(5, 7, 16, rows)) == RGB).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_become_black(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (200, 200, 200, 255))
    image.putpixel((0, 0), (200, 200, 200, 0))
    rgb = pixels(png(image.convert(mode)))
    assert (rgb[0, 0] == 0).all()
    assert (rgb[3, 3] == 200).all()


def test_half_transparent_is_half_as_bright() -> None:
    assert (pixels(png(Image.new("RGBA", (1, 1), (200, 100, 50, 128)))) == [100, 50, 25]).all()


def test_one_colour_marked_as_transparent() -> None:
    rgb = pixels(encoded(Image.fromarray(RGB), "PNG", transparency=tuple(map(int, RGB[0, 0]))))
    assert (rgb[0, 0] == 0).all()
    assert (rgb[1:] == RGB[1:]).all()


def test_a_palette() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.putpixel((1, 0), 1)
    assert pixels(png(image)).tolist() == [[[10, 20, 30], [200, 100, 0]]]


def test_a_cmyk_jpeg() -> None:
    rgb = pixels(encoded(Image.new("CMYK", (16, 16), (0, 255, 0, 0)), "JPEG", quality=100))
    assert abs(rgb.astype(int) - [255, 0, 255]).max() < 6


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_exif_rotation_is_applied(form: str) -> None:
    image = Image.new("RGB", (24, 8))
    image.paste((255, 255, 255), (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the scene is on the right of the stored picture
    rgb = pixels(encoded(image, form, exif=exif))
    assert rgb.shape == (24, 8, 3)
    assert rgb[:6].min() > 200
    assert rgb[10:].max() < 50


def test_16_bit_pictures_are_rotated_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    rgb = pixels(encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG", exif=exif))
    assert (rgb == as_rgb(np.rot90(GREY))).all()


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_a_picture_with_damaged_exif_is_decoded(form: str) -> None:
    data = encoded(Image.fromarray(RGB), form, exif=b"Exif\0\0MM\0*\0\0", lossless=True)
    assert (pixels(data) == RGB).all()


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_used(form: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:], lossless=True)
    assert (pixels(data) == [255, 0, 0]).all()


def test_the_second_view_of_a_phone_is_passed_over() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    first, second = Image.new("RGB", (320, 240), "red"), Image.new("RGB", (320, 240), "blue")
    data = encoded(first, "MPO", save_all=True, append_images=[second], exif=exif)
    for function in (decode, decode_cell, decode_field):
        picture = function(data)
        assert picture.size == (240, 320)
        assert picture.getpixel((120, 160)) == (254, 0, 0)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_thin_and_tiny_pictures(size: tuple[int, int]) -> None:
    assert pixels(png(Image.new("RGB", size, "white"))).shape == (size[1], size[0], 3)


# ---- files that are not pictures ---------------------------------------------------------------


def claiming(width: int, height: int) -> bytes:
    """Return a PNG of some 100 bytes that claims this size."""
    return rgb_png(width, height, 8, bytes(1000))


def refuse(data: bytes, why: str) -> None:
    with pytest.raises(DataError, match=why) as caught:
        decode(data, "a/1.png")
    text = str(caught.value)
    assert text.startswith("a/1.png: ")
    assert "\n" not in text
    assert "0x" not in text  # an address in memory is useless to the user


def test_empty_files_and_other_files() -> None:
    refuse(b"", "empty file")
    for data in (b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"<svg/>", bytes(1000)):
        refuse(data, "not a readable picture")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_an_incomplete_picture(form: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), form)
    for size in (len(data) // 2, len(data) // 10, 20):
        refuse(data[:size], "not a readable picture")


@pytest.mark.slow
def test_random_changes_of_a_file_give_a_picture_or_a_data_error() -> None:
    rng = random.Random(0)
    for form in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM"):
        whole = encoded(Image.fromarray(RGB), form)
        for _ in range(60):
            data = bytearray(whole)
            for _ in range(rng.randint(1, 5)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            with contextlib.suppress(DataError):
                assert min(decode(bytes(data)).size) >= 1


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (8_001, 8_000), (10_000, 9_000)])
def test_a_small_file_that_claims_to_be_huge(width: int, height: int) -> None:
    assert width * height > MAX_PIXELS
    refuse(claiming(width, height), "pixels|size")


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_a_picture_without_pixels(size: tuple[int, int]) -> None:
    refuse(claiming(*size), "a/1.png: ")


def test_a_bomb_in_a_text_chunk() -> None:
    info = PngImagePlugin.PngInfo()
    for number in range(5):
        info.add_text(f"note {number}", "x" * 20 * 2**20, zip=True)
    data = encoded(Image.fromarray(RGB), "PNG", pnginfo=info)
    assert len(data) < 200_000
    refuse(data, "[Tt]ext|too large|large")


def test_the_picture_does_not_depend_on_the_bytes_after_decoding() -> None:
    image = decode(png(Image.fromarray(RGB)))
    assert image.copy().tobytes() == RGB.tobytes()
    assert (np.asarray(Image.open(io.BytesIO(png(image)))) == RGB).all()
