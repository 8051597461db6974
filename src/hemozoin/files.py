"""Files and folders that are written completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, content: str | bytes) -> None:
    """Write `content`; after a crash or on a full disk, the file is as it was before.

    Raises OSError with the file's name in it.
    """
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that replaces `path` when the block ends without an error."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if error.filename is None or str(error.filename) == str(partial):
            error.filename = os.fspath(path)  # the error of a full disk has no file name
        raise
    finally:
        partial.unlink(missing_ok=True)


def is_free(path: Path) -> bool:
    """Return whether there is nothing at `path`, or an empty folder."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


@contextmanager
def filled_folder(path: Path) -> Iterator[None]:
    """Make a folder, or use an empty one; if the block fails, remove the files it has written."""
    made = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for file in path.iterdir():
            file.unlink()
        if made:
            path.rmdir()
        raise
