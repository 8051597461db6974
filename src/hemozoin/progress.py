"""Progress of the long steps, on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")

#: Seconds between two lines where there is no terminal.
PLAIN_EVERY = 5.0


def say(text: str) -> None:
    """Print one line for the reader (standard error, so that results can be piped)."""
    if _speaks():
        print(text, file=sys.stderr, flush=True)


def track(
    items: Iterable[T], what: str, total: int | None = None, step: int = 1
) -> Generator[T, None, None]:
    """Yield from `items` while showing how far it is.

    `total` counts single things (cells, bytes), None where nobody knows; each item stands for
    `step` of them.
    """
    if not _speaks():
        yield from items
        return
    shown = _bar if sys.stderr.isatty() else _lines
    yield from shown(items, what, total, step)


def _speaks() -> bool:
    """Tell whether this process talks: of those that torchrun started, only the first does."""
    return os.environ.get("RANK", "0") == "0"


def _bar(items: Iterable[T], what: str, total: int | None, step: int) -> Iterator[T]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        for item in items:
            yield item
            progress.advance(task, step)


def _lines(items: Iterable[T], what: str, total: int | None, step: int) -> Iterator[T]:
    started = spoken = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - spoken >= PLAIN_EVERY:
            say(f"{what}: {_so_far(count * step, total, now - started)}")
            spoken = now


def _so_far(done: int, total: int | None, seconds: float) -> str:
    if total is None:
        return f"{done:,}"
    done = min(done, total)
    return f"{done:,} of {total:,}, {seconds / done * (total - done):.0f} s left"
