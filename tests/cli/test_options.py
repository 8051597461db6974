"""Values of options: a number outside its range, or an empty value, is refused in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from hemozoin.cli.main import app
from tests.support.commands import refused, tree

#: The commands that `hemozoin` has, `explain network` too.
COMMANDS = [
    *(name for name in app if not name.startswith("-")),
    *(f"explain {name}" for name in app["explain"] if not name.startswith("-")),
]

#: What each command needs besides the option that is tried.
NEEDED: dict[str, tuple[str, ...]] = {
    "audit": ("slide", "--out", "out.csv"),
    "crossval": ("cells.zip", "--out", "out"),
    "demo": ("--out", "out"),
    "evaluate": ("cells.zip", "--out", "out"),
    "export": ("nowhere", "--out", "out"),
    "inspect": ("cells.zip",),
    "predict": ("cells.zip",),
    "screen": ("cells.zip", "--out", "out"),
    "sweep": ("cells.zip", "--out", "out"),
    "train": ("cells.zip", "--out", "out"),
}

WHOLE = (
    "-1",
    "2.7",
    "nan",
    "inf",
    "two",
    "99999999999999999999",
    "1" + "0" * 400,
    "1" + "0" * 5000,
)
FRACTIONS = ("-1", "nan", "inf", "-inf", "1e300", "1e400", "1" + "0" * 400, "half")

#: Options whose value is a list of numbers.
LISTS = {
    "--alphas": FRACTIONS,
    "--sizes": WHOLE,
    "--tables": WHOLE,
    "--input": tuple(f"{value}x12x3" for value in WHOLE),
    "--kernel": WHOLE,
}

#: What an option is called in its message, if this is not its name.
SAYS = {"--alphas": "alpha", "--sizes": "size", "--rbc-per-ul": "red cells per µL"}


def options(command: str) -> Iterator[tuple[str, Any]]:
    """Yield the name and the type of each option of a command."""
    found: App = app
    for name in command.split():
        found = found[name]
    for argument in found.assemble_argument_collection():
        if argument.name.startswith("--"):
            yield argument.name, argument.hint


def wrong_numbers() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield command, option and values for each option that is a number."""
    for command in COMMANDS:
        for option, kind in options(command):
            if kind in (int, int | None):
                yield command, option, WHOLE
            elif kind in (float, float | None):
                yield command, option, FRACTIONS
            elif option in LISTS:
                yield command, option, LISTS[option]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, cells_zip: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("command", "option", "values"), [*wrong_numbers()])
def test_a_number_out_of_range(
    command: str, option: str, values: tuple[str, ...], folder: Path, cache: Path
) -> None:
    before, says = tree(folder), SAYS.get(option, option[2:].replace("-", "_"))
    for value in values:
        line = refused(*command.split(), *NEEDED.get(command, ()), f"{option}={value}")
        assert says in line or option in line
    assert tree(folder) == before
    assert not cache.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_value(command: str, folder: Path) -> None:
    """An empty path would mean the current folder: a variable of the shell may not be set."""
    before, needed = tree(folder), NEEDED.get(command, ())
    for option, kind in options(command):
        if kind is not bool:
            for empty in ((f"{option}=",), (option, ""), (option, " ")):
                line = refused(*command.split(), *needed, *empty)
                assert line == f"hemozoin: {option} is empty; is a variable of the shell not set?\n"
    assert "is empty" in refused(*command.split(), "", *needed)
    assert tree(folder) == before
