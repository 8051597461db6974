"""Processes that screen: they answer as this one would, and none outlives its pipe."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hemozoin.errors import RunError
from hemozoin.model.predictor import Predictor
from hemozoin.smear.execution.processes import processes
from hemozoin.smear.execution.work import ScreenerSettings
from tests.support.smears import make_fields

NETWORK = ScreenerSettings(Predictor.load("nano").bundle, "fp32", 50.0)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Return the processes that were started so far."""
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


def test_a_process_answers_as_this_one_would(
    picture: bytes, started: list[subprocess.Popen[bytes]]
) -> None:
    with processes(NETWORK, 3) as work:
        assert not started
        found = work(picture, "1.png")
        assert found.field.cells
        assert found == NETWORK.work()(picture, "1.png")
        assert work(b"no picture", "2.png").field.error
    assert [process.returncode for process in started] == [0]


def test_a_process_that_is_killed(picture: bytes, started: list[subprocess.Popen[bytes]]) -> None:
    with processes(NETWORK, 1) as work:
        work(picture, "1.png")
        started[0].send_signal(signal.SIGKILL)
        with pytest.raises(RunError, match=r"2\.png: the process .*killed, perhaps for want"):
            work(picture, "2.png")


def test_a_process_that_fails_says_why(
    picture: bytes, started: list[subprocess.Popen[bytes]], capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        processes(replace(NETWORK, version="0.0.1"), 1) as work,
        pytest.raises(RunError, match=r"1\.png: the process .*exit code 1"),
    ):
        work(picture, "1.png")
    assert "not 0.0.1" in capfd.readouterr().err


def test_it_ends_when_nobody_asks_any_more(
    picture: bytes, started: list[subprocess.Popen[bytes]]
) -> None:
    """As when the process that asks was killed: the system closes its pipes."""
    with processes(NETWORK, 1) as work:
        work(picture, "1.png")
        (process,) = started
        process.send_signal(signal.SIGINT)  # Ctrl-C goes to all of a terminal's processes
        assert work(picture, "1.png").field.cells
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
