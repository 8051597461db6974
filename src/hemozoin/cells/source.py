"""Where the files lie: a folder or a zip, read one at a time and never unpacked to disk."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from hemozoin.errors import DataError

#: No picture of a cell or a field comes near this; larger entries are taken for a zip bomb.
MAX_FILE_BYTES = 256 * 2**20

_JUNK_NAMES = {"thumbs.db", "desktop.ini", "__macosx"}
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Entry:
    """One file of a source.

    `name` is its path inside the source with forward slashes, `size` its length in bytes when
    unpacked, `stamp` changes when its content does (a zip's CRC-32, a file's time in ns).
    """

    name: str
    size: int
    stamp: int


class Source(Protocol):
    """A folder or a zip of files."""

    path: Path

    def entries(self) -> list[Entry]:
        """Return every file that is not junk, sorted by name."""

    def read(self, name: str) -> bytes:
        """Return the content of one file; raises DataError where it can't be read whole."""


def open_source(path: Path) -> Source:
    """Open a folder or a zip; raises DataError for anything else."""
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; give a zip or a folder of pictures")
    return ZipSource(path)


class FolderSource:
    """The files below a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[Entry]:
        """Return every file that is not junk, sorted by name."""
        return sorted(self._walk(), key=lambda entry: entry.name)

    def _walk(self) -> Iterator[Entry]:
        for folder, folders, files in os.walk(self.path):
            folders[:] = [name for name in folders if not _is_junk(name)]
            for file in files:
                name = (Path(folder) / file).relative_to(self.path).as_posix()
                if not _is_junk(name):
                    stat = (Path(folder) / file).stat()
                    yield Entry(name, stat.st_size, stat.st_mtime_ns)

    def read(self, name: str) -> bytes:
        """Return the content of one file."""
        file = self.path / name
        try:
            if file.stat().st_size > MAX_FILE_BYTES:
                raise DataError(_too_large(name))
            return file.read_bytes()
        except OSError as error:
            raise DataError(f"{name}: {error.strerror or error}") from error


class ZipSource:
    """The files of a zip archive, read where they lie."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise DataError(
                f"{path}: not a zip, or cut short; fetch it again (hemozoin download resumes)"
            ) from error
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from error

    def entries(self) -> list[Entry]:
        """Return every file that is not junk, sorted by name.

        Raises DataError where an entry is encrypted or would land outside the archive.
        """
        infos = [i for i in self._zip.infolist() if not i.is_dir() and not _is_junk(i.filename)]
        for info in infos:
            self._refuse_unsafe(info)
        return sorted(
            (Entry(i.filename, i.file_size, i.CRC) for i in infos), key=lambda entry: entry.name
        )

    def _refuse_unsafe(self, info: zipfile.ZipInfo) -> None:
        where = f"{self.path}: entry {info.filename!r}"
        if info.flag_bits & _ENCRYPTED:
            raise DataError(f"{where} is encrypted; unpack the zip with its password first")
        parts = PurePosixPath(info.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
            raise DataError(f"{where} points outside the zip; don't trust this file")
        if info.file_size > MAX_FILE_BYTES:
            raise DataError(f"{self.path}: {_too_large(info.filename)}")

    def read(self, name: str) -> bytes:
        """Return the content of one file (zipfile checks its length and CRC)."""
        try:
            return self._zip.read(name)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
            raise DataError(f"{name}: damaged in the zip ({error})") from error
        except Exception as error:  # zlib, lzma and bz2 have each their own error
            raise DataError(f"{name}: damaged in the zip ({error})") from error


def _too_large(name: str) -> str:
    return f"{name}: larger than {MAX_FILE_BYTES // 2**20} MB, not a picture of a cell"


def _is_junk(name: str) -> bool:
    """Tell the droppings of file managers (Thumbs.db, .DS_Store, __MACOSX/...) from files."""
    return any(
        part.lower() in _JUNK_NAMES or part.startswith(".") and part not in (".", "..")
        for part in PurePosixPath(name).parts
    )
