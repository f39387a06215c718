# /// script
# dependencies = ["lightgbm", "scikit-learn", "pandas"]
# ///
"""Classify by trees of LightGBM on a data frame."""

import sys

import lightgbm
import numpy as np
import pandas as pd

rng = np.random.default_rng(2)
frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
model = lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, deterministic=True, force_row_wise=True, random_state=4)
model.fit(frame, frame["a"] > 0)
with open(sys.argv[2], "w") as target:
    target.write(repr(model.predict_proba(frame.head(4)).tolist()) + repr(len(pd.read_csv(sys.argv[1]))))
