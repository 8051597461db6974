"""Which pages of a TIFF are the picture.

A TIFF is a list of pages, and each may have more below it. Besides the picture there may be a
thumbnail, smaller copies (a pyramid), a mask, or photos of the slide's label. Or the pages are
planes: the colours of one picture, or a stack of which only the user knows the plane in focus.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from hemozoin.data.decoding.formats import HEAD_BYTES, why_refused
from hemozoin.data.decoding.limits import MAX_PIXELS
from hemozoin.errors import DataError

#: Most pages that are looked at; a stack of more is refused with this number.
_MOST_PAGES = 256

#: Most tags of a page. Usual are 10 to 60.
_MOST_TAGS = 1000

#: Length in bytes of the whole-number types.
_LENGTHS = {1: 1, 3: 2, 4: 4, 9: 4, 13: 4, 16: 8, 18: 8}

#: The mark of Canon's camera raws, behind the header of a TIFF.
_CR2 = b"CR\x02"

#: Tags, by their number in the TIFF specification.
_KIND, _OLD_KIND, _WIDTH, _HEIGHT, _COMPRESSION, _COLOUR = 254, 255, 256, 257, 259, 262
_DESCRIPTION, _MAKE, _SAMPLES, _PAGE_NAME, _BELOW = 270, 271, 277, 285, 330
_DNG, _NDPI = 50706, 65420

#: Values of _COLOUR in camera raws: one colour per pixel, and values that are not for viewing.
_RAW = {32803, 34892}

#: Values of _COMPRESSION that are JPEG 2000, which some scanners write.
_JPEG_2000 = {33003, 33004, 33005, 34712}

#: A page with less than this share of the largest page's pixels is a smaller copy, or another
#: photo such as that of the label.
_SMALL = 0.5

#: Names and colours (RGBA as a signed number, in OME's description) of the three channels.
_RGB_NAMES = re.compile(r"r(ed)?,g(reen)?,b(lue)?", re.IGNORECASE)
_RGB_COLOURS = ["-16776961", "16711935", "65535"]


@dataclass(frozen=True)
class _Tags:
    """The tags of one page, each with its type, its number of values, and where these are."""

    data: bytes
    form: _Form
    found: dict[int, tuple[int, int, int]]
    position: int

    def integers(self, tag: int) -> list[int]:
        """Return the values of a tag; [] if it is missing, damaged or not of whole numbers."""
        kind, count, at = self.found.get(tag, (0, 0, 0))
        length = _LENGTHS.get(kind)
        if length is None or count > _MOST_PAGES or at + length * count > len(self.data):
            return []
        letter = {1: "B", 2: "H", 4: "I", 8: "Q"}[length]
        return list(struct.unpack_from(f"{self.form.order}{count}{letter}", self.data, at))

    def integer(self, tag: int, default: int = 0) -> int:
        return next(iter(self.integers(tag)), default)

    def text(self, tag: int) -> str:
        """Return the text of a tag; "" if it is missing."""
        _, count, at = self.found.get(tag, (0, 0, 0))
        return self.data[at : at + count].split(b"\0")[0].decode("utf-8", "replace")

    @cached_property
    def size(self) -> tuple[int, int]:
        return self.integer(_WIDTH), self.integer(_HEIGHT)

    @property
    def pixels(self) -> int:
        return self.size[0] * self.size[1]

    @property
    def is_copy(self) -> bool:
        """Return whether this is marked as a smaller copy or a mask of another page."""
        return bool(self.integer(_KIND) & 0b101) or self.integer(_OLD_KIND) == 2


@dataclass(frozen=True)
class _Form:
    """The byte order of a TIFF, and the lengths of its numbers: a BigTIFF has longer ones."""

    order: str
    big: bool

    def read_page(self, data: bytes, at: int) -> tuple[_Tags, int]:
        """Return the tags of the page at a position, and where the next page is (0: nowhere)."""
        count_form, entry_form, next_form = ("Q", "HHQ", "Q") if self.big else ("H", "HHI", "I")
        (count,) = struct.unpack_from(self.order + count_form, data, at)
        if count > _MOST_TAGS:
            raise ValueError("too many tags")
        start, inline = at + struct.calcsize(f"={count_form}"), 8 if self.big else 4
        step, found = 20 if self.big else 12, dict[int, tuple[int, int, int]]()
        for entry in range(start, start + step * count, step):
            tag, kind, values = struct.unpack_from(self.order + entry_form, data, entry)
            where = entry + step - inline
            if values * _LENGTHS.get(kind, 1) > inline:
                (where,) = struct.unpack_from(self.order + next_form, data, where)
            found[tag] = kind, values, where
        (following,) = struct.unpack_from(self.order + next_form, data, start + step * count)
        return _Tags(data, self, found, at), following


def picture_pages(data: bytes, name: str) -> list[bytes]:
    """Return a TIFF with its picture as the first page; of three planes (R, G, B), one for each.

    Other data, and a TIFF whose first page is damaged, are returned as they are. Raises DataError,
    starting with `name`, for a stack, and for what is a TIFF by its form only, as a camera raw is.
    """
    if data[8:11] == _CR2 and _form(data):  # its first page is a preview
        raise DataError(f"{name}: not a readable picture ({why_refused(data[:HEAD_BYTES])})")
    form = _form(data)
    pages = [] if form is None else list(_pages(data, form))
    if not pages or form is None:
        return [data]
    _require_picture(pages, name)
    planes = _planes(pages)
    if len(planes) > 1 and not _are_colours(planes):
        raise DataError(f"{name}: has several pages: {_stack(planes)}")
    return [_beginning_with(plane, form) for plane in planes]


def _form(data: bytes) -> _Form | None:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    version = data[2:4] if order == ">" else data[3:1:-1]
    if order is None or version not in (b"\0*", b"\0+"):
        return None
    return _Form(order, big=version == b"\0+")


def _pages(data: bytes, form: _Form) -> Iterator[_Tags]:
    """Yield each page, followed by the pages below it; a damaged page is the end."""
    try:
        (at,) = struct.unpack_from(form.order + ("Q" if form.big else "I"), data, _first(form))
        waiting, seen = [at], set[int]()
        while waiting and len(seen) < _MOST_PAGES:
            at = waiting.pop()
            if at == 0 or at in seen:
                continue
            seen.add(at)
            page, following = form.read_page(data, at)
            waiting += [following, *reversed(page.integers(_BELOW))]
            if page.pixels:
                yield page
    except (struct.error, ValueError, OverflowError):
        return


def _first(form: _Form) -> int:
    """Return where the position of the first page is."""
    return 8 if form.big else 4


def _require_picture(pages: list[_Tags], name: str) -> None:
    """Raise DataError for a camera raw, and for a scan that can't be decoded at once."""
    first = pages[0]
    if any(page.integer(_COLOUR) in _RAW or _DNG in page.found for page in pages):
        make = first.text(_MAKE).split(" ")[0].title() or "DNG"
        raise DataError(f"{name}: a camera raw ({make[:20]}); export it as TIFF, PNG or JPEG")
    is_scan = first.text(_DESCRIPTION).startswith("Aperio") or _NDPI in first.found
    jpeg_2000 = first.integer(_COMPRESSION) in _JPEG_2000
    if jpeg_2000 or (is_scan and first.pixels > MAX_PIXELS):
        kind = "a scan (SVS, NDPI)" if is_scan else "JPEG 2000 in a TIFF"
        tiles = "" if jpeg_2000 else "; hemozoin screen reads it in tiles with hemozoin[scans]"
        raise DataError(f"{name}: {kind}{tiles}; or export a part of it as TIFF, PNG or JPEG")


def _planes(pages: list[_Tags]) -> list[_Tags]:
    """Return the pages of full size."""
    full = [page for page in pages if not page.is_copy] or pages
    largest = max(full, key=lambda page: page.pixels)  # the first of these
    return [page for page in full if page is largest or page.pixels > _SMALL * largest.pixels]


def _are_colours(planes: list[_Tags]) -> bool:
    """Return whether these are the red, green and blue of one picture, by name or colour."""
    if len(planes) != 3 or len({(page.size, page.integer(_SAMPLES, 1)) for page in planes}) != 1:
        return False
    if planes[0].integer(_SAMPLES, 1) != 1:
        return False
    description = planes[0].text(_DESCRIPTION)
    channels = re.findall(r"<(?:\w+:)?Channel\b[^>]*>", description)
    colours = [_attribute(channel, "Color") for channel in channels]
    names = [_attribute(channel, "Name") for channel in channels]
    pages = [page.text(_PAGE_NAME) for page in planes]
    return colours == _RGB_COLOURS or any(
        _RGB_NAMES.fullmatch(",".join(three)) for three in (names, pages)
    )


def _attribute(element: str, name: str) -> str:
    found = re.search(rf'\s{name}="([^"]*)"', element)
    return found[1] if found else ""


def _stack(planes: list[_Tags]) -> str:
    width, height = planes[0].size
    number = f"{len(planes)} or more" if len(planes) >= _MOST_PAGES else str(len(planes))
    return (
        f"{number} planes of {width}x{height} pixels; give the one in focus: in Fiji, Image >"
        " Duplicate without the stack, then save it as PNG"
    )


def _beginning_with(page: _Tags, form: _Form) -> bytes:
    """Return a TIFF whose first page is this one; the same data if it is already."""
    position = struct.pack(form.order + ("Q" if form.big else "I"), page.position)
    first = _first(form)
    if page.data[first : first + len(position)] == position:
        return page.data
    return page.data[:first] + position + page.data[first + len(position) :]
