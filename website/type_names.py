"""What the short names in signatures stand for: `Precision` is `Literal["fp32", "int8"]`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hemozoin

_PACKAGE = Path(hemozoin.__file__).parent


def stands_for(module: str, name: str) -> str | None:
    """Return what a name is in a module of ours ("model.predict"), as it was written there.

    Followed to where it comes from. None for a class or a function, and for others' names.
    """
    text, tree = _read(module)
    for node in ast.walk(tree):  # a name may be imported for type checkers only
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                return " ".join((ast.get_source_segment(text, value) or "").split())
            case ast.ImportFrom(module=str(source), names=names) if source.startswith("hemozoin."):
                for alias in names:
                    if (alias.asname or alias.name) == name:
                        return stands_for(source.removeprefix("hemozoin."), alias.name)
    return None


def names_in(*parts: ast.AST | None) -> Iterator[str]:
    """Yield the names that stand in annotations and defaults."""
    for part in parts:
        for node in ast.walk(part) if part else ():
            if isinstance(node, ast.Name):
                yield node.id


@cache
def _read(module: str) -> tuple[str, ast.Module]:
    path = _PACKAGE.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = file.read_text(encoding="utf-8")
    return text, ast.parse(text)
