"""Plain WebP files decode to the same pixels as with Pillow; all others are left to Pillow."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemozoin.data.decoding.plain_webp import decode_plain_webp
from hemozoin.data.picture import decode_cell
from hemozoin.data.source import open_source
from hemozoin.errors import DataError
from tests.conftest import encoded

NOISE = np.random.default_rng(0).integers(0, 256, (41, 50, 3), np.uint8)
PICTURE = Image.fromarray(NOISE)
PLAIN = encoded(PICTURE, "WEBP", lossless=True)

#: A picture with transparent pixels.
CLEAR = PICTURE.convert("RGBA")
CLEAR.putpixel((0, 0), (0, 0, 0, 0))


def test_the_pixels_are_those_of_pillow() -> None:
    for method in (0, 4, 6):
        found = decode_plain_webp(encoded(PICTURE, "WEBP", lossless=True, method=method))
        assert found is not None
        assert found.dtype == np.uint8
        assert (found == NOISE).all()


@pytest.mark.parametrize("side", [1, 2, 499])
def test_sides(side: int) -> None:
    grey = np.full((side, 3, 3), 7, np.uint8)
    found = decode_plain_webp(encoded(Image.fromarray(grey), "WEBP", lossless=True))
    assert found is not None
    assert (found == grey).all()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(PICTURE, "WEBP", quality=90), id="lossy"),
        pytest.param(encoded(CLEAR, "WEBP", lossless=True), id="transparent"),
        pytest.param(encoded(PICTURE, "WEBP", lossless=True, exif=b"Exif\0\0MM"), id="EXIF"),
        pytest.param(encoded(PICTURE, "WEBP", lossless=True, icc_profile=b"x" * 200), id="profile"),
        pytest.param(
            encoded(
                PICTURE, "WEBP", lossless=True, save_all=True, append_images=[PICTURE.rotate(90)]
            ),
            id="animation",
        ),
        pytest.param(encoded(Image.new("RGB", (600, 500)), "WEBP", lossless=True), id="large"),
        pytest.param(encoded(PICTURE, "PNG"), id="PNG"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_other_files_are_left_to_pillow(data: bytes) -> None:
    assert decode_plain_webp(data) is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PLAIN[:-1], id="a byte short"),
        pytest.param(PLAIN[: len(PLAIN) // 2], id="half"),
        pytest.param(PLAIN[:24], id="headers"),
        pytest.param(PLAIN + b"\0", id="a byte more"),
        pytest.param(PLAIN[:4] + struct.pack("<I", 9) + PLAIN[8:], id="another size"),
        pytest.param(PLAIN[:16] + struct.pack("<I", 9) + PLAIN[20:], id="another size of a chunk"),
        pytest.param(PLAIN[:20] + b"\x2e" + PLAIN[21:], id="another signature"),
        pytest.param(PLAIN[:24] + bytes([PLAIN[24] | 32]) + PLAIN[25:], id="another version"),
    ],
)
def test_damaged_files_are_left_to_pillow(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    assert decode_plain_webp(data) is None
    assert capfd.readouterr() == ("", "")


def test_what_pillow_refuses_is_an_error() -> None:
    with pytest.raises(DataError, match="cell"):
        decode_cell(PLAIN[: len(PLAIN) // 2], "cell.webp")


def test_changed_bytes_never_give_other_pixels_than_pillow() -> None:
    """Lossless WebP has no checksum: what still decodes must be the same."""
    random = np.random.default_rng(0)
    for _ in range(200):
        data = np.frombuffer(PLAIN, np.uint8).copy()
        data[random.integers(21, len(data), 2)] ^= random.integers(1, 256, 2, dtype=np.uint8)
        found = decode_plain_webp(data.tobytes())
        if found is not None:
            with Image.open(io.BytesIO(data.tobytes())) as image:
                assert (found == np.asarray(image.convert("RGB"))).all()


@pytest.mark.real
def test_real_cells(real_zip: Path) -> None:
    source = open_source(real_zip)
    names = [entry.name for entry in source.entries() if entry.name.endswith(".webp")]
    for name in names[::200]:
        data = source.read(name)
        found = decode_plain_webp(data)
        assert found is not None
        assert (found == np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))).all(), name
