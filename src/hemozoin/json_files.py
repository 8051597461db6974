"""JSON files that were saved before: their values, and the types of these values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_Check = Callable[[Any], bool]


def parse_json(content: str | bytes) -> Any:
    """Return the value; raises ValueError where it is damaged or nested too deeply."""
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def wrong_fields(instance: Any) -> Iterator[str]:
    """Yield the fields of a dataclass that have a value of another type than they declare.

    A field of a dataclass in a field is given as "recipe.size". As in JSON, a whole number is a
    float as well, and true is no number. Whole numbers have to fit into 64 bits.
    """
    kind: Any = type(instance)
    for name, check in _checks(kind):
        value = getattr(instance, name)
        if not check(value):
            within = [*wrong_fields(value)] if is_dataclass(value) else []
            yield from (f"{name}.{inner}" for inner in within) if within else (name,)


@cache
def _checks(kind: Any) -> tuple[tuple[str, _Check], ...]:
    """Return the names of a dataclass's fields, each with the check of its type."""
    return tuple((name, _check(of)) for name, of in get_type_hints(kind).items())


@cache
def _check(kind: Any) -> _Check:
    """Return the function that returns whether a value has a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in arguments
    if origin in (Union, UnionType):
        options = [*map(_check, arguments)]
        return lambda value: any(option(value) for option in options)
    if origin is tuple:
        return _tuple_check(arguments)
    if isinstance(kind, type) and is_dataclass(kind):
        return lambda value: isinstance(value, kind) and not any(wrong_fields(value))
    if kind is float:
        return lambda value: type(value) is float or _is_int(value)
    return _is_int if kind is int else lambda value: isinstance(value, kind)


def _tuple_check(kinds: tuple[Any, ...]) -> _Check:
    if kinds[-1] is ...:
        check = _check(kinds[0])
        return lambda value: isinstance(value, tuple) and all(map(check, value))
    checks = [*map(_check, kinds)]
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(checks)
        and all(check(one) for check, one in zip(checks, value, strict=True))
    )


def _is_int(value: object) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63
