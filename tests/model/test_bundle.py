"""The model folder: it loads as it was saved, and no file in it can change unnoticed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from hemozoin.errors import ModelError
from hemozoin.metrics.seen_patients import SeenPatients
from hemozoin.model.bundle import CARD, CONFIG, GRAPH, INT8_GRAPH, Bundle, load_bundle, save_bundle
from hemozoin.model.checksums import SUMS, write_folder
from tests.support.bundles import some_bundle, some_classifier
from tests.support.commands import tree

FILES = {"config.json", "guard.safetensors", "model.onnx", "model.safetensors", "SHA256SUMS"}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    made = some_bundle(some_classifier(orientations=2))
    return replace(made, patients=SeenPatients.of(["C1", "C2"], ["C3"]))


@pytest.fixture
def folder(bundle: Bundle, tmp_path: Path) -> Path:
    save_bundle(bundle, tmp_path / "model")
    return tmp_path / "model"


def write_config(folder: Path, config: object) -> None:
    """Replace config.json, and write matching checksums."""
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != SUMS}
    write_folder(folder, files | {CONFIG: json.dumps(config).encode()})


def test_a_bundle_loads_as_it_was_saved(bundle: Bundle, folder: Path) -> None:
    loaded = load_bundle(folder)
    plain = (
        "architecture",
        "input_transform",
        "orientations",
        "preprocessing",
        "threshold",
        "review_band",
    )
    for name in (*plain, "graphs", "about", "temperature", "patients"):
        assert getattr(loaded, name) == getattr(bundle, name), name
    for found, given in (
        (loaded.weights, bundle.weights),
        (loaded.ood_detector.to_arrays(), bundle.ood_detector.to_arrays()),
    ):
        assert found.keys() == given.keys()
        for name, array in given.items():
            assert np.array_equal(found[name], array), name
            assert np.shape(found[name]) == np.shape(array), name
    assert {file.name for file in folder.iterdir()} == FILES


def test_config_has_what_a_program_needs(bundle: Bundle, folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    assert config["format"] == "hemozoin-model/2"
    assert config["classes"] == ["uninfected", "parasitized"]
    assert config["temperature"] == pytest.approx(1.7)
    assert config["threshold"]["value"] == 0.4
    assert config["band"] == {"low": 0.3, "high": 0.6, "error_rate": 0.03}
    assert config["preprocessing"] == bundle.preprocessing.to_dict()


def test_sha256sum_verifies_the_folder(folder: Path) -> None:
    check = ["sha256sum", "--check", "--strict", SUMS]
    done = subprocess.run(check, cwd=folder, capture_output=True, text=True, check=True)
    assert {line.removesuffix(": OK") for line in done.stdout.splitlines()} == FILES - {SUMS}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_refused_by_name(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        load_bundle(folder)


@pytest.mark.parametrize("name", sorted(FILES - {SUMS}))
def test_a_changed_file_is_refused_by_name(name: str, folder: Path) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name}: changed since"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "line", ["", "junk", f"{'0' * 64}  ../config.json", f"{'0' * 64}  a/b", f"{'G' * 64}  b"]
)
def test_invalid_checksums_are_refused(line: str, folder: Path) -> None:
    (folder / SUMS).write_text(line + "\n")
    with pytest.raises(ModelError, match=SUMS):
        load_bundle(folder)


def test_an_unlisted_file_counts_as_missing(folder: Path) -> None:
    lines = (folder / SUMS).read_text().splitlines(keepends=True)
    (folder / SUMS).write_text("".join(line for line in lines if GRAPH not in line))
    with pytest.raises(ModelError, match=f"doesn't list {GRAPH}"):
        load_bundle(folder)


def test_int8_and_card_are_saved_and_removed_by_the_next_save(bundle: Bundle, folder: Path) -> None:
    both = replace(bundle, graphs={**bundle.graphs, INT8_GRAPH: b"small"})
    save_bundle(both, folder, card="# A network\n")
    assert load_bundle(folder).graphs == both.graphs
    assert (folder / CARD).read_text() == "# A network\n"
    (folder / CARD).write_text("# The best network\n")
    with pytest.raises(ModelError, match=CARD):
        load_bundle(folder)
    save_bundle(bundle, folder)
    assert {file.name for file in folder.iterdir()} == FILES


def test_an_incomplete_folder_is_refused(
    bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it replaces an older folder: the checksums are deleted first."""

    def full(path: Path, content: bytes) -> None:
        if path.name == GRAPH:
            raise OSError(28, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr("hemozoin.model.checksums.replace_file", full)
    with pytest.raises(OSError, match="No space"):
        save_bundle(bundle, folder)
    with pytest.raises(ModelError, match=SUMS):
        load_bundle(folder)


BAD_CONFIGS: dict[str, tuple[Callable[[dict[str, object]], object], str]] = {
    "a list": (lambda config: [1, 2], "not a model folder"),
    "empty": (lambda config: {}, "not a model folder"),
    "other format": (lambda config: config | {"format": "hemozoin-model/9"}, "not a model folder"),
    "other classes": (lambda config: config | {"classes": ["a", "b"]}, "needs the classes"),
    "swapped classes": (
        lambda config: config | {"classes": ["parasitized", "uninfected"]},
        "needs the classes",
    ),
    "other input transform": (
        lambda config: config | {"view": "x-ray"},
        'view is "x-ray"; needs density or rgb',
    ),
    "no threshold": (lambda config: config | {"threshold": None}, "threshold is null"),
    "no band": (lambda config: config | {"band": {}}, r"band\.low is missing"),
    "upside down": (
        lambda config: config | {"band": {"low": 0.9, "high": 0.1, "error_rate": 0.05}},
        "low not above high",
    ),
    "names of patients": (
        lambda config: (
            config | {"patients": {"salt": "0" * 32, "training": ["C1"], "validation": []}}
        ),
        "patients is an object; needs salt, training and validation",
    ),
    "other pixels": (
        lambda config: config | {"preprocessing": {"size": 32}},
        r"preprocessing\.color is missing",
    ),
    "other body": (
        lambda config: config | {"architecture": {"body": "full"}},
        r"architecture\.alpha is missing",
    ),
}


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_an_invalid_config_is_refused(name: str, folder: Path) -> None:
    change, message = BAD_CONFIGS[name]
    write_config(folder, change(json.loads((folder / CONFIG).read_text())))
    with pytest.raises(ModelError, match=rf"config\.json: .*{message}"):
        load_bundle(folder)


def test_a_pickle_is_never_read(folder: Path) -> None:
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != SUMS}
    write_folder(folder, files | {"model.safetensors": b"\x80\x04cos\nsystem\n(S'true'\ntR."})
    with pytest.raises(ModelError, match="damaged"):
        load_bundle(folder)


def test_an_invalid_detector_is_refused(folder: Path) -> None:
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != SUMS}
    other = safetensors.numpy.save({"a": np.zeros(1)})
    write_folder(folder, files | {"guard.safetensors": other})
    with pytest.raises(ModelError, match="guard"):
        load_bundle(folder)


def test_reading_changes_nothing(folder: Path) -> None:
    before = tree(folder)
    load_bundle(folder)
    assert tree(folder) == before
