"""The output folder of `hemozoin screen`, and the state from which a stopped run resumes.

OUT/
  hemozoin-screen.json  the settings that the results depend on; written first
  slides.csv            one row per slide, if there are several; each slide then has OUT/SLIDE/
  agreement.html        manual beside automatic counts, if several slides have a manual one
  cells.csv             one row per red cell
  clumps.csv            one row per clump, which only a person can count
  fields.csv            one row per picture
  slide.json            the counts
  report.html           everything on one page
  print.html            the result on one sheet of A4
  cells.coco.json       outlines and boxes, with --coco
  reviews.csv           what people said about cells; never removed, only added to
  overlays/NAME.jpg     a picture with every decision on it
  .fields/NAME.zip      crops of the cells that the report may show, such as 12.jpg
  .fields/NAME.json     what was found in a picture; written last, so a picture without it is
                        screened again
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemozoin.errors import DataError, RunError
from hemozoin.files import is_free, read_regular_file, remove_leftovers, replace_file
from hemozoin.json_files import parse_json, wrong_fields
from hemozoin.smear.field import Field
from hemozoin.smear.output.crops import has_crops, write_crops
from hemozoin.smear.output.screened_field import ScreenedField
from hemozoin.smear.slides import MARK, Photo

CELLS, CLUMPS, FIELDS, SLIDE, REPORT, PRINT, COCO = (
    *("cells.csv", "clumps.csv", "fields.csv", "slide.json"),
    *("report.html", "print.html", "cells.coco.json"),
)
SLIDES, AGREEMENT, OVERLAYS, _STATE = "slides.csv", "agreement.html", "overlays", ".fields"

_FILES = (CELLS, CLUMPS, FIELDS, SLIDE, REPORT, PRINT, COCO)

#: Longest name in bytes. File systems allow 255; the end of a partial file has up to 30.
_LONGEST = 200


def open_output(out: Path, settings: Mapping[str, Any], overwrite: bool) -> None:
    """Make the output folder, or open one that was screened with the same settings.

    Raises RunError if it has other files in it, or was screened with other settings. With
    `overwrite`, the results of the earlier run are removed, and nothing else.
    """
    if not is_free(out):
        before = _read_settings(out)
        if before is None:
            raise RunError(f"{out}: not empty, and not of hemozoin screen; give another --out")
        if overwrite:
            _clear(out)
        elif differing := differing_settings(out, settings):
            raise RunError(
                f"{out}: was screened with other settings ({', '.join(differing)}); give another"
                " --out, or --overwrite to start again"
            )
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    replace_file(out / MARK, json.dumps(settings, indent=2) + "\n")


def _read_settings(out: Path) -> dict[str, Any] | None:
    try:
        found = parse_json(read_regular_file(out / MARK))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def differing_settings(out: Path, settings: Mapping[str, Any]) -> list[str]:
    """Return the settings that an output folder was screened with other values of.

    None are returned where nothing was screened.
    """
    before = _read_settings(out)
    return [name for name in settings if before is not None and before.get(name) != settings[name]]


def _clear(out: Path) -> None:
    """Remove the files of every slide, and the folders that are then empty; keep the settings."""
    for name in (SLIDES, AGREEMENT):
        (out / name).unlink(missing_ok=True)
    for state in sorted(out.rglob(_STATE), reverse=True):  # inner folders before outer ones
        SlideFolder(state.parent).clear()
        for folder in (state.parent, *state.parent.parents):
            if folder == out:
                break
            with suppress(OSError):  # not empty: it has other files or slides in it
                folder.rmdir()


@dataclass(frozen=True)
class SlideFolder:
    """The files of one slide."""

    path: Path

    def begin(self) -> None:
        """Make the folders, and remove files that a killed process left incomplete."""
        for folder in (self.path / _STATE, self.path / OVERLAYS):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.path, self.path / _STATE, self.path / OVERLAYS):
            remove_leftovers(folder)

    def overlay(self, field: str) -> Path:
        """Return the path of a field's overlay."""
        return self.path / OVERLAYS / f"{_file_name(field)}.jpg"

    def crops(self, field: str) -> Path:
        """Return the path of the zip with the crops of a field's cells."""
        return self.path / _STATE / f"{_file_name(field)}.zip"

    def load(self, photo: Photo) -> Field | None:
        """Return the saved field of a picture; None if the picture has to be screened.

        It has to be screened if nothing complete was saved for it, or if its file has changed
        since then.
        """
        if not (self.overlay(photo.field).exists() and has_crops(self.crops(photo.field))):
            return None
        saved = self._saved(photo.field)
        return saved[0] if saved and saved[1]["stamp"] == _stamp(photo) else None

    def load_saved(self, field: str) -> Field | None:
        """Return a saved field by its name, whatever has become of its picture; None if damaged."""
        saved = self._saved(field)
        return saved[0] if saved else None

    def picture(self, field: str) -> Sequence[str]:
        """Return the `Photo.place` of a saved field; raises DataError if nothing was saved."""
        saved = self._saved(field)
        if saved is None:
            raise DataError(f"{self.path}: nothing saved of {field}; screen the slide again")
        place: Sequence[str] = saved[1]["picture"]
        return place

    def _saved(self, name: str) -> tuple[Field, dict[str, Any]] | None:
        """Return a field and all that was saved with it."""
        try:
            saved = parse_json(read_regular_file(self._state(name)))
            field = Field.from_dict(saved["field"])
            known = saved.keys() == {"stamp", "field", "picture"} and _is_place(saved["picture"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None  # not a state, or one that another version wrote
        whole = known and _has_lists(saved["field"]) and not any(wrong_fields(field))
        return (field, saved) if whole else None

    def save(self, photo: Photo, screened: ScreenedField) -> None:
        """Save a screened field, its state last.

        Nothing is saved for a picture that could not be read, so the next run tries it again: the
        cause may have been the disk.
        """
        name = photo.field
        self._state(name).unlink(missing_ok=True)
        if screened.overlay is None:
            self.overlay(name).unlink(missing_ok=True)
            self.crops(name).unlink(missing_ok=True)
            return
        replace_file(self.overlay(name), screened.overlay)
        write_crops(screened.crops, self.crops(name))
        state = {
            "stamp": _stamp(photo),
            "field": screened.field.to_dict(),
            "picture": photo.place,
        }
        replace_file(self._state(name), json.dumps(state))

    def keep_only(self, fields: Iterable[str]) -> None:
        """Remove the files of fields that the slide no longer has."""
        names = {_file_name(field) for field in fields}
        for file in self._field_files():
            if file.stem not in names:
                file.unlink()

    def clear(self) -> None:
        """Remove all files that were written for the slide, and folders that are then empty."""
        for file in [*self._field_files(), *(self.path / name for name in _FILES)]:
            file.unlink(missing_ok=True)
        for folder in (self.path, self.path / OVERLAYS, self.path / _STATE):
            remove_leftovers(folder)
        for folder in (self.path / OVERLAYS, self.path / _STATE):  # _STATE marks a slide's folder
            with suppress(OSError):
                folder.rmdir()

    def _field_files(self) -> list[Path]:
        state, overlays = self.path / _STATE, self.path / OVERLAYS
        return [*state.glob("*.json"), *state.glob("*.zip"), *overlays.glob("*.jpg")]

    def _state(self, field: str) -> Path:
        return self.path / _STATE / f"{_file_name(field)}.json"


def _has_lists(field: Mapping[str, Any]) -> bool:
    """Return whether the values of a saved field that become tuples are lists."""
    objects = [*field["cells"], *field["others"]]
    values = (field["cells"], field["others"], field["flaws"], *(one["outline"] for one in objects))
    return all(isinstance(value, list) for value in values)


def _is_place(value: Any) -> bool:
    """Return whether a saved value is the `Photo.place` of a picture: two texts."""
    return isinstance(value, list) and [type(part) for part in value] == [str, str]


def _stamp(photo: Photo) -> list[int]:
    return [photo.entry.size, photo.entry.stamp]


def _file_name(name: str) -> str:
    """Return the picture's name, or an equally distinct one if a file system may refuse it."""
    if len(name.encode()) <= _LONGEST and re.fullmatch(r"[\w .,()+=@#&-]+", name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)[:100]}-{digest}"
