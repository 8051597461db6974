"""Which pictures are the fields of which slide: said by the paths, in an order that stays.

    smear/                  a slide "smear" of 1.png and 2.png,
      1.png  2.png          and one "day 2/left", named by its path below what was given
      day 2/left/1.png

Names are held, pictures are not: a hundred thousand of them take some tens of MB.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hemozoin.data.source import Entry, FolderSource, Source, open_source, utf8
from hemozoin.errors import DataError
from hemozoin.smear.scan import open_scan

#: Lies in every folder that `hemozoin screen` wrote: its overlays are not screened in turn.
MARK = "hemozoin-screen.json"


@dataclass(frozen=True)
class Photo:
    """A file of a slide, which may be a picture of a field; its bytes are read when asked for."""

    source: Source
    entry: Entry

    @property
    def field(self) -> str:
        """The file's name without folders, in valid UTF-8."""
        return utf8(PurePosixPath(self.entry.name).name)

    def read(self) -> bytes:
        """Return the file's content; raises DataError where it can't be read."""
        return self.source.read(self.entry.name)


@dataclass(frozen=True)
class SlidePhotos:
    """All that was photographed of one slide, sorted by name."""

    slide: str
    photos: tuple[Photo, ...]


def find_slides(paths: Iterable[Path]) -> list[SlidePhotos]:
    """Return the slides in pictures, folders and zips, in the order given, then by name.

    Pictures given as such are one slide, named after the folder of the first. Every folder with
    files in it is a slide; of several folders given, each puts its name before those below it.
    A path given twice, or lying in another one given, counts once. What is no picture is left
    in: it becomes a row with its error, and nothing goes missing silently.
    Raises DataError for a path that is missing or without a file, and for two slides, or two
    pictures of a slide, of the same name.
    """
    given = _outermost(paths)
    loose = [path for path in given if _is_one_file(path)]
    folders = [path for path in given if path not in loose]
    slides = _of_files(loose) if loose else []
    for path in folders:
        slides += _of_folder(path, f"{_name(path)}/" if len(folders) > 1 else "")
    _require_distinct((slide.slide for slide in slides), "slides")
    return slides


def _outermost(paths: Iterable[Path]) -> list[Path]:
    given = {path.resolve(): path for path in paths}
    return [path for real, path in given.items() if not given.keys() & set(real.parents)]


def _is_one_file(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() != ".zip"


def _of_files(paths: list[Path]) -> list[SlidePhotos]:
    found = ((FolderSource(path.parent), _entry(path)) for path in paths)
    photos = [photo for source, entry in found for photo in _photos(source, entry)]
    _require_distinct((photo.field for photo in photos), "pictures of a slide")
    photos.sort(key=lambda photo: photo.field)
    return [SlidePhotos(_name(paths[0].resolve().parent), tuple(photos))]


def _entry(path: Path) -> Entry:
    found = path.stat()
    return Entry(path.name, found.st_size, max(found.st_mtime_ns, found.st_ctime_ns))


def _of_folder(path: Path, above: str) -> list[SlidePhotos]:
    source = open_source(path)
    below: dict[str, list[Photo]] = {}
    for folder, entry in _foreign(source.walk()):
        below.setdefault(folder, []).extend(_photos(source, entry))
    if not below:
        raise DataError(f"{path}: has no pictures; give pictures of a smear, or a folder of them")
    return [
        SlidePhotos(_name(path) if folder == "." else above + folder, _in_order(below[folder]))
        for folder in sorted(below, key=lambda folder: (folder != ".", folder))
    ]


def _photos(source: Source, entry: Entry) -> Iterator[Photo]:
    """Yield a file as it is, or the tiles of a scan; what lies in a zip is never that large."""
    path = source.path / entry.name
    scan = open_scan(path, entry) if isinstance(source, FolderSource) else None
    if scan is None:
        yield Photo(source, entry)
    else:
        yield from (Photo(scan, tile) for tile in scan.walk())


def _foreign(entries: Iterable[Entry]) -> Iterator[tuple[str, Entry]]:
    """Yield each file with its folder, but those below a folder that has our mark."""
    found = [(PurePosixPath(entry.name), entry) for entry in entries]
    ours = {name.parent for name, _ in found if name.name == MARK}
    for name, entry in found:
        if not ours & set(name.parents):
            yield str(name.parent), entry


def _in_order(photos: list[Photo]) -> tuple[Photo, ...]:
    return tuple(sorted(photos, key=lambda photo: photo.entry.name))


def _name(path: Path) -> str:
    real = path.resolve()
    return utf8(real.stem if real.is_file() else real.name) or "slide"


def _require_distinct(names: Iterable[str], what: str) -> None:
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise DataError(f"{name}: {count} {what} have this name; rename one, or screen it apart")
