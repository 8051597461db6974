"""The command line: one verb, one file; what a verb needs is imported inside its function.

An error that the user can put right is one line and exit code 2; Ctrl-C is 130.
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

# GNU OpenMP's threads spin while they wait for each other. Where anything else wants the cores,
# that makes training 50 times slower; a short spin costs nothing and makes it 3 times slower.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

app = App(
    name="hemozoin",
    help="MobileNet for malaria detection, trained and judged by patient.\n\n"
    "Research use only; not a medical device.",
    version=VERSION,
    default_parameter=Parameter(negative=""),
    suppress_keyboard_interrupt=False,  # `main` answers it
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
    if sys.stdout is None:  # closed by who started us
        sys.stdout = io.StringIO()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal knows α
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain(f"stopped; {_how_to_go_on(arguments)}", 130)
    except BrokenPipeError:  # `hemozoin predict ... | head`
        return 0
    except OSError as error:
        return _complain(_of_the_system(error, _how_to_go_on(arguments)))
    except MemoryError:
        return _complain("out of memory; take a smaller --batch, --size or --alpha")
    except (HemozoinError, CycloptsError) as error:
        return _complain(str(error))
    finally:
        _give_up_what_cannot_be_printed()
    return 0


def _how_to_go_on(arguments: list[str] | None) -> str:
    if (sys.argv[1:] if arguments is None else arguments)[:1] == ["screen"]:
        return "the same command goes on where it was"
    return "a run goes on with hemozoin train --resume RUN"


def _of_the_system(error: OSError, how_to_go_on: str) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where}disk full; make room; {how_to_go_on}"
    return f"{where}{error.strerror or error}"


def _complain(message: str, code: int = 2) -> int:
    print(f"hemozoin: {' '.join(message.split())}", file=sys.stderr)
    return code


def _give_up_what_cannot_be_printed() -> None:
    """Let Python not complain at its end that standard output is closed or full."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
