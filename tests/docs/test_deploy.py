"""The programs of docs/deploy.md decide as `hemozoin predict` does; they run without hemozoin."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.data.cutout import find_cell, with_weaker_stain
from hemozoin.data.picture import decode_cell
from hemozoin.data.source import open_source
from hemozoin.model.predictor import Predictor
from hemozoin.model.registry import pretrained_folder
from microscope import marked_cells
from tests.conftest import draw_cell
from tests.support.commands import quiet

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")

#: Runs a program in a folder and returns its output.
Run = Callable[[Path, Sequence[str]], str]

#: Makes an import of hemozoin fail.
WITHOUT_HEMOZOIN = 'import sys; sys.modules["hemozoin"] = None\n'


def program(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def run_python(folder: Path, files: Sequence[str]) -> str:
    code = WITHOUT_HEMOZOIN + program("python")
    return _output([sys.executable, "-c", code, *files], folder)


def run_node(folder: Path, files: Sequence[str]) -> str:
    (folder / "cell.mjs").write_text(program("js"), encoding="utf-8")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return _output(["node", "cell.mjs", *files], folder)


def _output(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=quiet(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


no_node = pytest.mark.skipif(
    not shutil.which("node") or not (ROOT / "node_modules" / "onnxruntime-web").is_dir(),
    reason="needs Node, and `npm install --no-save onnxruntime-web` in this folder",
)
RUNS = [run_python, pytest.param(run_node, marks=no_node)]


def require_same_answers(
    run: Run, folder: Path, on_black: Sequence[Pixels], pictures: Sequence[Pixels]
) -> None:
    """Compare a program on pictures on black with `Predictor` on the pictures themselves."""
    files = [f"{number}.ppm" for number in range(len(pictures))]
    for name, pixels in zip(files, on_black, strict=True):
        Image.fromarray(pixels).save(folder / name)
    shutil.copy(pretrained_folder("nano") / "cell.onnx", folder)
    rows = list(csv.reader(run(folder, files).splitlines()))
    predictions = Predictor.load("nano").predict(list(pictures))
    assert [row[0] for row in rows] == files
    assert [row[2] for row in rows] == [
        prediction.reason or prediction.decision for prediction in predictions
    ]
    p = np.array([prediction.p_parasitized for prediction in predictions])
    assert np.abs(np.array([float(row[1]) for row in rows]) - p).max() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_drawn_cells(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cells = [np.asarray(draw_cell(rng, infected=k % 2 == 0)) for k in range(6)]
    noise = rng.integers(0, 256, (20, 31, 3), np.uint8)
    black = np.zeros((30, 30, 3), np.uint8)
    framed = np.pad(noise, ((30, 30), (40, 40), (0, 0)))
    require_same_answers(run, tmp_path, [*cells, black, framed], [*cells, black, framed])


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("run", RUNS)
def test_real_cells_on_black(run: Run, tmp_path: Path, real_zip: Path) -> None:
    source = open_source(real_zip)
    names = [entry.name for entry in source.entries() if entry.name.endswith(".webp")]
    cells = [np.asarray(decode_cell(source.read(name))) for name in names[:: len(names) // 400]]
    require_same_answers(run, tmp_path, cells[:400], cells[:400])


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("run", RUNS)
def test_real_cells_on_glass_with_a_mask(run: Run, tmp_path: Path, real_fields: Path) -> None:
    crops = [np.asarray(crop) for crop, _, _ in marked_cells(real_fields / "iml")]
    crops = [crop for crop in crops if min(crop.shape[:2]) >= 8][::6][:400]
    cells = [find_cell(crop) for crop in crops]
    on_black = [
        with_weaker_stain(crop, cell) * cell[..., None]
        for crop, cell in zip(crops, cells, strict=True)
    ]
    require_same_answers(run, tmp_path, on_black, crops)
