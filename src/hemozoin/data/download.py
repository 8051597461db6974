"""Download NLM's file of cells: resumed after an interruption, and checked at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from hemozoin.errors import DataError, RunError
from hemozoin.progress import print_status, track

_CHUNK = 2**18
_TIMEOUT = 60.0  # seconds without a byte after which the connection is given up


@dataclass(frozen=True)
class PublishedFile:
    """A published file: its URL, its length in bytes, its SHA-256 in hex."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """Return the name of the file, the last part of its URL."""
        return self.url.rpartition("/")[2]


#: NLM's cells (Rajaraman et al. 2018, PeerJ 6:e4568): 27,558 PNGs of 200 patients.
CELL_IMAGES = PublishedFile(
    url="https://data.lhncbc.nlm.nih.gov/public/Malaria/cell_images.zip",
    size=353_452_851,
    sha256="0a949556b2414159b5100192609805376654c4266d8d187be9b1922fad43c668",
)


def download(out: Path, published: PublishedFile = CELL_IMAGES) -> Path:
    """Download a published file to `out`, or into the folder `out`; return its path.

    An unfinished download is kept as OUT.partial, and the next call resumes it. OUT itself
    appears when its length and SHA-256 are right. If OUT is this file already, nothing is
    downloaded. Raises DataError if the download fails, if the content is not the published one,
    or if `out` is some other file; RunError if the file can't be written.
    """
    out = out / published.name if out.is_dir() else out
    if out.exists():
        _require_published(out, published)
        print_status(f"{out}: already downloaded")
        return out
    partial = out.with_name(out.name + ".partial")
    with _disk_errors(partial):
        out.parent.mkdir(parents=True, exist_ok=True)
        _complete(partial, out, published)
        _check(partial, published)
        partial.replace(out)
    return out


def _require_published(out: Path, published: PublishedFile) -> None:
    with _disk_errors(out):
        if not _is_published(out, published):
            raise DataError(
                f"{out}: not the published {published.name}, or damaged;"
                " move it away or give another --out"
            )


def _complete(partial: Path, out: Path, published: PublishedFile) -> None:
    """Download what is missing; reconnect after an interruption, unless no more bytes arrive."""
    if _size(partial) > published.size:
        partial.unlink()
    while (before := _size(partial)) < published.size:
        _download_rest(partial, out, published)
        if _size(partial) <= before:
            raise _download_error("the connection was interrupted", out, published)


def _download_rest(partial: Path, out: Path, published: PublishedFile) -> None:
    """Append to `partial` what one connection delivers."""
    start = _size(partial)
    with _request(start, out, published) as response:
        if response.status != 206:  # the server ignored the range and sends the whole file
            start = 0
        expected = published.size - start
        if response.length != expected:
            why = f"the server sent {response.length} bytes instead of {expected}; a login page?"
            raise _download_error(why, out, published)
        title = f"Downloading {'the rest of ' if start else ''}{out.name}"
        with partial.open("ab" if start else "wb") as file:
            for chunk in track(_chunks(response), title, expected, step=_CHUNK):
                file.write(chunk)


def _request(start: int, out: Path, published: PublishedFile) -> HTTPResponse:
    """Request the file from byte `start` on."""
    byte_range = {"Range": f"bytes={start}-"} if start else {}
    request = Request(published.url, headers={"User-Agent": "hemozoin", **byte_range})
    try:
        response: HTTPResponse = urlopen(request, timeout=_TIMEOUT)
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        why = str(getattr(error, "reason", error))
        raise _download_error(why, out, published) from error
    return response


def _download_error(why: str, out: Path, published: PublishedFile) -> DataError:
    return DataError(
        f"{published.name}: the download failed ({why}); run the command again to resume,"
        f" or download {published.url} with a browser and save it as {out}"
    )


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """Yield the bytes received, until the end or until the connection breaks."""
    try:
        while chunk := response.read(_CHUNK):
            yield chunk
    except (OSError, HTTPException):
        return


def _check(partial: Path, published: PublishedFile) -> None:
    if not _is_published(partial, published):
        partial.unlink()
        raise DataError(
            f"{published.url}: the content received was not the published file (wrong SHA-256) and"
            " was removed; run the command again"
        )


def _is_published(path: Path, published: PublishedFile) -> bool:
    if not path.is_file() or _size(path) != published.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == published.sha256


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Turn an error of the disk into a RunError; the partial download stays."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{path}: {error.strerror or error}; the partial download is kept: correct this,"
            " then run the command again to resume"
        ) from error
