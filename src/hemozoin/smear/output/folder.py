"""What `hemozoin screen` writes, and how it goes on where it was stopped.

OUT/
  hemozoin-screen.json  what decides the answers; written first
  slides.csv            a row a slide, where there are several; then each has a folder OUT/SLIDE
  cells.csv             a row a cell
  fields.csv            a row a picture
  slide.json            the count
  report.html           all of it on one page
  cells.coco.json       outlines and boxes, where asked for
  overlays/NAME.jpg     every decision on its picture
  .fields/NAME.json     what was found in a picture: written when all else of it is on disk
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemozoin.errors import RunError
from hemozoin.files import is_free, replace_file
from hemozoin.smear.field import Field
from hemozoin.smear.output.screened_field import ScreenedField
from hemozoin.smear.slides import MARK, Photo

CELLS, FIELDS, SLIDE, REPORT, COCO = (
    *("cells.csv", "fields.csv", "slide.json"),
    *("report.html", "cells.coco.json"),
)
SLIDES, OVERLAYS, _STATE = "slides.csv", "overlays", ".fields"

_FILES = (CELLS, FIELDS, SLIDE, REPORT, COCO)

#: No file system takes more bytes in a name than 255; ".json" and ".12345.partial" come behind.
_LONGEST = 200


def open_output(out: Path, settings: Mapping[str, Any], overwrite: bool) -> None:
    """Make the folder, or take one that was screened with the same settings.

    Raises RunError where other files lie in it, and where the settings were others; with
    `overwrite` what was screened there before is removed, and nothing else.
    """
    if not is_free(out):
        before = _settings(out)
        if before is None:
            raise RunError(f"{out}: not empty, and not of hemozoin screen; give another --out")
        if overwrite:
            _clear(out)
        elif before != settings:
            raise RunError(_differ(out, before, settings))
    out.mkdir(parents=True, exist_ok=True)
    replace_file(out / MARK, json.dumps(settings, indent=2) + "\n")


def _settings(out: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((out / MARK).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _differ(out: Path, before: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    others = [name for name in settings if before.get(name) != settings[name]]
    return (
        f"{out}: was screened with other settings ({', '.join(others)}); give another --out,"
        " or --overwrite to start anew"
    )


def _clear(out: Path) -> None:
    """Remove every slide's files, and folders that are empty then; the mark stays."""
    (out / SLIDES).unlink(missing_ok=True)
    for state in sorted(out.rglob(_STATE), reverse=True):  # what lies deeper goes first
        SlideFolder(state.parent).clear()
        for folder in (state.parent, *state.parent.parents):
            if folder == out:
                break
            with suppress(OSError):  # it holds other files, or other slides
                folder.rmdir()


@dataclass(frozen=True)
class SlideFolder:
    """The files of one slide."""

    path: Path

    def begin(self) -> None:
        """Make the folders and remove what a process that was killed has half written."""
        for folder in (self.path / _STATE, self.path / OVERLAYS):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.path, self.path / _STATE, self.path / OVERLAYS):
            for partial in folder.glob("*.partial"):
                partial.unlink()

    def overlay(self, photo: Photo) -> Path:
        """Return where a field's overlay lies."""
        return self.path / OVERLAYS / f"{_file_name(photo)}.jpg"

    def has(self, photo: Photo) -> bool:
        """Tell whether a picture was screened, and is still the same file.

        One that couldn't be read is tried again: perhaps it was the disk.
        """
        found = self._read(photo)
        return (
            found is not None
            and found["stamp"] == _stamp(photo)
            and found["field"]["error"] is None
            and self.overlay(photo).exists()
        )

    def save(self, photo: Photo, screened: ScreenedField) -> None:
        """Write what was found in a picture; without its last file it was not screened."""
        self._state(photo).unlink(missing_ok=True)
        if screened.overlay is None:
            self.overlay(photo).unlink(missing_ok=True)
        else:
            replace_file(self.overlay(photo), screened.overlay)
        content = {
            "stamp": _stamp(photo),
            "field": screened.field.to_dict(),
            "pictures": {k: b64encode(data).decode() for k, data in screened.pictures.items()},
        }
        replace_file(self._state(photo), json.dumps(content))

    def load(self, photo: Photo) -> ScreenedField:
        """Return what `save` wrote, but the overlay; raises RunError where it is gone."""
        found = self._read(photo)
        if found is None:
            raise RunError(f"{self._state(photo)}: gone or damaged; run the same command again")
        pictures = {int(k): b64decode(data) for k, data in found["pictures"].items()}
        return ScreenedField(Field.from_dict(found["field"]), None, pictures)

    def keep_only(self, photos: Iterable[Photo]) -> None:
        """Remove what was found in pictures that the slide no longer has."""
        names = {_file_name(photo) for photo in photos}
        for file in self._of_fields():
            if file.stem not in names:
                file.unlink()

    def clear(self) -> None:
        """Remove all that was written for the slide, and folders that are empty then."""
        for file in [*self._of_fields(), *(self.path / name for name in _FILES)]:
            file.unlink(missing_ok=True)
        for folder in (self.path / _STATE, self.path / OVERLAYS):
            with suppress(OSError):
                folder.rmdir()

    def _of_fields(self) -> list[Path]:
        found = (self.path / _STATE).glob("*.json"), (self.path / OVERLAYS).glob("*.jpg")
        return [file for files in found for file in files]

    def _state(self, photo: Photo) -> Path:
        return self.path / _STATE / f"{_file_name(photo)}.json"

    def _read(self, photo: Photo) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self._state(photo).read_bytes())
        except (OSError, ValueError):
            return None
        return found


def _stamp(photo: Photo) -> list[int]:
    return [photo.entry.size, photo.entry.stamp]


def _file_name(photo: Photo) -> str:
    """Return the picture's name, or, where a file system may not take it, one as distinct."""
    name = photo.field
    if len(name.encode()) <= _LONGEST and re.fullmatch(r"[\w .,()+=@#&-]+", name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)[:100]}-{digest}"
