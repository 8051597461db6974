"""Export: a trained network as a folder with fp32 and int8 ONNX graphs and a model card.

    bundle ──> graph_parts.py ──> activation_ranges.py ──> int8.py (rotation.py) ──> int8 graph
                                                                                        │
    model folder <── card.py, card.md <── parity.py: torch, ONNX and int8 compared <────┘
                          cell.onnx <── cell_parity.py: decisions compared

export.py               the steps of `hemozoin export`
graph_parts.py          splits an ONNX graph into input transform, convolutions and head
activation_ranges.py    measures the range of every channel on training cells
rotation.py             rotates kernels instead of the cell
int8.py                 quantizes the graph to 8 bits
parity.py               compares torch, ONNX and int8 on the same cells
cell_parity.py          compares cell.onnx with `hemozoin predict`
card.py, card.md        the model card (README.md)
"""
