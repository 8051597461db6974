"""ONNX Runtime with its telemetry off. All other modules import it from here.

ONNX Runtime looks up a host of its maker and writes files into the user's cache unless this
variable is set before it is imported. Processes that this one starts inherit the variable.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

onnxruntime.disable_telemetry_events()

__all__ = ["onnxruntime"]
