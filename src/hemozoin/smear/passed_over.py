"""What a folder of pictures has besides fields, counted and told in one line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from PIL import Image

from hemozoin.data.decoding.formats import FORMATS
from hemozoin.data.decoding.limits import LimitedFile
from hemozoin.progress import print_status, printable

#: Longest side of an icon in px, and the largest file that is looked at: no field is so small.
_ICON_SIDE, ICON_BYTES = 64, 16_384

#: Number of files of a kind whose names are printed.
_NAMED = 5


@dataclass
class PassedOver:
    """The names of what was passed over: no failed fields, but no fields either.

    `others` are no pictures, by ending and content; `hidden` are hidden files and folders, and
    those that file managers and servers add; `icons` are tiny pictures; `written` are results of
    hemozoin itself.
    """

    others: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    icons: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def report(self) -> None:
        """Print one line with the number of each kind and the first names; nothing for none."""
        kinds = (
            (self.others, "file that is no picture", "files that are no pictures"),
            (self.hidden, "hidden file or folder", "hidden files or folders"),
            (self.icons, "icon", "icons"),
            (self.written, "file that hemozoin wrote", "files that hemozoin wrote"),
        )
        parts = [_counted(sorted(names), one, many) for names, one, many in kinds if names]
        if parts:
            print_status(f"passed over: {'; '.join(parts)}")


def _counted(names: list[str], one: str, many: str) -> str:
    named: Iterable[str] = map(printable, names[:_NAMED])
    more = ", ..." if len(names) > _NAMED else ""
    return f"{len(names):,} {one if len(names) == 1 else many}: {', '.join(named)}{more}"


def is_icon(data: bytes) -> bool:
    """Return whether this is a picture too small for a field or a cell cut out with its halo."""
    try:
        width, height = Image.open(LimitedFile(data), formats=FORMATS).size
    except Exception:  # damaged: a field that failed
        return False
    return max(width, height) <= _ICON_SIDE
