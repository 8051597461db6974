"""The end of the demo: a drawn smear is screened; found and true counts are printed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hemozoin.arrays import Pixels
from hemozoin.demo import demo
from hemozoin.demo import smear as demo_smear
from hemozoin.demo.smear import (
    Count,
    balanced_accuracy,
    choose_network,
    count_drawn,
    count_found,
    screen_synthetic_smear,
)
from hemozoin.errors import DataError
from hemozoin.model.prediction import Prediction
from hemozoin.model.predictor import Predictor
from hemozoin.model.registry import PRETRAINED
from hemozoin.smear.counting.record.manual_count import ManualCount
from hemozoin.smear.counting.record.slide_record import read_record
from hemozoin.smear.field import Cell, Field, SmearObject
from hemozoin.smear.screen import screen
from hemozoin.synthetic.cell import draw_patient
from hemozoin.synthetic.smear import DrawnObject, Smear, draw_smear, write_smear
from hemozoin.training.recipe import Recipe
from hemozoin.training.runs.folder import RunFolder
from tests.conftest import make_cells
from tests.support.commands import succeed

COUNTS = r"(\d+) red cells, (\d+) infected, parasitaemia (\d+\.\d)%"


@pytest.fixture
def one_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare the networks on the cells of one field."""
    monkeypatch.setattr(demo_smear, "_TEST_FIELDS", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("one_field")
def test_lines_show_found_and_true_counts(tmp_path: Path) -> None:
    folder = tmp_path / "slide"
    lines = screen_synthetic_smear(PRETRAINED / "nano", folder).splitlines()
    assert len(lines) == 3
    assert str(folder) in lines[0]
    assert "4 drawn fields" in lines[0]
    found = re.fullmatch(rf"  found  {COUNTS}; (\d+) cells for review", lines[1])
    true = re.fullmatch(rf"  true   {COUNTS}", lines[2])
    assert found
    assert true
    fields = [screen(folder / f"field_{number:02}.png", "nano") for number in range(1, 5)]
    assert int(found[1]) == sum(len(field.cells) for field in fields)
    assert int(found[2]) == sum(field.infected for field in fields)
    assert int(found[4]) == sum(field.review for field in fields)
    assert (int(true[1]), int(true[2])) == _count_by_hand(folder)
    manual = read_record((folder / "slide.toml").read_bytes(), "").manual
    assert manual == ManualCount(infected=int(true[2]), red_cells=int(true[1]))
    for match in (found, true):
        assert float(match[3]) == pytest.approx(100 * int(match[2]) / int(match[1]), abs=0.05)
    assert int(found[1]) == pytest.approx(int(true[1]), rel=0.1)
    assert int(true[2]) == 12
    assert 6 <= int(found[2]) <= 36, "of the right size; says nothing about real smears"


def _count_by_hand(folder: Path) -> tuple[int, int]:
    truth = json.loads((folder / "truth.json").read_text())
    red_cells = [
        placed_object
        for placed in truth.values()
        for placed_object in placed
        if placed_object["kind"] == "red cell"
        and 0 <= placed_object["x"] <= 1280 - placed_object["width"]
        and 0 <= placed_object["y"] <= 960 - placed_object["height"]
    ]
    return len(red_cells), sum(placed_object["infected"] for placed_object in red_cells)


@pytest.mark.slow
@pytest.mark.usefixtures("one_field")
def test_the_network_that_classifies_drawn_cells_better_is_chosen(
    finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An untrained network is replaced by the pretrained one, and the reverse."""
    untrained, trained = finished_run / "model", PRETRAINED / "nano"
    network, reason = choose_network(untrained)
    assert re.match(r"nano, not the network just trained \(balanced accuracy on", reason)
    assert network.bundle.preprocessing.size == 64
    monkeypatch.setattr(demo_smear, "_PRETRAINED", str(untrained))
    network, reason = choose_network(trained)
    assert re.match(r"the network just trained \(balanced accuracy on drawn cells 0\.[89]", reason)
    assert network.bundle.preprocessing.size == 64


@pytest.mark.slow
def test_balanced_accuracy_uses_the_true_boxes() -> None:
    """With the true labels swapped, every right decision becomes wrong."""
    rng = np.random.default_rng(5)
    smear = draw_smear(rng, draw_patient(rng), infected=20)
    network = Predictor.load("nano")
    swapped = tuple(replace(cell, infected=not cell.infected) for cell in smear.objects)
    right = balanced_accuracy(network, [smear])
    assert right > 0.85
    assert balanced_accuracy(network, [Smear(smear.pixels, swapped)]) == pytest.approx(1 - right)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_constant_prediction_has_a_balanced_accuracy_of_one_half(p: float) -> None:
    class Constant:
        bundle = Predictor.load("nano").bundle

        def predict(self, crops: list[Pixels], review: bool) -> list[Prediction]:
            return [Prediction("", None, None, p, None, None) for _ in crops]

    rng = np.random.default_rng(5)
    smear = draw_smear(rng, draw_patient(rng), cells=12, infected=6)
    assert balanced_accuracy(Constant(), [smear]) == 0.5  # type: ignore[arg-type]


def test_only_whole_red_cells_count_as_true() -> None:
    field = Field("a.png", width=100, height=80)
    placed = (
        DrawnObject("red cell", 0, 0, 20, 20, False),
        DrawnObject("red cell", 80, 60, 20, 20, True),
        DrawnObject("red cell", -1, 30, 20, 20, False),
        DrawnObject("red cell", 81, 30, 20, 20, True),
        DrawnObject("red cell", 30, 61, 20, 20, True),
        DrawnObject("white cell", 30, 30, 40, 40, False),
        DrawnObject("platelet", 30, 30, 5, 5, False),
    )
    assert count_drawn([field], {"a.png": placed}) == Count(2, 1)
    assert count_drawn([], {}) == Count(0, 0)


def test_count_found_uses_red_cells_and_decisions() -> None:
    def cell(decision: str) -> Cell:
        return Cell("red cell", 0, 0, 5, 5, ((0, 0),), 1, 0.9, decision, None)

    other = SmearObject("clump", 0, 0, 5, 5, ((0, 0),))
    fields = [
        Field("a", cells=(cell("parasitized"), cell("review")), others=(other,)),
        Field("b", cells=(cell("uninfected"), cell("parasitized"))),
        Field("c"),
    ]
    assert count_found(fields) == Count(4, 2)


def test_the_parasitaemia_without_cells_is_not_known() -> None:
    assert str(Count(0, 0)) == "0 red cells, 0 infected, parasitaemia not known"
    assert str(Count(300, 12)) == "300 red cells, 12 infected, parasitaemia 4.0%"


@pytest.mark.slow
@pytest.mark.usefixtures("one_field")
def test_a_folder_that_cannot_be_made_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "slide").write_text("in the way")
    with pytest.raises(DataError, match=r"slide: can't be written \("):
        screen_synthetic_smear(PRETRAINED / "nano", tmp_path / "slide")


@pytest.mark.slow
@pytest.mark.usefixtures("one_field")
def test_demo_ends_with_the_smear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an untrained network, on few simple cells; run twice."""
    monkeypatch.setattr(demo, "write_synthetic", lambda path, *_: make_cells(path))
    monkeypatch.setattr(demo, "DEMO", Recipe(size=32, epochs=1, batch=16))
    monkeypatch.setattr(demo_smear, "write_smear", partial(write_smear, fields=1))
    out = tmp_path / "runs" / "demo"
    for _ in range(2):
        lines = succeed("demo", "--out", out).splitlines()
        *lines, last = lines
        slides = tmp_path / "runs" / "slides"
        assert last.endswith(f"hemozoin serve {slides} --open")
        assert f"Report: {out / 'report.html'}" in lines[:-3]
        assert lines[-3].startswith(f"Synthetic smear: {tmp_path / 'runs' / 'synthetic_smear'} (")
        assert "screened with nano, not the network just trained (" in lines[-3]
        assert re.match(rf"  found  {COUNTS};", lines[-2])
        assert re.match(rf"  true   {COUNTS}", lines[-1])
    made = ["demo", "slides", "synthetic_cells.zip", "synthetic_smear"]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == made
    names = sorted(path.name for path in (tmp_path / "runs" / "synthetic_smear").iterdir())
    assert names == ["field_01.png", "slide.toml", "truth.json"]
    assert {path.name for path in slides.iterdir()} == {"pictures", "synthetic-smear"}
    assert (slides / "synthetic-smear" / "slide.json").exists()


@pytest.mark.slow
def test_the_demo_learns_to_classify_drawn_cells(tmp_path: Path) -> None:
    """The real demo except for the number of threads; its metrics must stay high."""
    shown = succeed("demo", "--out", tmp_path / "demo")
    metrics = RunFolder(tmp_path / "demo").test_metrics()
    assert metrics["accuracy"] >= 0.97
    assert metrics["roc_auc"] >= 0.99
    assert "screened with" in shown
