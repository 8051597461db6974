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
import pytest
from PIL import Image

from hemozoin.arrays import texts
from hemozoin.data.cells import Cells
from hemozoin.data.index import index_cells
from hemozoin.data.inspect.contact_sheet import PER_CLASS, choose_cells
from hemozoin.data.inspect.findings import (
    PatientCount,
    count_patients,
    find_advice,
    majority_accuracies,
    patient_facts,
    patients_with_half,
)
from hemozoin.data.inspect.inspection import Inspection, inspect
from hemozoin.data.inspect.page import render_inspection
from hemozoin.data.source import open_source
from hemozoin.errors import RunError
from hemozoin.reports.page import write_page
from tests.conftest import encoded, make_cells, make_zip, png
from tests.support.tables import cells_of, shuffled

RED = (200, 100, 50)


def picture(seed: int, width: int = 8, height: int = 8) -> Image.Image:
    noise = np.random.default_rng(seed).integers(20, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def bomb(width: int, height: int) -> bytes:
    """Return a tiny PNG whose header claims a large size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + crc


def inspected(path: Path, **files: bytes) -> Inspection:
    """Inspect a zip: two patients with a cell of each class, and `files` named P_... or U_..."""
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


def table(counts: dict[str | None, tuple[int, int]]) -> Cells:
    """Return cells; `counts` has the parasitized and the uninfected cells of each patient."""
    rows = [
        (f"{patient}_{label}_{k}", label, patient)
        for patient, both in counts.items()
        for label, count in zip(("parasitized", "uninfected"), both, strict=True)
        for k in range(count)
    ]
    return cells_of(rows)


class Page(HTMLParser):
    """The tags of a page, and the addresses that it would load."""

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
    inspection = inspect(source, index_cells(source))
    assert [(of.label, of.cells, of.patients) for of in inspection.classes] == [
        ("parasitized", 6, 3),
        ("uninfected", 7, 4),
    ]
    rows = {one.patient: one for one in inspection.patients}
    assert rows["C2"] == PatientCount("C2", cells=4, parasitized=2, uninfected=2, share=0.5)
    assert rows["C9"].share == 0
    assert "patients with one class only                1\n" in inspection.text()


def test_patients_that_predict_the_label() -> None:
    cells = table({"C1": (90, 10), "C2": (30, 70), "C3": (30, 20), "C4": (0, 50)})
    patients = count_patients(cells)
    assert [one.patient for one in patients] == ["C1", "C2", "C3", "C4"]
    assert majority_accuracies(patients) == (240 / 300, 150 / 300)
    assert patients_with_half(patients) == 1
    assert patient_facts(patients)["share parasitized per patient"] == "0% to 90%, median 45%"
    (advice,) = find_advice(cells, patients)
    assert "80.0%" in advice
    assert "50.0%" in advice
    assert "by patient" in advice


@pytest.mark.parametrize(
    ("held", "few"), [((5, 5), 1), ((4, 3, 3), 2), ((1, 1, 1), 2), ((1, 2, 3, 4), 2)]
)
def test_patients_with_half(held: tuple[int, ...], few: int) -> None:
    cells = table({f"C{k}": (count, 1) for k, count in enumerate(held)})
    assert patients_with_half(count_patients(cells)) == few


def test_no_advice_if_patients_do_not_predict_the_label() -> None:
    cells = table({"C1": (20, 20), "C2": (11, 10)})
    assert find_advice(cells, count_patients(cells)) == ()


def test_unknown_patients(tmp_path: Path) -> None:
    files = {f"{folder}/x.png": png(picture(1)) for folder in ("Parasitized", "Uninfected")}
    source = open_source(make_zip(tmp_path / "data.zip", files))
    inspection = inspect(source, index_cells(source))
    assert "--patients" in " ".join(inspection.advice)
    assert "with half of all" not in inspection.text()
    assert "<h2>Patients" not in render_inspection(inspection)


@pytest.mark.real
def test_nlm_patients_as_published(real_zip: Path) -> None:
    patients = count_patients(index_cells(open_source(real_zip)))
    facts = patient_facts(patients)
    assert (facts["patients"], facts["patients with one class only"]) == ("160", "40")
    assert patients_with_half(patients) == 14
    assert majority_accuracies(patients)[0] == pytest.approx(0.793, abs=0.001)


# ---- measures ----------------------------------------------------------------------------------


def test_colours_are_those_of_the_cell_without_background(tmp_path: Path) -> None:
    half = Image.new("RGB", (10, 20), (8, 8, 8))
    half.paste(RED, (0, 0, 5, 20))
    inspection = inspected(tmp_path, P_C3_half=png(half))
    cells = inspection.cells
    row = cells.file.tolist().index("Parasitized/C3_half")
    assert (cells.width[row], cells.height[row]) == (10, 20)
    assert (cells.red[row], cells.green[row], cells.blue[row]) == RED
    assert inspection.measures["height"]["parasitized"]["max"] == 20
    assert inspection.measures["height"]["uninfected"]["max"] == 8


def test_a_black_picture_has_no_colour(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, P_C3_black=png(Image.new("RGB", (9, 9))))
    assert "Black pictures: 1" in " ".join(inspection.alarms)
    assert inspection.measures["red"]["parasitized"]["min"] >= 20
    assert inspection.measures["width"]["parasitized"]["max"] == 9


def test_values_are_in_the_row_of_their_cell(tmp_path: Path) -> None:
    """Also with more cells than one batch, and with some that can't be read."""
    names = [f"Uninfected/C{k % 5}_{k:03}.png" for k in range(300)]
    files = {name: png(picture(k, width=k + 8)) for k, name in enumerate(names)}
    files |= {names[7]: b"broken", "Parasitized/C1_.png": png(picture(0, 400))}
    source = open_source(make_zip(tmp_path / "data.zip", files))
    cells = shuffled(index_cells(source), seed=1)
    inspection = inspect(source, cells)
    width = dict(zip(inspection.cells.file, inspection.cells.width.tolist(), strict=True))
    assert np.isnan(width.pop(names[7]))
    expected = {name: k + 8 for k, name in enumerate(names) if k != 7}
    assert width == expected | {"Parasitized/C1_.png": 400}
    assert inspection.cells.label.tolist() == cells.label.tolist()


# ---- bad files and duplicates ------------------------------------------------------------------


def test_unreadable_pictures_are_listed_and_skipped(tmp_path: Path) -> None:
    whole = png(picture(5, 64, 64))
    inspection = inspected(
        tmp_path, U_C3_bomb=bomb(60_000, 60_000), P_C3_cut=whole[: len(whole) // 2]
    )
    assert len(inspection.cells) == 6
    assert [line.split(":")[0] for line in inspection.unreadable] == [
        "Parasitized/C3_cut",
        "Uninfected/C3_bomb",
    ]
    assert "2 unreadable pictures" in inspection.text()
    assert np.isnan(inspection.cells.width).sum() == 2


def test_no_readable_picture(tmp_path: Path) -> None:
    source = open_source(
        make_zip(tmp_path / "data.zip", {"Parasitized/a": b"", "Uninfected/b": b""})
    )
    inspection = inspect(source, index_cells(source))
    assert len(inspection.unreadable) == 2
    assert "2 unreadable" in inspection.text()
    assert inspection.measures["red"] == {}
    assert "<svg" in render_inspection(inspection)


def test_a_picture_in_both_classes_is_an_alarm(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, U_C1_copy=png(picture(1)), U_C1_again=png(picture(3)))
    first, second = inspection.duplicates
    assert first.files == ("Parasitized/C1_a.png", "Uninfected/C1_copy")
    assert first.across_classes
    assert not first.across_patients
    assert second.files == ("Uninfected/C1_again", "Uninfected/C1_b.png")
    assert not second.across_classes
    (alarm,) = inspection.alarms
    assert "BOTH CLASSES: 1." in alarm
    assert "= Uninfected/C1_copy (BOTH CLASSES)" in inspection.text()
    assert "!! " in inspection.text()
    assert '<li class="alarm">' in render_inspection(inspection)


def test_a_picture_of_two_patients_is_an_alarm(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, P_C7_copy=png(picture(1)))
    (one,) = inspection.duplicates
    assert one.patients == ("C1", "C7")
    assert not one.across_classes
    assert "of several PATIENTS: 1." in " ".join(inspection.alarms)


def test_the_same_pixels_in_another_format_are_the_same_picture(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, P_C1_copy=encoded(picture(1), "BMP"))
    assert [one.files for one in inspection.duplicates] == [
        ("Parasitized/C1_a.png", "Parasitized/C1_copy")
    ]


def test_similar_pictures_are_not_duplicates(tmp_path: Path) -> None:
    flat = Image.new("RGB", (4, 9), RED)
    inspection = inspected(
        tmp_path, P_C1_tall=png(flat), P_C1_wide=png(flat.rotate(90, expand=True))
    )
    assert inspection.duplicates == ()
    assert inspection.alarms == ()


# ---- the contact sheet -------------------------------------------------------------------------


def test_the_sheet_shows_every_patient_before_any_twice() -> None:
    cells = table({"C1": (500, 3), "C2": (30, 3), "C3": (2, 3), None: (30, 0)})
    rows = choose_cells(cells)
    chosen = cells.select(np.array(rows))
    assert len(set(rows)) == len(rows) == PER_CLASS + 9
    infected = Counter(chosen.patient[chosen.label == "parasitized"])
    assert sorted(infected.values()) == [2, 12, 13, 13]
    assert choose_cells(cells) == rows
    assert choose_cells(cells, seed=1) != rows
    assert rows != list(range(len(rows)))


def test_the_tiles_of_the_sheet_match_their_cells(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, U_C3_wide=png(Image.new("RGB", (300, 150), RED)))
    tiles = {tile.file: tile for tile in inspection.sheet}
    assert len(tiles) == 5
    tile = tiles["Uninfected/C3_wide"]
    assert (tile.label, tile.patient) == ("uninfected", "C3")
    with Image.open(io.BytesIO(tile.jpeg)) as image:
        assert image.size == (128, 64)
        shown = np.asarray(image).mean(axis=(0, 1))
    assert np.abs(shown - RED).max() < 4


# ---- the output --------------------------------------------------------------------------------


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    html = render_inspection(inspected(tmp_path))
    page = Page(html)
    assert page.tags["img"] == 4
    assert page.tags["svg"] == 6
    assert all(load.startswith(("data:image/jpeg;base64,", "#")) for load in page.loads)
    assert not {"script", "link", "iframe", "object", "base"} & set(page.tags)
    assert "@import" not in html
    assert html.count("url(") == html.count("url(#")


def test_the_page_follows_light_and_dark(tmp_path: Path) -> None:
    html = render_inspection(inspected(tmp_path))
    figure = html[html.index('aria-label="Distribution') :]
    assert "fill: var(--parasitized)" in figure
    assert "fill: var(--uninfected)" in figure
    assert "var(--line)" in figure
    assert "var(--muted)" in figure
    assert "#00000" not in figure


@pytest.mark.slow
def test_same_cells_same_page(tmp_path: Path) -> None:
    assert render_inspection(inspected(tmp_path)) == render_inspection(inspected(tmp_path))


def test_names_are_escaped(tmp_path: Path) -> None:
    name = 'C3_"><img src=x onerror=alert(1)>\x1b[31m\n'
    inspection = inspected(tmp_path, **{f"P_{name}": b"no picture", f"U_{name}": png(picture(1))})
    names = texts(["<script>alert(1)</script>"] * len(inspection.cells))
    renamed = replace(inspection.cells, patient=names)
    html = render_inspection(
        replace(inspection, source="<u>.zip", patients=count_patients(renamed))
    )
    page = Page(html)
    assert page.tags["img"] == 5
    assert not {"script", "u"} & set(page.tags)
    assert "onerror" not in page.attributes
    assert "onerror=alert(1)&gt;" in html
    assert "\x1b" not in inspection.text() + html
    assert len(inspection.unreadable[0].splitlines()) == 1


def test_json_has_everything(tmp_path: Path) -> None:
    found = inspected(tmp_path, U_C1_copy=png(picture(1)), U_C1_bad=b"").to_dict()
    found = json.loads(json.dumps(found))
    assert found["cells"] == 6
    assert found["classes"][1] == {"label": "uninfected", "cells": 4, "patients": 2}
    assert found["patients"][0]["patient"] == "C1"
    assert found["duplicates"][0]["labels"] == ["parasitized", "uninfected"]
    assert len(found["unreadable"]) == 1
    assert found["measures"]["width"]["parasitized"]["median"] == 8


@pytest.mark.slow
def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    inspection = inspected(tmp_path)
    write_page(render_inspection(inspection), tmp_path / "new" / "page.html")
    assert (tmp_path / "new" / "page.html").read_text(encoding="utf-8") == render_inspection(
        inspection
    )
    with pytest.raises(RunError, match="can't be written"):
        write_page(render_inspection(inspection), tmp_path / "data.zip" / "page.html")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data.zip", "new"]


def test_a_full_disk_leaves_the_old_page(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    inspection, page = inspected(tmp_path), tmp_path / "page.html"
    page.write_text("the old page")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limit[1]))
    try:
        with pytest.raises(RunError, match="can't be written"):
            write_page(render_inspection(inspection), page)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert page.read_text() == "the old page"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data.zip", "page.html"]


def test_text_fits_a_terminal(tmp_path: Path) -> None:
    lines = inspected(tmp_path, U_C1_copy=png(picture(1))).text().splitlines()
    assert max(map(len, lines)) <= 80
