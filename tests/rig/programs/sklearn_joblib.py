# /// script
# dependencies = ["scikit-learn", "joblib", "numpy"]
# ///
"""Save a pipeline with a class of this script by joblib, load it, and search on processes of joblib's."""

import os
import sys
import tempfile

import joblib
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline


class Squared(BaseEstimator, TransformerMixin):
    def fit(self, x, y=None):
        return self

    def transform(self, x):
        return np.hstack([x, x**2])


if __name__ == "__main__":
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 3))
    y = x[:, 0] ** 2 > 0.5
    pipeline = make_pipeline(Squared(), RandomForestClassifier(n_estimators=10, random_state=2))
    search = GridSearchCV(pipeline, {"randomforestclassifier__max_depth": [2, 4]}, n_jobs=2, cv=2).fit(x, y)
    with tempfile.TemporaryDirectory() as folder:
        joblib.dump(search.best_estimator_, os.path.join(folder, "model"), compress=3)
        again = joblib.load(os.path.join(folder, "model"))
    with open(sys.argv[2], "w") as target:
        target.write(f"{search.best_params_} {again.predict_proba(x[:4]).tolist()} {type(again[0]).__module__}")
