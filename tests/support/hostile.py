"""Model folders that somebody prepared, with a right SHA256SUMS, and how they are refused."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from hemozoin.errors import ModelError
from hemozoin.export.int8 import quantize
from hemozoin.model.bundle import INT8_GRAPH, save_bundle
from hemozoin.model.checksums import SUMS
from hemozoin.model.predictor import Predictor
from hemozoin.model.registry import Precision
from tests.support.bundles import some_bundle, some_cells, some_classifier

#: The content of each file of a model folder, without SHA256SUMS.
Files = dict[str, bytes]

#: Seconds in which a folder has to be refused.
AT_ONCE = 5


def valid_files(folder: Path) -> Files:
    """Write a valid model folder, with both graphs and a card, and return its files."""
    bundle = some_bundle(some_classifier(orientations=2))
    graphs = {**bundle.graphs, INT8_GRAPH: quantize(bundle, some_cells(40, 32))}
    save_bundle(replace(bundle, graphs=graphs), folder, card="# A network\n")
    Predictor.load(folder)
    Predictor.load(folder, "int8")
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != SUMS}


def write_files(folder: Path, files: Files) -> Path:
    """Write files and their SHA256SUMS; quicker than `write_folder`, which is safe in a crash."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    sums = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    (folder / SUMS).write_text("".join(sums))
    return folder


@contextmanager
def refuses(message: str) -> Iterator[None]:
    """Expect a ModelError, at once, of one line that is short apart from the folder's name."""
    started = time.process_time()
    with pytest.raises(ModelError, match=message) as caught:
        yield
    assert time.process_time() - started < AT_ONCE
    require_short(caught.value)


def require_short(error: ModelError) -> None:
    """Require a message of one line, of at most 300 characters after the folder's name."""
    text = str(error)
    assert text.isprintable()
    assert len(text.rpartition("/")[2]) <= 300, text


def refuse(folder: Path, files: Files, message: str, precision: Precision = "fp32") -> None:
    """Write these files into a folder and require that it is refused with this message."""
    write_files(folder, files)
    with refuses(message):
        Predictor.load(folder, precision)


def loads_or_is_refused(folder: Path, files: Files, precision: Precision = "fp32") -> bool:
    """Return whether a folder loads; where it does, it predicts, and else there is one error."""
    write_files(folder, files)
    started = time.process_time()
    try:
        p = Predictor.load(folder, precision)(some_cells(2, 32))
    except ModelError as error:
        require_short(error)
        return False
    finally:
        assert time.process_time() - started < AT_ONCE
    assert np.isfinite(p).all()
    return True


#: Values of attributes that are hard to handle.
_NUMBERS = (-(2**63), -1, 0, 1, 2, 3, 2**31, 2**62)


def change_anything(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """Change an operation, one of its inputs or attributes, or the type or shape of an array."""
    node, array = (
        some[rng.integers(len(some))] for some in (model.graph.node, model.graph.initializer)
    )
    values = numpy_helper.to_array(array)
    other = model.graph.node[rng.integers(len(model.graph.node))]
    what = rng.integers(5)
    if what == 0:
        node.op_type = other.op_type
    elif what == 1:
        node.input[rng.integers(len(node.input))] = other.output[0]
    elif what == 2:
        for attribute in node.attribute:
            attribute.i = int(rng.choice(_NUMBERS))
            attribute.ints[:1] = [int(rng.choice(_NUMBERS)) for _ in attribute.ints[:1]]
    elif what == 3:
        flat = np.ascontiguousarray(values.reshape(-1) if rng.integers(2) else values[None])
        array.CopyFrom(numpy_helper.from_array(flat, array.name))
    else:
        kind = rng.choice(["f4", "f8", "i4", "i8", "u1", "i1"])
        array.CopyFrom(numpy_helper.from_array(values.astype(kind), array.name))
