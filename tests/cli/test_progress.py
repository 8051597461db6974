"""Progress: a bar on a terminal, otherwise a line every few seconds; on standard error."""

from __future__ import annotations

import io
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from hemozoin.progress import PLAIN_EVERY, one_line, print_status, track


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that is advanced by adding to its only entry."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def slowly(count: int, seconds: float, clock: list[float]) -> Iterator[int]:
    for number in range(count):
        clock[0] += seconds
        yield number


def test_lines_every_five_seconds_with_time_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(track(slowly(10, 2.0, clock), "Decoding", 10)) == list(range(10))
    assert capsys.readouterr().err.splitlines() == [
        "Decoding: 3 of 10, 14 s left",
        "Decoding: 6 of 10, 8 s left",
        "Decoding: 9 of 10, 2 s left",
    ]


def test_a_quick_step_prints_nothing(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(track(slowly(1000, PLAIN_EVERY / 1001, clock), "Decoding", 1000))
    assert capsys.readouterr() == ("", "")


def test_at_most_one_line_in_five_seconds(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    list(track(slowly(100_000, 0.001, clock), "Decoding", 100_000))
    assert len(capsys.readouterr().err.splitlines()) <= 100 / PLAIN_EVERY


def test_steps_of_several_items(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """As for 2,500 bytes in chunks of 1,000: the count never exceeds the total."""
    list(track(slowly(3, 6.0, clock), "Fetching", 2500, step=1000))
    assert capsys.readouterr().err.splitlines() == [
        "Fetching: 1,000 of 2,500, 9 s left",
        "Fetching: 2,000 of 2,500, 3 s left",
        "Fetching: 2,500 of 2,500, 0 s left",
    ]


def test_unknown_total(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    list(track(slowly(2000, 5.0, clock), "Predicting"))
    assert capsys.readouterr().err.splitlines()[-1] == "Predicting: 2,000"


def test_no_items(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track([], "Decoding", 0)) == []
    assert capsys.readouterr() == ("", "")


def test_items_are_consumed_one_at_a_time(clock: list[float]) -> None:
    consumed: list[int] = []
    tracked = track((consumed.append(k) or k for k in range(9)), "Decoding", 9)  # type: ignore[func-returns-value]
    assert next(tracked) == 0
    assert consumed == [0]


@pytest.mark.parametrize("terminal", [False, True])
def test_other_processes_of_a_run_are_silent(
    terminal: bool,
    clock: list[float],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    print_status("hello")
    assert list(track(slowly(10, 9.0, clock), "Decoding", 10)) == list(range(10))
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = on_a_terminal(monkeypatch, lambda: list(track(range(3), "Decoding", 3)))
    assert "Decoding" in shown
    assert "━" in shown
    assert "3/3" in shown
    assert "0:00:00" in shown  # remaining
    assert shown.rstrip().endswith("\x1b[2K")  # removed at the end


def test_a_bar_without_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = on_a_terminal(monkeypatch, lambda: list(track(range(3), "Predicting")))
    assert "3/?" in shown


def test_ctrl_c_restores_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        with suppress(KeyboardInterrupt):
            for _ in track(range(3), "Decoding", 3):
                raise KeyboardInterrupt

    assert "\x1b[?25h" in on_a_terminal(monkeypatch, interrupted)


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> str:
    """Return what `act` writes to standard error if that is a terminal."""
    reading_end, writing_end = pytest.importorskip("pty").openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with io.TextIOWrapper(io.FileIO(writing_end, "w"), "utf-8", write_through=True) as terminal:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", terminal)
            act()
        shown = b""
        while select.select([reading_end], [], [], 0.2)[0]:  # the output may arrive in pieces
            shown += os.read(reading_end, 100_000)
    os.close(reading_end)
    return shown.decode()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a.png: not a picture", "a.png: not a picture"),
        (" two\n\tlines\r\n", "two lines"),
        ("\x1b[2J\u202e\udce9", "\\x1b[2J\\u202e\\udce9"),
        ("é 細胞", "é 細胞"),
    ],
)
def test_a_message_is_one_printable_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    line = one_line(f"cells.csv: unknown label {'x' * 60_000!r}; use parasitized, uninfected")
    assert line.startswith("cells.csv: unknown label 'xxx")
    assert line.endswith("xxx'; use parasitized, uninfected")
    assert "xxx ... xxx" in line
    assert 370 < len(line) < 390
    assert one_line("y" * 380) == "y" * 380
