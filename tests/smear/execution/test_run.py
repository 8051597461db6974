"""Slides screened from files to files: streamed, stopped, resumed, and refused."""

from __future__ import annotations

import csv
import itertools
import json
import os
import shutil
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from hemozoin.data.source import FolderSource
from hemozoin.errors import DataError, RunError
from hemozoin.json_files import parse_json
from hemozoin.model.predictor import Predictor
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.reviewed_count import SlideReviews
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.execution import run, work
from hemozoin.smear.execution.run import ScreenConfig, screen_slides
from hemozoin.smear.field import Cell, Field, SmearObject
from hemozoin.smear.output import folder, report, results
from hemozoin.smear.screen import screen
from hemozoin.smear.slides import MARK
from tests.conftest import encoded
from tests.support.commands import FullDisk, leftover_of, tree
from tests.support.smears import make_fields, make_plain, put

PER_SLIDE = {
    *(".fields", "cells.csv", "clumps.csv", "fields.csv", "overlays"),
    *("print.html", "report.html", "slide.json"),
}


class Quick:
    """A screener that finds two cells in each picture; the p of one depends on the grey level."""

    seen: list[str]

    def __init__(self, predictor: Predictor, diameter: float | None = None) -> None:
        self._diameter = diameter or 40.0

    def __call__(self, picture: Image.Image, name: str) -> Field:
        self.seen.append(name)
        level = picture.getpixel((0, 0))
        assert isinstance(level, tuple)
        outline = ((9, 9), (49, 9), (49, 49), (9, 49))
        cells = (
            Cell("red cell", 9, 9, 40, 40, outline, 1, level[0] / 1000, "uninfected", None),
            Cell("red cell", 9, 9, 40, 40, outline, 2, 0.5, "review", "too close to call"),
        )
        others = (SmearObject("platelet", 60, 60, 5, 5, ((60, 60), (65, 60), (65, 65))),)
        return Field(name, picture.width, picture.height, self._diameter, cells, others)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make screening quick; return the list of the pictures that are screened."""
    monkeypatch.setattr(Quick, "seen", [], raising=False)
    monkeypatch.setattr(work, "Screener", Quick)
    monkeypatch.setattr(run, "_FEW", 10**6)  # other processes would not use `Quick`
    return Quick.seen


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content(out: Path) -> dict[str, bytes]:
    return {name.removeprefix(str(out)): data for name, data in tree(out).items()}


def fresh_run(out: Path, paths: list[Path]) -> dict[str, bytes]:
    """Return what a single run writes to an empty folder."""
    fresh = out.with_name(f"{out.name} afresh")
    screen_slides(paths, fresh)
    return content(fresh)


# ---- the output -------------------------------------------------------------------------


def test_one_slide(tmp_path: Path, quick: list[str]) -> None:
    names = [f"{k}.png" for k in range(9)]
    slides = make_plain(tmp_path / "left", *reversed(names))
    (slide,) = screen_slides([slides], tmp_path / "out")
    assert isinstance(slide, Slide)
    assert sorted(quick) == names
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*PER_SLIDE, MARK}
    fields, cells = rows(tmp_path / "out" / "fields.csv"), rows(tmp_path / "out" / "cells.csv")
    assert [row["field"] for row in fields] == names
    assert [(row["field"], row["cell"]) for row in cells] == [
        (name, cell) for name in names for cell in "12"
    ]
    assert fields[0] == {
        **{"slide": "left", "field": "0.png", "width": "200", "height": "200"},
        **{"diameter": "40.0", "red_cells": "2", "infected": "0", "review": "1"},
        **{"white_cells": "0", "platelets": "1", "clumps": "0", "cut_by_the_edge": "0"},
        **{
            "debris": "0",
            "log_odds_shift": "0.0",
            "usable": "true",
            "flaws": "",
            "error": "",
            "same_as": "",
        },
    }
    assert cells[1] == {
        **{"slide": "left", "field": "0.png", "cell": "2", "x": "9", "y": "9", "width": "40"},
        **{"height": "40", "p_parasitized": "0.5", "decision": "review"},
        **{"reason": "too close to call", "answer": ""},
    }
    written = json.loads((tmp_path / "out" / "slide.json").read_text())
    more = written.keys() - slide.to_dict().keys()
    assert more == {"given_blood", "about", "reference"}
    assert written == slide.to_dict() | {name: written[name] for name in more}
    for name in names:
        with Image.open(tmp_path / "out" / "overlays" / f"{name}.jpg") as overlay:
            assert overlay.format == "JPEG"


def test_several_slides(tmp_path: Path, quick: list[str]) -> None:
    make_plain(tmp_path / "in", "b/2.png", "b/1.png", "a/1.png", "a/deep/er/1.png")
    slides = screen_slides([tmp_path / "in"], tmp_path / "out")
    names = ["a", "a/deep/er", "b"]
    assert [slide.slide for slide in slides] == names
    assert [row["slide"] for row in rows(tmp_path / "out" / "slides.csv")] == names
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a", "b", "slides.csv", MARK}
    for name in names:
        assert {path.name for path in (tmp_path / "out" / name).iterdir()} >= PER_SLIDE
    assert [row["field"] for row in rows(tmp_path / "out" / "b" / "cells.csv")] == [
        *("1.png", "1.png"),
        *("2.png", "2.png"),
    ]


@pytest.mark.slow
def test_the_tables_have_what_was_found(tmp_path: Path) -> None:
    fields = make_fields(tmp_path / "left", "1.png", "2.png")
    screen_slides([fields], tmp_path / "out")
    found = [screen(fields / name) for name in ("1.png", "2.png")]
    assert sum(len(field.cells) for field in found) > 4
    table = rows(tmp_path / "out" / "cells.csv")
    assert [(row["field"], int(row["cell"]), float(row["p_parasitized"])) for row in table] == [
        (field.field, cell.cell, cell.p_parasitized) for field in found for cell in field.cells
    ]
    table = rows(tmp_path / "out" / "fields.csv")
    assert [(int(row["red_cells"]), row["usable"]) for row in table] == [
        (len(field.cells), str(field.usable).lower()) for field in found
    ]


def test_a_bad_picture_is_a_row_with_its_error(tmp_path: Path, quick: list[str]) -> None:
    slide = make_plain(tmp_path / "left", "1.png", "5.png")
    put(slide / "2.png", b"")
    put(slide / "3.png", (slide / "1.png").read_bytes()[:-30])
    put(slide / "4.jpg", b"notes")
    put(slide / "notes.txt", b"notes")
    (slide / "6.png").symlink_to(tmp_path / "nowhere")
    screen_slides([slide], tmp_path / "out", ScreenConfig(coco=True))
    assert sorted(quick) == ["1.png", "5.png"]
    table = rows(tmp_path / "out" / "fields.csv")
    assert [row["field"][0] for row in table if row["error"]] == ["2", "3", "4", "6"]
    for row in table:
        assert (row["usable"] == "true") == (row["width"] == "200") == (not row["error"])
        assert row["error"].startswith(row["field"] if row["error"] else "")
    assert len(rows(tmp_path / "out" / "cells.csv")) == 4
    coco = json.loads((tmp_path / "out" / "cells.coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["1.png", "5.png"]


def test_no_picture_at_all_is_an_error_but_the_rows_are_there(tmp_path: Path) -> None:
    put(tmp_path / "left" / "notes.png", b"notes")
    put(tmp_path / "left" / "more.png", b"notes")
    with pytest.raises(DataError, match=r"no picture could be read.*fields\.csv"):
        screen_slides([tmp_path / "left"], tmp_path / "out")
    assert len(rows(tmp_path / "out" / "fields.csv")) == 2


class Failing(Quick):
    """A screener with a mistake that one picture uncovers."""

    error: type[BaseException]

    def __call__(self, picture: Image.Image, name: str) -> Field:
        if name == "2.png":
            raise self.error("no\nsuch thing " * 99)
        return super().__call__(picture, name)


@pytest.mark.slow
@pytest.mark.parametrize("error", [ZeroDivisionError, MemoryError, RecursionError])
def test_an_unexpected_error_in_one_picture_is_its_row(
    error: type[Exception], tmp_path: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Failing, "error", error, raising=False)
    monkeypatch.setattr(work, "Screener", Failing)
    slide, out = make_plain(tmp_path / "left", "1.png", "2.png", "3.png"), tmp_path / "out"
    for _ in range(2):
        (counted,) = screen_slides([slide], out)
        assert (counted.fields, counted.fields_unreadable) == (2, 1)
        reason = rows(out / "fields.csv")[1]["error"].removeprefix("2.png: ")
        assert reason.startswith(f"internal error: {error.__name__}: no such thing no such thing")
        assert len(reason) == 300
    assert sorted(quick) == ["1.png", "3.png"]


def test_ctrl_c_is_no_error_of_a_picture(
    tmp_path: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Failing, "error", KeyboardInterrupt, raising=False)
    monkeypatch.setattr(work, "Screener", Failing)
    with pytest.raises(KeyboardInterrupt):
        screen_slides([make_plain(tmp_path / "left", "1.png", "2.png")], tmp_path / "out")


def test_an_unexpected_error_in_reading_a_picture_is_its_row(
    tmp_path: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = FolderSource.read

    def failing(self: FolderSource, name: str) -> bytes:
        if name == "2.png":
            raise MemoryError
        return read(self, name)

    monkeypatch.setattr(FolderSource, "read", failing)
    screen_slides([make_plain(tmp_path / "left", "1.png", "2.png")], tmp_path / "out")
    assert [row["error"] for row in rows(tmp_path / "out" / "fields.csv")] == [
        *("", "2.png: internal error: MemoryError")
    ]


@pytest.mark.slow
def test_a_field_of_1_bit_in_which_cells_are_rings(tmp_path: Path) -> None:
    """Most of each cell is as dense as the background: its density is 0."""
    slide = make_fields(tmp_path / "left", "1.png")
    rings = Image.new("1", (800, 600), 1)
    for x, y in itertools.product(range(50, 800, 100), range(50, 600, 95)):
        for radius, level in ((25, 0), (22, 1)):
            box = (x - radius, y - radius, x + radius, y + radius)
            ImageDraw.Draw(rings).ellipse(box, fill=level)
    put(slide / "2.tif", encoded(rings, "TIFF", compression="group4"))
    for _ in range(2):
        screen_slides([slide], tmp_path / "out")
        table = rows(tmp_path / "out" / "fields.csv")
        assert [row["error"] for row in table] == ["", ""]
        assert table[1]["flaws"]  # it is not counted, whatever the rings are taken for


HOSTILE = ('comma, "quote"', "new\nline", "=1+1", "tab\there", " ", "ünï🦟", "a..b", "%s", "CON")


def test_hostile_names(tmp_path: Path, quick: list[str]) -> None:
    names = [f"{name}.png" for name in (*HOSTILE, "long" * 60)]
    slide = make_plain(tmp_path / "a, \n b", *names, "a.png.jpg", "a.png", "A.png", "a.jpg")
    screen_slides([slide], tmp_path / "out", ScreenConfig(coco=True))
    table = rows(tmp_path / "out" / "fields.csv")
    expected = sorted(path.name for path in slide.iterdir())
    assert [row["field"].removeprefix("'") for row in table] == expected
    assert {row["slide"] for row in table} == {"a, \n b"}
    assert not any(row["error"] for row in table)
    assert len(list((tmp_path / "out" / "overlays").iterdir())) == len(table)
    assert content(tmp_path / "out").keys() == fresh_run(tmp_path / "out", [slide]).keys() | {
        "/cells.coco.json"
    }


def test_coco_is_there_where_it_was_asked_for(tmp_path: Path, quick: list[str]) -> None:
    slide, out = make_plain(tmp_path / "left", "1.png"), tmp_path / "out"
    screen_slides([slide], out, ScreenConfig(coco=True))
    assert (out / "cells.coco.json").exists()
    screen_slides([slide], out)
    assert not (out / "cells.coco.json").exists()
    assert quick == ["1.png"]


@pytest.mark.slow
@pytest.mark.parametrize("resumed", [False, True], ids=["fresh", "resumed"])
def test_memory_does_not_grow_with_the_fields(
    resumed: bool, tmp_path: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("INFECTED", "REVIEWED", "OVERLAYS", "ROWS", "FAILED"):
        monkeypatch.setattr(report, limit, 5)
    peaks = []
    for count in (30, 180):
        slide, out = tmp_path / str(count), tmp_path / "out" / str(count)
        make_plain(slide, *(f"{k}.png" for k in range(count)))
        if resumed:
            screen_slides([slide], out, ScreenConfig(coco=True))
        tracemalloc.start()
        screen_slides([slide], out, ScreenConfig(coco=True))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000  # 150 results in memory would take 700,000


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how often the state of each field was parsed."""
    counts: Counter[str] = Counter()

    def recorded(text: bytes) -> Any:
        found = parse_json(text)
        if "field" in found:
            counts[found["field"]["field"]] += 1
        return found

    monkeypatch.setattr(folder, "parse_json", recorded)
    return counts


def test_the_state_of_a_field_is_parsed_once_in_a_run(
    tmp_path: Path, quick: list[str], parsed: Counter[str]
) -> None:
    """The first run has the fields in memory, and parses none."""
    config, out = ScreenConfig(coco=True), tmp_path / "out"
    slide = make_plain(tmp_path / "left", *"123")
    screen_slides([slide], out, config)
    assert not parsed
    make_plain(slide, "4")
    screen_slides([slide], out, config)
    assert parsed == {"1": 1, "2": 1, "3": 1}
    assert len(quick) == 4


@pytest.mark.slow
def test_many_pictures_are_screened_in_processes_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide = make_fields(tmp_path / "left", *(f"{k}.png" for k in range(run._FEW + 1)))
    put(slide / "bad.png", b"")
    screen_slides([slide], tmp_path / "processes", ScreenConfig(diameter=50))
    monkeypatch.setattr(run, "_FEW", 100)
    screen_slides([slide], tmp_path / "threads", ScreenConfig(diameter=50))
    assert content(tmp_path / "processes") == content(tmp_path / "threads")


# ---- stopped and resumed ---------------------------------------------------------------------


def test_finished_fields_are_not_screened_again(tmp_path: Path, quick: list[str]) -> None:
    slide, out = make_plain(tmp_path / "left", "1.png", "2.png"), tmp_path / "out"
    screen_slides([slide], out)
    before = content(out)
    quick.clear()
    screen_slides([slide], out)
    assert quick == []
    assert content(out) == before


def test_only_new_and_changed_pictures_are_screened(tmp_path: Path, quick: list[str]) -> None:
    slide, out = make_plain(tmp_path / "left", *"123"), tmp_path / "out"
    screen_slides([slide], out)
    quick.clear()
    (slide / "1").unlink()
    (slide / "2").write_bytes((slide / "3").read_bytes())
    make_plain(slide, "4")
    screen_slides([slide], out)
    assert sorted(quick) == ["2", "4"]
    assert [row["field"] for row in rows(out / "fields.csv")] == ["2", "3", "4"]
    assert content(out) == fresh_run(out, [slide])


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        *("state cut short", "state gone", "overlay gone", "half written"),
        *("crops gone", "crops cut short"),
    ],
)
def test_a_field_with_a_damaged_file_is_screened_again(
    damage: str, tmp_path: Path, quick: list[str]
) -> None:
    slide, out = make_plain(tmp_path / "left", *"123"), tmp_path / "out"
    screen_slides([slide], out)
    before, state = content(out), out / ".fields" / "2.json"
    overlay, crops = out / "overlays" / "2.jpg", out / ".fields" / "2.zip"
    quick.clear()
    if damage.endswith("cut short"):
        file = state if damage.startswith("state") else crops
        file.write_bytes(file.read_bytes()[:-9])
    elif damage == "half written":
        state.rename(leftover_of(state))
        for half in (out / "cells.csv", overlay, crops):
            leftover_of(half).write_text("half")
    else:
        {"state gone": state, "overlay gone": overlay, "crops gone": crops}[damage].unlink()
    screen_slides([slide], out)
    assert quick == ["2"]
    assert content(out) == before


def test_an_unreadable_picture_is_tried_again(
    tmp_path: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause may have been the network that the folder is on."""
    slide, out = make_plain(tmp_path / "left", "1", "2"), tmp_path / "out"

    def unreadable(self: FolderSource, name: str) -> bytes:
        raise DataError(f"{name}: Input/output error")

    with monkeypatch.context() as patch, pytest.raises(DataError, match="no picture"):
        patch.setattr(FolderSource, "read", unreadable)
        screen_slides([slide], out)
    assert "Input/output error" in rows(out / "fields.csv")[0]["error"]
    screen_slides([slide], out)
    assert sorted(quick) == ["1", "2"]
    assert content(out) == fresh_run(out, [slide])


#: All files that a run of two pictures writes, in this order.
WRITES = (
    *(MARK, "1.jpg", "1.zip", "1.json", "2.jpg", "2.zip", "2.json"),
    *("fields.csv", "clumps.csv", "cells.csv", "cells.coco.json"),
    *("slide.json", "print.html", "report.html"),
)


@pytest.mark.slow
@pytest.mark.parametrize("nth", range(1, len(WRITES) + 1), ids=lambda nth: WRITES[nth - 1])
def test_the_disk_is_full_at_every_write(
    nth: int, tmp_path: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slide, out, config = (
        make_plain(tmp_path / "left", *"12"),
        tmp_path / "out",
        ScreenConfig(coco=True),
    )
    with monkeypatch.context() as patch, pytest.raises((OSError, RunError), match="No space"):
        patch.setattr(os, "fsync", FullDisk(nth).fsync)
        screen_slides([slide], out, config)
    assert not list(out.rglob("*.partial"))
    done = {path.stem for path in out.glob(".fields/*.json")}
    quick.clear()
    screen_slides([slide], out, config)
    assert set(quick) == {"1", "2"} - done
    screen_slides([slide], tmp_path / "whole", config)
    assert content(out) == content(tmp_path / "whole")


def test_stopped_between_two_slides(
    tmp_path: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_plain(tmp_path / "in", *(f"{slide}/{k}.png" for slide in "ab" for k in range(3)))

    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt  # as Ctrl-C at this moment

    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(results, "render_report", interrupt)
        screen_slides([tmp_path / "in"], out)
    assert not (out / "slides.csv").exists()
    screen_slides([tmp_path / "in"], out)
    assert content(out) == fresh_run(out, [tmp_path / "in"])


# ---- refused, and overwritten ----------------------------------------------------------------


def test_other_settings_are_refused(tmp_path: Path, quick: list[str]) -> None:
    slide, out = make_plain(tmp_path / "left", "1.png"), tmp_path / "out"
    screen_slides([slide], out)
    before = content(out)
    for config, what in (
        (ScreenConfig(model="best"), "model"),
        (ScreenConfig(precision="int8"), "precision"),
        (ScreenConfig(diameter=50), "diameter"),
    ):
        with pytest.raises(RunError, match=rf"other settings \({what}\).*--overwrite"):
            screen_slides([slide], out, config)
    make_plain(tmp_path / "more", "1.png")
    with pytest.raises(RunError, match=r"\(slides\)"):
        screen_slides([slide, tmp_path / "more"], out)
    assert content(out) == before
    assert quick == ["1.png"]


def test_overwrite_removes_the_earlier_results_and_no_other_files(
    tmp_path: Path, quick: list[str]
) -> None:
    make_plain(tmp_path / "in", "a/1.png", "a/b/1.png", "c/1.png")
    out = tmp_path / "out"
    screen_slides([tmp_path / "in"], out, ScreenConfig(coco=True))
    put(out / "mine.txt", b"mine")
    put(out / "c" / "mine.txt", b"mine")
    slide = make_plain(tmp_path / "d", "2.png")
    screen_slides([slide], out, ScreenConfig(diameter=50.0), overwrite=True)
    expected = fresh_run(out, [slide])
    found = content(out)
    assert found.pop("/mine.txt") == found.pop("/c/mine.txt") == b"mine"
    assert found.keys() == expected.keys() | {"/c"}
    assert rows(out / "fields.csv")[0]["diameter"] == "50.0"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_other_files_is_not_changed(
    overwrite: bool, tmp_path: Path, quick: list[str]
) -> None:
    slide = make_plain(tmp_path / "left", "1.png")
    put(tmp_path / "out" / "thesis.txt", b"years of work")
    put(tmp_path / "file", b"years of work")
    put(tmp_path / "marked" / MARK, b"no JSON")
    before = tree(tmp_path)
    for out in ("out", "file", "marked", "left", "."):
        with pytest.raises(RunError, match=r"not empty, and not of hemozoin screen"):
            screen_slides([slide], tmp_path / out, overwrite=overwrite)
    assert tree(tmp_path) == before


def test_the_output_may_be_in_the_folder_of_the_pictures(tmp_path: Path, quick: list[str]) -> None:
    slide = make_plain(tmp_path / "left", "1.png")
    for _ in range(2):
        assert len(screen_slides([slide], slide / "out")) == 1
    assert len(screen_slides([slide], slide / "more", ScreenConfig(diameter=50))) == 1
    assert quick == ["1.png", "1.png"]


def test_a_bad_call_writes_nothing(tmp_path: Path) -> None:
    def refused() -> Iterator[tuple[type[Exception], list[Path], ScreenConfig]]:
        good = make_plain(tmp_path / "left", "1.png")
        yield DataError, [good, tmp_path / "nowhere"], ScreenConfig()
        yield Exception, [good], ScreenConfig(model="nowhere")
        yield RunError, [good], ScreenConfig(scheduler="nowhere")

    for error, paths, config in refused():
        before = tree(tmp_path)
        with pytest.raises(error, match="nowhere"):
            screen_slides(paths, tmp_path / "out", config)
        assert tree(tmp_path) == before


# ---- records ------------------------------------------------------------------------------------

#: A record whose texts are formulas, markup and commands of a shell.
RECORD_WITH_MARKUP = r"""
patient = "=HYPERLINK(\"http://x\")"
site = "<script>alert(1)</script>&\"'"
stain = "`rm -rf /`"
operator = "+1"
hematocrit = 27

[manual]
parasites = 300
white_cells = 200
reader = "@cmd"
"""


def test_a_record_is_in_slide_json_slides_csv_and_the_report(
    tmp_path: Path, quick: list[str]
) -> None:
    slides = make_plain(tmp_path / "in", "a/1.png", "b/1.png")
    put(slides / "a" / "slide.toml", RECORD_WITH_MARKUP.encode())
    first, second = screen_slides([slides], tmp_path / "out")
    assert (first.fields, second.fields) == (1, 1)
    assert first.blood.red_cells_per_ul == pytest.approx(3e6)
    data = json.loads((tmp_path / "out" / "a" / "slide.json").read_text())
    assert data["record"]["patient"] == '=HYPERLINK("http://x")'
    assert data["record"]["manual"] == {"parasites": 300, "white_cells": 200, "reader": "@cmd"}
    assert data["manual_parasites_per_ul"] == pytest.approx(12_000)
    assert data["manual_parasitaemia"] == pytest.approx(0.004)
    assert json.loads((tmp_path / "out" / "b" / "slide.json").read_text())["record"] == {}
    row, empty = rows(tmp_path / "out" / "slides.csv")
    assert row["record_patient"] == '\'=HYPERLINK("http://x")'
    assert (row["record_operator"], row["record_manual_reader"]) == ("'+1", "'@cmd")
    assert (row["record_hematocrit"], row["record_manual_parasites"]) == ("27", "300")
    assert float(row["manual_parasites_per_ul"]) == pytest.approx(12_000)
    assert (empty["record_patient"], empty["record_manual_parasites"]) == ("", "")
    page = (tmp_path / "out" / "a" / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "300 parasites per 200 white cells" in page


def test_a_page_that_compares_counts_of_an_earlier_run_is_removed(
    tmp_path: Path, quick: list[str]
) -> None:
    """No slide has both counts here."""
    slides, page = (
        make_plain(tmp_path / "in", "a/1.png", "b/1.png"),
        tmp_path / "out/agreement.html",
    )
    screen_slides([slides], tmp_path / "out")
    page.write_text("of an earlier run")
    screen_slides([slides], tmp_path / "out")
    assert not page.exists()
    page.write_text("of an earlier run")
    screen_slides([slides], tmp_path / "out", overwrite=True)
    assert not page.exists()


def test_a_slide_that_is_written_again_keeps_its_record(tmp_path: Path, quick: list[str]) -> None:
    """As a recount does: from its own folder, without the pictures."""
    slide, out = make_plain(tmp_path / "left", "1.png"), tmp_path / "out"
    put(slide / "slide.toml", RECORD_WITH_MARKUP.encode())
    screen_slides([slide], out)
    written = content(out)
    shutil.rmtree(slide)
    found = results.SavedSlide.load(out).rewrite(SlideReviews())
    assert found.record.hematocrit == 27
    assert content(out) == written


def test_a_changed_record_does_not_screen_again(tmp_path: Path, quick: list[str]) -> None:
    slide, out = make_plain(tmp_path / "left", "1.png"), tmp_path / "out"
    screen_slides([slide], out)
    quick.clear()
    put(slide / "slide.toml", b"hematocrit = 36")
    (found,) = screen_slides([slide], out)
    assert not quick
    assert found.record.hematocrit == 36
    assert json.loads((out / "slide.json").read_text())["record"] == {"hematocrit": 36}


def test_the_blood_of_a_record_is_used_instead_of_the_given_one(
    tmp_path: Path, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    slides = make_plain(tmp_path / "in", "a/1.png", "b/1.png")
    put(slides / "a" / "slide.toml", b"hematocrit = 27")
    config = ScreenConfig(blood=Blood(rbc_per_ul=4e6))
    found = screen_slides([slides], tmp_path / "out", config)
    assert [slide.blood.red_cells_per_ul for slide in found] == [pytest.approx(3e6), 4e6]
    assert "slide.toml of 1 of 2 slides has red cells per µL" in capsys.readouterr().err


def test_a_mistake_in_a_record_is_told_before_any_work(tmp_path: Path, quick: list[str]) -> None:
    slides = make_plain(tmp_path / "in", "a/1.png", "b/1.png")
    put(slides / "b" / "slide.toml", b"hematocrit = 450")
    with pytest.raises(DataError, match=r"b/slide\.toml: hematocrit in %: 450 is out of range"):
        screen_slides([slides], tmp_path / "out")
    assert not quick
    assert not (tmp_path / "out").exists()
