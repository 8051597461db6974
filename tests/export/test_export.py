"""hemozoin export: writes a complete folder with checksums, or nothing and one line of error."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from hemozoin.arrays import Pixels
from hemozoin.data.dataset import decode_cells
from hemozoin.data.options import CellOptions
from hemozoin.errors import ModelError
from hemozoin.export import export as exporting
from hemozoin.export.int8 import quantize
from hemozoin.model import transform
from hemozoin.model.bundle import FILES, GRAPH, INT8_GRAPH, WEIGHTS, Bundle, load_bundle
from hemozoin.model.onnx_export import with_graph
from hemozoin.model.predictor import Predictor
from hemozoin.model.session import Session
from tests.conftest import make_cells
from tests.support.bundles import some_cells
from tests.support.commands import refused, succeed, tree


@pytest.fixture(scope="module")
def sure_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose network is sure of drawn cells, so that rounding changes little."""
    folder = tmp_path_factory.mktemp("sure")
    data = make_cells(folder / "cells.zip", patients=9, per_class=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEMOZOIN_CACHE", str(folder / "cache"))
        options = ("--size", 32, "--epochs", 20, "--batch", 16, "--learning-rate", 0.01)
        succeed("train", data, "--out", folder / "run", *options)
    return folder / "run"


@pytest.fixture(scope="module")
def exported(sure_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEMOZOIN_CACHE", str(sure_run.parent / "cache"))
        printed = succeed("export", sure_run, "--out", out)
    assert printed.splitlines()[-1] == f"Model: {out}"
    assert [line.split()[0] for line in printed.splitlines()[1:4]] == ["torch", "ONNX", "int8"]
    return out


@pytest.fixture
def drawn(sure_run: Path) -> Pixels:
    """Return the pixels of the run's cells."""
    preprocessing = load_bundle(sure_run / "model").preprocessing
    return decode_cells(sure_run.parent / "cells.zip", CellOptions(), preprocessing).pixels


@pytest.mark.slow
def test_the_folder_is_complete_and_its_checksums_match(exported: Path, sure_run: Path) -> None:
    assert {file.name for file in exported.iterdir()} == set(FILES)
    subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=exported, check=True, capture_output=True)
    before, after = load_bundle(sure_run / "model"), load_bundle(exported)
    assert after.about.keys() - before.about.keys() == {"parity"}
    assert (after.threshold, after.review_band) == (before.threshold, before.review_band)
    assert (exported / WEIGHTS).read_bytes() == (sure_run / "model" / WEIGHTS).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(FILES) - {"SHA256SUMS"}))
def test_a_changed_file_is_refused_by_name(exported: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(exported, tmp_path / "copy")
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match=name):
        load_bundle(copy)


@pytest.mark.slow
def test_int8_is_small_and_agrees_with_fp32(exported: Path, drawn: Pixels) -> None:
    bundle = load_bundle(exported)
    assert len(bundle.graphs[INT8_GRAPH]) < 300_000
    p, p_int8 = (Predictor(bundle, precision)(drawn) for precision in ("fp32", "int8"))
    assert p.std() > 0.3  # the network has learned, so that the comparison means something
    assert np.abs(p - p_int8).mean() < 0.02
    assert ((p > 0.5) == (p_int8 > 0.5)).mean() > 0.98


@pytest.mark.slow
def test_both_graphs_have_the_same_metadata(exported: Path) -> None:
    graphs = load_bundle(exported).graphs
    fp32, int8 = (onnx.load_from_string(graphs[name]) for name in (GRAPH, INT8_GRAPH))
    assert [p.SerializeToString() for p in fp32.metadata_props] == [
        p.SerializeToString() for p in int8.metadata_props
    ]
    for side in ("input", "output"):
        assert list(getattr(fp32.graph, side)) == list(getattr(int8.graph, side))


@pytest.mark.slow
def test_predict_accepts_the_exported_folder(exported: Path, sure_run: Path) -> None:
    cells = sure_run.parent / "cells.zip"
    table = succeed("predict", cells, "--model", exported, "--precision", "int8")
    assert table.count("\n") == 1 + 360


@pytest.mark.slow
def test_the_check_can_use_other_cells(sure_run: Path, tmp_path: Path) -> None:
    """A model folder of the run is accepted too; corrected labels are used."""
    other = make_cells(tmp_path / "other.zip", patients=2, per_class=3, seed=7)
    printed = succeed("export", sure_run / "model", "--out", tmp_path / "out", "--check", other)
    assert printed.startswith("12 cells of 2 patients")
    assert load_bundle(tmp_path / "out").about["parity"]["cells"] == 12
    name = "C1P1ThinF_IMG_20150918_144104_cell_1"
    (tmp_path / "labels.csv").write_text(f"cell,corrected_label\n{name},\n")
    options = ("--check", other, "--labels", tmp_path / "labels.csv")
    assert succeed("export", sure_run, "--out", tmp_path / "again", *options).startswith("11 cells")


@pytest.mark.slow
def test_a_wrong_graph_is_not_written(
    sure_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tampered(bundle: Bundle) -> Bundle:
        bias = "network.head.bias"
        weights = {**bundle.weights, bias: bundle.weights[bias] + np.array([0.01, 0], np.float32)}
        return replace(bundle, graphs=with_graph(replace(bundle, weights=weights)).graphs)

    monkeypatch.setattr(exporting, "with_graph", tampered)
    line = refused("export", sure_run, "--out", tmp_path / "out")
    assert "model.onnx: not the weights of model.safetensors" in line
    assert tree(tmp_path) == {}


@pytest.mark.slow
def test_a_graph_with_another_transform_is_not_written(
    sure_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights are right, but not its output."""
    monkeypatch.setattr(transform, "DENSITIES", transform.DENSITIES * 0.9975)
    line = refused("export", sure_run, "--out", tmp_path / "out")
    assert "ONNX: largest difference 0.00" in line
    assert "(limit 0.0001)" in line
    assert tree(tmp_path) == {}


@pytest.mark.slow
def test_a_wrong_int8_graph_is_not_written(
    sure_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(bundle: Bundle, pixels: Pixels) -> bytes:
        return quantize(bundle, np.zeros_like(pixels))

    monkeypatch.setattr(exporting, "quantize", blind)
    line = refused("export", sure_run, "--out", tmp_path / "out")
    assert "int8: AUC drop 0." in line
    assert "(limit 0.001)" in line
    assert "ONNX" not in line
    assert tree(tmp_path) == {}


@pytest.mark.slow
def test_errors_of_the_user(sure_run: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert "not an empty folder" in refused("export", sure_run, "--out", tmp_path / "full")
    missing = tmp_path / "nowhere.zip"
    options = ("--out", tmp_path / "out", "--check", missing)
    assert "nowhere.zip" in refused("export", sure_run, *options)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_missing_cells(sure_run: Path, exported: Path, tmp_path: Path) -> None:
    run = shutil.copytree(sure_run, tmp_path / "run")
    data = sure_run.parent / "cells.zip"
    data.rename(tmp_path / "elsewhere.zip")
    try:
        line = refused("export", run, "--out", tmp_path / "out")
    finally:
        (tmp_path / "elsewhere.zip").rename(data)
    assert f"{data}: not found" in line
    assert "cells.zip: not found" in refused("export", exported, "--out", tmp_path / "out")


@pytest.mark.slow
def test_a_full_disk_leaves_no_file(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "model_card", fail)
    with pytest.raises(OSError, match="No space"):
        exporting.write_export(load_bundle(exported), tmp_path / "out")
    assert tree(tmp_path) == {}


@pytest.mark.real
@pytest.mark.slow
def test_the_limits_hold_on_real_cells(real_zip: Path, tmp_path: Path) -> None:
    """After an epoch: ONNX and int8 agree with torch on the test patients."""
    run, out = tmp_path / "run", tmp_path / "out"
    succeed("train", real_zip, "--out", run, "--epochs", 1)
    succeed("export", run, "--out", out)
    parity = load_bundle(out).about["parity"]
    assert parity["torch"]["auc"] > 0.95
    assert parity["onnx"]["difference"] <= 1e-4
    assert parity["torch"]["auc"] - parity["int8"]["auc"] <= 0.001
    assert parity["torch"]["accuracy"] - parity["int8"]["accuracy"] <= 0.002
    assert (out / INT8_GRAPH).stat().st_size <= 300_000
    assert Session(load_bundle(out).graphs[INT8_GRAPH], "int8")(some_cells(1, 64)).map.shape[0] == 1
