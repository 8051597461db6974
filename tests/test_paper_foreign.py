"""Files laid out as Keras and timm lay them out: every name, axis and shape, and bad files.

Whether the libraries agree with this is seen in test_paper_foreign_libraries.py.
"""

from __future__ import annotations

import sys
import zipfile
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.numpy

from hemozoin.errors import MissingExtraError, ModelError
from hemozoin.paper.foreign import read_foreign
from hemozoin.paper.mobilenet import Architecture
from hemozoin.paper.network import MobileNet

Arrays = dict[str, npt.NDArray[Any]]

#: Channels after each of the 14 steps of Table 1, at α = 1.
WIDTHS = (32, 64, 128, 128, 256, 256, *6 * (512,), 1024, 1024)

needs_h5py = pytest.mark.skipif(
    find_spec("h5py") is None, reason="needs h5py: pip install 'hemozoin[keras]'"
)


def rng_array(name: str, *shape: int) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(list(name.encode()))
    return rng.uniform(0.1, 1, shape).astype(np.float32)


def keras_arrays(alpha: float = 0.25, classes: int | None = 3) -> Arrays:
    """Return arrays as Keras' `_conv_block` and `_depthwise_conv_block` make them."""
    widths = [int(alpha * width) for width in WIDTHS]
    shapes: dict[str, tuple[int, ...]] = {"conv1/kernel": (3, 3, 3, widths[0])}
    norms = {"conv1_bn": widths[0]}
    for block, (wide_in, wide_out) in enumerate(pairwise(widths), 1):
        shapes[f"conv_dw_{block}/kernel"] = (3, 3, wide_in, 1)
        shapes[f"conv_pw_{block}/kernel"] = (1, 1, wide_in, wide_out)
        norms |= {f"conv_dw_{block}_bn": wide_in, f"conv_pw_{block}_bn": wide_out}
    for norm, width in norms.items():
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            shapes[f"{norm}/{name}"] = (width,)
    if classes:
        shapes["conv_preds/kernel"] = (1, 1, widths[-1], classes)
        shapes["conv_preds/bias"] = (classes,)
    return {name: rng_array(name, *shape) for name, shape in shapes.items()}


def timm_arrays(alpha: float = 1.0, classes: int | None = 3) -> Arrays:
    """Return arrays as timm's `_gen_mobilenet_v1` names them."""
    widths = [int(alpha * width) for width in WIDTHS]
    blocks = ["0.0", "1.0", "1.1", "2.0", "2.1", *(f"3.{i}" for i in range(6)), "4.0", "4.1"]
    shapes: dict[str, tuple[int, ...]] = {"conv_stem.weight": (widths[0], 3, 3, 3)}
    norms = {"bn1": widths[0]}
    for block, wide_in, wide_out in zip(blocks, widths, widths[1:], strict=False):
        shapes[f"blocks.{block}.conv_dw.weight"] = (wide_in, 1, 3, 3)
        shapes[f"blocks.{block}.conv_pw.weight"] = (wide_out, wide_in, 1, 1)
        norms |= {f"blocks.{block}.bn1": wide_in, f"blocks.{block}.bn2": wide_out}
    for norm, width in norms.items():
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{norm}.{name}"] = (width,)
    if classes:
        shapes |= {"classifier.weight": (classes, widths[-1]), "classifier.bias": (classes,)}
    arrays: Arrays = {name: rng_array(name, *shape) for name, shape in shapes.items()}
    return arrays | {f"{norm}.num_batches_tracked": np.array(7) for norm in norms}


# ---- the formats ---------------------------------------------------------------------------------


def older_h5(file: Any, arrays: Arrays, below: str = "", suffix: str = ":0") -> None:
    """As Keras 2 does: conv1/conv1/kernel:0, and empty groups for layers without arrays."""
    file.create_group(f"{below}conv1_relu")
    for name, array in arrays.items():
        layer, leaf = name.split("/")
        if layer.startswith("conv_dw") and suffix:
            leaf = leaf.replace("kernel", "depthwise_kernel")
        file[f"{below}{layer}/{layer}/{leaf}{suffix}"] = array


def whole_h5(file: Any, arrays: Arrays) -> None:
    """As `model.save("x.h5")` of Keras 3 does, with the state of its optimizer."""
    older_h5(file, arrays, "model_weights/", "")
    file["optimizer_weights/adam/iteration"] = np.array(3)


def newer_h5(file: Any, arrays: Arrays) -> None:
    """As Keras 3 does: layers/conv2d_1/vars/0, which h5 files sort as 1, 10, 11, ..., 2."""
    by_layer: dict[str, list[npt.NDArray[Any]]] = {"dropout": []}
    for name, array in arrays.items():  # in the order in which a layer makes them
        by_layer.setdefault(name.split("/")[0], []).append(array)
    for number, (layer, held) in enumerate(by_layer.items()):
        group = file.create_group(f"layers/some_class_{number}/vars")
        group.attrs["name"] = layer
        for index, array in enumerate(held):
            group[str(index)] = array
    file["optimizer/vars/0"] = np.array(3)


def h5_bytes(write: Any, arrays: Arrays) -> bytes:
    import h5py  # noqa: PLC0415

    with h5py.File("new.h5", "w", driver="core", backing_store=False) as file:
        write(file, arrays)
        file.flush()
        return bytes(file.id.get_file_image())


def saved(path: Path, arrays: Arrays) -> Path:
    """Write arrays in the format that the path's ending says."""
    if path.suffix == ".safetensors":
        path.write_bytes(safetensors.numpy.save(arrays))
    elif path.suffix == ".keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("model.weights.h5", h5_bytes(newer_h5, arrays))
    else:
        newer = path.name.endswith(".weights.h5")
        path.write_bytes(h5_bytes(newer_h5 if newer else older_h5, arrays))
    return path


def arrays_for(name: str) -> Arrays:
    return timm_arrays() if name.endswith(".safetensors") else keras_arrays()


def require_fits(architecture: Architecture, weights: Arrays) -> None:
    """See that torch takes the weights, with no name missing or left over."""
    import torch  # noqa: PLC0415

    network = MobileNet(architecture)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})


@needs_h5py
@pytest.mark.parametrize("write", [older_h5, whole_h5, newer_h5])
def test_keras_arrays_find_their_places(write: Any, tmp_path: Path) -> None:
    theirs = keras_arrays()
    (tmp_path / "k.h5").write_bytes(h5_bytes(write, theirs))
    architecture, weights = read_foreign(tmp_path / "k.h5")
    assert architecture == Architecture(0.25, 3, "relu6", "same", 1e-3)
    require_fits(architecture, weights)

    kernel = theirs["conv_pw_12/kernel"]  # [1, 1, in, out], 128 to 256
    assert np.array_equal(weights["body.pointwise12.conv.weight"][:, :, 0, 0], kernel[0, 0].T)
    kernel = theirs["conv_dw_2/kernel"]  # [height, width, C, 1]
    assert weights["body.depthwise2.conv.weight"][5, 0, 2, 1] == kernel[2, 1, 5, 0]
    kernel = theirs["conv1/kernel"]
    assert weights["body.conv1.conv.weight"][4, 1, 2, 0] == kernel[2, 0, 1, 4]
    assert np.array_equal(weights["head.weight"], theirs["conv_preds/kernel"][0, 0].T)
    assert np.array_equal(weights["head.bias"], theirs["conv_preds/bias"])
    for ours, name in {
        "weight": "gamma",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    }.items():
        assert np.array_equal(
            weights[f"body.depthwise13.norm.{ours}"], theirs[f"conv_dw_13_bn/{name}"]
        )


def test_timm_arrays_find_their_places(tmp_path: Path) -> None:
    theirs = timm_arrays()
    architecture, weights = read_foreign(saved(tmp_path / "t.safetensors", theirs))
    assert architecture == Architecture(1.0, 3, "relu6", "symmetric", 1e-5)
    require_fits(architecture, weights)
    for ours, name in {
        "body.conv1.norm.running_var": "bn1.running_var",
        "body.depthwise1.conv.weight": "blocks.0.0.conv_dw.weight",
        "body.pointwise3.conv.weight": "blocks.1.1.conv_pw.weight",
        "body.depthwise11.norm.bias": "blocks.3.5.bn1.bias",
        "body.pointwise13.norm.running_mean": "blocks.4.1.bn2.running_mean",
        "head.weight": "classifier.weight",
    }.items():
        assert np.array_equal(weights[ours], theirs[name])


@needs_h5py
@pytest.mark.parametrize("alpha", [0.1, 0.3, 0.35, 0.5, 0.75, 1.0])
def test_alpha_is_found_from_the_shapes(alpha: float, tmp_path: Path) -> None:
    path = saved(tmp_path / "k.keras", keras_arrays(alpha))
    assert read_foreign(path)[0].alpha == alpha


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    half = {name: array.astype(np.float16) for name, array in timm_arrays(0.25).items()}
    _, weights = read_foreign(saved(tmp_path / "t.safetensors", half))
    assert {array.dtype.name for array in weights.values()} == {"float32"}


@needs_h5py
@pytest.mark.parametrize("name", ["k.weights.h5", "t.safetensors"])
def test_without_its_classifier(name: str, tmp_path: Path) -> None:
    make = timm_arrays if name.endswith(".safetensors") else keras_arrays
    architecture, weights = read_foreign(saved(tmp_path / name, make(0.25, None)))
    assert architecture.alpha == 0.25
    assert len(weights) == 27 * 5


# ---- bad files -----------------------------------------------------------------------------------

FILES = ("k.h5", "k.weights.h5", "k.keras", "t.safetensors")


@needs_h5py
@pytest.mark.parametrize("name", FILES)
def test_a_name_too_few_or_too_many(name: str, tmp_path: Path) -> None:
    arrays = arrays_for(name)
    gone = list(arrays)[5]
    less = {key: array for key, array in arrays.items() if key.split("/")[0] != gone.split("/")[0]}
    with pytest.raises(ModelError, match=rf"{name}: not a .*missing {gone.split('/')[0]}"):
        read_foreign(saved(tmp_path / name, less))
    more = {**arrays, "a_dense/kernel": np.ones((3, 3), np.float32)}
    with pytest.raises(ModelError, match=r"missing nothing; unknown a_dense/kernel"):
        read_foreign(saved(tmp_path / name, more))


@needs_h5py
@pytest.mark.parametrize("name", FILES)
def test_a_shape_that_does_not_fit(name: str, tmp_path: Path) -> None:
    arrays = arrays_for(name)
    kernel = next(key for key in arrays if "dw" in key)
    for wrong in (arrays[kernel][..., :-1], arrays[kernel].T, np.float32(1)):
        with pytest.raises(ModelError, match=rf"{name}: {kernel} is \(.*\) there"):
            read_foreign(saved(tmp_path / name, {**arrays, kernel: np.asarray(wrong, order="C")}))


@needs_h5py
@pytest.mark.parametrize("name", ["conv_pw_13_bn/gamma", "conv_preds/bias"])
def test_what_says_how_wide_it_is_is_empty(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"k\.h5: not a MobileNet of Keras: .*conv_p"):
        read_foreign(saved(tmp_path / "k.h5", {**keras_arrays(), name: np.zeros(0, np.float32)}))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(value: float, tmp_path: Path) -> None:
    arrays = timm_arrays(0.25)
    arrays["bn1.bias"][3] = value
    with pytest.raises(ModelError, match=r"bn1\.bias has values that are no finite numbers"):
        read_foreign(saved(tmp_path / "t.safetensors", arrays))


def test_weights_that_are_whole_numbers(tmp_path: Path) -> None:
    """Quantised, say: they mean nothing without their scale."""
    arrays = timm_arrays(0.25)
    arrays["bn1.bias"] = np.ones(8, np.int8)
    with pytest.raises(ModelError, match=r"bn1\.bias has values"):
        read_foreign(saved(tmp_path / "t.safetensors", arrays))


@needs_h5py
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0, 7, 0.5, 0.99])
def test_truncated(name: str, keep: float, tmp_path: Path) -> None:
    path = saved(tmp_path / name, arrays_for(name))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises(ModelError, match=rf"{name}: damaged"):
        read_foreign(path)


@needs_h5py
@pytest.mark.parametrize("name", FILES)
def test_something_else_under_that_ending(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    with pytest.raises(ModelError, match=rf"{name}: damaged, or not what its ending says"):
        read_foreign(tmp_path / name)


@needs_h5py
@pytest.mark.parametrize("name", FILES)
def test_another_network(name: str, tmp_path: Path) -> None:
    path = saved(tmp_path / name, {"dense/kernel": np.ones((3, 3), np.float32)})
    with pytest.raises(ModelError, match=rf"{name}: not a .*(Keras|timm): missing"):
        read_foreign(path)


@needs_h5py
def test_a_zip_without_weights_in_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "k.keras", "w") as archive:
        archive.writestr("cat.png", b"")
    with pytest.raises(ModelError, match=r"k\.keras: damaged.*model\.weights\.h5"):
        read_foreign(tmp_path / "k.keras")


@needs_h5py
def test_the_first_keras_3_gave_its_layers_no_names(tmp_path: Path) -> None:
    def nameless(file: Any, arrays: Arrays) -> None:
        newer_h5(file, arrays)
        for group in file["layers"].values():
            del group["vars"].attrs["name"]

    (tmp_path / "k.h5").write_bytes(h5_bytes(nameless, keras_arrays()))
    with pytest.raises(ModelError, match=r"no names; save it as \.h5"):
        read_foreign(tmp_path / "k.h5")


@pytest.mark.parametrize("name", ["m.pth", "m.pt", "m.bin", "m.ckpt", "m.pkl"])
def test_a_pickle_is_not_opened(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'pickle.*save_file\(torch\.load\("m\..*safetensors"\)'):
        read_foreign(tmp_path / name)  # is not even there


def test_an_unknown_ending(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"m\.onnx: give a \.h5 or \.keras"):
        read_foreign(tmp_path / "m.onnx")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"t\.safetensors"):
        read_foreign(tmp_path / "t.safetensors")


def test_the_line_to_install_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "k.h5").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hemozoin\[keras\]'"):
        read_foreign(tmp_path / "k.h5")
