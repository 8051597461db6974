"""Signatures and docstrings as Markdown."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import hemozoin
from definitions import Definition, Function, decorators

#: A longer signature is broken into one line per argument.
_WIDTH = 80


def description(call: str, node: Function | ast.ClassDef) -> Iterator[str]:
    """Yield the signature and the docstring; raises LookupError if there is no docstring."""
    docstring = ast.get_docstring(node)
    if not docstring:
        raise LookupError(f"{node.name} is public and has no docstring")
    yield f"```python\n{call}\n```\n\n{docstring}\n"


def constructor(found: Definition, node: ast.ClassDef) -> str:
    """Return the call of a class's `__init__`; for a dataclass, the class and its bases."""
    module = "hemozoin" if found.name in hemozoin.__all__ else f"hemozoin.{found.module}"
    for method in node.body:
        if isinstance(method, Function) and method.name == "__init__":
            return signature(found, f"{module}.{found.name}", method)
    bases = ", ".join(map(found.code, node.bases))
    return f"class {module}.{found.name}{f'({bases})' if bases else ''}"


def signature(found: Definition, name: str, node: Function) -> str:
    """Return a call as text: its arguments without self, and the type that it returns."""
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


def _arguments(found: Definition, arguments: ast.arguments) -> Iterator[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    required = [None] * (len(positional) - len(arguments.defaults))
    for argument, default in zip(positional, [*required, *arguments.defaults], strict=True):
        if argument.arg not in ("self", "cls"):
            yield _argument(found, argument, default)
    if arguments.vararg:
        yield f"*{_argument(found, arguments.vararg, None)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(found, argument, default)


def _argument(found: Definition, argument: ast.arg, default: ast.expr | None) -> str:
    kind = f": {found.code(argument.annotation)}" if argument.annotation else ""
    return f"{argument.arg}{kind}{f' = {found.code(default)}' if default else ''}"
