"""Partial files: what killed processes leave, what others are still writing, what is the user's."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hemozoin import files
from hemozoin.files import (
    filled_folder,
    is_free,
    partial_suffix,
    read_regular_file,
    remove_leftovers,
    replace_file,
    replacing,
    unfinished_folder,
)
from tests.support.commands import leftover_of, tree

#: The end of the name of a partial file of a process that runs: the one that started this one.
RUNNING = partial_suffix().replace(f"-{os.getpid()}.", f"-{os.getppid()}.")

ELSEWHERE = ".0123ab-7.partial"

#: Files that end like partial files, but are not.
OTHERS = ("mine.partial", "a.123.partial", "b.0123ab-7.partial.txt", "c-0123ab-7.partial")


def write(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("content")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def leftover(name: str) -> str:
    return leftover_of(Path(name)).name


# ---- partial files -----------------------------------------------------------------------------


def test_a_folder_of_partial_files_is_free(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert is_free(out)
    write(out)
    assert is_free(out)
    write(out, leftover("a.json"), f"b{RUNNING}", f"c{ELSEWHERE}")
    assert is_free(out)
    write(out, "a.json")
    assert not is_free(out)
    assert not is_free(out / "a.json")
    assert not is_free(out / "a.json" / "below a file")


@pytest.mark.parametrize("name", OTHERS)
def test_files_with_similar_names_are_the_users(name: str, tmp_path: Path) -> None:
    write(tmp_path / "out", name)
    assert not is_free(tmp_path / "out")
    remove_leftovers(tmp_path / "out")
    assert names(tmp_path / "out") == {name}


def test_a_folder_with_such_a_name_is_not_a_leftover(tmp_path: Path) -> None:
    leftover_of(tmp_path / "a").mkdir()
    assert not is_free(tmp_path)
    before = tree(tmp_path)
    remove_leftovers(tmp_path)
    assert tree(tmp_path) == before


def test_only_leftovers_are_removed(tmp_path: Path) -> None:
    kept = {"a.json", f"a.json{RUNNING}", f"a.json{ELSEWHERE}", f"a.json{partial_suffix()}"}
    write(tmp_path, leftover("a.json"), leftover("b.npy"), *kept)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == kept
    remove_leftovers(tmp_path / "nowhere")


def test_after_a_day_no_process_is_waited_for(tmp_path: Path) -> None:
    write(tmp_path, f"a{RUNNING}", f"b{ELSEWHERE}", f"c{partial_suffix()}", "mine.partial")
    for path in tmp_path.iterdir():
        os.utime(path, (time.time() - 25 * 3600,) * 2)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == {"mine.partial"}


def test_leftovers_of_one_file(tmp_path: Path) -> None:
    inner = leftover(leftover("a.csv"))
    write(tmp_path, leftover("a.csv"), inner, leftover("b.csv"), leftover("a.csvx"))
    remove_leftovers(tmp_path, "a.csv")
    assert names(tmp_path) == {leftover("b.csv"), leftover("a.csvx")}


def test_an_error_of_a_network_in_the_block_is_no_error_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="no answer") as raised, replacing(tmp_path / "a.txt"):
        raise TimeoutError("no answer")
    assert raised.value.filename is None
    assert not list(tmp_path.iterdir())


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    replace_file(path, "old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"new")
        assert names(tmp_path) == {"a.txt", f"a.txt{partial_suffix()}"}
        raise ZeroDivisionError
    assert tree(tmp_path) == {str(path): b"old"}


def test_an_error_names_the_file_and_not_its_partial_file(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 250)  # allowed, but not with the end of a partial file
    with pytest.raises(OSError, match="too long") as raised:
        replace_file(path, "new")
    assert raised.value.filename == str(path)


def test_another_computer_has_other_partial_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = partial_suffix()
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    assert partial_suffix() != here


# ---- folders with several files ----------------------------------------------------------------


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Return a folder whose second file was being written when the process was killed."""
    out = tmp_path / "out"
    with pytest.raises(ZeroDivisionError), unfinished_folder(out) as add:
        add("a.json", "b.json")
        write(out, "a.json", leftover("b.json"))
        raise ZeroDivisionError
    (of_this,) = out.glob("unfinished*")
    of_this.rename(out / leftover("unfinished"))
    return out


def test_an_unfinished_folder_is_free(killed: Path) -> None:
    assert names(killed) == {"a.json", leftover("b.json"), leftover("unfinished")}
    assert is_free(killed)
    remove_leftovers(killed)
    assert names(killed) == set()


def test_it_is_filled_by_the_same_command_and_by_another(killed: Path) -> None:
    with filled_folder(killed, ["c.json"]):
        assert not (killed / "a.json").exists()
        write(killed, "c.json")
    assert names(killed) == {"c.json"}
    assert not is_free(killed)


def test_a_file_of_the_user_in_it_is_kept(killed: Path) -> None:
    write(killed, "mine.txt")
    assert not is_free(killed)
    remove_leftovers(killed)
    assert names(killed) == {"mine.txt"}


def test_a_folder_that_a_running_process_fills_is_not_free(killed: Path) -> None:
    (killed / leftover("unfinished")).rename(killed / f"unfinished{RUNNING}")
    assert not is_free(killed)
    remove_leftovers(killed)
    assert (killed / "a.json").exists()


@pytest.mark.parametrize("suffix", [ELSEWHERE, partial_suffix()], ids=["elsewhere", "restarted"])
def test_a_process_elsewhere_or_before_a_restart_is_not_waited_for(
    suffix: str, killed: Path
) -> None:
    (killed / leftover("unfinished")).rename(killed / f"unfinished{suffix}")
    assert is_free(killed)
    remove_leftovers(killed)
    assert names(killed) == set()


ELSEWHERE_FILES = (
    *("../mine.txt", "/etc/hostname", "..", ".", "", "inner/", "inner/..", "inner/../mine.txt"),
    *("../out/inner/a.txt", "link/mine.txt", "inner/deep/a.txt", "/inner/a.txt"),
)


@pytest.mark.parametrize("name", ELSEWHERE_FILES)
def test_a_list_names_no_file_elsewhere(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(tmp_path, "mine.txt")
    write(out)
    write(out / "inner", "a.txt")
    write(out / "inner" / "deep", "a.txt")
    (out / "link").symlink_to(tmp_path)
    (out / leftover("unfinished")).write_text(f"{name}\n")
    remove_leftovers(out)
    assert (tmp_path / "mine.txt").exists()
    assert names(out) == {"inner", "link"}
    assert names(out / "inner") == {"a.txt", "deep"}
    assert names(out / "inner" / "deep") == {"a.txt"}


@pytest.mark.parametrize("content", [(), ("a.png",), ("a.png", leftover("b.png"))])
def test_a_subfolder_on_the_list_is_part_of_the_unfinished_folder(
    content: tuple[str, ...], killed: Path
) -> None:
    (killed / leftover("unfinished")).write_text("a.json\nb.json\nplots/a.png\nplots/b.png\n")
    write(killed / "plots", *content)
    assert is_free(killed)
    remove_leftovers(killed)
    assert names(killed) == set()


def test_a_file_of_the_user_in_a_subfolder_is_kept(killed: Path) -> None:
    (killed / leftover("unfinished")).write_text("a.json\nplots/a.png\n")
    write(killed / "plots", "a.png", "mine.png")
    assert not is_free(killed)
    remove_leftovers(killed)
    assert names(killed) == {"plots"}
    assert names(killed / "plots") == {"mine.png"}


def test_the_last_line_of_a_list_may_be_cut_off(tmp_path: Path) -> None:
    write(tmp_path, "a", "ab")
    (tmp_path / leftover("unfinished")).write_text("ab\na")
    assert not is_free(tmp_path)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == {"a"}


def test_a_folder_is_filled_or_as_it_was(tmp_path: Path) -> None:
    new, empty = tmp_path / "deep" / "new", tmp_path / "empty"
    empty.mkdir()
    for folder in (new, empty):
        with pytest.raises(ZeroDivisionError), filled_folder(folder, ["a", "b"]):
            write(folder, "a")
            raise ZeroDivisionError
    assert not new.exists()
    assert names(empty) == set()
    with filled_folder(new, ["a", "b"]):
        write(new, "a", "b")
    assert names(new) == {"a", "b"}


def test_two_processes_that_fill_the_same_folder(tmp_path: Path) -> None:
    """The one that ends later finds that its list has gone."""
    why = "another process has written into this folder"
    with pytest.raises(FileExistsError, match=why), filled_folder(tmp_path, ["a"]):
        write(tmp_path, "a")
        remove_leftovers(tmp_path)


def test_a_folder_that_was_filled_in_the_meantime_is_not_changed(killed: Path) -> None:
    write(killed, "mine.txt")
    (killed / leftover("unfinished")).rename(killed / f"unfinished{RUNNING}")
    with pytest.raises(FileExistsError, match="any more"), filled_folder(killed, ["a.json"]):
        pytest.fail("must not begin")
    assert names(killed) == {"a.json", "mine.txt", f"unfinished{RUNNING}"}


def test_a_process_of_another_user_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(process: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    assert files._is_running(1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
def test_a_pipe_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    """Otherwise `--html /dev/null` would put a file in the place of the device."""
    pipe, null = tmp_path / "pipe", tmp_path / "null"
    os.mkfifo(pipe)
    null.symlink_to(os.devnull)
    for path in (pipe, null):
        with pytest.raises(OSError, match="not a regular file"):
            replace_file(path, "content")
    assert pipe.is_fifo()
    assert null.is_symlink()
    assert names(tmp_path) == {"pipe", "null"}


# ---- reading -----------------------------------------------------------------------------------


def test_only_regular_files_of_limited_size_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    (tmp_path / "link").symlink_to(path)
    assert read_regular_file(path) == read_regular_file(tmp_path / "link") == b"content"
    with path.open("wb") as file:
        file.truncate(2**29 + 1)
    with pytest.raises(OSError, match="has 536,870,913 bytes, too many"):
        read_regular_file(path)
    os.mkfifo(tmp_path / "pipe")
    for other in (tmp_path / "pipe", tmp_path, Path("/dev/zero"), Path("/dev/tty")):
        with pytest.raises(OSError, match="not a regular file"):
            read_regular_file(other)
