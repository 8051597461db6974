"""Files and folders that are written completely or not at all, and regular files that are read.

A file is written under the name NAME.COMPUTER-PROCESS.partial and renamed when it is complete. A
process that is killed leaves its partial files. They count as nothing: a folder with no other
files is free, and the next command that writes there removes them.

A folder that is useful only with all of its files has one more partial file while it is written:
a list of the others. If the process is killed, the files on the list count as nothing as well.

A file that only grows has whole lines: a last line without its end counts as not written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

#: The end of the name of a partial file: its computer and the number of its process.
_SUFFIX = re.compile(r"\.([0-9a-f]{6})-(\d+)\.partial\Z")

#: The beginning of the name of the list of a folder's files.
_LIST = "unfinished."

#: Seconds after which a partial file counts as left by a process that was killed.
_ABANDONED = 24 * 3600


#: Most bytes of a table, of saved state or of weights: a longer file was made to fill the memory.
_MOST_BYTES = 2**29


def read_regular_file(path: Path) -> bytes:
    """Return the content of a file; raises OSError as `require_regular_file` does."""
    require_regular_file(path)
    return path.read_bytes()


def require_regular_file(path: Path) -> None:
    """Raise OSError for a folder, a pipe, a socket, a device, and a file of more than 512 MiB.

    Reading a pipe or a device may never end.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    if status.st_size > _MOST_BYTES:
        raise OSError(errno.EFBIG, f"has {status.st_size:,} bytes, too many", os.fspath(path))


def is_disk_full(error: OSError) -> bool:
    """Return whether a file could not be written because the disk or the user's share is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def replace_file(path: Path, content: str | bytes) -> None:
    """Write `content`; after a crash or on a full disk, the file is as it was before.

    Text is written in UTF-8. Characters that it doesn't have, as in the name of a file, become "?".

    Raises OSError with the file's name in it.
    """
    with replacing(path) as file:
        file.write(content.encode(errors="replace") if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that replaces `path` when the block ends without an error."""
    with partial_file(path) as partial, partial.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def append_lines(path: Path, lines: bytes, header: bytes) -> None:
    """Add lines to a file, all or none, and sync it; a new file begins with the line `header`.

    Other processes that append wait. A last line without its end, which a killed process has left,
    is removed. Raises ValueError, and changes nothing, where the file has another first line.
    """
    with path.open("a+b") as file, _errors_name(path, path):
        _lock(file)
        file.seek(0)
        written = file.read()
        whole = written.rfind(b"\n") + 1
        if whole and not written.startswith(header):
            raise ValueError(f"{path}: does not begin with {header.decode().strip()}")
        try:
            file.truncate(whole)
            file.write(lines if whole else header + lines)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            os.ftruncate(file.fileno(), whole)
            raise


def read_whole_lines(path: Path) -> bytes:
    """Return the content of a file up to the end of its last whole line."""
    content = read_regular_file(path)
    return content[: content.rfind(b"\n") + 1]


def _lock(file: BinaryIO) -> None:
    """Wait until no other process has locked an open file; it is unlocked when it is closed."""
    if os.name == "posix":
        import fcntl  # noqa: PLC0415 - other systems don't have it

        fcntl.flock(file, fcntl.LOCK_EX)


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Yield the path of a file that replaces `path` when the block ends without an error.

    Raises OSError for a pipe, a socket or a device, which a renamed file would remove.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    partial = path.with_name(path.name + partial_suffix())
    try:
        with _errors_name(path, partial):
            yield partial
            partial.replace(path)
    finally:
        with suppress(OSError):  # it is missing, or its name is too long to exist
            partial.unlink()


def partial_suffix() -> str:
    """Return the end of the name of this process's partial files.

    It has six digits for the computer, because another one may use the same folder.
    """
    computer = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
    return f".{computer}-{os.getpid()}.partial"


def is_partial(name: str) -> bool:
    """Return whether a file name ends as those of partial files do."""
    return bool(_SUFFIX.search(name))


def is_free(path: Path) -> bool:
    """Return whether there is nothing at `path`, or a folder with nothing but leftovers.

    Leftovers are partial files, and the files of a folder that a killed process left unfinished.
    A path below a file is not free.
    """
    if not path.is_dir():
        above = next(folder for folder in path.absolute().parents if folder.exists())
        return not path.exists() and above.is_dir()
    partial = _partial_files(path)
    listed = {file for one in partial if _is_abandoned_list(one) for file in _listed(one)}
    inner = (file for folder in listed if folder.is_dir() for file in folder.iterdir())
    return {*path.iterdir(), *inner} <= {*partial, *listed}


def remove_leftovers(folder: Path, name: str = "") -> None:
    """Remove what killed processes left in a folder, or only what they left of the file `name`.

    The partial files of processes that may still be at work are kept.
    """
    for partial in _partial_files(folder):
        if not name and _is_abandoned_list(partial):
            for path in (*_listed(partial), partial):
                _remove(path)
        elif partial.name.startswith(name and f"{name}.") and not _may_be_written(partial):
            partial.unlink(missing_ok=True)


@contextmanager
def filled_folder(path: Path, names: Iterable[str]) -> Iterator[None]:
    """Make a folder, or use a free one, for the files `names`: all of them are written, or none.

    If the block fails, its files are removed. If the process is killed, the folder is free.
    """
    made = not path.exists()
    try:
        with unfinished_folder(path) as add:
            add(*names)
            yield
    except BaseException:
        remove_leftovers(path)
        if made:
            with suppress(OSError):  # another process has written into it
                path.rmdir()
        raise


@contextmanager
def unfinished_folder(path: Path) -> Iterator[Callable[..., None]]:
    """Make a folder, or use a free one; it counts as free until the block ends without an error.

    Yields a function that has to be called with the name of each file before it is written. Raises
    FileExistsError where another process has filled the folder in the meantime, or does so now.
    """
    path.mkdir(parents=True, exist_ok=True)
    if not is_free(path):
        raise FileExistsError(errno.EEXIST, "not an empty folder any more", os.fspath(path))
    remove_leftovers(path)
    names = path / (_LIST + partial_suffix()[1:])

    def add(*new: str) -> None:
        with _errors_name(path, names), names.open("ab") as file:
            file.write("".join(f"{name}\n" for name in new).encode())

    add()
    yield add
    try:
        names.unlink()
    except FileNotFoundError as error:
        why = "another process has written into this folder"
        raise FileExistsError(errno.EEXIST, why, os.fspath(path)) from error


@contextmanager
def _errors_name(path: Path, written: Path) -> Iterator[None]:
    """Put `path` into an OSError about `written`, or about a full disk, which names no file.

    An OSError without a number is not the system's, but a library's: of a network, for example.
    """
    try:
        yield
    except OSError as error:
        is_full = error.filename is None and error.errno is not None
        if is_full or str(error.filename) == str(written):
            error.filename = os.fspath(path)
        raise


def _partial_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [file for file in folder.iterdir() if is_partial(file.name) and file.is_file()]


def _listed(names: Path) -> Iterator[Path]:
    """Yield what is there of the list of an unfinished folder, nothing outside of the folder.

    These are files, also in subfolders, then the partial files in these subfolders, and at last the
    subfolders themselves.
    """
    subfolders: dict[Path, None] = {}
    with suppress(FileNotFoundError):  # the folder has just been finished
        for name in names.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]:
            path = names.parent / name
            if _is_inside(name) and path.parent.is_dir() and not path.parent.is_symlink():
                if path.parent != names.parent:
                    subfolders[path.parent] = None
                if path.is_file():
                    yield path
    for folder in subfolders:
        yield from _partial_files(folder)
        yield folder


def _is_inside(name: str) -> bool:
    """Return whether this is the name of a file in a folder, or in a subfolder of it."""
    parts = name.split("/")
    return len(parts) <= 2 and all(
        part not in ("", ".", "..") and part == Path(part).name for part in parts
    )


def _remove(path: Path) -> None:
    """Remove a file, or a folder if it is empty."""
    if path.is_dir():
        with suppress(OSError):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _is_abandoned_list(partial: Path) -> bool:
    """Return whether a file is the list of a folder that no process on this computer writes."""
    return partial.name.startswith(_LIST) and not _is_written(partial, if_unknown=False)


def _may_be_written(partial: Path) -> bool:
    return _is_written(partial, if_unknown=True)


def _is_written(partial: Path, if_unknown: bool) -> bool:
    """Return whether the process of a partial file is still at work.

    `if_unknown` is the answer for a process on another computer, and for the number of this
    process: the file may be of another thread, or of a process before the computer restarted.
    """
    match = _SUFFIX.search(partial.name)
    with suppress(FileNotFoundError):  # it has just been finished
        if match and time.time() - partial.stat().st_mtime < _ABANDONED:
            known = partial_suffix().startswith(f".{match[1]}-") and int(match[2]) != os.getpid()
            return _is_running(int(match[2])) if known else if_unknown
    return False


def _is_running(process: int) -> bool:
    if os.name != "posix":  # elsewhere `os.kill` would end it
        return True
    with suppress(PermissionError):  # it belongs to another user
        try:
            os.kill(process, 0)
        except (OverflowError, ProcessLookupError):
            return False
    return True
