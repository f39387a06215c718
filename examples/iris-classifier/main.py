"""Names the species of iris flowers: python main.py INPUT.csv OUTPUT.csv"""

import sys
from pathlib import Path

import joblib
import pandas as pd

MODEL = Path(__file__).parent / "model" / "iris.joblib"


def main(input_path: str, output_path: str) -> None:
    model = joblib.load(MODEL)
    flowers = pd.read_csv(input_path)
    missing = [name for name in model.feature_names_in_ if name not in flowers.columns]
    if missing:
        sys.exit(f"The input has no column {', '.join(missing)}.")
    features = flowers[list(model.feature_names_in_)]
    flowers["species"] = model.predict(features)
    flowers["probability"] = model.predict_proba(features).max(axis=1)
    flowers.to_csv(output_path, index=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: main.py INPUT.csv OUTPUT.csv")
    main(sys.argv[1], sys.argv[2])
