from __future__ import annotations

from pathlib import Path

import pytest

from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.cells import Cells
from hemozoin.data.dataset import find_cells
from hemozoin.data.folders import ClassNames
from hemozoin.data.index import index_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.source import open_source
from hemozoin.errors import DataError
from tests.conftest import make_zip

STAGES = ["ring/1.png", "trophozoite/1.png", "schizont/1.png", "healthy/1.png", "gametocyte/1.png"]


def index(path: Path, *names: str) -> Cells:
    return index_cells(open_source(path), ClassNames(*names) if names else None)


def zip_of(tmp_path: Path, *names: str) -> Path:
    return make_zip(tmp_path / "cells.zip", dict.fromkeys(names, b"same size"))


def labels(cells: Cells) -> dict[str, str]:
    return dict(zip(cells.file, cells.label, strict=True))


# ---- several folders of one class --------------------------------------------------------------


def test_several_folders_of_one_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = zip_of(tmp_path, *STAGES)
    expected = {
        "healthy/1.png": UNINFECTED,
        **dict.fromkeys(["ring/1.png", "schizont/1.png", "trophozoite/1.png"], PARASITIZED),
    }
    assert labels(index(data, "Ring, trophozoite ,,schizont", "healthy")) == expected
    assert capsys.readouterr().err == "skipped: 1 pictures in other folders: gametocyte 1\n"
    options = CellOptions(parasitized="ring,trophozoite,schizont", uninfected="healthy")
    assert labels(find_cells(data, options)[1]) == expected
    assert CellOptions.from_dict(options.to_dict()) == options
    assert options.to_dict()["parasitized"] == "ring,trophozoite,schizont"


def test_a_folder_with_a_comma_in_its_name(tmp_path: Path) -> None:
    data = zip_of(tmp_path, "Ring, late/1.png", "ring/2.png", "healthy/3.png")
    assert labels(index(data, "ring, late", "healthy")) == {
        "Ring, late/1.png": PARASITIZED,
        "healthy/3.png": UNINFECTED,
    }


def test_a_folder_is_not_of_both_classes(tmp_path: Path) -> None:
    for names in (("ring", "Ring"), ("ring,healthy", "healthy"), ("a,ring", "ring,b")):
        with pytest.raises(DataError, match=r"the folder (ring|healthy) is given for both classes"):
            index(zip_of(tmp_path, *STAGES), *names)


def test_cells_of_merged_folders_are_no_copies_of_each_other(tmp_path: Path) -> None:
    data = zip_of(tmp_path, "sick/1.png", "sick/ring/1.png", "healthy/1.png")
    assert len(index(data, "sick,ring", "healthy")) == 3


# ---- pictures in other folders -----------------------------------------------------------------


def skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str], *names: str) -> str:
    index(zip_of(tmp_path, "x/Parasitized/1.png", "x/Uninfected/1.png", *names))
    return capsys.readouterr().err


def test_pictures_in_other_folders_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rings = [f"x/ring/patient{number % 3}/{number}.JPG" for number in range(1204)]
    others = ["x/gametocyte/1.tif", "0.png", "y/z/0.png", "x/ring/notes.txt", "cells.csv", "x/a"]
    assert skipped(tmp_path, capsys, *rings, *others) == (
        "skipped: 1,207 pictures in other folders: . 1, gametocyte 1, ring 1,204, y/z 1\n"
    )


def test_nothing_is_printed_if_all_pictures_are_of_a_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert skipped(tmp_path, capsys, "readme.txt", "x/Uninfected/ring/2.png") == ""


def test_many_and_long_names_of_folders_are_one_short_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = skipped(tmp_path, capsys, *(f"x/{number:02}/1.png" for number in range(20)))
    assert line.endswith("05 1, 06 1, 07 1, and 12 more\n")
    line = skipped(tmp_path, capsys, f"x/{'long' * 9999}\n\x1b[2J/1.png")
    assert line.startswith("skipped: 1 pictures in other folders: longlong")
    assert len(line) < 400
    assert line[:-1].isprintable()


# ---- folders of a split ------------------------------------------------------------------------


def test_parts_of_a_split_are_merged_with_a_notice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [
        *(f"data/train/{label}/{n}.png" for label in ("Parasitized", "Uninfected") for n in "123"),
        *(f"data/Test/{label}/4.png" for label in ("Parasitized", "Uninfected")),
    ]
    assert len(index(zip_of(tmp_path, *names))) == 8
    notice = "hemozoin makes its own split by patient; give --split split.csv to set it\n"
    assert capsys.readouterr().err == f"train/ 6 cells, Test/ 2 cells were merged; {notice}"
    more = [*names, "data/val/Parasitized/1.png", "data/val/Uninfected/4.png"]
    assert len(index(zip_of(tmp_path, *more))) == 10
    assert capsys.readouterr().err == (
        "train/ 6 cells, Test/ 2 cells, val/ 2 cells were merged"
        f" (2 file names are in more than one of them); {notice}"
    )


@pytest.mark.parametrize(
    "names",
    [
        ["train/Parasitized/1.png", "train/Uninfected/2.png"],
        ["trainee/Parasitized/1.png", "tests/Uninfected/2.png"],
        ["Parasitized/train/1.png", "Uninfected/test/2.png"],
    ],
)
def test_other_folders_are_no_parts_of_a_split(
    names: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(index(zip_of(tmp_path, *names))) == 2
    assert capsys.readouterr().err == ""


# ---- data without the two classes --------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "options", "advice"),
    [
        (STAGES, (), "--parasitized gametocyte,ring,schizont,trophozoite --uninfected healthy"),
        (["P. vivax/1.png", "x/ring_late/1.png"], (), "'P. vivax,ring_late' --uninfected healthy"),
        (["falciparum/1.png", "red blood cell/1.png"], (), "falciparum --uninfected 'red blood"),
        (["Uninfected/1.png", "ring/1.png"], (), "--parasitized ring --uninfected Uninfected"),
        (["Parasitized/1.png", "ring/1.png"], (), "--parasitized Parasitized,ring --uninfected"),
        (["sick/1.png", "ring/1.png"], ("sick", "well"), "--parasitized ring,sick --uninfected"),
    ],
)
def test_folders_of_stages_and_species(
    tmp_path: Path, names: list[str], options: tuple[str, ...], advice: str
) -> None:
    with pytest.raises(DataError) as caught:
        index(zip_of(tmp_path, *names), *options)
    text = str(caught.value)
    assert "cells.zip: needs the folders " in text
    assert "; there are two classes, so merge stages and species: --parasitized " in text
    assert advice in text


@pytest.mark.parametrize("name", ["spring/1.png", "Parasitized/1.png", "infected/1.png"])
def test_other_folders_are_not_taken_for_stages(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"; name the folders with --parasitized and --uninfected$"):
        index(zip_of(tmp_path, name))
