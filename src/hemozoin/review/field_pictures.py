"""The pictures of a screened slide, read again from where they were."""

from __future__ import annotations

from PIL import Image

from hemozoin.errors import DataError
from hemozoin.smear.field import Field
from hemozoin.smear.output.folder import SlideFolder
from hemozoin.smear.picture import decode_field
from hemozoin.smear.slides import read_picture


def read_field(folder: SlideFolder, name: str) -> tuple[Field, Image.Image]:
    """Return a field of a slide and its picture, RGB.

    Raises DataError where the picture is gone, or is not the one that was screened.
    """
    field, place = folder.load_saved(name), folder.picture(name)
    picture = decode_field(read_picture(place), name)
    if field is None or picture.size != (field.width, field.height):
        raise DataError(f"{place[0]}: {name} is not the picture that was screened; screen it again")
    return field, picture
