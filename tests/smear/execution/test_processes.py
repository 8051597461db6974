"""Processes that screen: they give the same results as this one, and end with their pipe."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from hemozoin.errors import RunError
from hemozoin.model.predictor import Predictor
from hemozoin.smear.execution.processes import process_pool
from hemozoin.smear.execution.work import ScreenerSettings
from tests.support.smears import make_fields

SETTINGS = ScreenerSettings(Predictor.load("nano").bundle, "fp32", 50.0)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Return the list of the processes that are started."""
    running: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            running.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return running


@pytest.fixture
def picture(tmp_path: Path) -> bytes:
    return (make_fields(tmp_path, "1.png") / "1.png").read_bytes()


@pytest.mark.slow
def test_a_process_gives_the_same_result_as_this_one(
    picture: bytes, started: list[subprocess.Popen[bytes]]
) -> None:
    with process_pool(SETTINGS, 3) as screen:
        assert not started
        found = screen(picture, "1.png")
        assert found.field.cells
        assert found == SETTINGS.load()(picture, "1.png")
        assert screen(b"no picture", "2.png").field.error
    assert [process.returncode for process in started] == [0]


@pytest.mark.slow
def test_a_process_that_is_killed_is_replaced(
    picture: bytes, started: list[subprocess.Popen[bytes]]
) -> None:
    with process_pool(SETTINGS, 1) as screen:
        first = screen(picture, "1.png")
        started[0].send_signal(signal.SIGKILL)
        assert screen(picture, "1.png") == first
        assert screen(picture, "1.png") == first
    assert [process.returncode for process in started] == [-signal.SIGKILL, 0]


class Deadly:
    """A picture that kills the process that reads it."""

    def __reduce__(self) -> tuple[object, ...]:
        return signal.raise_signal, (signal.SIGKILL,)


@pytest.mark.slow
def test_a_picture_that_kills_every_process_is_its_row(
    picture: bytes, started: list[subprocess.Popen[bytes]]
) -> None:
    with process_pool(SETTINGS, 1) as screen:
        assert screen(picture, "1.png").field.cells
        killed = screen(cast(Any, Deadly()), "2.png")
        assert killed.field.error == (
            "2.png: internal error: the process that screened it died"
            " (killed, perhaps because memory ran out)"
        )
        assert (killed.overlay, killed.crops) == (None, {})
        assert screen(picture, "3.png").field.cells
    assert [process.returncode for process in started] == [-signal.SIGKILL] * 2 + [0]


@pytest.mark.slow
def test_a_process_that_fails_says_why(
    picture: bytes, started: list[subprocess.Popen[bytes]], capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        process_pool(replace(SETTINGS, version="0.0.1"), 1) as screen,
        pytest.raises(RunError, match=r"1\.png: the process .*exit code 1"),
    ):
        screen(picture, "1.png")
    assert "not 0.0.1" in capfd.readouterr().err


@pytest.mark.slow
def test_it_ends_when_its_pipe_is_closed(
    picture: bytes, started: list[subprocess.Popen[bytes]]
) -> None:
    """If the calling process is killed, the system closes its pipes."""
    with process_pool(SETTINGS, 1) as screen:
        screen(picture, "1.png")
        (process,) = started
        process.send_signal(signal.SIGINT)  # Ctrl-C is sent to all processes of a terminal
        assert screen(picture, "1.png").field.cells
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
