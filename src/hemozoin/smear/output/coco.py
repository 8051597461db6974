"""All outlines of a slide in COCO's format (Lin et al. 2014, https://cocodataset.org/#format-data).

Categories are what the network decided of a red cell, and the kinds of all other bodies. Beyond
the format, a red cell has its `cell` number in the field, `p_parasitized` and `reason`; `score`
is how sure its category is, as COCO's results have it, and missing where nobody said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, get_args

from hemozoin.about import VERSION
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.decision.conformal import REVIEW
from hemozoin.files import replacing
from hemozoin.smear.field import Cell, Field, ObjectKind, SmearObject

Json = dict[str, Any]

_RED, *_OTHERS = get_args(ObjectKind)

#: By name, numbered from 1: 0 is background to many programs.
CATEGORIES = {
    name: number for number, name in enumerate((PARASITIZED, UNINFECTED, REVIEW, *_OTHERS), 1)
}


def write_coco(slide: str, fields: Callable[[], Iterable[Field]], path: Path) -> None:
    """Write the file, which appears when it is whole.

    `fields` gives the slide's fields, in the same order each time it is called: images come
    first in the file, annotations last, and only one field is held. One that couldn't be read
    has no image.
    """
    with replacing(path) as file:
        info = {"description": f"slide {slide}, by hemozoin screen", "version": VERSION}
        file.write(f'{{"info": {json.dumps(info)},\n"categories": '.encode())
        _write_list(map(_category, CATEGORIES), file)
        file.write(b',\n"images": ')
        _write_list((_image(*numbered) for numbered in _readable(fields())), file)
        file.write(b',\n"annotations": ')
        _write_list(_annotations(fields()), file)
        file.write(b"}\n")


def _write_list(items: Iterable[Json], file: BinaryIO) -> None:
    """Write a JSON list, an item a line."""
    between = "[\n"
    for item in items:
        file.write((between + json.dumps(item)).encode())
        between = ",\n"
    file.write(b"[]" if between == "[\n" else b"\n]")


def _category(name: str) -> Json:
    above = "red cell" if name in (PARASITIZED, UNINFECTED, REVIEW) else "other"
    return {"id": CATEGORIES[name], "name": name, "supercategory": above}


def _readable(fields: Iterable[Field]) -> Iterator[tuple[int, Field]]:
    return enumerate((field for field in fields if field.error is None), 1)


def _image(number: int, field: Field) -> Json:
    size = {"width": field.width, "height": field.height}
    return {"id": number, "file_name": field.field, **size}


def _annotations(fields: Iterable[Field]) -> Iterator[Json]:
    bodies = (
        (image, body)
        for image, field in _readable(fields)
        for body in chain[SmearObject](field.cells, field.others)
    )
    for number, (image, body) in enumerate(bodies, 1):
        yield {"id": number, "image_id": image, **_shape(body), **_said(body)}


def _shape(body: SmearObject) -> Json:
    corners = body.outline
    area = _area(corners)
    if area == 0:  # a line, or less: the box is all there is
        right, bottom = body.x + body.width, body.y + body.height
        corners = ((body.x, body.y), (right, body.y), (right, bottom), (body.x, bottom))
        area = body.width * body.height
    return {
        "bbox": [body.x, body.y, body.width, body.height],
        "segmentation": [[value for corner in corners for value in corner]],
        "area": area,
        "iscrowd": 0,
    }


def _area(corners: tuple[tuple[int, int], ...]) -> float:
    """Return the area inside a polygon, in px²: Gauss's formula."""
    following = zip(corners, corners[1:] + corners[:1], strict=True)
    return abs(sum(x * down - right * y for (x, y), (right, down) in following)) / 2


def _said(body: SmearObject) -> Json:
    if not isinstance(body, Cell):
        return {"category_id": CATEGORIES[body.kind]}
    p = body.p_parasitized
    sure = {PARASITIZED: {"score": p}, UNINFECTED: {"score": round(1 - p, 6)}}
    return {
        "category_id": CATEGORIES[body.decision],
        **sure.get(body.decision, {}),
        "cell": body.cell,
        "p_parasitized": p,
        "reason": body.reason,
    }
