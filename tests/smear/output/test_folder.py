"""The saved state of screened fields: what is in its files, and when it is not used."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from zipfile import ZipFile

import pytest

from hemozoin.data.source import Entry, FolderSource
from hemozoin.smear.field import Cell, Field, Flaw, SmearObject
from hemozoin.smear.output.crops import read_crop, write_crops
from hemozoin.smear.output.folder import SlideFolder
from hemozoin.smear.output.screened_field import ScreenedField
from hemozoin.smear.slides import Photo
from tests.support.commands import leftover_of

SQUARE = ((0, 0), (9, 0), (9, 9), (0, 9))
FIELD = Field(
    *("a.png", 640, 480, 9.1),
    cells=(
        Cell("red cell", 0, 0, 9, 9, SQUARE, 1, 0.123456, "uninfected", None),
        Cell("red cell", 9, 9, 9, 9, SQUARE, 2, 0.5, "review", "too close to call"),
    ),
    others=(SmearObject("platelet", 5, 6, 2, 3, ((5, 6), (7, 6))),),
    flaws=(Flaw("out of focus", "sharpness", 0.1, 0.3),),
)
CROPS = {2: b"\xff\xd8 crop of cell 2", 17: b"\xff\xd8 crop of cell 17"}


def photo(name: str = "a.png", size: int = 1, stamp: int = 2) -> Photo:
    return Photo(FolderSource(Path("pictures")), Entry(name, size, stamp))


@pytest.fixture
def folder(tmp_path: Path) -> SlideFolder:
    """Return a folder in which one field is saved."""
    made = SlideFolder(tmp_path / "slide")
    made.begin()
    made.save(photo(), ScreenedField(FIELD, b"overlay", CROPS))
    return made


def names(folder: SlideFolder) -> set[str]:
    return {path.name for path in folder.path.rglob("*") if path.is_file()}


def test_a_field_is_loaded_as_it_was_saved(folder: SlideFolder) -> None:
    assert folder.load(photo()) == FIELD
    assert folder.overlay(photo().field).read_bytes() == b"overlay"
    assert {cell: read_crop(folder.crops(photo().field), cell) for cell in CROPS} == CROPS
    assert names(folder) == {"a.png.json", "a.png.zip", "a.png.jpg"}


def test_crops_are_not_in_the_state(folder: SlideFolder) -> None:
    state = (folder.path / ".fields" / "a.png.json").read_bytes()
    assert json.loads(state) == {
        "stamp": [1, 2],
        "field": json.loads(json.dumps(FIELD.to_dict())),
        "picture": [str(Path("pictures").resolve()), "a.png"],
    }
    for crop in CROPS.values():
        assert b64encode(crop) not in state


def test_crops_are_stored_one_per_cell_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("1.zip", "2.zip"):
        write_crops(CROPS, tmp_path / name)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    with ZipFile(tmp_path / "1.zip") as archive:
        members = archive.infolist()
        assert archive.testzip() is None
    assert [member.filename for member in members] == ["2.jpg", "17.jpg"]
    assert {member.compress_type for member in members} == {0}
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}


def test_a_field_without_crops_is_loaded(folder: SlideFolder) -> None:
    folder.save(photo("b.png"), ScreenedField(Field("b.png", 9, 9), b"overlay", {}))
    assert folder.load(photo("b.png")) == Field("b.png", 9, 9)


def test_a_picture_that_has_changed_is_not_loaded(folder: SlideFolder) -> None:
    assert folder.load(photo(size=3)) is None
    assert folder.load(photo(stamp=3)) is None
    assert folder.load(photo("b.png")) is None


GOOD = {"stamp": [1, 2], "field": FIELD.to_dict(), "picture": ["pictures", "a.png"]}
CELL = FIELD.to_dict()["cells"][0]

KINDS: tuple[object, ...] = ("cell", None, [])
OUTLINES: tuple[object, ...] = ([[0, 0.5]], {}, "")

WRONG_TYPES: dict[str, tuple[object, ...]] = {
    "width": ("640", None, 6.5, True, 2**64),
    "diameter": ("9", None, [9]),
    "field": (3, None),
    "cells": (
        *({}, "", 3, [[]], [CELL | {"x": "0"}]),
        *[[CELL | {"p_parasitized": p}] for p in (None, "0.5", True)],
        *[[CELL | {"kind": kind}] for kind in KINDS],
        *[[CELL | {"outline": outline}] for outline in OUTLINES],
    ),
    "others": ([FIELD.to_dict()["others"][0] | {"height": None}], {}),
    "flaws": ([{"what": "out of focus", "measure": "sharpness", "value": "1", "limit": 2}], {}),
}

BAD_STATES: dict[str, object] = {
    "of an older version": GOOD | {"pictures": {"2": b64encode(CROPS[2]).decode()}},
    "without a stamp": {"field": FIELD.to_dict()},
    "without a field": {"stamp": [1, 2]},
    "with a place that is a number": GOOD | {"picture": 3},
    "with a place of one part": GOOD | {"picture": ["a.png"]},
    "with the stamp of another file": GOOD | {"stamp": "1, 2"},
    "a list": [1, 2],
    "a number": 1,
    "null": None,
    "with a field that is null": GOOD | {"field": None},
    "with a field that is empty": GOOD | {"field": {}},
    "with an unknown key": GOOD | {"field": FIELD.to_dict() | {"color": "pink"}},
    "with cells that are numbers": GOOD | {"field": FIELD.to_dict() | {"cells": [1, 2]}},
    "with a cell without p": GOOD
    | {
        "field": FIELD.to_dict()
        | {"cells": [{k: v for k, v in CELL.items() if k != "p_parasitized"}]}
    },
    **{
        f"with {value!r} as {key}": GOOD | {"field": FIELD.to_dict() | {key: value}}
        for key, values in WRONG_TYPES.items()
        for value in values
    },
    "with an outline of numbers": GOOD
    | {"field": FIELD.to_dict() | {"cells": [CELL | {"outline": [1, 2]}]}},
}


@pytest.mark.parametrize("state", list(BAD_STATES.values()), ids=list(BAD_STATES))
def test_a_state_of_another_form_is_not_loaded(state: object, folder: SlideFolder) -> None:
    path = folder.path / ".fields" / "a.png.json"
    path.write_text(json.dumps(GOOD))
    assert folder.load(photo()) == FIELD
    path.write_text(json.dumps(state))
    assert folder.load(photo()) is None


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b'{"stamp": ' * 100_000, b"\x00\xff"])
def test_a_state_that_is_not_json_is_not_loaded(content: bytes, folder: SlideFolder) -> None:
    (folder.path / ".fields" / "a.png.json").write_bytes(content)
    assert folder.load(photo()) is None


def test_leftovers_are_removed_and_the_files_of_others_are_kept(folder: SlideFolder) -> None:
    before = names(folder)
    for name in ("cells.csv", ".fields/a.png.json", "overlays/a.png.jpg"):
        leftover_of(folder.path / name).write_bytes(b"half")
    (folder.path / "mine.partial").write_bytes(b"mine")
    folder.begin()
    assert names(folder) == {*before, "mine.partial"}
    leftover_of(folder.path / ".fields" / "b.png.json").write_bytes(b"half")
    folder.clear()
    assert [path.name for path in folder.path.iterdir()] == ["mine.partial"]


@pytest.mark.parametrize("name", ["a.png.json", "a.png.zip", "a.png.jpg"])
def test_without_one_of_its_files_a_field_is_not_loaded(name: str, folder: SlideFolder) -> None:
    (path,) = folder.path.rglob(name)
    path.unlink()
    assert folder.load(photo()) is None


def test_a_field_that_became_unreadable_has_no_files(folder: SlideFolder) -> None:
    folder.save(photo(), ScreenedField(Field("a.png", error="a.png: damaged"), None, {}))
    assert names(folder) == set()
    assert folder.load(photo()) is None


def test_the_files_of_a_removed_picture_are_removed(folder: SlideFolder) -> None:
    folder.save(photo("b.png"), ScreenedField(FIELD, b"overlay", CROPS))
    folder.keep_only(["b.png"])
    assert names(folder) == {"b.png.json", "b.png.zip", "b.png.jpg"}


def test_clear_removes_all_files_and_folders(folder: SlideFolder) -> None:
    folder.clear()
    assert list(folder.path.iterdir()) == []
