"""Pictures are assigned to slides by their paths."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemozoin.errors import DataError
from hemozoin.smear.slides import MARK, find_slides
from tests.conftest import make_zip


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def found(*paths: Path) -> dict[str, list[str]]:
    slides = find_slides(paths)
    assert len({slide.slide for slide in slides}) == len(slides)
    return {slide.slide: [photo.field for photo in slide.photos] for slide in slides}


def test_a_folder_is_a_slide_and_so_is_every_folder_in_it(tmp_path: Path) -> None:
    root = put(
        tmp_path / "smear", "b.png", "a.png", "day 2/left/1.png", "day 1/2.png", "day 1/1.png"
    )
    assert found(root) == {
        "smear": ["a.png", "b.png"],
        "day 1": ["1.png", "2.png"],
        "day 2/left": ["1.png"],
    }


def test_slides_are_in_the_given_order_then_sorted_by_name(tmp_path: Path) -> None:
    put(tmp_path, *(f"z/{k}.png" for k in (3, 1, 2)), "a/1.png", "a/z/1.png", "a/z.png")
    assert list(found(tmp_path / "z", tmp_path / "a")) == ["z", "a", "a/z"]
    assert found(tmp_path / "z") == {"z": ["1.png", "2.png", "3.png"]}
    assert found(tmp_path / "a") == {"a": ["1.png", "z.png"], "z": ["1.png"]}


def test_pictures_are_one_slide_named_after_their_folder(tmp_path: Path) -> None:
    root = put(tmp_path / "patient 7", "b.png", "a.png", "c.png")
    assert found(root / "b.png", root / "a.png") == {"patient 7": ["a.png", "b.png"]}


def test_pictures_and_folders_together(tmp_path: Path) -> None:
    put(tmp_path, "loose/1.png", "folder/1.png")
    assert found(tmp_path / "folder", tmp_path / "loose" / "1.png") == {
        "loose": ["1.png"],
        "folder": ["1.png"],
    }


def test_no_picture_is_counted_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = put(tmp_path / "a", "1.png", "b/1.png", "b/2.png")
    monkeypatch.chdir(root)
    once = {"a": ["1.png"], "b": ["1.png", "2.png"]}
    assert found(root) == once
    assert found(root, root) == once
    assert found(root, Path(), root / "b" / "..") == once
    assert found(root, root / "b", root / "b" / "2.png") == once
    assert found(root / "1.png", root / "1.png") == {"a": ["1.png"]}


def test_a_link_to_a_folder_above_is_not_followed(tmp_path: Path) -> None:
    root = put(tmp_path / "a", "1.png")
    (root / "again").symlink_to(root)
    assert found(root) == {"a": ["1.png"]}


def test_two_pictures_with_the_same_name_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "b/1.png")
    with pytest.raises(DataError, match=r"1\.png: 2 pictures of a slide have this name"):
        find_slides([tmp_path / "a" / "1.png", tmp_path / "b" / "1.png"])


def test_two_slides_with_the_same_name_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "x/a/1.png", "y/a/1.png")
    with pytest.raises(DataError, match="a: 2 slides have this name"):
        find_slides([tmp_path / "x" / "a", tmp_path / "y" / "a"])
    assert list(found(tmp_path / "x", tmp_path / "y")) == ["x/a", "y/a"]


def test_junk_is_left_out_and_other_files_are_kept(tmp_path: Path) -> None:
    junk = (".hidden.png", "Thumbs.db", "desktop.ini", ".git/1.png", "__MACOSX/1.png")
    root = put(tmp_path / "a", "1.png", "notes.txt", *junk)
    assert found(root) == {"a": ["1.png", "notes.txt"]}


@pytest.mark.parametrize("names", [(), ("Thumbs.db", ".hidden.png")])
def test_a_folder_without_pictures_is_refused(names: Iterable[str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    put(tmp_path / "empty", *names)
    with pytest.raises(DataError, match="empty: has no pictures"):
        find_slides([tmp_path / "empty"])


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        find_slides([tmp_path / "nowhere"])


def test_files_written_by_screen_are_not_screened(tmp_path: Path) -> None:
    root = put(tmp_path / "a", "1.png", f"out/{MARK}", "out/overlays/1.png.jpg", "out/x/y/1.jpg")
    put(root, "outer/1.png")
    assert found(root) == {"a": ["1.png"], "outer": ["1.png"]}
    with pytest.raises(DataError, match="has no pictures"):
        find_slides([root / "out"])


def test_a_zip_is_read_like_a_folder(tmp_path: Path) -> None:
    archive = make_zip(
        tmp_path / "day.zip", {"left/2.png": b"2", "left/1.png": b"1", "3.png": b"3"}
    )
    assert found(archive) == {"day": ["3.png"], "left": ["1.png", "2.png"]}
    assert [photo.read() for photo in find_slides([archive])[1].photos] == [b"1", b"2"]


@pytest.mark.skipif(os.name != "posix", reason="names of bytes are POSIX's")
def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "a" / os.fsdecode(b"\xff.png")
    file.parent.mkdir()
    file.write_bytes(b"x")
    assert found(file) == found(tmp_path / "a") == {"a": ["?.png"]}
    assert find_slides([file])[0].photos[0].read() == b"x"
    with pytest.raises(DataError, match="not UTF-8"):
        find_slides([tmp_path / "a"])[0].photos[0].read()


def test_an_edited_picture_has_another_stamp(tmp_path: Path) -> None:
    root = put(tmp_path / "a", "1.png")
    for path in (root, root / "1.png"):
        (root / "1.png").write_bytes(b"one")
        os.utime(root / "1.png", ns=(5, 5))
        before = find_slides([path])[0].photos[0].entry
        (root / "1.png").write_bytes(b"two")
        os.utime(root / "1.png", ns=(5, 5))
        after = find_slides([path])[0].photos[0].entry
        assert (before.name, before.size) == (after.name, after.size)
        assert before.stamp != after.stamp


@given(st.sets(st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map("/".join), min_size=1))
def test_every_file_is_a_field_of_its_folder(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    root = put(tmp_path_factory.mktemp("x") / "root", *(f"{name}.png" for name in names))
    slides = find_slides([root])
    listed = [photo.entry.name for slide in slides for photo in slide.photos]
    assert sorted(listed) == sorted(f"{name}.png" for name in names)
    for slide in slides:
        for photo in slide.photos:
            above = "" if slide.slide == "root" else f"{slide.slide}/"
            assert photo.entry.name == above + photo.field
            assert photo.read() == photo.entry.name.encode()
