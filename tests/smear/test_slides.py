"""Pictures are assigned to slides by their paths."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hemozoin.errors import DataError
from hemozoin.smear.slides import MARK, find_slides
from tests.conftest import encoded, make_zip, png


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def found(*paths: Path) -> dict[str, list[str]]:
    slides, _ = find_slides(paths)
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


JUNK = (
    *(".hidden.png", "Thumbs.db", "desktop.ini", ".git/1.png", "__MACOSX/1.png"),
    "@eaDir/1.png/SYNOPHOTO_THUMB_XL.jpg",
)

#: Files that come with pictures.
TEXTS = ("README", "cells.csv", "image.xml", "notes.txt", "plan.pdf", "report.docx", "truth.json")


def test_junk_and_files_that_are_no_pictures_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = put(tmp_path / "a", "1.png", "b/notes.txt", *TEXTS, *JUNK)
    (slide,), passed_over = find_slides([root])
    assert [photo.field for photo in slide.photos] == ["1.png"]
    assert sorted(passed_over.others) == sorted(["b/notes.txt", *TEXTS])
    assert capsys.readouterr().err == ""
    passed_over.report()
    assert capsys.readouterr().err == (
        "passed over: 8 files that are no pictures:"
        " README, b/notes.txt, cells.csv, image.xml, notes.txt, ...; 6 hidden files or folders:"
        " .git, .hidden.png, @eaDir, Thumbs.db, __MACOSX, ...\n"
    )


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_icons_and_our_own_results_are_passed_over(
    packed: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"1.png": png(Image.new("RGB", (200, 200))), "cell.png": png(Image.new("RGB", (65, 9)))}
    files |= {
        "icon.png": png(Image.new("RGB", (64, 64))),
        "b/tiny.jpg": png(Image.new("1", (9, 9))),
    }
    files |= {f"out/{MARK}": b"{}", "out/overlays/1.png.jpg": b"x", "predictions.csv": b"cell"}
    root = make_zip(tmp_path / "a.zip", files) if packed else tmp_path / "a"
    for name, data in ({} if packed else files).items():
        put(root, name)
        (root / name).write_bytes(data)
    (slide,), passed_over = find_slides([root])
    assert [photo.field for photo in slide.photos] == ["1.png", "cell.png"]
    passed_over.report()
    assert capsys.readouterr().err == (
        "passed over: 1 file that is no picture: predictions.csv; 2 icons: b/tiny.jpg, icon.png;"
        f" 2 files that hemozoin wrote: out/{MARK}, out/overlays/1.png.jpg\n"
    )


def test_a_folder_of_tiny_pictures_is_for_predict(tmp_path: Path) -> None:
    root = put(tmp_path / "a", "1.png")
    (root / "1.png").write_bytes(png(Image.new("RGB", (60, 60))))
    with pytest.raises(DataError, match="has only tiny pictures; hemozoin predict takes single"):
        find_slides([root])
    assert found(root / "1.png") == {"a": ["1.png"]}


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"\0\0\0\x18ftypmp42", "a video"), (b"%PDF-1.7", "PDF is never opened")],
)
def test_a_file_that_is_no_picture_is_named(data: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(data)
    with pytest.raises(DataError, match=f"film: {why}"):
        find_slides([tmp_path / "film"])


def test_names_are_composed(tmp_path: Path) -> None:
    root = put(tmp_path / "Proble\u0301", "frotti\u0301s/champ e\u0301.png")
    assert found(root) == {"frott\u00eds": ["champ \u00e9.png"]}
    photo = find_slides([root])[0][0].photos[0]
    assert photo.read() == "frotti\u0301s/champ e\u0301.png".encode()
    put(tmp_path, "x/a\u0301/1.png", "y/\u00e1/1.png")
    with pytest.raises(DataError, match="2 slides have this name"):
        find_slides([tmp_path / "x" / "a\u0301", tmp_path / "y" / "\u00e1"])


def test_a_file_given_by_name_is_passed_over_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = put(tmp_path / "a", "1.png", "no\ntes.txt")
    (slide,), passed_over = find_slides(sorted(root.iterdir()))
    assert [photo.field for photo in slide.photos] == ["1.png"]
    passed_over.report()
    assert capsys.readouterr().err == "passed over: 1 file that is no picture: no\\ntes.txt\n"
    find_slides([root / "1.png"])[1].report()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_picture_is_one_by_its_ending_or_by_its_first_bytes(packed: bool, tmp_path: Path) -> None:
    image = Image.new("RGB", (90, 90))
    forms = ("PNG", "JPEG", "TIFF", "WEBP", "AVIF", "BMP", "GIF", "PPM")
    files = {f"{form} without ending": encoded(image, form) for form in forms}
    files |= {
        **{"1.txt": png(image), "IMG.1234": png(image)[:50], "text.jpg": b"text", "empty.tif": b""},
        **{"photo.HEIC": b"\0\0\0\x20ftypheic", "slide.svs": b"?"},
    }
    others = {
        **{"BMI": b"BMI of the patient: 22", "P1": b"P1 is the first patient", "II": b"II"},
        **{"empty": b"", "film.mp4": b"\0\0\0\x20ftypisom", "map.svg": b"<svg/>"},
        **{"figure.eps": b"%!PS", "table": b"a,b\n1,2\n"},
    }
    root = tmp_path / "a"
    if packed:
        root = make_zip(tmp_path / "a.zip", files | others)
    for name, data in ({} if packed else files | others).items():
        put(root, name)
        (root / name).write_bytes(data)
    assert found(root) == {"a": sorted(files)}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    root = put(tmp_path / "a", "1.png")
    os.mkfifo(root / "pipe")
    os.mkfifo(root / "pipe.png")
    assert found(root) == {"a": ["1.png", "pipe.png"]}
    with pytest.raises(DataError, match="no such file"):
        find_slides([root])[0][0].photos[1].read()


def test_a_file_that_cannot_be_read_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = put(tmp_path / "a", "1.png", "2")

    def failing(path: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("hemozoin.smear.slides.head_of", failing)
    assert found(root) == {"a": ["1.png", "2"]}


@pytest.mark.parametrize("names", [(), ("Thumbs.db", ".hidden.png"), ("notes.txt", "b/notes.txt")])
def test_a_folder_without_pictures_is_refused(names: Iterable[str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    put(tmp_path / "empty", *names)
    with pytest.raises(DataError, match="empty: has no pictures"):
        find_slides([tmp_path / "empty"])
    for file in (tmp_path / "empty").glob("*.txt"):
        with pytest.raises(DataError, match=r"notes\.txt: has no pictures"):
            find_slides([file])


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
    assert [photo.read() for photo in find_slides([archive])[0][1].photos] == [b"1", b"2"]


@pytest.mark.skipif(os.name != "posix", reason="names of bytes are POSIX's")
def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "a" / os.fsdecode(b"\xff.png")
    file.parent.mkdir()
    file.write_bytes(b"x")
    assert found(file) == found(tmp_path / "a") == {"a": ["?.png"]}
    assert find_slides([file])[0][0].photos[0].read() == b"x"
    with pytest.raises(DataError, match="not UTF-8"):
        find_slides([tmp_path / "a"])[0][0].photos[0].read()


def test_an_edited_picture_has_another_stamp(tmp_path: Path) -> None:
    root = put(tmp_path / "a", "1.png")
    for path in (root, root / "1.png"):
        (root / "1.png").write_bytes(b"one")
        os.utime(root / "1.png", ns=(5, 5))
        before = find_slides([path])[0][0].photos[0].entry
        (root / "1.png").write_bytes(b"two")
        os.utime(root / "1.png", ns=(5, 5))
        after = find_slides([path])[0][0].photos[0].entry
        assert (before.name, before.size) == (after.name, after.size)
        assert before.stamp != after.stamp


@pytest.mark.slow
@given(st.sets(st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map("/".join), min_size=1))
def test_every_file_is_a_field_of_its_folder(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    root = put(tmp_path_factory.mktemp("x") / "root", *(f"{name}.png" for name in names))
    slides, _ = find_slides([root])
    listed = [photo.entry.name for slide in slides for photo in slide.photos]
    assert sorted(listed) == sorted(f"{name}.png" for name in names)
    for slide in slides:
        for photo in slide.photos:
            above = "" if slide.slide == "root" else f"{slide.slide}/"
            assert photo.entry.name == above + photo.field
            assert photo.read() == photo.entry.name.encode()


# ---- records ------------------------------------------------------------------------------------


def records(*paths: Path) -> dict[str, bytes | None]:
    slides, _ = find_slides(paths)
    return {slide.slide: slide.record.read() if slide.record else None for slide in slides}


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_record_is_of_the_slide_in_its_folder(packed: bool, tmp_path: Path) -> None:
    names = ("a/1.png", "a/slide.toml", "b/1.png", "c/1.png", "c/Slide.TOML", "slide.toml")
    root = put(tmp_path / "day", *names)
    if packed:
        root = make_zip(tmp_path / "day.zip", {name: name.encode() for name in names})
    assert records(root) == {"a": b"a/slide.toml", "b": None, "c": b"c/Slide.TOML"}
    assert found(root) == {"a": ["1.png"], "b": ["1.png"], "c": ["1.png"]}
    _, passed_over = find_slides([root])
    assert passed_over.others == ["slide.toml"]  # beside no picture


def test_the_record_beside_pictures_given_one_by_one(tmp_path: Path) -> None:
    root = put(tmp_path / "left", "1.png", "2.png", "slide.toml")
    beside = {"left": b"slide.toml"}
    assert records(root / "1.png", root / "2.png") == beside
    assert records(*sorted(root.iterdir())) == beside
    assert records(root / "slide.toml", root / "1.png") == beside


def test_two_records_of_one_slide_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "a/slide.toml", "b/2.png", "b/slide.toml", "c/1.png", "c/slide.toml")
    with pytest.raises(DataError, match=r"slide\.toml and .*: two records for one slide"):
        find_slides([tmp_path / "a" / "1.png", tmp_path / "b" / "2.png"])
    (tmp_path / "c" / "SLIDE.toml").write_bytes(b"")
    with pytest.raises(DataError, match="two records"):
        find_slides([tmp_path / "c"])


def test_a_record_alone_is_no_slide(tmp_path: Path) -> None:
    root = put(tmp_path / "left", "slide.toml")
    for path in (root, root / "slide.toml"):
        with pytest.raises(DataError, match="has no pictures"):
            find_slides([path])
