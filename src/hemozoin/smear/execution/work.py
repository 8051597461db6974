"""Screen one field, in any process or on any computer: from a picture to the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from PIL import Image

from hemozoin.about import VERSION
from hemozoin.classes import PARASITIZED
from hemozoin.data.picture import unexpected_errors
from hemozoin.decision.conformal import REVIEW
from hemozoin.errors import DataError, RunError
from hemozoin.model.bundle import Bundle
from hemozoin.model.predictor import Predictor
from hemozoin.model.registry import Precision
from hemozoin.smear.field import Field
from hemozoin.smear.fingerprint import fingerprint
from hemozoin.smear.output.overlay import crop_cell, draw_overlay
from hemozoin.smear.output.screened_field import ScreenedField, unreadable_field
from hemozoin.smear.picture import PictureData, decode_field
from hemozoin.smear.screen import Screener
from hemozoin.smear.slides import Photo

#: Held while a field is screened: the largest one takes 1.5 GB, and threads need as long for two
#: fields together as one after the other.
_ONE_AT_A_TIME = Lock()

#: Screens a picture, given its content and the field's name; threads may share it.
ScreenFunction = Callable[[PictureData, str], ScreenedField]


@dataclass(frozen=True, eq=False)
class ScreenerSettings:
    """All that the result for a picture depends on; it can be sent to another process."""

    bundle: Bundle
    precision: Precision
    diameter: float | None
    version: str = VERSION

    def load(self) -> ScreenFunction:
        """Load the network; raises RunError if the settings are of another hemozoin version."""
        if self.version != VERSION:
            raise RunError(f"a worker has hemozoin {VERSION}, not {self.version}; install the same")
        screener = Screener(Predictor(self.bundle, self.precision), self.diameter)
        return lambda data, name: screen_picture(data, name, screener)


def screen_photo(photo: Photo, screen: ScreenFunction) -> ScreenedField:
    """Screen a file; the result for one that can't be read is a field with an error."""
    try:
        with unexpected_errors(photo.field):
            screened = screen(photo.read(), photo.field)
    except DataError as error:
        return unreadable_field(photo.field, error)
    return screened


def screen_picture(
    data: PictureData, name: str, screener: Callable[[Image.Image, str], Field]
) -> ScreenedField:
    """Screen a picture; if it isn't one of a field, or anything fails, return it with the error."""
    try:
        with unexpected_errors(name), _ONE_AT_A_TIME:
            picture = decode_field(data, name)
            field = screener(picture, name)
            if not isinstance(data, np.ndarray):  # the tiles of a scan are different places
                field = replace(field, fingerprint=fingerprint(picture))
            screened = _with_pictures(field, picture)
    except DataError as error:
        return unreadable_field(name, error)
    return screened


def _with_pictures(field: Field, picture: Image.Image) -> ScreenedField:
    crops = {
        cell.cell: crop_cell(picture, cell)
        for cell in field.cells
        if cell.decision in (PARASITIZED, REVIEW)
    }
    return ScreenedField(field, draw_overlay(picture, field), crops)
