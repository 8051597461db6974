"""Without any extra installed, everything except training works: no torch, no onnx, no dask."""

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

#: Code that makes imports of the extras fail, as if they were not installed. A None in sys.modules
#: would be shorter, but scipy would take it for a loaded torch.
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx", "onnxscript", "dask", "distributed"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
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
    ["screen", "smear", "--model", "model", "--out", "screened"],
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
@pytest.mark.parametrize(
    "verb", ["train cells.zip --out run", "demo", "crossval cells.zip --out x"]
)
def test_training_prints_the_line_that_installs_it(verb: str, folder: Path) -> None:
    code = f"from hemozoin.cli.main import main; assert main({verb.split()}) == 2"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + code],
        cwd=folder,
        env=quiet(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pip install 'hemozoin[train]'" in done.stderr


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
