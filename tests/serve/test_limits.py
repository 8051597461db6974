"""Limits of uploads, and a disk that is full: one sentence each, and nothing left behind."""

from __future__ import annotations

import errno
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from hemozoin.data import source
from hemozoin.serve import uploads
from hemozoin.serve.api import slides
from hemozoin.serve.app import make_app
from hemozoin.serve.store.store import SlideStore
from hemozoin.serve.work.jobs import JobQueue
from tests.serve.test_api import some_picture
from tests.support.coroutines import run

Files = list[tuple[str, tuple[str, bytes]]]


@pytest.fixture
def store(tmp_path: Path) -> SlideStore:
    return SlideStore(tmp_path)


#: Asks the application: method, path, and options of httpx.
Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(store: SlideStore) -> Ask:
    """Return a function that asks the application, whose queue does not run."""
    app = make_app(store, JobQueue(store, "nano", workers=1), None)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def answer(method: str, path: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, f"/api/v1/slides{path}", **options)

    return lambda *what, **options: run(answer(*what, **options))


def pictures(*levels: int) -> Files:
    return [("files", (f"{level}.png", some_picture(level))) for level in levels]


def zipped(**files: bytes) -> Files:
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return [("files", ("s.zip", buffer.getvalue()))]


def refused(ask: Ask, store: SlideStore, files: Files) -> tuple[int, str]:
    """Return status and error of an upload that leaves nothing behind."""
    answer = ask("POST", "", files=files)
    assert store.slides() == []
    assert [*store.pictures("").glob("*")] == []
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize(
    ("limit", "files", "error"),
    [
        ((uploads, "MOST_PICTURES", 1), pictures(1, 2), "more than 1 pictures; upload several"),
        ((uploads, "MAX_FILE_BYTES", 99), pictures(1), "1.png: larger than 0 MB"),
        ((uploads, "MOST_BYTES", 99), pictures(1), "the pictures have more than 0 GB together"),
        ((uploads, "MOST_BYTES", 99), zipped(a=bytes(100)), "a zip has more than 0 GB unpacked"),
        ((source, "MAX_FILE_BYTES", 99), zipped(a=bytes(100)), "a: larger than 0 MB, not a"),
    ],
)
def test_limits_of_an_upload(
    limit: tuple[Any, str, int],
    files: Files,
    error: str,
    ask: Ask,
    store: SlideStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(*limit)
    status, found = refused(ask, store, files)
    assert status == 400
    assert error in found


def test_a_disk_that_is_nearly_full(
    ask: Ask, store: SlideStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slides, "_KEPT_FREE", 2**60)
    assert refused(ask, store, pictures(1)) == (
        507,
        "the disk is nearly full; free some space",
    )


def full_disk(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def full_database(*_: object) -> NoReturn:
    raise OperationalError("INSERT", {}, Exception("database or disk is full"))


def deleted_slide(*_: object) -> NoReturn:
    raise IntegrityError("INSERT", {}, Exception("FOREIGN KEY constraint failed"))


@pytest.mark.parametrize(
    ("of", "name", "failure"),
    [
        (uploads.UploadedPictures, "_save_picture", full_disk),
        (uploads.UploadedPictures, "keep", full_disk),
        (SlideStore, "add_slide", full_database),
    ],
)
def test_a_disk_that_gets_full(
    of: type,
    name: str,
    failure: Any,
    ask: Ask,
    store: SlideStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(of, name, failure)
    assert refused(ask, store, pictures(1)) == (507, "the disk is full; free some space")


def test_a_slide_that_another_tab_deletes(
    ask: Ask, store: SlideStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask("POST", "", files=pictures(1), data={"name": "left"}).status_code == 202
    assert ask("DELETE", "/left/screening").status_code == 204
    monkeypatch.setattr(SlideStore, "queue", deleted_slide)
    answer = ask("POST", "/left/screening")
    assert answer.status_code == 409
    assert answer.json() == {"error": "the slide was deleted meanwhile"}


def test_a_database_that_is_busy(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object) -> NoReturn:
        raise OperationalError("SELECT", {}, Exception("database is locked"))

    monkeypatch.setattr(SlideStore, "slides", locked)
    answer = ask("GET", "")
    assert answer.status_code == 503
    assert answer.json() == {"error": "the database can't be used (database is locked); try again"}
