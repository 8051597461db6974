"""Signatures and docstrings as Markdown."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import hemozoin
from definitions import Definition, Function, decorators

#: A signature that is longer gets a line for each argument.
_WIDTH = 80


def described(call: str, node: Function | ast.ClassDef) -> Iterator[str]:
    """Yield the signature and the docstring; raises LookupError where there is none."""
    docstring = ast.get_docstring(node)
    if not docstring:
        raise LookupError(f"{node.name} is public and has no docstring")
    yield f"```python\n{call}\n```\n\n{docstring}\n"


def made(found: Definition, node: ast.ClassDef) -> str:
    """Write how an object is made, or just the class where its fields say that."""
    home = "hemozoin" if found.name in hemozoin.__all__ else f"hemozoin.{found.module}"
    for method in node.body:
        if isinstance(method, Function) and method.name == "__init__":
            return signature(found, f"{home}.{found.name}", method)
    bases = ", ".join(map(found.code, node.bases))
    return f"class {home}.{found.name}{f'({bases})' if bases else ''}"


def signature(found: Definition, name: str, node: Function) -> str:
    """Write a call with its arguments, without self, and what comes back."""
    returns = node.returns if node.name != "__init__" else None
    returned = f" -> {found.code(returns)}" if returns else ""
    if {"property", "cached_property"} & decorators(node):
        return f"{name}{returned}"
    arguments = list(_arguments(found, node.args))
    line = f"{name}({', '.join(arguments)}){returned}"
    if len(line) <= _WIDTH:
        return line
    broken = "".join(f"    {argument},\n" for argument in arguments)
    return f"{name}(\n{broken}){returned}"


def _arguments(found: Definition, taken: ast.arguments) -> Iterator[str]:
    places = [*taken.posonlyargs, *taken.args]
    bare = [None] * (len(places) - len(taken.defaults))
    for place, default in zip(places, [*bare, *taken.defaults], strict=True):
        if place.arg not in ("self", "cls"):
            yield _argument(found, place, default)
    if taken.vararg:
        yield f"*{_argument(found, taken.vararg, None)}"
    elif taken.kwonlyargs:
        yield "*"
    for place, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True):
        yield _argument(found, place, default)


def _argument(found: Definition, place: ast.arg, default: ast.expr | None) -> str:
    kind = f": {found.code(place.annotation)}" if place.annotation else ""
    return f"{place.arg}{kind}{f' = {found.code(default)}' if default else ''}"
