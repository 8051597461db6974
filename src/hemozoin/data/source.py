"""The files of a folder or a zip, read one at a time and never unpacked to disk."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hemozoin.data.decoding.file_names import name_in_zip, told_apart
from hemozoin.errors import DataError
from hemozoin.files import is_partial

#: Pictures of cells and fields are far smaller; a larger file counts as an attack.
MAX_FILE_BYTES = 256 * 2**20

#: What file managers, and Synology and QNAP servers, add to a folder; in lower case.
_JUNK_NAMES = {
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "@recycle", "#recycle"),
    *("$recycle.bin", "system volume information", "lost+found"),
}
_ENCRYPTED = 0x1

#: Methods of which zipfile can unpack a limited part; bzip2 and LZMA are unpacked completely.
_BOUNDED_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}

#: `/etc/passwd`, `C:/Windows`, `cells/../../x`.
_OUTSIDE = re.compile(r"^(/|[A-Za-z]:)|(^|/)\.\.(/|$)")


@dataclass(frozen=True)
class Entry:
    """One file of a source.

    `name` is its path inside the source with forward slashes, `size` its unpacked length in bytes.
    `stamp` changes with its content: the CRC-32 in a zip, the time of a file in ns.
    """

    name: str
    size: int
    stamp: int


class Source(Protocol):
    """A folder or a zip of files; `read` may be called from many threads at once.

    `hidden` are the names of hidden and other junk files and folders that `walk` has passed over.
    """

    path: Path
    hidden: set[str]

    def walk(self) -> Iterator[Entry]:
        """Yield every file that is not junk, one at a time."""

    def entries(self) -> list[Entry]:
        """Return every file that is not junk, sorted by name."""

    def read(self, name: str) -> bytes:
        """Return the content of one file; raises DataError if it can't be read completely."""


def open_source(path: Path) -> Source:
    """Open a folder or a zip.

    Raises DataError for a missing path, and for a file that is not a zip, is incomplete or
    encrypted, or has an entry that points outside the zip or is larger than `MAX_FILE_BYTES`.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {_reason(error)}; give a zip or a folder of pictures") from error
    if stat.S_ISDIR(mode):
        return FolderSource(path)
    if stat.S_ISREG(mode):
        return ZipSource(path)
    raise DataError(f"{path}: neither a zip nor a folder; give a zip or a folder of pictures")


def as_utf8(name: str) -> str:
    """Return a file name with characters that are not UTF-8 replaced, so that it can be printed."""
    return name.encode(errors="replace").decode()


class FolderSource:
    """The files in a folder and its subfolders; links to folders are followed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hidden = set[str]()

    def entries(self) -> list[Entry]:
        """Return every file that is not junk, sorted by name."""
        return sorted(self.walk(), key=lambda entry: entry.name)

    def walk(self) -> Iterator[Entry]:
        """Yield every file that is not junk, folder by folder.

        Raises DataError for a folder that can't be listed, so that no cells are missed silently.
        """
        waiting = [(os.fspath(self.path), "", frozenset[str]())]
        while waiting:
            folder, prefix, above = waiting.pop()
            real = os.path.realpath(folder)
            if real in above:  # a link to a folder above; its files are listed already
                continue
            for item in _scan(folder):
                if _junk_in(item.name):
                    self.hidden.add(as_utf8(prefix + item.name))
                elif _is_folder(item):
                    waiting.append((item.path, f"{prefix}{item.name}/", above | {real}))
                else:
                    yield _entry(item, prefix)

    def read(self, name: str) -> bytes:
        """Return the content of one file."""
        file = self.path / name
        try:
            if not file.is_file():
                raise DataError(f"{name}: no such file, or its name is not UTF-8; rename it")
            if file.stat().st_size > MAX_FILE_BYTES:
                raise DataError(_too_large(name))
            return file.read_bytes()
        except OSError as error:
            raise DataError(f"{name}: {_reason(error)}") from error


def _scan(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as items:
            yield from items
    except OSError as error:
        raise DataError(f"{folder}: can't be listed ({_reason(error)})") from error


def _is_folder(item: os.DirEntry[str]) -> bool:
    """Return whether this is a folder or a link to one; a link to itself is not."""
    return item.is_dir(follow_symlinks=False) or (item.is_symlink() and Path(item).is_dir())


def _entry(item: os.DirEntry[str], prefix: str) -> Entry:
    """Describe a file; a broken link is listed too, and `read` raises an error with its name."""
    # A table can't hold a name that is not UTF-8; `read` raises an error for the replaced name.
    name = as_utf8(prefix + item.name)
    try:
        found = item.stat()
    except OSError:
        return Entry(name, 0, 0)
    # The change time shows an edit even if the modification time was set back afterwards.
    return Entry(name, found.st_size, max(found.st_mtime_ns, found.st_ctime_ns))


class ZipSource:
    """The files of a zip archive, read without unpacking the archive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise DataError(f"{path}: {_reason(error)}") from error
        except Exception as error:  # a damaged directory can cause any error
            raise DataError(
                f"{path}: not a zip, or incomplete; download it again (hemozoin download resumes)"
            ) from error
        self.hidden = set[str]()
        self._files: dict[str, zipfile.ZipInfo] = {}
        entries = {info.filename: info for info in self._zip.infolist()}  # the last of a name
        for info in entries.values():
            name = name_in_zip(info).replace("\\", "/")  # written by some Windows programs
            if junk := _junk_in(name):
                self.hidden.add(junk)
            elif not name.endswith("/"):
                self._require_safe(info, name)
                self._files[told_apart(name, self._files.keys())] = info

    def _require_safe(self, info: zipfile.ZipInfo, name: str) -> None:
        where = f"{self.path}: entry {info.filename!r}"
        if _OUTSIDE.search(name):
            raise DataError(f"{where} points outside the zip; don't trust this file")
        if info.flag_bits & _ENCRYPTED:
            raise DataError(f"{where} is encrypted; unpack the zip with its password first")
        if info.compress_type not in _BOUNDED_METHODS:
            raise DataError(f"{where} is compressed by method {info.compress_type}; use deflate")
        if info.file_size > MAX_FILE_BYTES:
            raise DataError(f"{self.path}: {_too_large(info.filename)}")

    def walk(self) -> Iterator[Entry]:
        """Yield every file that is not junk, sorted by name."""
        for name in sorted(self._files):
            info = self._files[name]
            yield Entry(name, info.file_size, info.CRC)

    def entries(self) -> list[Entry]:
        """Return every file that is not junk, sorted by name."""
        return list(self.walk())

    def read(self, name: str) -> bytes:
        """Return the content of one file; its length and CRC-32 are checked."""
        info = self._files.get(name)
        if info is None:
            raise DataError(f"{name}: not in {self.path}")
        try:
            with self._zip.open(info) as file:
                # Not more than the declared size is read: a false one must not fill the memory.
                data = file.read(info.file_size + 1)
        except Exception as error:  # zlib, struct and zipfile raise different types
            raise DataError(f"{name}: damaged in the zip ({_reason(error)})") from error
        if len(data) != info.file_size:
            raise DataError(f"{name}: damaged in the zip (incomplete)")
        return data


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _too_large(name: str) -> str:
    return f"{name}: larger than {MAX_FILE_BYTES // 2**20} MB, not a picture of a cell or a field"


def _junk_in(name: str) -> str:
    """Return a path up to what a file manager left (Thumbs.db, .DS_Store, @eaDir); "" without."""
    parts = name.split("/")
    for number, part in enumerate(parts, 1):
        hidden = part.startswith(".") and part not in (".", "..")
        if hidden or part.lower() in _JUNK_NAMES or is_partial(part):
            return "/".join(parts[:number])
    return ""
