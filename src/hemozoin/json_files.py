"""JSON that was saved before: its values, and whether they have the types of a dataclass's fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def parse_json(content: str | bytes) -> Any:
    """Return the value; raises ValueError where it is damaged or nested too deeply."""
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def wrong_fields(instance: Any) -> Iterator[str]:
    """Yield the fields of a dataclass, and of the dataclasses in it, with a value of another type.

    A field of `recipe` is given as "recipe.size". As in JSON, a whole number is a float as well,
    and true is no number.
    """
    for name, kind in _fields(type(instance)).items():
        value = getattr(instance, name)
        if is_dataclass(value) and isinstance(value, _classes(kind)):
            yield from (f"{name}.{inner}" for inner in wrong_fields(value))
        elif not _has_type(value, kind):
            yield name


@cache
def _fields(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _classes(kind: Any) -> tuple[type, ...]:
    """Return the dataclasses that a type allows."""
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return tuple(option for option in options if is_dataclass(option))


def _has_type(value: object, kind: Any) -> bool:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if origin in (Union, UnionType):
        return any(_has_type(value, option) for option in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and _have_types(value, arguments)
    if is_dataclass(kind):
        return isinstance(value, kind) and not any(wrong_fields(value))
    if kind is float and type(value) is int:
        return abs(value) < 2**63
    return type(value) is kind or (kind is Path and isinstance(value, Path))


def _have_types(values: tuple[object, ...], kinds: tuple[Any, ...]) -> bool:
    if kinds[-1] is ...:
        return all(_has_type(value, kinds[0]) for value in values)
    return len(values) == len(kinds) and all(map(_has_type, values, kinds))
