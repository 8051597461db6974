"""The definitions of the package's names, read from its source.

The source is parsed and not imported: that needs no torch, and shows defaults as they are written.
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
    """The definition of a name: a class, a function, or the expression assigned to it.

    `module` is the module that it is in, "mobilenet.cost", and `text` the source of that module.
    """

    name: str
    node: ast.ClassDef | ast.FunctionDef | ast.expr
    module: str
    text: str

    def code(self, part: ast.expr) -> str:
        """Return the source of a part of the definition, on one line."""
        return " ".join((ast.get_source_segment(self.text, part) or "").split())


def public(name: str) -> Definition:
    """Return the definition of a public name; raises LookupError if there is none."""
    module, _, other = hemozoin._MODULES[name].partition(":")
    found = look_up(module, other or name)
    if found is None:
        raise LookupError(f"hemozoin.{name} is not defined in hemozoin.{module}")
    return Definition(name, found.node, found.module, found.text)


def look_up(module: str, name: str) -> Definition | None:
    """Return the definition of a name in a module, following imports; None outside the package."""
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
    """Yield the names used in annotations and defaults."""
    for part in parts:
        for node in ast.walk(part) if part else ():
            if isinstance(node, ast.Name):
                yield node.id


def methods(node: ast.ClassDef) -> list[Function]:
    """Return the public methods, without overloads."""
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
    """Yield the statements at module level, including imports for typing."""
    for node in tree.body:
        yield from node.body if isinstance(node, ast.If) else [node]


@cache
def _read(module: str) -> tuple[str, ast.Module]:
    path = _PACKAGE.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = file.read_text(encoding="utf-8")
    return text, ast.parse(text)
