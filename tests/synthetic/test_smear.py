"""The synthetic smear: its truth is what was drawn; the same arguments give the same pixels."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import roc_auc_score

import hemozoin
from hemozoin.arrays import Pixels
from hemozoin.errors import DataError
from hemozoin.synthetic.cell import Patient, draw_patient
from hemozoin.synthetic.smear import DrawnObject, Smear, draw_smear, write_smear

Points = npt.NDArray[np.float64]

NOTHING_ELSE: dict[str, Any] = {"white_cells": 0, "platelets": 0, "debris": 0}
EMPTY: dict[str, Any] = {"cells": 0, "infected": 0, **NOTHING_ELSE}


def draw(seed: int = 0, patient: Patient | None = None, **arguments: Any) -> Smear:
    rng = np.random.default_rng(seed)
    return draw_smear(rng, patient or draw_patient(rng), **arguments)


def plain_patient(seed: int = 0) -> Patient:
    """Return a patient under an even lamp and a noiseless camera."""
    patient = draw_patient(np.random.default_rng(seed))
    return replace(patient, light=235, vignetting=0, noise=0, tint=(1, 1, 1))


def crop(smear: Smear, drawn: DrawnObject, margin: int = 0) -> Pixels:
    top, left = max(drawn.y - margin, 0), max(drawn.x - margin, 0)
    bottom, right = drawn.y + drawn.height + margin, drawn.x + drawn.width + margin
    return smear.pixels[top : max(bottom, 0), left : max(right, 0)]


def centres(objects: tuple[DrawnObject, ...]) -> tuple[Points, Points]:
    """Return the centres of objects `[n, 2]` and their mean radii `[n]`."""
    at = np.array([(o.x + o.width / 2, o.y + o.height / 2) for o in objects])
    return at, np.array([(o.width + o.height) / 4 for o in objects])


@pytest.fixture(scope="module")
def smear() -> Smear:
    return draw(1, plain_patient(), infected=20)


@pytest.mark.slow
def test_same_arguments_same_pixels_and_truth() -> None:
    first, second, other = draw(3), draw(3), draw(4)
    assert np.array_equal(first.pixels, second.pixels)
    assert first.objects == second.objects
    assert not np.array_equal(first.pixels, other.pixels)
    assert first.objects != other.objects


@pytest.mark.slow
def test_all_requested_objects_are_there(smear: Smear) -> None:
    assert smear.pixels.shape == (960, 1280, 3)
    assert smear.pixels.dtype == np.uint8
    kinds = Counter(drawn.kind for drawn in smear.objects)
    assert kinds == {"red cell": 100, "white cell": 1, "platelet": 4, "debris": 2}
    assert sum(drawn.infected for drawn in smear.objects) == 20
    assert all(drawn.kind == "red cell" for drawn in smear.objects if drawn.infected)


def test_every_box_has_something_dark_and_the_background_is_bright(smear: Smear) -> None:
    green = smear.pixels[..., 1].astype(float)
    background = np.ones(green.shape, bool)
    for drawn in smear.objects:
        inside = crop(smear, drawn)[..., 1]
        assert inside.size
        assert inside.min() < 0.85 * 235, drawn
        top, left = max(drawn.y - 1, 0), max(drawn.x - 1, 0)
        background[top : drawn.y + drawn.height + 1, left : drawn.x + drawn.width + 1] = False
    assert background.mean() > 0.2
    assert green[background].min() > 0.87 * 235


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["red cell", "white cell", "platelet", "debris"])
def test_box_fits_the_drawn_object(kind: str) -> None:
    """The box of a single object is that of the dark pixels, within two pixels."""
    count = {"red cell": "cells", "white cell": "white_cells", "platelet": "platelets"}
    patient = replace(plain_patient(), blur=0.1)
    for seed in range(8):
        alone = draw(seed, patient, **{**EMPTY, count.get(kind, "debris"): 1}, size=(400, 400))
        (drawn,) = alone.objects
        assert drawn.kind == kind
        dark = np.argwhere(alone.pixels.mean(axis=2) < 0.92 * 235)
        box = (drawn.x, drawn.y, drawn.x + drawn.width, drawn.y + drawn.height)
        visible = np.clip(box, 0, 400)
        dark_box = np.concatenate([dark.min(axis=0)[::-1], dark.max(axis=0)[::-1] + 1])
        assert np.abs(visible - dark_box).max() <= 2


@pytest.mark.slow
def test_only_infected_cells_have_parasites() -> None:
    """Only blue cytoplasm absorbs more red light than blue light."""
    marks, infected = [], []
    for seed in range(3):
        smear = draw(seed, plain_patient(seed), infected=40, overlap=0, platelets=0)
        for cell in smear.whole_red_cells:
            density = -np.log((crop(smear, cell) + 1.0) / 256)
            absorbs_red = np.sort((density[..., 0] - density[..., 2]).ravel())
            marks.append(absorbs_red[-8:].mean() - np.median(absorbs_red))
            infected.append(cell.infected)
    assert sum(infected) == 120
    assert roc_auc_score(infected, marks) > 0.95


def test_without_overlap_the_cells_are_apart() -> None:
    cells = draw(2, cells=70, overlap=0, **NOTHING_ELSE).objects
    at, radius = centres(cells)
    for one, other in combinations(range(len(cells)), 2):
        assert np.linalg.norm(at[one] - at[other]) > 0.97 * (radius[one] + radius[other])


def test_cells_overlap_on_request() -> None:
    cells = draw(2, cells=40, overlap=1, **NOTHING_ELSE).objects
    at, radius = centres(cells)
    distance = np.linalg.norm(at[:, None] - at, axis=2) / (radius[:, None] + radius)
    np.fill_diagonal(distance, np.inf)
    nearest = distance.min(axis=1)
    assert nearest.max() < 1.25, "each touches another, or nearly does"
    assert (nearest < 0.9).mean() > 0.5
    assert nearest.min() > 0.4, "none is hidden by another"


@pytest.mark.slow
def test_densities_add_up_where_cells_overlap() -> None:
    compared = 0
    for seed in range(80):
        pair = draw(seed, plain_patient(seed), **{**EMPTY, "cells": 2}, overlap=1, size=(400, 300))
        at, radius = centres(pair.objects)
        if len(pair.whole_red_cells) < 2 or np.linalg.norm(at[0] - at[1]) > 0.8 * radius.sum():
            continue
        away = (at[0] - at[1]) / np.linalg.norm(at[0] - at[1])
        alone = (at[0] + 0.6 * radius[0] * away, at[1] - 0.6 * radius[1] * away)
        one, other = (_density(pair, spot) for spot in alone)
        between = _density(pair, (at[0] - radius[0] * away + at[1] + radius[1] * away) / 2)
        assert between == pytest.approx(one + other, rel=0.35)
        assert between > 1.3 * max(one, other)
        compared += 1
    assert compared >= 3


def _density(smear: Smear, at: Points) -> float:
    x, y = (round(value) for value in at.tolist())
    around = smear.pixels[y - 3 : y + 4, x - 3 : x + 4, 1]
    return float(-np.log(around.mean() / 235))


@pytest.mark.slow
def test_the_edge_cuts_some_cells_but_no_infected_one() -> None:
    smears = [draw(seed, infected=30) for seed in range(3)]
    cut = 0
    for smear in smears:
        whole = smear.whole_red_cells
        reds = [drawn for drawn in smear.objects if drawn.kind == "red cell"]
        cut += len(reds) - len(whole)
        assert all(crop(smear, cell).shape == (cell.height, cell.width, 3) for cell in whole)
        assert sum(cell.infected for cell in whole) == 30
        for cell in set(reds) - set(whole):
            assert crop(smear, cell).shape != (cell.height, cell.width, 3)
    assert 15 < cut < 100


@pytest.mark.slow
@pytest.mark.parametrize("diameter", [40, 80, 120])
def test_cells_have_the_requested_diameter(diameter: float) -> None:
    size = (16 * diameter, 12 * diameter)
    cells = [p for p in draw(0, size=size, diameter=diameter).objects if p.kind == "red cell"]
    sides = [(cell.width + cell.height) / 2 for cell in cells]
    assert np.median(sides) == pytest.approx(diameter, rel=0.06)
    assert np.std(sides) < 0.15 * diameter


def test_kinds_differ_in_size_and_darkness(smear: Smear) -> None:
    for white in (p for p in smear.objects if p.kind == "white cell"):
        assert min(white.width, white.height) > 95
        assert np.percentile(crop(smear, white)[..., 1], 10) < 90, "a dark nucleus"
    for platelet in (p for p in smear.objects if p.kind == "platelet"):
        assert 5 < max(platelet.width, platelet.height) < 40


@pytest.mark.slow
def test_the_patient_determines_focus_light_and_noise() -> None:
    patient = plain_patient()
    plain, soft = draw(0, patient), draw(0, replace(patient, blur=9))
    dim, noisy = draw(0, replace(patient, vignetting=0.5)), draw(0, replace(patient, noise=6))
    assert plain.objects == soft.objects == dim.objects == noisy.objects
    step = [np.abs(np.diff(s.pixels[..., 1].astype(int), axis=1)) for s in (plain, soft, noisy)]
    assert np.percentile(step[1], 99) < 0.5 * np.percentile(step[0], 99)
    assert np.median(step[2]) > 3 + np.median(step[0])
    corner, middle = (slice(0, 60), slice(0, 60)), (slice(400, 560), slice(560, 720))
    fall = [s.pixels[corner].max() / s.pixels[middle].max() for s in (plain, dim)]
    assert fall[1] < fall[0] - 0.25


def test_an_empty_field_is_bright() -> None:
    empty = draw(0, **EMPTY)
    assert empty.objects == empty.whole_red_cells == ()
    assert empty.pixels.min() > 120
    assert empty.pixels.mean() > 170


@pytest.mark.slow
def test_a_crowded_field_is_drawn() -> None:
    crowd = draw(0, plain_patient(), size=(320, 240), cells=150, infected=150, overlap=0.5)
    assert sum(drawn.infected for drawn in crowd.objects) == 150
    assert (crowd.pixels[..., 1] < 200).mean() > 0.9


@pytest.mark.slow
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    cells=st.integers(0, 6),
    overlap=st.floats(0, 1),
    diameter=st.floats(10, 150),
)
@settings(max_examples=40)
def test_any_size_has_the_requested_objects(
    seed: int, size: tuple[int, int], cells: int, overlap: float, diameter: float
) -> None:
    """Each object is partly in the picture, even if the picture is smaller than the object."""
    arguments: dict[str, Any] = {"cells": cells, "infected": cells // 2, "platelets": 2}
    smear = draw(seed, size=size, overlap=overlap, diameter=diameter, **arguments)
    assert smear.pixels.shape == (size[1], size[0], 3)
    kinds = Counter(drawn.kind for drawn in smear.objects)
    assert (kinds["red cell"], kinds["platelet"]) == (cells, 2)
    assert sum(drawn.infected for drawn in smear.objects) == cells // 2
    for drawn in smear.objects:
        assert min(drawn.width, drawn.height) > 0
        assert crop(smear, drawn, margin=1).size, drawn


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cells": 3, "infected": 4}, "infected is 4; give 0 to cells, 3"),
        ({"infected": -1}, "infected is -1"),
        ({"cells": -1, "infected": 0}, "cells is -1; give 0 or more"),
        ({"white_cells": -1}, "white_cells is -1"),
        ({"platelets": -2}, "platelets is -2"),
        ({"debris": -1}, "debris is -1"),
        ({"overlap": 1.1}, r"overlap is 1\.1; give 0 to 1"),
        ({"overlap": float("nan")}, "overlap is nan"),
        ({"diameter": 9}, "diameter is 9; give 10 px or more"),
        ({"diameter": float("nan")}, "diameter is nan"),
        ({"size": (0, 100)}, "size is"),
    ],
)
def test_impossible_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(0, **arguments)


@pytest.mark.slow
def test_hundred_cells_are_drawn_in_less_than_three_seconds() -> None:
    draw(0)
    started = time.process_time()
    draw(1)
    assert time.process_time() - started < 3


@pytest.mark.slow
def test_the_nano_network_recognizes_drawn_parasites() -> None:
    """This is no metric of a smear: it shows that the drawn cells make sense to a network."""
    crops, infected = [], []
    for seed in range(4):
        smear = draw([9, seed], infected=20)  # type: ignore[arg-type]
        crops += [crop(smear, cell, margin=4) for cell in smear.whole_red_cells]
        infected += [cell.infected for cell in smear.whole_red_cells]
    found = hemozoin.load("nano").predict(crops)
    assert roc_auc_score(infected, [prediction.p_parasitized for prediction in found]) > 0.95
    called = np.array([prediction.label == "parasitized" for prediction in found])
    assert called[np.array(infected)].mean() > 0.8
    assert called[~np.array(infected)].mean() < 0.15


# ---- the folder --------------------------------------------------------------------------------


def test_slide_is_written_with_its_truth(tmp_path: Path) -> None:
    truth = write_smear(tmp_path / "new" / "slide", fields=2, seed=5, cells=12, infected=2)
    folder = tmp_path / "new" / "slide"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("field_01.png", "field_02.png", "truth.json"),
    ]
    listed = json.loads((folder / "truth.json").read_text())
    assert listed == {name: [asdict(drawn) for drawn in objects] for name, objects in truth.items()}
    assert list(truth) == ["field_01.png", "field_02.png"]
    for name, objects in truth.items():
        with Image.open(folder / name) as picture:
            assert (picture.size, picture.mode) == ((1280, 960), "RGB")
        assert sum(drawn.kind == "red cell" for drawn in objects) == 12
        assert sum(drawn.infected for drawn in objects) == 2
    assert truth["field_01.png"] != truth["field_02.png"]


@pytest.mark.slow
def test_same_seed_same_slide(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("second", 1), ("other", 2)):
        write_smear(tmp_path / name, fields=1, seed=seed, cells=5, infected=1)
    first, second, other = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("first", "second", "other")
    )
    assert first == second
    assert all(first[name] != other[name] for name in first)


def test_unwritable_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"slide: can't be written \("):
        write_smear(tmp_path / "file" / "slide", fields=1, cells=1, infected=0)
