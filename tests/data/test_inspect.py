from __future__ import annotations

import io
import json
import struct
import zlib
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from hemozoin.data.index import index_cells
from hemozoin.data.inspect.contact_sheet import PER_CLASS, choose_cells
from hemozoin.data.inspect.findings import (
    count_patients,
    find_advice,
    holders_of_half,
    patient_alone,
    patient_facts,
)
from hemozoin.data.inspect.inspection import Inspection, inspect
from hemozoin.data.inspect.page import render_inspection
from hemozoin.data.source import open_source
from hemozoin.errors import RunError
from hemozoin.reports.page import write_page
from tests.conftest import encoded, make_cells, make_zip, png

RED = (200, 100, 50)


def picture(seed: int, width: int = 8, height: int = 8) -> Image.Image:
    noise = np.random.default_rng(seed).integers(20, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def bomb(width: int, height: int) -> bytes:
    """A tiny PNG that claims to be large."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + crc


def look(path: Path, **files: bytes) -> Inspection:
    """Inspect a zip of two patients with a cell of each class, and `P_name` or `U_name` files."""
    cells = {
        "Parasitized/C1_a.png": png(picture(1)),
        "Parasitized/C2_a.png": png(picture(2)),
        "Uninfected/C1_b.png": png(picture(3)),
        "Uninfected/C2_b.png": png(picture(4)),
    }
    folders = {"P": "Parasitized", "U": "Uninfected"}
    more = {f"{folders[name[0]]}/{name[2:]}": data for name, data in files.items()}
    source = open_source(make_zip(path / "data.zip", cells | more))
    return inspect(source, index_cells(source))


def table(counts: dict[str | None, tuple[int, int]]) -> pl.DataFrame:
    """Cells of patients with so many parasitized and uninfected ones."""
    rows = [
        (f"{patient}_{label}_{k}", label, patient)
        for patient, both in counts.items()
        for label, count in zip(("parasitized", "uninfected"), both, strict=True)
        for k in range(count)
    ]
    return pl.DataFrame(rows, ["file", "label", "patient"], orient="row")


class Page(HTMLParser):
    """The tags of a page, and everything it would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.loads: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        links = ("src", "href", "xlink:href", "srcset", "action")
        self.loads += [value or "" for name, value in attrs if name in links]


# ---- counts ------------------------------------------------------------------------------------


def test_counts_by_class_and_patient(tmp_path: Path) -> None:
    source = open_source(make_cells(tmp_path / "cells.zip", patients=3, per_class=2))
    files = {entry.name: source.read(entry.name) for entry in source.entries()}
    files["Uninfected/C9_x.png"] = png(picture(0))
    source = open_source(make_zip(tmp_path / "more.zip", files))
    seen = inspect(source, index_cells(source))
    assert [(of.label, of.cells, of.patients) for of in seen.classes] == [
        ("parasitized", 6, 3),
        ("uninfected", 7, 4),
    ]
    rows = {row["patient"]: row for row in seen.patients.to_dicts()}
    assert rows["C2"] == {
        "patient": "C2",
        "cells": 4,
        "parasitized": 2,
        "uninfected": 2,
        "share": 0.5,
    }
    assert rows["C9"]["share"] == 0
    assert "with one class only                         1\n" in seen.text()


def test_what_the_patients_give_away() -> None:
    cells = table({"C1": (90, 10), "C2": (30, 70), "C3": (30, 20), "C4": (0, 50)})
    patients = count_patients(cells)
    assert patients["patient"].to_list() == ["C1", "C2", "C3", "C4"]
    assert patient_alone(patients) == (240 / 300, 150 / 300)
    assert holders_of_half(patients) == 1
    assert patient_facts(patients)["parasitized of each"] == "0% to 90%, median 45%"
    (advice,) = find_advice(cells, patients)
    assert "80.0%" in advice
    assert "50.0%" in advice
    assert "by patient" in advice


@pytest.mark.parametrize(
    ("held", "few"), [((5, 5), 1), ((4, 3, 3), 2), ((1, 1, 1), 2), ((1, 2, 3, 4), 2)]
)
def test_holders_of_half(held: tuple[int, ...], few: int) -> None:
    cells = table({f"C{k}": (count, 1) for k, count in enumerate(held)})
    assert holders_of_half(count_patients(cells)) == few


def test_patients_that_give_nothing_away_bring_no_advice() -> None:
    cells = table({"C1": (20, 20), "C2": (11, 10)})
    assert find_advice(cells, count_patients(cells)) == ()


def test_unknown_patients(tmp_path: Path) -> None:
    files = {f"{folder}/x.png": png(picture(1)) for folder in ("Parasitized", "Uninfected")}
    source = open_source(make_zip(tmp_path / "data.zip", files))
    seen = inspect(source, index_cells(source))
    assert "--patients" in " ".join(seen.advice)
    assert "holding half" not in seen.text()
    assert "<h2>Patients" not in render_inspection(seen)


@pytest.mark.real
def test_nlms_patients_as_published(real_zip: Path) -> None:
    patients = count_patients(index_cells(open_source(real_zip)))
    facts = patient_facts(patients)
    assert (facts["patients"], facts["with one class only"]) == ("160", "40")
    assert holders_of_half(patients) == 14
    assert patient_alone(patients)[0] == pytest.approx(0.793, abs=0.001)


# ---- measures ----------------------------------------------------------------------------------


def test_colour_is_the_cells_own(tmp_path: Path) -> None:
    half = Image.new("RGB", (10, 20), (8, 8, 8))
    half.paste(RED, (0, 0, 5, 20))
    seen = look(tmp_path, P_C3_half=png(half))
    row = seen.cells.filter(pl.col("file").str.ends_with("half")).row(0, named=True)
    assert (row["width"], row["height"]) == (10, 20)
    assert (row["red"], row["green"], row["blue"]) == RED
    assert seen.measures["height"]["parasitized"]["max"] == 20
    assert seen.measures["height"]["uninfected"]["max"] == 8


def test_a_black_picture_has_no_colour(tmp_path: Path) -> None:
    seen = look(tmp_path, P_C3_black=png(Image.new("RGB", (9, 9))))
    assert "wholly black: 1" in " ".join(seen.alarms)
    assert seen.measures["red"]["parasitized"]["min"] >= 20
    assert seen.measures["width"]["parasitized"]["max"] == 9


def test_every_value_stands_with_its_cell(tmp_path: Path) -> None:
    """More cells than one batch, and some that can't be read, keep their rows."""
    names = [f"Uninfected/C{k % 5}_{k:03}.png" for k in range(300)]
    files = {name: png(picture(k, width=k + 8)) for k, name in enumerate(names)}
    files |= {names[7]: b"broken", "Parasitized/C1_.png": png(picture(0, 400))}
    source = open_source(make_zip(tmp_path / "data.zip", files))
    cells = index_cells(source).sample(fraction=1, shuffle=True, seed=1)
    seen = inspect(source, cells)
    width = dict(zip(seen.cells["file"], seen.cells["width"], strict=True))
    expected = {name: k + 8 for k, name in enumerate(names)}
    assert width == expected | {names[7]: None, "Parasitized/C1_.png": 400}
    assert seen.cells["label"].to_list() == cells["label"].to_list()


# ---- bad files and duplicates ------------------------------------------------------------------


def test_unreadable_pictures_are_listed_and_passed_over(tmp_path: Path) -> None:
    whole = png(picture(5, 64, 64))
    seen = look(tmp_path, U_C3_bomb=bomb(60_000, 60_000), P_C3_cut=whole[: len(whole) // 2])
    assert len(seen.cells) == 6
    assert [line.split(":")[0] for line in seen.unreadable] == [
        "Parasitized/C3_cut",
        "Uninfected/C3_bomb",
    ]
    assert "2 unreadable pictures" in seen.text()
    assert seen.cells["width"].null_count() == 2


def test_nothing_readable_is_still_told(tmp_path: Path) -> None:
    source = open_source(
        make_zip(tmp_path / "data.zip", {"Parasitized/a": b"", "Uninfected/b": b""})
    )
    seen = inspect(source, index_cells(source))
    assert len(seen.unreadable) == 2
    assert "2 unreadable" in seen.text()
    assert seen.measures["red"] == {}
    assert "<svg" in render_inspection(seen)


def test_a_picture_in_both_classes_is_an_alarm(tmp_path: Path) -> None:
    seen = look(tmp_path, U_C1_copy=png(picture(1)), U_C1_again=png(picture(3)))
    first, second = seen.duplicates
    assert first.files == ("Parasitized/C1_a.png", "Uninfected/C1_copy")
    assert first.across_classes
    assert not first.across_patients
    assert second.files == ("Uninfected/C1_again", "Uninfected/C1_b.png")
    assert not second.across_classes
    (alarm,) = seen.alarms
    assert "BOTH CLASSES: 1." in alarm
    assert "= Uninfected/C1_copy (BOTH CLASSES)" in seen.text()
    assert "!! " in seen.text()
    assert '<li class="alarm">' in render_inspection(seen)


def test_a_picture_of_two_patients_is_an_alarm(tmp_path: Path) -> None:
    seen = look(tmp_path, P_C7_copy=png(picture(1)))
    (one,) = seen.duplicates
    assert one.patients == ("C1", "C7")
    assert not one.across_classes
    assert "several PATIENTS: 1." in " ".join(seen.alarms)


def test_the_same_pixels_in_another_format_are_the_same_picture(tmp_path: Path) -> None:
    seen = look(tmp_path, P_C1_copy=encoded(picture(1), "BMP"))
    assert [one.files for one in seen.duplicates] == [
        ("Parasitized/C1_a.png", "Parasitized/C1_copy")
    ]


def test_like_is_not_same(tmp_path: Path) -> None:
    flat = Image.new("RGB", (4, 9), RED)
    seen = look(tmp_path, P_C1_tall=png(flat), P_C1_wide=png(flat.rotate(90, expand=True)))
    assert seen.duplicates == ()
    assert seen.alarms == ()


# ---- the contact sheet -------------------------------------------------------------------------


def test_the_sheet_shows_every_patient_before_any_twice() -> None:
    cells = table({"C1": (500, 3), "C2": (30, 3), "C3": (2, 3), None: (30, 0)})
    rows = choose_cells(cells)
    chosen = cells[rows]
    assert len(set(rows)) == len(rows) == PER_CLASS + 9
    infected = chosen.filter(pl.col("label") == "parasitized")["patient"].value_counts()
    assert sorted(infected["count"]) == [2, 12, 13, 13]
    assert choose_cells(cells) == rows
    assert choose_cells(cells, seed=1) != rows
    assert rows != list(range(len(rows)))


def test_the_sheet_carries_the_right_cells(tmp_path: Path) -> None:
    seen = look(tmp_path, U_C3_wide=png(Image.new("RGB", (300, 150), RED)))
    tiles = {tile.file: tile for tile in seen.sheet}
    assert len(tiles) == 5
    tile = tiles["Uninfected/C3_wide"]
    assert (tile.label, tile.patient) == ("uninfected", "C3")
    with Image.open(io.BytesIO(tile.jpeg)) as image:
        assert image.size == (128, 64)
        shown = np.asarray(image).mean(axis=(0, 1))
    assert np.abs(shown - RED).max() < 4


# ---- what comes out ----------------------------------------------------------------------------


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    html = render_inspection(look(tmp_path))
    page = Page(html)
    assert page.tags["img"] == 4
    assert page.tags["svg"] == 6
    assert all(load.startswith(("data:image/jpeg;base64,", "#")) for load in page.loads)
    assert not {"script", "link", "iframe", "object", "base"} & set(page.tags)
    assert "@import" not in html
    assert html.count("url(") == html.count("url(#")


def test_the_page_follows_light_and_dark(tmp_path: Path) -> None:
    html = render_inspection(look(tmp_path))
    figure = html[html.index("<svg role") :]
    assert "fill: var(--parasitized)" in figure
    assert "currentColor" in figure
    assert "#00000" not in figure


def test_same_cells_same_page(tmp_path: Path) -> None:
    assert render_inspection(look(tmp_path)) == render_inspection(look(tmp_path))


def test_hostile_names_do_nothing(tmp_path: Path) -> None:
    name = 'C3_"><img src=x onerror=alert(1)>\x1b[31m\n'
    seen = look(tmp_path, **{f"P_{name}": b"no picture", f"U_{name}": png(picture(1))})
    renamed = seen.cells.with_columns(patient=pl.lit("<script>alert(1)</script>"))
    html = render_inspection(replace(seen, source="<u>.zip", patients=count_patients(renamed)))
    page = Page(html)
    assert page.tags["img"] == 5
    assert not {"script", "u"} & set(page.tags)
    assert "onerror" not in page.attributes
    assert "onerror=alert(1)&gt;" in html
    assert "\x1b" not in seen.text() + html
    assert len(seen.unreadable[0].splitlines()) == 1


def test_json_tells_it_all(tmp_path: Path) -> None:
    told = look(tmp_path, U_C1_copy=png(picture(1)), U_C1_bad=b"").to_dict()
    told = json.loads(json.dumps(told))
    assert told["cells"] == 6
    assert told["classes"][1] == {"label": "uninfected", "cells": 4, "patients": 2}
    assert told["patients"][0]["patient"] == "C1"
    assert told["duplicates"][0]["labels"] == ["parasitized", "uninfected"]
    assert len(told["unreadable"]) == 1
    assert told["measures"]["width"]["parasitized"]["median"] == 8


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    seen = look(tmp_path)
    write_page(render_inspection(seen), tmp_path / "new" / "page.html")
    assert (tmp_path / "new" / "page.html").read_text(encoding="utf-8") == render_inspection(seen)
    with pytest.raises(RunError, match="can't be written"):
        write_page(render_inspection(seen), tmp_path / "data.zip" / "page.html")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data.zip", "new"]


def test_a_full_disk_leaves_the_old_page(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    seen, page = look(tmp_path), tmp_path / "page.html"
    page.write_text("the old page")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limit[1]))
    try:
        with pytest.raises(RunError, match="can't be written"):
            write_page(render_inspection(seen), page)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert page.read_text() == "the old page"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data.zip", "page.html"]


def test_text_fits_a_terminal(tmp_path: Path) -> None:
    lines = look(tmp_path, U_C1_copy=png(picture(1))).text().splitlines()
    assert max(map(len, lines)) <= 80
