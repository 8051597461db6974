"""Files as Keras and timm write them: every name, axis and shape, and bad files.

test_libraries.py checks the same against the libraries themselves.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hemozoin.errors import MissingExtraError, ModelError
from hemozoin.mobilenet.architecture import Architecture
from hemozoin.mobilenet.convert import read_third_party
from hemozoin.mobilenet.network import MobileNet
from tests.support.third_party import (
    Arrays,
    arrays_for,
    h5_bytes,
    keras_arrays,
    needs_h5py,
    newer_h5,
    older_h5,
    saved,
    timm_arrays,
    whole_h5,
)


def require_fits(architecture: Architecture, weights: Arrays) -> None:
    """Load the weights into torch's network; it fails where a name is missing or left over."""
    import torch  # noqa: PLC0415

    network = MobileNet(architecture)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})


@needs_h5py
@pytest.mark.parametrize("write", [older_h5, whole_h5, newer_h5])
def test_keras_arrays_are_renamed_and_transposed(write: Any, tmp_path: Path) -> None:
    arrays = keras_arrays()
    (tmp_path / "k.h5").write_bytes(h5_bytes(write, arrays))
    architecture, weights = read_third_party(tmp_path / "k.h5")
    assert architecture == Architecture(0.25, 3, "relu6", "same", 1e-3)
    require_fits(architecture, weights)

    kernel = arrays["conv_pw_12/kernel"]  # [1, 1, in, out], 128 to 256
    assert np.array_equal(weights["body.pointwise12.conv.weight"][:, :, 0, 0], kernel[0, 0].T)
    kernel = arrays["conv_dw_2/kernel"]  # [height, width, C, 1]
    assert weights["body.depthwise2.conv.weight"][5, 0, 2, 1] == kernel[2, 1, 5, 0]
    kernel = arrays["conv1/kernel"]
    assert weights["body.conv1.conv.weight"][4, 1, 2, 0] == kernel[2, 0, 1, 4]
    assert np.array_equal(weights["head.weight"], arrays["conv_preds/kernel"][0, 0].T)
    assert np.array_equal(weights["head.bias"], arrays["conv_preds/bias"])
    for name, keras_name in {
        "weight": "gamma",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    }.items():
        assert np.array_equal(
            weights[f"body.depthwise13.norm.{name}"], arrays[f"conv_dw_13_bn/{keras_name}"]
        )


def test_timm_arrays_are_renamed(tmp_path: Path) -> None:
    arrays = timm_arrays()
    architecture, weights = read_third_party(saved(tmp_path / "t.safetensors", arrays))
    assert architecture == Architecture(1.0, 3, "relu6", "symmetric", 1e-5)
    require_fits(architecture, weights)
    for name, timm_name in {
        "body.conv1.norm.running_var": "bn1.running_var",
        "body.depthwise1.conv.weight": "blocks.0.0.conv_dw.weight",
        "body.pointwise3.conv.weight": "blocks.1.1.conv_pw.weight",
        "body.depthwise11.norm.bias": "blocks.3.5.bn1.bias",
        "body.pointwise13.norm.running_mean": "blocks.4.1.bn2.running_mean",
        "head.weight": "classifier.weight",
    }.items():
        assert np.array_equal(weights[name], arrays[timm_name])


@pytest.mark.slow
@needs_h5py
@pytest.mark.parametrize("alpha", [0.1, 0.3, 0.35, 0.5, 0.75, 1.0])
def test_alpha_is_found_from_the_shapes(alpha: float, tmp_path: Path) -> None:
    path = saved(tmp_path / "k.keras", keras_arrays(alpha))
    assert read_third_party(path)[0].alpha == alpha


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    half = {name: array.astype(np.float16) for name, array in timm_arrays(0.25).items()}
    _, weights = read_third_party(saved(tmp_path / "t.safetensors", half))
    assert {array.dtype.name for array in weights.values()} == {"float32"}


@needs_h5py
@pytest.mark.parametrize("name", ["k.weights.h5", "t.safetensors"])
def test_without_its_classifier(name: str, tmp_path: Path) -> None:
    make = timm_arrays if name.endswith(".safetensors") else keras_arrays
    architecture, weights = read_third_party(saved(tmp_path / name, make(0.25, None)))
    assert architecture.alpha == 0.25
    assert len(weights) == 27 * 5


# ---- bad files -----------------------------------------------------------------------------------

FILES = ("k.h5", "k.weights.h5", "k.keras", "t.safetensors")


@pytest.mark.slow
@needs_h5py
@pytest.mark.parametrize("name", FILES)
def test_a_missing_and_an_unknown_name(name: str, tmp_path: Path) -> None:
    arrays = arrays_for(name)
    gone = list(arrays)[5]
    less = {key: array for key, array in arrays.items() if key.split("/")[0] != gone.split("/")[0]}
    with pytest.raises(ModelError, match=rf"{name}: not a .*missing {gone.split('/')[0]}"):
        read_third_party(saved(tmp_path / name, less))
    more = {**arrays, "a_dense/kernel": np.ones((3, 3), np.float32)}
    with pytest.raises(ModelError, match=r"missing nothing; unknown a_dense/kernel"):
        read_third_party(saved(tmp_path / name, more))


@pytest.mark.slow
@needs_h5py
@pytest.mark.parametrize("name", FILES)
def test_a_shape_that_does_not_fit(name: str, tmp_path: Path) -> None:
    arrays = arrays_for(name)
    kernel = next(key for key in arrays if "dw" in key)
    for wrong in (arrays[kernel][..., :-1], arrays[kernel].T, np.float32(1)):
        with pytest.raises(ModelError, match=rf"{name}: {kernel} is \(.*\) there"):
            read_third_party(
                saved(tmp_path / name, {**arrays, kernel: np.asarray(wrong, order="C")})
            )


@needs_h5py
@pytest.mark.parametrize("name", ["conv_pw_13_bn/gamma", "conv_preds/bias"])
def test_an_empty_array_that_gives_alpha_or_classes(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"k\.h5: not a MobileNet of Keras: .*conv_p"):
        read_third_party(
            saved(tmp_path / "k.h5", {**keras_arrays(), name: np.zeros(0, np.float32)})
        )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(value: float, tmp_path: Path) -> None:
    arrays = timm_arrays(0.25)
    arrays["bn1.bias"][3] = value
    with pytest.raises(
        ModelError, match=r"bn1\.bias has values that are not finite floating-point numbers"
    ):
        read_third_party(saved(tmp_path / "t.safetensors", arrays))


def test_weights_that_are_whole_numbers(tmp_path: Path) -> None:
    """Quantised weights, for example, mean nothing without their scale."""
    arrays = timm_arrays(0.25)
    arrays["bn1.bias"] = np.ones(8, np.int8)
    with pytest.raises(ModelError, match=r"bn1\.bias has values that are not finite floating"):
        read_third_party(saved(tmp_path / "t.safetensors", arrays))


@pytest.mark.slow
@needs_h5py
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0, 7, 0.5, 0.99])
def test_truncated(name: str, keep: float, tmp_path: Path) -> None:
    path = saved(tmp_path / name, arrays_for(name))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises(ModelError, match=rf"{name}: damaged"):
        read_third_party(path)


@needs_h5py
@pytest.mark.parametrize("name", FILES)
def test_another_format_under_that_ending(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    with pytest.raises(ModelError, match=rf"{name}: damaged, or not the format of its ending"):
        read_third_party(tmp_path / name)


@needs_h5py
@pytest.mark.parametrize("name", FILES)
def test_another_network(name: str, tmp_path: Path) -> None:
    path = saved(tmp_path / name, {"dense/kernel": np.ones((3, 3), np.float32)})
    with pytest.raises(ModelError, match=rf"{name}: not a .*(Keras|timm): missing"):
        read_third_party(path)


@needs_h5py
def test_a_zip_without_weights(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "k.keras", "w") as archive:
        archive.writestr("cat.png", b"")
    with pytest.raises(ModelError, match=r"k\.keras: damaged.*model\.weights\.h5"):
        read_third_party(tmp_path / "k.keras")


@needs_h5py
def test_the_first_keras_3_gave_its_layers_no_names(tmp_path: Path) -> None:
    def nameless(file: Any, arrays: Arrays) -> None:
        newer_h5(file, arrays)
        for group in file["layers"].values():
            del group["vars"].attrs["name"]

    (tmp_path / "k.h5").write_bytes(h5_bytes(nameless, keras_arrays()))
    with pytest.raises(ModelError, match=r"no names; save it as \.h5"):
        read_third_party(tmp_path / "k.h5")


@pytest.mark.parametrize("name", ["m.pth", "m.pt", "m.bin", "m.ckpt", "m.pkl"])
def test_a_pickle_is_not_opened(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'pickle.*save_file\(torch\.load\("m\..*safetensors"\)'):
        read_third_party(tmp_path / name)  # is not even there


def test_an_unknown_ending(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"m\.onnx: give a \.h5 or \.keras"):
        read_third_party(tmp_path / "m.onnx")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"t\.safetensors"):
        read_third_party(tmp_path / "t.safetensors")


def test_the_line_to_install_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "k.h5").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hemozoin\[keras\]'"):
        read_third_party(tmp_path / "k.h5")
