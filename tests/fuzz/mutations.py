"""Changes of the bytes of any file, and of the values of a JSON file."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

#: Changes bytes and returns them.
Mutation = Callable[[bytearray, Random], bytearray]

#: Lengths, sizes and offsets that are hard to handle.
NUMBERS = [0, 1, 2, 7, 8, 0x7F, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 10_000, 20_000]
NUMBERS += [100_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 2**62, 2**64 - 1]

#: Values that a JSON file may have where others are expected.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 0.5, 1e308, -0.0, 10**30, 10**400, 2**63, 1_000_000),
    *(float("nan"), float("inf"), -float("inf"), "", "0.5", "a", "x" * 100_000, "\0", "../../a"),
    *("/etc/passwd", "\x1b[2J\n`# a", "\ud800", "=1+1", [], {}, [[]], [0.5], [None], {"a": 1}),
    json.loads("[" * 300 + "]" * 300),
)


def flipped(data: bytearray, rng: Random) -> bytearray:
    """Flip bits anywhere."""
    for _ in range(rng.choice([1, 2, 10, 100])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def flipped_head(data: bytearray, rng: Random) -> bytearray:
    """Change the first bytes, where most formats have their sizes."""
    for _ in range(rng.choice([1, 2, 5])):
        data[rng.randrange(min(200, len(data)))] = rng.randrange(256)
    return data


def flipped_tail(data: bytearray, rng: Random) -> bytearray:
    """Change the last bytes, where a zip has its directory, and many a TIFF."""
    for _ in range(rng.choice([1, 2, 5])):
        data[-1 - rng.randrange(min(300, len(data)))] = rng.randrange(256)
    return data


def truncated(data: bytearray, rng: Random) -> bytearray:
    """Cut off the end, or a part from the middle."""
    start, stop = _slice(data, rng)
    return data[:start] if rng.random() < 0.5 else data[:start] + data[stop:]


def repeated(data: bytearray, rng: Random) -> bytearray:
    """Repeat a part."""
    start, stop = _slice(data, rng)
    times = rng.choice([1, 10, 1000]) if stop - start < 10_000 else 1
    return data[:stop] + data[start:stop] * times + data[stop:]


def other_numbers(data: bytearray, rng: Random) -> bytearray:
    """Replace what may be a length, a size or an offset."""
    at = rng.randrange(max(1, min(400, len(data) - 8)))
    put_number(data, at, rng.choice(["<H", ">H", "<I", ">I", "<Q", ">Q"]), rng)
    return data


def overwritten(data: bytearray, rng: Random) -> bytearray:
    """Overwrite a part with zeros, ones, noise or text."""
    start, stop = _slice(data, rng)
    stop = min(stop, start + rng.choice([4, 100, 10_000]))
    length = stop - start
    fill = (bytes(length), b"\xff" * length, rng.randbytes(length), (b"A\n\x1b[1m" * length))
    data[start:stop] = rng.choice(fill)[:length]
    return data


#: All changes that need only one file.
MUTATIONS: tuple[Mutation, ...] = (
    *(flipped, flipped_head, flipped_tail, truncated, repeated, other_numbers, overwritten),
)


def mutated(data: bytes, rng: Random, mutations: Sequence[Mutation] = MUTATIONS) -> bytes:
    """Return the bytes after one change, or after three."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 3])):
        if len(changed) > 16:
            changed = rng.choice(mutations)(changed, rng)
    return bytes(changed)


def spliced(data: bytes, other: bytes, rng: Random) -> bytes:
    """Return the beginning of one file and the end of another, or one within the other."""
    at, resumed = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    return data[:at] + other[resumed:] + (data[at:] if rng.random() < 0.3 else b"")


def put_number(data: bytearray, at: int, form: str, rng: Random) -> None:
    """Put a number that is hard to handle, or is close to the present one, where it fits."""
    size = struct.calcsize(form)
    if not 0 <= at <= len(data) - size:
        return
    (present,) = struct.unpack_from(form, data, at)
    values = [*NUMBERS, len(data), present + 1, present - 1, present * 2, present // 2]
    struct.pack_into(form, data, at, rng.choice(values) % 2 ** (8 * size))


def changed_json(text: bytes, rng: Random) -> bytes:
    """Return a JSON file with another value, key or syntax."""
    how = rng.random()
    if how < 0.15:
        return mutated(text, rng)
    if how < 0.25:
        return rng.choice(_NO_JSON)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # it was changed before
        return mutated(text, rng)
    for number in range(rng.choice([1, 1, 1, 2, 5])):
        # A thousand copies once: copies of copies would not fit into memory.
        value = _changed_value(value, rng, copies=1 if number else 1000)
    return json.dumps(value).encode(errors="surrogatepass")


_NO_JSON = [b"", b"{", b"null", b"[]", b"{}", b"0", b'"a"', b"\xff\xfe{\0}\0", b"\xef\xbb\xbf{}"]
_NO_JSON += [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 10_000, b"NaN", b"\0" * 1000]
_NO_JSON += [b'{"a": 1, "a": 2}', b"[1e999]", b"[[]" + b",[]" * 300_000 + b"]"]


def _changed_value(value: Any, rng: Random, copies: int) -> Any:
    """Return a value of JSON with a change at one place, which may be `copies` more of an item."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.15:
        return deepcopy(rng.choice(VALUES))  # further changes are made in place
    key = rng.choice([*value]) if isinstance(value, dict) else rng.randrange(len(value))
    how = rng.random()
    if how < 0.1:
        del value[key]
    elif how < 0.2 and isinstance(value, dict):
        value[rng.choice(["a", "", str(key) + "x", "x" * 5000, "\0"])] = value.pop(key)
    elif how < 0.25 and isinstance(value, list):
        value[key:key] = [value[key]] * rng.choice([1, copies])
    else:
        value[key] = _changed_value(value[key], rng, copies)
    return value


def _slice(data: bytearray, rng: Random) -> tuple[int, int]:
    start, stop = sorted(rng.randrange(len(data)) for _ in range(2))
    return start, stop
