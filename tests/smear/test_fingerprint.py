"""The same picture twice in a slide is counted once; different fields never are the same."""

from __future__ import annotations

import csv
import io
import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemozoin.smear.execution import run
from hemozoin.smear.execution.run import ScreenConfig, screen_slides
from hemozoin.smear.field import Field, Flaw
from hemozoin.smear.fingerprint import fingerprint, with_repeats
from tests.conftest import SHARED, encoded
from tests.support.smears import make_fields


def variants(picture: Image.Image) -> dict[str, Image.Image]:
    half = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)
    files = {
        "PNG": encoded(picture, "PNG"),
        "JPEG 60": encoded(picture, "JPEG", quality=60),
        "half": encoded(half, "PNG"),
        "half, JPEG 60": encoded(half, "JPEG", quality=60),
    }
    return {name: Image.open(io.BytesIO(data)).convert("RGB") for name, data in files.items()}


def content(out: Path) -> dict[str, bytes]:
    files = (path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def same(*pictures: Image.Image) -> list[str | None]:
    return same_marks(*map(fingerprint, pictures))


def same_marks(*marks: str) -> list[str | None]:
    fields = [Field(str(k), fingerprint=mark) for k, mark in enumerate(marks)]
    return [field.same_as for field in with_repeats(fields)]


def test_a_picture_saved_again_or_shrunk_is_the_same(tmp_path: Path) -> None:
    folder = make_fields(tmp_path / "a", "0.png", "1.png")
    first, second = (Image.open(folder / name) for name in ("0.png", "1.png"))
    assert same(first, *variants(first).values()) == [None, "0", "0", "0", "0"]
    assert same(first, second, first) == [None, None, "0"]


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("site", ["iml", "world/bbbc041"])
def test_of_real_fields_only_copies_are_the_same(site: str) -> None:
    folder = SHARED / "fields" / site
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing")
    endings = {".jpg", ".png", ".webp"}
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in endings)
    pictures = [Image.open(path).convert("RGB") for path in files]
    assert len(pictures) >= 24
    marks = [fingerprint(picture) for picture in pictures]
    of_variants = [[*map(fingerprint, variants(picture).values())] for picture in pictures]
    assert same_marks(*marks) == [None] * len(marks)
    for one, other in permutations(range(len(marks)), 2):
        assert same_marks(marks[one], *of_variants[other])[1] is None
    for mark, copies in zip(marks, of_variants, strict=True):
        assert same_marks(mark, *copies) == [None, "0", "0", "0", "0"]


def test_pictures_without_structure_are_never_the_same() -> None:
    plain = Image.new("RGB", (300, 300), "white")
    assert fingerprint(plain) == ""
    assert same(plain, plain) == [None, None]


@pytest.mark.parametrize("damaged", ["?", "AAAA", "é", ""])
def test_a_damaged_fingerprint_is_none(damaged: str) -> None:
    fields = [Field("a", fingerprint=damaged), Field("b", fingerprint=damaged)]
    assert list(with_repeats(fields)) == fields


def test_the_first_usable_one_counts(tmp_path: Path) -> None:
    folder = make_fields(tmp_path / "a", "0.png")
    mark = fingerprint(Image.open(folder / "0.png"))
    flawed = Field("a", fingerprint=mark, flaws=(Flaw("too dark", "x", 1, 2),))
    fields = [flawed, Field("b", fingerprint=mark), Field("c", fingerprint=mark)]
    assert [field.same_as for field in with_repeats(fields)] == [None, None, "b"]


def test_of_many_fields_each_is_compared_with_all() -> None:
    rng = np.random.default_rng(0)
    pictures = [
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for _ in range(150)
    ]
    found = same(*pictures, *pictures)
    assert found == [None] * 150 + [str(k) for k in range(150)]


@pytest.mark.slow
def test_a_repeated_field_is_counted_once_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_fields(tmp_path / "left", "1.png", "2.png")
    copy = Image.open(folder / "1.png")
    copy.save(folder / "3.jpg", quality=90)
    config, threads, processes = ScreenConfig(diameter=50), tmp_path / "t", tmp_path / "p"
    (slide,) = screen_slides([folder], threads, config)
    assert (slide.fields, slide.fields_repeated, slide.fields_flawed) == (2, 1, 0)
    with (threads / "fields.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["same_as"] for row in rows] == ["", "", "1.png"]
    assert [row["usable"] for row in rows] == ["true", "true", "false"]
    assert json.loads((threads / "slide.json").read_text())["fields_repeated"] == 1
    assert "the same picture as 1.png" in (threads / "report.html").read_text()
    written = content(threads)
    screen_slides([folder], threads, config)  # all fields are loaded
    assert content(threads) == written
    monkeypatch.setattr(run, "_FEW", 0)
    screen_slides([folder], processes, config)
    assert content(processes) == written
