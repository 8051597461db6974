from __future__ import annotations

import os
import struct
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemozoin.data import source
from hemozoin.data.source import open_source
from hemozoin.errors import DataError
from hemozoin.files import partial_suffix
from tests.conftest import make_zip

FILES = {"a/1.png": b"one", "a/2.png": b"", "b/deep/3.png": b"three" * 999}
JUNK = [
    "a/Thumbs.db",
    "a/THUMBS.DB",
    ".DS_Store",
    "__MACOSX/a/1.png",
    "a/._1.png",
    ".git/config",
    "b/desktop.ini",
]


def both(tmp_path: Path, files: dict[str, bytes]) -> list[Path]:
    for name, data in files.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(data)
    return [tmp_path / "folder", make_zip(tmp_path / "files.zip", files)]


def names(path: Path) -> list[str]:
    return [entry.name for entry in open_source(path).entries()]


def test_folder_and_zip_hold_the_same_files_without_junk(tmp_path: Path) -> None:
    for path in both(tmp_path, {**FILES, **dict.fromkeys(JUNK, b"junk")}):
        opened = open_source(path)
        entries = opened.entries()
        assert [entry.name for entry in entries] == sorted(FILES)
        assert sorted(opened.walk(), key=lambda entry: entry.name) == entries
        assert [opened.read(entry.name) for entry in entries] == [FILES[n] for n in sorted(FILES)]
        assert [entry.size for entry in entries] == [len(FILES[n]) for n in sorted(FILES)]


def test_partial_files_are_junk(tmp_path: Path) -> None:
    folder, archive = both(tmp_path, {**FILES, f"b/table.csv{partial_suffix()}": b"cell,label"})
    assert sorted(names(folder)) == sorted(names(archive)) == sorted(FILES)


def test_the_stamp_changes_with_new_content_of_the_same_size(tmp_path: Path) -> None:
    folder, archive = both(tmp_path, FILES)
    before = [open_source(path).entries()[0].stamp for path in (folder, archive)]
    was = (folder / "a/1.png").stat()
    (folder / "a/1.png").write_bytes(b"two")
    os.utime(folder / "a/1.png", ns=(was.st_atime_ns, was.st_mtime_ns))  # as `cp -p` does
    make_zip(archive, {**FILES, "a/1.png": b"two"})
    after = [open_source(path).entries()[0].stamp for path in (folder, archive)]
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_zip_can_be_read_from_many_threads(tmp_path: Path) -> None:
    files = {f"{n}.bin": bytes([n]) * 5000 for n in range(100)}
    opened = open_source(make_zip(tmp_path / "files.zip", files))
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(opened.read, list(files) * 5))
    assert read == list(files.values()) * 5


def test_backslashes_and_folder_entries_of_a_zip_made_on_windows(tmp_path: Path) -> None:
    path = tmp_path / "windows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("cells\\", "cells/", "cells\\a\\1.png"):
            info = zipfile.ZipInfo()
            info.filename = name
            archive.writestr(info, b"" if name[-1] in "\\/" else b"one")
    assert names(path) == ["cells/a/1.png"]
    assert open_source(path).read("cells/a/1.png") == b"one"


def test_of_two_zip_entries_with_one_name_the_later_is_read(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.png", b"old")
        archive.writestr("a.png", b"newer")
    assert [(entry.name, entry.size) for entry in open_source(path).entries()] == [("a.png", 5)]
    assert open_source(path).read("a.png") == b"newer"


# ---- bad input ---------------------------------------------------------------------------------


def refuse(path: Path, why: str) -> None:
    with pytest.raises(DataError, match=why) as caught:
        open_source(path).entries()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_path_and_a_path_that_is_neither_file_nor_folder(tmp_path: Path) -> None:
    refuse(tmp_path / "none", "No such file.*give a zip or a folder")
    refuse(tmp_path / "nul\0", "null byte")
    os.mkfifo(tmp_path / "pipe")
    refuse(tmp_path / "pipe", "neither a zip nor a folder")


def test_a_file_that_is_not_a_zip_or_is_incomplete(tmp_path: Path, cells_zip: Path) -> None:
    whole = cells_zip.read_bytes()
    for size in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "short.zip").write_bytes(whole[:size])
        refuse(tmp_path / "short.zip", "not a zip, or incomplete")
    (tmp_path / "text.zip").write_text("cells" * 500)
    refuse(tmp_path / "text.zip", "not a zip")


@given(at=st.integers(0, 2**16), value=st.integers(0, 255), cut=st.integers(0, 300))
def test_a_damaged_zip_gives_complete_files_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int, cut: int
) -> None:
    path = make_zip(tmp_path_factory.mktemp("zip") / "files.zip", FILES)
    data = bytearray(path.read_bytes())
    data[at % len(data)] = value
    path.write_bytes(data[: max(len(data) - cut, 0)] if cut < 30 else data)
    try:
        opened = open_source(path)
    except DataError:
        return
    for entry in opened.entries():
        try:
            assert opened.read(entry.name) in FILES.values()
        except DataError as error:
            assert str(error).startswith(entry.name)


@pytest.mark.parametrize(
    "name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:\\x.png", "c:/x.png", "..\\x.png"]
)
def test_entries_that_point_outside_the_zip(tmp_path: Path, name: str) -> None:
    refuse(make_zip(tmp_path / "slip.zip", {"a.png": b"", name: b"x"}), "points outside")


def test_names_that_only_look_like_pointing_outside(tmp_path: Path) -> None:
    files = {"12:30.png": b"x", "a/..b.png": b"y", "a..": b"z"}
    assert names(make_zip(tmp_path / "fine.zip", files)) == ["12:30.png", "a.."]  # ..b is hidden


def patched(path: Path, flag_bits: int | None = None, size: int | None = None) -> Path:
    """Change the flags or the declared size of the only entry, in both headers."""
    data = bytearray(path.read_bytes())
    for signature, flags_at, size_at in ((b"PK\3\4", 6, 22), (b"PK\1\2", 8, 24)):
        start = data.index(signature)
        if flag_bits is not None:
            struct.pack_into("<H", data, start + flags_at, flag_bits)
        if size is not None:
            struct.pack_into("<I", data, start + size_at, size)
    path.write_bytes(data)
    return path


def test_an_encrypted_zip(tmp_path: Path) -> None:
    path = patched(make_zip(tmp_path / "secret.zip", {"a.png": b"x"}), flag_bits=1)
    refuse(path, "encrypted.*password")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_methods_that_cannot_be_unpacked_in_part(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w", method) as archive:
        archive.writestr("a.png", bytes(10**6))
    refuse(tmp_path / "other.zip", "method")


def test_a_file_declared_larger_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_FILE_BYTES", 2**20)
    large = make_zip(tmp_path / "bomb.zip", {"a.png": bytes(2**20 + 1)})
    refuse(large, "a.png: larger than 1 MB")
    (tmp_path / "a.png").write_bytes(bytes(2**20 + 1))
    with pytest.raises(DataError, match=r"a.png: larger than 1 MB"):
        open_source(tmp_path).read("a.png")
    assert names(make_zip(large, {"a.png": bytes(2**20)})) == ["a.png"]


@pytest.mark.slow
def test_an_entry_larger_than_it_declares(tmp_path: Path) -> None:
    """An entry of 300 MB that declares 1,000 bytes must be refused before it is unpacked."""
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as a:
        a.writestr("a.png", bytes(300 * 2**20))
    opened = open_source(patched(tmp_path / "bomb.zip", size=1000))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"a.png: damaged in the zip"):
        opened.read("a.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * 2**20


def test_content_with_a_wrong_checksum_or_length(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "bad.zip", {"a.png": b"content"})
    path.write_bytes(path.read_bytes().replace(b"content", b"c0ntent"))
    with pytest.raises(DataError, match=r"a.png: damaged in the zip \(Bad CRC-32"):
        open_source(path).read("a.png")
    incomplete = patched(make_zip(tmp_path / "bad.zip", {"a.png": b"content"}), size=9)
    with pytest.raises(DataError, match=r"a.png: damaged in the zip \(incomplete\)"):
        open_source(incomplete).read("a.png")


def test_reading_a_missing_name(tmp_path: Path) -> None:
    for path in both(tmp_path, FILES):
        with pytest.raises(DataError, match=r"none.png"):
            open_source(path).read("none.png")


# ---- unusual folders ---------------------------------------------------------------------------


def test_links_to_folders_are_followed_but_never_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "data/a").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/1.png").write_bytes(b"one")
    (tmp_path / "data/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/a/up").symlink_to(tmp_path / "data")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "data")
    (tmp_path / "data/itself").symlink_to("itself")
    found = names(tmp_path / "data")
    assert found == ["itself", "link/1.png"]
    assert open_source(tmp_path / "data").read("link/1.png") == b"one"


def test_dangling_links_and_pipes_are_listed_and_refused_when_read(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    opened = open_source(tmp_path)
    assert [entry.name for entry in opened.entries()] == ["gone.png", "pipe.png"]
    for name in ("gone.png", "pipe.png"):
        with pytest.raises(DataError, match=name):
            opened.read(name)


def test_a_name_that_is_not_utf8_is_listed_and_refused_when_read(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/z\xe9.png")).write_bytes(b"one")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    opened = open_source(tmp_path)
    (entry,) = opened.entries()
    assert entry.name == "z?.png"
    with pytest.raises(DataError, match=r"z\?.png: no such file, or its name is not UTF-8"):
        opened.read(entry.name)


def test_a_folder_that_may_not_be_listed_is_an_error(
    cells_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def scandir(folder: str) -> object:
        if folder.endswith("Uninfected"):
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match=r"Uninfected: can't be listed \(Permission denied\)"):
        open_source(cells_folder).entries()


def test_a_file_that_may_not_be_read(cells_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    opened = open_source(cells_folder)
    name = opened.entries()[0].name
    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(DataError, match=f"{name}: Permission denied"):
        opened.read(name)
