"""cell.onnx: everything that `hemozoin predict` does with a cell on black, as one ONNX graph.

    picture ── resampling.py ── pixels ── network ── probabilities ──┐
                                  └─ ood_measures.py ────────────────┴─ graph.py: label, decision

So a browser or a phone gives the same answer without any code of its own.
"""
