"""Pictures that are added to a slide, and a server that is killed while it adds them."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hemozoin.serve.store.store import SlideStore
from hemozoin.serve.uploads import (
    Upload,
    UploadedPictures,
    add_to_slide,
    finish_uploads,
    pictures_to_add,
)
from tests.serve.test_api import some_picture

#: What changes names and folders.
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}


def uploads(*levels: int) -> Iterator[Upload]:
    for level in levels:
        yield Upload(f"{level}.png", io.BytesIO(some_picture(level)))


def make_slide(root: Path) -> None:
    """Make a served folder with a slide of two pictures whose screening is done."""
    root.mkdir()
    store, uploaded = SlideStore(root), UploadedPictures(root)
    uploaded.save(uploads(1, 2))
    uploaded.keep(store.pictures("left"))
    store.add_slide("left", uploaded.pictures, "Ada")
    job = store.next_job()
    assert job
    store.end_job(job.id, "done")


def add(root: Path) -> None:
    """Add two pictures to those of the slide, which has a third already."""
    store = SlideStore(root)
    uploaded = pictures_to_add(store, "left")
    uploaded.save(uploads(3, 1, 4))
    assert uploaded.repeated == ["1.png"]
    add_to_slide(uploaded, store, "left", "Bob")


def added_and_killed(root: Path, change: int) -> bool:
    """Return whether a process that adds them, in a fork, is killed at one of its changes."""

    def kill(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal change
        if event in CHANGES and str(arguments[0]).startswith(str(root)):
            change -= 1
            if change == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        sys.addaudithook(kill)
        add(root)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL)
    return status == signal.SIGKILL


@pytest.mark.slow
def test_all_pictures_are_added_or_none_wherever_the_server_is_killed(tmp_path: Path) -> None:
    numbers, change, was_killed = set(), 0, True
    while was_killed:
        change += 1
        root = tmp_path / str(change)
        make_slide(root)
        was_killed = added_and_killed(root, change)
        store = SlideStore(root)
        finish_uploads(store)
        files = {path.name for path in store.pictures("left").iterdir()}
        assert files == store.picture_names("left").keys()
        assert {path.name for path in (root / "pictures").iterdir()} == {"left"}
        job = store.last_job("left")
        assert job and job.state == ("done" if len(files) == 2 else "queued")
        numbers.add(len(files))
    assert change > 5
    assert numbers == {2, 4}
    assert sorted(files) == ["0001-1.png", "0002-2.png", "0003-3.png", "0004-4.png"]


def test_pictures_that_could_not_be_moved_come_with_the_next_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "served"
    make_slide(root)
    rename = Path.rename

    def fails_in_slide(path: Path, target: Path) -> Path:
        if target.name == "0004-4.png":
            raise OSError(28, "No space left on device")
        return rename(path, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(Path, "rename", fails_in_slide)
        add(root)
    store = SlideStore(root)
    uploaded = pictures_to_add(store, "left")
    uploaded.save(uploads(4, 5))
    add_to_slide(uploaded, store, "left", "Bob")
    assert len([*store.pictures("left").iterdir()]) == 5
    assert [one.action for one in store.changes("left")] == [
        *("uploaded", "pictures added: 2", "pictures added: 1")
    ]
