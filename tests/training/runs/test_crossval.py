"""Cross-validation: every patient is tested once, and no fold is run twice."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path

import pytest

from hemozoin.model.bundle import load_bundle
from hemozoin.training.runs import start
from tests.conftest import make_cells
from tests.support.commands import QUICK, hemozoin, leftover_of, refused, succeed, tree
from tests.support.tables import read_columns_of, read_rows_of

OPTIONS = ("--folds", 3, *QUICK)


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished cross-validation; its data are in `cells.zip` next to it."""
    folder = tmp_path_factory.mktemp("crossval")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEMOZOIN_CACHE", str(folder / "cache"))
        data = make_cells(folder / "cells.zip", patients=9)
        (folder / "shown.txt").write_text(
            succeed("crossval", data, "--out", folder / "out", *OPTIONS)
        )
    return folder / "out"


@pytest.mark.slow
def test_every_patient_is_tested_once(folds: Path) -> None:
    tested = [read_columns_of(folds / f"fold{k}" / "predictions.csv") for k in (1, 2, 3)]
    cells = [cell for table in tested for cell in table["cell"]]
    assert len(cells) == len({*cells}) == 72
    assert sum(len({*table["patient"]}) for table in tested) == 9
    for k in (1, 2, 3):
        split = read_columns_of(folds / f"fold{k}" / "split.csv")
        assert {*split["split"]} == {"train", "validation", "test"}
        assert len({*zip(split["patient"], split["split"], strict=True)}) == 9
        assert split == read_columns_of(folds / f"split{k}.csv")


@pytest.mark.slow
def test_folds_csv_has_mean_and_spread(folds: Path) -> None:
    table = read_rows_of(folds / "folds.csv")
    assert list(table[0]) == ["figure", "mean", "sd", "min", "max"]
    # Empty: not defined in a fold, as is PPV where no cell is called parasitized.
    rows = {
        row.pop("figure"): {name: float(value or "nan") for name, value in row.items()}
        for row in table
    }
    for name in ("accuracy", "roc_auc", "sensitivity", "brier"):
        values = [
            json.loads((folds / f"fold{k}" / "metrics.json").read_text())["labels_as_given"][name]
            for k in (1, 2, 3)
        ]
        found = [value["value"] for value in values]
        assert rows[name]["mean"] == pytest.approx(statistics.mean(found))
        assert rows[name]["sd"] == pytest.approx(statistics.stdev(found))
        assert (rows[name]["min"], rows[name]["max"]) == (min(found), max(found))
    shown = (folds.parent / "shown.txt").read_text()
    assert re.search(
        rf"accuracy +{rows['accuracy']['mean']:.4f} ± {rows['accuracy']['sd']:.4f}", shown
    )


@pytest.mark.slow
def test_only_the_missing_folds_are_run(
    tmp_path: Path, folds: Path, cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before the second fold, then at the end of the third."""
    out, data = tmp_path / "out", folds.parent / "cells.zip"
    begun: list[str] = []
    real = {"new": start.new, "resume": start.resume}

    def stop_when(number: int, verb: str) -> None:
        def stopping(*arguments: object, **options: object) -> object:
            begun.append(verb)
            if len(begun) == number:
                raise KeyboardInterrupt
            return real[verb](*arguments, **options)  # type: ignore[operator]

        monkeypatch.setattr(start, verb, stopping)

    command = ("crossval", data, "--out", out, *OPTIONS)
    stop_when(2, "new")
    assert hemozoin(*command).code == 130
    assert begun == ["new", "new"]
    done = tree(out / "fold1")

    begun.clear()
    stop_when(99, "new")
    stop_when(99, "resume")
    outcome = hemozoin(*command)
    assert outcome.code == 0
    assert begun == ["new", "new"]
    assert tree(out / "fold1") == done

    (out / "fold3" / "model" / "SHA256SUMS").unlink()  # as if stopped while writing it
    begun.clear()
    succeed(*command)
    assert begun == ["resume"]
    assert (out / "folds.csv").read_bytes() == (folds / "folds.csv").read_bytes()
    for k in (1, 2, 3):
        name = f"fold{k}/model/model.safetensors"
        assert (out / name).read_bytes() == (folds / name).read_bytes()


@pytest.mark.slow
def test_a_repeated_command_only_shows_the_result(folds: Path) -> None:
    before = tree(folds)
    data = folds.parent / "cells.zip"
    shown = succeed("crossval", data, "--out", folds, *OPTIONS)
    assert (folds.parent / "shown.txt").read_text().endswith(shown)
    assert shown.startswith("3 folds")
    assert tree(folds) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("--folds", 4, *QUICK),
        ("--folds", 3, *QUICK, "--seed", 1),
        ("--folds", 3, *QUICK, "--learning-rate", 0.1),
        ("--folds", 3, *QUICK, "--sensitivity", 0.9),
    ],
    ids=str,
)
def test_other_options_are_another_cross_validation(
    options: tuple[object, ...], folds: Path
) -> None:
    before = tree(folds)
    line = refused("crossval", folds.parent / "cells.zip", "--out", folds, *options)
    assert "other cells or options" in line
    assert tree(folds) == before


def test_other_cells_are_another_cross_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an added patient could be tested twice or never."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "new", interrupt)
    command = ("crossval", tmp_path / "cells.zip", "--out", tmp_path / "out", *OPTIONS)
    make_cells(tmp_path / "cells.zip", patients=9)
    assert hemozoin(*command).code == 130
    assert hemozoin(*command).code == 130  # the same command is accepted
    make_cells(tmp_path / "cells.zip", patients=10)
    assert "other cells or options" in refused(*command)


def test_killed_before_its_first_file_was_complete(
    tmp_path: Path, cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Partial files do not make a folder one of somebody else; they are removed."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "new", interrupt)
    out = tmp_path / "out"
    for name in ("crossval.json", "split2.csv", "folds.csv"):
        out.mkdir(exist_ok=True)
        leftover_of(out / name).write_text("half")
        assert hemozoin("crossval", cells_zip, "--out", out, *OPTIONS).code == 130
        assert not list(out.glob("*.partial"))


def test_it_is_refused_under_torchrun(
    tmp_path: Path, cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    line = refused("crossval", cells_zip, "--out", tmp_path / "out", *OPTIONS)
    assert "without torchrun" in line
    assert not (tmp_path / "out").exists()


def test_a_folder_with_a_run_is_refused(tmp_path: Path, finished_run: Path) -> None:
    data = finished_run.parent / "cells.zip"
    before = tree(finished_run)
    refused("crossval", data, "--out", finished_run, *OPTIONS)
    assert tree(finished_run) == before


@pytest.mark.slow
def test_each_fold_knows_its_own_patients(folds: Path) -> None:
    for k in (1, 2, 3):
        seen = load_bundle(folds / f"fold{k}" / "model").patients
        assert seen is not None
        split = read_rows_of(folds / f"split{k}.csv")
        patients = {row["patient"] for row in split if row["split"] != "test"}
        assert seen.among(row["patient"] for row in split) == patients


@pytest.mark.slow
def test_one_report_has_all_folds(folds: Path) -> None:
    page = (folds / "report.html").read_text()
    assert "3 folds: 72 cells of 9 patients were tested" in page
    for title in ("fold 1", "fold 2", "fold 3", "mean ± sd", "all folds"):
        assert f"<th>{title}</th>" in page
    plots = {path.name for path in (folds / "plots").iterdir()}
    assert plots == {
        f"{name}.{kind}" for name in ("roc", "precision_recall") for kind in ("png", "pdf", "svg")
    }
    assert f"Report: {folds / 'report.html'}" in (folds.parent / "shown.txt").read_text()
