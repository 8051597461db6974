"""Bodies are found where they lie, at any scale, and told apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hemozoin.smear.bodies import find_bodies
from hemozoin.smear.field import Body
from hemozoin.synthetic.cell import draw_patient
from hemozoin.synthetic.smear import Placed, Smear, draw_smear


@pytest.fixture(scope="module")
def smear() -> Smear:
    """Return a drawn field with 60 red cells, 2 white cells and 4 platelets."""
    rng = np.random.default_rng(5)
    return draw_smear(rng, draw_patient(rng), cells=60, infected=3, white_cells=2, platelets=4)


def picture_of(smear: Smear) -> Image.Image:
    return Image.fromarray(smear.pixels)


def overlap(a: Body | Placed, b: Body | Placed) -> float:
    """Return the share of both boxes that they have in common, 0..1."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    both = max(0, width) * max(0, height)
    return both / (a.width * a.height + b.width * b.height - both)


def found_share(smear: Smear, bodies: list[Body]) -> float:
    """Return the share of the whole red cells that one of the bodies lies on."""
    whole = [placed for placed in smear.placed if placed.kind == "red cell" and is_inside(placed)]
    return float(np.mean([any(overlap(cell, body) > 0.5 for body in bodies) for cell in whole]))


def is_inside(placed: Placed) -> bool:
    right, bottom = placed.x + placed.width, placed.y + placed.height
    return placed.x > 8 and placed.y > 8 and right < 1272 and bottom < 952


def scaled(body: Body, by: float) -> Body:
    x, y, width, height = (round(v * by) for v in (body.x, body.y, body.width, body.height))
    return replace(body, x=x, y=y, width=width, height=height)


def red(bodies: tuple[Body, ...]) -> list[Body]:
    return [body for body in bodies if body.kind == "red cell"]


@pytest.mark.parametrize("zoom", [0.5, 1, 2])
def test_red_cells_are_found_at_any_scale(smear: Smear, zoom: float) -> None:
    picture = picture_of(smear)
    size = (round(picture.width * zoom), round(picture.height * zoom))
    found = find_bodies(picture.resize(size, Image.Resampling.LANCZOS))
    back = [scaled(body, 1 / zoom) for body in red(found.bodies)]
    assert found_share(smear, back) > 0.8
    usual = np.median([p.width for p in smear.placed if p.kind == "red cell"])
    assert found.diameter / zoom == pytest.approx(usual, rel=0.25)


def test_few_red_cells_are_made_up(smear: Smear) -> None:
    bodies = red(find_bodies(picture_of(smear)).bodies)
    true = [placed for placed in smear.placed if placed.kind == "red cell"]
    made_up = [b for b in bodies if not any(overlap(b, cell) > 0.4 for cell in true)]
    assert len(made_up) < 0.05 * len(bodies)


def test_white_cells_are_no_red_cells(smear: Smear) -> None:
    bodies = find_bodies(picture_of(smear)).bodies
    white = [body for body in bodies if body.kind == "white cell"]
    assert 1 <= len(white) <= 3
    for placed in smear.placed:
        if placed.kind == "white cell":
            assert not any(overlap(placed, body) > 0.5 for body in red(bodies))


def test_a_red_cell_lies_whole_in_the_picture(smear: Smear) -> None:
    found = find_bodies(picture_of(smear))
    assert any(body.kind == "cut by the edge" for body in found.bodies)
    for body in red(found.bodies):
        assert body.x >= 0 and body.x + body.width <= 1280
        assert body.y >= 0 and body.y + body.height <= 960
        assert all(body.x - 3 <= x <= body.x + body.width + 3 for x, _ in body.outline)


def test_uneven_light_and_a_tint_change_little(smear: Smear) -> None:
    shade = np.linspace(0.55, 1, 1280)[None, :, None] * np.array([1, 0.9, 0.8])
    uneven = Image.fromarray((smear.pixels * shade).astype(np.uint8))
    assert found_share(smear, red(find_bodies(uneven).bodies)) > 0.75


def test_the_diameter_can_be_forced(smear: Smear) -> None:
    picture = picture_of(smear)
    diameter = find_bodies(picture).diameter
    assert found_share(smear, red(find_bodies(picture, diameter).bodies)) > 0.8


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_has_no_cells(level: int) -> None:
    assert red(find_bodies(Image.new("RGB", (640, 480), (level,) * 3)).bodies) == []


def test_noise_and_stripes_end_without_an_error() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    find_bodies(Image.fromarray(noise))
    find_bodies(
        Image.fromarray(np.tile(np.repeat([[0], [255]], 20, 0), (12, 640)).astype("uint8")).convert(
            "RGB"
        )
    )
