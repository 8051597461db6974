"""The command line: its verbs, and what it prints and returns after an error.

Each verb imports what it needs inside its function, so that `--help` is quick. An error that the
user can correct is one line and exit code 2. Ctrl-C is 130, SIGTERM 143 and a closed pipe 141, as a
shell reports them.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer, current_thread, main_thread
from types import FrameType

from cyclopts import App, CycloptsError, Parameter

from hemozoin.about import VERSION
from hemozoin.cli.verbs.crossval import crossval
from hemozoin.cli.verbs.demo import demo
from hemozoin.cli.verbs.download import download
from hemozoin.cli.verbs.evaluate import evaluate
from hemozoin.cli.verbs.export import export
from hemozoin.cli.verbs.inspect import inspect
from hemozoin.cli.verbs.predict import predict
from hemozoin.cli.verbs.review.audit import audit
from hemozoin.cli.verbs.review.recount import recount
from hemozoin.cli.verbs.review.reviews import reviews
from hemozoin.cli.verbs.screen import screen
from hemozoin.cli.verbs.serve import serve
from hemozoin.cli.verbs.sweep import sweep
from hemozoin.cli.verbs.train import train
from hemozoin.errors import HemozoinError
from hemozoin.files import is_disk_full
from hemozoin.progress import one_line

# The threads of GNU OpenMP spin while they wait for each other. If another program uses the cores,
# this makes training 50 times slower; with a short spin it is only 3 times slower.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

# OpenBLAS starts its threads when it is imported, which takes the processor half as long as all
# other imports. Our products of matrices are too small for several threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = App(
    name="hemozoin",
    help="MobileNet for malaria detection, trained and tested by patient.\n\n"
    "Research use only; not a medical device.",
    version=VERSION,
    default_parameter=Parameter(negative=""),
    suppress_keyboard_interrupt=False,  # `main` handles it
)

for verb in (
    audit,
    crossval,
    demo,
    download,
    evaluate,
    export,
    inspect,
    predict,
    recount,
    reviews,
    screen,
    serve,
    sweep,
    train,
):
    app.command(verb)
app.command(
    "hemozoin.cli.verbs.explain:explain_app",  # imported when it is used: it needs numpy
    name="explain",
    help="Show why MobileNet is cheap, with every number of its paper recomputed.",
)


#: Seconds after which an ignored exception is raised again: the destructor has ended by then.
_AGAIN = 0.1


class _Terminated(BaseException):
    """SIGTERM has arrived."""


#: What ends a command that is not a fault of this package.
_EXPECTED = (HemozoinError, CycloptsError, OSError, MemoryError)

#: What a shell reports for a program that was ended by SIGPIPE, which Windows doesn't have.
_BROKEN_PIPE = 128 + 13


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    _open_standard_streams()
    try:
        with _termination_as_exception():
            _require_no_empty_word(words)
            app(words, exit_on_error=False, print_error=False, result_action="return_value")
            sys.stdout.flush()
    except (*_EXPECTED, KeyboardInterrupt, _Terminated) as error:
        return _report(error, words)
    finally:
        _discard_unprinted_output()
    return 0


# ---- what is around the command ----------------------------------------------------------------


def _open_standard_streams() -> None:
    """Open the standard streams that the parent process has closed, so that nothing is lost.

    Otherwise a file of the command would become standard error, and libraries would write their
    messages into it.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal can show α


@contextmanager
def _termination_as_exception() -> Iterator[None]:
    """Raise _Terminated at SIGTERM, so that files are removed as after Ctrl-C.

    A second SIGTERM ends the process at once. torchrun ends its processes itself. Python ignores
    what is raised in a destructor or a callback that runs at the moment: it is then raised again.
    """
    is_default = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if not is_default or "WORLD_SIZE" in os.environ or current_thread() is not main_thread():
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise _Terminated

    timers: list[Timer] = []

    def raise_again(ignored: sys.UnraisableHookArgs) -> None:
        if ignored.exc_type is not _Terminated:
            report_ignored(ignored)
            return
        signal.signal(signal.SIGTERM, terminate)
        timers.append(Timer(_AGAIN, os.kill, (os.getpid(), signal.SIGTERM)))
        timers[-1].start()

    report_ignored, sys.unraisablehook = sys.unraisablehook, raise_again
    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        for timer in timers:  # the command may have ended before
            timer.cancel()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.unraisablehook = report_ignored


def _require_no_empty_word(words: list[str]) -> None:
    """Raise HemozoinError for an empty value: an empty path would mean the current folder."""
    for before, word in zip(["", *words], words, strict=False):
        name, equals, value = word.partition("=") if word.startswith("--") else (before, "=", word)
        if equals and not value.strip():
            where = name if name.startswith("-") else "an argument"
            raise HemozoinError(f"{where} is empty; is a variable of the shell not set?")


# ---- messages ----------------------------------------------------------------------------------


def _report(error: BaseException, words: list[str]) -> int:
    """Print what ended the command, and what to do, in one line; return the exit code."""
    match error:
        case _Terminated():
            return _print_error(f"stopped by SIGTERM; {_how_to_go_on(words)}", 128 + signal.SIGTERM)
        case KeyboardInterrupt():
            return _print_error(f"stopped; {_how_to_go_on(words)}", 128 + signal.SIGINT)
        case BrokenPipeError():  # `hemozoin predict ... | head`
            return _BROKEN_PIPE
        case OSError():
            return _print_error(_describe(error, words))
        case MemoryError():
            return _print_error("out of memory; use a smaller --batch, --size or --alpha")
        case _:
            return _print_error(_with_advice(error, words))


#: The verbs that keep what they have done, and do only the rest.
_RESUMED = ("crossval", "download", "screen", "serve", "sweep")


def _how_to_go_on(words: list[str]) -> str:
    """Return what a stopped command has saved, and how to resume it."""
    saved = {"train": "finished epochs are saved; "}
    saved |= dict.fromkeys(_RESUMED, "what is finished is saved; ")
    return saved.get(" ".join(words[:1]), "") + _how_to_resume(words)


def _how_to_resume(words: list[str]) -> str:
    verb, *options = words or [""]
    again = "run the same command again"
    if verb == "train" and not any(option.startswith("--resume") for option in options):
        return f"resume with hemozoin train --resume RUN; if RUN has no config.json, {again}"
    return f"{again} to resume" if verb in _RESUMED else again


def _describe(error: OSError, words: list[str]) -> str:
    if isinstance(error, FileNotFoundError) and not error.filename:
        return "the current folder has been removed; change to another"
    where = f"{error.filename}: " if error.filename else ""
    if error.strerror == os.strerror(errno.EEXIST):
        return f"{where}is a file, but a folder is needed; give another name"
    if is_disk_full(error):
        return f"{where}disk full; free some space; {_how_to_resume(words)}"
    return f"{where}{error.strerror or error}"


def _with_advice(error: BaseException, words: list[str]) -> str:
    """Return the message, with what to do if it ends with the reason that the disk is full."""
    cause = error.__cause__
    if isinstance(cause, OSError) and is_disk_full(cause) and str(error).endswith(")"):
        return f"{error}; free some space; {_how_to_resume(words)}"
    return str(error)


def _print_error(message: str, code: int = 2) -> int:
    with suppress(OSError):  # the terminal is closed
        print(f"hemozoin: {one_line(message)}", file=sys.stderr, flush=True)
    return code


def _discard_unprinted_output() -> None:
    """Keep Python from reporting at exit that a standard stream is closed or full."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
