"""Pictures of single cells are classified in a process of its own, as `hemozoin predict` does.

So a picture that makes a decoder crash ends that process, not the server.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hemozoin.errors import DataError, RunError
from hemozoin.serve.uploads import Upload
from hemozoin.serve.work.process import one_thread, python_command

#: Most pictures at once, and the seconds that they may take.
MOST_CELLS, _PATIENCE = 200, 300

#: Most bytes of a picture of one cell.
_MOST_BYTES = 32 * 2**20


def predict_uploads(uploads: Sequence[Upload], model: str) -> list[dict[str, Any]]:
    """Return a row for each picture, with its map as a PNG in a data URI; raises DataError."""
    if len(uploads) > MOST_CELLS:
        raise DataError(f"more than {MOST_CELLS} pictures of cells; use hemozoin predict")
    with TemporaryDirectory() as folder:
        files = [*_saved(uploads, Path(folder))]
        maps = Path(folder) / "maps"
        rows = _predict(files, maps, model)
        return [
            {
                **row,
                "cell": upload.name,
                "error": _error(row, files[number - 1]),
                "map": _map(maps, number),
            }
            for number, (upload, row) in enumerate(zip(uploads, rows, strict=True), 1)
        ]


def _saved(uploads: Iterable[Upload], folder: Path) -> Iterator[Path]:
    for number, upload in enumerate(uploads):
        content = upload.content.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise DataError(f"a picture of more than {_MOST_BYTES // 2**20} MB is not of one cell")
        path = folder / f"{number:04}.png"  # the content decides the format, not the name
        path.write_bytes(content)
        yield path


def _predict(files: Sequence[Path], maps: Path, model: str) -> list[dict[str, Any]]:
    options = ["--json", "--explain", str(maps), "--model", model]
    command = [*python_command("hemozoin.cli.main"), "predict", *map(str, files), *options]
    try:
        done = subprocess.run(
            command, env=one_thread(), capture_output=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RunError("the pictures take too long; give fewer") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["died"]
        raise RunError(f"the pictures can't be classified ({last[0]})")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _error(row: dict[str, Any], file: Path) -> str | None:
    """Return the error of a row without the name of the file on this disk."""
    error: str | None = row["error"]
    return error and error.removeprefix(f"{file.name}: ")


def _map(maps: Path, number: int) -> str | None:
    for path in maps.glob(f"{number:05}_*.png"):
        return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
    return None
