"""Share an engine that answers what a test says."""

from collections.abc import Iterator

import pytest

from tests.rig.engine_api import EngineApi, engine_api


@pytest.fixture
def api() -> Iterator[EngineApi]:
    """Stand in for Docker Engine."""
    with engine_api() as stands:
        yield stands
