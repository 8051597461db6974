"""What must be true of every command, whatever it is given.

- Exit code 0 or 2, no exception, no traceback, no "internal error".
- Messages are short lines of printable text.
- At most `MOST_SECONDS` of the process's own time, and `MOST_MEMORY` bytes at its peak.
- No process is started, no connection made, and nothing is written outside the case's folder.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from random import Random
from typing import TextIO

from hemozoin.cli.main import main
from tests.support.commands import Outcome
from tests.support.killing import IMPORTED

#: Seconds of its own time that a process may need for a command. The slowest needs 3.9 s, and half
#: as much again on a core whose other half is busy.
MOST_SECONDS = 10.0

#: Bytes of memory that a process may need, with all that it has imported.
MOST_MEMORY = 2 * 10**9

#: Bytes after which a process gets no more: the machine has to survive the campaign.
_MEMORY_LIMIT = 6 * 10**9

#: Characters of a line on standard error.
_LONGEST_LINE = 400

#: Events of Python's audit hooks that stand for a process, a connection, a change to the disk.
_STARTS = ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system")
_CONNECTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
_CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.chmod")


@dataclass
class Case:
    """One case: its number, its random numbers, an empty folder, and what its commands needed."""

    number: int
    rng: Random
    folder: Path
    seconds: float = 0.0
    """The longest command, in seconds of the process's own time."""
    memory: int = 0
    """The peak, in bytes."""
    inputs: int = 1
    """How many pictures, zips, folders or states the case has."""
    commands: list[str] = field(default_factory=list)

    def run(self, *arguments: object) -> Outcome:
        """Run a command; raises AssertionError where it does not end as it must."""
        words = [str(argument) for argument in arguments]
        self.commands.append(" ".join(words))
        began = time.process_time()
        outcome = _captured(words)
        self.measured(time.process_time() - began, peak_memory())
        require_orderly(outcome)
        return outcome

    def measured(self, seconds: float, memory: int) -> None:
        """Keep what a command needed; raises AssertionError where it is too much."""
        self.seconds, self.memory = max(self.seconds, seconds), max(self.memory, memory)
        assert seconds <= MOST_SECONDS, f"{seconds:.1f} s"
        assert memory <= MOST_MEMORY, f"{memory / 1e6:,.0f} MB"


def require_orderly(outcome: Outcome) -> None:
    """Require an exit code, and messages, that are for the user."""
    assert outcome.code in (0, 2), f"exit code {outcome.code}: {outcome.err[-2000:]}"
    for text in (outcome.out, outcome.err):
        for word in ("Traceback", "internal error", "out of memory", "Warning"):
            assert word not in text, text[-2000:]
    for line in outcome.err.splitlines():
        assert line.isprintable(), repr(line)
        assert len(line) < _LONGEST_LINE, f"{len(line)} characters: {line}"
    if outcome.code:
        assert outcome.err.splitlines()[-1].startswith("hemozoin: "), outcome.err


def _captured(words: list[str]) -> Outcome:
    """Run a command, and return what it printed; nothing else in the process may print."""
    code = main(words)
    out, err, libraries = (_text(stream) for stream in (sys.stdout, sys.stderr, sys.__stderr__))
    assert libraries == "", libraries[:2000]
    return Outcome(code, out, err)


def _text(stream: TextIO | None) -> str:
    """Return what was printed to a stream of `print_into`, and empty its file."""
    assert stream is not None
    stream.flush()
    number = stream.fileno()
    content = os.pread(number, os.fstat(number).st_size, 0)
    os.ftruncate(number, 0)
    return content.decode(errors="replace")


def print_into(folder: Path) -> None:
    """Let this process print into files, and the libraries in C into another one."""
    opened = [
        os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        for name in ("stdout", "stderr", "libraries")
    ]
    for number in (1, 2):
        os.dup2(opened[2], number)
    sys.stdout, sys.stderr = (os.fdopen(file, "w", encoding="utf-8") for file in opened[:2])


def import_all() -> None:
    """Import what the verbs need, so that no case waits for it."""
    for module in IMPORTED:
        import_module(module)


def limit_memory() -> None:
    """Give this process no more than `_MEMORY_LIMIT`."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_LIMIT, _MEMORY_LIMIT))


def reset_peak_memory() -> None:
    """Begin to measure; only Linux can do this, elsewhere the peak is that of all cases so far."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Return the largest memory of this process in bytes."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


class Watch:
    """An audit hook: prevents and remembers what no command may do; it can't be removed."""

    def __init__(self, root: Path) -> None:
        self._root, self._watching = root, False
        self.seen: list[str] = []
        sys.addaudithook(self._audit)

    def during(self, work: Callable[[], None]) -> None:
        """Do the work; raises AssertionError if it did what no command may."""
        self.seen.clear()
        self._watching = True
        try:
            work()
        finally:
            self._watching = False
        assert not self.seen, self.seen[:5]

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._watching:
            return
        forbidden = (
            event in _STARTS
            or (event in _CONNECTS and not _is_local(arguments))
            or (event in _CHANGES and any(map(self._is_outside, _changed_paths(event, arguments))))
            or (event == "open" and _writes(arguments) and self._is_outside(arguments[0]))
        )
        if forbidden:
            self.seen.append(f"{event} {arguments!r}"[:300])
            raise PermissionError(f"no command may do this: {event}")

    def _is_outside(self, path: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False  # an open file, which was opened by its name before
        name = os.fsdecode(path)
        return name != os.devnull and self._root not in Path(name).absolute().parents


def _changed_paths(event: str, arguments: tuple[object, ...]) -> tuple[object, ...]:
    """Return the paths that change; none where they are relative to an open folder."""
    folder = arguments[-1]
    if isinstance(folder, int) and folder >= 0:
        return ()
    if event in ("os.link", "os.symlink"):
        return (arguments[1],)
    return arguments[:2] if event == "os.rename" else arguments[:1]


def _writes(arguments: tuple[object, ...]) -> bool:
    _, _, flags = arguments
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _is_local(arguments: tuple[object, ...]) -> bool:
    """Return whether a connection is to another process of this machine, by a file's name."""
    return isinstance(arguments[-1], str | bytes)
