"""Maps of why for the cells of slides, computed when one is wanted, in a process of its own.

The process starts with the first map and ends when none is wanted for two minutes: a network in
the server would take memory also while nobody looks at cells.
"""

from __future__ import annotations

import base64
import json
import subprocess
from contextlib import suppress
from functools import lru_cache
from threading import Lock, Timer
from typing import Any

from hemozoin.errors import DataError, RunError
from hemozoin.serve.slide_files import SlideFiles
from hemozoin.serve.work.process import start_python

#: The module of the process.
_EXPLAINER = "hemozoin.serve.work.explainer"

#: Number of maps that are kept, of about 10 kB each.
_MAPS = 500

#: Seconds that one map may take.
_PATIENCE = 60


class CellMaps:
    """Computes maps with a network; threads may share it, one map is computed at a time."""

    def __init__(self, model: str) -> None:
        self._model, self._lock = model, Lock()
        self._process: subprocess.Popen[str] | None = None
        self._kept = lru_cache(_MAPS)(self._compute)

    def map(self, files: SlideFiles, field: str, cell: int) -> bytes:
        """Return the map of a cell, by its field and number, as a PNG.

        Raises DataError for an unknown cell, and where the field's picture is not here or was
        screened with another network; RunError if the process dies.
        """
        picture, (found, shift) = files.own_picture(field), files.cell(field, cell)
        if found is None:
            raise DataError(f"there is no cell {cell} in field {field!r:.60}")
        if picture is None:
            raise DataError("no map: the pictures of this slide are elsewhere; upload them")
        question = {"picture": str(picture), "stamp": picture.stat().st_mtime_ns, "cell": found}
        return self._kept(json.dumps(question | {"log_odds_shift": shift}))

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _compute(self, question: str) -> bytes:
        with self._lock:
            answer = self._ask(question) or self._ask(question)  # it may just have ended
        if answer is None:
            raise RunError("the process that computes the map died; look at another cell")
        if "error" in answer:
            raise DataError(answer["error"])
        return base64.b64decode(answer["png"])

    def _ask(self, question: str) -> dict[str, Any] | None:
        """Return the answer of the process; None if it has ended."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        limit = Timer(_PATIENCE, process.kill)
        limit.start()
        try:
            process.stdin.write(question + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
        except (OSError, ValueError):
            self._end()
            return None
        finally:
            limit.cancel()
        return answer

    def _start(self) -> subprocess.Popen[str]:
        process = start_python(_EXPLAINER)
        assert process.stdin is not None
        process.stdin.write(json.dumps({"model": self._model}) + "\n")
        return process

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            with suppress(BrokenPipeError), self._process:
                self._process = None
