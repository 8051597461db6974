"""A command that is killed, or finds the disk full, and is given again: it ends as if undisturbed.

By default some of the changes to the disk are tried. All of them take half an hour:

    EVERY_CHANGE=1 pytest tests/cli/test_killed.py
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hemozoin.data import download
from hemozoin.data.download import PublishedFile
from hemozoin.demo import demo
from hemozoin.demo import smear as demo_smear
from hemozoin.export.parity import Parity
from hemozoin.synthetic.smear import write_smear
from tests.conftest import make_cells
from tests.support.commands import QUICK
from tests.support.killing import Fault, Place, content, start_server
from tests.support.smears import make_fields

pytestmark = pytest.mark.slow

EVERY_CHANGE = "EVERY_CHANGE" in os.environ

#: A command: the words, given the files that it reads and the folder that it writes to.
Words = Callable[[Path, Path], tuple[object, ...]]


@dataclass(frozen=True)
class Case:
    """A command, how often it is disturbed by default, and what it says about a full disk."""

    words: Words
    tries: int
    says: str = "free some space; run the same command again"
    resume: Words | None = None
    """The command after the first, where RUN/config.json exists."""
    before: Callable[[], None] | None = None
    """Is called in the process of the command."""
    fill: Callable[[Path, Path], object] | None = None
    """Writes the files that the folder has in the beginning."""
    cold: bool = False
    """Whether the cells are decoded."""


def without_limits() -> None:
    """Export a network that has learned nothing."""
    Parity.require = lambda self: None  # type: ignore[method-assign]


def download_from(published: PublishedFile) -> None:
    download.download.__defaults__ = (published,)


def small_demo() -> None:
    demo.PATIENTS, demo.CELLS_PER_PATIENT = 12, 4
    demo.DEMO = replace(demo.DEMO, epochs=1, batch=16, size=32)
    demo_smear._TEST_FIELDS = 0
    demo_smear.balanced_accuracy = lambda network, smears: 0.5
    setattr(demo_smear, "write_smear", partial(write_smear, fields=1, cells=10))  # noqa: B010


TRAIN = "free some space; resume with hemozoin train --resume RUN"

CASES = {
    "train": Case(
        lambda given, out: ("train", given / "cells.zip", "--out", out / "run", *QUICK),
        tries=10,
        says="free some space",
        resume=lambda _, out: ("train", "--resume", out / "run"),
        cold=True,
    ),
    "train --overwrite": Case(
        lambda given, out: (
            *("train", given / "cells.zip", "--out", out / "run", *QUICK),
            *("--seed", 1, "--overwrite"),
        ),
        tries=4,
        says=TRAIN,
        fill=lambda given, out: shutil.copytree(given / "run", out / "run"),
    ),
    "crossval": Case(
        lambda given, out: (
            *("crossval", given / "cells.zip", "--out", out / "out", *QUICK),
            *("--folds", 2, "--final"),
        ),
        tries=4,
    ),
    "sweep": Case(
        lambda given, out: (
            *("sweep", given / "cells.zip", "--out", out / "out", "--epochs", 1, "--size", 32),
            *("--alphas", 0.25, "--sizes", 32, "--tables", 7, "--seeds", 2),
        ),
        tries=4,
    ),
    "screen": Case(
        lambda given, out: ("screen", given / "smears", "--out", out / "out", "--coco"), tries=6
    ),
    "export": Case(
        lambda given, out: ("export", given / "run", "--out", out / "model"),
        tries=5,
        before=without_limits,
    ),
    "evaluate": Case(
        lambda given, out: (
            *("evaluate", given / "cells.zip", "--model", given / "run", "--out", out / "out"),
        ),
        tries=4,
    ),
    "evaluate into an empty folder": Case(
        lambda given, out: (
            *("evaluate", given / "cells.zip", "--model", given / "run", "--out", out / "out"),
        ),
        tries=2,
        fill=lambda _, out: (out / "out").mkdir(),
    ),
    "predict": Case(
        lambda given, out: (
            *("predict", given / "few", "--model", given / "run"),
            *("--out", out / "table.csv", "--explain", out / "cards"),
        ),
        tries=6,
    ),
    "predict to Parquet": Case(
        lambda given, out: (
            *("predict", given / "cells.zip", "--model", given / "run"),
            *("--out", out / "table.parquet"),
        ),
        tries=3,
    ),
    "inspect": Case(
        lambda given, out: ("inspect", given / "cells.zip", "--html", out / "page.html"), tries=2
    ),
    "explain": Case(
        lambda given, out: ("explain", "separable", "--html", out / "page.html"), tries=2
    ),
    "download": Case(
        lambda given, out: ("download", out / "new" / "cells.zip"),
        tries=3,
        says="then run the command again to resume",
    ),
    "demo": Case(
        lambda given, out: ("demo", "--out", out / "run"),
        tries=2,
        before=small_demo,
        cold=True,
    ),
}


@pytest.fixture(scope="module")
def given(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with a run, its cells, its cache, and two slides; it serves its files."""
    start_server()
    folder = finished_run.parent
    make_cells(folder / "few", patients=1, per_class=1)
    make_fields(folder / "smears", "left/1.png", "left/2.png", "right/1.png")
    handler = partial(SilentHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        (folder / "port").write_text(str(server.server_port))
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield folder
        server.shutdown()


class SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def undisturbed(given: Path) -> dict[str, tuple[dict[str, bytes], dict[Fault, int]]]:
    """Return what each command that has run writes, and how often it can be disturbed."""
    return {}


@pytest.mark.parametrize("fault", ["killed", "full"])
@pytest.mark.parametrize("name", CASES)
def test_the_command_given_again_ends_as_if_undisturbed(
    name: str,
    fault: Fault,
    given: Path,
    undisturbed: dict[str, tuple[dict[str, bytes], dict[Fault, int]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    case = CASES[name]
    folder = tmp_path_factory.getbasetemp() / "disturbed"  # the same for both faults
    place = Place(folder, folder / "cache" if case.cold else given / "cache")
    if name == "download":
        case = replace(case, before=partial(download_from, published(given)))
    words = case.words(given, folder)
    if name not in undisturbed:
        begin(case, place, given)
        ended = place.run(*words, before=case.before)
        assert ended.code == 0, ended.errors
        undisturbed[name] = content(folder), ended.faults
    expected, faults = undisturbed[name]
    for at in chosen(faults[fault], case.tries):
        begin(case, place, given)
        ended = place.run(*words, fault=fault, at=at, before=case.before)
        if fault == "killed":
            assert ended.code == -signal.SIGKILL, (at, ended.errors)
        else:
            require_advice(ended.code, ended.errors, case.says)
        resumed = case.resume is not None and (folder / "run" / "config.json").exists()
        again = case.resume(given, folder) if case.resume and resumed else words
        ended = place.run(*again, before=case.before)
        assert ended.code == 0, (at, ended.errors)
        assert content(folder) == expected, at


def begin(case: Case, place: Place, given: Path) -> None:
    place.clear()
    if case.fill:
        case.fill(given, place.folder)


def published(given: Path) -> PublishedFile:
    data = (given / "cells.zip").read_bytes()
    port = (given / "port").read_text()
    url = f"http://127.0.0.1:{port}/cells.zip"
    return PublishedFile(url, len(data), hashlib.sha256(data).hexdigest())


def chosen(count: int, tries: int) -> list[int]:
    """Return the numbers of the changes to try, out of 1 to `count`: the first, the last, ..."""
    if EVERY_CHANGE or count <= tries:
        return [*range(1, count + 1)]
    return sorted({1 + round(k * (count - 1) / (tries - 1)) for k in range(tries)})


def require_advice(code: int, errors: str, says: str) -> None:
    assert code == 2, errors
    *_, line = errors.splitlines()
    assert line.startswith("hemozoin: ")
    assert says in line, line
    assert "Traceback" not in errors
