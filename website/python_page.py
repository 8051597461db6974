"""The page of the Python API: the public names, their signatures and docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from itertools import pairwise

import hemozoin
from definitions import Definition, Function, look_up, methods, names_in, public
from signatures import constructor, description, signature

_HEAD = """# Python API

Every name below is a name of `hemozoin` itself: `import hemozoin`, then `hemozoin.load("nano")`.
Importing it needs no torch. `train` and `MobileNet` do, and say so if it is not installed. An error
that you can correct is a `HemozoinError`: one line that says what is wrong, where, and what to do.
"""

#: The public names in the order of the page, the most used first.
_ORDER = (
    *("load", "Predictor", "Prediction", "predict_paths"),
    *("screen", "screen_slides", "ScreenConfig", "Field", "summarize"),
    *("train", "RunConfig", "Recipe", "CellOptions", "evaluate"),
    *("MobileNet", "Architecture", "layers", "cost", "HemozoinError"),
)


def python_page() -> str:
    """Return the page as Markdown: the public names, then the classes and aliases they use.

    Raises LookupError if a public name is not in `_ORDER`.
    """
    if missing := set(hemozoin.__all__) ^ set(_ORDER):
        raise LookupError(f"the order of the page and the public names differ: {missing}")
    found = [public(name) for name in _ORDER]
    sections = (line for definition in found for line in _section(definition))
    lines = [_HEAD, *_overview(found), *sections, *_returned_classes(found), *_type_aliases(found)]
    return "\n".join(lines)


# ---- sections ----------------------------------------------------------------------------------


def _overview(found: list[Definition]) -> Iterator[str]:
    """Yield a table of the public names: what each is, and the module it is defined in."""
    lines = [
        f"| [`{it.name}`](#{it.name.lower()}) | {_first_line(it.node)} | `hemozoin.{it.module}` |"
        for it in found
    ]
    yield from _table(("name", "description", "module"), lines)


def _section(found: Definition) -> Iterator[str]:
    name, node = found.name, found.node
    yield f"## {name}\n"
    if isinstance(node, Function):
        yield from description(signature(found, f"hemozoin.{name}", node), node)
    if isinstance(node, ast.ClassDef):
        yield from description(constructor(found, node), node)
        yield from _fields(found, node)
        for method in methods(node):
            yield f"### {name}.{method.name}\n"
            yield from description(signature(found, f"{name}.{method.name}", method), method)


def _returned_classes(found: list[Definition]) -> Iterator[str]:
    """Yield the classes that public names return or contain, each in short."""
    yield "## Returned classes\n"
    yield "Classes that the names above return or contain. Import them from the module shown.\n"
    for definition in sorted(_contained(found), key=lambda it: it.name):
        node = definition.node
        assert isinstance(node, ast.ClassDef)
        yield f"### {definition.name}\n"
        yield from description(constructor(definition, node), node)
        yield from _fields(definition, node)
        yield from _methods_in_short(definition, node)


def _contained(found: list[Definition]) -> list[Definition]:
    """Return the classes that public names return, and those that these are made of."""
    shown = {definition.name: definition for definition in found}
    queue = [(definition, _returned_types(definition.node)) for definition in found]
    while queue:
        definition, parts = queue.pop()
        for name in names_in(*parts):
            other = look_up(definition.module, name)
            if other and isinstance(other.node, ast.ClassDef) and other.name not in shown:
                shown[other.name] = other
                queue.append((other, _field_types(other.node)))
    return [it for it in shown.values() if it not in found]


def _returned_types(node: ast.AST) -> Iterator[ast.AST | None]:
    """Yield the types that a definition returns or contains."""
    if isinstance(node, Function):
        yield node.returns
    if isinstance(node, ast.ClassDef):
        yield from _field_types(node)
        yield from (method.returns for method in methods(node))


def _field_types(node: ast.ClassDef) -> Iterator[ast.AST]:
    """Yield the base classes of a class, and the types of its fields."""
    yield from node.bases
    yield from (part.annotation for part in node.body if isinstance(part, ast.AnnAssign))


def _type_aliases(found: list[Definition]) -> Iterator[str]:
    """Yield a table of the type aliases and constants in signatures and fields."""
    meanings = set()  # a name can mean one thing in one module and another in the next
    for definition in [*found, *_contained(found)]:
        for name in names_in(*_shown_types(definition.node)):
            other = look_up(definition.module, name)
            if other and isinstance(other.node, ast.expr):
                meanings.add((name, other.code(other.node)))
    yield "## Type aliases and constants\n"
    lines = [f"| `{name}` | `{meaning}` |" for name, meaning in sorted(meanings)]
    yield from _table(("name", "meaning"), lines)


def _shown_types(node: ast.AST) -> Iterator[ast.AST | None]:
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
    yield from _table(("method", "description"), lines)


def _on_one_line(call: str) -> str:
    return " ".join(call.split()).replace("( ", "(").replace(", )", ")")


def _first_line(node: ast.AST) -> str:
    """Return the first paragraph of a docstring, on one line."""
    assert isinstance(node, Function | ast.ClassDef)
    return (ast.get_docstring(node) or "").partition("\n\n")[0].replace("\n", " ")


def _fields(found: Definition, node: ast.ClassDef) -> Iterator[str]:
    """Yield a table of a dataclass's fields, if it has any."""
    lines = [
        _field(found, field, after)
        for field, after in pairwise([*node.body, ast.Pass()])
        if isinstance(field, ast.AnnAssign)
    ]
    yield from _table(("field", "type, default", "description"), lines)


def _table(titles: tuple[str, ...], lines: Iterable[str]) -> Iterator[str]:
    if rows := list(lines):
        yield "\n".join([f"| {' | '.join(titles)} |", "|---" * len(titles) + "|", *rows, ""])


def _field(found: Definition, field: ast.AnnAssign, after: ast.stmt) -> str:
    default = f" = {found.code(field.value)}" if field.value else ""
    text = _docstring_below(after) or _comment_above(found.text.splitlines(), field.lineno)
    kind = f"{found.code(field.annotation)}{default}"
    return f"| `{found.code(field.target)}` | `{kind}` | {text} |"


def _docstring_below(after: ast.stmt) -> str:
    """Return the string below a field, on one line."""
    match after:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split())
    return ""


def _comment_above(source: list[str], line: int) -> str:
    """Return the comment that begins with `#:` above a line (from 1), on one line."""
    parts: list[str] = []
    for above in reversed(source[: line - 1]):
        if not above.strip().startswith("#"):
            break
        parts.insert(0, above.strip().lstrip("#:").strip())
    return " ".join(parts)
