"""Shapes of regions: right for known figures, and exact when they are added."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hemozoin.arrays import Levels
from hemozoin.smear.segmentation.regions import boxes_of, components
from hemozoin.smear.segmentation.shape import measure_shape, trace_outline


def ellipse(axes: tuple[int, int], angle: float) -> Levels:
    sheet = np.zeros((120, 160), np.uint8)
    cv2.ellipse(sheet, (80, 60), axes, angle, 0, 360, 255, -1)
    return sheet


@pytest.mark.parametrize(("axes", "angle"), [((40, 40), 0), ((50, 25), 0), ((50, 25), 37)])
def test_an_ellipse(axes: tuple[int, int], angle: float) -> None:
    shape = measure_shape(ellipse(axes, angle), (0, 0, 160, 120))
    assert shape.area == pytest.approx(np.pi * axes[0] * axes[1], rel=0.05)
    assert shape.elongation == pytest.approx(axes[0] / axes[1], rel=0.03)
    assert 0.97 < shape.solidity <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (4, 6)])
def test_a_rectangle_fills_its_hull(size: tuple[int, int]) -> None:
    shape = measure_shape(np.full(size, 255, np.uint8), (3, 5, size[1], size[0]))
    assert shape.solidity == 1
    assert shape.elongation == pytest.approx(max(size) / min(size))
    assert shape.box == (3, 5, size[1], size[0])


def test_the_sum_of_two_shapes_is_the_shape_of_both() -> None:
    rng = np.random.default_rng(0)
    both = (cv2.blur(rng.integers(0, 256, (60, 80)).astype(np.uint8), (9, 9)) > 128) * np.uint8(255)
    one, other = both.copy(), both.copy()
    one[:, 40:], other[:, :40] = 0, 0
    box = (0, 0, 80, 60)
    added, whole = measure_shape(one, box) + measure_shape(other, box), measure_shape(both, box)
    assert (added.area, added.sums, added.box) == (whole.area, whole.sums, whole.box)
    assert (added.solidity, added.elongation) == (whole.solidity, whole.elongation)


def test_boxes_of_labels() -> None:
    found = components(ellipse((20, 10), 30) | np.eye(120, 160, 100, dtype=np.uint8) * 255)
    boxes = boxes_of(found.labels, len(found.boxes) - 1)
    assert boxes[1:] == found.boxes[1:]


@pytest.mark.parametrize("scale", [0.8, 1.0, 2.6])
def test_an_outline_encloses_its_region(scale: float) -> None:
    mask = ellipse((40, 25), 20)
    outline = np.array(trace_outline(mask[10:110, 20:140], (20, 10, 120, 100), scale))
    drawn = np.zeros((round(120 * scale), round(160 * scale)), np.uint8)
    cv2.fillPoly(drawn, [outline], 255)
    back = cv2.resize(drawn, (160, 120), interpolation=cv2.INTER_AREA) > 127
    assert (back & (mask > 0)).sum() / (back | (mask > 0)).sum() > 0.95
