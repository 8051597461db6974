"""The folders of a data set: those of the two classes, and what the user should know of others."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.decoding.file_names import as_nfc
from hemozoin.errors import DataError
from hemozoin.progress import print_status

#: Endings of the files that count as pictures when they are not in a class folder.
_PICTURES = {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}

#: Most folders that a message names.
_NAMED = 8

#: Folders of a split that somebody else made.
_PARTS = {"train", "training", "val", "valid", "validation", "test", "testing"}

#: Stages and species of the parasite.
_STAGES = re.compile(
    "(?<![a-z])rings?(?![a-z])|troph|schizont|gamet|merozo"
    "|falciparum|vivax|malariae|ovale|knowlesi",
    re.IGNORECASE,
)

_HEALTHY = re.compile(
    r"uninfect|non.?infect|healthy|normal|negative|rbc|red.?blood|red.?cell", re.IGNORECASE
)


@dataclass(frozen=True)
class ClassNames:
    """The names of the class folders; upper and lower case are the same.

    Several folders of one class are separated by commas.
    """

    parasitized: str = "Parasitized"
    uninfected: str = "Uninfected"

    def labels(self, folders: Set[str]) -> dict[str, str]:
        """Return the label for the name of each class folder; `folders` are those of the data.

        All names are in lower case. If `folders` has a name with commas, it is that of one folder.
        Raises DataError for a name that is given for both classes.
        """
        infected, healthy = (
            {name} if (name := as_nfc(names).lower()) in folders else _split(name)
            for names in (self.parasitized, self.uninfected)
        )
        if both := infected & healthy:
            raise DataError(
                f"the folder {min(both)} is given for both classes;"
                " correct --parasitized and --uninfected"
            )
        return dict.fromkeys(infected, PARASITIZED) | dict.fromkeys(healthy, UNINFECTED)


def _split(names: str) -> set[str]:
    return {name.strip() for name in names.split(",")} - {""}


def folder_names(files: Iterable[str]) -> set[str]:
    """Return the name of every folder in these paths, in lower case."""
    paths = {as_nfc(file.rpartition("/")[0]).lower() for file in files}
    return {folder for path in paths for folder in path.split("/")}


def locate(file: str, labels: dict[str, str]) -> tuple[str, str, str] | None:
    """Return the label of a file, the path above its class folder, and the path from there on.

    These are `/a` and `uninfected/b.png` for `a/Uninfected/b.png`, with the class folder in lower
    case; the innermost class folder counts. Return None for a file that is in neither.
    """
    above, _, below = f"/{as_nfc(file)}".rpartition("/")
    while above:
        above, _, folder = above.rpartition("/")
        if label := labels.get(folder.lower()):
            return label, above, f"{folder.lower()}/{below}"
        below = f"{folder}/{below}"
    return None


# ---- messages ----------------------------------------------------------------------------------


def report_skipped(files: Iterable[str], above: Set[str]) -> None:
    """Print how many pictures are in no class folder, and in which folders they are.

    `above` has the paths above the class folders.
    """
    pictures = (file for file in files if PurePosixPath(file).suffix.lower() in _PICTURES)
    folders = Counter(_folder_next_to(above, file) for file in pictures)
    if not folders:
        return
    named = [f"{name} {count:,}" for name, count in sorted(folders.most_common(_NAMED))]
    if len(folders) > _NAMED:
        named.append(f"and {len(folders) - _NAMED:,} more")
    print_status(f"skipped: {folders.total():,} pictures in other folders: {', '.join(named)}")


def _folder_next_to(above: Set[str], file: str) -> str:
    """Return the folder of a file that is next to class folders, or else its path."""
    path = whole = f"/{file}".rpartition("/")[0]
    while path:
        path, _, folder = path.rpartition("/")
        if path in above:
            return folder
    return whole[1:] or "."


def report_merged(cells: Iterable[tuple[str, str]]) -> None:
    """Print that train/ and test/ were merged, where they are above the class folders.

    `cells` are pairs of a file and the path above its class folder.
    """
    parts: Counter[str] = Counter()
    parts_of = defaultdict[str, set[str]](set)
    for file, above in cells:
        if part := next((name for name in above.split("/") if name.lower() in _PARTS), None):
            parts[part] += 1
            parts_of[file.rpartition("/")[2]].add(part)
    if len(parts) < 2:
        return
    counts = ", ".join(f"{part}/ {count:,} cells" for part, count in parts.most_common())
    repeated = sum(len(names) > 1 for names in parts_of.values())
    print_status(
        f"{counts} were merged"
        + (f" ({repeated:,} file names are in more than one of them)" if repeated else "")
        + "; hemozoin makes its own split by patient; give --split split.csv to set it"
    )


def missing_class(
    path: Path, files: Iterable[str], classes: ClassNames, labels: dict[str, str], both: str
) -> DataError:
    """Return the error for data without the classes; it says which folders there are.

    `both` joins the names of the classes: "and", or "or" where one class is enough.
    """
    folders = Counter(file.rpartition("/")[0] or "." for file in files)
    found = ", ".join(name for name, _ in folders.most_common(5)) or "no files"
    needs = (
        f"{path}: needs the folders {classes.parasitized} {both} {classes.uninfected}, has {found}"
    )
    names = sorted({folder.rpartition("/")[2] for folder in folders})
    if not any(_STAGES.search(name) for name in names if name.lower() not in labels):
        return DataError(f"{needs}; name the folders with --parasitized and --uninfected")
    return DataError(
        f"{needs}; there are two classes, so merge stages and species: {_advice(names, labels)}"
    )


def _advice(names: list[str], labels: dict[str, str]) -> str:
    """Return options that assign these folders, as far as their names tell the class."""
    healthy = [
        name
        for name in names
        if labels.get(name.lower(), UNINFECTED if _HEALTHY.search(name) else "") == UNINFECTED
    ]
    infected = [
        name
        for name in names
        if name not in healthy and (_STAGES.search(name) or name.lower() in labels)
    ]
    options = {"parasitized": infected, "uninfected": healthy or ["healthy"]}
    return " ".join(f"--{name} {shlex.quote(','.join(given))}" for name, given in options.items())
