"""Uploaded pictures become files with numbers; no uploaded name becomes a path.

uploads, zips unpacked ── files in a hidden folder ── the folder pictures/SLIDE, complete

Pictures that are added to a slide are in the database before the first of them moves to the
others: if the server is killed then, it moves the rest at its next start. So all of them are added,
or none.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import BinaryIO, NamedTuple

from starlette.formparsers import MultiPartParser

from hemozoin.data.decoding.formats import HEAD_BYTES, is_picture
from hemozoin.data.source import MAX_FILE_BYTES, ZipSource
from hemozoin.errors import DataError
from hemozoin.serve.store.store import PICTURES, SlideStore, StoredPicture, slug

#: Most pictures of a slide, and their bytes together; a zip that holds more is refused.
MOST_PICTURES, MOST_BYTES = 5_000, 4 * 2**30

#: How a zip begins.
_ZIP = b"PK\x03\x04"

#: How the folders begin with pictures of an upload that is not complete, and with complete ones
#: that are added to a slide.
_INCOMPLETE, _ADDED = ".incomplete-", ".added-"

#: The folder of files that are being uploaded, and their bytes that are kept in memory.
_WAITING, _IN_MEMORY = ".hemozoin-uploads", 64 * 2**10

#: Held while a zip is unpacked: one picture of it is in memory.
_UNPACKING = Lock()

#: Bytes that are copied at a time.
_CHUNK = 2**20


class Upload(NamedTuple):
    """A file as it was sent: its name, which may be hostile, and its content."""

    name: str
    content: BinaryIO


@dataclass
class UploadedPictures:
    """The pictures of an upload, in a hidden folder until `keep` is called.

    `first` is the number of the first one. Those whose digest is in `known` are not saved; their
    names are in `repeated`. `passed_over` are the names of the files that are no pictures.
    """

    root: Path
    first: int = 1
    known: Container[str] = ()
    pictures: list[StoredPicture] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the folder."""
        (self.root / PICTURES).mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=_INCOMPLETE, dir=self.root / PICTURES))
        self._bytes = 0

    def save(self, uploads: Iterable[Upload]) -> None:
        """Save each picture, also those in zips; raises DataError for none, and for too many."""
        for upload in uploads:
            head = _head(upload.content)
            if head.startswith(_ZIP):
                self._save_zip(upload)
            elif is_picture(head):
                self._save_picture(upload.name, _chunks(upload.content))
            else:
                self.passed_over.append(upload.name)
        if not self.pictures and not self.repeated:
            raise DataError("none of these files is a picture; give photos of a smear")

    def _save_zip(self, upload: Upload) -> None:
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".zip") as file:
            shutil.copyfileobj(upload.content, file, _CHUNK)
            file.flush()
            source = _opened(Path(file.name), upload.name)
            with _UNPACKING:
                self._save_entries(source)

    def _save_entries(self, source: ZipSource) -> None:
        if sum(entry.size for entry in source.walk()) > MOST_BYTES:  # also of files not kept
            raise DataError(f"a zip has more than {MOST_BYTES // 2**30} GB unpacked")
        for entry in source.walk():
            content = source.read(entry.name)
            if is_picture(content[:HEAD_BYTES]):
                self._save_picture(entry.name, [content])
            else:
                self.passed_over.append(entry.name)

    def _save_picture(self, name: str, chunks: Iterable[bytes]) -> None:
        number, digest, size = self.first + len(self.pictures), hashlib.sha256(), 0
        if number > MOST_PICTURES:
            raise DataError(f"more than {MOST_PICTURES:,} pictures; upload several slides")
        file = _file_name(number, name)
        with (self.folder / file).open("xb") as written:
            for chunk in chunks:
                size += len(chunk)
                self._require_room(name, size)
                digest.update(chunk)
                written.write(chunk)
        if digest.hexdigest() in self.known:
            (self.folder / file).unlink()
            self.repeated.append(_shown(name))
            return
        self._bytes += size
        self.pictures.append(StoredPicture(file, _shown(name), digest.hexdigest()))

    def _require_room(self, name: str, size: int) -> None:
        if size > MAX_FILE_BYTES:
            raise DataError(f"{_shown(name)}: larger than {MAX_FILE_BYTES // 2**20} MB")
        if self._bytes + size > MOST_BYTES:
            raise DataError(f"the pictures have more than {MOST_BYTES // 2**30} GB together")

    def keep(self, folder: Path) -> None:
        """Give the folder its name; from now on it is complete."""
        self.folder.rename(folder)
        folder.chmod(0o755)

    def remove(self) -> None:
        """Remove the pictures, unless they were kept."""
        shutil.rmtree(self.folder, ignore_errors=True)


def pictures_to_add(store: SlideStore, slide: str) -> UploadedPictures:
    """Return an empty upload for a slide that has pictures; only others than these are saved."""
    numbers = [int(name[:4]) for name in store.picture_names(slide)]
    return UploadedPictures(store.root, max(numbers, default=0) + 1, store.digests(slide))


def add_to_slide(uploaded: UploadedPictures, store: SlideStore, slide: str, reader: str) -> None:
    """Add saved pictures to those of a slide, and queue its screening."""
    folder = store.root / PICTURES / f"{_ADDED}{slide}"
    if folder.exists():  # what the disk could not take earlier
        _move_added(store, slide)
    uploaded.keep(folder)
    store.add_pictures(slide, uploaded.pictures, reader)
    _move_added(store, slide)


def finish_uploads(store: SlideStore) -> None:
    """Remove the uploads that a killed server left incomplete, and finish the complete ones."""
    for folder in (store.root / PICTURES).glob(f"{_INCOMPLETE}*"):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (store.root / PICTURES).glob(f"{_ADDED}*"):
        slide = folder.name.removeprefix(_ADDED)
        if store.slide(slide):
            _move_added(store, slide)
        shutil.rmtree(folder, ignore_errors=True)


def _move_added(store: SlideStore, slide: str) -> None:
    """Move the added pictures that are in the database to the others, and queue the screening."""
    folder, known = store.root / PICTURES / f"{_ADDED}{slide}", store.picture_names(slide)
    for file in sorted(folder.iterdir()):
        if file.name in known:
            file.rename(store.pictures(slide) / file.name)
    store.queue(slide)
    shutil.rmtree(folder)


def keep_uploads_on_disk(root: Path) -> None:
    """Let files that are being uploaded wait in a folder of `root`, which is emptied first.

    By default they are in memory up to 1 MB, and then in the system's temporary folder, which may
    be in memory too.
    """
    waiting = root / _WAITING
    shutil.rmtree(waiting, ignore_errors=True)
    waiting.mkdir(exist_ok=True)
    tempfile.tempdir = str(waiting)
    MultiPartParser.spool_max_size = _IN_MEMORY


def _opened(path: Path, name: str) -> ZipSource:
    try:
        return ZipSource(path)
    except DataError as error:
        raise DataError(str(error).replace(str(path), _shown(name))) from error


def _head(content: BinaryIO) -> bytes:
    head = content.read(HEAD_BYTES)
    content.seek(0)
    return head


def _chunks(content: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: content.read(_CHUNK), b"")


def _file_name(number: int, name: str) -> str:
    """Return a name of only a number, letters, digits and dashes: 0001-img-2391.jpg."""
    path = PurePosixPath(name.replace("\\", "/"))
    suffix = slug(path.suffix)[:5]
    return f"{number:04}-{slug(path.stem)}.{suffix}"


def _shown(name: str) -> str:
    """Return the name of a file without folders, and without characters that can't be shown."""
    shown = "".join(c for c in PurePosixPath(name.replace("\\", "/")).name if c.isprintable())
    return shown[:200] or "picture"
