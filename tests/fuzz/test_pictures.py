"""Pictures that were damaged or made to do harm: a picture, or one line about the error, soon."""

from __future__ import annotations

import csv
import io
import random
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hemozoin.data.decoding.formats import FORMATS
from hemozoin.data.picture import decode_cell
from hemozoin.errors import DataError
from hemozoin.smear.picture import decode_field
from tests.conftest import draw_cell, encoded
from tests.support.commands import hemozoin
from tests.support.smears import make_fields

#: Damaged files of each seed.
TIMES = 20

#: Seconds that one file may take.
LONGEST = 5

Damage = Callable[[bytearray, random.Random], bytearray]


def flipped(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice([1, 2, 10, 100])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def flipped_head(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice([1, 2, 5])):
        data[rng.randrange(min(200, len(data)))] = rng.randrange(256)
    return data


def flipped_tail(data: bytearray, rng: random.Random) -> bytearray:
    """Change the last bytes: a TIFF's directory is there."""
    for _ in range(rng.choice([1, 2, 5])):
        data[-1 - rng.randrange(min(300, len(data)))] = rng.randrange(256)
    return data


def truncated(data: bytearray, rng: random.Random) -> bytearray:
    start, stop = sorted(rng.randrange(len(data)) for _ in range(2))
    return data[:start] if rng.random() < 0.5 else data[:start] + data[stop:]


def repeated(data: bytearray, rng: random.Random) -> bytearray:
    start, stop = sorted(rng.randrange(len(data)) for _ in range(2))
    return data[:stop] + data[start:stop] * rng.choice([1, 10, 1000]) + data[stop:]


def other_numbers(data: bytearray, rng: random.Random) -> bytearray:
    """Replace what may be a length, a size or an offset by a number that is hard to handle."""
    number = rng.choice([0, 1, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, len(data), 20_000])
    form = rng.choice(["<I", ">I", "<H", ">H"])
    at = rng.randrange(min(400, len(data) - 4))
    struct.pack_into(form, data, at, number & (0xFFFF if form[1] == "H" else 0xFFFFFFFF))
    return data


DAMAGES: list[Damage] = [
    *(flipped, flipped_head, flipped_tail, truncated, repeated, other_numbers),
]


def seeds(picture: Image.Image) -> dict[str, bytes]:
    """Return a picture in every format, in some of them in several ways."""
    found = {form: encoded(picture, form) for form in FORMATS}
    found |= {
        f"TIFF {compression}": encoded(picture, "TIFF", compression=compression)
        for compression in ("tiff_lzw", "jpeg", "tiff_adobe_deflate", "packbits", "lzma", "zstd")
    }
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a cell"
    return found | {
        "JPEG progressive": encoded(picture, "JPEG", progressive=True, exif=exif),
        "MPO": encoded(picture, "MPO", save_all=True, append_images=[picture]),
        "PNG palette": encoded(picture.convert("P"), "PNG", transparency=3, exif=exif),
        "PNG 16 bits": encoded(Image.fromarray(np.full((40, 40), 3000, np.uint16)), "PNG"),
        "PNG animation": encoded(picture, "PNG", save_all=True, append_images=[picture]),
        "TIFF 1 bit": encoded(picture.convert("1"), "TIFF", compression="group4"),
        "TIFF float": encoded(picture.convert("F"), "TIFF"),
        "TIFF pages": encoded(picture, "TIFF", save_all=True, append_images=[picture]),
        "WEBP lossless": encoded(picture.convert("RGBA"), "WEBP", lossless=True, exif=exif),
        "GIF animation": encoded(picture, "GIF", save_all=True, append_images=[picture]),
        "BMP RLE": run_length_encoded(),
        "PPM plain": b"P3 9 9 255 " + b"200 100 150 " * 81,
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\n{ } loop",
    }


def run_length_encoded() -> bytes:
    body = (b"\x28\x05\0\0" * 40) + b"\0\1"
    sizes = struct.pack("<IiiHHIIiiII", 40, 40, 40, 1, 8, 1, len(body), 0, 0, 256, 0)
    header = b"BM" + struct.pack("<IHHI", 1078 + len(body), 0, 0, 1078)
    return header + sizes + bytes(range(256)) * 4 + body


def damaged(whole: bytes, rng: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(rng.choice([1, 1, 1, 3])):
        if len(data) > 8:
            data = rng.choice(DAMAGES)(data, rng)
    return bytes(data)


@pytest.fixture(autouse=True)
def no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*command: object, **options: object) -> Any:
        raise AssertionError(f"started {command}")

    monkeypatch.setattr(subprocess, "Popen", started)


CELL = draw_cell(np.random.default_rng(0), infected=True)
SEEDS = seeds(CELL)


@pytest.mark.slow
@pytest.mark.parametrize("decode", [decode_cell, decode_field])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_damaged_picture_gives_a_picture_or_a_data_error(
    seed: str,
    decode: Callable[[bytes, str], Image.Image],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hemozoin.smear.picture.SMALLEST_SIDE", 8)
    rng = random.Random(seed)
    for number in range(TIMES):
        data, began = damaged(SEEDS[seed], rng), time.process_time()
        try:
            assert decode(data, "1.png").mode == "RGB"
        except DataError as error:
            assert str(error).startswith("1.png: "), number
            assert str(error).isprintable(), number
            assert len(str(error)) < 310, number
        assert time.process_time() - began < LONGEST, number
    assert capfd.readouterr() == ("", "")


def write_damaged(wholes: dict[str, bytes], folder: Path, times: int) -> int:
    """Write damaged pictures and return their number."""
    folder.mkdir(exist_ok=True)
    for seed, whole in wholes.items():
        rng = random.Random(seed)
        for number in range(times):
            (folder / f"{seed} {number}.png").write_bytes(damaged(whole, rng))
    return times * len(wholes)


@pytest.mark.slow
def test_damaged_pictures_are_rows_of_predict(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    count = write_damaged(SEEDS, tmp_path / "cells", 12)
    outcome = hemozoin("predict", tmp_path / "cells")
    assert outcome.code == 0
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    assert len(rows) == count
    assert all(bool(row["error"]) != bool(row["decision"]) for row in rows)
    assert not any("internal error" in row["error"] for row in rows)
    assert outcome.err.count("\n") <= 1, outcome.err
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_damaged_pictures_are_rows_of_screen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hemozoin.smear.execution.run._FEW", 10**6)  # all in this process
    folder = make_fields(tmp_path / "left", "0.png")
    picture = Image.open(folder / "0.png")
    count = write_damaged(seeds(picture), folder, 2)
    outcome = hemozoin("screen", folder, "--out", tmp_path / "out")
    assert outcome.code == 0
    with (tmp_path / "out" / "fields.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count + 1
    assert not any("internal error" in row["error"] for row in rows)
    assert all(line.startswith("Screening: ") for line in outcome.err.splitlines()), outcome.err
    assert capfd.readouterr() == ("", "")
