from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hemozoin.arrays import texts
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.cells import Cells
from hemozoin.data.folders import ClassNames
from hemozoin.data.index import index_cells, match_cells, patient_of, with_patients
from hemozoin.data.source import open_source
from hemozoin.errors import DataError
from tests.conftest import make_cells, make_zip
from tests.support.tables import columns_of, without_patients


def index(path: Path, *names: str) -> Cells:
    return index_cells(open_source(path), ClassNames(*names) if names else None)


def zip_of(tmp_path: Path, *names: str) -> Path:
    """Return a zip of files whose content is their own name, so that their sizes differ."""
    return make_zip(tmp_path / "cells.zip", {name: name.encode() for name in names})


def labels(cells: Cells) -> dict[str, str]:
    return dict(zip(cells.cell, cells.label, strict=True))


def test_nlms_layout_as_folder_and_as_zip(tmp_path: Path) -> None:
    in_zip = index(make_cells(tmp_path / "cells.zip", patients=3, per_class=2))
    in_folder = index(make_cells(tmp_path / "cells", patients=3, per_class=2))
    same_stamps = replace(in_folder, stamp=in_zip.stamp)
    assert columns_of(in_zip) == columns_of(same_stamps)
    assert in_zip.file.tolist() == sorted(in_zip.file)
    assert len({*in_zip.cell}) == len(in_zip)
    assert Counter(zip(in_zip.label, in_zip.patient, strict=True)) == {
        (label, patient): 2 for label in (PARASITIZED, UNINFECTED) for patient in ("C1", "C2", "C3")
    }
    folders = [file.split("/")[1].lower() for file in in_zip.file]
    assert folders == in_zip.label.tolist()


def test_class_folders_in_other_case_and_at_any_depth(tmp_path: Path) -> None:
    path = zip_of(tmp_path, "PARASITIZED/a.png", "x/y/uninfected/z/b.png", "x/other/c.png", "d.png")
    assert labels(index(path)) == {"a": PARASITIZED, "b": UNINFECTED}


def test_the_innermost_class_folder_counts(tmp_path: Path) -> None:
    path = zip_of(tmp_path, "Parasitized/Uninfected/b.png", "Uninfected/Parasitized/a.png")
    assert labels(index(path)) == {"a": PARASITIZED, "b": UNINFECTED}


def test_class_folders_by_the_users_own_names(tmp_path: Path) -> None:
    path = zip_of(tmp_path, "Malaria/a.png", "healthy/b.png", "Parasitized/c.png")
    assert labels(index(path, "malaria", "Healthy")) == {"a": PARASITIZED, "b": UNINFECTED}


def test_a_file_named_like_a_class_is_in_no_class(tmp_path: Path) -> None:
    path = zip_of(
        tmp_path, "Parasitized/a.png", "Uninfected/b.png", "x/Parasitized", "Uninfected.png"
    )
    assert labels(index(path)) == {"a": PARASITIZED, "b": UNINFECTED}


@pytest.mark.parametrize("root", ["cell_images", "."])
def test_kaggles_copy_inside_the_data_is_skipped(tmp_path: Path, root: str) -> None:
    data = make_cells(tmp_path / "data") / root
    alone = index(data)
    shutil.copytree(tmp_path / "data/cell_images", tmp_path / "copy")
    shutil.move(tmp_path / "copy", tmp_path / "data/cell_images/cell_images")
    assert len(open_source(data).entries()) == 2 * len(alone)
    assert columns_of(index(data)) == columns_of(alone)


def test_a_nested_file_of_another_size_is_no_copy(tmp_path: Path) -> None:
    files = {"Parasitized/a.png": b"1", "Uninfected/b.png": b"1", "x/Parasitized/a.png": b"22"}
    assert len(index(make_zip(tmp_path / "cells.zip", files))) == 3


def test_cells_with_the_same_name_are_kept(tmp_path: Path) -> None:
    """Even if they have the same size, as uncompressed BMPs of equally large cells do."""
    names = [
        "train/Parasitized/1.bmp",
        "trainee/Parasitized/1.bmp",
        "test/Parasitized/1.bmp",
        "test/Uninfected/1.bmp",
        "test/Uninfected/anna/2.bmp",
        "test/Uninfected/ben/2.bmp",
        "test/more/Uninfected/cara/2.bmp",
        "test/Uninfected/3.bmp",
    ]
    cells = index(make_zip(tmp_path / "cells.zip", dict.fromkeys(names, b"same size")))
    assert cells.file.tolist() == sorted(names)
    assert sorted(cells.cell) == sorted(["3", *names[:-1]])


@pytest.mark.parametrize(
    ("names", "has"),
    [
        (["Parasitized/a.png"], "has Parasitized"),
        (["x/Uninfected/a.png", "x/Uninfected/b.png"], "has x/Uninfected"),
        (["sick/a.png", "well/b.png", "well/c.png"], "has well, sick"),
        (["a.png"], r"has \."),
        ([], "has no files"),
        (["Parasitized/Thumbs.db", "Uninfected/a.png"], "has Uninfected"),
    ],
)
def test_data_without_the_two_classes(tmp_path: Path, names: list[str], has: str) -> None:
    path = zip_of(tmp_path, *names)
    with pytest.raises(DataError, match=has) as caught:
        index(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: needs the folders Parasitized and Uninfected")
    assert text.endswith("name the folders with --parasitized and --uninfected")


# ---- patients ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("C100P61ThinF_IMG_20150918_144104_cell_162.png", "C100"),
        ("cell_images/Parasitized/C1_thinF_IMG_20150604_104722_cell_9.png", "C1"),
        ("C3thin_original_IMG_20150608_163002_cell_5.png", "C3"),
        ("C12NThinF_IMG_20150614_124212_cell_4.png", "C12"),
        ("C59AP20thinF_IMG_20150803_105233_cell_3.png", "C59"),
        ("C47P8thinOriginalOlympusCX21_20150721_cell_1.png", "C47"),
        ("C176P137_ThinF_IMG_1_cell_1.png", "C176"),
        ("C182P143NThinF_IMG_1_cell_1.png", "C182"),
        ("C13.png", None),
        ("Cell_1.png", None),
        ("C5/cell.png", None),
        ("xC5P1ThinF_1.png", None),
        ("", None),
    ],
)
def test_the_patient_in_nlms_names(name: str, patient: str | None) -> None:
    assert patient_of(name) == patient


@pytest.fixture
def anonymous(tmp_path: Path) -> Cells:
    """Cells a, b (parasitized) and c, d (uninfected), whose names contain no patient."""
    names = ["Parasitized/a.png", "Parasitized/b.png", "Uninfected/c.png", "Uninfected/d.png"]
    return index(zip_of(tmp_path, *names))


def patients(cells: Cells, csv: Path, text: str, *column: str) -> list[str | None]:
    csv.write_text(text)
    return list(with_patients(cells, csv, *column).patient)


@pytest.mark.parametrize(
    "text",
    [
        "cell,patient\na,1\nb,2\nc,1\nd,3\n",
        "patient,cell\n1,a.png\n2,b.png\n1,c.png\n3,d.png\n",
        "a,1\nb,2\nc,1\nd,3\n",
        "1,a\n2,b\n1,c\n3,d\n",
        "\ufeffParasitized/a.png,1\nx/b.tif,2\nc.webp,1\nUninfected/d.png,3\n",
        "age,file,patient,stain\n1,a,1,b\n,b,2,b\n,c,1,b\n,d,3,b\n",
        "cell;patient;note\na;1;x,y,z\nb;2;\nc;1;\nd;3;\n",
        "sep=\t\ncell\tpatient\na\t1\nb\t2\nc\t1\nd\t3\n",
        "cell,patient\r\n\r\n a , 1\r\nb,2\r\nc,1\r\nc,1\r\nd,3\r\nunknown,9\r\n\r\n",
    ],
)
def test_patients_from_two_columns_in_any_order(
    anonymous: Cells, tmp_path: Path, text: str
) -> None:
    assert patients(anonymous, tmp_path / "p.csv", text) == ["1", "2", "1", "3"]


def test_patients_from_a_column_that_the_user_names(anonymous: Cells, tmp_path: Path) -> None:
    text = "person,cell,patient\nA,a,1\nA,b,2\nB,c,3\nB,d,4\n"
    assert patients(anonymous, tmp_path / "p.csv", text, "person") == ["A", "A", "B", "B"]


def test_cells_that_the_file_does_not_name_keep_their_patient(
    anonymous: Cells, tmp_path: Path
) -> None:
    cells = replace(anonymous, patient=texts(["x", "y", None, "z"]))
    assert patients(cells, tmp_path / "p.csv", "b,1\nc,2\nd,\n") == ["x", "1", "2", "z"]
    two_files = with_patients(anonymous, tmp_path / "p.csv")
    assert patients(two_files, tmp_path / "q.csv", "a,3\n") == ["3", "1", "2", None]


def test_the_order_of_the_cells_is_kept(anonymous: Cells, tmp_path: Path) -> None:
    shuffled = anonymous.select(np.array([2, 0, 3, 1]))
    assert patients(shuffled, tmp_path / "p.csv", "a,1\nb,2\nc,3\nd,4\n") == ["3", "1", "4", "2"]


NLM_LIST = """\
C1P1ThinF,['C1P1ThinF_IMG_20150918_144104_cell_3.png', 'C1P1ThinF_IMG_20150918_144104_cell_4.png'],,
C2P2ThinF,['C2P2ThinF_IMG_20150918_144104_cell_3.png'],,,
C9P9ThinF,['C9P9ThinF_IMG_1_cell_1.png', 'C9P9ThinF_IMG_1_cell_2.png', 'C9P9ThinF_IMG_1_cell_3.png']
"""


@pytest.mark.parametrize("quoted", [False, True])
def test_nlms_own_list_of_patients(tmp_path: Path, quoted: bool) -> None:
    """As it is on NLM's server: no header, a Python list distributed over the columns."""
    cells = index(make_cells(tmp_path / "cells.zip", patients=3, per_class=2))
    lost = without_patients(cells)
    text = NLM_LIST.replace("[", '"[').replace("]", ']"') if quoted else NLM_LIST
    found = patients(lost, tmp_path / "patientid_cellmapping_parasitized.csv", text)
    named = [bool(re.search("^C1P.*_[34]$|^C2P.*_3$", cell)) for cell in cells.cell]
    assert sum(named) == 3
    assert found == np.where(named, cells.patient, texts([None])).tolist()


def test_one_patient_does_not_get_two_names(tmp_path: Path) -> None:
    """A list for one class must not give a patient a second name: C1P1ThinF as well as C1."""
    cells = index(make_cells(tmp_path / "cells.zip", patients=3, per_class=2))
    assert patients(cells, tmp_path / "p.csv", NLM_LIST) == cells.patient.tolist()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "an empty file"),
        ("\n\n,,\n", "an empty file"),
        ("cell,patient\nx,1\ny,2\n", "no column names any of these cells"),
        ("cell\na\nb\n", "no column 'patient'; it has cell"),
        ("cell,person,age\na,1,30\nb,2,40\n", "no column 'patient'; it has cell, person, age"),
        ("a,1\nb,2\na,3\n", "a has two patients, 1 and 3"),
        ("cell,patient\na,\nb,\n", "no patient for any of these cells"),
        ("cell,patient\n\0\xff", "not a readable CSV|no column names"),
    ],
)
def test_a_csv_without_the_patients(anonymous: Cells, tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DataError, match=why) as caught:
        patients(anonymous, tmp_path / "p.csv", text)
    assert str(caught.value).startswith(str(tmp_path / "p.csv"))


def test_a_csv_that_cannot_be_read(anonymous: Cells, tmp_path: Path, cells_zip: Path) -> None:
    for path, why in (
        (tmp_path / "none.csv", "No such file"),
        (tmp_path, "not a regular file"),
        (cells_zip, ""),
    ):
        with pytest.raises(DataError, match=f"{path}: .*{why}"):
            with_patients(anonymous, path)


def test_a_name_of_several_cells_matches_none(tmp_path: Path) -> None:
    cells = index(zip_of(tmp_path, "Parasitized/1.png", "Uninfected/1.png", "Uninfected/2.png"))
    assert match_cells(cells, ["1", "1.png", "Uninfected/1.png", "2", "2.tif", "3", ""]) == [
        None,
        None,
        "Uninfected/1.png",
        "2",
        "2",
        None,
        None,
    ]


def test_names_with_spaces_that_a_csv_lacks(tmp_path: Path) -> None:
    cells = index(zip_of(tmp_path, "Parasitized/ 1 .png", "Uninfected/2 .png", "Uninfected/2.png"))
    assert match_cells(cells, ["1", " 1 ", "2", "2 "]) == [" 1 ", " 1 ", "2", "2 "]


@pytest.mark.real
def test_the_real_cells(real_zip: Path) -> None:
    cells = index(real_zip)
    assert len(cells) == 22_066
    assert None not in cells.patient
    assert len({*cells.patient}) == 160
    assert len({*cells.cell}) == len(cells)
    assert not any("/" in cell for cell in cells.cell)
