"""All outlines of a slide in COCO's format (Lin et al. 2014, https://cocodataset.org/#format-data).

The category of a red cell is the network's decision; the category of any other object is its kind.
Red cells have three keys that COCO does not define: `cell`, the number in the field,
`p_parasitized` and `reason`. `score` is the probability of the category, as in COCO's results; a
cell for review and an object that is not a red cell have none. A clump has `p_parasitized` as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, Any, get_args

from hemozoin.about import VERSION
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.decision.conformal import REVIEW
from hemozoin.files import replacing
from hemozoin.smear.field import Cell, Clump, Field, ObjectKind, SmearObject

Json = dict[str, Any]

_RED, *_OTHERS = get_args(ObjectKind)

#: The number of each category, from 1: many programs use 0 for the background.
CATEGORIES = {
    name: number for number, name in enumerate((PARASITIZED, UNINFECTED, REVIEW, *_OTHERS), 1)
}


class CocoWriter:
    """Writes the images to one open file and the annotations to another, field by field."""

    def __init__(self, images: IO[bytes], annotations: IO[bytes]) -> None:
        self._images, self._annotations = _JsonList(images), _JsonList(annotations)

    def add(self, field: Field) -> None:
        """Write the image of one more field and its annotations; nothing if it was unreadable."""
        if field.error is not None:
            return
        self._images.add(_image(self._images.count + 1, field))
        for found in chain[SmearObject](field.cells, field.others):
            number = self._annotations.count + 1
            ids = {"id": number, "image_id": self._images.count}
            self._annotations.add({**ids, **_shape(found), **_decision(found)})

    def close(self) -> None:
        """End both lists."""
        self._images.close()
        self._annotations.close()


@contextmanager
def open_coco(slide: str, path: Path) -> Iterator[CocoWriter]:
    """Yield a writer of the file at `path`, which appears when the block ends without an error.

    The annotations come last in the file. Until then they are in a temporary file without a name.
    """
    with replacing(path) as file, TemporaryFile(dir=path.parent) as annotations:
        _write_head(slide, file)
        file.write(b',\n"images": ')
        writer = CocoWriter(file, annotations)
        yield writer
        writer.close()
        file.write(b',\n"annotations": ')
        annotations.seek(0)
        copyfileobj(annotations, file)
        file.write(b"}\n")


def _write_head(slide: str, file: IO[bytes]) -> None:
    info = {"description": f"slide {slide}, by hemozoin screen", "version": VERSION}
    file.write(f'{{"info": {json.dumps(info)},\n"categories": '.encode())
    categories = _JsonList(file)
    for name in CATEGORIES:
        categories.add(_category(name))
    categories.close()


class _JsonList:
    """Writes a JSON list, one item per line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.count = file, 0

    def add(self, item: Json) -> None:
        self._file.write(((",\n" if self.count else "[\n") + json.dumps(item)).encode())
        self.count += 1

    def close(self) -> None:
        self._file.write(b"\n]" if self.count else b"[]")


def _category(name: str) -> Json:
    above = "red cell" if name in (PARASITIZED, UNINFECTED, REVIEW) else "other"
    return {"id": CATEGORIES[name], "name": name, "supercategory": above}


def _image(number: int, field: Field) -> Json:
    size = {"width": field.width, "height": field.height}
    return {"id": number, "file_name": field.field, **size}


def _shape(found: SmearObject) -> Json:
    corners = found.outline
    area = _area(corners)
    if area == 0:  # the outline is a line or a point, so the box is used
        right, bottom = found.x + found.width, found.y + found.height
        corners = ((found.x, found.y), (right, found.y), (right, bottom), (found.x, bottom))
        area = found.width * found.height
    return {
        "bbox": [found.x, found.y, found.width, found.height],
        "segmentation": [[value for corner in corners for value in corner]],
        "area": area,
        "iscrowd": 0,
    }


def _area(corners: tuple[tuple[int, int], ...]) -> float:
    """Return the area inside a polygon, in px²: Gauss's formula."""
    following = zip(corners, corners[1:] + corners[:1], strict=True)
    return abs(sum(x * down - right * y for (x, y), (right, down) in following)) / 2


def _decision(found: SmearObject) -> Json:
    if isinstance(found, Clump):
        return {"category_id": CATEGORIES[found.kind], "p_parasitized": found.p_parasitized}
    if not isinstance(found, Cell):
        return {"category_id": CATEGORIES[found.kind]}
    p = found.p_parasitized
    scores = {PARASITIZED: {"score": p}, UNINFECTED: {"score": round(1 - p, 6)}}
    return {
        "category_id": CATEGORIES[found.decision],
        **scores.get(found.decision, {}),
        "cell": found.cell,
        "p_parasitized": p,
        "reason": found.reason,
    }
