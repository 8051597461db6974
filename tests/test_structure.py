"""The structure of the package: layers, optional imports, sizes, names, folders of tests."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

import hemozoin

PACKAGE = Path(hemozoin.__file__).parent
TESTS = Path(__file__).parent
ROOT = TESTS.parent

#: Most modules that a folder may have.
MOST_MODULES = 14

#: Most lines of a function, except in the command line, where the options take many lines.
MOST_LINES = 40

#: Public names that several modules may define.
SHARED_NAMES = {"main"}

#: Files and folders that may import an optional package when they are loaded. Other modules import
#: it within a function.
OPTIONAL = {
    "torch": ("mobilenet/network.py", "training/", "paper/sweep/", "export/"),
    "onnx": ("model/onnx_builder.py", "model/onnx_export.py", "export/"),
    "xlsxwriter": ("serve/workbook.py",),
    **dict.fromkeys(("dask", "distributed", "h5py", "pillow_heif", "pyvips"), ()),
}

#: Folders of tests that test no folder of the package.
WITHOUT_COUNTERPART = {"docs", "fuzz", "support"}

#: Wrong imports: the module, the line that is added to it, and what import-linter reports.
WRONG_IMPORTS = [
    (
        "data/labels.py",
        "from hemozoin.model.bundle import Bundle",
        "hemozoin.data.labels -> hemozoin.model.bundle",
    ),
    (
        "smear/segmentation/objects.py",
        "from hemozoin.smear.screen import screen",
        "hemozoin.smear.segmentation.objects -> hemozoin.smear.screen",
    ),
    (
        "data/source.py",
        "from hemozoin.data.split import SHARES",
        "No cycles are allowed in hemozoin.data.",
    ),
    ("model/predictor.py", "import torch", "hemozoin.model.predictor -> torch"),
]


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def path_in_package(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# ---- imports -----------------------------------------------------------------------------------


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in `folder`/src with the contracts of pyproject.toml."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_no_layer_imports_from_above() -> None:
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(("module", "line", "report"), WRONG_IMPORTS)
def test_a_wrong_import_is_reported(module: str, line: str, report: str, tmp_path: Path) -> None:
    copy = tmp_path / "src" / "hemozoin"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (copy / module).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    checked = lint_imports(tmp_path)
    assert checked.returncode == 1
    assert " BROKEN\n" in checked.stdout
    assert report in checked.stdout


@pytest.mark.parametrize("path", modules(), ids=path_in_package)
def test_optional_packages_are_imported_only_where_they_belong(path: Path) -> None:
    packages = {name.partition(".")[0] for name in imports(parse(path).body)}
    for package, allowed in OPTIONAL.items():
        assert package not in packages or path_in_package(path).startswith(allowed), package


def imports(nodes: Sequence[ast.AST]) -> set[str]:
    """Return the names of the modules that these statements import."""
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.slow
def test_onnx_runtime_is_imported_in_one_place() -> None:
    """That module turns its telemetry off first; benchmarks may import parts of it later."""
    importing = [path for path in modules() if _imports_onnx_runtime([*ast.walk(parse(path))])]
    assert [path_in_package(path) for path in importing] == ["onnx_runtime.py"]
    others = [
        path
        for folder in ("benchmarks", "tests", "website")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert len(others) > 50
    assert [path for path in others if _imports_onnx_runtime(parse(path).body)] == []


def _imports_onnx_runtime(nodes: Sequence[ast.AST]) -> bool:
    return any(name.partition(".")[0] == "onnxruntime" for name in imports(nodes))


# ---- sizes -------------------------------------------------------------------------------------


def test_no_folder_has_too_many_modules() -> None:
    counts = Counter(path.parent for path in modules())
    assert {path_in_package(folder): n for folder, n in counts.items() if n > MOST_MODULES} == {}


@pytest.mark.parametrize("path", modules(), ids=path_in_package)
def test_no_function_is_too_long(path: Path) -> None:
    if path_in_package(path).startswith("cli/"):
        return
    functions = [node for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef)]
    lengths = {f.name: (f.end_lineno or 0) - f.lineno + 1 for f in functions}
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


# ---- names and the tree of the tests -----------------------------------------------------------


def test_no_public_name_has_two_meanings() -> None:
    found: dict[str, list[str]] = {}
    for path in modules():
        for name in public_names(path):
            found.setdefault(name, []).append(path_in_package(path))
    repeated = {name: paths for name, paths in found.items() if len(paths) > 1}
    assert {name: paths for name, paths in repeated.items() if name not in SHARED_NAMES} == {}


def public_names(path: Path) -> set[str]:
    """Return the names that a module defines for others, without the verbs of the command line."""
    if path_in_package(path).startswith("cli/verbs/"):  # `hemozoin train` calls `train`
        return set()
    found: set[str] = set()
    for node in parse(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return {name for name in found if not name.startswith("_")}


def test_every_folder_of_tests_is_a_folder_of_the_package() -> None:
    folders = {path.parent.relative_to(TESTS) for path in TESTS.rglob("*.py")}
    mirrored = {folder for folder in folders if not {*folder.parts} & WITHOUT_COUNTERPART}
    assert {str(folder) for folder in mirrored if not (PACKAGE / folder).is_dir()} == set()
