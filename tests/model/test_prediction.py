"""Predictions: one row per picture, in order, as a stream, equal to those of the run."""

from __future__ import annotations

import csv
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hemozoin.data.source import Entry
from hemozoin.decision.conformal import ReviewBand
from hemozoin.errors import DataError
from hemozoin.model import pictures, predictor
from hemozoin.model.bundle import load_bundle, save_bundle
from hemozoin.model.prediction import OUT_OF_DISTRIBUTION, TOO_CLOSE
from hemozoin.model.predictor import Predictor, predict_paths
from tests.conftest import draw_cell, make_cells, make_zip, png
from tests.support.commands import hemozoin, refused, succeed, tree
from tests.support.tables import read_columns_of

COLUMNS = ["cell", "label", "decision", "p_parasitized", "reason", "file", "error"]


@pytest.fixture
def model(finished_run: Path) -> Path:
    return finished_run / "model"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def a_cell() -> bytes:
    return png(draw_cell(np.random.default_rng(1), infected=True))


@pytest.mark.slow
def test_the_same_p_as_in_the_run_itself(learned_run: Path, tmp_path: Path) -> None:
    """Training and prediction use the same preprocessing, from a zip and from a folder."""
    tested = read_columns_of(learned_run / "predictions.csv")
    expected = [float(p) for p in tested["p_parasitized"]]
    assert max(expected) - min(expected) > 0.5  # otherwise the comparison would prove little
    packed = learned_run.parent / "cells.zip"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "cells")
    for path in (packed, tmp_path / "cells"):
        found = rows(succeed("predict", path, "--model", learned_run / "model"))
        p_of = {row["cell"]: float(row["p_parasitized"]) for row in found}
        assert len(p_of) == len(found) == 144
        assert [p_of[cell] for cell in tested["cell"]] == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_the_label_depends_on_the_threshold_of_the_model(learned_run: Path, tmp_path: Path) -> None:
    model, bundle = tmp_path / "model", load_bundle(learned_run / "model")
    tested = read_columns_of(learned_run / "predictions.csv")["p_parasitized"]
    threshold = float(np.quantile([float(p) for p in tested], 0.9))
    save_bundle(replace(bundle, threshold=replace(bundle.threshold, value=threshold)), model)
    found = rows(succeed("predict", learned_run.parent / "cells.zip", "--model", model))
    assert {row["label"] for row in found} == {"parasitized", "uninfected"}
    assert abs(threshold - 0.5) > 0.1
    for row in found:
        above = float(row["p_parasitized"]) >= threshold
        assert row["label"] == ("parasitized" if above else "uninfected")


@pytest.mark.slow
def test_cells_in_the_review_band_are_for_review_unless_switched_off(
    learned_run: Path, tmp_path: Path
) -> None:
    """By the review band of the model; out-of-distribution cells are left out here."""
    data, model = learned_run.parent / "cells.zip", tmp_path / "model"
    save_bundle(
        replace(load_bundle(learned_run / "model"), review_band=ReviewBand(0.2, 0.8, 0.05)), model
    )
    reviewed = rows(succeed("predict", data, "--model", model))
    forced = rows(succeed("predict", data, "--model", model, "--no-review"))
    assert {row["decision"] for row in reviewed} == {"parasitized", "uninfected", "review"}
    for row, plain in zip(reviewed, forced, strict=True):
        assert plain == row | {"decision": row["label"], "reason": ""}
        if row["reason"] != OUT_OF_DISTRIBUTION:
            close = 0.2 <= float(row["p_parasitized"]) <= 0.8
            assert row["decision"] == ("review" if close else row["label"])
            assert row["reason"] == (TOO_CLOSE if close else "")


def test_pictures_folders_and_zips_in_the_order_given(tmp_path: Path, model: Path) -> None:
    one, two = tmp_path / "1.png", tmp_path / "2.JPG"
    for file in (one, two):
        file.write_bytes(a_cell())
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    shutil.copy(one, tmp_path / "folder" / "deep" / "3.png")
    packed = make_zip(tmp_path / "cells.ZIP", {"b/5.png": a_cell(), "a/4.png": a_cell()})
    found = rows(succeed("predict", two, tmp_path / "folder", one, packed, "--model", model))
    assert [row["cell"] for row in found] == ["2", "3", "1", "4", "5"]
    files = ("2.JPG", "folder/deep/3.png", "1.png", "cells.ZIP/a/4.png", "cells.ZIP/b/5.png")
    assert [row["file"] for row in found] == [f"{tmp_path}/{file}" for file in files]
    assert len({row["p_parasitized"] for row in found}) == 1


@pytest.mark.slow
def test_bad_files_are_rows_and_the_run_continues(tmp_path: Path, model: Path) -> None:
    whole = a_cell()
    huge = png(Image.new("1", (20_000, 20_000)))
    files = {
        "1 good.png": whole,
        "2 empty.png": b"",
        "3 text.png": b"no picture",
        "4 cut.png": whole[:-40],
        "5 bomb.png": huge,
        "6 good.png": whole,
        "7 notes.txt": b"hello",
    }
    found = rows(succeed("predict", make_zip(tmp_path / "cells.zip", files), "--model", model))
    assert [row["cell"] for row in found] == [Path(name).stem for name in files]
    for row in found:
        good = "good" in row["cell"]
        assert bool(row["label"]) == bool(row["p_parasitized"]) == good
        assert bool(row["error"]) != good
        assert "\n" not in row["error"]


def test_more_bad_files_than_a_batch_holds(tmp_path: Path, model: Path) -> None:
    files = {f"{k:03}.png": b"bad" for k in range(300)} | {"999.png": a_cell()}
    found = rows(succeed("predict", make_zip(tmp_path / "cells.zip", files), "--model", model))
    assert [row["cell"] for row in found] == [f"{k:03}" for k in range(300)] + ["999"]
    assert [row["cell"] for row in found if row["label"]] == ["999"]


UNUSUAL = [
    'comma, "quote"',
    "new\nline",
    "carriage\rreturn",
    "=1+1",
    "@SUM(A1)",
    "-",
    "tab\there",
    " blanks ",
    "ünïcödé",
    "null",
    "a.b.c",
    "🦟",
]


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet"])
def test_unusual_file_names_are_preserved(ending: str, tmp_path: Path, model: Path) -> None:
    folder, out = tmp_path / "cells", tmp_path / f"out.{ending}"
    folder.mkdir()
    for name in UNUSUAL:
        (folder / f"{name}.png").write_bytes(a_cell())
    (folder / "bad.png").write_bytes(b"bad")
    assert succeed("predict", folder, "--model", model, "--out", out) == ""
    table = read(out)
    assert list(table[0]) == COLUMNS
    # In CSV a name that a spreadsheet would take for a formula gets an apostrophe in front.
    names = [f"'{n}" if ending == "csv" and n[0] in "=@-" else n for n in UNUSUAL]
    assert sorted(row["cell"] for row in table) == sorted([*names, "bad"])
    files = sorted(f"{folder}/{name}.png" for name in [*UNUSUAL, "bad"])
    assert sorted(row["file"] for row in table) == files
    (bad,) = (row for row in table if row["error"])
    assert bad["cell"] == "bad"
    assert bad["label"] is bad["p_parasitized"] is None
    assert all(0 <= row["p_parasitized"] <= 1 for row in table if row["label"])
    assert {path.name for path in tmp_path.iterdir()} == {"cells", out.name}


def read(out: Path) -> list[dict[str, Any]]:
    if out.suffix == ".parquet":
        parquet: list[dict[str, Any]] = pq.read_table(out).to_pylist()
        return parquet
    with out.open(newline="", encoding="utf-8") as file:
        if out.suffix == ".csv":
            return [
                {name: value or None for name, value in row.items()}
                | {"p_parasitized": float(row["p_parasitized"]) if row["label"] else None}
                for row in csv.DictReader(file)
            ]
        found: list[dict[str, Any]] = (
            json.load(file) if out.suffix == ".json" else [json.loads(line) for line in file]
        )
        return found


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes only on POSIX")
def test_a_name_that_is_not_utf8(tmp_path: Path, model: Path) -> None:
    file = os.fsencode(tmp_path) + b"/\xff.png"
    with open(file, "wb") as opened:  # noqa: PTH123
        opened.write(a_cell())
    path = os.fsdecode(file)
    out = tmp_path / "out.csv"
    succeed("predict", path, tmp_path, "--model", model, "--out", out)
    named, listed = rows(out.read_text())
    assert (named["cell"], listed["cell"]) == ("?", "?")
    assert named["label"]


def test_nothing_to_predict(tmp_path: Path, model: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "Thumbs.db").write_bytes(b"junk")
    for path in (tmp_path / "empty", make_zip(tmp_path / "empty.zip", {})):
        assert "has no pictures" in refused("predict", path, "--model", model)


@pytest.mark.parametrize("bad", ["missing.png", "bad.zip"])
def test_a_bad_path_is_reported_before_the_first_prediction(
    bad: str, tmp_path: Path, model: Path
) -> None:
    good = tmp_path / "1.png"
    good.write_bytes(a_cell())
    (tmp_path / "bad.zip").write_bytes(b"bad")
    before = tree(tmp_path)
    assert bad in refused("predict", good, tmp_path / bad, "--model", model)
    out = tmp_path / "x.csv"
    assert bad in refused("predict", good, tmp_path / bad, "--model", model, "--out", out)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["cells", "cells.xlsx", "folder.csv"])
def test_an_invalid_out_is_refused(name: str, tmp_path: Path, model: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    data = make_cells(tmp_path / "cells.zip")
    before = tree(tmp_path)
    line = refused("predict", data, "--model", model, "--out", tmp_path / name)
    assert ".parquet" in line
    assert tree(tmp_path) == before


def test_an_interrupted_run_keeps_the_old_table(
    tmp_path: Path, cells_zip: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old")

    def interrupted(*_: object) -> Iterator[object]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(predictor, "_predict_batch", interrupted)
    assert hemozoin("predict", cells_zip, "--model", model, "--out", out).code == 130
    assert out.read_text() == "old"
    assert {file.name for file in tmp_path.iterdir()} == {"out.csv", "cells.zip"}


class Endless:
    """An endless source that counts the entries taken from it."""

    path = Path("endless")

    def __init__(self) -> None:
        self.walked = 0

    def walk(self) -> Iterator[Entry]:
        while True:
            self.walked += 1
            yield Entry(f"{self.walked}.png", 1, 1)

    def entries(self) -> list[Entry]:
        raise NotImplementedError

    def read(self, name: str) -> bytes:
        raise DataError(f"{name}: bad")


def test_a_million_files_are_not_in_memory(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    source = Endless()
    monkeypatch.setattr(pictures, "open_source", lambda path: source)
    predictions = predict_paths([Path("endless")], Predictor.load(model))
    for number in range(1, 5001):
        assert next(predictions).cell == str(number)
        assert source.walked - number < 1000


def test_a_missing_path_raises(model: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        predict_paths([Path("nowhere")], Predictor.load(model))


@pytest.mark.parametrize("name", ["table.csv", "deep/table.jsonl"])
def test_its_own_table_and_cards_are_no_pictures(
    name: str, model: Path, cells_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cells_folder)
    pictures = len([*cells_folder.rglob("*.png")])
    out, cards = cells_folder / name, cells_folder / "cards"
    for command in (("--out", name), ("--out", out), ("--out", out, "--explain", cards)):
        succeed("predict", ".", "--model", model, *command)
        assert out.read_text().count("\n") == pictures + name.endswith(".csv")
        assert "not a readable picture" not in out.read_text()
    assert "has no pictures" in refused("predict", out, "--model", model, "--out", out)
