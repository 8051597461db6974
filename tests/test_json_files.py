"""Values from JSON files, and their types."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from hemozoin.json_files import parse_json, wrong_fields


@dataclass(frozen=True)
class Inner:
    count: int = 1
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    text: str = "a"
    flag: bool = False
    path: Path = Path()
    word: Literal["yes", "no"] = "yes"
    maybe: float | None = None
    corners: tuple[tuple[int, int], ...] = ((1, 2),)
    inner: Inner = field(default_factory=Inner)
    several: tuple[Inner, ...] = ()
    option: Inner | None = None


GOOD: list[dict[str, Any]] = [
    {},
    {"maybe": 1.5, "corners": ()},
    {"maybe": 1, "several": (Inner(), Inner(2, 1))},
    {"option": Inner(-3)},
    {"inner": Inner(2**62, float("nan"))},
]

WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"text": 1}, ["text"]),
    ({"text": None, "flag": 0}, ["text", "flag"]),
    ({"path": "a"}, ["path"]),
    ({"word": "maybe"}, ["word"]),
    ({"word": []}, ["word"]),
    ({"maybe": True}, ["maybe"]),
    ({"maybe": "1"}, ["maybe"]),
    ({"maybe": 10**400}, ["maybe"]),
    ({"corners": [(1, 2)]}, ["corners"]),
    ({"corners": ((1, 2, 3),)}, ["corners"]),
    ({"corners": ((1, 2.5),)}, ["corners"]),
    ({"corners": ((1, 2**63),)}, ["corners"]),
    ({"inner": {}}, ["inner"]),
    ({"inner": Inner(True)}, ["inner.count"]),
    ({"inner": Inner("x", None)}, ["inner.count", "inner.share"]),  # type: ignore[arg-type]
    ({"several": (Inner(), Inner(1.0))}, ["several"]),  # type: ignore[arg-type]
    ({"option": Inner(share="x")}, ["option.share"]),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("changes", GOOD, ids=str)
def test_right_types(changes: dict[str, Any]) -> None:
    assert [*wrong_fields(replace(Outer(), **changes))] == []


@pytest.mark.parametrize(("changes", "fields"), WRONG, ids=str)
def test_wrong_types(changes: dict[str, Any], fields: list[str]) -> None:
    assert [*wrong_fields(replace(Outer(), **changes))] == fields


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, b"\xff", '{"a":' * 100_000])
def test_what_is_not_json(content: str | bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(content)
    assert parse_json(b'{"a": [1, null]}') == {"a": [1, None]}
