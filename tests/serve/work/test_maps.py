"""Maps of why for the cells of a slide: those of the network that screened it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemozoin.errors import DataError, RunError
from hemozoin.model.predictor import Predictor
from hemozoin.model.saliency import activation_maps
from hemozoin.model.saliency_card import overlay_map
from hemozoin.serve.slide_files import SlideFiles
from hemozoin.serve.work import maps as module
from hemozoin.serve.work.maps import CellMaps
from hemozoin.smear.classification.recalibration import shifted
from hemozoin.smear.execution.run import screen_slides
from hemozoin.smear.picture import decode_field
from hemozoin.smear.screen import Screener
from tests.support.smears import make_fields

FIELD = "1.png"


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> SlideFiles:
    """Return a screened slide of one field, beside its picture."""
    folder = tmp_path_factory.mktemp("slide")
    screen_slides([make_fields(folder / "pictures", FIELD)], folder / "out")
    return SlideFiles(folder / "out", folder / "pictures")


@pytest.fixture
def maps() -> Iterator[CellMaps]:
    opened = CellMaps("nano")
    yield opened
    opened.close()


@pytest.mark.slow
def test_the_map_is_of_what_the_network_saw(slide: SlideFiles, maps: CellMaps) -> None:
    png = maps.map(slide, FIELD, 2)
    predictor = Predictor.load("nano")
    picture = slide.own_picture(FIELD)
    assert picture
    field = decode_field(picture.read_bytes(), FIELD)
    screener = Screener(predictor)
    pixels = screener.network_input(field)(screener(field).cells[1])
    (log_odds,) = activation_maps(predictor, pixels[None])
    found = np.asarray(Image.open(io.BytesIO(png))).astype(int)
    assert np.abs(found - overlay_map(pixels, log_odds)).max() <= 1
    assert maps.map(slide, FIELD, 2) == png


@pytest.mark.slow
def test_a_cell_of_a_recalibrated_field_has_a_map(
    slide: SlideFiles, maps: CellMaps, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, shift = slide.cell(FIELD, 2)
    assert saved is not None
    lowered = {**saved, "p_parasitized": shifted(saved["p_parasitized"], 1.5)}
    monkeypatch.setattr(SlideFiles, "cell", lambda *_: (lowered, shift + 1.5))
    assert maps.map(slide, FIELD, 2).startswith(b"\x89PNG")


@pytest.mark.slow
def test_what_has_no_map_says_why(
    slide: SlideFiles, maps: CellMaps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="there is no cell 999"):
        maps.map(slide, FIELD, 999)
    with pytest.raises(DataError, match="there is no cell 1 in field 'x'"):
        maps.map(slide, "x", 1)
    with pytest.raises(DataError, match="the pictures of this slide are elsewhere"):
        maps.map(SlideFiles(slide.results, tmp_path), FIELD, 1)
    saved, _ = slide.cell(FIELD, 1)
    assert saved is not None
    other = {**saved, "p_parasitized": 0.5}  # as if another network had screened it
    monkeypatch.setattr(SlideFiles, "cell", lambda *_: (other, 0.0))
    with pytest.raises(DataError, match="screened with another network or diameter"):
        maps.map(slide, FIELD, 1)


@pytest.mark.slow
def test_a_process_that_has_ended_is_started_again(slide: SlideFiles, maps: CellMaps) -> None:
    maps.map(slide, FIELD, 1)
    assert maps._process
    maps._process.kill()
    assert maps.map(slide, FIELD, 2).startswith(b"\x89PNG")


def test_a_process_that_cannot_answer(
    slide: SlideFiles, maps: CellMaps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_EXPLAINER", "tests.support.no_such_module")
    with pytest.raises(RunError, match="the process that computes the map died"):
        maps.map(slide, FIELD, 1)


def test_a_map_that_takes_too_long(
    slide: SlideFiles, maps: CellMaps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_EXPLAINER", "tests.support.hangs")
    monkeypatch.setattr(module, "_PATIENCE", 0.5)
    with pytest.raises(RunError, match="the process that computes the map died"):
        maps.map(slide, FIELD, 1)
