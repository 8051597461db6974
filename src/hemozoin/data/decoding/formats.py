"""The formats that are read, and what a file is by its first bytes.

Pillow opens any file for which it has a plugin. One of these starts another program: PostScript is
run by Ghostscript. And JPEG 2000 can be packed so that a small file takes all memory. So each file
is opened as one of `FORMATS`, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

#: Names of formats, as Pillow has them. "JPEG" includes MPO, the stereo pairs of some cameras.
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "AVIF", "BMP", "GIF", "PPM")

#: HEIC and HEIF, the format of phones, which pillow-heif opens.
HEIF = "HEIF"

#: Number of bytes from which `format_of` and `why_refused` recognize a file.
HEAD_BYTES = 1024

#: How files of each of `FORMATS`, and of HEIF, begin.
_BEGINNINGS = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "WEBP": rb"RIFF.{4}WEBP",
    "AVIF": rb".{4}ftyp(avi[fs]|(mif1|msf1).{4,60}?avi[fs])",
    HEIF: rb".{4}ftyp(hei|hev|mif1|msf1)",
    "BMP": rb"BM.{4}\0{4}",
    "GIF": rb"GIF8[79]a",
    "PPM": rb"P[1-6]\s+(\d|#)",
}

_EXPORT = "export it as TIFF, PNG or JPEG"
_IN_FIJI = "open it in Fiji or the microscope's program and save the plane in focus as PNG or TIFF"
_DOCUMENT = "save its pictures as PNG"
_FRAMES = "give single frames of it as PNG"

#: How pictures in other formats begin, and what to do about them: a photo that can't be read.
_OTHER_PICTURES = (
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000 is not read; save it as PNG"),
    (rb"\0\0\0\x0cJXL |\xff\x0a", "JPEG XL is not read; save it as PNG"),
    (rb"II\*\0.{4}CR\x02|.{4}ftypcrx ", f"a camera raw (Canon CR2, CR3); {_EXPORT}"),
    (
        rb"FUJIFILMCCD-RAW|IIR[OS]\x08|MMOR|IIU\0|FOVb|\0MRM",
        f"a camera raw (RAF, ORF, RW2); {_EXPORT}",
    ),
    (rb"ZISRAWFILE", f"Zeiss CZI is not read; {_IN_FIJI}"),
    (rb"\xda\xce\xbe\x0a", f"Nikon ND2 is not read; {_IN_FIJI}"),
    (rb"\x70\0\0\0.{4}\x2a", f"Leica LIF is not read; {_IN_FIJI}"),
    (rb"SIS\0", f"Olympus VSI/ETS is not read; {_IN_FIJI}"),
    (rb".{128}DICM", f"DICOM is not read; {_EXPORT}"),
    (rb"8BPS|gimp xcf", "a Photoshop or GIMP project; export it as PNG"),
)

#: How files begin that are no pictures, and what to do about them.
_NO_PICTURES = (
    (rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript is never opened; save it as PNG"),
    (rb"%PDF", f"PDF is never opened; {_DOCUMENT}"),
    (rb"\s*(<[?!].*)?<svg", "SVG is never opened; save it as PNG"),
    (rb"PK\x03\x04.*(word|ppt|xl)/", f"a Word, PowerPoint or Excel file; {_DOCUMENT}"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", f"an Office file (or ZVI, OIB); {_DOCUMENT}"),
    (rb"PK\x03\x04", "a zip; its name has to end in .zip"),
    (rb"RIFF.{4}AVI ", f"a video (AVI); {_FRAMES}"),
    (rb".{4}ftypqt  |.{4}(moov|mdat|wide|free|skip)", f"a video (MOV); {_FRAMES}"),
    (rb".{4}ftyp", f"a video (MP4); {_FRAMES}"),
    (rb"\x1a\x45\xdf\xa3|\x30\x26\xb2\x75|\0\0\x01[\xb3\xba]|FLV", f"a video; {_FRAMES}"),
)


def head_of(path: Path) -> bytes:
    """Return the first `HEAD_BYTES` of a file; nothing of a pipe or a device, which may hang.

    Raises OSError for a file that can't be read.
    """
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def format_of(head: bytes) -> str | None:
    """Return which of `FORMATS` and `HEIF` a file has, by its first `HEAD_BYTES`; else None."""
    found = (name for name, pattern in _BEGINNINGS.items() if re.match(pattern, head, re.DOTALL))
    return next(found, None)


def why_refused(head: bytes) -> str:
    """Return why a file with these first `HEAD_BYTES` can't be opened, and what to do."""
    if reason := _first_match(_OTHER_PICTURES, head):  # a CR2 is a TIFF by its form
        return reason
    if known := format_of(head):
        return f"damaged {known}"
    return _first_match(_NO_PICTURES, head) or "unknown format; save it as PNG"


def is_picture(head: bytes) -> bool:
    """Return whether a file is a picture, also in a format that is not read, by its first bytes."""
    return format_of(head) is not None or _first_match(_OTHER_PICTURES, head) is not None


def no_picture(head: bytes) -> str | None:
    """Return what a file is, and what to do, that is a document or a video; else None."""
    return None if is_picture(head) else _first_match(_NO_PICTURES, head)


def _first_match(known: Iterable[tuple[bytes, str]], head: bytes) -> str | None:
    found = (reason for pattern, reason in known if re.match(pattern, head, re.DOTALL))
    return next(found, None)
