"""The COCO file, compared with the description of the format (cocodataset.org/#format-data)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hemozoin.errors import HemozoinError
from hemozoin.smear.field import Cell, Field, SmearObject
from hemozoin.smear.output.coco import CATEGORIES, open_coco

SQUARE = ((10, 20), (30, 20), (30, 50), (10, 50))
TRIANGLE = ((0, 0), (4, 0), (0, 3))
HOOK = ((0, 0), (4, 0), (4, 1), (1, 1), (1, 4), (0, 4))  # not convex

FIELDS = (
    Field(
        "a.png",
        640,
        480,
        20.0,
        (
            Cell("red cell", 10, 20, 20, 30, SQUARE, 1, 0.9, "parasitized", None),
            Cell("red cell", 0, 0, 4, 3, TRIANGLE, 2, 0.1, "uninfected", None),
            Cell("red cell", 0, 0, 4, 4, HOOK, 3, 0.5, "review", "too close to call"),
        ),
        (SmearObject("platelet", 5, 6, 2, 3, ((5, 6), (7, 6))),),
    ),
    Field("notes.txt", error="notes.txt: no picture"),
    Field("empty.png", 100, 50),
    Field("b.png", 1280, 960, 20.0, (), (SmearObject("white cell", 10, 20, 20, 30, SQUARE),)),
)


def written(path: Path, fields: tuple[Field, ...] = FIELDS) -> dict[str, Any]:
    with open_coco("left", path / "cells.coco.json") as coco:
        for field in fields:
            coco.add(field)
    assert [file.name for file in path.iterdir()] == ["cells.coco.json"]
    read: dict[str, Any] = json.loads((path / "cells.coco.json").read_text())
    return read


def test_the_format(tmp_path: Path) -> None:
    coco = written(tmp_path)
    assert set(coco) == {"info", "categories", "images", "annotations"}
    for image in coco["images"]:
        assert isinstance(image["id"], int)
        assert image["width"] > 0 < image["height"]
    for found in coco["annotations"]:
        x, y, width, height = found["bbox"]
        assert found["iscrowd"] == 0
        assert 0 < found["area"] <= width * height
        (corners,) = found["segmentation"]
        assert len(corners) >= 6
        assert len(corners) % 2 == 0
        assert (min(corners[::2]), min(corners[1::2])) == (x, y)
        assert (max(corners[::2]), max(corners[1::2])) == (x + width, y + height)
    for part in ("categories", "images", "annotations"):
        numbers = [thing["id"] for thing in coco[part]]
        assert numbers == list(range(1, len(numbers) + 1))
    categories = {category["id"] for category in coco["categories"]}
    images = {image["id"] for image in coco["images"]}
    assert all(found["category_id"] in categories for found in coco["annotations"])
    assert all(found["image_id"] in images for found in coco["annotations"])


def test_its_values(tmp_path: Path) -> None:
    coco = written(tmp_path)
    assert [image["file_name"] for image in coco["images"]] == ["a.png", "empty.png", "b.png"]
    names = {category["id"]: category["name"] for category in coco["categories"]}
    assert [(found["image_id"], names[found["category_id"]]) for found in coco["annotations"]] == [
        (1, "parasitized"),
        (1, "uninfected"),
        (1, "review"),
        (1, "platelet"),
        (3, "white cell"),
    ]
    assert [found["area"] for found in coco["annotations"]] == [600, 6, 7, 6, 600]
    assert [found.get("score") for found in coco["annotations"]] == [0.9, 0.9, None, None, None]
    assert [found.get("p_parasitized") for found in coco["annotations"]] == [
        *(0.9, 0.1, 0.5),
        *(None, None),
    ]
    assert coco["annotations"][2]["reason"] == "too close to call"


def test_the_names_of_categories(tmp_path: Path) -> None:
    assert list(CATEGORIES) == [
        *("parasitized", "uninfected", "review"),
        *("white cell", "platelet", "debris", "cut by the edge", "clump"),
    ]
    reds = [
        category["name"]
        for category in written(tmp_path)["categories"]
        if category["supercategory"] == "red cell"
    ]
    assert reds == ["parasitized", "uninfected", "review"]


def test_no_field_at_all(tmp_path: Path) -> None:
    coco = written(tmp_path, (Field("x", error="bad"),))
    assert coco["images"] == coco["annotations"] == []


def test_after_an_error_there_is_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(HemozoinError),
        open_coco("left", tmp_path / "cells.coco.json") as coco,
    ):
        coco.add(FIELDS[0])
        raise HemozoinError("gone")
    assert not list(tmp_path.iterdir())


def test_until_the_end_there_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "cells.coco.json"
    path.write_text("before")
    with open_coco("left", path) as coco:
        for field in FIELDS:
            coco.add(field)
            assert path.read_text() == "before"
    assert json.loads(path.read_text())["images"]


def test_its_bytes(tmp_path: Path) -> None:
    """One item per line; the images come before the annotations."""
    written(tmp_path)
    lines = (tmp_path / "cells.coco.json").read_text().splitlines()
    assert lines[0].startswith('{"info": {"description": "slide left, by hemozoin screen"')
    starts = [k for k, line in enumerate(lines) if line.endswith("[")]
    assert [lines[k] for k in starts] == ['"categories": [', '"images": [', '"annotations": [']
    assert starts == [1, 11, 16]
    assert lines[12] == '{"id": 1, "file_name": "a.png", "width": 640, "height": 480},'
    assert lines[-1] == "]}"
    assert len(lines) == 23
