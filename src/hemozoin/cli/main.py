"""The command line: its verbs, and what it prints and returns after an error.

Each verb imports what it needs inside its function, so that `--help` is quick. An error that the
user can correct is one line and exit code 2; Ctrl-C is exit code 130.
"""

from __future__ import annotations

import errno
import io
import os
import sys

from cyclopts import App, CycloptsError, Parameter

from hemozoin.about import VERSION
from hemozoin.cli.verbs.crossval import crossval
from hemozoin.cli.verbs.demo import demo
from hemozoin.cli.verbs.download import download
from hemozoin.cli.verbs.evaluate import evaluate
from hemozoin.cli.verbs.explain import explain_app
from hemozoin.cli.verbs.export import export
from hemozoin.cli.verbs.inspect import inspect
from hemozoin.cli.verbs.predict import predict
from hemozoin.cli.verbs.screen import screen
from hemozoin.cli.verbs.sweep import sweep
from hemozoin.cli.verbs.train import train
from hemozoin.errors import HemozoinError
from hemozoin.progress import one_line

# The threads of GNU OpenMP spin while they wait for each other. If another program uses the cores,
# this makes training 50 times slower; with a short spin it is only 3 times slower.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

app = App(
    name="hemozoin",
    help="MobileNet for malaria detection, trained and tested by patient.\n\n"
    "Research use only; not a medical device.",
    version=VERSION,
    default_parameter=Parameter(negative=""),
    suppress_keyboard_interrupt=False,  # `main` handles it
)

for verb in (
    crossval,
    demo,
    download,
    evaluate,
    export,
    inspect,
    predict,
    screen,
    sweep,
    train,
):
    app.command(verb)
app.command(explain_app)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    if sys.stdout is None:  # the parent process closed it
        sys.stdout = io.StringIO()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal can show α
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _print_error(f"stopped; {_how_to_resume(arguments)}", 130)
    except BrokenPipeError:  # `hemozoin predict ... | head`
        return 0
    except OSError as error:
        return _print_error(_describe(error, _how_to_resume(arguments)))
    except MemoryError:
        return _print_error("out of memory; use a smaller --batch, --size or --alpha")
    except (HemozoinError, CycloptsError) as error:
        return _print_error(_with_advice(error, _how_to_resume(arguments)))
    finally:
        _discard_unprinted_output()
    return 0


#: The verbs that keep what they have done, and do only the rest.
_RESUMED = ("crossval", "download", "screen", "sweep")


def _how_to_resume(arguments: list[str] | None) -> str:
    """Return what to do after the command was stopped, or after a full disk."""
    verb, *options = (sys.argv[1:] if arguments is None else arguments) or [""]
    again = "run the same command again"
    if verb == "train" and "--resume" not in options:
        return f"resume with hemozoin train --resume RUN; if RUN has no config.json, {again}"
    return f"{again} to resume" if verb in _RESUMED else again


def _describe(error: OSError, how_to_resume: str) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if _is_disk_full(error):
        return f"{where}disk full; free some space; {how_to_resume}"
    return f"{where}{error.strerror or error}"


def _with_advice(error: Exception, how_to_resume: str) -> str:
    """Return the message, with what to do if it ends with the reason that the disk is full."""
    cause = error.__cause__
    if isinstance(cause, OSError) and _is_disk_full(cause) and str(error).endswith(")"):
        return f"{error}; free some space; {how_to_resume}"
    return str(error)


def _is_disk_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _print_error(message: str, code: int = 2) -> int:
    print(f"hemozoin: {one_line(message)}", file=sys.stderr)
    return code


def _discard_unprinted_output() -> None:
    """Keep Python from reporting at exit that standard output is closed or full."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
