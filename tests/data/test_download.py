from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from hemozoin.data.download import CELL_IMAGES, PublishedFile, download
from hemozoin.errors import DataError, RunError

CONTENT = np.random.default_rng(0).bytes(1_500_000)


@dataclass
class Site:
    """A server of one file, and the errors that it makes."""

    url: str = ""
    content: bytes = CONTENT
    cut: int | None = None
    """Bytes after which it ends each connection."""
    ranges: bool = True
    status: int = 200
    requested: list[str | None] = field(default_factory=list)
    """The Range of each request."""

    @property
    def published(self) -> PublishedFile:
        return PublishedFile(self.url, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        byte_range = handler.headers["Range"]
        self.requested.append(byte_range)
        found = re.fullmatch(r"bytes=(\d+)-", byte_range or "")
        part = self.content[int(found[1]) :] if found and self.ranges else self.content
        handler.send_response(206 if found and self.ranges else self.status)
        handler.send_header("Content-Length", str(len(part)))
        handler.end_headers()
        handler.wfile.write(part[: self.cut])


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.respond(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}/public/cell_images.zip"
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield site
        server.shutdown()
        thread.join()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "new" / "cells.zip"


def partial_of(out: Path, content: bytes) -> Path:
    out.parent.mkdir(parents=True)
    partial = out.with_name(out.name + ".partial")
    partial.write_bytes(content)
    return partial


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_downloads_the_file_and_leaves_nothing_else(site: Site, out: Path) -> None:
    assert download(out, site.published) == out
    assert out.read_bytes() == CONTENT
    assert files(out.parent) == ["cells.zip"]
    assert site.requested == [None]


def test_a_folder_gets_the_file_under_its_own_name(site: Site, tmp_path: Path) -> None:
    assert download(tmp_path, site.published) == tmp_path / "cell_images.zip"
    assert (tmp_path / "cell_images.zip").read_bytes() == CONTENT


def test_a_broken_connection_is_resumed(site: Site, out: Path) -> None:
    site.cut = 700_000
    download(out, site.published)
    assert out.read_bytes() == CONTENT
    assert site.requested == [None, "bytes=700000-", "bytes=1400000-"]


def test_a_connection_that_is_reset(site: Site, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, calls = HTTPResponse.read, count(1)

    def reset_at_third(response: HTTPResponse, size: int) -> bytes:
        if next(calls) == 3:
            raise ConnectionResetError
        return read(response, size)

    monkeypatch.setattr(HTTPResponse, "read", reset_at_third)
    download(out, site.published)
    assert out.read_bytes() == CONTENT
    assert site.requested == [None, "bytes=524288-"]


def test_the_next_call_requests_only_the_rest(site: Site, out: Path) -> None:
    partial = partial_of(out, CONTENT[:600_001])
    site.cut = 0
    with pytest.raises(DataError, match="interrupted"):
        download(out, site.published)
    assert partial.read_bytes() == CONTENT[:600_001]

    site.cut = None
    download(out, site.published)
    assert out.read_bytes() == CONTENT
    assert site.requested == ["bytes=600001-"] * 2


def test_a_server_without_ranges_starts_over(site: Site, out: Path) -> None:
    partial_of(out, b"x" * 1000)
    site.ranges = False
    download(out, site.published)
    assert out.read_bytes() == CONTENT


@pytest.mark.parametrize(("length", "requested"), [(0, []), (1, [None])])
def test_a_complete_or_too_long_partial_file(
    site: Site, out: Path, length: int, requested: list[None]
) -> None:
    partial_of(out, CONTENT + b"x" * length)
    download(out, site.published)
    assert out.read_bytes() == CONTENT
    assert site.requested == requested


def test_wrong_content_is_refused_and_removed(site: Site, out: Path) -> None:
    site.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(DataError, match="SHA-256") as caught:
        download(out, site.published)
    assert "\n" not in str(caught.value)
    assert files(out.parent) == []


def test_a_login_page_does_not_remove_the_partial_file(site: Site, out: Path) -> None:
    partial = partial_of(out, CONTENT[:1000])
    site.content, site.ranges = b"<html>Welcome to our wifi", False
    with pytest.raises(DataError, match="login page"):
        download(out, site.published)
    assert partial.read_bytes() == CONTENT[:1000]


def test_a_file_that_is_there_is_not_downloaded_again(site: Site, out: Path) -> None:
    download(out, site.published)
    site.requested.clear()
    assert download(out, site.published) == out
    assert site.requested == []


@pytest.mark.parametrize("content", [b"my thesis", bytes(len(CONTENT))])
def test_another_file_is_never_overwritten(site: Site, out: Path, content: bytes) -> None:
    out.parent.mkdir()
    out.write_bytes(content)
    with pytest.raises(DataError, match="move it away"):
        download(out, site.published)
    assert out.read_bytes() == content
    assert site.requested == []


@pytest.mark.parametrize("failure", ["no server", "not found"])
def test_without_a_network_the_message_has_the_url(site: Site, out: Path, failure: str) -> None:
    published = site.published
    if failure == "no server":
        published = replace(published, url="http://127.0.0.1:1/cell_images.zip")
    site.status = 404
    with pytest.raises(DataError) as caught:
        download(out, published)
    line = str(caught.value)
    assert published.url in line
    assert str(out) in line
    assert "\n" not in line
    assert files(out.parent) == []


def test_a_full_disk_keeps_the_partial_file(site: Site, out: Path) -> None:
    resource = pytest.importorskip("resource")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, limit[1]))
    try:
        with pytest.raises(RunError, match="is kept"):
            download(out, site.published)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    arrived = out.with_name("cells.zip.partial").stat().st_size
    assert 0 < arrived <= 900_000

    download(out, site.published)
    assert out.read_bytes() == CONTENT
    assert site.requested == [None, f"bytes={arrived}-"]


def test_a_folder_that_cannot_be_made(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(RunError, match="file"):
        download(tmp_path / "file" / "cells.zip", site.published)


def test_the_published_file_is_that_of_nlm() -> None:
    assert CELL_IMAGES.name == "cell_images.zip"
    assert CELL_IMAGES.size == 353_452_851
    assert CELL_IMAGES.sha256.startswith("0a949556b241")
