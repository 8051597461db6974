"""What the README says can be done, can be done; what it says was measured, was measured."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import readme
from hemozoin.cli import app

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("hemozoin ")]


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_readme_is_understood(line: str) -> None:
    function, bound, *_ = app.parse_args(
        shlex.split(line)[1:], exit_on_error=False, print_error=False
    )
    assert callable(function)
    assert bound.arguments or line == "hemozoin download"


def test_the_readme_names_every_make_target() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for target in set(targets) - {"clean"}:
        assert f"make {target}" in TEXT


@pytest.mark.parametrize(("path", "name"), readme.PLACES, ids=lambda value: str(value)[-12:])
def test_measured_figures_are_those_of_the_results(path: Path, name: str) -> None:
    assert path.read_text(encoding="utf-8") == readme.updated(path, name)


def test_python_in_the_readme_names_what_there_is() -> None:
    import hemozoin  # noqa: PLC0415

    names = re.findall(r"hemozoin\.(\w+)\(", TEXT)
    assert len(names) > 5
    for name in names:
        assert name in hemozoin.__all__
