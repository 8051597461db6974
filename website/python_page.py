"""The page of the Python API: the public names, their signatures and docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from itertools import pairwise

import hemozoin
from definitions import Definition, Function, look_up, methods, names_in, public
from signatures import described, made, signature

_HEAD = """# Python API

Everything here is a name of `hemozoin` itself: `import hemozoin`, then `hemozoin.load("nano")`.
Importing it needs no torch; `train` and `MobileNet` do, and say so where it is missing. What you
can put right raises a `HemozoinError` with one line that says what, where and what to do.
"""


def python_page() -> str:
    """Return the page as Markdown: functions first, then classes, then what these speak of."""
    found = sorted(map(public, hemozoin.__all__), key=lambda it: isinstance(it.node, ast.ClassDef))
    lines = [_HEAD, *(line for definition in found for line in _section(definition))]
    return "\n".join([*lines, *_what_comes_back(found), *_short_names(found)])


# ---- sections ----------------------------------------------------------------------------------


def _section(found: Definition) -> Iterator[str]:
    name, node = found.name, found.node
    yield f"## {name}\n"
    if isinstance(node, Function):
        yield from described(signature(found, f"hemozoin.{name}", node), node)
    if isinstance(node, ast.ClassDef):
        yield from described(made(found, node), node)
        yield from _fields(found, node)
        for method in methods(node):
            yield f"### {name}.{method.name}\n"
            yield from described(signature(found, f"{name}.{method.name}", method), method)


def _what_comes_back(found: list[Definition]) -> Iterator[str]:
    """Yield the classes that public names return or hold, each in short."""
    yield "## What comes back\n"
    yield "Classes that the names above return or hold, to be imported from where they stand.\n"
    for definition in sorted(_held(found), key=lambda it: it.name):
        node = definition.node
        assert isinstance(node, ast.ClassDef)
        yield f"### {definition.name}\n"
        yield from described(made(definition, node), node)
        yield from _fields(definition, node)
        yield from _methods_in_short(definition, node)


def _held(found: list[Definition]) -> list[Definition]:
    """Return the classes that come back from public names, and those that these are made of."""
    shown = {definition.name: definition for definition in found}
    queue = [(definition, _given(definition.node)) for definition in found]
    while queue:
        definition, parts = queue.pop()
        for name in names_in(*parts):
            other = look_up(definition.module, name)
            if other and isinstance(other.node, ast.ClassDef) and other.name not in shown:
                shown[other.name] = other
                queue.append((other, _made_of(other.node)))
    return [it for it in shown.values() if it not in found]


def _given(node: ast.AST) -> Iterator[ast.AST | None]:
    """Yield the types that a definition returns or holds."""
    if isinstance(node, Function):
        yield node.returns
    if isinstance(node, ast.ClassDef):
        yield from _made_of(node)
        yield from (method.returns for method in methods(node))


def _made_of(node: ast.ClassDef) -> Iterator[ast.AST]:
    """Yield the classes that a class builds on, and the types of its fields."""
    yield from node.bases
    yield from (part.annotation for part in node.body if isinstance(part, ast.AnnAssign))


def _short_names(found: list[Definition]) -> Iterator[str]:
    """Yield a table of the short names that stand in signatures and fields."""
    meanings = set()  # a name can mean one thing in one module and another in the next
    for definition in [*found, *_held(found)]:
        for name in names_in(*_typed(definition.node)):
            other = look_up(definition.module, name)
            if other and isinstance(other.node, ast.expr):
                meanings.add((name, other.code(other.node)))
    yield "## What the short names stand for\n\n| name | |\n|---|---|"
    yield from (f"| `{name}` | `{meaning}` |" for name, meaning in sorted(meanings))


def _typed(node: ast.AST) -> Iterator[ast.AST | None]:
    """Yield the annotations and defaults that the page shows of a definition."""
    if isinstance(node, Function):
        yield from (node.args, node.returns)
    if isinstance(node, ast.ClassDef):
        for part in [*node.body, *methods(node)]:
            if isinstance(part, ast.AnnAssign):
                yield from (part.annotation, part.value)
            elif isinstance(part, Function) and part.name == "__init__":
                yield part.args
        for method in methods(node):
            yield from (method.args, method.returns)


# ---- tables ------------------------------------------------------------------------------------


def _methods_in_short(found: Definition, node: ast.ClassDef) -> Iterator[str]:
    """Yield a table of the methods, with the first line of each docstring."""
    lines = [
        f"| `{_on_one_line(signature(found, method.name, method))}` | {_first_line(method)} |"
        for method in methods(node)
    ]
    yield from _table("method", lines)


def _on_one_line(call: str) -> str:
    return " ".join(call.split()).replace("( ", "(").replace(", )", ")")


def _first_line(node: Function) -> str:
    return (ast.get_docstring(node) or "").partition("\n\n")[0].replace("\n", " ")


def _fields(found: Definition, node: ast.ClassDef) -> Iterator[str]:
    """Yield a table of a dataclass's fields, if it has any."""
    lines = [
        _field(found, field, after)
        for field, after in pairwise([*node.body, ast.Pass()])
        if isinstance(field, ast.AnnAssign)
    ]
    yield from _table("field | type, default", lines)


def _table(titles: str, lines: Iterable[str]) -> Iterator[str]:
    if rows := list(lines):
        yield "\n".join([f"| {titles} | |", "|---" * (titles.count("|") + 2) + "|", *rows, ""])


def _field(found: Definition, field: ast.AnnAssign, after: ast.stmt) -> str:
    default = f" = {found.code(field.value)}" if field.value else ""
    said = _said_below(after) or _said_above(found.text.splitlines(), field.lineno)
    kind = f"{found.code(field.annotation)}{default}"
    return f"| `{found.code(field.target)}` | `{kind}` | {said} |"


def _said_below(after: ast.stmt) -> str:
    """Return the string that stands under a field, on one line."""
    match after:
        case ast.Expr(value=ast.Constant(value=str(said))):
            return " ".join(said.split())
    return ""


def _said_above(source: list[str], line: int) -> str:
    """Return the comment that begins with `#:` over a line (from 1), on one line."""
    said: list[str] = []
    for above in reversed(source[: line - 1]):
        if not above.strip().startswith("#"):
            break
        said.insert(0, above.strip().lstrip("#:").strip())
    return " ".join(said)
