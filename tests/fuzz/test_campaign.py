"""A small part of the campaign, always the same; and that the campaign finds what is wrong."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import worker as worker_module
from tests.fuzz.campaign import run_kind
from tests.fuzz.kinds import KINDS
from tests.fuzz.oracles import MOST_SECONDS, Case, Watch, require_orderly
from tests.fuzz.worker import worker
from tests.support.commands import Outcome

#: Cases of each kind: a minute for all on a machine that does nothing else.
PART = {"cells": 20, "fields": 15, "zips": 60, "folders": 40, "tables": 40, "models": 60}
PART |= {"states": 15, "records": 30, "worklists": 15}


@pytest.mark.slow
@pytest.mark.parametrize("kind", PART)
def test_a_small_part(kind: str) -> None:
    summary = run_kind(kind, range(PART[kind]), seed=0, minutes=math.inf)
    assert [result.failure for result in summary.failures] == []
    assert summary.cases == PART[kind]


def test_every_kind_has_its_part() -> None:
    """Kills have theirs in tests/cli/test_killed.py; real seeds are not part of the project."""
    others = {"kills", "real cells", "real fields"}
    assert {*PART} == {*KINDS} - others


# ---- what a process may not do ----------------------------------------------------------------


class Wrong:
    """A kind whose cases are all wrong."""

    total = 6

    #: The number of the case without an end.
    hangs = 1

    def __init__(self, folder: Path) -> None:
        pass

    def __call__(self, case: Case) -> None:
        wrong: list[Callable[[], object]] = [
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            lambda: time.sleep(100),
            lambda: sys.exit(0),
            lambda: case.run("predict", case.folder / "missing.png").out.index("a decision"),
            lambda: case.measured(MOST_SECONDS + 0.1, 0),
            lambda: case.measured(0, 2 * 10**9 + 1),
        ]
        wrong[case.number]()


@pytest.mark.slow
def test_what_a_worker_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    with worker("tests.fuzz.test_campaign.Wrong", "a") as (started, _):
        for number in range(Wrong.total):
            monkeypatch.setattr(worker_module, "_HANGS", 1 if number == Wrong.hangs else 300)
            found.append(started.run(number).failure)
    expected = ["died, exit code -9", "hangs", "SystemExit", "substring", "10.1 s", "2,000 MB"]
    assert all(part in failure for part, failure in zip(expected, found, strict=True)), found


def test_a_case_is_made_by_its_number_alone(tmp_path: Path) -> None:
    from tests.fuzz.pictures import Cells  # noqa: PLC0415

    cells, made = Cells(tmp_path), []
    for _ in range(2):
        case = Case(7, Random("0 cells 7"), tmp_path)
        case.run = lambda *words: Outcome(2, "", "")  # type: ignore[method-assign]
        cells(case)
        made.append({file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()})
        for file in tmp_path.iterdir():
            file.unlink()
    assert made[0] == made[1]
    assert len(made[0]) > 5


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Watch:
    return Watch(tmp_path_factory.mktemp("inside"))


def connect(_: Path) -> None:
    with socket.socket() as opened:
        opened.connect(("127.0.0.1", 9))


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda _: subprocess.run(["true"], check=False),
        lambda _: os.system("true"),
        lambda _: socket.getaddrinfo("localhost", 80),
        connect,
        lambda outside: (outside / "file").write_text("a"),
        lambda outside: (outside / "folder").mkdir(),
        lambda outside: (outside / "link").symlink_to("a"),
    ],
)
def test_what_no_command_may_do(
    forbidden: Callable[[Path], object], watch: Watch, tmp_path: Path
) -> None:
    """It is prevented, and found also where the error is caught."""

    def caught() -> None:
        with pytest.raises(PermissionError):
            forbidden(tmp_path)

    with pytest.raises(AssertionError, match=r"subprocess|system|socket|open|mkdir|symlink"):
        watch.during(caught)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(1, "", "hemozoin: a"),
        Outcome(0, "", "Traceback (most recent call last):"),
        Outcome(0, "a.png,,,internal error: ValueError", ""),
        Outcome(2, "", "hemozoin: out of memory; use a smaller --batch"),
        Outcome(2, "", "hemozoin: " + "x" * 400),
        Outcome(2, "", "hemozoin: \x1b[2J"),
        Outcome(2, "", "another line"),
        Outcome(0, "", "x.py:1: UserWarning: a"),
    ],
)
def test_outcomes_that_are_wrong(outcome: Outcome) -> None:
    require_orderly(Outcome(2, "", "hemozoin: a.png: damaged PNG"))
    with pytest.raises(AssertionError):
        require_orderly(outcome)
