"""Class-activation maps: their mean is the log odds, and their maximum is on the parasite."""

from __future__ import annotations

import re
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemozoin.arrays import Floats, Pixels
from hemozoin.data.preprocess import prepare
from hemozoin.errors import RunError
from hemozoin.files import is_free
from hemozoin.model import saliency_card
from hemozoin.model.prediction import DetailedPrediction, Prediction
from hemozoin.model.predictor import Predictor
from hemozoin.model.saliency import activation_maps
from hemozoin.model.saliency_card import (
    LIMIT,
    draw_saliency_card,
    overlay_map,
    write_saliency_cards,
)
from tests.conftest import draw_cell, make_zip, png
from tests.support.commands import refused, succeed, tree

VIOLET, ORANGE = [84, 39, 136], [230, 97, 1]
PREDICTION = Prediction("C1P1_cell_1", "parasitized", "parasitized", 0.973, None, "C1P1_cell_1.png")


@pytest.fixture(scope="module")
def predictor(learned_run: Path) -> Predictor:
    return Predictor.load(learned_run / "model")


def cells(count: int, infected: bool, predictor: Predictor) -> Pixels:
    rng = np.random.default_rng(5)
    drawn = [draw_cell(rng, infected) for _ in range(count)]
    return np.stack([prepare(cell, predictor.bundle.preprocessing) for cell in drawn])


@pytest.fixture(scope="module")
def infected(predictor: Predictor) -> Pixels:
    return cells(24, infected=True, predictor=predictor)


@pytest.fixture(scope="module")
def maps(predictor: Predictor, infected: Pixels) -> Floats:
    return activation_maps(predictor, infected)


@pytest.mark.slow
def test_the_mean_of_a_map_is_the_log_odds(
    predictor: Predictor, infected: Pixels, maps: Floats
) -> None:
    assert maps.shape == infected.shape[:3]
    assert maps.dtype == np.float32
    output = predictor.output(infected)
    coarse = output.map.mean(axis=(1, 2))
    assert np.ptp(coarse) > 0.5  # otherwise the comparison would prove little
    assert maps.mean(axis=(1, 2), dtype=np.float64) == pytest.approx(coarse, abs=1e-4)
    p, temperature = (
        output.p_parasitized.astype(np.float64),
        predictor.bundle.weights["temperature"],
    )
    assert np.log(p / (1 - p)) * temperature == pytest.approx(coarse, abs=1e-3)


@pytest.mark.slow
def test_the_maximum_of_a_map_is_on_the_parasite(infected: Pixels, maps: Floats) -> None:
    """By chance it would be in about 1 of 25 cells, the share of the parasite in the area."""
    parasite = infected.max(axis=3) * (infected[..., 1] < 110) > 0
    inside = infected.max(axis=3) > 0
    assert (parasite.sum(axis=(1, 2)) / inside.sum(axis=(1, 2))).mean() < 0.08
    highest = np.where(inside, maps, -np.inf).reshape(len(maps), -1).argmax(axis=1)
    hits = parasite.reshape(len(maps), -1)[np.arange(len(maps)), highest]
    assert hits.mean() > 0.7
    on, off = (maps[mask].mean() for mask in (parasite, inside & ~parasite))
    assert on > 10 > abs(off)


@pytest.mark.slow
def test_a_map_does_not_depend_on_the_batch(
    predictor: Predictor, infected: Pixels, maps: Floats
) -> None:
    alone = activation_maps(predictor, infected[3:4])
    assert alone[0] == pytest.approx(maps[3], abs=1e-2)
    assert np.array_equal(alone, activation_maps(predictor, infected[3:4]))


@pytest.mark.slow
def test_no_cells_and_a_black_picture(predictor: Predictor, infected: Pixels) -> None:
    assert activation_maps(predictor, infected[:0]).shape == (0, *infected.shape[1:3])
    blank = np.zeros_like(infected[:1])
    (log_odds,) = activation_maps(predictor, blank)
    expected = predictor.output(blank).map.mean()
    assert log_odds == pytest.approx(np.full_like(log_odds, expected), abs=1e-4)


# ---- saliency cards -----------------------------------------------------------------------------


def test_colours() -> None:
    """Grey at 0, full colour from ±LIMIT, linear between, black outside the cell."""
    cell = np.full((1, 6, 3), 160, np.uint8)
    cell[0, 5] = 0
    values = np.array([[0, LIMIT, 9 * LIMIT, -LIMIT, LIMIT / 2, LIMIT]], np.float32)
    neutral, *ends, half, outside = overlay_map(cell, values)[0].astype(int).tolist()
    assert neutral == [184, 184, 184]
    assert ends == [VIOLET, VIOLET, ORANGE]
    assert half == pytest.approx((np.array(neutral) + VIOLET) / 2, abs=1)
    assert outside == [0, 0, 0]


def test_a_card_has_the_cell_and_its_map_side_by_side() -> None:
    cell = np.full((64, 64, 3), (200, 150, 160), np.uint8)
    log_odds = np.full((64, 64), -2.0 * LIMIT, np.float32)
    card = draw_saliency_card(cell, log_odds, PREDICTION)
    assert card.size == (700, 496)
    shown = np.asarray(card)
    assert shown[180, 180].tolist() == [200, 150, 160]
    assert shown[180, 520].tolist() == ORANGE
    assert shown[180, 350].tolist() == [255] * 3
    scale = shown[440]
    assert scale[21] == pytest.approx(np.array(ORANGE), abs=2)
    assert scale[678] == pytest.approx(np.array(VIOLET), abs=2)
    assert (shown[365:430] < 100).any()  # text


def test_a_long_name_stays_on_the_card() -> None:
    cell, log_odds = np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), np.float32)
    name = "x" * 30_000 + "\nend"
    long = draw_saliency_card(
        cell, log_odds, Prediction(name, "uninfected", "review", 0.4, "reason", None)
    )
    shown = np.asarray(long)
    assert long.size == (700, 496)
    assert (shown[365:390, 20:670] < 100).any()
    assert (shown[360:, 682:] == 255).all()


# ---- a folder of cards --------------------------------------------------------------------------


@pytest.mark.slow
def test_a_card_for_each_row_and_the_same_table(tmp_path: Path, learned_run: Path) -> None:
    """Equal names in two folders, names invalid on other systems, and a bad picture."""
    cell = png(draw_cell(np.random.default_rng(1), infected=True))
    names = ["a/cell.png", "b/cell.png", "c/b\u00e4d.png", "d/a:*?\n.png", f"e/{'x' * 240}.png"]
    pictures = dict.fromkeys(names, cell) | {"c/b\u00e4d.png": b"no picture"}
    data, out = make_zip(tmp_path / "cells.zip", pictures), tmp_path / "deep" / "why"
    command = ("predict", data, "--model", learned_run / "model")
    assert succeed(*command, "--explain", out) == succeed(*command)
    files = sorted(file.name for file in out.iterdir())
    assert files == [
        "00001_cell.png",
        "00002_cell.png",
        "00004_a_.png",
        f"00005_{'x' * 100}.png",
    ]
    for file in files:
        with Image.open(out / file) as card:
            assert card.size == (700, 496)


@pytest.mark.slow
def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path, learned_run: Path) -> None:
    data, model = learned_run.parent / "cells.zip", learned_run / "model"
    (tmp_path / "why").mkdir()
    (tmp_path / "why" / "mine.txt").write_text("mine")
    before = tree(tmp_path)
    command = ("predict", data, "--model", model, "--out", tmp_path / "x.csv", "--explain")
    assert "--explain" in refused(*command, tmp_path / "why")
    assert "--explain" in refused(*command, tmp_path / "why" / "mine.txt")
    refused(*command[:-2], tmp_path / "x.xlsx", "--explain", tmp_path / "new")
    assert tree(tmp_path) == before


@pytest.mark.slow
def test_predictions_are_taken_one_at_a_time(
    tmp_path: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saliency_card, "to_png", lambda card: b"")
    prediction, taken = DetailedPrediction(PREDICTION, np.zeros((32, 32, 3), np.uint8)), count()
    predictions = (prediction for _ in taken)
    with write_saliency_cards(predictions, predictor, tmp_path) as written:
        for row, _ in enumerate(islice(written, 20), 1):
            assert len(list(tmp_path.glob("*.png"))) == row
        assert is_free(tmp_path)  # as long as it is not finished
    assert next(taken) == 20
    assert len(list(tmp_path.iterdir())) == 20
    with pytest.raises(RunError), write_saliency_cards(predictions, predictor, tmp_path):
        pass


def test_the_gallery_of_a_report_has_the_maps(finished_run: Path) -> None:
    """An untrained network makes enough mistakes."""
    page = (finished_run / "report.html").read_text(encoding="utf-8")
    mistakes = re.findall(r"<li>\s*(?:<img[^>]*>\s*){2}<b>p", page)
    assert mistakes
    assert page.count("<img ") == 2 * len(mistakes)
    assert len(set(re.findall(r'src="(data:image[^"]*)"', page))) == 2 * len(mistakes)
    assert "class-activation map" in page
