"""ONNX Runtime's telemetry is off: a prediction writes no file and connects to nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PREDICT = """
import os
import hemozoin, numpy
found = hemozoin.load("nano").predict(numpy.full((60, 60, 3), 200, numpy.uint8))
assert found.p_parasitized is not None
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"  # for the processes that this one starts
"""


def predict(home: Path, *before: object) -> None:
    """Run a prediction in another process with this home folder; `before` is put before it."""
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if "TELEMETRY" not in key}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    command = [*map(str, before), sys.executable, "-c", PREDICT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_prediction_writes_no_file(tmp_path: Path) -> None:
    predict(tmp_path / "home")
    assert list((tmp_path / "home").rglob("*")) == []


@pytest.mark.slow
def test_a_prediction_connects_to_nothing(tmp_path: Path) -> None:
    """Sockets within the machine are allowed."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace, which lists the connections of a process")
    trace = tmp_path / "trace"
    predict(tmp_path / "home", "strace", "-f", "-e", "trace=network", "-o", trace)
    calls = trace.read_text(errors="replace").splitlines()
    assert any("exited with 0" in call for call in calls)
    assert [
        c for c in calls if re.search(r"connect\(|send(to|m?msg)\(", c) and "UNIX" not in c
    ] == []
