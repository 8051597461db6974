"""Progress of long steps, on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

_Item = TypeVar("_Item")

#: Most characters of a line on standard error, and what replaces those in the middle.
_LONGEST, _LEFT_OUT = 380, " ... "

#: Seconds between two progress lines where standard error is not a terminal.
PLAIN_EVERY = 5.0


def print_status(text: str) -> None:
    """Print one line on standard error, so that the results on standard output can be piped.

    The work goes on where it can't be printed: a log on a full disk must not end a training.
    """
    if _is_first_process():
        with suppress(OSError):
            print(one_line(text), file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """Return a message as one printable line, at most `_LONGEST` characters.

    It may quote names of files and values of tables, which can be of any length and can have
    characters that control a terminal. The middle is left out: a message begins with where the
    error is and ends with what to do.
    """
    line = printable(" ".join(text.split()))
    if len(line) <= _LONGEST:
        return line
    half = (_LONGEST - len(_LEFT_OUT)) // 2
    return f"{line[:half]}{_LEFT_OUT}{line[-half:]}"


def printable(name: str) -> str:
    """Escape characters that control a terminal or break a line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def track(
    items: Iterable[_Item], title: str, total: int | None = None, step: int = 1
) -> Generator[_Item, None, None]:
    """Yield from `items` and show the progress under a title.

    `total` is a number of cells or bytes, None where it is unknown; each item counts as `step`
    of them.
    """
    if not _is_first_process():
        yield from items
        return
    show = _bar if sys.stderr.isatty() else _lines
    yield from show(items, title, total, step)


def _is_first_process() -> bool:
    """Return whether this process reports: of those that torchrun started, only the first does."""
    return os.environ.get("RANK", "0") == "0"


def _bar(items: Iterable[_Item], title: str, total: int | None, step: int) -> Iterator[_Item]:
    from rich import console, progress  # noqa: PLC0415 - would slow down every start by 25 ms

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    terminal = console.Console(stderr=True)
    with progress.Progress(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task(title, total=total)
        for item in items:
            yield item
            bar.advance(task, step)


def _lines(items: Iterable[_Item], title: str, total: int | None, step: int) -> Iterator[_Item]:
    started = last = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= PLAIN_EVERY:
            print_status(f"{title}: {_so_far(count * step, total, now - started)}")
            last = now


def _so_far(done: int, total: int | None, seconds: float) -> str:
    if total is None:
        return f"{done:,}"
    done = min(done, total)
    return f"{done:,} of {total:,}, {seconds / done * (total - done):.0f} s left"
