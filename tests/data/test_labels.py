from __future__ import annotations

from pathlib import Path

import pytest

from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.cells import Cells
from hemozoin.data.index import index_cells
from hemozoin.data.labels import training_labels, with_corrections
from hemozoin.data.source import open_source
from hemozoin.errors import DataError
from tests.support.tables import cells_of, columns_of

P, U = PARASITIZED, UNINFECTED


@pytest.fixture
def cells() -> Cells:
    """Return five cells, not sorted: c, a (parasitized), e, b, d (uninfected)."""
    return cells_of([("c", P, "1"), ("a", P, "1"), ("e", U, "2"), ("b", U, "2"), ("d", U, None)])


def corrected(cells: Cells, path: Path, text: str) -> Cells:
    path.write_text(text)
    return with_corrections(cells, path)


LIST = f"""\
cell,nlm_label,corrected_label
a,{P},{U}
e,{U},{P}
b.png,{U},
d,{U}, {U.upper()}
elsewhere,{U},{P}
a,{P},{U}
"""


def test_cells_in_the_list_get_the_corrected_label_and_others_keep_theirs(
    cells: Cells, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = corrected(cells, tmp_path / "list.csv", LIST)
    assert capsys.readouterr().err == "list.csv: 5 of 6 lines name one of these cells\n"
    assert columns_of(table) == columns_of(cells) | {"corrected": [P, U, P, None, U]}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_list_that_excel_has_written(cells: Cells, tmp_path: Path, encoding: str) -> None:
    expected = corrected(cells, tmp_path / "list.csv", LIST)
    text = "sep=;\r\n" + LIST.replace(",", ";").replace("\n", "\r\n")
    (tmp_path / "list.csv").write_bytes(text.encode(encoding))
    found = with_corrections(cells, tmp_path / "list.csv")
    assert columns_of(found) == columns_of(expected)


def test_labels_for_training(cells: Cells, tmp_path: Path) -> None:
    table = corrected(cells, tmp_path / "list.csv", LIST)
    relabelled = training_labels(table, "relabel")
    assert dict(zip(relabelled.cell, relabelled.label, strict=True)) == {
        "c": P,
        "a": U,
        "e": P,
        "d": U,
    }
    agreed = training_labels(table, "leave-out")
    assert dict(zip(agreed.cell, agreed.label, strict=True)) == {"c": P, "d": U}
    kept = training_labels(table, "keep")
    assert (kept.cell == cells.cell).all() and (kept.label == cells.label).all()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "an empty file"),
        ("cell,label\na,x\n", "needs the columns cell and corrected_label"),
        ("name,corrected_label\na,\n", "needs the columns cell and corrected_label"),
        (
            f"cell,corrected_label\na,{U}\nb,sick\n",
            "unknown label 'sick'; use parasitized, uninfec",
        ),
        (f"cell,corrected_label\nz,{U}\n", "names none of these cells"),
        ("cell,corrected_label\n", "names none of these cells"),
        (f"cell,corrected_label\na,{U}\na,{P}\n", "a is given two labels"),
        (f"cell,corrected_label\na,{U}\na.png,\n", "a is given two labels"),
    ],
)
def test_an_invalid_list(cells: Cells, tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DataError, match=why) as caught:
        corrected(cells, tmp_path / "list.csv", text)
    assert str(caught.value).startswith(str(tmp_path / "list.csv"))


def test_a_missing_list(cells: Cells, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: .*No such file"):
        with_corrections(cells, tmp_path / "none.csv")


@pytest.mark.real
def test_fuhads_corrections_of_the_real_cells(real_zip: Path, real_corrections: Path) -> None:
    cells = with_corrections(index_cells(open_source(real_zip)), real_corrections)
    rows = real_corrections.read_text().count("\n") - 1
    assert cells.corrected is not None
    assert (cells.corrected != cells.label).sum() == rows
    assert len(training_labels(cells, "leave-out")) == len(cells) - rows
