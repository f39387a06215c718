"""Saves the same function as an mlflow model: python mlflow_model.py FOLDER"""

import sys

import mlflow.pyfunc


class Double(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):  # noqa: ARG002 - mlflow's signature
        return model_input * 2


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=Double(), pip_requirements=[])
