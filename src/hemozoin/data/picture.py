"""Decode pictures, also damaged and hostile ones, to RGB uint8.

    bytes ── opened as one of the known formats ── checked ── decoded ── RGB

Whatever the bytes are, the result is a picture or a DataError with the reason.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from hemozoin.arrays import Pixels
from hemozoin.data.decoding.deep_colour import load_deep_colour
from hemozoin.data.decoding.formats import FORMATS, HEAD_BYTES, HEIF, format_of, why_refused
from hemozoin.data.decoding.heif import open_heif
from hemozoin.data.decoding.jpeg_end import lacks_end_mark, open_without_end_mark
from hemozoin.data.decoding.limits import (
    MAX_PIXELS,
    LimitedFile,
    PixelBudget,
    require_few_jpeg_parts,
    require_quick_decoder,
)
from hemozoin.data.decoding.messages import collected_messages
from hemozoin.data.decoding.plain_png import decode_plain_png
from hemozoin.data.decoding.plain_webp import decode_plain_webp
from hemozoin.data.decoding.rgb import merge_planes, to_rgb
from hemozoin.data.decoding.tiff_pages import picture_pages
from hemozoin.errors import DataError, HemozoinError

#: Sides of a picture of one cell, in px; NLM's have 46 to 394. A picture of a whole field may be
#: within these limits: rejecting it is left to the out-of-distribution detector.
SMALLEST_SIDE, LARGEST_SIDE = 8, 10_000

#: Most pixels of a picture of one cell: to decode and prepare them takes 0.7 GB.
MAX_CELL_PIXELS = 32_000_000

#: Formats whose frames are an animation. In other formats, further frames are no part of the
#: picture: a phone's second view (MPO), or pages that `picture_pages` has passed over.
_ANIMATED = {"AVIF", "GIF", "PNG", "WEBP"}

#: EXIF's tag for how the picture has to be turned.
_ORIENTATION = 0x0112

#: Longest reason for an unexpected error, in characters.
_LONGEST_REASON = 300

#: Longest message of a decoder, in characters.
_LONGEST_MESSAGE = 160

#: The pixels of all cells that are decoded and prepared at the same time.
_BUDGET = PixelBudget(MAX_CELL_PIXELS)

_EXPECTED = "give a path, a Pillow picture, or uint8 [height, width, 3] in RGB"


class TooManyPixelsError(DataError):
    """A picture has more than `MAX_PIXELS`."""


_Result = TypeVar("_Result")

#: Raises DataError for an open picture, given its name, that is not of the expected kind.
Requirement = Callable[[Image.Image, str], None]


def decode(data: bytes, name: str = "picture", require: Requirement | None = None) -> Image.Image:
    """Decode the bytes of a picture into a Pillow image in mode RGB, 1 x 1 or larger.

    It may be 8-bit, 16-bit, grey, with a palette or CMYK. Transparent pixels become black, like
    the background of NLM's cells. EXIF rotation is applied, and colours are converted to sRGB. Of
    an animation, the first frame is used. `require` checks the open picture before its pixels are
    decoded. Raises DataError, starting with `name`, if this is not a picture in one of `FORMATS`,
    and TooManyPixelsError.
    """
    with _decode_errors(name, data):
        return _load(_open(data, name, require), name)


def decode_cell(data: bytes, name: str = "picture") -> Image.Image:
    """Decode as `decode` does, and also raise DataError for a picture that can't be of one cell.

    That is a picture with a side of less than `SMALLEST_SIDE` or more than `LARGEST_SIDE` px, with
    more than `MAX_CELL_PIXELS`, or an animation.
    """
    return process_cell(data, name, Image.fromarray)


def process_cell(data: bytes, name: str, process: Callable[[Pixels], _Result]) -> _Result:
    """Return the result of `process` for the pixels that `decode_cell` returns, `[H, W, 3]`.

    Large pictures are decoded and processed one after another, to limit the memory of all threads
    together. Any unexpected error becomes a DataError.
    """
    with unexpected_errors(name):
        plain = decode_plain_cell(data)
        if plain is not None:
            return process(plain)
    with _decode_errors(name, data):
        opened = [_open(data, name, _require_one_cell)]
    with _BUDGET.reserve(opened[0].width * opened[0].height), unexpected_errors(name):
        with _decode_errors(name, data):
            pixels = np.asarray(_load(opened.pop(), name))  # popped: frees the decoder's memory
        return process(pixels)


def decode_plain_cell(data: bytes) -> Pixels | None:
    """Return what `decode_cell` does for plain PNG or WebP of one cell, `[H, W, 3]`; else None."""
    pixels = decode_plain_webp(data) if data.startswith(b"RIFF") else decode_plain_png(data)
    return pixels if pixels is not None and _may_be_one_cell(*pixels.shape[:2]) else None


@contextlib.contextmanager
def unexpected_errors(name: str) -> Iterator[None]:
    """Turn an unexpected error in the work on a picture into a DataError, for the picture's row.

    One picture must not stop a run of thousands, whatever is in it.
    """
    try:
        yield
    except HemozoinError:
        raise
    except Exception as error:
        raise internal_error(name, error) from error


def internal_error(name: str, error: Exception) -> DataError:
    """Return the error of a picture in the work on which another error was raised."""
    text = f"internal error: {type(error).__name__}: {error}".removesuffix(": ")
    return DataError(f"{name}: {' '.join(text.split())[:_LONGEST_REASON]}")


def cell_from_image(image: Image.Image, name: str = "picture") -> Image.Image:
    """Do the same as `decode_cell` for an open Pillow image; the image itself is not changed."""
    with _decode_errors(name):
        _require_one_cell(image, name)
        return _load_copy(image, name)


def rgb_from_image(image: Image.Image, name: str = "picture") -> Image.Image:
    """Do the same as `decode` for an open Pillow image; the image itself is not changed."""
    with _decode_errors(name):
        return _load_copy(image, name)


def image_from_array(pixels: object, name: str = "picture") -> Image.Image:
    """Return uint8 `[H, W, 3]`, RGB, as a Pillow image; raises DataError for anything else."""
    if not isinstance(pixels, np.ndarray):
        raise DataError(f"{name}: a {type(pixels).__name__}; {_EXPECTED}")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise DataError(f"{name}: {pixels.dtype} {list(pixels.shape)}; {_EXPECTED}")
    return Image.fromarray(pixels)


@contextlib.contextmanager
def _decode_errors(name: str, data: bytes = b"?") -> Iterator[None]:
    """Turn any error in decoding a picture into a DataError with the decoder's message."""
    with collected_messages() as messages:
        try:
            yield
        except DataError:
            raise
        except Image.DecompressionBombError as error:
            raise _too_many_pixels(name) from error
        except Exception as error:  # Pillow's plugins raise all kinds of errors on damaged files
            reason = _reason(error, data, messages)
            raise DataError(f"{name}: not a readable picture ({reason})") from error


def _open(data: bytes, name: str, require: Requirement | None) -> Image.Image:
    """Open a picture, without its pixels, if its format is known and it is within the limits."""
    require_few_jpeg_parts(data)
    if format_of(data[:HEAD_BYTES]) == HEIF:
        pages = [open_heif(LimitedFile(data), name)]
    else:
        files = map(LimitedFile, picture_pages(data, name))
        pages = [Image.open(file, formats=FORMATS) for file in files]
    for page in pages:
        if require is not None:
            require(page, name)
        _require_pixels(page, name)
    if lacks_end_mark(data):
        return open_without_end_mark(data)
    if len(pages) == 1:
        return pages[0]
    for page in pages:
        require_quick_decoder(page)
    return merge_planes(pages, data)


def _load(image: Image.Image, name: str) -> Image.Image:
    """Return an open picture in RGB; `image` itself is changed."""
    _require_pixels(image, name)
    require_quick_decoder(image)
    file = getattr(image, "fp", None)
    data = file.getvalue() if isinstance(file, LimitedFile) else b""
    deep = load_deep_colour(image, data)
    loaded = image if deep is None else deep
    loaded.load()
    loaded.info["icc_profile"] = image.info.get("icc_profile")
    with contextlib.suppress(Exception):  # with damaged metadata, the pixels are still usable
        loaded.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
        ImageOps.exif_transpose(loaded, in_place=True)
    return to_rgb(loaded, data)


def _load_copy(image: Image.Image, name: str) -> Image.Image:
    """Return a picture that a caller has opened in RGB."""
    _require_pixels(image, name)
    if image.format == "EPS":  # to decode it, Pillow would run Ghostscript
        raise ValueError("PostScript is never opened; save it as PNG")
    return _load(image.copy(), name)


def _require_pixels(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels(name)
    if not image.width * image.height:
        raise DataError(f"{name}: {image.width}x{image.height} pixels, not a cell or a field")


def _too_many_pixels(name: str) -> DataError:
    millions = MAX_PIXELS // 10**6
    return TooManyPixelsError(f"{name}: more than {millions} million pixels, not a cell or a field")


def is_animation(image: Image.Image) -> bool:
    """Return whether an open picture is an animation."""
    return image.format in _ANIMATED and bool(getattr(image, "is_animated", False))


def _require_one_cell(image: Image.Image, name: str) -> None:
    if not _may_be_one_cell(*image.size):
        raise DataError(
            f"{name}: {image.width}x{image.height} pixels, not a picture of one cell; give crops"
            f" of {SMALLEST_SIDE} to {LARGEST_SIDE} px on a side, up to"
            f" {MAX_CELL_PIXELS // 10**6} million pixels; hemozoin screen takes whole fields"
        )
    if is_animation(image):
        raise DataError(f"{name}: an animation, not a picture of one cell; give one frame of it")


def _may_be_one_cell(side: int, other: int) -> bool:
    low, high = sorted((side, other))
    return low >= SMALLEST_SIDE and high <= LARGEST_SIDE and low * high <= MAX_CELL_PIXELS


def _reason(error: Exception, data: bytes, messages: list[str]) -> str:
    if not data:
        return "empty file"
    if isinstance(error, UnidentifiedImageError):  # its own message is an address in memory
        return why_refused(data[:HEAD_BYTES])
    text = messages[0] if messages else str(error)
    return " ".join(text.split())[:_LONGEST_MESSAGE] or type(error).__name__
