"""Names of files: decoded where a zip doesn't say how, and compared.

A zip of Windows has the names in the code page of its computer, and no word about which.
"""

from __future__ import annotations

import re
import unicodedata
import zipfile
from collections.abc import Collection
from pathlib import PurePosixPath

#: The flag of a zip's entry whose name is UTF-8. Without it, zipfile decodes the name as cp437.
_IS_UTF8 = 0x800

#: Code pages of Western Windows, of the command line and of windows; the first counts in a tie.
_WESTERN = ("cp850", "cp1252")

#: Chinese characters in GBK, both bytes high: two or more, or one that is next to no letter.
_CHINESE = re.compile(rb"(?:[\xa1-\xfe]{2}){2,}|(?<![A-Za-z])[\xa1-\xfe]{2}(?![A-Za-z])")
_HIGH = re.compile(rb"[\x80-\xff]+")


def as_nfc(name: str) -> str:
    """Return a name in Unicode's composed form: macOS writes an accent as a character of its own.

    Names that look the same compare equal in this form.
    """
    return unicodedata.normalize("NFC", name)


def name_in_zip(entry: zipfile.ZipInfo) -> str:
    """Return the name of a zip's entry as it was on the computer that wrote the zip.

    It is UTF-8 where the entry says so or its bytes are; else GBK, cp850 or cp1252, whichever
    makes words of it. Never raises.
    """
    name = entry.filename
    if name.isascii() or entry.flag_bits & _IS_UTF8:
        return name
    try:
        raw = name.encode("cp437")
    except UnicodeEncodeError:  # made by a program, not read from a file
        return name
    for encoding in ("utf-8", *(["gbk"] if _is_chinese(raw) else [])):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    decoded = [raw.decode(page, "replace") for page in _WESTERN]
    return max(decoded, key=_likeness_to_words)


def _is_chinese(raw: bytes) -> bool:
    return not _HIGH.search(_CHINESE.sub(b"", raw))


def _likeness_to_words(name: str) -> int:
    """Return how many accented letters fit their neighbours, less all other characters.

    A capital fits at the beginning of a word and after another capital; small letters are more
    frequent and count twice.
    """
    score = 0
    for before, character in zip(f" {name}", name, strict=False):
        if character.isascii():
            continue
        letter = character.isalpha() and ord(character) < 0x250
        capital = letter and (not before.isalpha() or before.isupper())
        score += 2 if letter and character.islower() else 1 if capital else -1
    return score


def told_apart(name: str, taken: Collection[str]) -> str:
    """Return a name, with a number before its ending if it is among the names that are taken."""
    path, number, free = PurePosixPath(name), 2, name
    while free in taken:
        free = str(path.with_name(f"{path.stem} ({number}){path.suffix}"))
        number += 1
    return free
