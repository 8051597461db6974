"""Without any extra installed, everything except training and plots works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hemozoin.model.bundle import save_bundle
from tests.conftest import make_cells
from tests.support.bundles import some_bundle, some_classifier
from tests.support.commands import quiet
from tests.support.smears import make_fields

#: What only extras install, and what the package no longer needs at all.
MISSING = (
    *("torch", "onnx", "onnxscript", "dask", "distributed", "pyvips", "pyarrow", "matplotlib"),
    *("alembic", "fastapi", "python_multipart", "sqlalchemy", "starlette", "uvicorn"),
    *("h5py", "networkx", "pandas", "pillow_heif", "polars", "scipy", "skimage", "sklearn"),
)

#: Code after which these libraries are not found.
WITHOUT = f"""
import importlib.machinery, sys
class PathFinder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in {MISSING}:
            return super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = PathFinder
"""


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT + code],
        cwd=folder,
        env=quiet(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with cells.zip, smear/ and model/."""
    folder = tmp_path_factory.mktemp("folder")
    make_cells(folder / "cells.zip")
    make_fields(folder / "smear", "1.png")
    save_bundle(some_bundle(some_classifier(orientations=4)), folder / "model")
    return folder


@pytest.mark.slow
def test_every_verb_except_training(folder: Path) -> None:
    out = run(
        """
from hemozoin.cli.main import main
cells = ["cells.zip", "--model", "model"]
for command in (
    ["predict", *cells, "--json"],
    ["evaluate", *cells, "--out", "evaluated"],
    ["inspect", "cells.zip"],
    ["screen", "smear", "--model", "model", "--out", "screened", "--coco"],
    ["predict", *cells, "--explain", "maps"],
    ["inspect", "cells.zip", "--html", "cells.html"],
    ["explain", "network"],
):
    assert main(command) == 0, command
""",
        folder,
    )
    assert (folder / "screened" / "report.html").exists()
    first = json.loads(out.splitlines()[0])
    assert first["label"] in ("parasitized", "uninfected")
    assert 0 <= first["p_parasitized"] <= 1
    assert (folder / "evaluated" / "metrics.json").exists()
    report = (folder / "evaluated" / "report.html").read_text()
    assert report.count("pip install 'hemozoin[plots]'") == 1
    assert "All metrics" in report


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        ("explain --html page.html", "plots"),
        ("predict cells.zip --out predictions.parquet", "parquet"),
        ("train cells.zip --out run", "train"),
        ("crossval cells.zip --out run", "train"),
        ("demo", "train"),
        ("serve served", "serve"),
    ],
)
def test_the_line_that_installs_an_extra(arguments: str, extra: str, folder: Path) -> None:
    code = f"from hemozoin.cli.main import main; assert main({arguments.split()}) == 2"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + code],
        cwd=folder,
        env=quiet(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"pip install 'hemozoin[{extra}]'" in done.stderr
    assert done.stderr.count("\n") == 1


#: What imports an extra at once, by the extra's library.
OPTIONAL = {
    "alembic": ("serve.",),
    "fastapi": ("serve.",),
    "matplotlib": ("evaluation.plots", "paper.explain", "paper.sweep.plots", "reports.svg"),
    "onnx": ("export", "model.cell_graph", "model.onnx_"),
    "sqlalchemy": ("serve.",),
    "starlette": ("serve.",),
    "uvicorn": ("serve.",),
    "torch": ("demo", "export", "mobilenet.network", "paper.sweep", "training"),
}


@pytest.mark.slow
def test_every_other_module_can_be_imported(tmp_path: Path) -> None:
    run(
        f"""
import importlib, pkgutil
import hemozoin
for module in pkgutil.walk_packages(hemozoin.__path__, "hemozoin."):
    name = module.name.removeprefix("hemozoin.")
    try:
        if name != "__main__":
            importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        assert name.startswith({OPTIONAL}[error.name]), (name, error.name)
""",
        tmp_path,
    )


@pytest.mark.slow
def test_the_public_names(folder: Path) -> None:
    run(
        """
from pathlib import Path
import hemozoin
needs_torch = set()
for name in hemozoin.__all__:
    try:
        getattr(hemozoin, name)
    except hemozoin.HemozoinError as error:
        assert "pip install 'hemozoin[train]'" in str(error)
        needs_torch.add(name)
assert needs_torch == {"MobileNet", "train"}, needs_torch
assert hemozoin.screen("smear/1.png", "model").cells
rows = hemozoin.load("model").predict([b"junk", "nowhere.png"])
assert all(row.error for row in rows)
for row in hemozoin.predict_paths([Path(hemozoin.__file__)], hemozoin.load("model")):
    assert row.error
""",
        folder,
    )


@pytest.mark.slow
def test_a_missing_onnx_is_reported_too(folder: Path) -> None:
    """The extra installs both; an older installation may have torch only."""
    code = (
        "import sys; sys.modules['onnx'] = None; from hemozoin.cli.main import main;"
        "assert main(['train', 'cells.zip', '--out', 'run']) == 2"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=quiet(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pip install 'hemozoin[train]'" in done.stderr
