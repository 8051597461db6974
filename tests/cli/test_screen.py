"""The verb `screen`: its options, its messages, and runs that are stopped."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemozoin.smear.slides import MARK
from tests.conftest import draw_cell, png
from tests.support.commands import hemozoin, refused, start, succeed, tree
from tests.support.smears import make_fields, make_plain, put


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    """Return a folder with the pictures of one slide."""
    return make_fields(tmp_path / "left", "1.png", "2.png")


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content(out: Path) -> dict[str, bytes]:
    return {name.removeprefix(str(out)): data for name, data in tree(out).items()}


@pytest.mark.slow
def test_the_printed_text(slide: Path, tmp_path: Path) -> None:
    printed = succeed("screen", slide, "--out", tmp_path / "out")
    assert printed.startswith("left: ")
    assert printed.endswith(f"Report: {tmp_path / 'out' / 'report.html'}\n")
    assert (tmp_path / "out" / "report.html").read_text("utf-8").lstrip().startswith("<!")
    make_fields(tmp_path / "right", "1.png")
    printed = succeed("screen", slide, tmp_path / "right", "--out", tmp_path / "both")
    assert [line.split(":")[0] for line in printed.splitlines() if line[:1].strip()] == [
        *("left", "right"),
        "Report",
    ]
    assert printed.endswith(f"Report: {tmp_path / 'both' / 'slides.csv'}\n")


@pytest.mark.slow
def test_json(slide: Path, tmp_path: Path) -> None:
    (found,) = json.loads(succeed("screen", slide, "--out", tmp_path / "out", "--json"))
    written = json.loads((tmp_path / "out" / "slide.json").read_text())
    assert found.items() <= written.items()
    assert found["slide"] == "left"
    assert found["red_cells"] == len(rows(tmp_path / "out" / "cells.csv")) > 0


@pytest.mark.slow
def test_the_patients_red_cells(slide: Path, tmp_path: Path) -> None:
    """They change the count, not what was found: pictures are not screened again."""
    for option, value, red_cells in (
        ("--rbc-per-ul", 4_000_000, 4e6),
        ("--hematocrit", 27, 3e6),
    ):
        printed = succeed("screen", slide, "--out", tmp_path / "out", option, value, "--json")
        assert json.loads(printed)[0]["red_cells_per_ul"] == pytest.approx(red_cells)


@pytest.mark.slow
def test_a_given_diameter(slide: Path, tmp_path: Path) -> None:
    succeed("screen", slide, "--out", tmp_path / "out", "--diameter", 50)
    assert json.loads((tmp_path / "out" / MARK).read_text())["diameter"] == 50
    for row in rows(tmp_path / "out" / "fields.csv"):
        assert float(row["diameter"]) == pytest.approx(50, rel=0.2)


REFUSED = [
    (("--rbc-per-ul", 5e6, "--hematocrit", 45), "give one of them"),
    (("--rbc-per-ul", 5), "out of range"),
    (("--hematocrit", "nan"), "out of range"),
    (("--diameter", 0), "diameter 0: give that of a red cell in px"),
    (("--diameter", "nan"), "diameter nan"),
    (("--diameter", "wide"), "wide"),
    (("--model", "nowhere"), "nowhere"),
    (("--precision", "int4"), "int4"),
    (("--scheduler", "somewhere"), "somewhere: give the scheduler's address"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "expected"), REFUSED)
def test_impossible_options(
    options: tuple[object, ...], expected: str, slide: Path, tmp_path: Path
) -> None:
    before = tree(tmp_path)
    assert expected in refused("screen", slide, "--out", tmp_path / "out", *options)
    assert tree(tmp_path) == before


def test_impossible_paths(slide: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    before = tree(tmp_path)
    out = ("--out", tmp_path / "out")
    assert "nowhere" in refused("screen", slide, tmp_path / "nowhere", *out)
    assert "has no pictures" in refused("screen", tmp_path / "empty", *out)
    assert "--out" in refused("screen", slide)
    assert "not of hemozoin screen" in refused("screen", slide, "--out", slide)
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b"hematocrit = 450", "slide.toml: hematocrit in %: 450 is out of range"),
        (b"hematocrit = 0.45", "give 5 to 75"),
        (b"hematokrit = 45", "slide.toml: unknown key 'hematokrit'"),
        (b"patient = '" + b"x" * 60_000 + b"'", "patient is"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_record_with_a_mistake(record: bytes, expected: str, slide: Path, tmp_path: Path) -> None:
    put(slide / "slide.toml", record)
    before = tree(tmp_path)
    assert expected in refused("screen", slide, "--out", tmp_path / "out")
    assert tree(tmp_path) == before


@pytest.mark.slow
def test_another_model_into_the_same_folder(slide: Path, tmp_path: Path) -> None:
    command = ("screen", slide, "--out", tmp_path / "out")
    succeed(*command)
    assert "other settings (model)" in refused(*command, "--model", "best")
    succeed(*command, "--model", "best", "--overwrite")
    assert "other settings (model)" in refused(*command)


def test_a_cell_given_as_a_field(tmp_path: Path) -> None:
    put(tmp_path / "cell.png", png(draw_cell(np.random.default_rng(0), infected=True)))
    outcome = hemozoin("screen", tmp_path / "cell.png", "--out", tmp_path / "out")
    assert outcome.code == 2
    assert "no picture could be read" in outcome.err
    (row,) = rows(tmp_path / "out" / "fields.csv")
    assert "hemozoin predict" in row["error"]


@pytest.mark.slow
def test_a_field_given_as_a_cell(tmp_path: Path) -> None:
    make_fields(tmp_path / "large", "1.png")
    large = Image.open(tmp_path / "large" / "1.png").resize((1280, 960))
    put(tmp_path / "large" / "1.png", png(large))
    outcome = hemozoin("predict", tmp_path / "large")
    assert outcome.code == 0
    assert ",review," in outcome.out
    assert "middle: 1; use hemozoin screen for whole fields" in outcome.err


def test_cells_get_no_hint(cells_folder: Path) -> None:
    assert hemozoin("predict", cells_folder).err == ""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "count"), [(signal.SIGKILL, 8), (signal.SIGINT, 5)])
def test_stopped_midway(how: signal.Signals, count: int, tmp_path: Path) -> None:
    """Eight pictures are screened in processes, five in threads."""
    fields = make_fields(tmp_path / "left", *(f"{k}.png" for k in range(count)))
    put(fields / "9.txt", b"no picture")
    command = ("screen", fields, "--coco", "--out")
    out = tmp_path / "stopped"
    with start(*command, out) as process:
        while len(list(out.glob(".fields/*.json"))) < 2:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(how)
        _, printed = process.communicate()
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    if how == signal.SIGINT:
        last = printed.splitlines()[-1]
        assert last.startswith("hemozoin: stopped; what is finished is saved; run the same command")
        assert "Traceback" not in printed
    done = {path: path.stat().st_mtime_ns for path in out.glob(".fields/*.png.json")}
    assert 2 <= len(done) < count
    assert not (out / "cells.csv").exists()
    succeed(*command, out)
    assert all(path.stat().st_mtime_ns == written for path, written in done.items())
    succeed(*command, tmp_path / "whole")
    assert content(out) == content(tmp_path / "whole")


@pytest.mark.slow
def test_the_disk_is_full(slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, fsync = iter(range(99)), os.fsync

    def full(file: int) -> None:
        if next(count) >= 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        line = refused("screen", slide, "--out", tmp_path / "out")
    assert "2.png.jpg: disk full; free some space; run the same command again to resume" in line
    assert {path.name for path in (tmp_path / "out").glob(".fields/*")} == {
        *("1.png.zip", "1.png.json")
    }
    succeed("screen", slide, "--out", tmp_path / "out")


def test_bad_fields_do_not_stop_a_run(tmp_path: Path) -> None:
    slide = make_fields(tmp_path / "left", "1.png")
    put(slide / "2.png", b"no picture")
    make_plain(slide, "3.png")
    succeed("screen", slide, "--out", tmp_path / "out")
    assert [bool(row["error"]) for row in rows(tmp_path / "out" / "fields.csv")] == [
        *(False, True, False)
    ]
