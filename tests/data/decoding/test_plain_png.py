"""Plain PNG files decode to the same pixels as with Pillow; all others are left to Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from hemozoin.data.decoding.plain_png import decode_plain_png
from hemozoin.data.picture import decode_cell, process_cell
from hemozoin.data.source import open_source
from hemozoin.errors import DataError
from tests.conftest import encoded

NOISE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
PICTURE = Image.fromarray(NOISE)
PLAIN = encoded(PICTURE, "PNG")


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def with_chunk(kind: bytes, content: bytes) -> bytes:
    """Return the plain file with one more chunk after its header."""
    return PLAIN[:33] + chunk(kind, content) + PLAIN[33:]


def with_pixels(compressed: bytes) -> bytes:
    return PLAIN[:33] + chunk(b"IDAT", compressed) + chunk(b"IEND", b"")


def test_the_pixels_are_those_of_pillow() -> None:
    for level in (0, 1, 9):
        found = decode_plain_png(encoded(PICTURE, "PNG", compress_level=level))
        assert found is not None
        assert found.dtype == np.uint8
        assert (found == NOISE).all()


@pytest.mark.parametrize("height", [145, 146, 291, 292, 700])
def test_rows_of_several_blocks(height: int) -> None:
    """A block that is not compressed has 65,535 bytes at most, 145.3 rows of 150 px."""
    noise = np.random.default_rng(1).integers(0, 256, (height, 150, 3), np.uint8)
    found = decode_plain_png(encoded(Image.fromarray(noise), "PNG"))
    assert found is not None
    assert (found == noise).all()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"gAMA", struct.pack(">I", 100_000)),
        (b"gAMA", b"x"),
        (b"pHYs", struct.pack(">IIB", 1, 2, 0)),
        (b"tIME", bytes(7)),
    ],
)
def test_chunks_without_effect_are_ignored(
    kind: bytes, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    found = decode_plain_png(with_chunk(kind, content))
    assert found is not None
    assert (found == NOISE).all()
    assert capfd.readouterr() == ("", "")


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(PICTURE, "PNG", exif=exif)


def with_text(key: str) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text(key, "x")
    return encoded(PICTURE, "PNG", pnginfo=text)


def interlaced() -> bytes:
    header = struct.pack(">IIBBBBB", 50, 40, 8, 2, 0, 0, 1)
    return PLAIN[:8] + chunk(b"IHDR", header) + PLAIN[33:]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        encoded(PICTURE, "JPEG"),
        encoded(PICTURE.convert("RGBA"), "PNG"),
        encoded(PICTURE.convert("L"), "PNG"),
        encoded(PICTURE.convert("P"), "PNG"),
        encoded(PICTURE, "PNG", transparency=(1, 2, 3)),
        encoded(PICTURE, "PNG", save_all=True, append_images=[PICTURE.rotate(90)]),
        rotated(),
        with_text("Raw profile type exif"),
        interlaced(),
        with_chunk(b"IHDR", PLAIN[16:29]),
        with_chunk(b"ABCD", b"critical"),
        PLAIN[:-12],
        PLAIN[:-5],
        PLAIN[:60] + bytes([PLAIN[60] ^ 1]) + PLAIN[61:],
        PLAIN[:33] + chunk(b"IDAT", b"") * 2000 + PLAIN[33:],
    ],
    ids=range(17),
)
def test_other_and_damaged_files_are_left_to_pillow(
    data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert decode_plain_png(data) is None
    assert capfd.readouterr() == ("", "")


ROWS = zlib.decompress(PLAIN[41:-16])


@pytest.mark.parametrize(
    "compressed",
    [
        *(b"", b"not compressed", zlib.compress(b"few"), zlib.compress(b"\x09" * 9999)),
        *(zlib.compress(b"\x05" + ROWS[1:]), zlib.compress(ROWS)[:-9]),
        zlib.compress(ROWS)[:-4] + bytes(4),
    ],
    ids=range(7),
)
def test_pixels_that_do_not_fit_the_header_are_a_data_error(
    compressed: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """The checksums are right: somebody made this file. Nothing is printed."""
    with pytest.raises(DataError, match=r"1\.png: not a readable picture"):
        decode_cell(with_pixels(compressed), "1.png")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("more", [zlib.compress(ROWS * 2), zlib.compress(ROWS) + b"more"])
def test_more_pixels_than_there_is_room_for_are_left_to_pillow(
    more: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert decode_plain_png(with_pixels(more)) is None
    assert (np.asarray(decode_cell(with_pixels(more))) == NOISE).all()
    assert capfd.readouterr() == ("", "")


def test_transparency_rotation_and_pages_count_as_before() -> None:
    assert decode_cell(rotated()).size == (40, 50)
    black = decode_cell(encoded(Image.new("RGBA", (9, 9), (250, 250, 250, 0)), "PNG"))
    assert black.getpixel((4, 4)) == (0, 0, 0)
    animated = encoded(PICTURE, "PNG", save_all=True, append_images=[PICTURE.rotate(90)])
    with pytest.raises(DataError, match="an animation"):
        decode_cell(animated)


def test_the_size_is_checked_before_decoding() -> None:
    with pytest.raises(DataError, match="7x40 pixels, not a picture of one cell"):
        process_cell(encoded(Image.new("RGB", (7, 40)), "PNG"), "1.png", np.copy)


@pytest.mark.real
def test_real_cells(real_zip: Path) -> None:
    source = open_source(real_zip)
    names = [entry.name for entry in source.entries() if entry.name.endswith(".webp")]
    for name in names[::200]:
        cell = Image.open(io.BytesIO(source.read(name))).convert("RGB")
        found = decode_plain_png(encoded(cell, "PNG"))
        assert found is not None
        assert (found == np.asarray(cell)).all(), name
