"""The formats that are read, and what a file is by its first bytes.

Pillow opens any file for which it has a plugin. One of these starts another program: PostScript is
run by Ghostscript. And JPEG 2000 can be packed so that a small file takes all memory. So each file
is opened as one of `FORMATS`, or not at all.
"""

from __future__ import annotations

import re
from pathlib import Path

#: Names of formats, as Pillow has them. "JPEG" includes MPO, the stereo pairs of some cameras.
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "AVIF", "BMP", "GIF", "PPM")

#: Number of bytes from which `format_of` and `why_refused` recognize a file.
HEAD_BYTES = 1024

#: How files of each of `FORMATS` begin.
_BEGINNINGS = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "WEBP": rb"RIFF.{4}WEBP",
    "AVIF": rb".{4}ftypavi[fs]",
    "BMP": rb"BM.{4}\0{4}",
    "GIF": rb"GIF8[79]a",
    "PPM": rb"P[1-6]\s+(\d|#)",
}

#: How other files begin that somebody may take for a picture, and what to do about it.
_REFUSED = (
    (rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript is never opened; save it as PNG"),
    (rb"%PDF", "PDF is never opened; save its pictures as PNG"),
    (rb"\s*(<[?!].*)?<svg", "SVG is never opened; save it as PNG"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000 is not read; save it as PNG"),
    (rb".{4}ftyp(hei|hev|mif1|msf1)", "HEIC is not read; save it as JPEG or PNG"),
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
    """Return which of `FORMATS` a file has, by its first `HEAD_BYTES`; None for other files."""
    found = (name for name, pattern in _BEGINNINGS.items() if re.match(pattern, head, re.DOTALL))
    return next(found, None)


def why_refused(head: bytes) -> str:
    """Return why a file with these first `HEAD_BYTES` can't be opened, and what to do."""
    for pattern, reason in _REFUSED:
        if re.match(pattern, head, re.DOTALL):
            return reason
    if known := format_of(head):
        return f"damaged {known}"
    return "unknown format; save it as PNG"
