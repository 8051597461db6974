"""Where names of the package are defined, read from the source.

Nothing is imported for it: that needs no torch, and a default stands there as it was written.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import hemozoin

_PACKAGE = Path(hemozoin.__file__).parent

Function = ast.FunctionDef


@dataclass(frozen=True)
class Definition:
    """What a name stands for: a class, a function, or the expression that it was given.

    `module` is where that stands, "paper.cost", and `text` all of that file.
    """

    name: str
    node: ast.ClassDef | ast.FunctionDef | ast.expr
    module: str
    text: str

    def code(self, part: ast.expr) -> str:
        """Return a part of the definition as it was written, on one line."""
        return " ".join((ast.get_source_segment(self.text, part) or "").split())


def public(name: str) -> Definition:
    """Return the definition of a public name; raises LookupError where there is none."""
    home, _, other = hemozoin._HOMES[name].partition(":")
    found = look_up(home, other or name)
    if found is None:
        raise LookupError(f"hemozoin.{name} is not defined in hemozoin.{home}")
    return Definition(name, found.node, found.module, found.text)


def look_up(module: str, name: str) -> Definition | None:
    """Return what a name means in a module, followed to where it comes from; None for others'."""
    text, tree = _read(module)
    for node in _outermost(tree):
        match node:
            case ast.ClassDef(name=found) | ast.FunctionDef(name=found) if found == name:
                return Definition(name, node, module, text)
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                return Definition(name, value, module, text)
            case ast.ImportFrom(module=str(source), names=names) if source.startswith("hemozoin."):
                for alias in names:
                    if (alias.asname or alias.name) == name:
                        return look_up(source.removeprefix("hemozoin."), alias.name)
    return None


def names_in(*parts: ast.AST | None) -> Iterator[str]:
    """Yield the names that stand in annotations and defaults."""
    for part in parts:
        for node in ast.walk(part) if part else ():
            if isinstance(node, ast.Name):
                yield node.id


def methods(node: ast.ClassDef) -> list[Function]:
    """Return the methods that are for others, without the lines that only type them."""
    return [
        part
        for part in node.body
        if isinstance(part, Function)
        and not part.name.startswith("_")
        and "overload" not in decorators(part)
    ]


def decorators(node: Function) -> set[str]:
    """Return the names of a function's decorators."""
    return {ast.unparse(decorator) for decorator in node.decorator_list}


def _outermost(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield what stands outside of any class or function, also what is imported for typing."""
    for node in tree.body:
        yield from node.body if isinstance(node, ast.If) else [node]


@cache
def _read(module: str) -> tuple[str, ast.Module]:
    path = _PACKAGE.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = file.read_text(encoding="utf-8")
    return text, ast.parse(text)
