"""Real fields: what the benchmark measures stays, within what a change elsewhere may move."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import hemozoin
from fields import Score, add, figures
from hemozoin.smear.field import SmearObject
from hemozoin.smear.screen import Screener
from hemozoin.smear.segmentation.objects import segment


@pytest.mark.real
@pytest.mark.slow
def test_cells_that_people_marked_are_found_and_told(real_fields: Path) -> None:
    predictor, score = hemozoin.load("nano"), Score()
    screener = Screener(predictor)
    for one in json.loads((real_fields / "iml" / "annotations.json").read_text()):
        picture = Image.open(real_fields / "iml" / one["image"]).convert("RGB")
        add(score, screener(picture).cells, one["cells"], picture.size)
    found = figures(score, predictor.bundle.threshold.value)
    assert float(str(found["f1"])) > 0.925
    assert float(str(found["counts_within_10_percent"])) > 0.8
    assert int(str(found["infected_not_found"])) <= 3
    assert float(str(found["sensitivity"])) > 0.85
    assert float(str(found["specificity"])) > 0.975
    assert float(str(found["auc"])) > 0.98


@pytest.mark.real
def test_white_cells_of_another_camera_are_known(real_fields: Path) -> None:
    marked = known = called = 0
    for one in json.loads((real_fields / "bccd" / "annotations.json").read_text()):
        picture = Image.open(real_fields / "bccd" / one["image"]).convert("RGB")
        white = [b for b in segment(picture).bodies if b.kind == "white cell"]
        boxes = [mark["box"] for mark in one["cells"] if mark["type"] == "WBC"]
        inside = [[is_inside(body, box) for body in white] for box in boxes]
        marked, called = marked + len(boxes), called + len(white)
        known += sum(any(row) for row in inside)
    assert known >= 0.9 * marked
    assert called <= known + 3


def is_inside(body: SmearObject, box: list[float]) -> bool:
    """Tell whether a body's middle lies in a box [x, y, width, height]."""
    x, y = body.x + body.width / 2, body.y + body.height / 2
    return box[0] < x < box[0] + box[2] and box[1] < y < box[1] + box[3]
