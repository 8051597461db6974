"""Small files that would take minutes or gigabytes are refused before they are decoded."""

from __future__ import annotations

import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import numpy as np
import pytest
from PIL import Image

from hemozoin.data.decoding import limits
from hemozoin.data.decoding.limits import LimitedFile, PixelBudget
from hemozoin.data.picture import decode, decode_cell
from hemozoin.errors import DataError
from hemozoin.smear.picture import decode_field
from tests.conftest import encoded, png
from tests.support.commands import start


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def scans() -> bytes:
    """Return a JPEG that repeats its last scan 200 times."""
    data = encoded(Image.new("RGB", (300, 300), "pink"), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * 200 + data[-2:]


def exif_blocks() -> bytes:
    """Return a JPEG with 200 EXIF blocks of 64 kB."""
    data, block = encoded(Image.new("RGB", (300, 300)), "JPEG"), b"Exif\0\0" + bytes(65_000)
    return data[:2] + (b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block) * 200 + data[2:]


def bitmap() -> bytes:
    """Return a BMP of 8000x8000 px whose rows end after one pixel."""
    body, offset = b"\x01\x05\0\0" * 8000 + b"\0\1", 14 + 40 + 1024
    sizes = struct.pack("<IiiHHIIiiII", 40, 8000, 8000, 1, 8, 1, len(body), 0, 0, 256, 0)
    header = b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset)
    return header + sizes + bytes(1024) + body


def tile() -> bytes:
    """Return a TIFF of 300x300 px in one tile of 46,336 x 46,336 px."""
    side, body = 46_336, zlib.compress(bytes(1000))
    tags = {256: 300, 257: 300, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side}
    tags |= {324: 8 + 2 + 12 * 10 + 4, 325: len(body)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + body


BOMBS = {
    "scans": (scans, "a JPEG of 21. parts"),
    "EXIF": (exif_blocks, "a JPEG of 200 parts"),
    "RLE": (bitmap, "64000000 pixels in a format that is slow to decode"),
    "plain": (lambda: b"P2 8000 8000 255 " + b"7 " * 99, "64000000 pixels in a format"),
    "254 levels": (lambda: b"P5 8000 8000 254 " + bytes(99), "64000000 pixels in a format"),
    "tile": (tile, "a tile of 2147024896 pixels in a picture of 90000"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(name: str) -> None:
    make, reason = BOMBS[name]
    data = make()
    for function in (decode, decode_field):
        began = time.process_time()
        with pytest.raises(DataError, match=rf"1\.png: not a readable picture \({reason}"):
            function(data, "1.png")
        assert time.process_time() - began < 1
    with pytest.raises(DataError, match=r"not a (readable picture|picture of one cell)"):
        decode_cell(data)


def test_a_picture_of_very_many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = png(Image.new("RGB", (300, 300)))
    many = whole[:33] + chunk(b"abCd", b"") * 5000 + whole[33:]
    comment = b"P6 #" + b"x" * 5000 + b"\n300 300 255 " + bytes(270_000)
    gif = encoded(Image.new("P", (300, 300)), "GIF")
    markers = encoded(Image.new("RGB", (300, 300)), "JPEG")
    markers = markers[:2] + b"\xff\xfe\0\2" * 5000 + markers[2:]
    for data in (many, comment, gif, markers):
        assert decode(data).size == (300, 300)
    monkeypatch.setattr(limits, "_MAX_READS", 1000)
    assert decode(gif).size == (300, 300)
    for data in (many, comment, markers):
        with pytest.raises(DataError, match="the file has too many parts"):
            decode(data)


def test_the_limit_of_reads() -> None:
    file = LimitedFile(b"12345")
    assert (file.read(2), file.read()) == (b"12", b"345")


@pytest.mark.slow
def test_real_pictures_are_far_within_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    monkeypatch.setattr(limits, "_MAX_READS", 10_000)
    for form in ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM"):
        assert decode(encoded(picture, form)).size == picture.size
    progressive = encoded(picture, "JPEG", progressive=True, quality=95)
    assert progressive.count(b"\xff\xda") < limits._MAX_JPEG_PARTS / 4
    assert decode(progressive).size == picture.size


def test_a_tiff_with_endless_pages_is_refused_at_once() -> None:
    page, count = encoded(Image.new("1", (300, 300)), "TIFF"), 50_000
    start_of_tags = int.from_bytes(page[4:8], "little")
    tags = page[start_of_tags : start_of_tags + 2 + 12 * page[start_of_tags]]
    size = len(tags) + 4
    pages = [tags + (len(page) + size * (k + 1)).to_bytes(4, "little") for k in range(count)]
    data = page[:4] + len(page).to_bytes(4, "little") + page[8:] + b"".join(pages)
    began = time.process_time()
    with pytest.raises(DataError, match="has several pages"):
        decode_field(data)
    assert time.process_time() - began < 1


# ---- memory ------------------------------------------------------------------------------------


def test_the_budget_is_never_exceeded() -> None:
    budget, lock, used, most = PixelBudget(10), Lock(), 0, 0

    def work(pixels: int) -> None:
        nonlocal used, most
        with budget.reserve(pixels):
            with lock:
                used += min(pixels, 10)
                most = max(most, used)
            time.sleep(0.001)
            with lock:
                used -= min(pixels, 10)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, [3, 5, 99, 1, 10, 2, 4, 0] * 20))
    assert 0 < most <= 10
    assert used == 0


def test_the_budget_is_freed_after_an_error() -> None:
    budget = PixelBudget(10)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), budget.reserve(10):
            raise ZeroDivisionError


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["16 bits", "float", "transparent", "WebP"])
def test_large_pictures_take_less_than_1500_mb_together(kind: str, tmp_path: Path) -> None:
    side = 5600
    image = {
        "16 bits": lambda: Image.new("I;16", (side, side)),
        "float": lambda: Image.new("F", (side, side)),
        "transparent": lambda: Image.new("RGBA", (side, side)),
        "WebP": lambda: Image.new("RGB", (side, side), "pink"),
    }[kind]()
    form = {"float": "TIFF", "WebP": "WEBP"}.get(kind, "PNG")
    options: dict[str, dict[str, object]] = {
        "TIFF": {"compression": "tiff_adobe_deflate"},
        "WEBP": {"lossless": True},
    }
    (tmp_path / "cells").mkdir()
    data = encoded(image, form, **options.get(form, {}))
    assert len(data) < 2**20
    for number in range(70):  # more than one batch, so that several threads have work
        (tmp_path / "cells" / f"{number}.png").write_bytes(data if number % 32 == 0 else b"")
    with start("predict", tmp_path / "cells", "--out", tmp_path / "out.csv") as process:
        most = 0
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status")
            peak = [line for line in status.read_text().splitlines() if "VmHWM" in line]
            most = max([most, *(int(line.split()[1]) for line in peak)])
            time.sleep(0.05)
    assert process.returncode == 0
    assert 400_000 < most < 1_500_000
