"""Commands that are killed, or find the disk full, at one of their changes to the disk.

Then the command is given again, and has to end with the same bytes as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

from hemozoin.data import download
from hemozoin.data.download import PublishedFile
from hemozoin.data.store import cache_folder
from hemozoin.demo import demo
from hemozoin.demo import smear as demo_smear
from hemozoin.export.parity import Parity
from hemozoin.review import reviews
from hemozoin.synthetic.smear import write_smear
from tests.conftest import make_cells
from tests.fuzz.oracles import Case
from tests.support.commands import QUICK, succeed
from tests.support.killing import Ended, Fault, Place, content, start_server
from tests.support.smears import make_fields

#: A command: the words, given the files that it reads and the folder that it writes to.
Words = Callable[[Path, Path], tuple[object, ...]]


@dataclass(frozen=True)
class Command:
    """A command, how often `make test` disturbs it, and what it says about a full disk."""

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


def at_a_fixed_time() -> None:
    setattr(reviews, "time_of_review", lambda: "2026-03-11T09:30:00Z")  # noqa: B010


def small_demo() -> None:
    demo.PATIENTS, demo.CELLS_PER_PATIENT = 12, 4
    demo.DEMO = replace(demo.DEMO, epochs=1, batch=16, size=32)
    demo_smear._TEST_FIELDS = 0
    demo_smear.balanced_accuracy = lambda network, smears: 0.5
    setattr(demo_smear, "write_smear", partial(write_smear, fields=1, cells=10))  # noqa: B010


TRAIN = "free some space; resume with hemozoin train --resume RUN"

COMMANDS = {
    "train": Command(
        lambda given, out: ("train", given / "cells.zip", "--out", out / "run", *QUICK),
        tries=10,
        says="free some space",
        resume=lambda _, out: ("train", "--resume", out / "run"),
        cold=True,
    ),
    "train --overwrite": Command(
        lambda given, out: (
            *("train", given / "cells.zip", "--out", out / "run", *QUICK),
            *("--seed", 1, "--overwrite"),
        ),
        tries=4,
        says=TRAIN,
        fill=lambda given, out: shutil.copytree(given / "run", out / "run"),
    ),
    "crossval": Command(
        lambda given, out: (
            *("crossval", given / "cells.zip", "--out", out / "out", *QUICK),
            *("--folds", 2, "--final"),
        ),
        tries=4,
    ),
    "sweep": Command(
        lambda given, out: (
            *("sweep", given / "cells.zip", "--out", out / "out", "--epochs", 1, "--size", 32),
            *("--alphas", 0.25, "--sizes", 32, "--tables", 7, "--seeds", 2),
        ),
        tries=4,
    ),
    "screen": Command(
        lambda given, out: ("screen", given / "smears", "--out", out / "out", "--coco"), tries=6
    ),
    "audit": Command(
        lambda given, out: ("audit", given / "screened", "--cells", 4, "--out", out / "list.csv"),
        tries=3,
    ),
    "recount": Command(
        lambda given, out: ("recount", out / "out", "--reviews", given / "worklist.csv"),
        tries=6,
        before=at_a_fixed_time,
        fill=lambda given, out: shutil.copytree(given / "screened", out / "out"),
    ),
    "reviews": Command(
        lambda given, out: ("reviews", given / "reviewed", "--to", out / "cells"), tries=4
    ),
    "export": Command(
        lambda given, out: ("export", given / "run", "--out", out / "model"),
        tries=5,
        before=without_limits,
    ),
    "evaluate": Command(
        lambda given, out: (
            *("evaluate", given / "cells.zip", "--model", given / "run", "--out", out / "out"),
        ),
        tries=4,
    ),
    "evaluate into an empty folder": Command(
        lambda given, out: (
            *("evaluate", given / "cells.zip", "--model", given / "run", "--out", out / "out"),
        ),
        tries=2,
        fill=lambda _, out: (out / "out").mkdir(),
    ),
    "predict": Command(
        lambda given, out: (
            *("predict", given / "few", "--model", given / "run"),
            *("--out", out / "table.csv", "--explain", out / "cards"),
        ),
        tries=6,
    ),
    "predict to Parquet": Command(
        lambda given, out: (
            *("predict", given / "cells.zip", "--model", given / "run"),
            *("--out", out / "table.parquet"),
        ),
        tries=3,
    ),
    "inspect": Command(
        lambda given, out: ("inspect", given / "cells.zip", "--html", out / "page.html"), tries=2
    ),
    "explain": Command(
        lambda given, out: ("explain", "separable", "--html", out / "page.html"), tries=2
    ),
    "download": Command(
        lambda given, out: ("download", out / "new" / "cells.zip"),
        tries=3,
        says="then run the command again to resume",
    ),
    "demo": Command(
        lambda given, out: ("demo", "--out", out / "run"),
        tries=2,
        says="free some space",
        before=small_demo,
        cold=True,
    ),
}


class Kills:
    """Each command is disturbed at each of its changes to the disk, in any order."""

    def __init__(self, folder: Path) -> None:
        self._disturbed = Disturbed(folder)
        self._cases = [
            (name, fault, at)
            for name in COMMANDS
            for fault, count in self._disturbed.undisturbed(name)[1].items()
            for at in range(1, count + 1)
        ]
        Random(0).shuffle(self._cases)
        self.total = len(self._cases)

    def __call__(self, case: Case) -> None:
        name, fault, at = self._cases[case.number]
        case.commands.append(f"{name}: {fault} at change {at}")
        try:
            for ended in self._disturbed.disturb(name, fault, at):
                case.measured(ended.seconds, ended.memory)
        except BaseException:
            shutil.copytree(self._disturbed.place, case.folder / "disturbed")
            raise


class Disturbed:
    """Runs the commands, with and without a fault, on data that it makes in a folder."""

    def __init__(self, folder: Path) -> None:
        start_server()
        self._given, self.place = folder / "given", folder / "disturbed"
        self._undisturbed: dict[str, tuple[dict[str, bytes], dict[Fault, int]]] = {}
        self._given.mkdir(parents=True)
        make_given(self._given)
        self._published = serve(self._given, "cells.zip")

    def undisturbed(self, name: str) -> tuple[dict[str, bytes], dict[Fault, int]]:
        """Return what a command writes, and how often each fault can happen."""
        if name not in self._undisturbed:
            ended = self._run(name, self._begin(name))
            assert ended.code == 0, ended.errors
            self._undisturbed[name] = content(self.place), ended.faults
        return self._undisturbed[name]

    def disturb(self, name: str, fault: Fault, at: int) -> tuple[Ended, Ended]:
        """Let the fault number `at` happen to a command, run it again, and compare the files."""
        expected, _ = self.undisturbed(name)
        command = COMMANDS[name]
        first = self._run(name, self._begin(name), fault, at)
        if fault == "killed":
            assert first.code == -signal.SIGKILL, (at, first.errors)
        else:
            require_advice(first.code, first.errors, command.says)
        resumed = command.resume and (self.place / "run" / "config.json").exists()
        words = command.resume if command.resume and resumed else command.words
        second = self._run(name, words)
        assert second.code == 0, (at, second.errors)
        assert content(self.place) == expected, at
        return first, second

    def _begin(self, name: str) -> Words:
        """Make the folder as it is before the command, and return the command's words."""
        command = COMMANDS[name]
        self._place(command).clear()
        if command.fill:
            command.fill(self._given, self.place)
        return command.words

    def _run(self, name: str, words: Words, fault: Fault = "killed", at: int = 0) -> Ended:
        command = COMMANDS[name]
        before = partial(download_from, self._published) if name == "download" else command.before
        arguments = words(self._given, self.place)
        return self._place(command).run(*arguments, fault=fault, at=at, before=before)

    def _place(self, command: Command) -> Place:
        return Place(self.place, (self.place if command.cold else self._given) / "cache")


def make_given(folder: Path) -> None:
    """Write what the commands are given: a run, its cells, its cache, and two slides."""
    cells = make_cells(folder / "cells.zip", patients=9)
    succeed("train", cells, "--out", folder / "run", *QUICK)
    cache_folder().rename(folder / "cache")
    make_cells(folder / "few", patients=1, per_class=1)
    make_fields(folder / "smears", "left/1.png", "left/2.png", "right/1.png")
    make_reviewed(folder)


def make_reviewed(folder: Path) -> None:
    """Screen a slide, fill in a worklist of it, and count a copy of the slide with the answers."""
    screened, worklist = folder / "screened", folder / "worklist.csv"
    succeed("screen", folder / "smears" / "left", "--out", screened)
    succeed("audit", screened, "--cells", 6, "--out", worklist)
    header, *lines = worklist.read_text(encoding="utf-8").splitlines()
    answered = (line.removesuffix(",,,") + ",parasitized,ann," for line in lines)
    worklist.write_text("\n".join([header, *answered]), encoding="utf-8")
    shutil.copytree(screened, folder / "reviewed")
    succeed("recount", folder / "reviewed", "--reviews", worklist)


def serve(folder: Path, name: str) -> PublishedFile:
    """Serve the files of a folder for as long as this process runs; return one of them."""
    handler = partial(SilentHandler, directory=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    data = (folder / name).read_bytes()
    url = f"http://127.0.0.1:{server.server_port}/{name}"
    return PublishedFile(url, len(data), hashlib.sha256(data).hexdigest())


class SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def require_advice(code: int, errors: str, says: str) -> None:
    assert code == 2, errors
    *_, line = errors.splitlines()
    assert line.startswith("hemozoin: ")
    assert says in line, line
    assert "Traceback" not in errors
