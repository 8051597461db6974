"""HEIC, the format of phones: opened by pillow-heif, an extra."""

from __future__ import annotations

import io

from PIL import Image

from hemozoin.errors import DataError


def open_heif(file: io.BytesIO, name: str) -> Image.Image:
    """Open the main picture of a HEIC or HEIF file; its pixels are decoded by `load`.

    Pillow's own list of formats stays as it is. Raises DataError, starting with `name`, without
    pillow-heif, and any error for a damaged file.
    """
    try:
        from pillow_heif import HeifImageFile  # noqa: PLC0415  (an optional extra)
    except ImportError as error:
        raise DataError(
            f"{name}: HEIC is read with one more package: pip install 'hemozoin[heic]'; or save"
            " it as JPEG or PNG"
        ) from error
    picture: Image.Image = HeifImageFile(file)  # type: ignore[no-untyped-call]
    return picture
