"""The public names of `import hemozoin`, and that the import needs no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hemozoin


def test_every_public_name_exists_and_is_documented() -> None:
    for name in hemozoin.__all__:
        assert getattr(hemozoin, name).__doc__, name


def test_the_lists_of_public_names_agree() -> None:
    tree = ast.parse(Path(hemozoin.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        alias.asname or alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == set(hemozoin.__all__) == set(hemozoin._MODULES)
    assert hemozoin.__all__ == sorted(hemozoin.__all__)


def test_dir_lists_the_public_names_and_no_other() -> None:
    listed = dir(hemozoin)
    assert [name for name in listed if not name.startswith("_")] == hemozoin.__all__
    assert {"__all__", "__doc__", "__name__", "__version__"} <= set(listed)
    assert all(name.endswith("__") for name in listed if name.startswith("_"))


def test_dir_is_the_same_before_anything_is_used() -> None:
    code = "import hemozoin; print(*dir(hemozoin))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if name[0] != "_"} == set(hemozoin.__all__)


@pytest.mark.slow
def test_import_and_help_need_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; import hemozoin;"
        " from hemozoin.cli.main import main;"
        "sys.exit(main(['train', '--help']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--preset" in done.stdout


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(hemozoin, "nonsense")
