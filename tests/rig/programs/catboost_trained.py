# /// script
# dependencies = ["catboost", "numpy"]
# ///
"""Train by CatBoost, with a folder of logs in the temporary folder."""

import sys
import tempfile

import numpy as np
from catboost import CatBoostRegressor

rng = np.random.default_rng(6)
x = rng.normal(size=(100, 3))
with tempfile.TemporaryDirectory() as logs:
    model = CatBoostRegressor(iterations=10, random_seed=1, verbose=False, thread_count=2, train_dir=logs)
    model.fit(x, x[:, 0])
with open(sys.argv[2], "w") as target:
    target.write(repr(model.predict(x[:4]).round(9).tolist()))
