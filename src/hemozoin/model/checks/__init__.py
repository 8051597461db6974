"""What the files of a model folder must contain, whoever made the folder.

config.py     config.json: keys, types and ranges of its values
weights.py    model.safetensors: the arrays of the architecture, all finite
graph.py      ONNX files: hemozoin's own operations, inputs, outputs and weights
protobuf.py   the content of an ONNX file, without the onnx package
shapes.py     the shape of every value in a graph, before it runs
limits.py     the largest network, and the work that its graphs may do

Everything raises ModelError.
"""
