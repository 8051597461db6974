"""stub"""
from __future__ import annotations
import sys
sys.path.insert(0, "/tmp/x/exp")
def quantize(bundle, pixels):
    from quant import q, CalibrationMethod
    from hemozoin.model.graph import onnx_model
    return q(onnx_model(bundle), pixels, ops=("Conv","Relu"), method=CalibrationMethod.Percentile)
