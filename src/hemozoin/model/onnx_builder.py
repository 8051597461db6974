"""An ONNX graph, written node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hemozoin.arrays import Array


class OnnxBuilder:
    """Nodes as they are added: `g("Relu", x)` returns the name of what comes out."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def __call__(
        self, kind: str, *inputs: str | float | Array, name: str | None = None, **attributes: Any
    ) -> str:
        """Add a node; numbers and arrays among its inputs become constants of the file."""
        name = name or f"{kind}_{len(self._nodes)}"
        taken = [x if isinstance(x, str) else self._constant(x, name) for x in inputs]
        self._nodes.append(helper.make_node(kind, taken, [name], name, **attributes))
        return name

    def finish(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> onnx.GraphProto:
        """Return the graph with its inputs and outputs: name to (type, shape)."""
        return helper.make_graph(
            self._nodes, "hemozoin", _values(inputs), _values(outputs), self._constants
        )

    def as_float(self, x: str) -> str:
        """Add a cast to float32."""
        return self("Cast", x, to=TensorProto.FLOAT)

    def as_double(self, x: str) -> str:
        """Add a cast to float64."""
        return self("Cast", x, to=TensorProto.DOUBLE)

    def _constant(self, value: float | Array, owner: str) -> str:
        name = f"{owner}_constant_{len(self._constants)}"
        array = np.float32(value) if isinstance(value, float) else value
        self._constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name


def _values(named: dict[str, Any]) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
        for name, (kind, shape) in named.items()
    ]
