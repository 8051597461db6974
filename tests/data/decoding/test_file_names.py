"""Names in zips of Windows are readable, and names compare in one form of Unicode."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemozoin.data.decoding.file_names import as_nfc, name_in_zip, told_apart
from hemozoin.data.folders import ClassNames, folder_names, locate
from hemozoin.data.source import open_source


def zip_of(path: Path, *raw_names: bytes) -> Path:
    """Write a zip whose entries have these bytes as names, and no flag for UTF-8."""
    buffer, number = io.BytesIO(), 0
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, raw in enumerate(raw_names):
            archive.writestr(f"{number}".rjust(len(raw), "_"), str(number).encode())
    data = buffer.getvalue()
    for number, raw in enumerate(raw_names):
        data = data.replace(f"{number}".rjust(len(raw), "_").encode(), raw)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "page"),
    [
        *(
            (name, page)
            for name in ("Frottis é 1.png", "Müller/Präparat 2.jpg")
            for page in ("cp850", "cp1252", "utf-8")
        ),
        *((name, "cp1252") for name in ("Größe.png", "ÉTÉ/lame à part.png", "niño/ÁREA.png")),
        *((name, "cp850") for name in ("São João/lâmina.png", "ÄRZTE.png", "smørre.png")),
        *((name, "gbk") for name in ("样本1.png", "疟疾/血涂片.jpg", "第一张.png")),
    ],
)
def test_a_name_in_a_code_page(name: str, page: str, tmp_path: Path) -> None:
    source = open_source(zip_of(tmp_path / "a.zip", name.encode(page)))
    assert [entry.name for entry in source.entries()] == [name]
    assert source.read(name) == b"0"


def test_names_that_become_the_same_are_told_apart(tmp_path: Path) -> None:
    names = ["lame é.png".encode(page) for page in ("cp850", "cp1252")]
    source = open_source(zip_of(tmp_path / "a.zip", *names))
    assert [entry.name for entry in source.entries()] == ["lame é (2).png", "lame é.png"]
    assert {source.read(entry.name) for entry in source.entries()} == {b"0", b"1"}
    assert told_apart("a.b/c", {"a.b/c", "a.b/c (2)"}) == "a.b/c (3)"


@pytest.mark.slow
@given(st.binary(min_size=1, max_size=30))
def test_no_name_raises(raw: bytes) -> None:
    entry = zipfile.ZipInfo("x")
    entry.filename = raw.decode("cp437")
    assert name_in_zip(entry)
    entry.filename = "\ud800é"
    assert name_in_zip(entry) == "\ud800é"


def test_class_folders_compare_in_one_form() -> None:
    composed, split = "Infect\u00e9s", "Infecte\u0301s"
    assert as_nfc(split) == composed
    for given_name, folder in ((composed, split), (split, composed)):
        files = [f"a/{folder}/1.png", "a/Uninfected/2.png"]
        labels = ClassNames(parasitized=given_name).labels(folder_names(files))
        place = locate(files[0], labels)
        assert place is not None
        assert place[0] == "parasitized"
