"""The page of the Python API: the public names, their signatures and docstrings.

It is read from the source, not from what was imported: that needs no torch, and a default stands
there as it was written.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import hemozoin
from type_names import names_in, stands_for

_PACKAGE = Path(hemozoin.__file__).parent

#: A signature that is longer gets a line for each argument.
_WIDTH = 80

_HEAD = """# Python API

Everything here is a name of `hemozoin` itself: `import hemozoin`, then `hemozoin.load("nano")`.
Importing it needs no torch; `train` and `MobileNet` do, and say so where it is missing. What you
can put right raises a `HemozoinError` with one line that says what, where and what to do.
"""

Function = ast.FunctionDef
Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Public:
    """A public name, its definition, and where that stands: "paper.cost", and that file's text."""

    name: str
    node: Definition
    module: str
    text: str

    def code(self, part: ast.expr) -> str:
        """Return a part of the definition as it was written, on one line."""
        return " ".join((ast.get_source_segment(self.text, part) or "").split())


def python_page() -> str:
    """Return the page as Markdown: functions first, then classes."""
    found = sorted(map(find, hemozoin.__all__), key=lambda it: isinstance(it.node, ast.ClassDef))
    sections = (line for public in found for line in _section(public))
    return "\n".join([_HEAD, *sections, *_short_names(found)])


def _short_names(found: list[Public]) -> Iterator[str]:
    """Yield a table of the short names that stand in signatures and fields."""
    meanings: dict[str, str] = {}
    for public in found:
        for name in names_in(*_typed(public.node)):
            if meaning := stands_for(public.module, name):
                meanings[name] = meaning
    yield "## What the short names stand for\n\n| name | |\n|---|---|"
    yield from (f"| `{name}` | `{meanings[name]}` |" for name in sorted(meanings))


def _typed(node: Definition) -> Iterator[ast.AST | None]:
    """Yield the annotations and defaults that the page shows of a definition."""
    if isinstance(node, Function):
        yield from (node.args, node.returns)
        return
    for part in node.body:
        if isinstance(part, Function) and (_shown(part) or part.name == "__init__"):
            yield from (part.args, part.returns)
        elif isinstance(part, ast.AnnAssign):
            yield from (part.annotation, part.value)


def find(name: str) -> Public:
    """Return the definition of a public name; raises LookupError where there is none."""
    home, _, other = hemozoin._HOMES[name].partition(":")
    text = _PACKAGE.joinpath(*home.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, Definition) and node.name == (other or name):
            return Public(name, node, home, text)
    raise LookupError(f"hemozoin.{name} is not defined in hemozoin.{home}")


def _section(public: Public) -> Iterator[str]:
    name, node = public.name, public.node
    yield f"## {name}\n"
    if isinstance(node, Function):
        yield from _described(_signature(public, f"hemozoin.{name}", node), node)
        return
    yield from _described(_made(public, node), node)
    yield from _fields(public, node)
    for method in node.body:
        if isinstance(method, Function) and _shown(method):
            yield f"### {name}.{method.name}\n"
            yield from _described(_signature(public, f"{name}.{method.name}", method), method)


def _made(public: Public, node: ast.ClassDef) -> str:
    """Write how an object is made, or just the class where its fields say that."""
    for method in node.body:
        if isinstance(method, Function) and method.name == "__init__":
            return _signature(public, f"hemozoin.{public.name}", method)
    bases = ", ".join(map(public.code, node.bases))
    return f"class hemozoin.{public.name}{f'({bases})' if bases else ''}"


def _shown(method: Function) -> bool:
    return not method.name.startswith("_") and "overload" not in _decorators(method)


def _described(signature: str, node: Definition) -> Iterator[str]:
    """Yield the signature and the docstring; raises LookupError where there is none."""
    docstring = ast.get_docstring(node)
    if not docstring:
        raise LookupError(f"{node.name} is public and has no docstring")
    yield f"```python\n{signature}\n```\n\n{docstring}\n"


def _signature(public: Public, name: str, node: Function) -> str:
    """Write a call with its arguments, without self, and what comes back."""
    returns = node.returns if node.name != "__init__" else None
    returned = f" -> {public.code(returns)}" if returns else ""
    if "property" in _decorators(node):
        return f"{name}{returned}"
    arguments = list(_arguments(public, node.args))
    line = f"{name}({', '.join(arguments)}){returned}"
    if len(line) <= _WIDTH:
        return line
    broken = "".join(f"    {argument},\n" for argument in arguments)
    return f"{name}(\n{broken}){returned}"


def _arguments(public: Public, taken: ast.arguments) -> Iterator[str]:
    places = [*taken.posonlyargs, *taken.args]
    bare = [None] * (len(places) - len(taken.defaults))
    for place, default in zip(places, [*bare, *taken.defaults], strict=True):
        if place.arg not in ("self", "cls"):
            yield _argument(public, place, default)
    if taken.vararg:
        yield f"*{_argument(public, taken.vararg, None)}"
    elif taken.kwonlyargs:
        yield "*"
    for place, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True):
        yield _argument(public, place, default)


def _argument(public: Public, place: ast.arg, default: ast.expr | None) -> str:
    kind = f": {public.code(place.annotation)}" if place.annotation else ""
    return f"{place.arg}{kind}{f' = {public.code(default)}' if default else ''}"


def _fields(public: Public, node: ast.ClassDef) -> Iterator[str]:
    """Yield a table of a dataclass's fields, if it has any."""
    lines = [
        _field(public, field, after)
        for field, after in pairwise([*node.body, ast.Pass()])
        if isinstance(field, ast.AnnAssign)
    ]
    if lines:
        yield "\n".join(["| field | type, default | |", "|---|---|---|", *lines, ""])


def _field(public: Public, field: ast.AnnAssign, after: ast.stmt) -> str:
    default = f" = {public.code(field.value)}" if field.value else ""
    said = _said_below(after) or _said_above(public.text.splitlines(), field.lineno)
    kind = f"{public.code(field.annotation)}{default}"
    return f"| `{public.code(field.target)}` | `{kind}` | {said} |"


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


def _decorators(node: Function) -> set[str]:
    return {ast.unparse(decorator) for decorator in node.decorator_list}
