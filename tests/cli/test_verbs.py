"""The command line itself: help, streams, signals, and torch only where it is needed."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from signal import SIGTERM
from typing import get_args

import pytest
from PIL import Image

from hemozoin import __version__
from hemozoin.cli.main import app, main
from hemozoin.cli.options import Preset
from hemozoin.data import source
from hemozoin.training.recipe import PRESETS
from tests.conftest import make_zip, png
from tests.support.commands import QUICK, hemozoin, quiet, refused, start, succeed
from tests.support.smears import make_fields

#: The columns that describe the prediction for a cell.
PREDICTION = ("label", "decision", "p_parasitized", "reason")

#: A line of the help that begins with an option, and so is not the rest of an explanation.
OPTION = re.compile(r"│ (\*  |   )?([A-Z]+ )?--")

VERBS = (
    *("train", "crossval", "sweep", "demo"),
    *("evaluate", "predict", "inspect", "download", "serve"),
    *("screen", "audit", "recount", "reviews"),
)


def test_without_arguments_it_prints_the_help() -> None:
    shown = succeed()
    assert shown == succeed("--help")
    assert all(verb in shown for verb in VERBS)
    assert "not a medical device" in shown


def test_help_waits_for_no_large_library() -> None:
    code = (
        "import sys; from hemozoin.cli.main import main;"
        "[main(verb + ['--help']) for verb in ([], ['train'], ['predict'])];"
        "print({'numpy', 'PIL', 'onnxruntime'} & {*sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=quiet(), check=True, capture_output=True
    )
    assert done.stderr.strip() == b"set()"


def test_the_presets_are_those_of_the_recipe() -> None:
    assert get_args(Preset) == tuple(PRESETS)


def test_version() -> None:
    assert succeed("--version").strip() == __version__


@pytest.mark.slow
def test_help_and_inspect_do_not_load_torch(cells_folder: Path) -> None:
    commands = [["--help"], *([verb, "--help"] for verb in VERBS), ["inspect", str(cells_folder)]]
    code = (
        "import sys; sys.modules['torch'] = None; from hemozoin.cli.main import main;"
        f"sys.exit(max(main(command) for command in {commands}))"
    )
    subprocess.run([sys.executable, "-c", code], env=quiet(), check=True, stdout=subprocess.PIPE)


@pytest.mark.parametrize("verb", ["train", "crossval", "demo"])
def test_without_torch_the_message_has_the_line_that_installs_it(
    verb: str, tmp_path: Path, cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    data = [] if verb == "demo" else [cells_zip]
    assert "pip install 'hemozoin[train]'" in refused(verb, *data, "--out", tmp_path / "x")


def test_every_option_is_explained() -> None:
    for verb in VERBS:
        lines = succeed(verb, "--help").splitlines()
        options = [line for line in lines if OPTION.match(line)]
        assert options
        for line in options:
            assert len(line.strip("│ *").split("  ")) > 1, line


def test_an_error_is_one_line_for_any_name(tmp_path: Path) -> None:
    line = refused("inspect", tmp_path / "two\nlines\r\tand more")
    assert "two lines and more" in line


@pytest.mark.slow
def test_it_ends_quietly_if_the_reader_closes_the_pipe(finished_run: Path) -> None:
    paths = [finished_run.parent / "cells.zip"] * 10  # more rows than fit in a pipe
    with start("predict", *paths, "--model", finished_run / "model") as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "cell,label,decision,p_parasitized,reason,file,error\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 128 + signal.SIGPIPE  # as a shell reports it


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("verb", ["inspect", "predict"])
def test_standard_output_is_full(verb: str, finished_run: Path) -> None:
    model = ["--model", finished_run / "model"] if verb == "predict" else []
    with (
        Path("/dev/full").open("w") as full,
        start(verb, finished_run.parent / "cells.zip", *model, stdout=full) as process,
    ):
        assert process.stderr
        lines = process.stderr.read().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("hemozoin: disk full; free some space")
    assert process.returncode == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_standard_streams_are_closed_or_full(
    closed: str, tmp_path: Path, cells_zip: Path, finished_run: Path
) -> None:
    model, fields = finished_run / "model", make_fields(tmp_path / "smears", "1.png")
    commands = {
        "table.csv": f"predict {cells_zip} --model {model} --out table.csv",
        "screened/slide.json": f"screen {fields} --model {model} --out screened",
    }
    if closed not in ("2>&-", ">&-"):  # training starts slowly
        train = f"train {cells_zip} --out run {' '.join(map(str, QUICK))}"
        commands["run/model/SHA256SUMS"] = train
    for written, command in commands.items():
        shell = f"'{sys.executable}' -m hemozoin {command} {closed}"
        done = subprocess.run(
            ["sh", "-c", shell], cwd=tmp_path, env=quiet(), check=False, capture_output=True
        )
        assert done.returncode == 0, shell
        assert b"Traceback" not in done.stdout + done.stderr
        assert (tmp_path / written).exists()
    assert (tmp_path / "table.csv").read_text().count("\n") == 49


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_messages_are_not_in_the_table_if_standard_error_is_closed(tmp_path: Path) -> None:
    """Python prints what is for a closed standard error on standard output."""
    black = make_zip(tmp_path / "black.zip", {"1.png": png(Image.new("RGB", (40, 40)))})
    shell = f"'{sys.executable}' -m hemozoin predict {black}"
    for closed in ("", "2>&-"):
        done = subprocess.run(
            ["sh", "-c", f"{shell} {closed}"], env=quiet(), check=True, capture_output=True
        )
        assert done.stdout.count(b"\n") == 2
        assert (b"pictures without a single cell" in done.stderr) == (closed == "")


@pytest.mark.slow
def test_a_terminal_without_unicode(finished_run: Path) -> None:
    data, model = finished_run.parent / "cells.zip", finished_run / "model"
    ascii_only = quiet() | {"PYTHONIOENCODING": "ascii"}
    with start("evaluate", data, "--model", model, env=ascii_only) as process:
        out, err = process.communicate()
    assert process.returncode == 0
    assert err.startswith("WARNING: SEEN IN TRAINING") and err.count("\n") == 1
    assert "95 % intervals" in out
    assert "?" in out  # for the dash of an interval


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "x.csv"),
            "x.csv: disk full; free some space",
        ),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk full; free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "x.csv"), "x.csv: Permission denied"),
        (MemoryError(), "out of memory"),
    ],
    ids=["full", "quota", "permission", "memory"],
)
def test_errors_of_the_operating_system(
    error: Exception, message: str, cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: source.ZipSource) -> None:
        raise error

    monkeypatch.setattr(source.ZipSource, "entries", fail)
    assert message in refused("inspect", cells_zip)


def test_a_bug_is_not_hidden(cells_zip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(self: source.ZipSource) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(source.ZipSource, "entries", bug)
    with pytest.raises(ZeroDivisionError):
        hemozoin("inspect", cells_zip)


def test_ctrl_c_is_130_and_one_line(cells_zip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: source.ZipSource) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(source.ZipSource, "entries", interrupt)
    outcome = hemozoin("inspect", cells_zip)
    assert outcome.code == 130
    assert outcome.err == "hemozoin: stopped; run the same command again\n"
    assert hemozoin("train", cells_zip, "--out", "RUN").err == (
        "hemozoin: stopped; finished epochs are saved; resume with hemozoin train --resume RUN;"
        " if RUN has no config.json, run the same command again\n"
    )


def test_sigterm_is_143_and_one_line(cells_zip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source.ZipSource, "entries", lambda self: os.kill(os.getpid(), SIGTERM))
    outcome = hemozoin("inspect", cells_zip)
    assert outcome.code == 143
    assert outcome.err == "hemozoin: stopped by SIGTERM; run the same command again\n"
    assert signal.getsignal(SIGTERM) == signal.SIG_DFL
    assert hemozoin("train", cells_zip, "--out", "RUN").err == (
        "hemozoin: stopped by SIGTERM; finished epochs are saved; resume with hemozoin train"
        " --resume RUN; if RUN has no config.json, run the same command again\n"
    )
    for verb in ("crossval", "sweep"):
        line = hemozoin(verb, cells_zip, "--out", "OUT").err
        assert "what is finished is saved; run the same command again to resume" in line


@pytest.mark.slow
def test_a_run_that_sigterm_stopped_is_resumed(tmp_path: Path, cells_zip: Path) -> None:
    out = tmp_path / "out"
    many = ("--size", 32, "--epochs", 30, "--batch", 16)
    with start("train", cells_zip, "--out", out, *many) as process:
        assert process.stderr
        while "epoch 2:" not in process.stderr.readline():
            assert process.poll() is None
        process.terminate()
        *_, last = process.stderr.read().splitlines()
    assert process.returncode == 143
    assert "finished epochs are saved" in last
    assert not [*out.rglob("*.partial")]
    assert (out / "results.csv").read_text().count("\n") < 31
    succeed("train", "--resume", out)
    assert (out / "results.csv").read_text().count("\n") == 31


def test_a_sigterm_during_a_destructor_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    class Freed:
        def __del__(self) -> None:
            signal.raise_signal(SIGTERM)

    def verb(*_: object, **__: object) -> None:
        Freed()  # what is raised there is ignored
        time.sleep(30)

    monkeypatch.setattr("hemozoin.cli.main.app", verb)
    hook, started = sys.unraisablehook, time.monotonic()
    assert main([]) == 143
    assert time.monotonic() - started < 20
    assert sys.unraisablehook is hook
    assert signal.getsignal(SIGTERM) == signal.SIG_DFL


def test_a_sigterm_that_was_ignored_does_not_end_what_comes_after_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Freed:
        def __del__(self) -> None:
            signal.raise_signal(SIGTERM)

    monkeypatch.setattr("hemozoin.cli.main.app", lambda *_, **__: Freed() and None)
    assert main([]) == 0
    time.sleep(0.3)  # it would come after 0.1 s, and end this process


@pytest.mark.slow
def test_json_is_json(finished_run: Path) -> None:
    data, model = finished_run.parent / "cells.zip", finished_run / "model"
    inspection = json.loads(succeed("inspect", data, "--json"))
    assert inspection["cells"] == 72
    evaluation = json.loads(succeed("evaluate", data, "--model", model, "--json"))
    assert evaluation["labels_as_given"]["cells"] == 72
    rows = succeed("predict", data, "--model", model, "--json").splitlines()
    assert [*json.loads(rows[0])] == ["cell", *PREDICTION, "file", "error"]
    assert len(rows) == 72


def test_inspect_writes_its_page(tmp_path: Path, cells_zip: Path) -> None:
    page = tmp_path / "new" / "page.html"
    assert "48 cells" in succeed("inspect", cells_zip, "--html", page)
    assert page.read_text().startswith("<!doctype html>")


def test_demo_does_not_remove_other_files(tmp_path: Path, cells_zip: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    assert "nothing is removed" in refused("demo", "--out", tmp_path / "out", "--data", cells_zip)
    assert os.listdir(tmp_path / "out") == ["thesis.tex"]  # noqa: PTH208


def test_download_does_not_overwrite_another_file(tmp_path: Path) -> None:
    (tmp_path / "cell_images.zip").write_text("something else")
    assert "cell_images.zip" in refused("download", tmp_path / "cell_images.zip")


@pytest.mark.slow
def test_python_dash_m_is_the_same_command() -> None:
    with start("--version") as process:
        assert process.communicate()[0].strip() == __version__
    assert process.returncode == 0
    assert app.name == ("hemozoin",)


@pytest.mark.slow
def test_an_old_option_name_still_works(tmp_path: Path, cells_zip: Path) -> None:
    """--recipe is the old name of --preset."""
    options = ("--recipe", "paper", *QUICK)
    succeed("train", cells_zip, "--out", tmp_path / "out", *options)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["recipe"]["optimizer"] == "rmsprop"
    assert config["recipe"]["size"] == 32
