"""cog, serving the same function; beside it cog.yaml."""

from cog import BasePredictor


class Predictor(BasePredictor):
    def setup(self) -> None:
        pass

    def predict(self, value: int) -> int:
        return 2 * value
