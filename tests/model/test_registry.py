"""Finding a model: pretrained networks by name, model folders and runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from hemozoin.errors import ModelError
from hemozoin.model import registry
from hemozoin.model.bundle import save_bundle
from hemozoin.model.registry import find_model, pretrained_folder, pretrained_names
from tests.support.bundles import some_bundle, some_classifier
from tests.support.commands import refused


@pytest.fixture
def pretrained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of two networks in place of the pretrained networks of the package."""
    bundle = some_bundle(some_classifier())
    for name in ("nano", "best"):
        save_bundle(bundle, tmp_path / "pretrained" / name)
    (tmp_path / "pretrained" / "__pycache__").mkdir()
    monkeypatch.setattr(registry, "PRETRAINED", tmp_path / "pretrained")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pretrained"


def test_a_name_is_a_folder_in_the_package(pretrained: Path) -> None:
    assert pretrained_names() == ["best", "nano"]
    assert pretrained_folder("nano") == find_model("nano") == pretrained / "nano"


@pytest.mark.parametrize("name", ["nanoo", "", "NANO", "__pycache__"])
def test_an_unknown_name_lists_the_names(name: str, pretrained: Path) -> None:
    with pytest.raises(ModelError, match="best, nano"):
        pretrained_folder(name)


def test_the_command_line_lists_the_names(pretrained: Path) -> None:
    line = refused("predict", "x.png", "--model", "huge")
    assert "'huge'" in line
    assert "best, nano" in line


def test_no_pretrained_networks_at_all(pretrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PRETRAINED", pretrained / "__pycache__")
    line = refused("predict", "x.png")
    assert "'nano'" in line
    assert "no pretrained networks" in line


def test_a_name_takes_precedence_over_a_folder(pretrained: Path) -> None:
    Path("nano").mkdir()
    Path("mine").mkdir()
    assert find_model("nano") == pretrained / "nano"
    assert find_model("./nano") == find_model(Path("nano")) == Path("nano")
    assert find_model("mine") == Path("mine")
    assert find_model("no/such") == Path("no/such")


def test_a_run_folder_stands_for_its_model(tmp_path: Path) -> None:
    (tmp_path / "run" / "model").mkdir(parents=True)
    assert find_model(tmp_path / "run") == tmp_path / "run" / "model"
    assert find_model(tmp_path / "run" / "model") == tmp_path / "run" / "model"
