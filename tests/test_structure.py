"""The shape of the package: layers, torch where it belongs, folders that can be overlooked."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import hemozoin

PACKAGE = Path(hemozoin.__file__).parent
ROOT = Path(__file__).parents[1]

#: Most modules that a folder may have.
CROWDED = 14

#: Most lines that a function may have outside of the command line, whose options take lines.
LONG = 40

#: Public names that may stand in several modules: each is the same verb for another thing.
SAME_VERB = {"main"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def functions(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in `folder`/src, by the contracts of pyproject.toml."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_no_layer_imports_from_above() -> None:
    found = lint_imports(ROOT)
    assert found.returncode == 0, found.stdout


def test_no_folder_is_crowded() -> None:
    counts = Counter(path.parent for path in modules())
    assert {place(folder): n for folder, n in counts.items() if n > CROWDED} == {}


@pytest.mark.parametrize("path", modules(), ids=place)
def test_no_function_is_long(path: Path) -> None:
    if place(path).startswith("cli/"):
        return
    lengths = {f.name: (f.end_lineno or 0) - f.lineno + 1 for f in functions(path)}
    assert {name: n for name, n in lengths.items() if n > LONG} == {}


def test_no_public_name_has_two_meanings() -> None:
    homes: dict[str, list[str]] = {}
    for path in modules():
        for name in public_names(path):
            homes.setdefault(name, []).append(place(path))
    twice = {name: found for name, found in homes.items() if len(found) > 1}
    assert {name: found for name, found in twice.items() if name not in SAME_VERB} == {}


def public_names(path: Path) -> set[str]:
    """Return the names that a module defines for others, verbs of the command line left out."""
    if place(path).startswith("cli/verbs/"):  # `hemozoin train` calls `train`
        return set()
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return {name for name in found if not name.startswith("_")}
