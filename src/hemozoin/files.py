"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, content: str | bytes) -> None:
    """Write `content` so that a crash or a full disk leaves the file as it was before.

    Raises OSError with the file's name in it.
    """
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of `path` when the block has ended well."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        error.filename = os.fspath(path)  # a full disk alone doesn't say whose file it was
        raise
    finally:
        partial.unlink(missing_ok=True)


def is_free(path: Path) -> bool:
    """Tell whether a folder can be made at `path`, or lies there empty."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


@contextmanager
def filled_folder(path: Path) -> Iterator[None]:
    """Make a folder, or take an empty one, for the files of the block: all of them or none."""
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
