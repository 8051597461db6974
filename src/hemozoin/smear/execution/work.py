"""What is done with one field, wherever it is done: the bytes of a picture in, all found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from hemozoin.about import VERSION
from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import REVIEW
from hemozoin.errors import DataError, RunError
from hemozoin.model.bundle import Bundle
from hemozoin.model.predictor import Predictor
from hemozoin.model.registry import Precision
from hemozoin.smear.field import Field
from hemozoin.smear.output.overlay import cell_picture, draw_overlay
from hemozoin.smear.output.screened_field import ScreenedField, unreadable
from hemozoin.smear.picture import decode_field
from hemozoin.smear.screen import Screener
from hemozoin.smear.slides import Photo

#: Does the work: takes the bytes of a picture and the field's name; threads may share it.
ScreenFunction = Callable[[bytes, str], ScreenedField]


@dataclass(frozen=True, eq=False)
class ScreenerSettings:
    """All that decides what is found in a picture, to be sent to where the work is done."""

    bundle: Bundle
    precision: Precision
    diameter: float | None
    version: str = VERSION

    def work(self) -> ScreenFunction:
        """Open the network; raises RunError where it comes from another version of hemozoin."""
        if self.version != VERSION:
            raise RunError(f"a worker has hemozoin {VERSION}, not {self.version}; install the same")
        screener = Screener(Predictor(self.bundle, self.precision), self.diameter)
        return lambda data, name: screen_bytes(data, name, screener)


def screen_photo(photo: Photo, work: ScreenFunction) -> ScreenedField:
    """Screen a file; one that can't be read becomes a field with its error."""
    try:
        data = photo.read()
    except DataError as error:
        return unreadable(photo.field, error)
    return work(data, photo.field)


def screen_bytes(
    data: bytes, name: str, screener: Callable[[Image.Image, str], Field]
) -> ScreenedField:
    """Screen the picture in a file's bytes; what is no field becomes one with its error."""
    try:
        picture = decode_field(data, name)
        found = screener(picture, name)
    except DataError as error:
        return unreadable(name, error)
    pictures = {
        cell.cell: cell_picture(picture, cell)
        for cell in found.cells
        if cell.decision in (PARASITIZED, REVIEW)
    }
    return ScreenedField(found, draw_overlay(picture, found), pictures)
