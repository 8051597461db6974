"""With third-party weights our network returns the same logits as Keras' and timm's own.

Optional: `pip install -e '.[libraries]'` installs both (see CONTRIBUTING.md). All weights are
random, those of the batch norms too: their initial values are all 0 or 1, and would hide a swap.
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

REASON = "needs {}: pip install -e '.[libraries]'"

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

Floats = npt.NDArray[np.float32]


def pixels(size: int) -> Floats:
    """Return four pictures of noise in -1..1: float [4, 3, S, S]."""
    return np.random.default_rng(0).uniform(-1, 1, (4, 3, size, size)).astype(np.float32)


def random_array(name: str, shape: tuple[int, ...]) -> Floats:
    """Return weights that let a signal pass 27 layers and differ between names."""
    rng = np.random.default_rng([len(name), *name.encode()])
    if "var" in name:
        return rng.uniform(0.3, 2, shape).astype(np.float32)
    if len(shape) == 1:
        return rng.uniform(0.2, 1.2, shape).astype(np.float32) - ("mean" in name)
    fan_in = np.prod(shape) / max(shape)
    return rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)


def our_logits(path: Path, inputs: Floats) -> tuple[Architecture, Floats]:
    """Return the architecture that a file describes, and our network's logits with its weights."""
    architecture, weights = read_third_party(path)
    network = MobileNet(architecture).eval()
    missing = network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
    assert not missing.missing_keys
    with torch.inference_mode():
        return architecture, network(torch.from_numpy(inputs)).numpy()


def require_same(logits: Floats, expected: Floats) -> None:
    """Logits and probabilities agree within 1e-4, and the logits differ between pictures."""
    assert expected.std(axis=0).max() > 0.01
    difference = np.abs(logits - expected).max()
    print(f"largest difference {difference:.2e}, in {np.abs(expected).max():.2f}")
    assert difference <= 1e-4
    assert np.abs(softmax(logits) - softmax(expected)).max() <= 1e-4


def softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


# ---- Keras ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keras() -> Any:
    """Return Keras with torch as its backend; its files are the same as with TensorFlow."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    pytest.importorskip("h5py", reason=REASON.format("h5py"))
    return pytest.importorskip("keras", reason=REASON.format("keras"))


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
    inputs = pixels(64)
    expected = np.asarray(model.predict(inputs.transpose(0, 2, 3, 1), verbose=0))
    architecture, logits = our_logits(tmp_path / "k.weights.h5", inputs)
    assert architecture == Architecture(alpha, 5, "relu6", "same", 1e-3)
    require_same(logits, expected)


def test_all_formats_of_keras_give_the_same_weights(keras: Any, tmp_path: Path) -> None:
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


def test_the_optimizer_in_a_file_of_keras_is_ignored(keras: Any, tmp_path: Path) -> None:
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


def test_keras_scales_pixels_as_our_rgb_transform_does(keras: Any) -> None:
    from hemozoin.training.classifier import PlainRgb  # noqa: PLC0415

    cells = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    expected = keras.applications.mobilenet.preprocess_input(cells.astype(np.float32))
    scaled = PlainRgb()(torch.from_numpy(cells)).permute(0, 2, 3, 1).numpy()
    assert np.abs(scaled - expected).max() < 1e-6


# ---- timm ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def timm() -> Iterator[Any]:
    if importlib.util.find_spec("timm") is None:
        pytest.skip(REASON.format("timm"))
    before = set(sys.modules)
    sys.meta_path.insert(0, NoTorchvision)
    yield importlib.import_module("timm")
    sys.meta_path.remove(NoTorchvision)
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("timm", "torchvision"):
            del sys.modules[name]


def timm_model(timm: Any, name: str, path: Path, **options: Any) -> Any:
    """Return a network with random weights, and write them to `path`."""
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
    inputs = pixels(size)
    with torch.inference_mode():
        expected = model(torch.from_numpy(inputs)).numpy()
    architecture, logits = our_logits(tmp_path / "t.safetensors", inputs)
    assert architecture == Architecture(alpha, 5, "relu6", "symmetric", 1e-5)
    require_same(logits, expected)


def test_timm_without_its_classifier(timm: Any, tmp_path: Path) -> None:
    timm_model(timm, "mobilenetv1_100", tmp_path / "t.safetensors", num_classes=0)
    assert "head.bias" not in read_third_party(tmp_path / "t.safetensors")[1]


def test_timms_network_with_one_more_layer_is_refused(timm: Any, tmp_path: Path) -> None:
    from hemozoin.errors import ModelError  # noqa: PLC0415

    timm_model(timm, "mobilenetv1_100h", tmp_path / "t.safetensors", num_classes=5)
    with pytest.raises(ModelError, match=r"missing nothing; unknown bn2\.bias and \d more"):
        read_third_party(tmp_path / "t.safetensors")


def test_timm_expects_the_output_of_our_rgb_transform(timm: Any, tmp_path: Path) -> None:
    model = timm_model(timm, "mobilenetv1_100", tmp_path / "t.safetensors")
    assert model.default_cfg["mean"] == model.default_cfg["std"] == (0.5, 0.5, 0.5)
