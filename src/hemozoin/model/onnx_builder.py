"""ONNX graphs, written node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hemozoin.arrays import Array


class OnnxBuilder:
    """The nodes of a graph: calling `g("Relu", x)` adds a node and returns its output's name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def __call__(
        self, kind: str, *inputs: str | float | Array, name: str | None = None, **attributes: Any
    ) -> str:
        """Add a node; numbers and arrays among its inputs become constants of the file."""
        name = name or f"{kind}_{len(self._nodes)}"
        tensors = [x if isinstance(x, str) else self.constant(x, name) for x in inputs]
        self._nodes.append(helper.make_node(kind, tensors, [name], name, **attributes))
        return name

    def finish(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> onnx.GraphProto:
        """Return the graph; `inputs` and `outputs` map each name to (type, shape)."""
        return helper.make_graph(
            self._nodes, "hemozoin", _value_infos(inputs), _value_infos(outputs), self._constants
        )

    def as_float(self, x: str) -> str:
        """Add a cast to float32."""
        return self("Cast", x, to=TensorProto.FLOAT)

    def as_double(self, x: str) -> str:
        """Add a cast to float64."""
        return self("Cast", x, to=TensorProto.DOUBLE)

    def as_int32(self, x: str) -> str:
        """Add a cast to int32."""
        return self("Cast", x, to=TensorProto.INT32)

    def as_uint8(self, x: str) -> str:
        """Add a cast to uint8."""
        return self("Cast", x, to=TensorProto.UINT8)

    def constant(self, value: float | Array, node: str) -> str:
        """Add a constant that several nodes use; its name begins with that of one of them."""
        name = f"{node}_constant_{len(self._constants)}"
        array = np.float32(value) if isinstance(value, float) else value
        self._constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name


def _value_infos(tensors: dict[str, Any]) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
        for name, (kind, shape) in tensors.items()
    ]
