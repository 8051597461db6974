"""A folder whose files can't change unnoticed: SHA256SUMS, in the format of `sha256sum -c`.

SHA256SUMS is deleted first and written last: a folder without it is incomplete.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from hemozoin.errors import ModelError
from hemozoin.files import replace_file

SUMS = "SHA256SUMS"

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

    Raises ModelError, naming the file, where one is missing or has changed.
    """
    files = {}
    for line in _read_file(folder, SUMS).decode(errors="replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise ModelError(f"{folder / SUMS}: damaged; copy the model folder again")
        digest, name = match.groups()
        files[name] = _read_file(folder, name)
        if _digest(files[name]) != digest:
            raise ModelError(f"{folder / name}: changed since it was saved; copy it again")
    return files


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_file(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise ModelError(
            f"{folder}: {name} is missing; give a complete model folder, such as RUN/model"
        ) from error
