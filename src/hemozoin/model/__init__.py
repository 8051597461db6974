"""The packaged network: its model folder, its ONNX graph, and predictions on ONNX Runtime.

bundle.py             Bundle: the network, its decision rules and its origin, as a model folder
checksums.py          SHA256SUMS: a folder whose files can't change unnoticed
checks/               what the files of a model folder must contain
registry.py           a model given by the name of a pretrained network or by its folder
pretrained/           the networks that are part of the package
transform.py          the input transform as ONNX operations
onnx_builder.py       ONNX graphs, node by node
onnx_export.py        the network of a bundle as an ONNX file
session.py            an ONNX file on ONNX Runtime: prepared cells in, NetworkOutput out
pictures.py           pictures from files, zips or memory, prepared for the network
predictor.py          Predictor: pictures in, predictions out
prediction.py         Prediction: label, decision and probability of one picture
prediction_table.py   predictions as CSV, JSON or Parquet
saliency.py           class-activation maps at full resolution
saliency_card.py      a cell and its map as a picture

Bundle ── onnx_export ── ONNX file ── Session ──┐
pictures ── decoded and prepared ── Predictor ──┴── predictions ── table, saliency cards
"""
