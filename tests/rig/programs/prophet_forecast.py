# /// script
# dependencies = ["prophet", "pandas"]
# ///
"""Forecast by Prophet, whose library makes a temporary folder when it is imported and removes it at exit."""

import sys

import pandas as pd
from prophet import Prophet

with open(sys.argv[1]) as lines:
    step = len(list(lines))
days = pd.date_range("2026-01-01", periods=40, freq="D")
frame = pd.DataFrame({"ds": days, "y": [step * day + (day % 7) for day in range(40)]})
model = Prophet(yearly_seasonality=False, weekly_seasonality=True, daily_seasonality=False, uncertainty_samples=0)
model.fit(frame, seed=1)
ahead = model.predict(model.make_future_dataframe(periods=3))
ahead[["ds", "yhat"]].tail(3).round(3).to_csv(sys.argv[2], index=False)
