"""Bringing NLM's file of cells: resumed where it broke off, and checked before it counts."""

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
from hemozoin.progress import say, track

_CHUNK = 2**18
_SILENCE = 60.0  # seconds without a byte after which the connection counts as lost


@dataclass(frozen=True)
class PublishedFile:
    """A published file: where it lies, its length in bytes, its SHA-256 in hex."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.url.rpartition("/")[2]


#: NLM's cells of Rajaraman et al. 2018 (PeerJ 6:e4568): 27,558 PNGs of 200 patients.
CELL_IMAGES = PublishedFile(
    url="https://data.lhncbc.nlm.nih.gov/public/Malaria/cell_images.zip",
    size=353_452_851,
    sha256="0a949556b2414159b5100192609805376654c4266d8d187be9b1922fad43c668",
)


def download(out: Path, official: PublishedFile = CELL_IMAGES) -> Path:
    """Bring the official file to `out`, or into the folder `out`; return where it lies.

    What has arrived is kept as OUT.partial, and the next call goes on from there; OUT itself
    appears when its length and SHA-256 are right. A file that is there already and right is
    left as it is. Raises DataError where the file can't be had, is not the right one, or
    `out` is some other file; RunError where it can't be written.
    """
    out = out / official.name if out.is_dir() else out
    if out.exists():
        _require_official(out, official)
        say(f"{out}: already there and whole")
        return out
    partial = out.with_name(out.name + ".partial")
    with _writing(partial):
        out.parent.mkdir(parents=True, exist_ok=True)
        _complete(partial, out, official)
        _check(partial, official)
        partial.replace(out)
    return out


def _require_official(out: Path, official: PublishedFile) -> None:
    with _writing(out):
        if not _is_official(out, official):
            raise DataError(
                f"{out}: not NLM's {official.name}, or damaged; move it away or give another --out"
            )


def _complete(partial: Path, out: Path, official: PublishedFile) -> None:
    """Fetch what is missing; after a broken connection again, as long as that brings bytes."""
    if _size(partial) > official.size:
        partial.unlink()
    while (before := _size(partial)) < official.size:
        _fetch(partial, out, official)
        if _size(partial) <= before:
            raise _not_to_be_had("the connection broke off", out, official)


def _fetch(partial: Path, out: Path, official: PublishedFile) -> None:
    """Add to `partial` what one connection brings."""
    start = _size(partial)
    with _ask(start, out, official) as response:
        if response.status != 206:  # the server sends the whole file, whatever was asked for
            start = 0
        left = official.size - start
        if response.length != left:
            why = f"{response.length} bytes came instead of {left}: is a login page in between?"
            raise _not_to_be_had(why, out, official)
        what = f"Fetching the rest of {out.name}" if start else f"Fetching {out.name}"
        with partial.open("ab" if start else "wb") as file:
            for chunk in track(_chunks(response), what, left, step=_CHUNK):
                file.write(chunk)


def _ask(start: int, out: Path, official: PublishedFile) -> HTTPResponse:
    """Ask for the file from byte `start` on."""
    wanted = {"Range": f"bytes={start}-"} if start else {}
    request = Request(official.url, headers={"User-Agent": "hemozoin", **wanted})
    try:
        response: HTTPResponse = urlopen(request, timeout=_SILENCE)
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        why = str(getattr(error, "reason", error))
        raise _not_to_be_had(why, out, official) from error
    return response


def _not_to_be_had(why: str, out: Path, official: PublishedFile) -> DataError:
    return DataError(
        f"{official.name} can't be fetched ({why}); run the command again to go on,"
        f" or fetch {official.url} with a browser and put it at {out}"
    )


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """Yield what comes, until the end or until the connection breaks."""
    try:
        while chunk := response.read(_CHUNK):
            yield chunk
    except (OSError, HTTPException):
        return


def _check(partial: Path, official: PublishedFile) -> None:
    if not _is_official(partial, official):
        partial.unlink()
        raise DataError(
            f"{official.url}: what came is not the official file (wrong SHA-256), and was removed;"
            " run the command again"
        )


def _is_official(path: Path, official: PublishedFile) -> bool:
    if _size(path) != official.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == official.sha256


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tell of a full disk or a forbidden folder in one line; what has arrived stays."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{path}: {error.strerror or error}; what has arrived is kept: put that right,"
            " then run the command again to go on"
        ) from error
