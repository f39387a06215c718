"""The sandbox pulls again where the engine loses a layer, and tells every other error at once."""

from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError

from model_sandbox.engine import Engine
from tests.unit.test_engine_images import LOST


class Pulls:
    """Stands in for docker's client: the first `failures` pulls fail as `reason` says."""

    def __init__(self, reason: str, failures: int) -> None:
        self.calls = 0
        self._reason, self._failures = reason, failures
        self.images = SimpleNamespace(pull=self._pull)

    def _pull(self, image: str, **_: object) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise APIError("500", explanation=self._reason)
        return image


def engine(client: Pulls) -> Engine:
    made: Any = object.__new__(Engine)  # its own start asks a real engine
    made._client = client
    return made  # type: ignore[no-any-return]


def test_a_pull_whose_layer_is_lost_is_made_again() -> None:
    client = Pulls(LOST, failures=2)
    assert str(engine(client)._pulled("iris:1", None)) == "iris:1"
    assert client.calls == 3


@pytest.mark.parametrize(("reason", "calls"), [(LOST, 3), ("no basic auth credentials", 1)])
def test_what_stays_so_is_told(reason: str, calls: int) -> None:
    client = Pulls(reason, failures=99)
    with pytest.raises(APIError):
        engine(client)._pulled("iris:1", None)
    assert client.calls == calls
