"""Model folders that somebody changed, with checksums made anew, for every verb with a model."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import numpy as np
import onnx
import safetensors.numpy

from hemozoin.model.bundle import CONFIG, GRAPH, INT8_GRAPH, OOD_DETECTOR, WEIGHTS
from hemozoin.model.checksums import SUMS
from tests.conftest import make_cells
from tests.fuzz import mutations
from tests.fuzz.oracles import Case, import_all
from tests.fuzz.pictures import require_rows
from tests.support.commands import QUICK
from tests.support.hostile import Files, change_anything, valid_files, write_files
from tests.support.smears import make_fields


class Models:
    """Each model folder is given to `predict`, and some of them to another verb."""

    total = None

    def __init__(self, folder: Path) -> None:
        import_all()
        self._files = valid_files(folder / "model")
        self._data = make_cells(folder / "cells", patients=3, per_class=2)
        self._cell = min(self._data.rglob("*.png"))
        self._field = make_fields(folder, "1.png") / "1.png"

    def __call__(self, case: Case) -> None:
        model, rng = case.folder / "model", case.rng
        files = dict(self._files)
        for _ in range(rng.choice([1, 1, 1, 2])):
            with np.errstate(all="ignore"):
                files = changed_files(files, rng)
        write_files(model, files)
        if rng.random() < 0.05:
            (model / SUMS).write_bytes(mutations.mutated((model / SUMS).read_bytes(), rng))
        if rng.random() < 0.1:
            _replace_a_file(model, rng)
        precision = rng.choice(["fp32", "int8"])
        verb = rng.choices(["predict", "evaluate", "screen", "export", "train"], [12, 1, 1, 1, 1])[
            0
        ]
        out = ("--out", case.folder / "out")
        options = ("--model", model, "--precision", precision)
        if verb == "predict":
            require_rows(case.run("predict", self._cell, *options), 1)
        elif verb == "evaluate":
            case.run("evaluate", self._data, *out, *options)
        elif verb == "screen":
            case.run("screen", self._field, *out, *options)
        elif verb == "export":
            case.run("export", model, *out)
        else:
            case.run("train", self._data, *out, *QUICK, "--init", model)


def changed_files(files: Files, rng: Random) -> Files:
    """Return the files of a model folder with one change."""
    name = rng.choice(
        [CONFIG, CONFIG, WEIGHTS, OOD_DETECTOR, GRAPH, GRAPH, INT8_GRAPH, "README.md"]
    )
    if name not in files:
        return files
    content, how = files[name], rng.random()
    if how < 0.05:
        return {other: files[other] for other in files if other != name}
    if how < 0.1:
        other = rng.choice(sorted(files))
        return files | {name: files[other], other: content}
    if how < 0.3:
        return files | {name: mutations.mutated(content, rng)}
    if name == CONFIG:
        content = mutations.changed_json(content, rng)
    elif name in (WEIGHTS, OOD_DETECTOR):
        content = _changed_arrays(content, rng) if rng.random() < 0.5 else _header(content, rng)
    elif name in (GRAPH, INT8_GRAPH):
        content = _changed_graph(content, rng)
    return files | {name: content}


def _changed_graph(content: bytes, rng: Random) -> bytes:
    """Return an ONNX file with another operation, array, name, shape or metadata."""
    try:
        model = onnx.load_from_string(content)
    except Exception:  # it was changed before
        return content
    numbers = np.random.default_rng(rng.getrandbits(32))
    for _ in range(rng.choice([1, 1, 2])):
        how = rng.randrange(5)
        if how == 0 and model.metadata_props:
            rng.choice(model.metadata_props).value = rng.choice(["", "0", "x" * 10_000, "[" * 999])
        elif how == 1 and model.graph.input:
            value = rng.choice([*model.graph.input, *model.graph.output])
            value.name = rng.choice(["", "a", "pixels", "map", "x" * 5000])
        elif how == 2 and model.graph.input:
            _other_shape(rng.choice([*model.graph.input, *model.graph.output]), rng)
        elif model.graph.node and model.graph.initializer:
            change_anything(model, numbers)
    changed: bytes = model.SerializeToString()
    return changed


def _other_shape(value: onnx.ValueInfoProto, rng: Random) -> None:
    value.type.tensor_type.elem_type = rng.choice([1, 2, 7, 8, 11, 99])
    for dimension in value.type.tensor_type.shape.dim:
        if rng.random() < 0.5:
            dimension.dim_value = rng.choice([0, 1, -1, 10**6, 2**62])


def _changed_arrays(content: bytes, rng: Random) -> bytes:
    """Return a safetensors file with other values, shapes, types, or names."""
    try:
        arrays = safetensors.numpy.load(content)
    except Exception:  # it was changed before
        return content
    if not arrays:
        return content
    name = rng.choice(sorted(arrays))
    array = np.array(arrays[name])
    how = rng.randrange(6)
    if how == 0:
        array = np.full_like(array, rng.choice([np.nan, np.inf, -np.inf, 3e38, 0, -1, 1e-45]))
    elif how == 1:
        array = array.astype(rng.choice(["f8", "f2", "i4", "u1", "i8", "?"]))
    elif how == 2:
        array = array[None] if rng.random() < 0.5 else array.reshape(-1)
    elif how == 3:
        del arrays[name]
        name += "x"
    elif how == 4:
        other = rng.choice(sorted(arrays))
        arrays[other], array = array, np.array(arrays[other])
    else:
        array = array * np.float32(rng.choice([-1, 1e10, 1.0001]))
    return safetensors.numpy.save(arrays | {name: np.ascontiguousarray(array)})


def _header(content: bytes, rng: Random) -> bytes:
    """Return a safetensors file with another header."""
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length]
    if not header.startswith(b"{") or rng.random() < 0.2:
        length = rng.choice(mutations.NUMBERS)
    else:
        header = mutations.changed_json(header.rstrip(), rng)
        length = len(header)
    return (length % 2**64).to_bytes(8, "little") + header + content[8 + length :]


def _replace_a_file(model: Path, rng: Random) -> None:
    """Put something that is no regular file in the place of a file."""
    path = rng.choice(sorted(model.iterdir()))
    path.unlink()
    how = rng.randrange(4)
    if how == 0:
        os.mkfifo(path)
    elif how == 1:
        path.symlink_to(
            rng.choice(["/dev/zero", "/dev/full", "/dev/tty", path.name, "/etc/passwd"])
        )
    elif how == 2:
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(rng.choice([0, 2 * 10**6, 10**12]))
