"""The Python programs in the documentation run as they are printed, on drawn pictures."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemozoin.synthetic.cell import draw_patient
from hemozoin.synthetic.smear import draw_smear
from tests.conftest import draw_cell, encoded
from tests.support.commands import quiet

DOCS = Path(__file__).parents[2] / "docs"


def programs() -> list[str]:
    texts = [(DOCS / f"{page}.md").read_text("utf-8") for page in ("quick-start", "mobilenet")]
    texts.append((DOCS / "screen.md").read_text("utf-8"))
    return [
        block for text in texts for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a cell, cells and a field, with the names that the pages use."""
    where = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    (where / "cells").mkdir()
    (where / "slides").mkdir()
    cell = encoded(draw_cell(rng, infected=True), "PNG")
    for name in ("cell.png", "cells/a.png", "cells/b.png"):
        (where / name).write_bytes(cell)
    smear = draw_smear(rng, draw_patient(rng), size=(640, 480), cells=20)
    for name in ("field.png", "slides/field.png"):
        Image.fromarray(smear.pixels).save(where / name)
    return where


def test_there_are_programs() -> None:
    assert len(programs()) > 4


@pytest.mark.slow
@pytest.mark.parametrize("program", programs(), ids=lambda text: text.splitlines()[-1][:40])
def test_python_of_the_docs_runs(program: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=False,
        cwd=folder,
        env=quiet(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
