# /// script
# dependencies = ["onnxruntime", "onnx", "numpy"]
# ///
"""Run a graph that is made here."""

import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
found = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])
graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"], axis=1)], "soft", [given], [found])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
rows = np.loadtxt(sys.argv[1], delimiter=",", skiprows=1, dtype=np.float32)
with open(sys.argv[2], "w") as target:
    target.write(repr(session.run(None, {"x": rows})[0].tolist()))
