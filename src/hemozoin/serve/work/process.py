"""Start processes of Python beside the server.

They give way to it: screening gets the processor time that the page leaves.
"""

from __future__ import annotations

import os
import subprocess
import sys

#: How much a process gives way, as for the command nice.
_NICE = 10


def python_command(module: str) -> list[str]:
    """Return the command that calls `main` of a module, which returns the exit code."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from {module} import main; sys.exit(main())"
    return [sys.executable, "-c", code]


def one_thread() -> dict[str, str]:
    """Return the environment of a process that computes in one thread."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def start_python(module: str) -> subprocess.Popen[str]:
    """Start a process that calls `main` of a module; pipes of text connect it with this one."""
    return subprocess.Popen(
        python_command(module),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=one_thread(),
    )


def give_way() -> None:
    """Let the server go first, where the system can."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
