"""Values of more than 8 bits are scaled by the range that they really have."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.data.decoding.samples import to_8_bits
from hemozoin.data.picture import decode
from hemozoin.errors import DataError
from tests.conftest import encoded
from tests.support.tiffs import Order, Page, Value, write_tiff

#: The picture in 8 bits, with black and white.
GREY = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)
COLOUR = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
COLOUR[0, 0], COLOUR[0, 1] = 255, 0


def values(picture: Pixels, top: int) -> npt.NDArray[np.uint16]:
    """Return 8-bit values as those of a range 0..top."""
    return (picture * (top / 255)).round().astype(np.uint16)


def decoded(data: bytes) -> Pixels:
    return np.asarray(decode(data))


def same(found: Pixels, expected: Pixels) -> bool:
    grey = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    return bool(abs(found.astype(int) - grey).max() <= 1)


def write_png(samples: npt.NDArray[np.uint16], significant: int | None = None) -> bytes:
    """Return a PNG of 16 bits per channel, grey or colour."""
    height, width, *channels = samples.shape
    kind = 2 if channels == [3] else 6 if channels == [4] else 0

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    bits = (
        b"" if significant is None else chunk(b"sBIT", bytes([significant] * (channels or [1])[0]))
    )
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + bits
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
def test_fewer_bits_in_16(picture: Pixels, bits: int) -> None:
    samples = values(picture, 2**bits - 1)
    assert same(decoded(write_png(samples)), picture)
    for order in ("<", ">"):
        assert same(decoded(write_tiff(Page(samples), order=order)), picture)
    if picture is GREY:
        for compression in ("tiff_lzw", "tiff_adobe_deflate"):
            data = encoded(Image.fromarray(samples), "TIFF", compression=compression)
            assert same(decoded(data), picture)


@pytest.mark.parametrize("tag", [281, 341])
def test_the_declared_range_counts_where_the_picture_is_dark(tag: int) -> None:
    dark = values(GREY // 8, 4095)
    assert same(decoded(write_tiff(Page(dark, {tag: 4095}))), GREY // 8)
    assert not same(decoded(write_tiff(Page(dark))), GREY // 8)


@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
def test_the_significant_bits_of_a_png(picture: Pixels) -> None:
    dark = picture // 8
    assert same(decoded(write_png(values(dark, 4095), significant=12)), dark)
    whole = values(picture, 65535)
    assert same(decoded(write_png(whole, significant=12)), picture)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_grey_where_white_is_0(dtype: type[np.generic]) -> None:
    top = {"u": 65535, "i": 32767, "f": 1}[np.dtype(dtype).kind]
    samples = (GREY * (top / 255)).astype(dtype)
    assert same(decoded(write_tiff(Page(samples, {262: 1}))), GREY)
    if dtype != np.int16:  # Pillow has no mode for it
        assert same(decoded(write_tiff(Page(samples, {262: 0}))), 255 - GREY)
    assert same(decoded(write_tiff(Page(GREY, {262: 0}))), 255 - GREY)


@pytest.mark.parametrize(("dtype", "half"), [(np.int16, 2048), (np.int16, 32768), (np.int8, 128)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_signed_values_around_zero(dtype: type[np.integer], half: int, order: Order) -> None:
    samples = (values(GREY, 2 * half - 1).astype(int) - half).astype(dtype)
    assert same(decoded(write_tiff(Page(samples), order=order)), GREY)


def test_negative_noise_is_black() -> None:
    samples = values(GREY, 4095).astype(np.int16)
    samples[0, :3] = -20
    found = decoded(write_tiff(Page(samples)))
    assert not found[0, :3].any()
    assert same(found[1:], GREY[1:])


def test_the_offset_of_signed_values_is_subtracted() -> None:
    assert same(decoded(write_tiff(Page(values(GREY, 4095) + np.uint16(32768)))), GREY)


@pytest.mark.parametrize(("extra", "expected"), [(1, 60), (2, 30), (0, 60)])
@pytest.mark.parametrize("bits", [8, 16])
def test_alpha_times_colour_or_not(extra: int, expected: int, bits: int) -> None:
    """Half transparent on black: 1 is premultiplied, 2 is not, 0 is no alpha."""
    samples = np.full((16, 16, 4), 60, np.uint16)
    samples[..., 3] = 128
    samples[0, 0] = 255  # the top of the range
    stored = samples.astype(np.uint8) if bits == 8 else samples * np.uint16(257)
    tags: dict[int, Value] = {338: extra}
    assert abs(int(decoded(write_tiff(Page(stored, tags)))[5, 5, 0]) - expected) <= 1


def test_transparent_colours_of_12_bits_in_a_png() -> None:
    samples = values(np.dstack([COLOUR, GREY]), 4095)
    expected = (COLOUR * (GREY[..., None] / 255)).round().astype(np.uint8)
    assert same(decoded(write_png(samples)), expected)


def test_planes_of_12_bits_have_one_range() -> None:
    dark_red = COLOUR.copy()
    dark_red[..., 0] //= 8
    planes = [np.ascontiguousarray(values(dark_red, 4095)[..., k]) for k in range(3)]
    pages = [Page(a, {285: b}) for a, b in zip(planes, ("red", "green", "blue"), strict=True)]
    assert same(decoded(write_tiff(*pages)), dark_red)


def test_a_deep_picture_is_turned_as_its_exif_says() -> None:
    data = write_tiff(Page(values(COLOUR, 4095), {274: 8}))
    assert same(decoded(data), np.rot90(COLOUR))


def test_a_large_picture_is_converted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = to_8_bits(values(COLOUR, 4095))
    monkeypatch.setattr("hemozoin.data.decoding.samples._AT_ONCE", 100)
    assert (to_8_bits(values(COLOUR, 4095)) == whole).all()


def test_half_of_a_deep_picture_is_refused() -> None:
    data = write_png(values(COLOUR, 4095))
    with pytest.raises(DataError, match="not a readable picture"):
        decode(data[: len(data) // 2])
