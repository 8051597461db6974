"""The commands in README and docs exist; the numbers in their tables are the measured ones."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import hemozoin
import minute
import readme
from hemozoin.cli.main import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]


def blocks(language: str) -> list[str]:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    found = [re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) for text in texts]
    return [block for page in found for block in page]


def commands() -> list[str]:
    joined = [block.replace("\\\n", " ") for block in blocks("sh")]
    lines = [line.split(" #")[0].strip() for block in joined for line in block.splitlines()]
    return sorted({line for line in lines if line})


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 15


@pytest.mark.slow
@pytest.mark.parametrize("line", commands())
def test_every_command_of_readme_and_docs_parses(line: str) -> None:
    match shlex.split(line):
        case ["hemozoin", *arguments]:
            require_parses(arguments)
        case ["torchrun", *_]:
            require_parses(shlex.split(line.partition("-m hemozoin ")[2]))
        case ["make", *targets]:
            for target in targets:
                assert "=" in target or f"\n{target}:" in MAKEFILE
        case ["python", script, *_]:
            assert (ROOT / script).is_file()
        case ["pip", "install", "."]:
            pass
        case ["pip", "install", what]:
            assert what.startswith(".[")
            assert set(what[2:-1].split(",")) <= set(EXTRAS)
        case ["curl", *_, url]:  # tests/serve/test_api.py asks the same paths
            assert url.startswith("http://127.0.0.1:8765/api/v1/slides")
        case _:
            pytest.fail("no test covers this command: write another one, or test it here")


def require_parses(arguments: list[str]) -> None:
    function, bound, *_ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    assert callable(function)
    without = ["--help"], ["download"], ["explain"], ["explain", "tables"], ["explain", "separable"]
    assert bound.arguments or arguments[-1:] == ["--help"] or arguments in without


def test_the_readme_names_every_make_target() -> None:
    targets = re.findall(r"^(\w+):", MAKEFILE, re.MULTILINE)
    for target in set(targets) - {"clean"}:
        assert f"make {target}" in TEXT


def test_the_claim_in_line_2_is_that_of_the_rows() -> None:
    _, line_2, *_ = Path(minute.__file__).read_text(encoding="utf-8").splitlines()
    assert line_2 == f"# {minute.claim()}"


@pytest.mark.parametrize(("path", "name"), readme.PLACES, ids=lambda value: str(value)[-12:])
def test_tables_show_the_measured_results(path: Path, name: str) -> None:
    assert path.read_text(encoding="utf-8") == readme.updated(path, name)


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.splitlines()[0])
def test_names_in_python_of_readme_and_docs_exist(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        match node:
            case ast.Attribute(value=ast.Name(id="hemozoin"), attr=name):
                assert name in hemozoin.__all__
            case ast.ImportFrom(module=str(module), names=names) if module.startswith("hemozoin"):
                assert all(hasattr(import_module(module), it.name) for it in names)
