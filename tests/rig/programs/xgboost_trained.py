# /// script
# dependencies = ["xgboost", "numpy"]
# ///
"""Train trees on several threads, and save them."""

import sys

import numpy as np
import xgboost as xgb

rng = np.random.default_rng(0)
x = rng.normal(size=(400, 4))
y = (x[:, 0] * x[:, 1] > 0).astype(int)
model = xgb.train({"objective": "binary:logistic", "seed": 1, "nthread": 2}, xgb.DMatrix(x, y), 8)
again = xgb.Booster()
again.load_model(bytearray(model.save_raw("json")))
with open(sys.argv[2], "w") as target:
    target.write(repr(again.predict(xgb.DMatrix(x[:6])).tolist()))
