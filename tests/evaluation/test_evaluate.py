"""`hemozoin evaluate` reproduces the metrics of the run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hemozoin.data.options import CellOptions
from hemozoin.errors import HemozoinError
from hemozoin.evaluation.evaluate import evaluate
from hemozoin.model.predictor import Predictor
from tests.support.commands import hemozoin, refused, succeed
from tests.support.tables import read_rows_of

FILES = {"predictions.csv", "metrics.json", "report.html"}


@pytest.mark.slow
def test_the_metrics_of_the_run_are_reproduced(tmp_path: Path, learned_run: Path) -> None:
    data, out = learned_run.parent / "cells.zip", tmp_path / "deep" / "out"
    split = ("--split", learned_run / "split.csv")
    shown = succeed("evaluate", data, "--model", learned_run / "model", *split, "--out", out)
    assert {file.name for file in out.iterdir()} == FILES
    for name in ("predictions.csv", "metrics.json"):
        assert (out / name).read_text() == (learned_run / name).read_text()
    accuracy = json.loads((out / "metrics.json").read_text())["labels_as_given"]["accuracy"]
    assert f"Accuracy     {accuracy['value']:.4f}" in shown


@pytest.mark.slow
def test_all_cells_without_a_split(tmp_path: Path, learned_run: Path) -> None:
    data, out = learned_run.parent / "cells.zip", tmp_path / "out"
    succeed("evaluate", data, "--model", learned_run / "model", "--out", out)
    everything = read_rows_of(out / "predictions.csv")
    tested = read_rows_of(learned_run / "predictions.csv")
    assert len(everything) == 144
    names = {row["cell"] for row in tested}
    assert [row for row in everything if row["cell"] in names] == tested


@pytest.mark.slow
def test_prevalence_moves_predictive_values_only(finished_run: Path) -> None:
    data, model = finished_run.parent / "cells.zip", finished_run / "model"
    rare, common = (
        json.loads(succeed("evaluate", data, "--model", model, "--json", "--prevalence", share))
        for share in (0.001, 0.5)
    )
    assert (rare["prevalence"], common["prevalence"]) == (0.001, 0.5)
    given = "labels_as_given"
    for found in (rare, common):
        metrics, share = found[given], found["prevalence"]
        true_positives = metrics["sensitivity"]["value"] * share
        false_positives = (1 - metrics["specificity"]["value"]) * (1 - share)
        expected = true_positives / (true_positives + false_positives)
        assert metrics["ppv"]["value"] == pytest.approx(expected)
    assert rare[given]["roc_auc"] == common[given]["roc_auc"]


@pytest.mark.slow
def test_corrections_give_three_sets_of_labels(tmp_path: Path, learned_run: Path) -> None:
    data, model = learned_run.parent / "cells.zip", learned_run / "model"
    split = read_rows_of(learned_run / "split.csv")
    wrong = [row["cell"] for row in split if row["label"] == "uninfected"][:5]
    lines = ["cell,corrected_label", *(f"{cell},parasitized" for cell in wrong)]
    (tmp_path / "fix.csv").write_text("\n".join(lines))
    found = json.loads(
        succeed("evaluate", data, "--model", model, "--json", "--labels", tmp_path / "fix.csv")
    )
    cells = {name: found[name]["cells"] for name in found if "label" in name or "agree" in name}
    assert cells == {"labels_as_given": 144, "corrected_labels": 144, "where_both_agree": 139}
    given, corrected = found["labels_as_given"], found["corrected_labels"]
    assert corrected["parasitized"] == given["parasitized"] + 5


@pytest.mark.slow
def test_nothing_is_written_without_out(tmp_path: Path, learned_run: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(learned_run.parent, folder)
    before = sorted(folder.rglob("*"))
    succeed("evaluate", folder / "cells.zip", "--model", folder / "run" / "model")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.slow
def test_a_split_without_test_cells(tmp_path: Path, learned_run: Path) -> None:
    split = tmp_path / "split.csv"
    split.write_text((learned_run / "split.csv").read_text().replace(",test", ",validation"))
    data, model = learned_run.parent / "cells.zip", learned_run / "model"
    assert "test" in refused("evaluate", data, "--model", model, "--split", split)


@pytest.mark.slow
def test_bad_pictures_are_listed(tmp_path: Path, learned_run: Path, cells_folder: Path) -> None:
    bad = min(cells_folder.rglob("*.png"))
    bad.write_bytes(b"bad")
    command = ("evaluate", cells_folder, "--model", learned_run / "model")
    refused(*command)
    outcome = hemozoin(*command, "--allow-unreadable")
    assert outcome.code == 0
    assert bad.name in outcome.err
    assert "tested on 47 cells" in outcome.out


@pytest.mark.slow
def test_from_python(learned_run: Path) -> None:
    predictor = Predictor.load(learned_run / "model")
    data, split = learned_run.parent / "cells.zip", learned_run / "split.csv"
    report = evaluate(data, CellOptions(), predictor, split=split)
    found = json.loads((learned_run / "metrics.json").read_text())
    assert report.evaluation.to_dict() == found
    with pytest.raises(HemozoinError, match="prevalence"):
        evaluate(data, CellOptions(), predictor, prevalence=1.5)
