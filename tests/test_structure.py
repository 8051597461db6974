"""The house keeps its shape: data flows one way, torch and onnx stay in their rooms."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hemozoin

ROOT = Path(hemozoin.__file__).parent

#: From left to right; a room imports from itself and from rooms to its left.
ROOMS = (
    *("paper", "cells", "synthetic", "inspecting", "explaining"),
    *("judging", "model", "smear", "training", "sweeping", "exporting"),
)

#: Modules beside the rooms that any room may use.
SHARED = {"about", "errors", "files", "pages", "progress"}

#: Where what an extra brings may be imported when a module is loaded: files and folders.
AT_HOME = {
    "torch": ("paper/network.py", "training/", "sweeping/", "exporting/"),
    "onnx": ("model/graph.py", "exporting/"),
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_from_the_rooms_to_its_left(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    if room not in ROOMS:
        return
    allowed = {*ROOMS[: ROOMS.index(room) + 1], *SHARED}
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "hemozoin" and len(parts) > 1:
            assert parts[1] in allowed, f"{room} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_an_extra_brings_stays_in_its_rooms(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    loaded = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in loaded for alias in node.names}
    names |= {node.module or "" for node in loaded if isinstance(node, ast.ImportFrom)}
    for extra, homes in AT_HOME.items():
        at_home = place.startswith(homes)
        assert at_home or extra not in {name.split(".")[0] for name in names}, extra


def test_every_room_is_one_of_the_plan() -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert rooms == set(ROOMS)
