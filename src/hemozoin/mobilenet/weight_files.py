"""Read the files that Keras and timm write, as arrays by name. Pickles are never opened.

conv1/kernel, conv1_bn/gamma, ...           Keras: layer/array, the same for all of its formats
conv_stem.weight, blocks.0.0.bn1.bias, ...  timm: the names of its state dict
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import safetensors
import safetensors.numpy

from hemozoin.arrays import NamedArrays
from hemozoin.errors import MissingExtraError, ModelError
from hemozoin.files import read_regular_file

#: Endings of the files that torch writes. All of them are pickles.
_PICKLES = (".pth", ".pt", ".bin", ".ckpt", ".tar", ".pkl")

#: Keras' newest format numbers the arrays of a layer. Their names, by the number of arrays.
_NUMBERED = {
    1: ("kernel",),
    2: ("kernel", "bias"),
    4: ("gamma", "beta", "moving_mean", "moving_variance"),
}


def read_arrays(path: Path) -> NamedArrays:
    """Return the arrays of a .h5, .weights.h5 or .keras of Keras, or of a .safetensors of timm.

    Raises ModelError where the file has another format or is damaged, MissingExtraError where
    h5py is needed and missing, OSError where the file can't be read.
    """
    if path.suffix in _PICKLES:
        raise ModelError(
            f"{path}: a pickle can run anything when it is opened. If you trust this one, convert"
            " it to safetensors: python -c 'import torch, safetensors.torch as s;"
            f' s.save_file(torch.load("{path.name}"), "{path.stem}.safetensors")\''
        )
    if path.suffix not in (".safetensors", ".h5", ".hdf5", ".keras"):
        raise ModelError(f"{path}: give a .h5 or .keras of Keras, or a .safetensors of timm")
    content = read_regular_file(path)
    try:
        if path.suffix == ".safetensors":
            return _state_dict(safetensors.numpy.load(content))
        if path.suffix == ".keras":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read("model.weights.h5")
        return _read_h5(content)
    except _DAMAGE as error:
        raise ModelError(f"{path}: damaged, or not the format of its ending: {error}") from error


#: What the three libraries raise. KeyError and TypeError come from h5 groups laid out otherwise.
_DAMAGE = (
    safetensors.SafetensorError,
    zipfile.BadZipFile,
    OSError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
)


def _state_dict(arrays: NamedArrays) -> NamedArrays:
    """Return the arrays without batch norm's counters of training steps."""
    return {name: a for name, a in arrays.items() if not name.endswith("num_batches_tracked")}


def _read_h5(content: bytes) -> NamedArrays:
    try:
        import h5py  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "to read files of Keras, install h5py: pip install 'hemozoin[keras]'"
        ) from error
    with h5py.File(io.BytesIO(content)) as file:
        if "layers" in file:
            return _read_numbered(file["layers"])
        return _read_named(file.get("model_weights", file))


def _read_numbered(layers: Any) -> NamedArrays:
    """Read layers/conv2d/vars/0, the format since Keras 3. The layer's name is an attribute."""
    by_name = {}
    for group in layers.values():
        arrays = group["vars"]
        if len(arrays) and "name" not in arrays.attrs:
            raise ValueError("its layers have no names; save it as .h5, or with Keras 3.6 or newer")
        names = _NUMBERED.get(len(arrays), tuple(arrays))
        for number, name in enumerate(names):
            by_name[f"{arrays.attrs['name']}/{name}"] = arrays[str(number)][()]
    return by_name


def _read_named(layers: Any) -> NamedArrays:
    """Read conv1/.../kernel:0, the older format. Keras 2 names some kernels depthwise_kernel."""
    by_name = {}

    def collect(path: str, node: Any) -> None:
        if hasattr(node, "shape"):
            layer, *_, name = path.split("/")
            name = name.removesuffix(":0").removeprefix("depthwise_")
            by_name[f"{layer}/{name}"] = node[()]

    layers.visititems(collect)
    return by_name
