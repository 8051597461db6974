"""A scan is read in tiles, completely and in any order, and the tiles are screened as fields."""

from __future__ import annotations

import csv
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hemozoin.data.source import Entry
from hemozoin.errors import DataError
from hemozoin.smear import scan
from hemozoin.smear.execution.run import screen_slides
from hemozoin.smear.scan import Scan, open_scan
from hemozoin.smear.slides import find_slides
from tests.support.smears import make_fields

WIDTH, HEIGHT = 700, 530


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open pictures as scans that are small enough for tests."""
    monkeypatch.setattr(scan, "_LARGEST_FIELD", 320 * 240)
    monkeypatch.setattr(scan, "_SMALLEST_FILE", 100)
    monkeypatch.setattr(scan, "_TILE", (320, 240))


@pytest.fixture
def pixels() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def saved(picture: Image.Image, path: Path) -> Scan:
    picture.save(path)
    found = open_scan(path, Entry(path.name, path.stat().st_size, 7))
    assert found is not None
    return found


def position(name: str) -> tuple[int, int]:
    y, x = name.rsplit("@y", 1)[1].split("x")
    return int(y), int(x)


def stitched(found: Scan, names: list[str]) -> npt.NDArray[np.uint8]:
    """Return the picture made of tiles, each at the position in its name."""
    sheet = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    seen = np.zeros((HEIGHT, WIDTH), int)
    for name in names:
        (y, x), piece = position(name), found.read(name)
        sheet[y : y + piece.shape[0], x : x + piece.shape[1]] = piece
        seen[y : y + piece.shape[0], x : x + piece.shape[1]] += 1
    assert (seen == 1).all()
    return sheet


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_tiles_cover_the_picture_without_overlap(
    tmp_path: Path, pixels: npt.NDArray[np.uint8], ending: str
) -> None:
    found = saved(Image.fromarray(pixels), tmp_path / f"scan.{ending}")
    names = [entry.name for entry in found.walk()]
    assert len(names) == 9
    assert names == sorted(names)
    assert {(entry.size, entry.stamp) for entry in found.walk()} == {
        ((tmp_path / f"scan.{ending}").stat().st_size, 7)
    }
    assert (stitched(found, names) == pixels).all()
    assert (stitched(found, names[::-1]) == pixels).all()


def test_threads_can_share_a_scan(tmp_path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    found = saved(Image.fromarray(pixels), tmp_path / "scan.png")
    names = [entry.name for entry in found.walk()] * 4
    with ThreadPoolExecutor(4) as pool:
        pieces = list(pool.map(found.read, names))
    for name, piece in zip(names, pieces, strict=True):
        y, x = position(name)
        assert (piece == pixels[y : y + piece.shape[0], x : x + piece.shape[1]]).all()


def test_few_rows_are_in_memory(tmp_path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    found = saved(Image.fromarray(np.concatenate([pixels] * 6)), tmp_path / "scan.png")
    most = 0
    for entry in found.walk():
        found.read(entry.name)
        most = max(most, sum(row.nbytes for row in found._held.values()))
    assert most <= 2 * 240 * WIDTH * 3


def test_16_bit_grey_and_transparency_become_rgb(
    tmp_path: Path, pixels: npt.NDArray[np.uint8]
) -> None:
    grey = pixels[..., 0].astype(np.uint16) * 257
    scan_of_grey = saved(Image.fromarray(grey), tmp_path / "grey.tif")
    names = [entry.name for entry in scan_of_grey.walk()]
    assert (stitched(scan_of_grey, names) == pixels[..., :1]).all()
    alpha = np.where(pixels[..., :1] > 99, 255, 0).astype(np.uint8)
    clear = saved(Image.fromarray(np.concatenate([pixels, alpha], axis=2)), tmp_path / "a.png")
    names = [entry.name for entry in clear.walk()]
    assert (stitched(clear, names) == np.where(alpha > 0, pixels, 0)).all()


def test_a_tile_of_a_truncated_scan_is_refused(
    tmp_path: Path, pixels: npt.NDArray[np.uint8]
) -> None:
    whole = saved(Image.fromarray(pixels), tmp_path / "scan.png")
    data = (tmp_path / "scan.png").read_bytes()
    (tmp_path / "scan.png").write_bytes(data[: len(data) // 2])
    first, *_, last = [entry.name for entry in whole.walk()]
    assert (whole.read(first) == pixels[: whole.read(first).shape[0], :233]).all()
    with pytest.raises(DataError, match=r"scan\.png@.*damaged") as refused:
        whole.read(last)
    assert "\n" not in str(refused.value)


def test_small_pictures_and_unreadable_files_are_not_scans(
    tmp_path: Path, pixels: npt.NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "field.png"
    Image.fromarray(pixels[:240, :320]).save(path)
    assert open_scan(path, Entry("field.png", 10**9, 0)) is None
    path.write_bytes(b"no picture" * 100)
    assert open_scan(path, Entry("field.png", 1000, 0)) is None
    Image.fromarray(pixels).save(path)
    assert open_scan(path, Entry("field.png", 10**9, 0)) is not None
    monkeypatch.setitem(sys.modules, "pyvips", None)
    assert open_scan(path, Entry("field.png", 10**9, 0)) is None


@pytest.mark.slow
def test_a_slide_has_the_tiles_of_its_scan_in_reading_order(
    tmp_path: Path, pixels: npt.NDArray[np.uint8]
) -> None:
    folder = make_fields(tmp_path / "slide", "a.png", "z.png")
    Image.fromarray(pixels).save(folder / "scan.png")
    (slide,), _ = find_slides([folder])
    names = [photo.field for photo in slide.photos]
    assert (names[0], names[-1]) == ("a.png", "z.png")
    assert names[1:-1] == [
        e.name for e in saved(Image.fromarray(pixels), folder / "scan.png").walk()
    ]
    (alone,), _ = find_slides([folder / "scan.png"])
    assert [photo.field for photo in alone.photos] == names[1:-1]


@pytest.mark.slow
def test_a_scan_gives_the_same_counts_as_its_tiles_as_pictures(tmp_path: Path) -> None:
    make_fields(tmp_path / "fields", "1.png", "2.png", "3.png", "4.png")
    fields = [np.asarray(Image.open(tmp_path / "fields" / f"{n}.png")) for n in (1, 2, 3, 4)]
    sheet = np.concatenate([np.concatenate(fields[:2], 1), np.concatenate(fields[2:], 1)])
    Image.fromarray(sheet).save(tmp_path / "scan.png")
    (one,) = screen_slides([tmp_path / "scan.png"], tmp_path / "scanned")
    (other,) = screen_slides([tmp_path / "fields"], tmp_path / "pictures")
    assert one.fields + one.fields_flawed == 4
    assert (one.red_cells, one.infected, one.flaws) == (
        *(other.red_cells, other.infected, other.flaws),
    )
    with (tmp_path / "scanned" / "fields.csv").open() as file:
        assert [row["field"] for row in csv.DictReader(file)] == [
            *("scan.png@y000x000", "scan.png@y000x320"),
            *("scan.png@y240x000", "scan.png@y240x320"),
        ]
