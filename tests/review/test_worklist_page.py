"""The page with the cells of a worklist."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hemozoin.errors import DataError
from hemozoin.review.found_cells import read_found_cells
from hemozoin.review.worklist import draw_worklist
from hemozoin.review.worklist_page import render_worklist_page
from hemozoin.smear.execution.run import screen_slides
from tests.support.smears import make_fields, make_plain


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return the folder of a screened slide."""
    screen_slides([make_fields(tmp_path / "smear", "1.png", "2.png")], tmp_path / "out")
    return tmp_path / "out"


def test_it_shows_each_cell_and_not_what_the_network_says(out: Path) -> None:
    rows = draw_worklist(read_found_cells(out), 7)
    page = render_worklist_page(rows, out, "worklist.csv")
    assert page.count("<img ") == 7
    for line, row in enumerate(rows, 2):
        assert f"line {line}</b> cell {row.cell}<code>{row.field}<" in page
        assert str(row.p_parasitized) not in page


def test_pictures_that_are_gone_or_another(out: Path, tmp_path: Path) -> None:
    rows = draw_worklist(read_found_cells(out), 7)
    make_plain(tmp_path / "smear", "1.png", "2.png")
    with pytest.raises(DataError, match=r"1\.png is not the picture that was screened"):
        render_worklist_page(rows, out, "worklist.csv")
    shutil.rmtree(tmp_path / "smear")
    with pytest.raises(DataError, match="smear"):
        render_worklist_page(rows, out, "worklist.csv")


def test_too_many_cells(out: Path) -> None:
    rows = draw_worklist(read_found_cells(out), 1) * 2001
    with pytest.raises(DataError, match="2,001 cells are more than the 2,000 of a page"):
        render_worklist_page(rows, out, "worklist.csv")
