"""Files as Keras and timm write them, with random weights.

path = saved(tmp_path / "k.weights.h5", keras_arrays(alpha=0.5, classes=None))
"""

from __future__ import annotations

import zipfile
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.numpy

Arrays = dict[str, npt.NDArray[Any]]

#: Output channels of the first convolution and of the 13 blocks of Table 1, at α = 1.
WIDTHS = (32, 64, 128, 128, 256, 256, *6 * (512,), 1024, 1024)

needs_h5py = pytest.mark.skipif(
    find_spec("h5py") is None, reason="needs h5py: pip install 'hemozoin[keras]'"
)


def _random(name: str, *shape: int) -> npt.NDArray[np.float32]:
    """Return weights that depend only on the name and let a signal pass 27 layers."""
    rng = np.random.default_rng(list(name.encode()))
    if len(shape) == 1:
        return rng.uniform(0.1, 1, shape).astype(np.float32)
    fan_in = np.prod(shape) / max(shape)
    return rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)


def keras_arrays(alpha: float = 0.25, classes: int | None = 3) -> Arrays:
    """Return arrays named and shaped as in Keras' `_conv_block` and `_depthwise_conv_block`."""
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
    return {name: _random(name, *shape) for name, shape in shapes.items()}


def timm_arrays(alpha: float = 1.0, classes: int | None = 3) -> Arrays:
    """Return arrays named and shaped as in timm's `_gen_mobilenet_v1`."""
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
    arrays: Arrays = {name: _random(name, *shape) for name, shape in shapes.items()}
    return arrays | {f"{norm}.num_batches_tracked": np.array(7) for norm in norms}


# ---- the formats ---------------------------------------------------------------------------------


def older_h5(file: Any, arrays: Arrays, below: str = "", suffix: str = ":0") -> None:
    """Write as Keras 2 does: conv1/conv1/kernel:0, and empty groups for layers without arrays."""
    file.create_group(f"{below}conv1_relu")
    for name, array in arrays.items():
        layer, leaf = name.split("/")
        if layer.startswith("conv_dw") and suffix:
            leaf = leaf.replace("kernel", "depthwise_kernel")
        file[f"{below}{layer}/{layer}/{leaf}{suffix}"] = array


def whole_h5(file: Any, arrays: Arrays) -> None:
    """Write as `model.save("x.h5")` of Keras 3 does, with the state of its optimizer."""
    older_h5(file, arrays, "model_weights/", "")
    file["optimizer_weights/adam/iteration"] = np.array(3)


def newer_h5(file: Any, arrays: Arrays) -> None:
    """Write as Keras 3 does: layers/conv2d_1/vars/0, which h5 files sort as 1, 10, 11, ..., 2."""
    by_layer: dict[str, list[npt.NDArray[Any]]] = {"dropout": []}
    for name, array in arrays.items():  # in the order in which a layer creates them
        by_layer.setdefault(name.split("/")[0], []).append(array)
    for number, (layer, layer_arrays) in enumerate(by_layer.items()):
        group = file.create_group(f"layers/some_class_{number}/vars")
        group.attrs["name"] = layer
        for index, array in enumerate(layer_arrays):
            group[str(index)] = array
    file["optimizer/vars/0"] = np.array(3)


def h5_bytes(write: Any, arrays: Arrays) -> bytes:
    import h5py  # noqa: PLC0415

    with h5py.File("new.h5", "w", driver="core", backing_store=False) as file:
        write(file, arrays)
        file.flush()
        return bytes(file.id.get_file_image())


def saved(path: Path, arrays: Arrays) -> Path:
    """Write arrays in the format of the path's ending, and return the path."""
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
