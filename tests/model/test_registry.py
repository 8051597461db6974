"""Names of networks that ship, model folders and runs: which one is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from hemozoin.errors import ModelError
from hemozoin.model import registry as names
from hemozoin.model.bundle import save_bundle
from hemozoin.model.registry import find_model, named
from tests.support.bundles import some_bundle, some_classifier
from tests.support.commands import refused


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of two networks, which stand for those of the package."""
    bundle = some_bundle(some_classifier())
    for name in ("nano", "best"):
        save_bundle(bundle, tmp_path / "shipped" / name)
    (tmp_path / "shipped" / "__pycache__").mkdir()
    monkeypatch.setattr(names, "PRETRAINED", tmp_path / "shipped")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "shipped"


def test_a_name_is_a_folder_of_the_package(shipped: Path) -> None:
    assert names.names() == ["best", "nano"]
    assert named("nano") == find_model("nano") == shipped / "nano"


@pytest.mark.parametrize("word", ["nanoo", "", "NANO", "__pycache__"])
def test_an_unknown_name_gives_the_list(word: str, shipped: Path) -> None:
    with pytest.raises(ModelError, match="best, nano"):
        named(word)


def test_the_command_line_gives_the_list(shipped: Path) -> None:
    line = refused("predict", "x.png", "--model", "huge")
    assert "'huge'" in line
    assert "best, nano" in line


def test_without_any_network_it_says_so(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "PRETRAINED", shipped / "__pycache__")
    line = refused("predict", "x.png")
    assert "'nano'" in line
    assert "none ships" in line


def test_a_name_comes_before_a_folder_and_a_path_is_a_path(shipped: Path) -> None:
    Path("nano").mkdir()
    Path("mine").mkdir()
    assert find_model("nano") == shipped / "nano"
    assert find_model("./nano") == find_model(Path("nano")) == Path("nano")
    assert find_model("mine") == Path("mine")
    assert find_model("no/such") == Path("no/such")


def test_a_run_is_as_good_as_its_model(tmp_path: Path) -> None:
    (tmp_path / "run" / "model").mkdir(parents=True)
    assert find_model(tmp_path / "run") == tmp_path / "run" / "model"
    assert find_model(tmp_path / "run" / "model") == tmp_path / "run" / "model"
