"""A folder whose files can't change unnoticed: SHA256SUMS, in the format of `sha256sum -c`.

SHA256SUMS is deleted first and written last: a folder without it is incomplete. A folder from
somebody else may hold anything, so only regular files of a limited size are read.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from hemozoin.errors import ModelError
from hemozoin.files import replace_file

SUMS = "SHA256SUMS"

#: Most bytes of a file, by its ending. Files of other endings, such as a licence, have the first.
_MOST_BYTES = {"": 1_000_000, ".json": 8_000_000} | dict.fromkeys(
    (".onnx", ".safetensors"), 512_000_000
)

#: Most bytes and lines of SHA256SUMS.
_MOST_SUMS, _MOST_LINES = 64_000, 64

#: Digest, space, "*" if the file was read in binary mode, and a file name without folders.
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\\]+)")


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files and their checksums; raises OSError where one can't be written."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMS).unlink(missing_ok=True)
    for name, content in files.items():
        replace_file(folder / name, content)
    lines = (f"{_digest(files[name])}  {name}\n" for name in sorted(files))
    replace_file(folder / SUMS, "".join(lines))


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the content of every file that SHA256SUMS lists.

    Raises ModelError, naming the file, where one is missing, has changed, is listed twice, is too
    large or is not a regular file.
    """
    files: dict[str, bytes] = {}
    lines = read_file(folder / SUMS, _MOST_SUMS).decode(errors="replace").splitlines()
    for line in lines:
        match = _LINE.fullmatch(line)
        valid = match and match[2].isprintable() and match[2] not in files
        if not match or not valid or len(lines) > _MOST_LINES:
            raise ModelError(f"{folder / SUMS}: damaged; copy the model folder again")
        digest, name = match.groups()
        files[name] = read_file(folder / name)
        if _digest(files[name]) != digest:
            raise ModelError(f"{folder / name}: changed since it was saved; copy it again")
    return files


def read_file(path: Path, most: int | None = None) -> bytes:
    """Return the content of a file of a model folder, of at most `most` bytes.

    Without `most`, the limit is that of the file's kind. Raises ModelError, naming the file, where
    it is missing, empty or too large, and for a folder, a pipe, a socket or a device.
    """
    most = most or _MOST_BYTES.get(path.suffix, _MOST_BYTES[""])
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path}: not a regular file; give a complete model folder")
        if not 0 < status.st_size <= most:
            raise ModelError(f"{path}: has {status.st_size:,} bytes; needs 1 to {most:,}")
        with path.open("rb") as file:
            return file.read(status.st_size)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelError(
            f"{path.parent}: {path.name} is missing; give a complete model folder, such as"
            " RUN/model"
        ) from error
    except OSError as error:
        raise ModelError(f"{path}: can't be read ({error.strerror})") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
