"""Shared by all tests: drawn cells in NLM's layout, an empty cache, the real data if available.

Functions are imported (`from tests.conftest import make_cells`); fixtures are arguments of tests.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pytest
from PIL import Image, ImageDraw

from hemozoin.reports import plot_files
from tests.support.commands import LEARN, QUICK, succeed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A slow machine must not make a test fail.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test its own cache folder, which doesn't exist yet."""
    folder = tmp_path_factory.mktemp("test") / "cache"
    monkeypatch.setenv("HEMOZOIN_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session", autouse=True)
def plots_without_pictures() -> Iterator[None]:
    """Write the checksum of each plot's lines instead of its picture, also into reports.

    Drawing PNG, PDF and SVG takes half of the time of each run.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plot_files, "_encoded", _checksum_of_plot)
        yield


@pytest.fixture
def plots_with_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write plots as hemozoin does, for a test of these files."""
    monkeypatch.setattr(plot_files, "_encoded", encode_plot)


encode_plot = plot_files._encoded


def _checksum_of_plot(figure: Figure, name: str, kind: str, _: object) -> bytes:
    lines = [line.get_xydata() for axes in figure.axes for line in axes.lines]
    drawn = repr((name, kind, [np.asarray(line).tolist() for line in lines]))
    return f"<svg >{hashlib.sha256(drawn.encode()).hexdigest()}</svg>".encode()


@pytest.fixture
def cells_folder(tmp_path: Path) -> Path:
    """Return a folder of drawn cells: 6 patients, 4 cells of each class."""
    return make_cells(tmp_path / "cells")


@pytest.fixture
def cells_zip(tmp_path: Path) -> Path:
    """Return a zip of the same cells as `cells_folder`."""
    return make_cells(tmp_path / "cells.zip")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run, next to its data, `cells.zip`; do not change it."""
    folder = tmp_path_factory.mktemp("finished")
    return _run(make_cells(folder / "cells.zip", patients=9), QUICK)


@pytest.fixture(scope="session")
def learned_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same for a network that has learned to classify 144 cells."""
    folder = tmp_path_factory.mktemp("learned")
    return _run(make_cells(folder / "cells.zip", patients=9, per_class=8), LEARN)


def _run(data: Path, options: tuple[object, ...]) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEMOZOIN_CACHE", str(data.parent / "cache"))
        succeed("train", data, "--out", data.parent / "run", *options)
    return data.parent / "run"


@pytest.fixture(scope="session")
def real_zip() -> Path:
    """Return the path of the real cells of 160 patients (for tests marked `real`)."""
    return _shared("cell_images_dev.zip")


@pytest.fixture(scope="session")
def real_corrections() -> Path:
    """Return the path of Fuhad's list of label corrections (for tests marked `real`)."""
    return _shared("fuhad2020_label_corrections.csv")


@pytest.fixture(scope="session")
def real_fields() -> Path:
    """Return the folder of whole fields, `iml` and `bccd` (for tests marked `real`)."""
    return _shared("fields")


def _shared(name: str) -> Path:
    if not (SHARED / name).exists():
        pytest.skip(f"needs {SHARED / name}: real data, not part of the project")
    return SHARED / name


def make_cells(path: Path, patients: int = 6, per_class: int = 4, seed: int = 0) -> Path:
    """Write `per_class` cells of each class for every patient, in the layout of NLM's file.

    `path` becomes a zip if it ends in .zip, else a folder; both class folders have a Thumbs.db.
    The patients are C1, C2, ... Returns `path`.
    """
    files = dict(_files(patients, per_class, seed))
    if path.suffix == ".zip":
        return make_zip(path, files)
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    """Write a zip of these files, uncompressed, and return its path."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def png(image: Image.Image) -> bytes:
    """Return the picture as the bytes of a PNG file."""
    return encoded(image, "PNG")


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """Return the picture as the bytes of a file in a format of Pillow."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def draw_cell(rng: np.random.Generator, infected: bool) -> Image.Image:
    """Draw a simple cell: a pink disc on black, 30 to 60 px, with a violet dot if infected."""
    width, height = (int(side) for side in rng.integers(30, 61, 2))
    image = Image.new("RGB", (width, height))
    pen = ImageDraw.Draw(image)
    pink = tuple(int(channel) for channel in rng.normal((220, 170, 180), 8).clip(130, 255))
    pen.ellipse((0, 0, width - 1, height - 1), fill=pink)
    if infected:
        x, y = width * rng.uniform(0.3, 0.6), height * rng.uniform(0.3, 0.6)
        pen.ellipse((x, y, x + width / 6, y + width / 6), fill=(110, 50, 140))
    return image


def _files(patients: int, per_class: int, seed: int) -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(seed)
    for folder in ("Parasitized", "Uninfected"):
        yield f"cell_images/{folder}/Thumbs.db", b"no picture"
        for patient in range(1, patients + 1):
            # As in NLM's file, the infected cells have the higher numbers.
            first = 1 + per_class * (folder == "Parasitized")
            for cell in range(first, first + per_class):
                stem = f"C{patient}P{patient}ThinF_IMG_20150918_144104_cell_{cell}"
                name = f"cell_images/{folder}/{stem}.png"
                yield name, png(draw_cell(rng, infected=folder == "Parasitized"))
