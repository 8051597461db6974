"""Find the pictures of each slide from their paths, always in the same order.

    smear/                  a slide "smear" with the fields 1.png and 2.png,
      1.png  2.png          and a slide "day 2/left", named by its path below the given folder
      slide.toml            the record of the slide "smear": what is known besides the pictures
      day 2/left/1.png

Only the names are kept in memory, not the pictures: some tens of MB for a hundred thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hemozoin.data.decoding.file_names import as_nfc
from hemozoin.data.decoding.formats import HEAD_BYTES, head_of, is_picture, no_picture
from hemozoin.data.source import Entry, FolderSource, Source, as_utf8, open_source
from hemozoin.errors import DataError
from hemozoin.smear.passed_over import ICON_BYTES, PassedOver, is_icon
from hemozoin.smear.picture import PictureData
from hemozoin.smear.scan import Scan, open_scan

#: The file that marks a folder written by `hemozoin screen`; the overlays in it are no fields.
MARK = "hemozoin-screen.json"

#: The name of a slide's record, a file beside its pictures, in upper or lower case.
RECORD = "slide.toml"

#: Endings of pictures, also of formats that are not read: a photo in such a format is a field that
#: failed, and must not be missing silently.
_ENDINGS = {
    *(".avif", ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png"),
    *(".pnm", ".ppm", ".tif", ".tiff", ".webp"),
    *(".cr2", ".czi", ".dng", ".heic", ".heif", ".jp2", ".jxl", ".lif", ".nd2", ".ndpi", ".nef"),
    *(".svs", ".vsi"),
}


@dataclass(frozen=True)
class Photo:
    """A file of a slide, or a tile of a scan; its content is read only by `read`."""

    source: Source | Scan
    entry: Entry

    @property
    def field(self) -> str:
        """Return the file's name without folders, in valid UTF-8 and composed (NFC)."""
        return as_nfc(as_utf8(PurePosixPath(self.entry.name).name))

    @property
    def place(self) -> list[str]:
        """Return where the picture is: a folder, zip or scan, and the name in it."""
        return [as_utf8(str(self.source.path.resolve())), self.entry.name]

    def read(self) -> PictureData:
        """Return the content of the file, or the tile; raises DataError where it can't be read."""
        return self.source.read(self.entry.name)


def read_picture(place: Sequence[str]) -> PictureData:
    """Return the content of a picture by its `Photo.place`; raises DataError where it is gone."""
    path, name = Path(place[0]), place[1]
    scan = open_scan(path, _entry(path)) if _is_single_file(path) else None
    return scan.read(name) if scan else open_source(path).read(name)


@dataclass(frozen=True)
class RecordFile:
    """The file `RECORD` of a slide; its content is read only by `read`."""

    source: Source
    entry: Entry

    @property
    def path(self) -> str:
        """Return where the file is, for messages."""
        return as_utf8(str(self.source.path / self.entry.name))

    def read(self) -> bytes:
        """Return the content of the file; raises DataError where it can't be read."""
        return self.source.read(self.entry.name)


@dataclass(frozen=True)
class SlidePhotos:
    """All pictures of one slide, sorted by name, and its record if there is one."""

    slide: str
    photos: tuple[Photo, ...]
    record: RecordFile | None = None


def find_slides(paths: Iterable[Path]) -> tuple[list[SlidePhotos], PassedOver]:
    """Return the slides in pictures, folders and zips, and what was passed over.

    Slides are in the order given, then by name.
    Pictures given one by one are one slide, named after the folder of the first. Every folder
    with files in it is a slide. Where several folders are given, the name of each is put before
    the names of the slides below it. A path that is given twice, or is inside another given path,
    is used once. A damaged picture is kept: it becomes a row with its error. What is no field is
    passed over: see `PassedOver`. A file `RECORD` beside the pictures is no field either.

    Raises DataError for a path that is missing or has no pictures, and where two slides, or two
    pictures of a slide, have the same name, or a slide has two records.
    """
    given = _outermost(paths)
    files = [path for path in given if _is_single_file(path)]
    folders = [path for path in given if path not in files]
    passed_over = PassedOver()
    slides = _slides_of_files(files, passed_over) if files else []
    for path in folders:
        prefix = f"{_name(path)}/" if len(folders) > 1 else ""
        slides += _slides_of_folder(path, prefix, passed_over)
    if not slides:
        raise _no_pictures(given[0] if given else Path())
    _require_distinct((slide.slide for slide in slides), "slides")
    return slides, passed_over


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """Return the paths without duplicates and without those inside another one."""
    given = {path.resolve(): path for path in paths}
    return [path for real, path in given.items() if not given.keys() & set(real.parents)]


def _is_single_file(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() != ".zip"


def _slides_of_files(paths: list[Path], passed_over: PassedOver) -> list[SlidePhotos]:
    """Return the slide of pictures given one by one; none if no file is a picture."""
    photos: list[Photo] = []
    pictures = [path for path in paths if not _is_record(path.name)]
    for path in pictures:
        photos += _photos(FolderSource(path.parent), _entry(path), passed_over)
    if not photos:
        return []
    _require_distinct((photo.field for photo in photos), "pictures of a slide")
    photos.sort(key=lambda photo: photo.field)
    record = _only_record(_records_of_files(paths))
    return [SlidePhotos(_name(pictures[0].resolve().parent), tuple(photos), record)]


def _records_of_files(paths: list[Path]) -> list[RecordFile]:
    """Return the records that were given, and those in the folders of the pictures."""
    beside = {path.resolve().parent / RECORD for path in paths}
    given = (path.resolve() for path in paths if _is_record(path.name))
    files = {*given, *filter(Path.is_file, beside)}
    return [RecordFile(FolderSource(file.parent), _entry(file)) for file in files]


def _is_record(name: str) -> bool:
    return PurePosixPath(name).name.lower() == RECORD


def _only_record(records: list[RecordFile]) -> RecordFile | None:
    if len(records) > 1:
        found = " and ".join(sorted(record.path for record in records)[:2])
        raise DataError(f"{found}: two records for one slide; keep one, or screen each folder")
    return records[0] if records else None


def _entry(path: Path) -> Entry:
    found = path.stat()
    return Entry(path.name, found.st_size, max(found.st_mtime_ns, found.st_ctime_ns))


def _slides_of_folder(path: Path, prefix: str, passed_over: PassedOver) -> list[SlidePhotos]:
    """Return the slides in a folder or zip; names below it start with `prefix`."""
    source = open_source(path)
    photos: dict[str, list[Photo]] = {}
    records: dict[str, list[RecordFile]] = {}
    for folder, entry in _not_written_by_us(source.walk(), passed_over):
        if _is_record(entry.name):
            records.setdefault(folder, []).append(RecordFile(source, entry))
        elif _is_icon(source, entry):
            passed_over.icons.append(entry.name)
        elif found := list(_photos(source, entry, passed_over)):
            photos.setdefault(folder, []).extend(found)
    passed_over.hidden += source.hidden
    for folder in records.keys() - photos.keys():  # of no slide: said, not silently ignored
        passed_over.others += (record.entry.name for record in records[folder])
    if not photos and passed_over.icons:
        raise DataError(f"{path}: has only tiny pictures; hemozoin predict takes single cells")
    if not photos:
        raise _no_pictures(path)
    return [
        SlidePhotos(
            _name(path) if folder == "." else prefix + folder,
            _sorted(photos[folder]),
            _only_record(records.get(folder, [])),
        )
        for folder in sorted(photos, key=lambda folder: (folder != ".", folder))
    ]


def _photos(source: Source, entry: Entry, passed_over: PassedOver) -> Iterator[Photo]:
    """Yield a picture, or the tiles of a scan; files in a zip are never read as scans.

    The name of a file that is no picture is added to `passed_over`.
    """
    if not _is_picture(source, entry.name):
        passed_over.others.append(entry.name)
        return
    path = source.path / entry.name
    scan = open_scan(path, entry) if isinstance(source, FolderSource) else None
    if scan is None:
        yield Photo(source, entry)
    else:
        yield from (Photo(scan, tile) for tile in scan.walk())


def _is_picture(source: Source, name: str) -> bool:
    """Return whether a file is one by its ending or its first bytes, or can't be read."""
    if PurePosixPath(name).suffix.lower() in _ENDINGS:
        return True
    try:
        if isinstance(source, FolderSource):
            head = head_of(source.path / name)
        else:
            head = source.read(name)[:HEAD_BYTES]
    except (OSError, DataError):
        return True  # its row has the error
    return is_picture(head)


def _is_icon(source: Source, entry: Entry) -> bool:
    try:
        return 0 < entry.size <= ICON_BYTES and is_icon(source.read(entry.name))
    except Exception:
        return False  # its row has the error


def _no_pictures(path: Path) -> DataError:
    if reason := no_picture(head_of(path)):
        return DataError(f"{path}: {reason}")
    return DataError(f"{path}: has no pictures; give pictures of a smear, or a folder of them")


def _not_written_by_us(
    entries: Iterable[Entry], passed_over: PassedOver
) -> Iterator[tuple[str, Entry]]:
    """Yield each file with its folder, except for those below a folder with our MARK."""
    found = [(PurePosixPath(entry.name), entry) for entry in entries]
    ours = {name.parent for name, _ in found if name.name == MARK}
    for name, entry in found:
        if not ours & set(name.parents):
            yield as_nfc(str(name.parent)), entry
        else:
            passed_over.written.append(entry.name)


def _sorted(photos: list[Photo]) -> tuple[Photo, ...]:
    return tuple(sorted(photos, key=lambda photo: photo.entry.name))


def _name(path: Path) -> str:
    real = path.resolve()
    return as_nfc(as_utf8(real.stem if real.is_file() else real.name)) or "slide"


def _require_distinct(names: Iterable[str], kind: str) -> None:
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise DataError(
            f"{name}: {count} {kind} have this name; rename one, or screen it separately"
        )
