from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.index import index_cells
from hemozoin.data.labels import training_labels, with_corrections
from hemozoin.data.source import open_source
from hemozoin.errors import DataError

P, U = PARASITIZED, UNINFECTED


@pytest.fixture
def cells() -> pl.DataFrame:
    """Return five cells, not sorted: c, a (parasitized), e, b, d (uninfected)."""
    labels = {"c": P, "a": P, "e": U, "b": U, "d": U}
    files = [f"{label}/{cell}.png" for cell, label in labels.items()]
    return pl.DataFrame({"cell": [*labels], "file": files, "label": [*labels.values()]})


def corrected(cells: pl.DataFrame, path: Path, text: str) -> pl.DataFrame:
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
    cells: pl.DataFrame, tmp_path: Path
) -> None:
    table = corrected(cells, tmp_path / "list.csv", LIST)
    assert table.columns == [*cells.columns, "corrected"]
    assert table["corrected"].to_list() == [P, U, P, None, U]
    assert table.drop("corrected").equals(cells)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_list_that_excel_has_written(cells: pl.DataFrame, tmp_path: Path, encoding: str) -> None:
    expected = corrected(cells, tmp_path / "list.csv", LIST)
    text = "sep=;\r\n" + LIST.replace(",", ";").replace("\n", "\r\n")
    (tmp_path / "list.csv").write_bytes(text.encode(encoding))
    assert with_corrections(cells, tmp_path / "list.csv").equals(expected)


def test_labels_for_training(cells: pl.DataFrame, tmp_path: Path) -> None:
    table = corrected(cells, tmp_path / "list.csv", LIST)
    relabelled = training_labels(table, "relabel")
    assert dict(relabelled.select("cell", "label").iter_rows()) == {"c": P, "a": U, "e": P, "d": U}
    agreed = training_labels(table, "leave-out")
    assert dict(agreed.select("cell", "label").iter_rows()) == {"c": P, "d": U}


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
def test_an_invalid_list(cells: pl.DataFrame, tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DataError, match=why) as caught:
        corrected(cells, tmp_path / "list.csv", text)
    assert str(caught.value).startswith(str(tmp_path / "list.csv"))


def test_a_missing_list(cells: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: .*No such file"):
        with_corrections(cells, tmp_path / "none.csv")


@pytest.mark.real
def test_fuhads_corrections_of_the_real_cells(real_zip: Path, real_corrections: Path) -> None:
    cells = with_corrections(index_cells(open_source(real_zip)), real_corrections)
    rows = real_corrections.read_text().count("\n") - 1
    changed = cells.filter(pl.col("corrected") != pl.col("label"))
    assert len(changed) == rows
    assert len(training_labels(cells, "leave-out")) == len(cells) - rows
