"""Synthetic cells: the layout of NLM's file; only form and colour distinguish the classes."""

from __future__ import annotations

import errno
import io
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from hemozoin.arrays import Pixels
from hemozoin.data.index import index_cells
from hemozoin.data.preprocess import Preprocessing, prepare
from hemozoin.data.source import open_source
from hemozoin.errors import DataError
from hemozoin.synthetic import dataset
from hemozoin.synthetic.cell import draw_cell, draw_patient
from hemozoin.synthetic.dataset import write_synthetic

PATIENTS, CELLS = 12, 40
STATISTICS = ("width", "height", "area", "red", "green", "blue", "darkest", "contrast")


@dataclass(frozen=True)
class Drawn:
    """What was written: the zip, its cells, which are infected, and the patient of each."""

    path: Path
    cells: list[Pixels]
    infected: npt.NDArray[np.bool_]
    patient: npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    path = tmp_path_factory.mktemp("synthetic") / "cells.zip"
    assert write_synthetic(path, PATIENTS, CELLS, seed=1) == PATIENTS * CELLS
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        cells = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in names]
    numbers = [int(re.findall(r"/C(\d+)P", name)[0]) for name in names]
    return Drawn(path, cells, np.array(["/Parasitized/" in n for n in names]), np.array(numbers))


@pytest.mark.slow
def test_layout_is_that_of_nlm(drawn: Drawn) -> None:
    with zipfile.ZipFile(drawn.path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    folders = Counter(name.rsplit("/", 1)[0] for name in names if name.endswith(".png"))
    half = PATIENTS * CELLS // 2
    assert folders == {"cell_images/Parasitized": half, "cell_images/Uninfected": half}
    assert {n for n in names if not n.endswith(".png")} == {f"{f}/Thumbs.db" for f in folders}
    pattern = r"C(\d+)P\1Synthetic_IMG_20260101_000000_cell_\d+\.png"
    assert all(re.fullmatch(pattern, n.rsplit("/", 1)[1]) for n in names if n.endswith(".png"))


@pytest.mark.slow
def test_index_finds_each_cell_and_patient(drawn: Drawn) -> None:
    cells = index_cells(open_source(drawn.path))
    assert len(cells) == PATIENTS * CELLS
    assert set(cells.patient) == {f"C{number}" for number in range(1, PATIENTS + 1)}
    assert set(Counter(cells.label).values()) == {PATIENTS * CELLS // 2}


def test_the_number_of_a_cell_does_not_show_its_class(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "cells.zip", patients=1, cells_per_patient=40)
    with zipfile.ZipFile(tmp_path / "cells.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
    number = [int(re.findall(r"_(\d+)\.png", name)[0]) for name in names]
    assert 0.2 < roc_auc_score(["Parasitized" in name for name in names], number) < 0.8


def test_odd_numbers_of_cells_are_divided_evenly(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "cells.zip", patients=2, cells_per_patient=1)
    counts = Counter(index_cells(open_source(tmp_path / "cells.zip")).label)
    assert [*counts.values()] == [1, 1]


@given(seed=st.integers(0, 2**32 - 1), infected=st.booleans())
@settings(max_examples=60, deadline=None)
def test_cell_fills_its_box_and_is_black_around(seed: int, infected: bool) -> None:
    rng = np.random.default_rng(seed)
    cell = draw_cell(rng, draw_patient(rng), infected)
    assert cell.dtype == np.uint8
    assert all(90 <= length <= 180 for length in cell.shape[:2])
    inside = cell.max(axis=2) > 0
    assert cell[inside].min() >= 16
    assert 0.45 < inside.mean() < 0.9
    assert all(side.any() for side in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
    assert not inside[[0, 0, -1, -1], [0, -1, 0, -1]].all()


@pytest.mark.slow
def test_same_seed_same_file_in_another_process(tmp_path: Path) -> None:
    here, there = tmp_path / "here.zip", tmp_path / "there.zip"
    write_synthetic(here, 3, 5, seed=1)
    code = (
        "from pathlib import Path; from hemozoin.synthetic.dataset import write_synthetic;"
        f"write_synthetic(Path({str(there)!r}), 3, 5, seed=1)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert here.read_bytes() == there.read_bytes()


@pytest.mark.slow
def test_another_seed_gives_other_cells(drawn: Drawn, tmp_path: Path) -> None:
    write_synthetic(tmp_path / "other.zip", 2, 2, seed=2)
    with zipfile.ZipFile(tmp_path / "other.zip") as other, zipfile.ZipFile(drawn.path) as first:
        shared = {n for n in other.namelist() if n.endswith(".png")} & set(first.namelist())
        assert shared
        assert all(other.read(name) != first.read(name) for name in shared)


@pytest.fixture(scope="module")
def statistics(drawn: Drawn) -> dict[str, npt.NDArray[np.float64]]:
    table = np.array([_statistics(cell) for cell in drawn.cells])
    return dict(zip(STATISTICS, table.T, strict=True))


def _statistics(cell: Pixels) -> tuple[float, ...]:
    pixels = cell[cell.max(axis=2) > 0].astype(float)
    darkest = pixels.mean(axis=1).min()
    height, width = cell.shape[:2]
    return width, height, len(pixels), *pixels.mean(axis=0), darkest, darkest / pixels.mean()


@pytest.mark.slow
@pytest.mark.parametrize("name", STATISTICS)
def test_classes_are_matched_in_simple_statistics(
    drawn: Drawn, statistics: dict[str, npt.NDArray[np.float64]], name: str
) -> None:
    assert 0.38 < roc_auc_score(drawn.infected, statistics[name]) < 0.62


@pytest.mark.slow
def test_each_patient_has_a_stain_and_light(
    drawn: Drawn, statistics: dict[str, npt.NDArray[np.float64]]
) -> None:
    """Cells of one patient are similar in colour, cells of different patients are not."""
    warmth = statistics["red"] / statistics["green"]
    own = [warmth[drawn.patient == patient] for patient in range(1, PATIENTS + 1)]
    assert np.std([values.mean() for values in own]) > 2 * np.mean([v.std() for v in own])


def _small(drawn: Drawn) -> npt.NDArray[np.float64]:
    size_32 = Preprocessing(size=32)
    cells = [prepare(Image.fromarray(cell), size_32) for cell in drawn.cells]
    return np.stack(cells).astype(float)


def _own_density(small: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Optical density relative to the cell's own mean: `[cells, 32, 32, 3]`."""
    inside = small.max(axis=3, keepdims=True) > 8
    density = -np.log((small + 1) / 256)
    own = (density * inside).sum((1, 2), keepdims=True) / inside.sum((1, 2), keepdims=True)
    relative: npt.NDArray[np.float64] = (density - own) * inside
    return relative


@pytest.mark.slow
@pytest.mark.parametrize("features", ["rgb", "density"])
def test_linear_classifier_fails_on_other_patients(drawn: Drawn, features: str) -> None:
    small = _small(drawn)
    inputs = small / 255 if features == "rgb" else _own_density(small)
    inputs = inputs.reshape(len(small), -1)
    tested = drawn.patient % 3 == 0
    linear = LogisticRegression(C=0.1, max_iter=300)
    linear.fit(inputs[~tested], drawn.infected[~tested])
    assert linear.score(inputs[tested], drawn.infected[tested]) < 0.78


@pytest.mark.slow
def test_blue_cytoplasm_distinguishes_the_classes(drawn: Drawn) -> None:
    """The labels fit the pictures: a parasite absorbs more red light than blue light."""
    density = _own_density(_small(drawn))
    absorbs_red = (density[..., 0] - density[..., 2]).reshape(len(density), -1)
    mark = np.sort(absorbs_red, axis=1)[:, -8:].mean(axis=1)
    assert roc_auc_score(drawn.infected, mark) > 0.9


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_if_writing_fails_the_old_file_stays_and_nothing_else_is_left(
    failure: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "cells.zip"
    out.write_bytes(b"old")
    written = []

    def fail_at_the_third(cell: Pixels) -> bytes:
        written.append(cell)
        if len(written) == 3:
            assert len(list(tmp_path.iterdir())) == 2, "not written under another name"
            raise failure
        return b"png"

    monkeypatch.setattr(dataset, "png", fail_at_the_third)
    expected = DataError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_synthetic(out, patients=1, cells_per_patient=5)
    assert [path.name for path in tmp_path.iterdir()] == ["cells.zip"]
    assert out.read_bytes() == b"old"


def test_an_unwritable_path_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cells\.zip: can't be written \("):
        write_synthetic(tmp_path / "file" / "cells.zip", 1, 2)
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(DataError, match=r"folder\.zip: can't be written \("):
        write_synthetic(tmp_path / "folder.zip", 1, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.zip"]
