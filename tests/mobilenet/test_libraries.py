"""The weights of Keras and timm give the same answers in our network as in theirs.

Optional: `pip install -e '.[libraries]'` brings both (see CONTRIBUTING.md). The weights are
random, also those of the batch norms, whose fresh ones would hide a mix-up.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.torch
import torch

from hemozoin.mobilenet.architecture import Architecture
from hemozoin.mobilenet.convert import read_third_party
from hemozoin.mobilenet.network import MobileNet
from without_torchvision import NoTorchvision

WHY = "needs {}: pip install -e '.[libraries]'"

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

Floats = npt.NDArray[np.float32]


def pixels(size: int) -> Floats:
    """Return four pictures of noise in -1..1: float [4, 3, S, S]."""
    return np.random.default_rng(0).uniform(-1, 1, (4, 3, size, size)).astype(np.float32)


def random_array(name: str, shape: tuple[int, ...]) -> Floats:
    """Return weights that keep the signal alive through 27 layers, and no two alike."""
    rng = np.random.default_rng([len(name), *name.encode()])
    if "var" in name:
        return rng.uniform(0.3, 2, shape).astype(np.float32)
    if len(shape) == 1:
        return rng.uniform(0.2, 1.2, shape).astype(np.float32) - ("mean" in name)
    fan_in = np.prod(shape) / max(shape)
    return rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)


def ours(path: Path, seen: Floats) -> tuple[Architecture, Floats]:
    """Return what our network with the weights of a file says, and its architecture."""
    architecture, weights = read_third_party(path)
    network = MobileNet(architecture).eval()
    missing = network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
    assert not missing.missing_keys
    with torch.inference_mode():
        return architecture, network(torch.from_numpy(seen)).numpy()


def require_same(found: Floats, theirs: Floats) -> None:
    """Logits and probabilities within 1e-4, of logits that do differ between pictures."""
    assert theirs.std(axis=0).max() > 0.01
    print(f"largest difference {np.abs(found - theirs).max():.2e}, in {np.abs(theirs).max():.2f}")
    assert np.abs(found - theirs).max() <= 1e-4
    assert np.abs(softmax(found) - softmax(theirs)).max() <= 1e-4


def softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


# ---- Keras ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keras() -> Any:
    """Return Keras, on torch: that is there, and the files are the same as with TensorFlow."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    pytest.importorskip("h5py", reason=WHY.format("h5py"))
    return pytest.importorskip("keras", reason=WHY.format("keras"))


def keras_model(keras: Any, alpha: float, size: int, **options: Any) -> Any:
    shape = (size, size, 3)
    model = keras.applications.MobileNet(
        input_shape=shape, alpha=alpha, weights=None, classifier_activation=None, **options
    )
    model.set_weights([random_array(w.path, tuple(w.shape)) for w in model.weights])
    return model


@pytest.mark.parametrize("alpha", [0.25, 0.3, 0.75, 1.0])
def test_keras_gives_the_same_logits(keras: Any, alpha: float, tmp_path: Path) -> None:
    model = keras_model(keras, alpha, 64, classes=5)
    model.save_weights(tmp_path / "k.weights.h5")
    seen = pixels(64)
    theirs = np.asarray(model.predict(seen.transpose(0, 2, 3, 1), verbose=0))
    architecture, found = ours(tmp_path / "k.weights.h5", seen)
    assert architecture == Architecture(alpha, 5, "relu6", "same", 1e-3)
    require_same(found, theirs)


def test_all_formats_of_keras_are_one(keras: Any, tmp_path: Path) -> None:
    model = keras_model(keras, 0.25, 32, classes=3)
    model.save_weights(tmp_path / "k.weights.h5")
    model.save(tmp_path / "k.keras")
    model.save(tmp_path / "k.h5")
    one, *others = (
        read_third_party(tmp_path / f"k{end}") for end in (".weights.h5", ".keras", ".h5")
    )
    for architecture, weights in others:
        assert architecture == one[0]
        assert weights.keys() == one[1].keys()
        assert all(np.array_equal(weights[name], one[1][name]) for name in weights)


def test_a_trained_keras_has_its_optimizer_passed_over(keras: Any, tmp_path: Path) -> None:
    model = keras_model(keras, 0.25, 32, classes=3)
    model.compile("adam", "mse")
    model.train_on_batch(np.zeros((4, 32, 32, 3)), np.zeros((4, 3)))
    for name in ("k.keras", "k.h5"):
        model.save(tmp_path / name)
        assert "head.bias" in read_third_party(tmp_path / name)[1]


def test_keras_without_its_classifier(keras: Any, tmp_path: Path) -> None:
    keras_model(keras, 0.5, 32, include_top=False).save_weights(tmp_path / "k.weights.h5")
    architecture, weights = read_third_party(tmp_path / "k.weights.h5")
    assert architecture.alpha == 0.5
    assert not {"head.weight", "head.bias"} & set(weights)


def test_keras_prepares_pixels_as_our_rgb_view_does(keras: Any) -> None:
    from hemozoin.training.classifier import PlainRgb  # noqa: PLC0415

    cells = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    theirs = keras.applications.mobilenet.preprocess_input(cells.astype(np.float32))
    seen = PlainRgb()(torch.from_numpy(cells)).permute(0, 2, 3, 1).numpy()
    assert np.abs(seen - theirs).max() < 1e-6


# ---- timm ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def timm() -> Iterator[Any]:
    if importlib.util.find_spec("timm") is None:
        pytest.skip(WHY.format("timm"))
    before = set(sys.modules)
    sys.meta_path.insert(0, NoTorchvision)
    yield importlib.import_module("timm")
    sys.meta_path.remove(NoTorchvision)
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("timm", "torchvision"):
            del sys.modules[name]


def timm_model(timm: Any, name: str, path: Path, **options: Any) -> Any:
    """Make a network with random weights, and write them to `path`."""
    model = timm.create_model(name, pretrained=False, **options).eval()
    state = {
        key: tensor
        if key.endswith("num_batches_tracked")
        else torch.from_numpy(random_array(key, tuple(tensor.shape)))
        for key, tensor in model.state_dict().items()
    }
    model.load_state_dict(state)
    safetensors.torch.save_file(state, path)
    return model


@pytest.mark.parametrize(("name", "alpha"), [("mobilenetv1_100", 1.0), ("mobilenetv1_125", 1.25)])
@pytest.mark.parametrize("size", [64, 75])
def test_timm_gives_the_same_logits(
    timm: Any, name: str, alpha: float, size: int, tmp_path: Path
) -> None:
    model = timm_model(timm, name, tmp_path / "t.safetensors", num_classes=5)
    seen = pixels(size)
    with torch.inference_mode():
        theirs = model(torch.from_numpy(seen)).numpy()
    architecture, found = ours(tmp_path / "t.safetensors", seen)
    assert architecture == Architecture(alpha, 5, "relu6", "symmetric", 1e-5)
    require_same(found, theirs)


def test_timm_without_its_classifier(timm: Any, tmp_path: Path) -> None:
    timm_model(timm, "mobilenetv1_100", tmp_path / "t.safetensors", num_classes=0)
    assert "head.bias" not in read_third_party(tmp_path / "t.safetensors")[1]


def test_timms_network_with_a_layer_more_is_refused(timm: Any, tmp_path: Path) -> None:
    from hemozoin.errors import ModelError  # noqa: PLC0415

    timm_model(timm, "mobilenetv1_100h", tmp_path / "t.safetensors", num_classes=5)
    with pytest.raises(ModelError, match=r"missing nothing; unknown bn2\.bias and \d more"):
        read_third_party(tmp_path / "t.safetensors")


def test_timm_is_fed_what_our_rgb_view_gives(timm: Any, tmp_path: Path) -> None:
    model = timm_model(timm, "mobilenetv1_100", tmp_path / "t.safetensors")
    assert model.default_cfg["mean"] == model.default_cfg["std"] == (0.5, 0.5, 0.5)
