# /// script
# dependencies = ["statsmodels", "pandas"]
# ///
"""Fit a time series."""

import sys
import warnings

import numpy as np
from statsmodels.tsa.arima.model import ARIMA

warnings.simplefilter("ignore")
values = np.cumsum(np.random.default_rng(7).normal(size=60))
fitted = ARIMA(values, order=(1, 1, 0)).fit()
with open(sys.argv[2], "w") as target:
    target.write(repr(fitted.forecast(3).round(6).tolist()))
